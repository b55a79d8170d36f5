// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which runs a guest of its own next to Linux: a few instructions in 64-bit
 * mode, in memory that it allocated. What is done is in ECX of a CPUID with EAX = GUEST_LEAF:
 *
 *   0  a VM, VP and VS of its own behind a nested page table
 *   1  another VS on the root VP, without nested paging
 *   2  as 0, but the guest stays, and is then migrated to the next PP
 *   3  on that PP: it goes on, and is migrated back
 *   4  on the first PP: it goes on, and is destroyed
 *
 * An exit for Linux lets Linux run, which then executes its CPUID again: so it is stepped over only
 * when the guest has done its part.
 */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <bsl/paging.h>

#include "test/ext/lib/hooks.h"
#include "test/ext/lib/verify.h"

#define GUEST_LEAF 0x4000F0E5
#define DO_NESTED 0
#define DO_SAME_VP 1
#define DO_MIGRATE 2
#define DO_GO_ON 3
#define DO_END 4

#define ROUNDS 3 /* of the guest's loop, each time that it runs */

/* The guest's memory: one page each, from guest-virtual 0 on. */
enum { PAGE_PML4, PAGE_PDPT, PAGE_PD, PAGE_PT, PAGE_CODE, PAGE_DATA, PAGE_LATE, NR_PAGES };

#define AT(page) ((uint64_t)(page) * BF_PAGE_SIZE)
#define PTE_ALL (BSL_PTE_P | BSL_PTE_W | BSL_PTE_U) /* for EPT read, write, execute */
#define NESTED_LEVELS 4

#define GUEST_ASID 2

#define VMCALL_LAST_BYTE 0xC1 /* in place of VMMCALL's D9 */

/*
 * Every exit of the guest is one of these, in this order. RAX is answered by the extension, R15
 * counts rounds; the registers that no exit saves get values of the guest's own.
 */
extern const uint8_t code_begin[], code_call[], code_touch[], code_halt[], code_end[];
__asm__(".pushsection .rodata\n"
	"code_begin:\n\t"
	"cpuid\n\t"
	"mov %rax, 0x5000\n\t"
	"mov %r12, %cr8\n\t"
	"mov %r13, %dr1\n\t"
	"mov %r14, %cr2\n\t"
	"inc %r15\n"
	"code_call:\n\t"
	"vmmcall\n"
	"code_touch:\n\t"
	"mov 0x6000, %r11\n\t"
	"mov %r11, 0x5008\n"
	"code_halt:\n\t"
	"hlt\n\t"
	"jmp code_begin\n"
	"code_end:\n"
	".popsection");

enum step { STEP_CPUID, STEP_CALL, STEP_TOUCH, STEP_HALT };

static struct {
	uint64_t vmid, vpid, vsid;
	uint64_t va, spa; /* of its memory */
	uint64_t nested[NESTED_LEVELS]; /* addresses of the tables, by level - 1 */
	bool exists;
	bool is_nested;
	bool is_late_page_there;
	bool under_way; /* the command that Linux gives again is this one */
	unsigned int command;
	unsigned int round;
	enum step step;
} guest;

/* Linux, while the guest runs. */
static struct {
	uint64_t vpid, vsid;
	uint64_t dr1, cr2, cr8, xcr0;
	uint64_t rbx, r15;
} linux_vs;

static uint64_t answer_of(unsigned int round)
{
	return 0xA5A5000000000000 + round;
}

static uint64_t initial_gpr(unsigned int n)
{
	return 0x1111111111111111ull * n;
}

static uint64_t reg(uint64_t amd, uint64_t intel)
{
	return is_svm ? amd : intel;
}

/* --- the guest's memory and state ------------------------------------------------------------- */

static uint64_t *guest_page(unsigned int page)
{
	return (uint64_t *)(guest.va + AT(page));
}

/* Guest-physical is from 0 on behind the nested table, and the machine's without it. */
static uint64_t guest_physical(unsigned int page)
{
	return AT(page) + (guest.is_nested ? 0 : guest.spa);
}

static void map_nested(unsigned int page)
{
	uint64_t *table = (uint64_t *)guest.nested[0];

	table[page] = (guest.spa + AT(page)) | PTE_ALL | (is_svm ? 0 : VMX_EPT_WB);
}

