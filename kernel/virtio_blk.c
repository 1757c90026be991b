/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_blk.c - a virtio block device behind registers in memory.
 *
 * Theory. One queue of the device, in three parts that both sides know the address of: the
 * descriptors (where buffers are), the available ring (what the driver hands over), the used ring
 * (what the device hands back). A request is a chain of three descriptors - header, page, status -
 * and request i always has the descriptors 3i to 3i + 2, so a free request is all that has to be
 * found, and what comes back names its request. REQUESTS of them can be under way.
 *
 * Waiting. A caller that may sleep does so until the interrupt, or another caller that polls, finds
 * its request in the used ring. One that may not sleep looks at the used ring itself, each time
 * with the lock held and let go of in between, and finishes whatever it finds there, its own or
 * not. Whoever finishes a request wakes for it (channel: the request); whoever gives one back wakes
 * those who found none (channel: the queue).
 *
 * Addresses. The device sees physical memory. The kernel's own is mapped where it lies; a page of
 * the paged window and the scratch page lie elsewhere, and the page tables say where.
 *
 * Locks: `lock` guards the queue and the requests; it is a spin lock, taken by the interrupt, too, and
 * not held while anybody waits. Nothing is taken inside it but what sched_wait and sched_wake take.
 * Limits: registers of version 2 (virtio 1.x), not the legacy ones; one device; no flush: after the
 * power went a swap file is worth nothing. A device that never answers is waited for for ever.
 *
 * Source: the virtio specification 1.1, 2.6 (split queues), 4.2 (registers), 5.2 (block devices).
 */
#include "virtio_blk.h"

#include "kernel.h"
#include "sched.h"

/* ---- what the device's specification says ------------------------------------------------------- */

enum reg {
	REG_MAGIC = 0x000,
	REG_VERSION = 0x004,
	REG_DEVICE_ID = 0x008,
	REG_DEVICE_FEATURES = 0x010,
	REG_DEVICE_FEATURES_SEL = 0x014,
	REG_DRIVER_FEATURES = 0x020,
	REG_DRIVER_FEATURES_SEL = 0x024,
	REG_QUEUE_SEL = 0x030,
	REG_QUEUE_SIZE_MAX = 0x034,
	REG_QUEUE_SIZE = 0x038,
	REG_QUEUE_READY = 0x044,
	REG_QUEUE_NOTIFY = 0x050,
	REG_IRQ_STATUS = 0x060,
	REG_IRQ_ACK = 0x064,
	REG_STATUS = 0x070,
	REG_QUEUE_DESC = 0x080, /* these three: low half, high half behind it */
	REG_QUEUE_AVAIL = 0x090,
	REG_QUEUE_USED = 0x0a0,
	REG_CAPACITY = 0x100, /* in sectors; low half, high half */
};

#define MAGIC        0x74726976U
#define DEVICE_BLOCK 2U

#define STATUS_ACKNOWLEDGE 1U
#define STATUS_DRIVER      2U
#define STATUS_DRIVER_OK   4U
#define STATUS_FEATURES_OK 8U
#define STATUS_FAILED      128U

#define FEATURE_HIGH_VERSION_1 1U /* bit 32: the first of the high half */

#define DESC_NEXT  1U
#define DESC_WRITE 2U /* the device writes */

#define TYPE_IN  0U
#define TYPE_OUT 1U

#define STATUS_OK      0U
#define STATUS_PENDING 0xffU /* no value of the device's */

#define SECTOR_SIZE  512U
#define PAGE_SECTORS (Z_PAGE_SIZE / SECTOR_SIZE)

#define QUEUE_SIZE 32U /* a power of two */
#define REQUESTS   8U

_Static_assert(REQUESTS * 3 <= QUEUE_SIZE, "each request has its descriptors");

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};

struct queue {
	_Alignas(64) struct descriptor descriptors[QUEUE_SIZE];
	struct {
		uint16_t flags;
		volatile uint16_t index; /* how many were handed over ever, modulo 2^16 */
		uint16_t ring[QUEUE_SIZE];
	} available;
	_Alignas(64) struct {
		uint16_t flags;
		volatile uint16_t index; /* how many were handed back */
		struct {
			uint32_t head;
			uint32_t length;
		} ring[QUEUE_SIZE];
	} used;
};

