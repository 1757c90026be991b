# SPDX-License-Identifier: Apache-2.0
# what: the pager lock is released twice on the way out of a frame (HAZARDS B14)
# files: core/evict.c
/^static int write_out(/,/^}/s/z__io_begin_locked(p);/&\n\tif (p->cfg.unlock_for_io)\n\t\tz__unlock(p);/
