/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lua5.4-deb-multiarch.h - what Debian's build of Lua generates under this name: the folder of the
 * machine's libraries. A program that loads none needs any string.
 */
#ifndef LUA5_4_DEB_MULTIARCH_H
#define LUA5_4_DEB_MULTIARCH_H

#define DEB_HOST_MULTIARCH "none"

#endif /* LUA5_4_DEB_MULTIARCH_H */
