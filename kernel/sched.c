/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched.c - preemptive round-robin threads on 1 to 4 CPUs.
 *
 * Theory. One queue of threads that can run, first in, first out, for all CPUs; a CPU without one
 * runs its idle thread, which is on no queue. The thread "main" stays on CPU 0, where the interrupts of
 * devices are. A thread that waits is on the list of waiters with its
 * channel, or with the time to be woken at. A tick ends the turn of whoever runs if somebody else
 * could; the switch then happens where the interrupt is over, on the stack of what was interrupted.
 *
 * The scheduler's lock is held across a switch: whoever comes to run gives it back. So a
 * thread is on a queue only with its registers saved, and a thread that has ended is not freed
 * while a CPU still stands on its stack.
 *
 * The interrupt state belongs to the thread: a switch is made with interrupts off, and each side goes
 * on with what it had. Floating point is user mode's only and is saved for user threads alone.
 *
 * Locks: S, the lock of this file; the last of the order. Interrupts are off while it is held.
 * Limits: no priorities; the lists of waiters are walked (a handful of threads); a stack that
 * overflows is noticed at the next switch, by the word at its end.
 */
#include "sched.h"

#include "kernel.h"
#include "string.h"

#define STACK_MARK UINT64_C(0x7a70616765722121)

enum thread_state { CAN_RUN, RUNS, WAITS, SLEEPS, ENDED };

struct thread {
	void *context;               /* [S] where its registers are while it does not run */
	struct thread *next;         /* [S] in the queue or the list that it is on */
	enum thread_state state;     /* [S] */
	const void *channel;         /* [S] WAITS */
	uint64_t wake_at;            /* [S] SLEEPS */
	const char *name;            /* [I] */
	unsigned char *stack;        /* [I] NULL: the stack that a CPU was started on */
	void (*function)(void *arg); /* [I] */
	void *arg;                   /* [I] */
	unsigned long status;        /* [S] ENDED */
	bool user;                   /* [own thread] its floating point is kept */
	bool first_cpu_only;         /* [I] */
	struct thread_meter meter;   /* [own thread] */
	unsigned char fp[Z_PORT_FP_BYTES] __attribute__((aligned(16)));
};

static struct {
	struct thread *current; /* [own CPU, interrupts off] */
	struct thread idle;
	bool turn_over; /* [own CPU, interrupts off] */
	bool is_idle;   /* [S] */
} cpus[Z_PORT_CPUS_MAX];

static struct spin lock;                     /* S */
static struct thread *run_head;              /* [S] */
static struct thread **run_tail = &run_head; /* [S] */
static struct thread *waiters;               /* [S] WAITS and SLEEPS */
static uint64_t next_wake_at = UINT64_MAX;   /* [S] not later than the first sleeper's */
static unsigned int cpus_running = 1;        /* [A] */
static uint64_t switches;                    /* [S] */
static struct thread main_thread;

/* ---- spin locks ------------------------------------------------------------------------------ */

/* Looks at a lock that is held before the CPU may rest. */
#define LOOKS 200U

