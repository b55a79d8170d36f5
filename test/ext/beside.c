// SPDX-License-Identifier: GPL-2.0-only
/*
 * An extension beside the default one: it only runs a guest, in memory of a module's, and does what
 * that asks for by hypercalls (beside.h). It has neither bootstrap nor vmexit callback, and needs
 * the rights guests, hypercalls and debug.
 */
#include "test/kselftest/caller/beside.h"

#include <abi/handoff.h>
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/linux.h>

const char ext_name[] = "beside";

#define GUEST_ASID 2

static bool is_svm;
static uint64_t vmid;

/* By PP. */
static struct pp {
	bool made;
	uint64_t vpid, vsid; /* of the guest */
	uint64_t linux_vpid, linux_vsid;
	uint64_t in_exit; /* BESIDE_FAULT_IN_EXIT or BESIDE_LOOP_IN_EXIT, or 0 */
} pps[BF_MAX_PPS];

static uint64_t reg(uint64_t amd, uint64_t intel)
{
	return is_svm ? amd : intel;
}

static struct pp *this_pp(void)
{
	return &pps[mk1_tls_ppid() % BF_MAX_PPS];
}

static __noreturn void fault(void)
{
	for (;;)
		__asm__ volatile("ud2");
}

static __noreturn void loop(void)
{
	for (;;)
		__asm__ volatile("pause");
}

/* Linux goes on behind its hypercall. */
static __noreturn void answer(uint64_t rdx, uint64_t rsi)
{
	mk1_set_rax(BESIDE_CALL);
	mk1_set_rdx(rdx);
	mk1_set_rsi(rsi);
	mk1_vs_advance_ip_and_run_current(MK1_HANDLE);
	fault();
}

/* The same out of an exit of the guest: Linux is there already. */
static __noreturn void answer_late(const struct pp *pp, uint64_t rdx, uint64_t rsi)
{
	if (mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, pp->linux_vpid, pp->linux_vsid) !=
	    MK1_SUCCESS)
		fault();
	mk1_set_rax(BESIDE_CALL);
	mk1_set_rdx(rdx);
	mk1_set_rsi(rsi);
	mk1_vs_run_current(MK1_HANDLE);
	fault();
}

static void in_guest_exit(uint64_t vsid, uint64_t reason)
{
	struct pp *pp = this_pp();

	if (pp->in_exit == BESIDE_FAULT_IN_EXIT)
		fault();
	if (pp->in_exit == BESIDE_LOOP_IN_EXIT)
		loop();
	if (reason == reg(SVM_EXIT_INTR, VMX_EXIT_EXTERNAL_INTERRUPT))
		answer_late(pp, BESIDE_INTERRUPTED, reason);
	if (reason == reg(SVM_EXIT_HLT, VMX_EXIT_HLT))
		answer_late(pp, BESIDE_HALTED, reason);
	ext_print("beside: exit 0x%llx at 0x%llx\n", (unsigned long long)reason,
		  (unsigned long long)vs_get(vsid, reg(MK1_AMD_rip, MK1_INTEL_rip)));
	answer_late(pp, BESIDE_OTHER, reason);
}

static uint64_t make(uint64_t spa)
{
	uint64_t status = mk1_vm_create_vm(MK1_HANDLE, &vmid);

	if (status == MK1_SUCCESS)
		status = mk2_vm_set_handler(MK2_HANDLE, vmid, (uint64_t)in_guest_exit);
	if (status == MK1_SUCCESS)
		status = mk2_vm_nested_map(MK2_HANDLE, vmid, 0, spa,
					   BESIDE_PAGES * (uint64_t)BF_PAGE_SIZE, MK2_NESTED_RWX);
	return status;
}

