/* SPDX-License-Identifier: Apache-2.0 */
/*
 * newlib.h - the choices that newlib's configure script would have made and written under this name:
 * one thread, one locale, printf() with all of C99's formats, read() and write() as in POSIX.
 */
#ifndef __NEWLIB_H__
#define __NEWLIB_H__ 1

#define _MB_LEN_MAX                      1
#define _WANT_IO_C99_FORMATS             1
#define _WANT_IO_LONG_LONG               1
#define _HAVE_LONG_DOUBLE                1
#define _HAVE_CC_INHIBIT_LOOP_TO_LIBCALL 1
#define _READ_WRITE_RETURN_TYPE          long
#define _READ_WRITE_BUFSIZE_TYPE         unsigned long

#endif /* __NEWLIB_H__ */
