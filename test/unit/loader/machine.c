// SPDX-License-Identifier: GPL-2.0-only
/* check.c, outer.c: whether this machine is supported. */
#include <abi/args.h>

#include "driver/core/check.h"
#include "loader.h"

START_TEST(refuses_machines)
{
	struct fake_cpu *cpu = &fake.cpus[3];

	cpu->vendor = BF_VENDOR_NONE;
	assert_fails(BF_ERR_NO_VIRT, cpu->number, 0);
	cpu->hides = BF_VENDOR_AMD;
	assert_fails(BF_ERR_STARTED_BEFORE, cpu->number, 0);
	cpu->hides = BF_VENDOR_INTEL;
	assert_fails(BF_ERR_STARTED_BEFORE, cpu->number, 0);
	cpu->hides = BF_VENDOR_NONE;
	fake.here->vendor = BF_VENDOR_NONE;
	fake.here->hides = BF_VENDOR_AMD;
	bf_loader_fini(&loader);
	ck_assert_int_eq(bf_loader_init(&loader), BF_ERR_OK);
	ck_assert_int_eq(loader.failure.error, BF_ERR_STARTED_BEFORE);
	fake.here->hides = BF_VENDOR_NONE;
	fake.here->vendor = BF_VENDOR_AMD;
	cpu->vendor = BF_VENDOR_AMD;
	cpu->vm_cr = 0x10;
	assert_fails(BF_ERR_FW_DISABLED, cpu->number, 0);
	cpu->vm_cr = 0;
	cpu->efer |= 0x1000;
	assert_fails(BF_ERR_VIRT_BUSY, cpu->number, 0);
	cpu->efer &= ~0x1000ULL;
	cpu->cr4 |= 1ULL << 32;
	assert_fails(BF_ERR_CPU_FEATURE, cpu->number, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 32));
	cpu->cr4 &= ~(1ULL << 32);
	cpu->cr3 |= 1ULL << 47;
	assert_fails(BF_ERR_CPU_FEATURE, cpu->number, BF_FEATURE_DETAIL(BF_REGISTER_ENCRYPTION, 0));
	cpu->cr3 &= ~(1ULL << 47);
	cpu->leaf7_ebx = 1;
	assert_fails(BF_ERR_CPUS_DIFFER, cpu->number,
		     BF_DIFFER_DETAIL(BF_DIFFER_CPUID(7, 0, 1), cpu->number));
	cpu->leaf7_ebx = 0;
	fake.locked_down = true; /* signatures are the caller's business */
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	fake.locked_down = false;
	start.nr_exts = BF_MAX_EXTS + 1;
	assert_fails(BF_ERR_TOO_MANY_EXTS, 0, 0);
	start.nr_exts = 0;
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.nr_exts = 1;
	start.denied[0] = BF_ALL_RIGHTS + 1;
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.denied[0] = BF_RIGHT_debug;
	start.denied[1] = BF_RIGHT_debug; /* of an extension that there is not */
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.denied[1] = 0;
	start.nr_grants = BF_MAX_GRANTS + 1;
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.nr_grants = 1;
	start.grants[0] = (struct bf_grant){ .ext = 1, .kind = BF_GRANT_RDMSR };
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.grants[0].ext = 0;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake_show_handoff();
	ck_assert_uint_eq(fake.handoff->denied[0], BF_RIGHT_debug);
	ck_assert_uint_eq(fake.handoff->denied[1], 0);
	ck_assert_uint_eq(fake.handoff->nr_grants, 1);
	ck_assert_uint_eq(fake.handoff->grants[0].kind, BF_GRANT_RDMSR);
	start.nr_grants = 0;
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	start.denied[0] = 0;
	start.pool_size = BF_POOL_MAX + 1;
	assert_fails(BF_ERR_NO_MEMORY, 0, bf_loader_memory_needed(4, 1, start.pool_size, 0));
	fake.free_memory *= 100;
	assert_fails(BF_ERR_NO_MEMORY, 0, 0);
	start.pool_size = 0;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	fake.spa_base = MK1_SPA_LIMIT;
	assert_fails(BF_ERR_SPA_TOO_HIGH, 0, 0);
}
END_TEST

