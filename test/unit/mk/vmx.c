// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"

#include "suites.h"

TCase *vmx_tests(void)
{
	TCase *tc = tcase_create("vmx");

	return tc;
}
