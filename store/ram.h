/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ram.h - what the registry asks of the RAM store beyond z_ram_store_open. Freestanding.
 */
#ifndef STORE_RAM_H
#define STORE_RAM_H

#include <zpager/store.h>

extern const struct z_store_ops z_ram_ops;

/* z_ram_open - as z_ram_store_open; own: its RAM is not charged but reported as beyond_bytes. */
Z_MUST_CHECK int z_ram_open(const struct z_store_env *env, uint64_t pages, bool keep_copies,
			    bool own, struct z_store **out);

#endif /* STORE_RAM_H */
