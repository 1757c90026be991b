/* SPDX-License-Identifier: Apache-2.0 */
/*
 * s3fifo.c - S3-FIFO: a small queue that most pages only pass through, a main queue for those that
 * are used again, and ghosts of what the small one gave up.
 *
 * Theory: J. Yang, Y. Zhang, Z. Qiu, Y. Yue and R. Vinayak, "FIFO queues are all you need for cache
 * eviction" (SOSP 2023). In the authors' traces most objects are used once while they are cached,
 * and a small queue finds these out soon. A page whose ghost is still there when it comes back was
 * given up too early: it goes to the main queue at once. The queues are those of probation.h.
 *
 * What is different here. Caches count hits as they happen; a pager sees an accessed bit when it
 * looks, and the touch that filled a page sets it too. So a page that is found used goes round the
 * small queue twice before it counts as used again. The main queue keeps no count of hits, only
 * the bit. The small queue is an eighth of the candidates, not a tenth. There are half as many
 * ghosts as frames: with as many as frames, what comes back after a long time pushes out what is
 * in use. A page that is read ahead was not asked for and leaves its ghost
 * where it is.
 *
 * Cost, advice, limits: those of probation.h. State: 8 bytes a frame and 4 for ghosts.
 * Locks: pager lock, see eviction.h.
 */
#include "probation.h"

#define SMALL_SHARE 8U /* the small queue is the candidates divided by this */

struct s3fifo {
	struct z__prob p;
	struct z__ghost memory[];
};

static size_t s3fifo_state_bytes(uint32_t nframes)
{
	return offsetof(struct s3fifo, memory) + z__prob_bytes(nframes);
}

static int s3fifo_init(void *state, const struct z_eviction_host *host)
{
	struct s3fifo *s = state;

	return z__prob_init(&s->p, host, s->memory);
}

static struct z_page_frame *s3fifo_select(void *state)
{
	struct s3fifo *s = state;

	s->p.share = s->p.c.count / SMALL_SHARE;
	return z__prob_select(&s->p);
}

static void s3fifo_add(void *state, struct z_page_frame *pf, enum z_add_reason reason)
{
	struct s3fifo *s = state;
	uint32_t unused;
	bool back = reason != Z_ADD_AHEAD && z__ghost_take(&s->p.ghosts, pf->addr, &unused);

	z__prob_add(&s->p, pf, reason, back && reason == Z_ADD_FAULT);
}

static void s3fifo_remove(void *state, struct z_page_frame *pf, enum z_remove_reason reason)
{
	struct s3fifo *s = state;
	uint32_t i = z__candidate_index(&s->p.c, pf);

	if (i != Z__NO_INDEX && reason == Z_REMOVE_EVICT && !z__prob_is_main(&s->p, i)) {
		z__ghost_put(&s->p.ghosts, pf->addr, 0);
	}
	z__prob_remove(&s->p, i);
}

static void s3fifo_advise(void *state, struct z_page_frame *pf, enum z_advice advice)
{
	struct s3fifo *s = state;

	z__prob_advise(&s->p, pf, advice);
}

static int s3fifo_check(void *state)
{
	const struct s3fifo *s = state;

	return z__prob_check(&s->p);
}

const struct z_eviction_ops z_eviction_s3fifo = {
	.name = "s3fifo",
	.summary = "S3-FIFO: a small queue on probation, a main one, and ghosts of the small one",
	.state_bytes = s3fifo_state_bytes,
	.ghost_bytes = z__ghost_bytes,
	.init = s3fifo_init,
	.select = s3fifo_select,
	.add = s3fifo_add,
	.remove = s3fifo_remove,
	.advise = s3fifo_advise,
	.check = Z_IF_CHECK(s3fifo_check),
};
