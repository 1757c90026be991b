/* SPDX-License-Identifier: Apache-2.0 */
/*
 * image.h - a program as it lies on a disk. Written by scripts/make_image.py, read by the kernel.
 *
 * Page 0 of the image is the header, in the byte order of the machine (all of ours are little-endian); the
 * parts follow, each in whole pages. text and rodata are never written and can be brought in on demand
 * from the image, as often as needed; data has to be copied, for the program changes it; bss is
 * memory full of zeros. The parts lie in this order in memory too, each behind the other, with no
 * page between bss and the end of data.
 */
#ifndef USER_IMAGE_H
#define USER_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC UINT64_C(0x31676d6972657375) /* "userimg1" */
#define IMAGE_PAGE  4096U

struct image_part {
	uint64_t va;    /* of its first page */
	uint64_t pages; /* may be 0 */
	uint64_t first; /* page of the image that it begins with; 0 for bss */
};

struct image_header {
	uint64_t magic;
	uint64_t entry;
	struct image_part text;   /* read, execute */
	struct image_part rodata; /* read */
	struct image_part data;   /* read, write */
	struct image_part bss;    /* read, write; not in the image */
	uint64_t stack_bytes;     /* how much stack the program wants, in whole pages */
	uint64_t pages;           /* of the whole image, with the header */
};

#endif /* USER_IMAGE_H */
