// SPDX-License-Identifier: GPL-2.0-only
/* main.c, run/start.c: a PP starts, up to the guest, or fails on the way. */
#include <string.h>

#include <abi/channel.h>

#include "driver/core/loader.h"
#include "machine.h"
#include "suites.h"

START_TEST(linux_becomes_a_guest)
{
	machine_of(_i);
	start_and_launch();
	ck_assert_uint_eq(m.pps[0]->root_vs == m.pps[0]->vs, true);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE); /* until the first exit */
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_VMEXIT);
	ck_assert_uint_eq(ended.arg0, 0);
	ck_assert_uint_eq(ended.arg1, _i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST);
	ck_assert_uint_eq(status_of(0)->exits, 1);
	ck_assert_uint_eq(status_of(0)->exit_count[_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID], 1);
	ck_assert_uint_eq(status_of(0)->ext_exits[0], 1);
}
END_TEST

START_TEST(the_cpu_is_as_root_mode_wants_it)
{
	machine_of(_i);
	enter(0);
	/* Neither TS nor EM: no instruction of the FPU faults. */
	ck_assert_uint_eq(cpu->cr0, CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	ck_assert_uint_eq(cpu->cr4 & ~(uint64_t)CR4_VMXE, CR4_PAE | CR4_MCE | CR4_OSFXSR |
								  CR4_OSXMMEXCPT | CR4_OSXSAVE |
								  CR4_SMEP | CR4_SMAP | CR4_UMIP);
	ck_assert_uint_eq(cpu->dr[7], 0x400);
	ck_assert_uint_eq(cpu->gdtr.base, (uint64_t)pp_gdt(m.pps[0]));
	ck_assert_uint_eq(cpu->idtr.base, (uint64_t)m.pps[0]->idt);
	ck_assert_uint_eq(cpu->idtr.limit, 0xFFF);
	ck_assert_uint_eq(cpu->tr, BF_SEL_TSS);
	ck_assert_uint_eq(cpu->ss, BF_SEL_KERNEL_SS);
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall);
	ck_assert_uint_eq(msr_get(cpu, MSR_STAR), 0x001B001000000000);
	/* Linux's own, which has write-back at 0 and uncacheable at 3 */
	ck_assert_uint_eq(msr_get(cpu, MSR_PAT), m.switch_pages[0]->cpu.pat);
	ck_assert_uint_eq(msr_get(cpu, MSR_EFER) & EFER_NXE, EFER_NXE);
	ck_assert_uint_eq(cpu->vmxon, _i != 0);
	ck_assert(cpu->gif);
}
END_TEST

START_TEST(a_pat_that_does_not_serve)
{
	static const uint64_t pats[] = { 0x0007040600070400, 0x0007040606070406 };

	machine_of(0);
	m.switch_pages[0]->cpu.pat = pats[_i];
	msr_set(&m.cpus[0], MSR_PAT, pats[_i]);
	enter(0);
	ck_assert_uint_eq(msr_get(cpu, MSR_PAT), HOST_PAT);
}
END_TEST

START_TEST(the_extension_sees_its_address_space)
{
	uint64_t fs_base = MK1_EXT_TLS_BASE + MK1_EXT_TLS_ABI_OFFSET, spa;

	machine_of(_i);
	enter(0);
	ck_assert_uint_eq(ended.rsp, MK1_EXT_STACK_BASE + MK1_EXT_STACK_SIZE);
	ck_assert_uint_eq(ended.arg0, MK1_SPEC_MASK | MK2_SPEC_MASK);
	ck_assert_uint_eq(msr_get(cpu, MSR_FS_BASE), fs_base);
	/* W^X, and a guard page on either side of a stack */
	ck_assert(mmu_user(EXT_ENTRY, false, true) && !mmu_user(EXT_ENTRY, true, false));
	ck_assert(mmu_user(EXT_RODATA, false, false) && !mmu_user(EXT_RODATA, true, false) &&
		  !mmu_user(EXT_RODATA, false, true));
	ck_assert(mmu_user(EXT_DATA, true, false) && !mmu_user(EXT_DATA, false, true));
	ck_assert(mmu_user(ended.rsp - 8, true, false) && !mmu_user(ended.rsp, false, false) &&
		  !mmu_user(MK1_EXT_STACK_BASE - 1, false, false));
	ck_assert(mmu_user(MK1_EXT_FAIL_STACK_BASE, true, false) != NULL);
	ck_assert(!mmu_user(fs_base + 0x1000, false, false));
	ck_assert(!mmu_user(BF_PP_ABI, false, false));
	ck_assert_uint_eq(*(uint64_t *)mmu_user(fs_base, true, false), fs_base);
	ck_assert_str_eq(mmu_user(fs_base - EXT_TLS_SIZE, true, false), "thread-local");
	ck_assert_uint_eq(*(uint16_t *)mmu_user(fs_base + MK1_TLS_VSID, true, false), 0xFFFF);
	ck_assert_uint_eq(*(uint16_t *)mmu_user(fs_base + MK1_TLS_ONLINE_PPS, true, false), 2);
	/* the microkernel's view of the same page */
	spa = m.pps[0]->ext_abi_page[m.pps[0]->ext->id];
	((uint64_t *)phys_at(spa + MK1_TLS_GPRS))[BF_R8] = 0x1234;
	ck_assert_uint_eq(abi_gprs()[BF_R8], 0x1234);
}
END_TEST

