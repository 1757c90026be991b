/* SPDX-License-Identifier: Apache-2.0 */
/*
 * custom_sparse.c - the contract tests on the store of custom_identity.c with an empty finalize: no
 * books at all, and no clean copies.
 */
#define EMPTY_FINALIZE
#include "custom_identity.c"
