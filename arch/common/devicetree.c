/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devicetree.c - what a port wants to know from the device tree.
 *
 * Theory. One walk. In a node all properties come before the first child, so a node is complete when
 * a child begins or when it ends itself; it is looked at then, once, with what its parent says about
 * the cells of an address and of a size. The nodes from the root to where the walk is are kept.
 *
 * Locks: none, nothing is shared.
 * Limits: buses translate nothing (an address in a child is one of the machine), which holds for the
 * boards that there are; the console's address is taken from its path, where the specification puts
 * the first address of a node behind the @. Nodes deeper than DEPTH are not looked at.
 */
#include "devicetree.h"

#include <zpager/error.h>

#include "fdt.h"

#define DEPTH 6U

struct value {
	const unsigned char *at;
	size_t bytes;
};

struct node {
	const char *name;
	bool looked_at;
	uint64_t address_cells; /* of its children */
	uint64_t size_cells;
	struct value compatible;
	struct value device_type;
	struct value status;
	struct value reg;
	struct value interrupts;
	struct value bootargs;
	struct value stdout_path;
	struct value timebase;
};

/* ---- one node --------------------------------------------------------------------------------- */

static void keep(struct node *n, const struct fdt_walk *w)
{
	const struct {
		const char *name;
		struct value *to;
	} wanted[] = {
		{"compatible", &n->compatible},   {"device_type", &n->device_type},
		{"status", &n->status},           {"reg", &n->reg},
		{"interrupts", &n->interrupts},   {"bootargs", &n->bootargs},
		{"stdout-path", &n->stdout_path}, {"timebase-frequency", &n->timebase},
	};

	if (fdt_same(w->name, "#address-cells"))
		(void)fdt_cells(w->value, w->bytes, 0, 1, &n->address_cells);
	else if (fdt_same(w->name, "#size-cells"))
		(void)fdt_cells(w->value, w->bytes, 0, 1, &n->size_cells);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (fdt_same(w->name, wanted[i].name))
			*wanted[i].to = (struct value){w->value, w->bytes};
	}
}

static bool is(struct value v, const char *string)
{
	return fdt_has(v.at, v.bytes, string);
}

/* A string that ends within its value, else NULL. */
static const char *string(struct value v)
{
	return v.bytes > 0 && v.at[v.bytes - 1] == '\0' ? (const char *)v.at : NULL;
}

/* The i-th range of a node's reg. */
static bool reg(const struct node *n, const struct node *parent, unsigned int i, uint64_t *base,
		uint64_t *bytes)
{
	uint64_t a = parent->address_cells;
	uint64_t s = parent->size_cells;

	if (a > 2 || s > 2)
		return false;
	return fdt_cells(n->reg.at, n->reg.bytes, i * (a + s), (unsigned int)a, base) &&
	       fdt_cells(n->reg.at, n->reg.bytes, i * (a + s) + a, (unsigned int)s, bytes);
}

static uintptr_t reg_base(const struct node *n, const struct node *parent, unsigned int i)
{
	uint64_t base;
	uint64_t bytes;

	return reg(n, parent, i, &base, &bytes) ? (uintptr_t)base : 0;
}

static unsigned int interrupt(struct value v)
{
	uint64_t first = 0;
	uint64_t second = 0;

	(void)fdt_cells(v.at, v.bytes, 0, 1, &first);
	if (v.bytes == 3 * sizeof(uint32_t) && fdt_cells(v.at, v.bytes, 1, 1, &second))
		return (unsigned int)(second + (first == 0 ? 32 : 16));
	return (unsigned int)first;
}

/* ---- what it means ----------------------------------------------------------------------------- */

static void found_memory(struct devicetree *out, const struct node *n, const struct node *parent)
{
	uint64_t base;
	uint64_t bytes;

	if (out->ram_bytes == 0 && reg(n, parent, 0, &base, &bytes)) {
		out->ram_base = (uintptr_t)base;
		out->ram_bytes = (size_t)bytes;
	}
}

static void found_cpu(struct devicetree *out, const struct node *n, const struct node *parent)
{
	uint64_t frequency;

	if (out->timebase_hz == 0 && fdt_cells(n->timebase.at, n->timebase.bytes, 0, 1, &frequency))
		out->timebase_hz = frequency;
	if (out->cpus < Z_PORT_CPUS_MAX && !is(n->status, "disabled"))
		out->cpu_id[out->cpus++] = reg_base(n, parent, 0);
}

