/* SPDX-License-Identifier: Apache-2.0 */
/*
 * assert.h - assertions about our own code. They stop the machine in debug builds and are nothing
 * in release builds, so no failure of the world may be caught by one and no control flow may
 * depend on one.
 */
#ifndef ZPAGER_CORE_ASSERT_H
#define ZPAGER_CORE_ASSERT_H

#ifdef NDEBUG
#define Z_ASSERT(condition) ((void)sizeof(condition))
#else
#define Z_ASSERT(condition)                                                                        \
	do {                                                                                       \
		if (!(condition))                                                                  \
			__builtin_trap();                                                          \
	} while (0)
#endif

#endif /* ZPAGER_CORE_ASSERT_H */