static bool make_nested(uint64_t *root)
{
	uint64_t spa[NESTED_LEVELS];

	for (unsigned int i = 0; i < NESTED_LEVELS; i++) {
		if (!VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &guest.nested[i], &spa[i]),
				   MK1_SUCCESS))
			return false;
		if (i)
			*(uint64_t *)guest.nested[i] = spa[i - 1] | PTE_ALL;
	}
	for (unsigned int page = 0; page < PAGE_LATE; page++)
		map_nested(page);
	*root = spa[NESTED_LEVELS - 1];
	return true;
}

static bool make_memory(void)
{
	uint8_t *code;

	if (!VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, AT(NR_PAGES), &guest.va, &guest.spa),
			   MK1_SUCCESS))
		return false;
	for (unsigned int page = PAGE_PML4; page < PAGE_PT; page++)
		*guest_page(page) = guest_physical(page + 1) | PTE_ALL;
	for (unsigned int page = 0; page < NR_PAGES; page++)
		guest_page(PAGE_PT)[page] = guest_physical(page) | PTE_ALL;
	/* The page that comes late is missing in the nested table if there is one, else here. */
	if (!guest.is_nested)
		guest_page(PAGE_PT)[PAGE_LATE] = 0;
	code = (uint8_t *)guest_page(PAGE_CODE);
	for (unsigned int i = 0; i < (unsigned int)(code_end - code_begin); i++)
		code[i] = code_begin[i];
	if (!is_svm)
		code[code_call - code_begin + 2] = VMCALL_LAST_BYTE;
	*guest_page(PAGE_LATE) = 0x1A7E;
	return true;
}

struct value {
	uint64_t amd, intel; /* register numbers */
	uint64_t amd_value, intel_value;
};

/* 64-bit mode, ring 0, flat. */
static void write_state(uint64_t nested_root)
{
	const uint64_t cr0 = CR0_PE | CR0_NE | CR0_ET | CR0_PG, cr4 = CR4_PAE;
	const uint64_t cr3 = guest_physical(PAGE_PML4);
	const struct value values[] = {
		{ MK1_AMD_efer, MK1_INTEL_efer, EFER_LME | EFER_LMA, EFER_LME | EFER_LMA },
		{ MK1_AMD_cr0, MK1_INTEL_cr0, cr0, cr0 },
		{ MK1_AMD_cr3, MK1_INTEL_cr3, cr3, cr3 },
		{ MK1_AMD_cr4, MK1_INTEL_cr4, cr4, cr4 },
		{ MK1_AMD_dr7, MK1_INTEL_dr7, 0x400, 0x400 },
		{ MK1_AMD_rflags, MK1_INTEL_rflags, 0x2, 0x2 },
		{ MK1_AMD_rip, MK1_INTEL_rip, AT(PAGE_CODE), AT(PAGE_CODE) },
		{ MK1_AMD_rsp, MK1_INTEL_rsp, AT(PAGE_DATA + 1), AT(PAGE_DATA + 1) },
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
		{ MK1_AMD_tr_limit, MK1_INTEL_tr_limit, 0x67, 0x67 }
	};
	static const struct value more_amd[] = {
		{ MK1_AMD_guest_asid, 0, GUEST_ASID, 0 },
		{ MK1_AMD_intercept_instruction1, 0,
		  SVM_INSTR1_CPUID | SVM_INSTR1_HLT | SVM_INSTR1_SHUTDOWN, 0 },
		{ MK1_AMD_intercept_instruction2, 0, SVM_INSTR2_VMRUN | SVM_INSTR2_VMMCALL, 0 },
		{ MK1_AMD_intercept_exception, 0, EXCEPTION_BIT(VECTOR_PF), 0 }
	};

	for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		vs_set(guest.vsid, reg(values[i].amd, values[i].intel),
		       is_svm ? values[i].amd_value : values[i].intel_value);
	if (is_svm) {
		for (unsigned int i = 0; i < sizeof(more_amd) / sizeof(more_amd[0]); i++)
			vs_set(guest.vsid, more_amd[i].amd, more_amd[i].amd_value);
		vs_set(guest.vsid, MK1_AMD_ctls1, guest.is_nested);
		vs_set(guest.vsid, MK1_AMD_n_cr3, nested_root);
	} else {
		const uint64_t primary = MK1_INTEL_primary_proc_based_vm_execution_ctls;

		vs_set(guest.vsid, MK1_INTEL_exception_bitmap, EXCEPTION_BIT(VECTOR_PF));
		vs_set(guest.vsid, primary,
		       vs_get(guest.vsid, primary) | VMX_PRIMARY_HLT |
			       (guest.is_nested ? VMX_PRIMARY_SECONDARY : 0));
		if (guest.is_nested) {
			vs_set(guest.vsid, MK1_INTEL_secondary_proc_based_vm_execution_ctls,
			       VMX_SECONDARY_EPT);
			vs_set(guest.vsid, MK1_INTEL_ept_pointer,
			       nested_root | VMX_EPTP_4_LEVELS | VMX_EPTP_WB);
		}
	}
}

