/* SPDX-License-Identifier: Apache-2.0 */
/*
 * _newlib_version.h - newlib's configure script would have written its version under this name; no
 * source of it that we compile looks at one.
 */
