# SPDX-License-Identifier: Apache-2.0
# what: the location of a page whose eviction is undone is freed twice (HAZARDS B20)
# files: core/evict.c
/^static void undo(/,/^}/s/p->cfg.store->ops->location_free(p->cfg.store, op->loc);/&&/