START_TEST(every_pp_comes_in)
{
	machine_defaults(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.nr_pps = 4;
	m.nr_exts = 2;
	machine_init();
	start_and_launch();
	for (uint32_t ppid = 1; ppid < 4; ppid++) {
		m.switch_pages[ppid]->nmi_pending = ppid == 2;
		enter(ppid);
		ck_assert_int_eq(ended.end, END_RING3);
		ck_assert_uint_eq(ended.rip, EXT_BOOTSTRAP);
		ck_assert_uint_eq(ended.arg0, ppid);
		ck_assert_uint_eq(ended.rsp, MK1_EXT_STACK_BASE + ppid * 0x9000 + 0x8000);
		ck_assert_uint_eq(m.pps[ppid]->nmi_pending, ppid == 2);
		ck_assert_uint_eq(launch(), ppid);
	}
}
END_TEST

/* Nothing of the VS that it ran is left, and there is room for another one. */
START_TEST(a_cpu_that_was_reset_comes_in_again)
{
	uint16_t vsid;

	machine_of(0);
	start_and_launch();
	enter(1);
	vsid = launch();
	m.cpus[1].gif = true;
	msr_set(&m.cpus[1], MSR_EFER, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	enter(1);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_BOOTSTRAP);
	ck_assert_ptr_null(vs_find(vsid));
	ck_assert_uint_eq(launch(), vsid);
}
END_TEST

static void bad_magic(struct bf_handoff *h)
{
	h->magic++;
}

static void bad_version(struct bf_handoff *h)
{
	h->version++;
}

static void too_many_pps(struct bf_handoff *h)
{
	h->nr_pps = BF_MAX_PPS + 1;
}

static void too_many_exts(struct bf_handoff *h)
{
	h->nr_exts = BF_MAX_EXTS + 1;
}

static void no_ext(struct bf_handoff *h)
{
	h->nr_exts = 0;
}

static void bad_vendor(struct bf_handoff *h)
{
	h->vendor = BF_VENDOR_NONE;
}

static void too_many_grants(struct bf_handoff *h)
{
	h->nr_grants = BF_MAX_GRANTS + 1;
}

static void grant_for_nobody(struct bf_handoff *h)
{
	h->nr_grants = 1;
	h->grants[0].ext = 1;
	h->grants[0].kind = BF_GRANT_RDMSR;
}

static void args_between_pages(struct bf_handoff *h)
{
	h->args[0].spa += 8;
}

static void args_nowhere(struct bf_handoff *h)
{
	h->args[0].spa = 0;
}

static void too_many_args(struct bf_handoff *h)
{
	h->args[0].size = MK2_ARGS_MAX + 1;
}

static void channel_between_pages(struct bf_handoff *h)
{
	h->channels[0].spa += 8;
}

static void channel_nowhere(struct bf_handoff *h)
{
	h->channels[0].spa = 0;
}

static void small_channel(struct bf_handoff *h)
{
	h->channels[0].size = BF_CHANNEL_MIN - PAGE;
}

static void large_channel(struct bf_handoff *h)
{
	h->channels[0].size = BF_CHANNEL_MAX + PAGE;
}

static void (*const spoil[])(struct bf_handoff *h) = {
	bad_magic,     bad_version,           too_many_pps,     too_many_exts,      no_ext,
	bad_vendor,    too_many_grants,       grant_for_nobody, args_between_pages, args_nowhere,
	too_many_args, channel_between_pages, channel_nowhere,  small_channel,      large_channel
};
#define NR_SPOIL ((int)(sizeof(spoil) / sizeof(spoil[0])))

/* The CPU is as it was, and a better handoff is taken. */
START_TEST(a_bad_handoff_is_refused)
{
	struct bf_handoff good;
	struct cpu before;

	machine_of(0);
	good = *m.handoff;
	before = *cpu;
	spoil[_i](m.handoff);
	enter(0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_ptr_eq(ended.sp, m.switch_pages[0]);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX],
			  spoil[_i] == bad_vendor ? BF_ERR_MK_VENDOR : BF_ERR_MK_VERSION);
	ck_assert_mem_eq(&before, cpu, sizeof(before));
	*m.handoff = good;
	start_and_launch();
}
END_TEST

