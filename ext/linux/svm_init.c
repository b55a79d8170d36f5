// SPDX-License-Identifier: MIT
/* AMD: start-up IPIs after an INIT, where the microkernel keeps CPUs (bfm start --keep-cpus). */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <ext/linux/cpuid.h>
#include <ext/linux/svm.h>

struct reg_value {
	uint8_t reg;
	uint32_t value;
};

// clang-format off
#define SEGMENT_AT_INIT(seg, attrib) \
	{ MK1_AMD_##seg##_selector, 0 }, { MK1_AMD_##seg##_base, 0 }, \
	{ MK1_AMD_##seg##_limit, 0xFFFF }, { MK1_AMD_##seg##_attrib, attrib }

/*
 * APM vol. 2 table 14-1, column INIT, and RIP as of the IPI; what is not here keeps its value. TR
 * is a TSS of 32 bits: some CPUs do not begin long mode with one of 16.
 */
static const struct reg_value init_state[] = {
	{ MK1_AMD_rax, 0 }, { MK1_AMD_rbx, 0 }, { MK1_AMD_rcx, 0 }, { MK1_AMD_rbp, 0 },
	{ MK1_AMD_rsi, 0 }, { MK1_AMD_rdi, 0 }, { MK1_AMD_r8, 0 }, { MK1_AMD_r9, 0 },
	{ MK1_AMD_r10, 0 }, { MK1_AMD_r11, 0 }, { MK1_AMD_r12, 0 }, { MK1_AMD_r13, 0 },
	{ MK1_AMD_r14, 0 }, { MK1_AMD_r15, 0 }, { MK1_AMD_rsp, 0 },
	{ MK1_AMD_rflags, RFLAGS_FIXED }, { MK1_AMD_rip, 0 }, { MK1_AMD_cpl, 0 },
	{ MK1_AMD_cr2, 0 }, { MK1_AMD_cr3, 0 }, { MK1_AMD_cr4, 0 }, { MK1_AMD_cr8, 0 },
	{ MK1_AMD_efer, EFER_SVME },
	SEGMENT_AT_INIT(es, 0x93), SEGMENT_AT_INIT(ss, 0x93), SEGMENT_AT_INIT(ds, 0x93),
	SEGMENT_AT_INIT(fs, 0x93), SEGMENT_AT_INIT(gs, 0x93), SEGMENT_AT_INIT(ldtr, 0x82),
	SEGMENT_AT_INIT(tr, 0x8B),
	{ MK1_AMD_cs_limit, 0xFFFF }, { MK1_AMD_cs_attrib, 0x9B },
	{ MK1_AMD_gdtr_base, 0 }, { MK1_AMD_gdtr_limit, 0xFFFF },
	{ MK1_AMD_idtr_base, 0 }, { MK1_AMD_idtr_limit, 0xFFFF },
	{ MK1_AMD_dr0, 0 }, { MK1_AMD_dr1, 0 }, { MK1_AMD_dr2, 0 }, { MK1_AMD_dr3, 0 },
	{ MK1_AMD_dr6, DR6_RESET }, { MK1_AMD_dr7, DR7_RESET },
	{ MK1_AMD_virtual_interrupt_b, 0 }, { MK1_AMD_eventinj, 0 },
};
// clang-format on

void svm_startup(uint64_t vsid, uint64_t vector)
{
	uint64_t cr0 = vs_get(vsid, MK1_AMD_cr0) & (CR0_CD | CR0_NW);

	for (size_t i = 0; i < sizeof(init_state) / sizeof(init_state[0]); i++)
		vs_set(vsid, init_state[i].reg, init_state[i].value);
	vs_set(vsid, MK1_AMD_rdx, cpuid(1, 0).eax);
	vs_set(vsid, MK1_AMD_cr0, cr0 | CR0_ET);
	vs_set(vsid, MK1_AMD_cs_selector, vector << 8);
	vs_set(vsid, MK1_AMD_cs_base, vector << 12);
	flush_tlb(vsid);
}
