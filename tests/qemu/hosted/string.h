/* SPDX-License-Identifier: Apache-2.0 */
/*
 * string.h - what of a C library's header of this name the tests use: it is in the kernel.
 */
#ifndef QEMU_HOSTED_STRING_H
#define QEMU_HOSTED_STRING_H

#include "../../../kernel/string.h"

#endif /* QEMU_HOSTED_STRING_H */