/* RAX to R15 without RSP: 1 to 15 times 0x1111... RBX is number 2, R15 number 15. */
static void write_gprs(void)
{
	static const uint64_t amd[] = { MK1_AMD_rax, MK1_AMD_rbx, MK1_AMD_rcx, MK1_AMD_rdx,
					MK1_AMD_rbp, MK1_AMD_rsi, MK1_AMD_rdi, MK1_AMD_r8,
					MK1_AMD_r9,  MK1_AMD_r10, MK1_AMD_r11, MK1_AMD_r12,
					MK1_AMD_r13, MK1_AMD_r14, MK1_AMD_r15 };

	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		vs_set(guest.vsid, reg(amd[i], MK1_INTEL_rax + i), initial_gpr(i + 1));
	/* What the guest loads into CR8, DR1, CR2; and how often it went round. */
	vs_set(guest.vsid, reg(MK1_AMD_r12, MK1_INTEL_r12), 5);
	vs_set(guest.vsid, reg(MK1_AMD_r13, MK1_INTEL_r13), 0xD1D1000);
	vs_set(guest.vsid, reg(MK1_AMD_r14, MK1_INTEL_r14), 0xC2C2000);
	vs_set(guest.vsid, reg(MK1_AMD_r15, MK1_INTEL_r15), 0);
}

static bool make_guest(void)
{
	bool same_vp = guest.command == DO_SAME_VP;
	uint64_t nested_root = 0;

	guest.is_nested = !same_vp;
	guest.is_late_page_there = false;
	guest.vmid = MK1_ROOT_VMID;
	guest.vpid = mk1_tls_vpid();
	if (!same_vp &&
	    (!VERIFY_STATUS(mk1_vm_create_vm(MK1_HANDLE, &guest.vmid), MK1_SUCCESS) ||
	     !VERIFY_STATUS(mk1_vp_create_vp(MK1_HANDLE, guest.vmid, &guest.vpid), MK1_SUCCESS)))
		return false;
	if (!VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, guest.vpid, mk1_tls_ppid(), &guest.vsid),
			   MK1_SUCCESS) ||
	    !make_memory() || (guest.is_nested && !make_nested(&nested_root)))
		return false;
	write_state(nested_root);
	write_gprs();
	return true;
}

static void destroy_guest(void)
{
	guest.exists = false;
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, guest.vsid), MK1_SUCCESS);
	if (guest.vmid != MK1_ROOT_VMID) {
		VERIFY_STATUS(mk1_vp_destroy_vp(MK1_HANDLE, guest.vpid), MK1_SUCCESS);
		VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, guest.vmid), MK1_SUCCESS);
	}
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, guest.va), MK1_SUCCESS);
	for (unsigned int i = 0; guest.is_nested && i < NESTED_LEVELS; i++)
		VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, guest.nested[i]), MK1_SUCCESS);
}

/* --- Linux and the guest in turn -------------------------------------------------------------- */

/* Linux's XCR0 may only be read where Linux has enabled XSAVE. */
static void remember_linux(void)
{
	linux_vs.vpid = mk1_tls_vpid();
	linux_vs.vsid = mk1_tls_vsid();
	linux_vs.dr1 = vs_get(linux_vs.vsid, reg(MK1_AMD_dr1, MK1_INTEL_dr1));
	linux_vs.cr2 = vs_get(linux_vs.vsid, reg(MK1_AMD_cr2, MK1_INTEL_cr2));
	linux_vs.cr8 = vs_get(linux_vs.vsid, reg(MK1_AMD_cr8, MK1_INTEL_cr8));
	linux_vs.xcr0 = vs_get(linux_vs.vsid, reg(MK1_AMD_xcr0, MK1_INTEL_xcr0));
	linux_vs.rbx = mk1_rbx();
	linux_vs.r15 = mk1_r15();
}

