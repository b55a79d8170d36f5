// SPDX-License-Identifier: GPL-2.0-only
/* The microkernel, all of it but its assembly, on fake CPUs: see cpu/cpu.h and mk/machine.h. */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <bsl/string.h>

#include "mk/machine.h"
#include "mk/suites.h"

/*
 * What AddressSanitizer asks for. The microkernel takes no memory from the C library, and to look
 * for leaks at the end of each test takes longer than all of the tests.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/*
 * A process for each test takes several times as long as the test. With CK_FORK=no there is one for
 * all, and after each test the variables of the microkernel, and of the tests, are as they were
 * before the first: those between these two (cpu/sections.ld). What remains is memory that
 * machine_init() clears.
 */
extern uint8_t state_start[], state_end[];
static uint8_t *kept;

static void restore(void)
{
	mmu_flush();
	bsl_memcpy(state_start, kept, (uint64_t)(state_end - state_start));
}

static void keep(void)
{
	uint64_t size = (uint64_t)(state_end - state_start);

	machine_prepare();
	kept = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (kept == MAP_FAILED)
		cpu_die("no memory for the state");
	bsl_memcpy(kept, state_start, size);
}

int main(void)
{
	Suite *suite = suite_create("microkernel");
	SRunner *runner = srunner_create(suite);
	bool one_process = srunner_fork_status(runner) == CK_NOFORK;
	int failed;

	if (one_process)
		keep();
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		TCase *tc = suites[i]();

		/* Of all that end a test, the one added last comes first. */
		if (one_process)
			tcase_add_checked_fixture(tc, NULL, restore);
		suite_add_tcase(suite, tc);
	}
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