/* 64-bit mode, ring 0, flat; page tables in the first pages. */
static void write_state(uint64_t vsid)
{
	const struct {
		uint64_t amd, intel; /* register numbers */
		uint64_t amd_value, intel_value;
	} values[] = {
		{ MK1_AMD_efer, MK1_INTEL_efer, EFER_LME | EFER_LMA, EFER_LME | EFER_LMA },
		{ MK1_AMD_cr0, MK1_INTEL_cr0, CR0_PE | CR0_NE | CR0_ET | CR0_PG,
		  CR0_PE | CR0_NE | CR0_ET | CR0_PG },
		{ MK1_AMD_cr3, MK1_INTEL_cr3, 0, 0 },
		{ MK1_AMD_cr4, MK1_INTEL_cr4, CR4_PAE, CR4_PAE },
		{ MK1_AMD_dr7, MK1_INTEL_dr7, 0x400, 0x400 },
		{ MK1_AMD_rflags, MK1_INTEL_rflags, 0x202, 0x202 },
		{ MK1_AMD_cs_selector, MK1_INTEL_cs_selector, 0x8, 0x8 },
		{ MK1_AMD_cs_attrib, MK1_INTEL_cs_attrib, 0xA9B, 0xA09B },
		{ MK1_AMD_cs_limit, MK1_INTEL_cs_limit, UINT32_MAX, UINT32_MAX },
		{ MK1_AMD_ss_selector, MK1_INTEL_ss_selector, 0x10, 0x10 },
		{ MK1_AMD_ss_attrib, MK1_INTEL_ss_attrib, 0xC93, 0xC093 },
		{ MK1_AMD_ss_limit, MK1_INTEL_ss_limit, UINT32_MAX, UINT32_MAX },
		{ MK1_AMD_ds_attrib, MK1_INTEL_ds_attrib, 0, 0x10000 },
		{ MK1_AMD_es_attrib, MK1_INTEL_es_attrib, 0, 0x10000 },
		{ MK1_AMD_fs_attrib, MK1_INTEL_fs_attrib, 0, 0x10000 },
		{ MK1_AMD_gs_attrib, MK1_INTEL_gs_attrib, 0, 0x10000 },
		{ MK1_AMD_ldtr_attrib, MK1_INTEL_ldtr_attrib, 0, 0x10000 },
		{ MK1_AMD_tr_attrib, MK1_INTEL_tr_attrib, 0x8B, 0x8B },
		{ MK1_AMD_tr_limit, MK1_INTEL_tr_limit, 0x67, 0x67 },
	};

	for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		vs_set(vsid, reg(values[i].amd, values[i].intel),
		       is_svm ? values[i].amd_value : values[i].intel_value);
	if (is_svm) {
		vs_set(vsid, MK1_AMD_guest_asid, GUEST_ASID);
		vs_set(vsid, MK1_AMD_intercept_instruction1,
		       SVM_INSTR1_CPUID | SVM_INSTR1_HLT | SVM_INSTR1_SHUTDOWN);
		vs_set(vsid, MK1_AMD_intercept_instruction2, SVM_INSTR2_VMRUN);
	} else {
		const uint64_t primary = MK1_INTEL_primary_proc_based_vm_execution_ctls;

		vs_set(vsid, primary, vs_get(vsid, primary) | VMX_PRIMARY_HLT);
	}
}

static bool make_vs(struct pp *pp)
{
	if (pp->made)
		return true;
	if (mk1_vp_create_vp(MK1_HANDLE, vmid, &pp->vpid) != MK1_SUCCESS ||
	    mk1_vs_create_vs(MK1_HANDLE, pp->vpid, mk1_tls_ppid(), &pp->vsid) != MK1_SUCCESS ||
	    mk2_vs_nested_attach(MK2_HANDLE, pp->vsid) != MK1_SUCCESS)
		return false;
	write_state(pp->vsid);
	pp->made = true;
	return true;
}

static __noreturn void run(uint64_t rip, uint64_t in_exit)
{
	struct pp *pp = this_pp();

	if (!make_vs(pp))
		fault();
	if (rip != BESIDE_GO_ON)
		vs_set(pp->vsid, reg(MK1_AMD_rip, MK1_INTEL_rip), rip);
	pp->in_exit = in_exit;
	pp->linux_vpid = mk1_tls_vpid();
	pp->linux_vsid = mk1_tls_vsid();
	mk1_vs_advance_ip_and_run(MK1_HANDLE, vmid, pp->vpid, pp->vsid);
	fault();
}

