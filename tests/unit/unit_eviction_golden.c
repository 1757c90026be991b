/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit_eviction_golden.c - the order of victims on traces small enough to follow by hand.
 *
 * A trace is a line of words, a letter and a frame number:
 *   +0 added by a fault   a0 added ahead of need   r0 read   w0 written   s0 soft fault
 *   c0 advised COLD       k0 advised WILLNEED      v0 the next victim is frame 0; it leaves
 *   n0 the next victim is frame 0, which does not leave
 *   b0 the page that comes to frame 0 next was the last evicted
 *   h0 from here on accessed bits that are cleared are set again at once
 * Frames from the tenth on are letters: a is 10.
 * Locks: none. Limits: 16 frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eviction_host.h"

#define FRAMES 16

struct golden {
	const char *algorithm;
	const char *why;
	const char *trace;
};

static const struct golden golden[] = {
	{"clock", "all new: each is spared once, then first in, first out", "+0 +1 +2 v0 v1 v2"},
	{"clock", "1 was read since the hand came by, 3 is new", "+0 +1 +2 v0 r1 +3 v2 v1 v3"},
	{"clock", "a page read ahead and not touched is not spared", "+0 a1 +2 v1 v0 v2"},
	{"clock", "a page read ahead and touched is spared", "+0 a1 +2 r1 v0 v1 v2"},
	{"clock", "cold is next, though new; then the others in turn", "+0 +1 +2 c2 v2 v0 v1"},
	{"clock", "of two cold ones the last advised is first", "+0 +1 +2 c0 c1 v1 v0 v2"},
	{"clock", "will be needed: behind the hand", "+0 +1 +2 k0 v1 v2 v0"},
	{"clock", "0 was refused, and the others are in use: it is spared like a new one",
	 "+0 +1 +2 v0 +0 n1 r2 r0 v2 v0 v1"},
	{"clock", "all hot: as if the hand had come round", "+0 w0 +1 w1 +2 r2 h0 v0 v1 v2"},

	{"lru", "in order of filling", "+0 +1 +2 v0 v1 v2"},
	{"lru", "the touch that filled a page is no second use", "+0 r0 +1 r1 +2 r2 v0 v1 v2"},
	{"lru", "1, read in the old part, goes behind 6",
	 "+0 +1 +2 +3 +4 +5 v0 r1 +6 v2 v3 v4 v5 v1 v6"},
	{"lru", "a soft fault tells of a use: 0 goes behind 2", "+0 +1 +2 s0 v1 v0 v2"},
	{"lru", "read ahead goes to the old part", "+0 +1 +2 +3 +4 +5 v0 a6 v1 v6 v2 v3 v4 v5"},
	{"lru", "read ahead with nothing old goes behind 1, which is passed over as the newest",
	 "+0 +1 a2 v0 v2 v1"},
	{"lru", "cold is next, though new", "+0 +1 +2 c2 v2 v0 v1"},
	{"lru", "of two cold ones the last advised is first", "+0 +1 +2 c0 c1 v1 v0 v2"},
	{"lru", "will be needed: behind 2", "+0 +1 +2 k0 v1 v0 v2"},

	{"nru", "all new: each is spared once, then in turn", "+0 +1 +2 v0 v1 v2"},
	{"nru", "1 was read since the last look, 3 is new", "+0 +1 +2 v0 r1 +3 v2 v1 v3"},
	{"nru", "0 is set aside for the clean 1; with 15 there is no preference any more",
	 "+0 w0 +1 +2 +3 +4 +5 +6 +7 +8 +9 +a +b +c +d +e +f v1 v0 v2"},
	{"nru", "0 and 1 would be set aside, but only one of 16 may: 0 goes; then clean ones",
	 "+0 w0 +1 w1 +2 +3 +4 +5 +6 +7 +8 +9 +a +b +c +d +e +f v0 +0 v2 +2 v3"},
	{"nru", "1 was used while set aside, 2 takes its place, 3 is clean",
	 "+0 w0 +1 w1 +2 w2 +3 +4 +5 +6 +7 +8 +9 +a +b +c +d +e +f v0 +0 r1 v3"},
	{"nru",
	 "so it was again, but the look that would see it is not saved: 2 was used, 3 is dirty",
	 "+0 w0 +1 w1 +2 +3 w3 +4 +5 +6 +7 +8 +9 +a +b +c +d +e +f v0 +0 r1 r2 v1"},
	{"nru", "all hot: the clean one first, then in turn", "+0 w0 +1 w1 +2 r2 h0 v2 v0 v1"},
	{"nru", "cold is next, dirty or not", "+0 +1 w1 +2 c1 v1 v0 v2"},
	{"nru", "cold and then touched: spared, 1 is idle", "+0 +1 +2 v0 c2 r2 v1 v2"},
	{"nru", "a page read ahead and not touched is not spared", "+0 a1 +2 v1 v0 v2"},
	{"nru", "will be needed: to the tail", "+0 +1 +2 k0 v1 v2 v0"},

	{"sieve", "first in, first out", "+0 +1 +2 v0 v1 v2"},
	{"sieve", "0 was read and keeps its place; 3 is the newest, so the hand goes on to 0",
	 "+0 +1 +2 r0 v1 +3 v2 v0 v3"},
	{"sieve", "the hand is among the new ones: 4 is sifted out before 0 and 1, which were read",
	 "+0 +1 +2 +3 r0 r1 v2 +4 +5 v3 v4 v0 v1 v5"},
	{"sieve", "0 is dirty and passed over once for 1", "+0 w0 +1 r1 +2 +3 v2 +4 v3 v1 v4 v0"},
	{"sieve", "a page read ahead has no privilege", "+0 a1 +2 v0 v1 v2"},
	{"sieve", "cold is next, though new; then the others in turn", "+0 +1 +2 c2 v2 v0 v1"},
	{"sieve", "of two cold ones the last advised is first", "+0 +1 +2 c0 c1 v1 v0 v2"},
	{"sieve", "will be needed: spared once", "+0 +1 +2 k0 v1 v0 v2"},
	{"sieve", "all hot: the first looked at", "+0 w0 +1 w1 +2 r2 h0 v0 v1 v2"},

	{"s3fifo", "first in, first out", "+0 +1 +2 v0 v1 v2"},
	{"s3fifo", "the touch that filled 0 sends it round once more", "+0 r0 +1 +2 v1 v0 v2"},
	{"s3fifo", "0 is read on its second round: to the main queue, and stays till 4 and 5 went",
	 "+0 r0 +1 +2 +3 v1 r0 +4 v2 +5 v3 v4 +6 v5 v0 v6"},
	{"s3fifo", "0 comes back while its ghost is there: to the main queue, after 3",
	 "+0 +1 +2 v0 +0 +3 +4 v1 v2 v3 v0 v4"},
	{"s3fifo", "read ahead while its ghost is there: not asked for, so no main queue",
	 "+0 +1 +2 v0 a0 +3 +4 v1 v2 v0 v3 v4"},
	{"s3fifo", "0 is dirty and waits for 2", "+0 w0 +1 +2 r2 +3 v1 +4 v3 v2 v0 v4"},
	{"s3fifo", "cold is next, though new", "+0 +1 +2 c2 v2 v0 v1"},
	{"s3fifo", "of two cold ones the last advised is first", "+0 +1 +2 c0 c1 v1 v0 v2"},
	{"s3fifo", "will be needed: to the main queue", "+0 +1 +2 +3 k0 v1 v2 v0 v3"},
	{"s3fifo", "all hot: the first that went round", "+0 w0 +1 w1 +2 r2 h0 v0 v2 v1"},

	{"clockpro", "first in, first out", "+0 +1 +2 v0 v1 v2"},
	{"clockpro", "the touch that filled 0 sends it round once more", "+0 r0 +1 +2 v1 v0 v2"},
	{"clockpro", "0 comes back in its test period: hot, goes after 3",
	 "+0 +1 +2 v0 +0 +3 +4 v1 v2 v3 v0 v4"},
	{"clockpro", "0 is dirty and waits for 2", "+0 w0 +1 +2 r2 +3 v1 +4 v3 v2 v0 v4"},
	{"clockpro", "cold is next, though new", "+0 +1 +2 c2 v2 v0 v1"},
	{"clockpro", "will be needed: hot", "+0 +1 +2 +3 k0 v1 v2 v0 v3"},

	{"mglru", "first in, first out", "+0 +1 +2 v0 v1 v2"},
	{"mglru", "the touch that filled 0 sends it round once more", "+0 r0 +1 +2 v1 v0 v2"},
	{"mglru", "0 comes back soon: young, goes after 3",
	 "+0 +1 +2 v0 b0 +0 +3 +4 v1 v2 v3 v0 v4"},
	{"mglru", "0 comes back, but the core does not tell: goes before 3",
	 "+0 +1 +2 v0 +0 +3 +4 v1 v2 v0 v3 v4"},
	{"mglru", "0 is dirty and waits for 2", "+0 w0 +1 +2 r2 +3 v1 +4 v3 v2 v0 v4"},
	{"mglru", "cold is next, though new", "+0 +1 +2 c2 v2 v0 v1"},
	{"mglru", "of two cold ones the last advised is first", "+0 +1 +2 c0 c1 v1 v0 v2"},
	{"mglru", "will be needed: young", "+0 +1 +2 +3 k0 v1 v2 v0 v3"},
};

