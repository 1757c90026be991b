/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_fiber.h - tells the address sanitizer, where it is compiled in, that the stack changes.
 *
 *   sim_fiber_leave(&save, bottom, size)  before the switch to the stack [bottom, bottom + size);
 *                                         save is kept for coming back, NULL: never comes back
 *   sim_fiber_arrive(save, &bottom, &size) after it; what was left, if wanted
 */
#ifndef ARCH_SIM_SIM_FIBER_H
#define ARCH_SIM_SIM_FIBER_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define SIM_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_FIBER_ASAN 1
#endif
#endif

#ifdef SIM_FIBER_ASAN
#include <sanitizer/common_interface_defs.h>

static inline void sim_fiber_leave(void **save, const void *bottom, size_t size)
{
	__sanitizer_start_switch_fiber(save, bottom, size);
}

static inline void sim_fiber_arrive(void *save, const void **bottom, size_t *size)
{
	__sanitizer_finish_switch_fiber(save, bottom, size);
}
#else
static inline void sim_fiber_leave(void **save, const void *bottom, size_t size)
{
	(void)save;
	(void)bottom;
	(void)size;
}

static inline void sim_fiber_arrive(void *save, const void **bottom, size_t *size)
{
	(void)save;
	(void)bottom;
	(void)size;
}
#endif

#endif /* ARCH_SIM_SIM_FIBER_H */