/* A page for each extension, and in it what it was given. */
START_TEST(hands_arguments_over)
{
	static const char two[] = "name=x\0count=2", bad[] = "name=x\0name=y";
	static char full[MK2_ARGS_MAX + 1] = "k=";

	memset(full + 2, 'x', MK2_ARGS_MAX - 3);
	start.nr_exts = 3;
	start.exts[1] = start.exts[2] = start.exts[0];
	start.args[0] = (struct bf_source){ bad, sizeof(bad) };
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.args[0] = (struct bf_source){ two, sizeof(two) - 1 }; /* no NUL */
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.args[0] = (struct bf_source){ full, MK2_ARGS_MAX + 1 };
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.args[0] = (struct bf_source){ two, sizeof(two) };
	start.args[2] = (struct bf_source){ full, MK2_ARGS_MAX };
	start.args[3] = start.args[0]; /* of an extension that there is not */
	assert_fails(BF_ERR_BAD_REQUEST, 0, 0);
	start.args[3] = (struct bf_source){ 0 };
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	fake_show_handoff();
	for (unsigned int i = 0; i < BF_MAX_EXTS; i++) {
		const struct bf_region *args = &fake.handoff->args[i];
		char page[BF_PAGE_SIZE] = { 0 };

		ck_assert_uint_eq(args->size, start.args[i].size);
		ck_assert_int_eq(!args->spa, i >= 3);
		if (!args->spa)
			continue;
		ck_assert_uint_eq(args->spa % BF_PAGE_SIZE, 0);
		if (args->size)
			memcpy(page, start.args[i].data, args->size);
		ck_assert_mem_eq(bf_os_va(args->spa), page, sizeof(page));
	}
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

START_TEST(intel)
{
	for (unsigned int i = 0; i < fake.nr_cpus; i++)
		fake.cpus[i].vendor = BF_VENDOR_INTEL;
	fake.cpus[1].feature_control = 1;
	assert_fails(BF_ERR_FW_DISABLED, fake.cpus[1].number, 0);
	fake.cpus[1].feature_control = 0; /* undecided: the loader decides */
	fake.cpus[2].cr4 |= 0x2000;
	assert_fails(BF_ERR_VIRT_BUSY, fake.cpus[2].number, 0);
	fake.cpus[2].cr4 &= ~0x2000ULL;
	fake_set_msr(&fake.cpus[2], MSR_VMX_BASIC, 0x13);
	assert_fails(BF_ERR_CPUS_DIFFER, fake.cpus[2].number,
		     BF_DIFFER_DETAIL(MSR_VMX_BASIC, fake.cpus[2].number));
	memset(fake.cpus[2].msrs, 0, sizeof(fake.cpus[2].msrs));
	/* no EPT on one of them: said, but no obstacle */
	fake.cpus[2].vmx_procbased2 = 0x5ULL << 32;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_uint_eq(fake.cpus[1].feature_control, 5);
	fake_show_handoff();
	ck_assert_uint_eq(fake.handoff->vmx[0xB], fake.cpus[0].vmx_procbased2 & 0x5ULL << 32);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
}
END_TEST

START_TEST(surveys)
{
	struct bf_check_result results[BF_NR_CHECKS];
	struct bf_cpu_features features;
	uint64_t detail;
	uint32_t cpu;

	ck_assert_int_eq(bf_check_machine(&features, results, 1, &detail, &cpu), BF_ERR_OK);
	ck_assert_int_eq(features.vendor, BF_VENDOR_AMD);
	fake.locked_down = true;
	fake.cpus[1].vm_cr = 0x10;
	ck_assert_int_eq(bf_check_machine(&features, results, 1ULL << 40, &detail, &cpu),
			 BF_ERR_FW_DISABLED);
	ck_assert_uint_eq(cpu, fake.cpus[1].number);
	ck_assert_uint_eq(results[BF_CHECK_VENDOR].error, BF_ERR_OK);
	ck_assert_uint_eq(results[BF_CHECK_FIRMWARE].error, BF_ERR_FW_DISABLED);
	ck_assert_uint_eq(results[BF_CHECK_LOCKDOWN].error, BF_ERR_LOCKDOWN);
	ck_assert_uint_eq(results[BF_CHECK_LOCKDOWN].fatal, 0);
	ck_assert_uint_eq(results[BF_CHECK_MEMORY].error, BF_ERR_NO_MEMORY);
	ck_assert_uint_eq(results[BF_CHECK_MEMORY].detail, 1ULL << 40);
	ck_assert_uint_eq(results[BF_CHECK_MEMORY].fatal, 1);
}
END_TEST

/* The hypervisor below: Linux takes Hyper-V's interface only where there is no other. */
START_TEST(outer_hypervisors)
{
	static const struct {
		const char *first, *second;
		uint32_t features;
		enum bf_outer outer;
		uint32_t flags;
		enum bf_error error;
	} cases[] = { { "", "", 0, BF_OUTER_NONE, 0, BF_ERR_OK },
		      { "TCGTCGTCGTCG", "", 0, BF_OUTER_NONE, 0, BF_ERR_OK },
		      { "KVMKVMKVM", "", 0x1, BF_OUTER_KVM, 0, BF_ERR_OK },
		      { "KVMKVMKVM", "", 0x201, BF_OUTER_KVM, BF_OUTER_FLUSHES, BF_ERR_OK },
		      { "Microsoft Hv", "KVMKVMKVM", 0x200, BF_OUTER_KVM, BF_OUTER_FLUSHES,
			BF_ERR_OK },
		      { "Microsoft Hv", "", 0x200, BF_OUTER_HYPERV, 0, BF_ERR_OUTER_HYPERV },
		      { "Microsoft Hv", "XenVMMXenVMM", 0, BF_OUTER_XEN, 0, BF_ERR_OUTER_XEN },
		      { "XenVMMXenVMM", "", 0, BF_OUTER_XEN, 0, BF_ERR_OUTER_XEN },
		      { "VMwareVMware", "", 0x200, BF_OUTER_VMWARE, 0, BF_ERR_OK },
		      { "SomebodyElse", "", 0x200, BF_OUTER_OTHER, 0, BF_ERR_OK } };
	struct bf_check_result results[BF_NR_CHECKS];
	struct bf_cpu_features features;
	uint64_t detail;
	uint32_t flags, cpu;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(fake.outer, 0, sizeof(fake.outer));
		strcpy(fake.outer[0], cases[i].first);
		strcpy(fake.outer[1], cases[i].second);
		fake.outer_features = cases[i].features;
		ck_assert_int_eq(bf_outer_detect(&flags), cases[i].outer);
		ck_assert_uint_eq(flags, cases[i].flags);
		ck_assert_int_eq(bf_check_machine(&features, results, 1, &detail, &cpu),
				 cases[i].error);
		ck_assert_uint_eq(results[BF_CHECK_OUTER].error, cases[i].error);
		if (cases[i].error != BF_ERR_OK) {
			assert_fails(cases[i].error, 0, 0);
			continue;
		}
		ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
		fake_show_handoff();
		ck_assert_uint_eq(fake.handoff->outer, cases[i].outer);
		ck_assert_uint_eq(fake.handoff->outer_flags, cases[i].flags);
		ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	}
}
END_TEST

/* What counts is where something lies, not how wide the CPU's addresses are. */
START_TEST(refuses_high_addresses)
{
	fake_set_cpuid(fake.here, 0x80000008, 0, 0, 52);
	for (unsigned int i = 1; i < FAKE_CPUS; i++)
		fake_set_cpuid(&fake.cpus[i], 0x80000008, 0, 0, 52);
	fake.memory_end = 1ULL << 48;
	ck_assert_int_eq(bf_loader_start(&loader, &start), BF_ERR_OK);
	ck_assert_int_eq(bf_loader_stop(&loader), BF_ERR_OK);
	fake.memory_end += 0x1000;
	assert_fails(BF_ERR_ADDRESS_TOO_HIGH, 0, (1ULL << 48) + 0xFFF);
}
END_TEST

TCase *machine_tests(void)
{
	TCase *tc = loader_case("machine");

	tcase_add_test(tc, refuses_machines);
	tcase_add_test(tc, hands_arguments_over);
	tcase_add_test(tc, intel);
	tcase_add_test(tc, surveys);
	tcase_add_test(tc, outer_hypervisors);
	tcase_add_test(tc, refuses_high_addresses);
	return tc;
}
