/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stdio.h - nothing: the suite of all ports includes it and prints by print_message and print_error.
 */
#ifndef QEMU_HOSTED_STDIO_H
#define QEMU_HOSTED_STDIO_H

#endif /* QEMU_HOSTED_STDIO_H */
