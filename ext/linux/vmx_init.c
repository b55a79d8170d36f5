// SPDX-License-Identifier: MIT
/* Intel: start-up IPIs after an INIT, which the microkernel has mostly seen to. */
#include <ext/linux/cpuid.h>
#include <ext/linux/vmx.h>

struct reg_value {
	uint8_t reg;
	uint32_t value;
};

// clang-format off
#define SEGMENT_AT_INIT(seg, attrib) \
	{ MK1_INTEL_##seg##_selector, 0 }, { MK1_INTEL_##seg##_base, 0 }, \
	{ MK1_INTEL_##seg##_limit, 0xFFFF }, { MK1_INTEL_##seg##_attrib, attrib }

/*
 * SDM vol. 3 table 10-1, column INIT, and RIP as of the IPI (§10.4.1); what is not here keeps its
 * value.
 */
static const struct reg_value init_state[] = {
	{ MK1_INTEL_rax, 0 }, { MK1_INTEL_rbx, 0 }, { MK1_INTEL_rcx, 0 }, { MK1_INTEL_rbp, 0 },
	{ MK1_INTEL_rsi, 0 }, { MK1_INTEL_rdi, 0 }, { MK1_INTEL_r8, 0 }, { MK1_INTEL_r9, 0 },
	{ MK1_INTEL_r10, 0 }, { MK1_INTEL_r11, 0 }, { MK1_INTEL_r12, 0 }, { MK1_INTEL_r13, 0 },
	{ MK1_INTEL_r14, 0 }, { MK1_INTEL_r15, 0 }, { MK1_INTEL_rsp, 0 },
	{ MK1_INTEL_rflags, RFLAGS_FIXED }, { MK1_INTEL_rip, 0 },
	{ MK1_INTEL_cr2, 0 }, { MK1_INTEL_cr3, 0 }, { MK1_INTEL_cr8, 0 }, { MK1_INTEL_efer, 0 },
	SEGMENT_AT_INIT(es, 0x93), SEGMENT_AT_INIT(ss, 0x93), SEGMENT_AT_INIT(ds, 0x93),
	SEGMENT_AT_INIT(fs, 0x93), SEGMENT_AT_INIT(gs, 0x93), SEGMENT_AT_INIT(ldtr, 0x82),
	SEGMENT_AT_INIT(tr, 0x8B),
	{ MK1_INTEL_cs_limit, 0xFFFF }, { MK1_INTEL_cs_attrib, 0x9B },
	{ MK1_INTEL_gdtr_base, 0 }, { MK1_INTEL_gdtr_limit, 0xFFFF },
	{ MK1_INTEL_idtr_base, 0 }, { MK1_INTEL_idtr_limit, 0xFFFF },
	{ MK1_INTEL_dr0, 0 }, { MK1_INTEL_dr1, 0 }, { MK1_INTEL_dr2, 0 }, { MK1_INTEL_dr3, 0 },
	{ MK1_INTEL_dr6, DR6_RESET }, { MK1_INTEL_dr7, DR7_RESET }, { MK1_INTEL_debugctl, 0 },
	{ MK1_INTEL_interruptibility_state, 0 }, { MK1_INTEL_pending_debug_exceptions, 0 },
	{ MK1_INTEL_vmentry_interrupt_information_field, 0 },
	{ MK1_INTEL_activity_state, VMX_ACTIVITY_ACTIVE },
};
// clang-format on

/* What VM entry wants of a CPU that waits (§29.3.1.5), beside that it does. */
void vmx_init_signal(uint64_t vsid)
{
	vs_set(vsid, MK1_INTEL_vmentry_interrupt_information_field, 0);
	vs_set(vsid, MK1_INTEL_interruptibility_state, 0);
	vs_set(vsid, MK1_INTEL_pending_debug_exceptions, 0);
	vs_set(vsid, MK1_INTEL_activity_state, VMX_ACTIVITY_WAIT_FOR_SIPI);
}

/* Exits of CPUs that wait for it may report blockings that VM entry refuses then (§29.3.1.5). */
void vmx_startup(uint64_t vsid, uint64_t vector)
{
	uint64_t cr0 = vmx_get_cr0(vsid) & (CR0_CD | CR0_NW);
	uint64_t entry = vs_get(vsid, MK1_INTEL_vmentry_ctls);

	if (vmx_cr0_forced(vsid) & CR0_PE)
		give_up("INIT, and this CPU runs no guest in real mode", vsid, 0);
	vs_set(vsid, MK1_INTEL_vmentry_ctls, entry & ~(uint64_t)VMX_ENTRY_CTL_IA32E_GUEST);
	for (size_t i = 0; i < sizeof(init_state) / sizeof(init_state[0]); i++)
		vs_set(vsid, init_state[i].reg, init_state[i].value);
	vs_set(vsid, MK1_INTEL_rdx, cpuid(1, 0).eax);
	vmx_set_cr0(vsid, cr0 | CR0_ET);
	vmx_set_cr4(vsid, 0);
	vs_set(vsid, MK1_INTEL_cs_selector, vector << 8);
	vs_set(vsid, MK1_INTEL_cs_base, vector << 12);
	flush_tlb(vsid);
}
