// SPDX-License-Identifier: GPL-2.0-only
/* check.c, report.c, local.c, machine.c */
#include "commands.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <abi/features.h>

START_TEST(checking_by_the_module)
{
	device.check.results[BF_CHECK_NESTED].error = BF_ERR_NO_NESTED_PAGING;
	ck_assert_int_eq(run(&check_command, "check"), EXIT_OK);
	assert_has(out, "nested paging            note    the CPU has no nested paging\n");
	assert_has(out, "This machine is supported.");
	device.check.results[BF_CHECK_CPUS].error = BF_ERR_CPUS_DIFFER;
	device.check.results[BF_CHECK_CPUS].detail = 3;
	device.check.results[BF_CHECK_CPUS].fatal = 1;
	ck_assert_int_eq(run(&check_command, "check"), EXIT_FAILED);
	assert_has(out, "CPUs alike               NO      ");
	assert_has(out, "(CPU 3)\n");
	ck_assert_msg(!strchr(out, '\033'), "colour without a terminal");
	device.open_errno = ENOENT;
	ck_assert_int_ne(run(&check_command, "check"), EXIT_OK);
	assert_has(err, "not loaded");
}
END_TEST

/* All of them are looked at, and the module is asked nothing. */
START_TEST(checking_images)
{
	device.open_errno = EACCES;
	ck_assert_int_eq(run(&check_command, "check /dev/null /proc/self/exe"), EXIT_BAD_IMAGE);
	assert_has(err, "bfm: check: /dev/null: ");
	assert_has(err, "bfm: check: /proc/self/exe: ");
	ck_assert(!*out);
	ck_assert_int_eq(run(&check_command, "check --report /dev/null"), EXIT_USAGE);
}
END_TEST

/* It says what the machine is, but not which one. */
START_TEST(reporting_a_machine)
{
	char host[256] = "";

	device.values[0] = (struct bf_register_value){ 0, BF_REGISTER_CR4, 0x372EF8 };
	device.values[1] = (struct bf_register_value){ 0x48B, 0, 0x1FF00000000 };
	device.check.nr_values = 2;
	ck_assert_int_eq(run(&check_command, "check --report"), EXIT_OK);
	assert_has(out, "bfm test, module interface ");
	assert_has(out, "\nCPU ");
	assert_has(out, "\nmodel       family 0x");
	assert_has(out, "\nkernel ");
	assert_has(out, "\nouter ");
	assert_has(out, "\nCPUID 00000000.0  ");
	assert_has(out, "\nCR4               0000000000372ef8\n");
	assert_has(out, "\nMSR 0000048b      000001ff00000000\n");
	assert_has(out, "\nnested paging            ok");
	ck_assert_int_eq(gethostname(host, sizeof(host) - 1), 0);
	ck_assert_msg(strlen(host) < 4 || !strstr(out, host), "the name of the host");
	ck_assert_msg(!strchr(out, '\033'), "colour without a terminal");
	/* More than there is room for, and a register of a later version. */
	device.values[0].reg = BF_NR_FEATURE_REGISTERS;
	ck_assert_int_eq(run(&check_command, "check --report"), EXIT_OK);
	assert_has(out, "\n?                 0000000000372ef8\n");
	device.open_errno = ENOENT;
	ck_assert_int_ne(run(&check_command, "check --report"), EXIT_OK);
	assert_has(out, "\nCPUID 00000000.0  ");
	ck_assert(!strstr(out, "MSR "));
	ck_assert_int_ne(run(&check_command, "check"), EXIT_OK);
	ck_assert(!strstr(out, "CPUID "));
}
END_TEST

static char root[] = "/tmp/test_bfm_root.XXXXXX";

