/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - a program of user mode that lies on the disk (user/image.h).
 */
#ifndef KERNEL_PROGRAM_H
#define KERNEL_PROGRAM_H

#include <zpager/store.h>

#include "../user/image.h"

/*
 * program_find - read the header of a program.
 *   first: the page of the disk that its image begins with.
 *   0 | Z_ERR_INVAL there is none, or its parts lie outside of the paged window or over one another |
 *   Z_ERR_NOMEM | errors of the disk. Context: a thread.
 */
Z_MUST_CHECK int program_find(const struct z_block_device *disk, uint64_t first,
			      struct image_header *out);

/*
 * program_map - map a program where it wants to be, and a stack. The pager's store is on this disk, and
 * its image reaches to the program's end at least.
 *   header: of program_find, first: as there. stack_top_out: where the stack begins.
 *   0 | errors of z_pager_map and z_pager_map_stored | Z_ERR_NOMEM | errors of the disk. On an error
 *   some parts may be mapped; they go when the pager stops. Context: a thread, the pager started.
 */
Z_MUST_CHECK int program_map(const struct z_block_device *disk, uint64_t first,
			     const struct image_header *header, uintptr_t *stack_top_out);

#endif /* KERNEL_PROGRAM_H */
