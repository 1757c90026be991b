/* SPDX-License-Identifier: Apache-2.0 */
/*
 * looks.h - the most frames that one select may look at, and how many they may be on average.
 *
 * It keeps the worst case small with interrupts locked: a program can set every accessed bit between
 * two faults, so that without a limit each fault could cost a whole sweep. A kernel chooses a small
 * one (Kconfig).
 */
#ifndef ZPAGER_EVICTION_LOOKS_H
#define ZPAGER_EVICTION_LOOKS_H

#include <stdint.h>

#ifdef CONFIG_ZPAGER_LOOKS_MAX
#define Z__LOOKS_MAX ((uint32_t)CONFIG_ZPAGER_LOOKS_MAX)
#else
#define Z__LOOKS_MAX 64U
#endif

/* The same for algorithms that move each frame they look at to another place: that is half as much work again. */
#define Z__LOOKS_MOVING_MAX ((Z__LOOKS_MAX + 1U) * 2U / 3U)

/*
 * The budget of looks that are worth something but not needed, as the second one at a dirty page. Each
 * select earns some, each look costs one, and what is saved is kept up to a limit. Such a look is
 * only made of what is saved, so that the mean stays near what is earned however many victims are
 * dirty; looks that find a use are made in any case. It is counted in quarters.
 */
#define Z__LOOK_COST  4
#define Z__LOOKS_KEPT (64 * Z__LOOK_COST)

/* z__looks_earn - a select begins: what is saved, from what was. */
static inline int32_t z__looks_earn(int32_t saved, int32_t quarters)
{
	saved = (saved < 0 ? 0 : saved) + quarters;
	return saved < Z__LOOKS_KEPT ? saved : Z__LOOKS_KEPT;
}

#endif /* ZPAGER_EVICTION_LOOKS_H */
