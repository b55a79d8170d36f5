// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"

#include "suites.h"

TCase *fetch_tests(void)
{
	TCase *tc = tcase_create("fetch");

	return tc;
}
