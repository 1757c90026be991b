/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app.c - the application of the test kernel: all groups, one after the other, then the summary.
 */
#include "board.h"

#include <cmocka.h>

unsigned int kernel_app(void)
{
	test_conform();
	return hosted_summary() != 0;
}