START_TEST(a_grant_is_taken)
{
	machine_of(_i);
	m.handoff->nr_grants = 1;
	m.handoff->grants[0] = (struct bf_grant){ .kind = BF_GRANT_RDMSR,
						  .first = MSR_APIC_BASE,
						  .last = MSR_APIC_BASE };
	start_and_launch();
	guest_exit(_i ? VMX_EXIT_HLT : SVM_EXIT_HLT);
	ck_assert_uint_eq(SYS(intrinsic_rdmsr, HANDLE, MSR_APIC_BASE), MK1_INVALID_PERM_DENIED);
	ck_assert_uint_ne(SYS(intrinsic_rdmsr, HANDLE, MSR_PAT), MK1_INVALID_PERM_DENIED);
}
END_TEST

/* _i pages, up to more than a start takes: all of it or nothing, and the CPU is Linux's again. */
static void start_with_pages(uint32_t vendor, uint64_t pages)
{
	machine_defaults(vendor);
	m.pool_pages = pages;
	machine_init();
	enter(0);
	if (ended.end == END_RING3)
		return;
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_ERR_MK_POOL);
	/*
	 * Without a single one there is nothing that a PP could fail with: the CPU was not changed.
	 */
	if (!pages)
		return;
	expect_failed(BF_ERR_MK_POOL);
	ck_assert_uint_eq(status_of(0)->fallback, 0);
	ck_assert_uint_eq(cpu->vmxon, false);
	ck_assert_uint_eq(cpu->gif, true);
	ck_assert_uint_eq(msr_get(cpu, MSR_EFER) & EFER_SVME, 0);
	ck_assert_uint_eq(cpu->cr4 & CR4_VMXE, 0);
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), ended.sp->cpu.lstar);
}

#define ENOUGH_PAGES 130

START_TEST(start_with_too_few_pages)
{
	start_with_pages(BF_VENDOR_AMD, (uint64_t)_i);
}
END_TEST

START_TEST(start_with_too_few_pages_vmx)
{
	start_with_pages(BF_VENDOR_INTEL, (uint64_t)_i);
}
END_TEST

/* The second PP finds nothing left. */
START_TEST(second_pp_without_memory)
{
	machine_of(_i & 1);
	start_and_launch();
	drain_pool((unsigned int)_i / 2);
	enter(1);
	if (ended.end == END_RING3)
		return;
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_MK_POOL);
	on_pp(0);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE);
}
END_TEST

static unsigned int pages_left(void)
{
	uint64_t pages[2000];
	unsigned int n = 0, i;

	while ((pages[n] = pool_alloc()) != MK_NO_PAGE)
		n++;
	for (i = n; i > 0; i--)
		pool_free(pages[i - 1]);
	return n;
}

/* The default size of the pool has what each PP takes, and each extension on it. */
START_TEST(what_a_pp_takes)
{
	unsigned int before, taken;

	machine_defaults(_i & 1 ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.la57 = _i & 2;
	m.nr_exts = _i & 4 ? BF_MAX_EXTS : 1;
	m.pool_pages = 1200;
	machine_init();
	if (_i == 3 || _i == 7)
		msr_set(cpu, MSR_VMX_CR4_FIXED1, msr_get(cpu, MSR_VMX_CR4_FIXED1) | CR4_LA57);
	start_and_launch();
	before = pages_left();
	enter(1);
	(void)launch();
	taken = before - pages_left();
	ck_assert_uint_gt(taken, 0);
	ck_assert_uint_le(taken * PAGE, BF_POOL_PER_PP + m.nr_exts * BF_POOL_PER_EXT);
}
END_TEST

START_TEST(a_huge_pool_without_room_for_the_maps)
{
	machine_defaults(BF_VENDOR_AMD);
	m.huge_pages = 2;
	machine_init();
	enter(0);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_MK_POOL);
}
END_TEST

