/* SPDX-License-Identifier: Apache-2.0 */
/*
 * foreign_nru.c - somebody else's kernel with our nru and our RAM store under the specified names.
 */
#include "foreign_kernel.h"

Z_EXPORT_EVICTION(z_eviction_nru);
Z_EXPORT_STORE(foreign_open_ram(60, false));