static void one_word(struct ev_host *h, char what, uint32_t frame)
{
	switch (what) {
	case '+':
		ev_add(h, frame, Z_ADD_FAULT);
		break;
	case 'a':
		ev_add(h, frame, Z_ADD_AHEAD);
		break;
	case 'r':
	case 'w':
		ev_touch(h, frame, what == 'w');
		break;
	case 's':
		ev_soft_fault(h, frame);
		break;
	case 'c':
	case 'k':
		ev_advise(h, frame, what == 'c' ? Z_ADVICE_COLD : Z_ADVICE_WILLNEED);
		break;
	case 'b':
		ev_refault(h, frame, 1);
		break;
	case 'h':
		h->always_hot = true;
		break;
	case 'n':
		assert_int_equal(ev_select(h), frame);
		break;
	case 'v':
		assert_int_equal(ev_evict(h), frame);
		break;
	default:
		fail_msg("no such word: %c", what);
	}
}

static uint32_t frame_of(char c)
{
	return (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void one_trace(void **state)
{
	const struct golden *g = *state;
	struct ev_host h;

	ev_open(&h, z_eviction_find(g->algorithm), FRAMES);
	for (const char *word = g->trace; *word != '\0'; word += word[2] == ' ' ? 3 : 2) {
		one_word(&h, word[0], frame_of(word[1]));
		ev_check(&h);
	}
	ev_close(&h);
}

#define GOLDEN_SIZE (sizeof(golden) / sizeof(golden[0]))

int main(void)
{
	struct CMUnitTest tests[GOLDEN_SIZE];

	for (size_t i = 0; i < GOLDEN_SIZE; i++) {
		tests[i] = (struct CMUnitTest){
			.name = golden[i].why,
			.test_func = one_trace,
			.initial_state = (void *)(uintptr_t)&golden[i],
		};
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
