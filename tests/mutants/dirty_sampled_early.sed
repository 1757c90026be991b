# SPDX-License-Identifier: Apache-2.0
# what: the dirty bit is sampled before the mapping is removed (HAZARDS B32)
# files: core/evict.c
s/b->write\[b->n\] = !z_page_frame_is_backed(pf);/b->write[b->n] = !z_page_frame_is_backed(pf) ||\n\t\t(p->cfg.arch->info(p->cfg.arch_ctx, op->va, false) \& Z_INFO_DIRTY) != 0;/
s/b->write\[i\] = b->write\[i\] || b->ops\[i\]\.dirty;/b->write[i] = b->write[i];/