void spin_wait(const struct spin *l)
{
	for (unsigned int looks = 0; __atomic_load_n(&l->held, __ATOMIC_RELAXED) != 0; looks++) {
		if (looks > LOOKS)
			z_port_relax();
	}
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void run_later(struct thread *t)
{
	t->state = CAN_RUN;
	t->next = NULL;
	*run_tail = t;
	run_tail = &t->next;
}

/* The first in the queue that may run on this CPU, NULL if there is none. */
static struct thread *take_first(unsigned int cpu)
{
	struct thread **link = &run_head;
	struct thread *t;

	while (*link != NULL && (*link)->first_cpu_only && cpu != 0)
		link = &(*link)->next;
	t = *link;
	if (t == NULL)
		return NULL;
	*link = t->next;
	if (t->next == NULL)
		run_tail = link;
	return t;
}

/* A CPU that sleeps and may run the thread is told that there is something to do. */
static void kick_an_idle_cpu(const struct thread *t)
{
	unsigned int self = z_port_cpu();
	unsigned int n = t->first_cpu_only ? 1 : cpus_running;

	for (unsigned int i = 0; i < n; i++) {
		if (i != self && cpus[i].is_idle) {
			cpus[i].is_idle = false;
			z_port_cpu_kick(i);
			return;
		}
	}
}

static bool is_due(const struct thread *t, const void *channel, uint64_t now)
{
	return t->state == SLEEPS ? t->wake_at <= now : t->channel == channel;
}

/* Everybody who waits for the channel or has slept until now can run. */
static void wake_locked(const void *channel, uint64_t now)
{
	struct thread **link = &waiters;

	next_wake_at = UINT64_MAX;
	while (*link != NULL) {
		struct thread *t = *link;

		if (is_due(t, channel, now)) {
			*link = t->next;
			run_later(t);
			kick_an_idle_cpu(t);
			continue;
		}
		if (t->state == SLEEPS && t->wake_at < next_wake_at)
			next_wake_at = t->wake_at;
		link = &t->next;
	}
}

/* ---- switching ------------------------------------------------------------------------------- */

static void check_stack(const struct thread *t)
{
	if (t->stack != NULL && *(const uint64_t *)(const void *)t->stack != STACK_MARK)
		kernel_panic("a thread has used more than its stack", NULL);
}

/*
 * Leave the CPU to the next thread that can run; the caller has put the current one where it belongs.
 * Interrupts off, S held before and after.
 */
static void switch_away(void)
{
	unsigned int cpu = z_port_cpu();
	struct thread *from = cpus[cpu].current;
	struct thread *to = take_first(cpu);

	if (to == NULL)
		to = &cpus[cpu].idle;
	cpus[cpu].is_idle = to == &cpus[cpu].idle;
	cpus[cpu].turn_over = false;
	to->state = RUNS;
	if (to == from)
		return;
	check_stack(from);
	switches++;
	cpus[cpu].current = to;
	if (from->user)
		z_port_fp_save(from->fp);
	if (to->user)
		z_port_fp_load(to->fp);
	if (to->stack != NULL)
		z_port_kernel_stack(to->stack + THREAD_STACK_BYTES);
	z_port_switch(&from->context, to->context);
}

/* The first that a new thread does; it got the lock from whoever made way for it. */
static void begin(void *arg)
{
	struct thread *t = arg;

	spin_release(&lock);
	z_port_irq_restore(~0UL);
	t->function(t->arg);
	thread_exit(0);
}

static void idle(void *arg)
{
	(void)arg;
	(void)z_port_irq_lock();
	for (;;) {
		spin_acquire(&lock);
		switch_away();
		spin_release(&lock);
		z_port_idle();
	}
}

void thread_yield(void)
{
	unsigned long key = spin_lock(&lock);
	unsigned int cpu = z_port_cpu();

	if (cpus[cpu].current != &cpus[cpu].idle)
		run_later(cpus[cpu].current);
	switch_away();
	spin_unlock(&lock, key);
}

void sched_tick(void)
{
	unsigned long key = spin_lock(&lock);
	uint64_t now = z_port_now();

	if (next_wake_at <= now)
		wake_locked(NULL, now);
	cpus[z_port_cpu()].turn_over = run_head != NULL;
	spin_unlock(&lock, key);
}

void sched_interrupt_done(void)
{
	unsigned int cpu = z_port_cpu();

	if (cpus[cpu].turn_over || (cpus[cpu].current == &cpus[cpu].idle && run_head != NULL))
		thread_yield();
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void wait_here(struct thread *t, enum thread_state state)
{
	t->state = state;
	t->next = waiters;
	waiters = t;
}

unsigned long sched_wait(const void *channel, struct spin *held, unsigned long key)
{
	struct thread *t = cpus[z_port_cpu()].current;

	spin_acquire(&lock);
	t->channel = channel;
	wait_here(t, WAITS);
	spin_release(held);
	switch_away();
	spin_release(&lock);
	spin_acquire(held);
	return key;
}

void sched_wake(const void *channel)
{
	unsigned long key = spin_lock(&lock);

	wake_locked(channel, 0);
	spin_unlock(&lock, key);
}

void thread_sleep(uint64_t ns)
{
	unsigned long key = spin_lock(&lock);
	struct thread *t = cpus[z_port_cpu()].current;

	t->wake_at = z_port_now() + ns;
	if (t->wake_at < next_wake_at)
		next_wake_at = t->wake_at;
	t->channel = NULL;
	wait_here(t, SLEEPS);
	switch_away();
	spin_unlock(&lock, key);
}

bool sched_may_sleep(void)
{
	return z_port_irqs_on() && !z_port_in_isr();
}

/* ---- threads --------------------------------------------------------------------------------- */

static size_t thread_bytes(void)
{
	return (sizeof(struct thread) + Z_PAGE_MASK) / Z_PAGE_SIZE * Z_PAGE_SIZE;
}

/* In one piece: the stack, then the thread's own page. */
static struct thread *create(const char *name, void (*function)(void *arg), void *arg)
{
	unsigned char *stack = kernel_alloc(THREAD_STACK_BYTES + thread_bytes());
	struct thread *t;

	if (stack == NULL)
		return NULL;
	t = (struct thread *)(void *)(stack + THREAD_STACK_BYTES);
	t->name = name;
	t->stack = stack;
	t->function = function;
	t->arg = arg;
	*(uint64_t *)(void *)stack = STACK_MARK;
	t->context = z_port_thread_frame(stack + THREAD_STACK_BYTES, begin, t);
	return t;
}

struct thread *thread_start(const char *name, void (*function)(void *arg), void *arg)
{
	struct thread *t = create(name, function, arg);
	unsigned long key;

	if (t == NULL)
		return NULL;
	key = spin_lock(&lock);
	run_later(t);
	kick_an_idle_cpu(t);
	spin_unlock(&lock, key);
	return t;
}

unsigned long thread_join(struct thread *t)
{
	unsigned long key = spin_lock(&lock);
	unsigned long status;

	while (t->state != ENDED) {
		struct thread *self = cpus[z_port_cpu()].current;

		self->channel = t;
		wait_here(self, WAITS);
		switch_away();
	}
	status = t->status;
	spin_unlock(&lock, key);
	kernel_free(t->stack, THREAD_STACK_BYTES + thread_bytes());
	return status;
}

_Noreturn void thread_exit(unsigned long status)
{
	struct thread *t;

	(void)spin_lock(&lock);
	t = cpus[z_port_cpu()].current;
	t->status = status;
	t->state = ENDED;
	wake_locked(t, 0);
	switch_away();
	kernel_panic("a thread that has ended runs", NULL);
}

struct thread *thread_current(void)
{
	unsigned long key = z_port_irq_lock();
	struct thread *t = cpus[z_port_cpu()].current;

	z_port_irq_restore(key);
	return t;
}

struct thread_meter *thread_meter(struct thread *thread)
{
	return &thread->meter;
}

_Noreturn void thread_enter_user(uintptr_t pc, uintptr_t stack, unsigned long arg0,
				 unsigned long arg1)
{
	struct thread *t = thread_current();

	(void)z_port_irq_lock();
	memset(t->fp, 0, sizeof(t->fp));
	z_port_fp_load(t->fp);
	t->user = true;
	z_port_user_enter(pc, stack, arg0, arg1);
}

/* ---- start-up -------------------------------------------------------------------------------- */

/* The idle thread of CPU 0 has a stack made for it; that of another is the one it starts on. */
static void start_idle_of_cpu_0(void)
{
	struct thread *t = create("idle", idle, NULL);

	if (t == NULL)
		kernel_panic("no memory for the idle thread", NULL);
	cpus[0].idle = *t;
	cpus[0].idle.context =
		z_port_thread_frame(t->stack + THREAD_STACK_BYTES, begin, &cpus[0].idle);
}

static void start_cpu(unsigned int cpu)
{
	unsigned char *stack = kernel_alloc(THREAD_STACK_BYTES);

	if (stack == NULL)
		kernel_panic("no memory for the stack of a CPU", NULL);
	*(uint64_t *)(void *)stack = STACK_MARK;
	cpus[cpu].idle.name = "idle";
	cpus[cpu].idle.stack = stack;
	cpus[cpu].idle.state = RUNS;
	cpus[cpu].current = &cpus[cpu].idle;
	if (z_port_cpu_start(cpu, stack + THREAD_STACK_BYTES) != Z_OK)
		kernel_panic("a CPU cannot be started", NULL);
	while (__atomic_load_n(&cpus_running, __ATOMIC_ACQUIRE) <= cpu)
		z_port_relax();
}

void sched_start_here(void)
{
	main_thread.name = "main";
	main_thread.state = RUNS;
	main_thread.first_cpu_only = true;
	cpus[0].current = &main_thread;
	start_idle_of_cpu_0();
}

void sched_start_cpus(unsigned int n)
{
	for (unsigned int cpu = 1; cpu < n; cpu++)
		start_cpu(cpu);
}

_Noreturn void kernel_cpu_main(void)
{
	z_port_tick(KERNEL_TICK_NS);
	__atomic_fetch_add(&cpus_running, 1, __ATOMIC_RELEASE);
	idle(NULL);
	kernel_panic("the idle thread has ended", NULL);
}

unsigned int sched_cpus(void)
{
	return cpus_running;
}

uint64_t sched_switches(void)
{
	return __atomic_load_n(&switches, __ATOMIC_RELAXED);
}
