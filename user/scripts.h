/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scripts.h - the programs of lua/, each as one string; scripts.S has them.
 */
#ifndef USER_SCRIPTS_H
#define USER_SCRIPTS_H

extern const char script_nbody[], script_spectral[], script_sort[], script_strings[];

#endif /* USER_SCRIPTS_H */