struct request {
	_Alignas(32) struct {
		uint32_t type;
		uint32_t reserved;
		uint64_t sector;
	} header;
	volatile uint8_t status;
	bool taken;
	bool done;
};

/* ---- state ---------------------------------------------------------------------------------------- */

static uintptr_t base; /* [I] of the registers */
static uint64_t pages; /* [I] 0: not started */

static struct spin lock;
static struct queue queue;                /* [lock] */
static struct request requests[REQUESTS]; /* [lock] */
static uint16_t used_seen;                /* [lock] of used.index */

static uint32_t read_reg(enum reg reg)
{
	return *(volatile uint32_t *)(base + reg);
}

static void write_reg(enum reg reg, uint32_t value)
{
	*(volatile uint32_t *)(base + reg) = value;
}

static void write_reg64(enum reg reg, const void *address)
{
	uint64_t value = (uintptr_t)address;

	*(volatile uint32_t *)(base + reg) = (uint32_t)value;
	*(volatile uint32_t *)(base + reg + 4) = (uint32_t)(value >> 32);
}

/* ---- transfers: lock held ------------------------------------------------------------------------- */

/* Finish what the device has handed back. */
static void harvest(void)
{
	while (used_seen != queue.used.index) {
		uint32_t head;

		z_port_io_barrier();
		head = queue.used.ring[used_seen % QUEUE_SIZE].head;
		used_seen++;
		if (head / 3 >= REQUESTS || !requests[head / 3].taken)
			kernel_panic("virtio_blk: the device finished what nobody asked for", NULL);
		requests[head / 3].done = true;
		sched_wake(&requests[head / 3]);
	}
}

/* The interrupt is acknowledged first: what is finished after the harvest raises another. */
static void on_interrupt(void)
{
	unsigned long key = spin_lock(&lock);

	write_reg(REG_IRQ_ACK, read_reg(REG_IRQ_STATUS));
	z_port_io_barrier();
	harvest();
	spin_unlock(&lock, key);
}

static unsigned long wait(const void *channel, bool may_sleep, unsigned long key)
{
	if (may_sleep)
		return sched_wait(channel, &lock, key);
	spin_unlock(&lock, key);
	z_port_relax();
	key = spin_lock(&lock);
	harvest();
	return key;
}

static struct request *take(void)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		if (!requests[i].taken) {
			requests[i].taken = true;
			requests[i].done = false;
			return &requests[i];
		}
	}
	return NULL;
}

static void submit(struct request *r, uint64_t page, uint64_t address, bool write)
{
	uint16_t head = (uint16_t)(3 * (r - requests));
	struct descriptor *data = &queue.descriptors[head + 1];

	r->header.type = write ? TYPE_OUT : TYPE_IN;
	r->header.sector = page * PAGE_SECTORS;
	r->status = STATUS_PENDING;
	data->address = address;
	data->flags = (uint16_t)(DESC_NEXT | (write ? 0U : DESC_WRITE));
	queue.available.ring[queue.available.index % QUEUE_SIZE] = head;
	z_port_io_barrier();
	queue.available.index = (uint16_t)(queue.available.index + 1U);
	z_port_io_barrier();
	write_reg(REG_QUEUE_NOTIFY, 0);
}

/* ---- transfers ------------------------------------------------------------------------------------ */

/* Where the device finds a buffer. false: nowhere. */
static bool physical(uintptr_t va, uint64_t *out)
{
	struct z_port_mapping mapping;

	*out = va;
	if (va - (uintptr_t)CONFIG_KERNEL_VM_BASE >= (uintptr_t)CONFIG_KERNEL_VM_SIZE)
		return true;
	mapping = z_port_mapping(z_page_align_down(va));
	*out = mapping.phys;
	return mapping.present && z_is_page_aligned(va);
}

int virtio_blk_transfer(uint64_t page, void *buffer, bool write)
{
	bool may_sleep = sched_may_sleep();
	struct request *r;
	unsigned long key;
	uint64_t address;
	uint8_t status;

	if (page >= pages || !physical((uintptr_t)buffer, &address))
		return Z_ERR_INVAL;
	key = spin_lock(&lock);
	while ((r = take()) == NULL)
		key = wait(&queue, may_sleep, key);
	submit(r, page, address, write);
	while (!r->done)
		key = wait(r, may_sleep, key);
	status = r->status;
	r->taken = false;
	sched_wake(&queue);
	spin_unlock(&lock, key);
	return status == STATUS_OK ? Z_OK : Z_ERR_IO;
}

