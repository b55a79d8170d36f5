/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests share of how an extension, a PP or Linux goes on, or ends. */
#ifndef TEST_MK_RUN_H
#define TEST_MK_RUN_H

#include "../guest.h"

static inline void in_vmexit(int vendor)
{
	machine_of(vendor);
	start_and_launch();
	guest_exit(cpuid_reason());
}

/* Linux has its CPU, with the state that was in the VS, and nothing of ours in it. */
static inline void expect_bare(const struct bf_cpu_state *want)
{
	const struct bf_cpu_state *got = &m.switch_pages[0]->cpu;
	const struct cpu *c = &m.cpus[0];

	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_ptr_eq(ended.sp, m.switch_pages[0]);
	ck_assert_uint_eq(got->rip, want->rip);
	ck_assert_uint_eq(got->cr0, want->cr0);
	ck_assert_uint_eq(got->cr3, want->cr3);
	ck_assert_uint_eq(got->cr4, want->cr4);
	ck_assert_uint_eq(got->gs.base, want->gs.base);
	ck_assert_uint_eq(got->tr.selector, want->tr.selector);
	ck_assert_uint_eq(got->idtr.limit, want->idtr.limit);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_EFER), want->efer);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_STAR), want->star);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_LSTAR), want->lstar);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_CSTAR), want->cstar);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_FMASK), want->fmask);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_KERNEL_GS_BASE), want->kernel_gs_base);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_SYSENTER_CS), want->sysenter_cs);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_SYSENTER_ESP), want->sysenter_esp);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_SYSENTER_EIP), want->sysenter_eip);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_PAT), want->pat);
	ck_assert_uint_eq(c->cr2, want->cr2);
	ck_assert_uint_eq(c->dr[6], want->dr6);
	ck_assert_uint_eq(c->dr[7], want->dr7);
	ck_assert_uint_eq(c->tr, want->tr.selector);
	ck_assert_uint_eq(c->gdtr.base, (uint64_t)m.switch_pages[0]->gdt);
	ck_assert_uint_eq(c->idtr.base, (uint64_t)m.switch_pages[0]->idt);
	ck_assert_uint_eq(c->vmxon, false);
	ck_assert_uint_eq(c->cr4 & CR4_VMXE, 0);
	ck_assert_uint_eq(c->gif, true);
	if (m.vendor == BF_VENDOR_AMD)
		ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_VM_HSAVE_PA), 0x1234000);
}

/* Linux executes VMMCALL or VMCALL with this in RAX. */
static inline void linux_calls(uint64_t number)
{
	struct vs *vs = host_pp->vs;

	abi_gprs()[BF_RAX] = number;
	if (intel()) {
		vmcs_put(vs->block_spa, VMCS_vmexit_instruction_length, 3);
		guest_exit(VMX_EXIT_VMCALL);
	} else {
		vmcb_of(vs)->rax = number;
		vmcb_of(vs)->nrip = vmcb_of(vs)->rip + 3;
		guest_exit(SVM_EXIT_VMMCALL);
	}
}

/* What it finds there then. */
static inline uint64_t answer_to_linux(void)
{
	return intel() ? abi_gprs()[BF_RAX] : vmcb()->rax;
}

static inline struct trap_frame user_fault(uint64_t vector)
{
	struct trap_frame f = { .vector = vector,
				.error_code = 6,
				.rip = EXT_ENTRY + 0x20,
				.cs = BF_SEL_USER_CS,
				.rflags = 0x202,
				.rsp = 0x5000,
				.ss = BF_SEL_USER_SS };

	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		f.gpr[i] = 0x100 + i;
	return f;
}

/* Linux is a guest of the microkernel alone now; the driver can still stop it. */
static inline void expect_alone(enum bf_error error)
{
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(error);
	ck_assert_uint_eq(status_of(0)->fallback, 1);
	ck_assert_uint_eq(host_pp->fallback, true);
	ck_assert_ptr_eq(host_pp->vs, host_pp->root_vs);
	abi_gprs()[BF_RAX] = BF_HYPERCALL_STOP;
	if (m.vendor == BF_VENDOR_INTEL) {
		vmcs_put(host_pp->vs->block_spa, VMCS_vmexit_instruction_length, 3);
		guest_exit(VMX_EXIT_VMCALL);
	} else {
		vmcb_of(host_pp->vs)->rax = BF_HYPERCALL_STOP;
		vmcb_of(host_pp->vs)->nrip = 0x1003;
		guest_exit(SVM_EXIT_VMMCALL);
	}
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_FAILED);
	ck_assert_uint_eq(status_of(0)->fallback, 0);
	ck_assert_uint_eq(status_of(0)->error, error);
}

static inline struct trap_frame nmi_from(uint64_t cs)
{
	return (struct trap_frame){ .vector = VECTOR_NMI,
				    .rip = EXT_ENTRY + 7,
				    .cs = cs,
				    .rsp = 0x1230,
				    .rflags = RFLAGS_DF | RFLAGS_FIXED };
}

#endif