static void found_virtio(struct devicetree *out, const struct node *n, const struct node *parent)
{
	struct z_port_virtio v = {reg_base(n, parent, 0), interrupt(n->interrupts)};
	unsigned int at = out->nvirtio;

	if (v.base == 0 || at == DEVICETREE_VIRTIO_MAX)
		return;
	for (; at > 0 && out->virtio[at - 1].base > v.base; at--)
		out->virtio[at] = out->virtio[at - 1];
	out->virtio[at] = v;
	out->nvirtio++;
}

/* The number in hexadecimal behind the path's last @; options may follow. */
static uintptr_t path_address(const char *path)
{
	uintptr_t address = 0;
	bool counts = false;

	for (; *path != '\0' && *path != ':'; path++) {
		char c = *path;

		if (c == '@' || c == '/') {
			counts = c == '@';
			address = 0;
		} else if (counts && c >= '0' && c <= '9') {
			address = address << 4 | (uintptr_t)(c - '0');
		} else if (counts && c >= 'a' && c <= 'f') {
			address = address << 4 | (uintptr_t)(c - 'a' + 10);
		} else {
			counts = false;
		}
	}
	return address;
}

static void found_chosen(struct devicetree *out, const struct node *n)
{
	const char *bootargs = string(n->bootargs);
	const char *path = string(n->stdout_path);

	if (bootargs != NULL)
		out->bootargs = bootargs;
	if (path != NULL)
		out->console = path_address(path);
}

static void look_at(struct devicetree *out, struct node *n, const struct node *parent)
{
	uint64_t frequency;

	if (n->looked_at)
		return;
	n->looked_at = true;
	if (fdt_same(n->name, "chosen"))
		found_chosen(out, n);
	else if (fdt_same(n->name, "cpus") &&
		 fdt_cells(n->timebase.at, n->timebase.bytes, 0, 1, &frequency))
		out->timebase_hz = frequency;
	else if (is(n->device_type, "memory"))
		found_memory(out, n, parent);
	else if (is(n->device_type, "cpu"))
		found_cpu(out, n, parent);
	else if (is(n->compatible, "virtio,mmio"))
		found_virtio(out, n, parent);
	else if (is(n->compatible, "riscv,plic0") || is(n->compatible, "sifive,plic-1.0.0"))
		out->plic = reg_base(n, parent, 0);
	else if (is(n->compatible, "arm,cortex-a15-gic") || is(n->compatible, "arm,gic-400")) {
		out->gic_distributor = reg_base(n, parent, 0);
		out->gic_cpu = reg_base(n, parent, 1);
	}
}

/* ---- the walk ----------------------------------------------------------------------------------- */

/* The nodes on the way; nodes[0] stands above the root. */
static int walk_tree(struct fdt_walk *w, struct devicetree *out)
{
	struct node nodes[DEPTH + 1] = {{.looked_at = true}};
	unsigned int depth = 0;

	for (;;) {
		enum fdt_event event = fdt_next(w);
		struct node *n = depth <= DEPTH ? &nodes[depth] : NULL;

		if (event == FDT_END || event == FDT_BAD)
			return event == FDT_END ? Z_OK : Z_ERR_INVAL;
		if (event == FDT_PROPERTY) {
			if (n != NULL)
				keep(n, w);
			continue;
		}
		if (n != NULL && depth > 0)
			look_at(out, n, n - 1);
		if (event == FDT_NODE_END) {
			depth--;
		} else if (++depth <= DEPTH) {
			/* The cells that the specification assumes where a node says nothing. */
			nodes[depth] =
				(struct node){.name = w->name, .address_cells = 2, .size_cells = 1};
		}
	}
}

int devicetree_read(const void *blob, struct devicetree *out)
{
	struct fdt_walk walk;
	int err;

	*out = (struct devicetree){.bootargs = ""};
	err = fdt_begin(&walk, blob);
	if (err == Z_OK)
		err = walk_tree(&walk, out);
	if (err != Z_OK)
		*out = (struct devicetree){.bootargs = ""};
	return err;
}