static void check_linux(void)
{
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_dr1, MK1_INTEL_dr1)) == linux_vs.dr1);
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_cr2, MK1_INTEL_cr2)) == linux_vs.cr2);
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_cr8, MK1_INTEL_cr8)) == linux_vs.cr8);
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_xcr0, MK1_INTEL_xcr0)) == linux_vs.xcr0);
	VERIFY(mk1_rbx() == linux_vs.rbx);
	VERIFY(mk1_r15() == linux_vs.r15);
}

/* While another VS is active, Linux's is not; its registers can be read all the same. */
static void check_apart(void)
{
	VERIFY(vs_get(guest.vsid, reg(MK1_AMD_dr1, MK1_INTEL_dr1)) == 0xD1D1000);
	VERIFY(vs_get(guest.vsid, reg(MK1_AMD_cr2, MK1_INTEL_cr2)) == 0xC2C2000);
	VERIFY(vs_get(guest.vsid, reg(MK1_AMD_cr8, MK1_INTEL_cr8)) == 5);
	VERIFY(vs_get(guest.vsid, reg(MK1_AMD_xcr0, MK1_INTEL_xcr0)) == 1);
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_dr1, MK1_INTEL_dr1)) == linux_vs.dr1);
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_cr2, MK1_INTEL_cr2)) == linux_vs.cr2);
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_cr8, MK1_INTEL_cr8)) == linux_vs.cr8);
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_xcr0, MK1_INTEL_xcr0)) == linux_vs.xcr0);
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_rbx, MK1_INTEL_rbx)) == linux_vs.rbx);
	VERIFY(vs_get(linux_vs.vsid, reg(MK1_AMD_r15, MK1_INTEL_r15)) == linux_vs.r15);
}

/* The guest is moved to another PP, and is out of reach from then on. */
static void migrate(uint64_t to)
{
	uint64_t value;

	VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, linux_vs.vsid, to), MK1_INVALID_INPUT_REG(1));
	VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, guest.vsid, MK1_INVALID_ID),
		      MK1_INVALID_INPUT_REG(2));
	VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, guest.vsid, to), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vs_read(MK1_HANDLE, guest.vsid, reg(MK1_AMD_rip, MK1_INTEL_rip), &value),
		      MK1_INVALID_INPUT_REG(1));
	VERIFY_STATUS(mk1_vs_run(MK1_HANDLE, guest.vmid, guest.vpid, guest.vsid),
		      MK1_INVALID_INPUT_REG(3));
}

/* Linux has something to do; it comes back. */
static __noreturn void let_linux_run(void)
{
	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, linux_vs.vpid, linux_vs.vsid),
		      MK1_SUCCESS);
	check_linux();
	resume(linux_vs.vsid);
}

/* Back to Linux, after its CPUID. */
static __noreturn void back_to_linux(void)
{
	uint64_t ppid = mk1_tls_ppid();

	VERIFY_STATUS(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, linux_vs.vpid, linux_vs.vsid),
		      MK1_SUCCESS);
	check_linux();
	guest.under_way = false;
	if (guest.command == DO_MIGRATE)
		migrate(ppid + 1);
	else if (guest.command == DO_GO_ON)
		migrate(ppid - 1);
	else
		destroy_guest();
	resume_next(linux_vs.vsid);
}

/* --- the guest's exits ------------------------------------------------------------------------ */

static void check_exit(uint64_t reason, uint64_t wanted, const uint8_t *at)
{
	VERIFY(reason == wanted);
	VERIFY(vs_get(guest.vsid, reg(MK1_AMD_rip, MK1_INTEL_rip)) ==
	       AT(PAGE_CODE) + (uint64_t)(at - code_begin));
	VERIFY(mk1_tls_vmid() == guest.vmid && mk1_tls_vpid() == guest.vpid &&
	       mk1_tls_vsid() == guest.vsid);
}

