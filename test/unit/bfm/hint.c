// SPDX-License-Identifier: GPL-2.0-only
/* hint.c: each error has a way out, with the command for this machine where it tells. */
#include "commands.h"

#include <errno.h>
#include <unistd.h>

#include <abi/features.h>

static char root[32];

static void make_root(void)
{
	strcpy(root, "/tmp/test_bfm_hint.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *directory, const char *name, const char *text)
{
	char command[256], path[256];
	FILE *file;

	snprintf(command, sizeof(command), "mkdir -p %s%s", root, directory);
	ck_assert_int_eq(system(command), 0);
	snprintf(path, sizeof(path), "%s%s/%s", root, directory, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static const char *hint(uint32_t error, uint64_t detail)
{
	static char text[HINT_SIZE];

	return hint_text(root, error, detail, text, sizeof(text));
}

#define GRUB ": add it to GRUB_CMDLINE_LINUX in /etc/default/grub, then: update-grub && reboot"

/* With any detail, it is never empty, and fits. */
START_TEST(every_error_has_a_way_out)
{
#define NUMBER(number, name, errno_value, sentence, hint) number,
	static const uint32_t all[] = { BF_ERRORS(NUMBER) };
	static const uint64_t details[] = { 0, 1, 0x48B, 0xFFFFFFFFFFFFFFFF };

	for (size_t i = 1; i < sizeof(all) / sizeof(all[0]); i++) {
		for (size_t j = 0; j < sizeof(details) / sizeof(details[0]); j++) {
			size_t length = strlen(hint(all[i], details[j]));

			ck_assert_uint_gt(length, 0);
			ck_assert_uint_lt(length, HINT_SIZE - 1);
		}
	}
	ck_assert_str_eq(hint(BF_ERR_OK, 0), "");
	ck_assert_str_eq(hint(BF_ERR_TOO_MANY_CPUS, 2000), "boot with nr_cpus=1024" GRUB);
	ck_assert_str_eq(hint(BF_ERR_SPA_TOO_HIGH, 0), "boot with mem=16T" GRUB);
	ck_assert_ptr_null(strstr(hint(BF_ERR_ADDRESS_TOO_HIGH, 0), "GRUB"));
	ck_assert_str_eq(hint(BF_ERR_RUNNING, 0), "stop it first: bfm stop");
}
END_TEST

START_TEST(who_has_vt_x)
{
	/* Nobody that is known: what is always right. */
	ck_assert_str_eq(hint(BF_ERR_VIRT_BUSY, 0), error_text(BF_ERR_VIRT_BUSY)->hint);
	/* Built in: there is no count of users. */
	put("/sys/module/kvm_intel/parameters", "nested", "Y\n");
	ck_assert_str_eq(hint(BF_ERR_VIRT_BUSY, 0), error_text(BF_ERR_VIRT_BUSY)->hint);
	put("/sys/module/kvm/parameters", "enable_virt_at_load", "");
	ck_assert_str_eq(hint(BF_ERR_VIRT_BUSY, 0), error_text(BF_ERR_VIRT_BUSY)->hint);
	put("/sys/module/kvm/parameters", "enable_virt_at_load", "N\n");
	ck_assert_str_eq(hint(BF_ERR_VIRT_BUSY, 0), error_text(BF_ERR_VIRT_BUSY)->hint);
	put("/sys/module/kvm/parameters", "enable_virt_at_load", "Y\n");
	ck_assert_str_eq(hint(BF_ERR_VIRT_BUSY, 0), "boot with kvm.enable_virt_at_load=0" GRUB);
	put("/sys/module/kvm_amd", "refcnt", "0\n");
	ck_assert_str_eq(hint(BF_ERR_VIRT_BUSY, 0),
			 "stop its virtual machines, then: modprobe -r kvm_amd");
	put("/sys/module/kvm_intel", "refcnt", "2\n");
	put("/sys/module/vboxdrv", "refcnt", "0\n");
	put("/sys/module/vmmon", "refcnt", "0\n");
	ck_assert_str_eq(hint(BF_ERR_VIRT_BUSY, 0),
			 "stop its virtual machines, then: modprobe -r kvm_amd kvm_intel "
			 "vboxnetadp vboxnetflt vboxdrv vmmon");
}
END_TEST

START_TEST(what_the_detail_tells)
{
	uint64_t fred = BF_FEATURE_DETAIL(BF_REGISTER_CR4, 32);
	uint64_t snp = BF_FEATURE_DETAIL(BF_REGISTER_SYSCFG, 24);
	uint64_t lmsle = BF_FEATURE_DETAIL(BF_REGISTER_EFER, 13);

	ck_assert_str_eq(hint(BF_ERR_CPU_FEATURE, fred), "boot with fred=off" GRUB);
	ck_assert_str_eq(hint(BF_ERR_CPU_FEATURE, snp),
			 "boot with sev=nosnp (Linux 6.13 and later) or iommu=pt" GRUB);
	ck_assert_str_eq(hint(BF_ERR_CPU_FEATURE, lmsle), error_text(BF_ERR_CPU_FEATURE)->hint);
	/* "boot without" names no parameter. */
	ck_assert_str_eq(hint(BF_ERR_CPU_FEATURE, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 14)),
			 error_text(BF_ERR_CPU_FEATURE)->hint);
	ck_assert_str_eq(hint(BF_ERR_CPUS_DIFFER, BF_DIFFER_DETAIL(0x48B, 12)),
			 "update the firmware, or do without it: "
			 "echo 0 >/sys/devices/system/cpu/cpu12/online");
	ck_assert_str_eq(hint(BF_ERR_CPUS_DIFFER, 0), error_text(BF_ERR_CPUS_DIFFER)->hint);
	ck_assert_str_eq(hint(BF_ERR_GUESTS, 123),
			 "end it: kill 123; or end all guests: bfm stop --force");
	ck_assert_str_eq(hint(BF_ERR_GUESTS, 0), error_text(BF_ERR_GUESTS)->hint);
}
END_TEST

START_TEST(how_to_load_the_module)
{
	static const char there[] = "load it as root: modprobe bareflank";
	char text[HINT_SIZE];

	assert_has(hint_load(root, "6.1.0-42-amd64", text, sizeof(text)),
		   "not installed for Linux 6.1.0-42-amd64: make install && depmod -a && modprobe");
	put("/lib/modules/6.1", "modules.dep",
	    "kernel/a.ko: kernel/bareflank.ko\n"
	    "extra/bareflank_kvm.ko: extra/bareflank.ko\n");
	assert_has(hint_load(root, "6.1", text, sizeof(text)), "not installed");
	assert_has(hint_load(root, "6.12", text, sizeof(text)), "not installed for Linux 6.12:");
	put("/lib/modules/6.1", "modules.dep", "kernel/a.ko:\nextra/bareflank.ko:\n");
	ck_assert_str_eq(hint_load(root, "6.1", text, sizeof(text)), there);
	put("/lib/modules/6.1", "modules.dep", "updates/dkms/bareflank.ko.xz:\n");
	ck_assert_str_eq(hint_load(root, "6.1", text, sizeof(text)), there);
}
END_TEST

/* The commands print it: start and check, status as text and as JSON. */
START_TEST(commands_give_the_hint)
{
	static const char offline[] = "echo 0 >/sys/devices/system/cpu/cpu5/online";

	device.call_errno = EOPNOTSUPP;
	device.error = BF_ERR_CPUS_DIFFER;
	device.detail = BF_DIFFER_DETAIL(0x48B, 5);
	ck_assert_int_eq(run(&stop_command, "stop"), EXIT_FAILED);
	assert_has(err, offline);
	device.call_errno = 0;
	device.check.results[BF_CHECK_CPUS].error = BF_ERR_CPUS_DIFFER;
	device.check.results[BF_CHECK_CPUS].detail = device.detail;
	device.check.results[BF_CHECK_CPUS].fatal = 1;
	ck_assert_int_eq(run(&check_command, "check"), EXIT_FAILED);
	assert_has(out, offline);
	device.status.error = BF_ERR_CPUS_DIFFER;
	device.status.detail = device.detail;
	run(&status_command, "status");
	assert_has(out, offline);
	run(&status_command, "status --json");
	assert_has(out, offline);
	assert_json(out);
}
END_TEST

TCase *hint_tests(void)
{
	TCase *tc = commands_case("hint");

	tcase_add_checked_fixture(tc, make_root, remove_root);
	tcase_add_test(tc, every_error_has_a_way_out);
	tcase_add_test(tc, who_has_vt_x);
	tcase_add_test(tc, what_the_detail_tells);
	tcase_add_test(tc, how_to_load_the_module);
	tcase_add_test(tc, commands_give_the_hint);
	return tc;
}