/* Makes the file and the directories above it. */
static void put_file(const char *path, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + sizeof(root); (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(full, 0700);
	}
	file = fopen(full, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(checking_without_the_module)
{
	struct cpuid_facts intel = { BF_VENDOR_INTEL, true, false };
	struct cpuid_facts amd = { BF_VENDOR_AMD, true, true };
	struct cpuid_facts none = { BF_VENDOR_NONE, false, false };
	struct check_line got[BF_NR_CHECKS];
	char command[128];
	size_t neighbour = 0;

	ck_assert_ptr_nonnull(mkdtemp(root));
	local_check(root, &none, got); /* no file at all */
	ck_assert_ptr_null(local_neighbour(root, &neighbour));
	ck_assert(!cpuinfo_value(root, "microcode", command, sizeof(command)));
	ck_assert_uint_eq(got[BF_CHECK_VENDOR].error, BF_ERR_NO_VIRT);
	ck_assert_int_eq(got[BF_CHECK_PAGING].verdict, VERDICT_OK);
	ck_assert_int_eq(got[BF_CHECK_LOCKDOWN].verdict, VERDICT_UNKNOWN);

	put_file("/proc/cpuinfo",
		 "processor\t: 0\nflags\t\t: fpu vmx_not la57x\nvmx flags\t: vnmi\n");
	local_check(root, &intel, got);
	ck_assert_uint_eq(got[BF_CHECK_FIRMWARE].error, BF_ERR_FW_DISABLED);
	ck_assert_int_eq(got[BF_CHECK_PAGING].verdict, VERDICT_OK);
	ck_assert_int_eq(got[BF_CHECK_NESTED].verdict, VERDICT_UNKNOWN);

	put_file("/proc/cpuinfo", "processor\t: 0\nmicrocodes\t: 1\nmicrocode\t: 0xd4\n"
				  "flags\t\t: fpu vmx la57 fred\nvmx flags\t: vnmi ept\n");
	ck_assert(cpuinfo_value(root, "microcode", command, sizeof(command)));
	ck_assert_str_eq(command, "0xd4");
	put_file("/sys/module/kvm_intel/refcnt", "0\n");
	put_file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	local_check(root, &intel, got);
	ck_assert_int_eq(got[BF_CHECK_VENDOR].verdict, VERDICT_OK);
	ck_assert_int_eq(got[BF_CHECK_FIRMWARE].verdict, VERDICT_UNKNOWN);
	ck_assert_int_eq(got[BF_CHECK_FREE].verdict, VERDICT_NOTE);
	ck_assert_int_eq(got[BF_CHECK_NESTED].verdict, VERDICT_OK);
	ck_assert_int_eq(got[BF_CHECK_PAGING].verdict, VERDICT_OK);
	ck_assert_uint_eq(got[BF_CHECK_FEATURES].error, BF_ERR_CPU_FEATURE);
	ck_assert_uint_eq(got[BF_CHECK_FEATURES].detail, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 32));
	ck_assert_uint_eq(got[BF_CHECK_LOCKDOWN].error, BF_ERR_LOCKDOWN);

	put_file("/sys/module/kvm_intel/refcnt", "2\n");
	put_file("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	local_check(root, &amd, got);
	ck_assert_int_eq(got[BF_CHECK_FREE].verdict, VERDICT_NO);
	ck_assert_int_eq(got[BF_CHECK_LOCKDOWN].verdict, VERDICT_OK);
	ck_assert_uint_eq(got[BF_CHECK_FIRMWARE].error, BF_ERR_FW_DISABLED);
	put_file("/sys/module/kvm_intel/refcnt", "0\n");
	put_file("/sys/module/kvm/parameters/enable_virt_at_load", "Y\n");
	local_check(root, &amd, got);
	ck_assert_int_eq(got[BF_CHECK_FREE].verdict, VERDICT_NO);

	put_file("/sys/module/vmmon/refcnt", "0\n");
	put_file("/sys/module/vboxdrv/refcnt", "0\n");
	neighbour = 0;
	ck_assert_str_eq(local_neighbour(root, &neighbour), "VirtualBox (vboxdrv)");
	ck_assert_str_eq(local_neighbour(root, &neighbour), "VMware (vmmon)");
	ck_assert_ptr_null(local_neighbour(root, &neighbour));
	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

TCase *check_tests(void)
{
	TCase *tc = commands_case("check");

	tcase_add_test(tc, checking_by_the_module);
	tcase_add_test(tc, checking_images);
	tcase_add_test(tc, reporting_a_machine);
	tcase_add_test(tc, checking_without_the_module);
	return tc;
}