START_TEST(an_old_cpu)
{
	machine_of(0);
	cpuid_set(0, 0, 6, 0, 0, 0);
	machine_without_cr4(CR4_SMEP | CR4_SMAP | CR4_UMIP | CR4_OSXSAVE);
	start_and_launch();
	ck_assert_uint_eq(cpu->cr4, CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	ck_assert_uint_eq(cpu->count[INSN_STAC], 0);
}
END_TEST

/* Root mode has 5 levels where Linux has. Nested tables follow on AMD only. */
START_TEST(five_levels)
{
	const uint64_t *pp_root, *root;
	uint64_t entry;

	machine_defaults(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.la57 = true;
	machine_init();
	if (_i)
		msr_set(cpu, MSR_VMX_CR4_FIXED1, msr_get(cpu, MSR_VMX_CR4_FIXED1) | CR4_LA57);
	start_and_launch();
	ck_assert_uint_eq(cpu->cr4 & CR4_LA57, CR4_LA57);
	ck_assert_uint_eq(mk.levels, 5);
	ck_assert_uint_eq(mk.nested_levels, _i ? 4 : 5);
	ck_assert_uint_gt(nested_walk(LINUX_RAM, &entry), 0);
	guest_exit(_i ? VMX_EXIT_CPUID : SVM_EXIT_CPUID);
	ck_assert_int_eq(ended.end, END_RING3);
	/* the extension's own tables: all but the first entry is the PP's */
	pp_root = phys_at(m.pps[0]->handoff.cr3);
	root = phys_at(cpu->cr3);
	ck_assert_ptr_ne(root, pp_root);
	ck_assert_uint_ne(root[0], pp_root[0]);
	ck_assert_mem_eq(root + 1, pp_root + 1, PAGE - 8);
	/* memory of the guest, in the direct map, and the extension's own */
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, LINUX_RAM), MK1_SUCCESS);
	ck_assert_ptr_nonnull(mmu_user(regs.reg[0], false, false));
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	ck_assert_ptr_nonnull(mmu_user(regs.reg[0], true, false));
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->cpu.cr4 & CR4_LA57, CR4_LA57);
}
END_TEST

/* There is no page for one of the tables. */
START_TEST(five_levels_with_too_few_pages)
{
	machine_defaults(BF_VENDOR_AMD);
	m.la57 = true;
	m.pool_pages = (uint64_t)_i;
	machine_init();
	enter(0);
	if (ended.end == END_RING3)
		return;
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_MK_POOL);
}
END_TEST

/* Linux has no use for XSAVE, but root mode has it: XCR0 is what Linux found in the CPU. */
START_TEST(a_linux_without_xsave)
{
	machine_of(_i);
	m.switch_pages[0]->cpu.cr4 &= ~(uint64_t)CR4_OSXSAVE;
	m.switch_pages[0]->cpu.xcr0 = 0;
	cpu->xcr0 = 3;
	start_and_launch();
	ck_assert_uint_eq(cpu->xcr0, 3);
	ck_assert_uint_eq(reg_read(0, _i ? MK1_INTEL_xcr0 : MK1_AMD_xcr0), 3);
	ck_assert_uint_eq(reg_read(0, _i ? MK1_INTEL_cr4 : MK1_AMD_cr4) & CR4_OSXSAVE, 0);
}
END_TEST

START_TEST(no_bootstrap_callback)
{
	machine_of(0);
	enter(0);
	ck_assert_uint_eq(SYS(control_wait), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_NO_BOOTSTRAP);
	ck_assert_uint_eq(status_of(0)->image, 0);
}
END_TEST

TCase *main_tests(void)
{
	TCase *tc = tcase_create("main");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, linux_becomes_a_guest, 0, 2);
	tcase_add_loop_test(tc, the_cpu_is_as_root_mode_wants_it, 0, 2);
	tcase_add_loop_test(tc, a_pat_that_does_not_serve, 0, 2);
	tcase_add_loop_test(tc, the_extension_sees_its_address_space, 0, 2);
	tcase_add_loop_test(tc, every_pp_comes_in, 0, 2);
	tcase_add_loop_test(tc, a_bad_handoff_is_refused, 0, NR_SPOIL);
	tcase_add_loop_test(tc, a_grant_is_taken, 0, 2);
	tcase_add_loop_test(tc, start_with_too_few_pages, 0, ENOUGH_PAGES);
	tcase_add_loop_test(tc, start_with_too_few_pages_vmx, 0, ENOUGH_PAGES);
	tcase_add_loop_test(tc, second_pp_without_memory, 0, 2 * 26);
	tcase_add_loop_test(tc, what_a_pp_takes, 0, 8);
	tcase_add_test(tc, a_huge_pool_without_room_for_the_maps);
	tcase_add_test(tc, a_cpu_that_was_reset_comes_in_again);
	tcase_add_test(tc, an_old_cpu);
	tcase_add_loop_test(tc, a_linux_without_xsave, 0, 2);
	tcase_add_loop_test(tc, five_levels, 0, 2);
	tcase_add_loop_test(tc, five_levels_with_too_few_pages, 1, ENOUGH_PAGES);
	tcase_add_test(tc, no_bootstrap_callback);
	return tc;
}