/* What an extension with guests, hypercalls and debug has no right to. */
static __noreturn void try_denied(void)
{
	uint64_t va, spa, vsid = mk1_tls_vsid();
	const uint64_t statuses[] = {
		mk1_callback_register_vmexit(MK1_HANDLE, (uint64_t)in_guest_exit),
		mk1_callback_register_bootstrap(MK1_HANDLE, (uint64_t)in_guest_exit),
		mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, 0x1000, &va),
		mk1_vp_create_vp(MK1_HANDLE, MK1_ROOT_VMID, &va),
		mk1_vs_read(MK1_HANDLE, vsid, reg(MK1_AMD_cr3, MK1_INTEL_cr3), &va),
		mk1_vs_write(MK1_HANDLE, vsid, reg(MK1_AMD_rip, MK1_INTEL_rip), 0),
		mk1_vs_promote(MK1_HANDLE, vsid),
		mk1_intrinsic_rdmsr(MK1_HANDLE, MSR_TSC_AUX, &va),
		mk1_intrinsic_wrmsr(MK1_HANDLE, MSR_TSC_AUX, 0),
		mk1_mem_alloc_page(MK1_HANDLE, &va, &spa),
		mk1_mem_alloc_huge(MK1_HANDLE, 0x1000, &va, &spa),
		mk2_mem_donate(MK2_HANDLE, 0x1000, 0x1000),
	};
	const uint64_t count = sizeof(statuses) / sizeof(statuses[0]);
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < count; i++) {
		if (statuses[i] == MK1_INVALID_PERM_DENIED)
			continue;
		wrong++;
		ext_print("beside: call %llu gives 0x%llx\n", (unsigned long long)i,
			  (unsigned long long)statuses[i]);
	}
	answer(wrong, count);
}

static __noreturn void reply(uint64_t result0, uint64_t b, uint64_t c, uint64_t d)
{
	mk2_ext_reply(MK2_HANDLE, result0, b, c, d);
	fault();
}

/* Registers that a function preserves are changed: they are not the caller's. */
static void in_entry(uint64_t caller, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	uint64_t unused;

	__asm__ volatile("mov $-1, %%rbx\n\t"
			 "mov %%rbx, %%r12\n\t"
			 "mov %%rbx, %%r13\n\t"
			 "mov %%rbx, %%r14\n\t"
			 "mov %%rbx, %%r15"
			 :
			 :
			 : "rbx", "r12", "r13", "r14", "r15");
	mk1_set_rbp(0xBAD);
	mk1_set_r15(0xBAD);
	switch (a) {
	case ACROSS_ADD:
		reply(caller == 0 ? a + b + c + d : 0, b, c, d);
	case ACROSS_BACK:
		reply(mk2_ext_call(MK2_HANDLE, 0, 0, 0, 0, 0, &unused, &unused, &unused, &unused),
		      b, c, d);
	case ACROSS_LOOP:
		loop();
	default:
		fault();
	}
}

static __noreturn void across(uint64_t arg)
{
	uint64_t result[4];
	uint64_t status = mk2_ext_call(MK2_HANDLE, 0, arg, 2, 3, 4, &result[0], &result[1],
				       &result[2], &result[3]);

	if (status == MK1_SUCCESS && (result[1] != arg || result[2] != 2 || result[3] != 3))
		fault();
	answer(status, result[0]);
}

static void in_hypercall(uint64_t vsid, uint64_t reason)
{
	uint64_t arg = mk1_rdx();

	(void)vsid;
	(void)reason;
	switch (mk1_rax() - BESIDE_CALL) {
	case BESIDE_INFO:
		answer(mk1_tls_extid(), mk1_tls_ppid());
	case BESIDE_MAKE:
		answer(make(arg), 0);
	case BESIDE_RUN:
		run(arg, 0);
	case BESIDE_FAULT_IN_EXIT:
	case BESIDE_LOOP_IN_EXIT:
		run(arg, mk1_rax() - BESIDE_CALL);
	case BESIDE_LOOP:
		loop();
	case BESIDE_DENIED:
		try_denied();
	case BESIDE_MAP:
		answer(mk2_vm_nested_map(MK2_HANDLE, vmid, 0x100000, arg, BF_PAGE_SIZE,
					 MK2_NESTED_RWX),
		       0);
	case BESIDE_ACROSS:
		across(arg);
	default:
		fault();
	}
}

int ext_start(uint64_t specs)
{
	uint64_t handle;

	is_svm = cpu_is_amd();
	if (!(specs & MK2_SPEC_MASK) ||
	    mk1_handle_open_handle(MK1_SPEC_ID, &handle) != MK1_SUCCESS ||
	    mk1_handle_open_handle(MK2_SPEC_ID, &handle) != MK1_SUCCESS)
		return 1;
	/* Without a right to it, nobody can call. */
	(void)mk2_ext_set_entry(MK2_HANDLE, (uint64_t)in_entry);
	return mk2_hypercall_route(MK2_HANDLE, BESIDE_CALL, BESIDE_LAST, (uint64_t)in_hypercall) !=
	       MK1_SUCCESS;
}
