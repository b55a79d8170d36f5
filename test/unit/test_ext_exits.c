// SPDX-License-Identifier: GPL-2.0-only
/* ext/libext/exits.h: the number and the name of each exit, on either vendor. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <ext/libext/exits.h>
#include <ext/linux/linux.h>

static bool on_amd;

bool linux_is_on_amd(void)
{
	return on_amd;
}

static const struct {
	uint64_t reason;
	const char *name;
} svm[] = {
#define SVM_CASE(code, name) { code, #name },
	SVM_EXITS(SVM_CASE)
	{ 0x00, "CR0_READ" },       { 0x0F, "CR15_READ" },  { 0x13, "CR3_WRITE" },
	{ 0x27, "DR7_READ" },       { 0x30, "DR0_WRITE" },  { 0x40, "EXCEPTION_0" },
	{ 0x5F, "EXCEPTION_31" },   { 0x90, "NUMBER_0x90" }, { SVM_EXIT_BUS_LOCK, "NUMBER_0xa5" },
	{ SVM_EXIT_INVALID, "OTHER" }, { 0xFFFFFFFF, "OTHER" }, { 0xB0, "OTHER" },
	{ 0x3FF, "OTHER" },         { 0x500, "OTHER" },
}, vmx[] = {
#define VMX_CASE(code, name) { code, #name },
	VMX_EXITS(VMX_CASE)
	{ 0x80000021, "ENTRY_GUEST_STATE" }, /* the VM entry failed */
	{ 35, "NUMBER_0x23" }, { 0xAF, "OTHER" }, { 0xFFFF, "OTHER" },
};

static unsigned int check(uint64_t reason, const char *expected)
{
	unsigned int number = ext_exit_number(reason);
	char name[EXT_EXIT_NAME_SIZE];

	ck_assert_uint_lt(number, EXT_NR_EXITS);
	ext_exit_name(number, name);
	ck_assert_str_eq(name, expected);
	return number;
}

START_TEST(every_exit)
{
	size_t count = _i ? sizeof(svm) / sizeof(svm[0]) : sizeof(vmx) / sizeof(vmx[0]);
	const char *seen[EXT_NR_EXITS] = { 0 };

	on_amd = _i;
	for (size_t i = 0; i < count; i++) {
		const char *name = _i ? svm[i].name : vmx[i].name;
		unsigned int number = check(_i ? svm[i].reason : vmx[i].reason, name);

		ck_assert(!seen[number] || !strcmp(seen[number], name));
		seen[number] = name;
	}
}
END_TEST

/* Of any number, even one that there is not. */
START_TEST(every_number)
{
	char name[EXT_EXIT_NAME_SIZE];

	on_amd = _i;
	for (unsigned int number = 0; number < 2 * EXT_NR_EXITS; number++) {
		ext_exit_name(number, name);
		ck_assert_str_ne(name, "");
		if (number >= EXT_NR_EXITS - 1)
			ck_assert_str_eq(name, "OTHER");
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ext_exits");
	TCase *tc = tcase_create("ext_exits");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, every_exit, 0, 2);
	tcase_add_loop_test(tc, every_number, 0, 2);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
