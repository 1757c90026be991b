/* SPDX-License-Identifier: Apache-2.0 */
/*
 * looks.h - the most frames that one select may look at.
 *
 * It keeps the worst case small with interrupts locked: a program can set every accessed bit between
 * two faults, so that without a limit each fault could cost a whole sweep. A kernel chooses a small
 * one (Kconfig).
 */
#ifndef ZPAGER_EVICTION_LOOKS_H
#define ZPAGER_EVICTION_LOOKS_H

#ifdef CONFIG_ZPAGER_LOOKS_MAX
#define Z__LOOKS_MAX ((uint32_t)CONFIG_ZPAGER_LOOKS_MAX)
#else
#define Z__LOOKS_MAX 64U
#endif

#endif /* ZPAGER_EVICTION_LOOKS_H */
