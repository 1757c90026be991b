# SPDX-License-Identifier: Apache-2.0
# what: BACKED is kept when a frame is given a new page (HAZARDS B30)
# files: core/evict.c core/internal.h
/b->write\[b->n\] = !z_page_frame_is_backed(pf);/,/z_page_frame_backed_clear(pf);/s/z_page_frame_backed_clear(pf);//
s/(struct z_page_frame){.flags = Z_PAGE_FRAME_BUSY}/(struct z_page_frame){.flags = (uint8_t)(Z_PAGE_FRAME_BUSY | (pf->flags \& Z_PAGE_FRAME_BACKED))}/
