/* SPDX-License-Identifier: GPL-2.0-only */
/* What SVM and VMX keep in a VS and in a PP beyond what both have: data only. */
#ifndef MK_VENDOR_STATE_H
#define MK_VENDOR_STATE_H

#include <abi/types.h>

struct vs;

struct svm_vs_state {
	/* Intercepts and features that the extension itself asked for: */
	bool intr_masking; /* V_INTR_MASKING */
	bool gp_exiting;
	bool msr_exiting;
	bool vmmcall_exiting;
	bool invlpgb;
	uint64_t interrupted; /* EXITINTINFO when the state was captured */
	uint64_t cr3; /* when it was active last */
	uint64_t tag; /* of its translations; those under its former tags are not to be used */
	uint64_t nested_top; /* with 5 levels: SPA of a table above the extension's; 0: none yet */
};

#define VMX_NR_EXTRA_FIELDS 3

struct vmx_vs_state {
	bool launched; /* VMRESUME, not VMLAUNCH */
	bool new_here; /* it has not been active since it was cleared */
	bool nmi_window; /* the extension itself asked for the exit */
	bool acknowledge; /* it asked for interrupts to be acknowledged by exits */
	bool own_ept; /* the EPT is the one that mem/nested.c built */
	bool raw_crs; /* CR0 and CR4 may lack what VMX insists on: vmx_complete_crs */
	uint32_t cr8_exiting; /* the extension's own PRIMARY_CR8_* */
	uint64_t cr2, dr6; /* the guest's, while in root mode */
	uint64_t cstar, kernel_gs_base; /* while not active; root mode leaves both in the CPU */
	uint64_t host_cr3; /* as the VMCS has it */
	uint64_t told; /* the last exit's reason, if the CPU has reported another or none; else 0 */
	uint64_t extra_fields[VMX_NR_EXTRA_FIELDS]; /* captured, but not in bf_cpu_state: vs.c */
	uint64_t msr_lists; /* SPA of struct vmx_msr_lists */
};

/*
 * SVM without next-RIP save: the page that the guest executed last, and the entries of its page
 * tables on the way there. They stay mapped in the BF_PP_TEMP slots. As long as the entries read
 * the same, the page need not be looked for again.
 */
struct code_window {
	uint64_t page; /* guest RIP without the offset; ~0: none */
	uint64_t cr3;
	uint64_t efer;
	uint16_t cs_attrib;
	unsigned int levels;
	const volatile uint64_t *entry[5];
	uint64_t value[5];
};

/* Where the stack of Linux's NMI handler begins, while IDTR and TR are these. */
struct nmi_stack {
	uint64_t idt_base, tr_base;
	uint64_t top;
	unsigned int uses; /* without a look at memory, that are left */
};

#define SVM_NR_ASID_OWNERS 16

struct svm_pp_state {
	uint64_t host_vmcb; /* SPA */
	uint64_t entry_page; /* SPA */
	bool entry_kept; /* entry_page has the VMCB with which the last entry began */
	uint32_t intercepts; /* the first word of them, while there is an NMI window */
	uint64_t hsave; /* SPA of the host save area */
	uint64_t saved_hsave; /* VM_HSAVE_PA before us */
	struct code_window code;
	struct nmi_stack nmi_stack;
	/* By ASID, modulo their number: the tag of the translations that the TLB has there. */
	uint64_t asid_owners[SVM_NR_ASID_OWNERS];
};

struct vmx_pp_state {
	struct vs *vmcs; /* the VS whose VMCS is current, or NULL */
	uint64_t host_cr3, host_fs_base; /* what exits load */
	uint64_t cstar, kernel_gs_base; /* in the CPU, while no VS is active */
	uint64_t vmxon_region; /* SPA */
	uint64_t started_at; /* exits with the last start-up IPI; 0: there was none */
	bool init; /* one came while another guest ran: Linux is to wait for such an IPI */
};

#endif
