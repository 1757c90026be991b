/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.h - random operations on a pager, each compared with a plain reference model.
 *
 * The model is arrays: which pages are mapped, with which permissions, pins and bytes; which banks
 * are off-line; how many frames are in service. It knows nothing of frames, locations or eviction.
 * From that it says what each call has to return: exactly, where the contract is exact; where the
 * answer depends on room (a frame, a slot of the store) and there is not clearly enough of it, or
 * where a failure was planned, the errors of a lack of room are allowed too, and the model follows
 * what the pager said.
 *
 * A run is a cell of the matrix (what the world is made of) and a list of operations with concrete
 * arguments, so that any part of the list is a run too: that is what shrinking needs.
 *
 * Locks: none, one host thread, one simulated CPU.
 */
#ifndef TESTS_SUPPORT_MODEL_H
#define TESTS_SUPPORT_MODEL_H

#include "sim_world.h"
#include "store_hostile.h"

enum model_store {
	MODEL_RAM_KEEP,
	MODEL_RAM_NO_KEEP,
	MODEL_RAM_SMALL, /* clean copies are stolen, commitments refused */
	MODEL_LZ4,
	MODEL_TIER,
	MODEL_STORES
};

/* What a world is made of. */
struct model_cell {
	const char *eviction;
	enum model_store store;
	uint32_t frames;
	uint32_t batch;
	uint32_t low_water;
	uint32_t ahead;
	bool unlock_for_io;
	unsigned int scratch_slots;
	bool soft_ad;
	bool direct_save;
	enum z_commit commit;
	uint32_t max_regions;
	bool failures; /* plan failures of store and port as well */
};

enum model_kind {
	MODEL_MAP,
	MODEL_UNMAP,
	MODEL_READ,
	MODEL_WRITE,
	MODEL_LOAD64,
	MODEL_STORE64,
	MODEL_PAGE_IN,
	MODEL_PAGE_OUT,
	MODEL_PIN,
	MODEL_UNPIN,
	MODEL_ADVISE,
	MODEL_PROTECT,
	MODEL_EVICT,
	MODEL_BANK_OFFLINE,
	MODEL_BANK_ONLINE,
	MODEL_SET_FRAMES,
	MODEL_RECLAIM,
	MODEL_FAIL_STORE, /* kind of call in aux, the n-th fails */
	MODEL_FAIL_PORT,  /* point in aux, the n-th fails */
	MODEL_QUIET,      /* take the plans back; check at level 3 and all bytes in RAM */
	MODEL_NONSENSE,   /* one of a list of senseless calls, by aux */
	MODEL_KINDS
};

struct model_op {
	enum model_kind kind;
	uint32_t page; /* of the window; frame of EVICT; bank; wanted of SET_FRAMES, RECLAIM */
	uint32_t n;    /* pages, or n-th */
	uint32_t prot; /* or advice */
	uint32_t flags;
	uint32_t aux;   /* alignment; offset in the page */
	uint32_t bytes; /* of READ and WRITE */
	uint64_t value;
};

struct model_page {
	bool mapped;
	unsigned int prot;
	unsigned int flags;
	uint32_t region; /* neighbours of one number are one region */
	uint16_t pins;
};

struct model {
	uint32_t pages; /* of the window */
	struct model_page *page;
	unsigned char *bytes; /* what each page holds, if mapped */
	uint32_t next_region;
	uint32_t frames;
	uint32_t per_bank;
	uint32_t banks;
	uint64_t offline; /* a bit a bank */
	uint32_t service; /* frames wanted in service */
	uint64_t capacity;
	uint32_t low_water;
	uint32_t ahead;
	uint32_t batch;
	uint32_t max_regions;
	enum z_commit commit;
	bool elastic; /* how much the store holds depends on the contents */
	bool planned; /* failures are planned */
};

struct model_run {
	struct model_cell cell;
	struct model m;
	struct sim_world *w;
	struct store_hostile *hostile;
	char text[400]; /* what is wrong, "" if nothing */
};

/* ---- model_state.c: the reference model ---- */

void model_open(struct model *m, const struct model_cell *cell, uint32_t pages, uint32_t banks);
void model_close(struct model *m);
static inline unsigned char *model_bytes(const struct model *m, uint32_t page)
{
	return m->bytes + (size_t)page * Z_PAGE_SIZE;
}
bool model_covers(const struct model *m, uint32_t page, uint32_t n);
bool model_range_ok(const struct model *m, uint32_t page, uint32_t n);
uint32_t model_mapped(const struct model *m);
uint32_t model_pinned(const struct model *m);
uint32_t model_regions(const struct model *m);
/* Frames that can hold pages, at least. */
uint32_t model_usable(const struct model *m);
/* Is there certainly room for that many more pages at once? To put every page out? */
bool model_room(const struct model *m, uint32_t pages);
bool model_room_out(const struct model *m);
/* What z_pager_map has to say; *page_out where the pages come to lie. */
int model_place(const struct model *m, const struct model_op *op, uint32_t *page_out);
void model_map(struct model *m, const struct model_op *op, uint32_t page);
int model_can_unmap(const struct model *m, uint32_t page, uint32_t n);
void model_unmap(struct model *m, uint32_t page, uint32_t n);
/* The bytes that a WRITE of this value puts; every fourth value repeats one word. */
void model_pattern(unsigned char *to, uint32_t bytes, uint64_t value);

/* ---- model_ops.c, model_run.c: doing it ---- */

/* model_begin - make the world. false: text says what is wrong. */
bool model_begin(struct model_run *r, const struct model_cell *cell);
/* model_step - one operation and all checks. false: text says what is wrong. */
bool model_step(struct model_run *r, const struct model_op *op);
/* model_end - verify every byte, take the world apart. false: something was or is wrong. */
bool model_end(struct model_run *r);
/* model_do - the operation alone. */
bool model_do(struct model_run *r, const struct model_op *op);
/* model_wrong - set the text, once. Always false. */
bool model_wrong(struct model_run *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* model_quiet - take all planned failures back. */
void model_quiet(struct model_run *r);
static inline uintptr_t model_va(uint32_t page)
{
	return SIM_WORLD_VM + (uintptr_t)page * Z_PAGE_SIZE;
}

/* ---- model_gen.c: making operations up ---- */

uint64_t model_random(uint64_t *state);
/* model_invent - an operation that makes sense, mostly, in this state. */
struct model_op model_invent(const struct model_run *r, uint64_t *random);

/* ---- model_shrink.c: a list as short as possible ---- */

/*
 * model_fails - run the list in a process of its own. true: it fails (or crashes) and text says how.
 */
bool model_fails(const struct model_cell *cell, const struct model_op *ops, size_t n, char *text,
		 size_t text_bytes);
/* model_shrink - remove what is not needed for the failure; returns how many are left. */
size_t model_shrink(const struct model_cell *cell, struct model_op *ops, size_t n);
/* model_print - an operation as a C-like line. */
void model_print(const struct model_op *op, char *text, size_t bytes);
void model_print_cell(const struct model_cell *cell, char *text, size_t bytes);

#endif /* TESTS_SUPPORT_MODEL_H */