static void on_cpuid(uint64_t reason)
{
	check_exit(reason, reg(SVM_EXIT_CPUID, VMX_EXIT_CPUID), code_begin);
	if (mk1_r15() == 0) {
		VERIFY(mk1_rax() == initial_gpr(1) && mk1_rbx() == initial_gpr(2) &&
		       mk1_rcx() == initial_gpr(3) && mk1_rdx() == initial_gpr(4) &&
		       mk1_rbp() == initial_gpr(5) && mk1_rsi() == initial_gpr(6) &&
		       mk1_rdi() == initial_gpr(7) && mk1_r8() == initial_gpr(8) &&
		       mk1_r9() == initial_gpr(9) && mk1_r10() == initial_gpr(10) &&
		       mk1_r11() == initial_gpr(11));
	}
	mk1_set_rax(answer_of(guest.round));
	guest.step = STEP_CALL;
	resume_next(guest.vsid);
}

static void on_call(uint64_t reason)
{
	check_exit(reason, reg(SVM_EXIT_VMMCALL, VMX_EXIT_VMCALL), code_call);
	VERIFY(*guest_page(PAGE_DATA) == answer_of(guest.round));
	check_apart();
	guest.step = guest.is_late_page_there ? STEP_HALT : STEP_TOUCH;
	resume_next(guest.vsid);
}

/* The page that is not there comes, and the instruction is executed again. */
static void on_touch(uint64_t reason)
{
	if (guest.is_nested) {
		check_exit(reason, reg(SVM_EXIT_NPF, VMX_EXIT_EPT_VIOLATION), code_touch);
		VERIFY((vs_get(guest.vsid, reg(MK1_AMD_exitinfo2, MK1_INTEL_physical_address)) &
			~(uint64_t)BF_PAGE_MASK) == AT(PAGE_LATE));
		map_nested(PAGE_LATE);
	} else {
		check_exit(reason, reg(SVM_EXIT_EXCEPTION + VECTOR_PF, VMX_EXIT_EXCEPTION_NMI),
			   code_touch);
		VERIFY(vs_get(guest.vsid, reg(MK1_AMD_exitinfo2, MK1_INTEL_exit_qualification)) ==
		       AT(PAGE_LATE));
		guest_page(PAGE_PT)[PAGE_LATE] = guest_physical(PAGE_LATE) | PTE_ALL;
	}
	guest.is_late_page_there = true;
	guest.step = STEP_HALT;
	resume(guest.vsid);
}

static void on_halt(uint64_t reason)
{
	check_exit(reason, reg(SVM_EXIT_HLT, VMX_EXIT_HLT), code_halt);
	VERIFY(mk1_r11() == 0x1A7E && guest_page(PAGE_DATA)[1] == 0x1A7E);
	guest.round++;
	VERIFY(mk1_r15() == guest.round);
	guest.step = STEP_CPUID;
	if (guest.round % ROUNDS)
		resume_next(guest.vsid);
	VERIFY_STATUS(mk1_vs_advance_ip_and_set_active(MK1_HANDLE, MK1_ROOT_VMID, linux_vs.vpid,
						       linux_vs.vsid),
		      MK1_SUCCESS);
	back_to_linux();
}

static void on_guest_exit(uint64_t reason)
{
	if (reason == reg(SVM_EXIT_INTR, VMX_EXIT_EXTERNAL_INTERRUPT))
		let_linux_run();
	if (verify_failed)
		back_to_linux(); /* what would follow says nothing any more */
	switch (guest.step) {
	case STEP_CPUID:
		on_cpuid(reason);
		break;
	case STEP_CALL:
		on_call(reason);
		break;
	case STEP_TOUCH:
		on_touch(reason);
		break;
	default:
		on_halt(reason);
		break;
	}
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	if (guest.exists && vsid == guest.vsid)
		on_guest_exit(reason);
	verify_answer();
	if ((uint32_t)mk1_rax() != GUEST_LEAF)
		return;
	guest.command = (uint32_t)mk1_rcx();
	remember_linux();
	if (guest.command <= DO_MIGRATE && !guest.under_way) {
		guest.round = 0;
		guest.step = STEP_CPUID;
		if (!make_guest())
			resume_next(vsid);
	}
	guest.exists = true;
	guest.under_way = true;
	VERIFY_STATUS(mk1_vs_run(MK1_HANDLE, guest.vmid, guest.vpid, guest.vsid), MK1_SUCCESS);
	resume_next(vsid);
}

const struct ext_hooks ext_hooks = {
	.vmexit = in_vmexit,
};
