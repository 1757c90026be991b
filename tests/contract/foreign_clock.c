/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign_clock.c - somebody else's kernel with our clock and our RAM store under the specified names.
 */
#include "foreign_kernel.h"

Z_EXPORT_EVICTION(z_eviction_clock);
Z_EXPORT_STORE(foreign_open_ram(60, true));
