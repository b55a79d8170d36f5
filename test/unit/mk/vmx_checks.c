// SPDX-License-Identifier: GPL-2.0-only
#include "machine.h"

#include "suites.h"

TCase *vmx_checks_tests(void)
{
	TCase *tc = tcase_create("vmx_checks");

	return tc;
}
