/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_ahead.h - scans of a swap file are read ahead of whoever reads them; theory in file_ahead.c.
 *
 * Every function may be called at any time from any thread, without the pager lock.
 */
#ifndef STORE_FILE_AHEAD_H
#define STORE_FILE_AHEAD_H

#include "hosted.h"

struct z_file_ahead;

size_t z_ahead_bytes(void);

/* z_ahead_open - memory: z_ahead_bytes(), zeroed, the caller's. fd: a file past the page cache. */
void z_ahead_open(struct z_file_ahead *ahead, int fd);

/* z_ahead_room - RAM to read into, once: until then nothing is read ahead. */
#define Z_AHEAD_PAGES 256U
void z_ahead_room(struct z_file_ahead *ahead, char *room);

/* z_ahead_close - returns when nothing is being read any more. */
void z_ahead_close(struct z_file_ahead *ahead);

/*
 * z_ahead_after_fork - in the child: the pages read ahead are forgotten, what is being read is the
 *   parent's. fd: the child's own file. If the kernel cannot do it any more nothing is read ahead.
 */
void z_ahead_after_fork(struct z_file_ahead *ahead, int fd);

/* z_ahead_asked - n slots from first on are about to be read: read ahead if that is part of a scan. */
void z_ahead_asked(struct z_file_ahead *ahead, uint32_t first, uint32_t n);

/* z_ahead_take - the page of slot, if it was read ahead, waiting for it if it is under way. Once. */
Z_MUST_CHECK bool z_ahead_take(struct z_file_ahead *ahead, uint32_t slot, void *page);

/* z_ahead_forget - slot was written just now: what was read of it before is nothing any more. */
void z_ahead_forget(struct z_file_ahead *ahead, uint32_t slot);

/* z_ahead_read - bytes read from the file. */
uint64_t z_ahead_read(struct z_file_ahead *ahead);

#endif /* STORE_FILE_AHEAD_H */