/* ---- start ---------------------------------------------------------------------------------------- */

static bool find(unsigned int *irq_out)
{
	struct z_port_virtio place;

	for (size_t i = 0; z_port_virtio(i, &place); i++) {
		base = place.base;
		*irq_out = place.irq;
		if (read_reg(REG_MAGIC) == MAGIC && read_reg(REG_DEVICE_ID) == DEVICE_BLOCK)
			return true;
	}
	return false;
}

static int refuse(const char *why)
{
	kernel_print("virtio_blk: the device at %zx: %s\n", base, why);
	write_reg(REG_STATUS, STATUS_FAILED);
	return Z_ERR_NOTSUP;
}

/* Of what the device offers only "not legacy" is taken. */
static bool negotiate(void)
{
	uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;

	write_reg(REG_STATUS, 0);
	write_reg(REG_STATUS, STATUS_ACKNOWLEDGE);
	write_reg(REG_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	write_reg(REG_DEVICE_FEATURES_SEL, 1);
	if ((read_reg(REG_DEVICE_FEATURES) & FEATURE_HIGH_VERSION_1) == 0)
		return false;
	write_reg(REG_DRIVER_FEATURES_SEL, 0);
	write_reg(REG_DRIVER_FEATURES, 0);
	write_reg(REG_DRIVER_FEATURES_SEL, 1);
	write_reg(REG_DRIVER_FEATURES, FEATURE_HIGH_VERSION_1);
	write_reg(REG_STATUS, status);
	return (read_reg(REG_STATUS) & STATUS_FEATURES_OK) != 0;
}

static void start_queue(void)
{
	for (uint16_t i = 0; i < REQUESTS; i++) {
		struct descriptor *d = &queue.descriptors[3U * i];

		d[0] = (struct descriptor){.address = (uintptr_t)&requests[i].header,
					   .length = sizeof(requests[i].header),
					   .flags = DESC_NEXT,
					   .next = (uint16_t)(3U * i + 1U)};
		d[1] = (struct descriptor){.length = (uint32_t)Z_PAGE_SIZE,
					   .next = (uint16_t)(3U * i + 2U)};
		d[2] = (struct descriptor){.address = (uintptr_t)&requests[i].status,
					   .length = sizeof(requests[i].status),
					   .flags = DESC_WRITE};
	}
	write_reg(REG_QUEUE_SIZE, QUEUE_SIZE);
	write_reg64(REG_QUEUE_DESC, queue.descriptors);
	write_reg64(REG_QUEUE_AVAIL, &queue.available);
	write_reg64(REG_QUEUE_USED, &queue.used);
	z_port_io_barrier();
	write_reg(REG_QUEUE_READY, 1);
}

int virtio_blk_start(void)
{
	unsigned int irq;
	uint64_t sectors;

	if (!find(&irq)) {
		kernel_print("virtio_blk: there is no block device\n");
		return Z_ERR_NOTSUP;
	}
	if (read_reg(REG_VERSION) != 2)
		return refuse("its registers are legacy ones (version 1); give QEMU the option "
			      "-global virtio-mmio.force-legacy=false");
	if (!negotiate())
		return refuse("it is no device of virtio 1.0 or later");
	write_reg(REG_QUEUE_SEL, 0);
	if (read_reg(REG_QUEUE_READY) != 0 || read_reg(REG_QUEUE_SIZE_MAX) < QUEUE_SIZE)
		return refuse("its queue is too short");
	start_queue();
	write_reg(REG_STATUS,
		  STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
	/* The capacity does not change: nothing that would change it was negotiated. */
	sectors = *(volatile uint32_t *)(base + REG_CAPACITY);
	sectors |= (uint64_t) * (volatile uint32_t *)(base + REG_CAPACITY + 4) << 32;
	pages = sectors / PAGE_SECTORS;
	kernel_irq_attach(irq, on_interrupt);
	return Z_OK;
}

uint64_t virtio_blk_pages(void)
{
	return pages;
}
