// SPDX-License-Identifier: GPL-2.0-only
/* The loader on a machine in memory, in which everything that can fail does. */
#include "loader/loader.h"

struct bf_loader loader;
struct elf_file microkernel, ext;
struct bf_mk_head *mk_head;
struct bf_start start;

static void setup(void)
{
	fake_reset();
	make_elf(&microkernel, BF_MK_BASE);
	elf_segment(&microkernel, ELF_TEXT, PT_LOAD, PF_R | PF_X, 0x400, BF_MK_BASE, ELF_TEXT_SIZE,
		    ELF_TEXT_SIZE);
	microkernel.header.e_entry = BF_MK_BASE + 0x10;
	mk_head = (struct bf_mk_head *)((uint8_t *)&microkernel + 0x400);
	*mk_head = (struct bf_mk_head){ BF_HANDOFF_MAGIC, BF_HANDOFF_VERSION };
	make_elf(&ext, MK1_EXT_CODE_BASE);
	start = (struct bf_start){
		.microkernel = { &microkernel, sizeof(microkernel) },
		.exts = { { &ext, sizeof(ext) } },
		.nr_exts = 1,
	};
	ck_assert_int_eq(bf_loader_init(&loader), BF_ERR_OK);
}

/*
 * What AddressSanitizer asks for. All that is allocated goes through the fake platform, which
 * counts it; to look for leaks once more at the end of each test takes longer than the tests.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static void teardown(void)
{
	bf_loader_fini(&loader);
	ck_assert_uint_eq(fake.allocations, 0);
}

void assert_all_bare(void)
{
	for (unsigned int i = 0; i < fake.nr_cpus; i++) {
		ck_assert(!fake.cpus[i].guest && !fake.cpus[i].marked);
		ck_assert_uint_eq(fake.cpus[i].passed, fake.cpus[i].entries);
	}
	ck_assert_uint_eq(loader.memory.bytes, 0);
}

void assert_fails(enum bf_error error, uint32_t cpu, uint64_t detail)
{
	ck_assert_int_eq(bf_loader_start(&loader, &start), error);
	ck_assert_int_eq(loader.failure.error, error);
	ck_assert_uint_eq(loader.failure.cpu, cpu);
	ck_assert_uint_eq(loader.failure.detail, detail);
	ck_assert_int_eq(loader.state, BF_STATE_STOPPED);
	assert_all_bare();
}

TCase *loader_case(const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("loader");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, lifecycle_tests());
	suite_add_tcase(suite, hotplug_tests());
	suite_add_tcase(suite, trace_tests());
	suite_add_tcase(suite, watchdog_tests());
	suite_add_tcase(suite, machine_tests());
	suite_add_tcase(suite, image_tests());
	suite_add_tcase(suite, cpu_tests());
	suite_add_tcase(suite, channel_tests());
	suite_add_tcase(suite, adopt_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
