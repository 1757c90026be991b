/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign_lru.c - somebody else's kernel with our lru and our RAM store under the specified names.
 */
#include "foreign_kernel.h"

Z_EXPORT_EVICTION(z_eviction_lru);
Z_EXPORT_STORE(foreign_open_ram(34, true));
