/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of vmx/ share. */
#ifndef MK_VMX_VMX_H
#define MK_VMX_VMX_H

#include <abi/types.h>
#include <bsl/compiler.h>

#include "mem/mem.h"
#include "obj/active.h"
#include "pp.h"
#include "run/exit.h"
#include "run/leave.h"
#include "vendor.h"
#include "vmx/vmcs.h"

/* Which bits of a control field must and may be 1 (SDM vol. 3, A.2 to A.5). */
struct vmx_ctl {
	uint32_t must;
	uint32_t may;
};

#define VMX_MAX_LISTED 3

/* What all CPUs offer. Filled by the first PP. */
struct vmx {
	bool present;
	uint32_t revision; /* of the VMCS */
	struct vmx_ctl pin, primary, secondary, exit, entry;
	uint64_t cr0_fixed0, cr0_fixed1; /* bits that must be 1, bits that may be 1 */
	uint64_t cr4_fixed0, cr4_fixed1;
	uint64_t ept_vpid; /* IA32_VMX_EPT_VPID_CAP, 0 without EPT and VPID */
	uint64_t open_maps; /* SPA of a page of zeroes: bitmaps that make nothing exit */
	/* exchange.c: controls that every VS has, and its items in the MSR lists */
	bool exchange_chosen;
	uint32_t entry_exchange, exit_exchange;
	unsigned int nr_listed;
	uint8_t listed[VMX_MAX_LISTED];
};

extern struct vmx vmx;

/* An entry of an MSR list, SDM vol. 3 §25.7.2. */
struct vmx_msr {
	uint32_t index;
	uint32_t reserved;
	uint64_t value;
};

/* MSRs of the guest that root mode uses for itself: lists let the CPU exchange them. */
enum { VMX_STAR, VMX_LSTAR, VMX_FMASK, VMX_NR_MSRS };

#define VMX_NR_ASIDE 3

/* What belongs to a VS beside its VMCS: the page at vs->msr_area. */
struct vmx_area {
	struct vmx_msr
		guest[VMX_NR_MSRS + VMX_MAX_LISTED]; /* stored by an exit, loaded by an entry */
	struct vmx_msr host[VMX_NR_MSRS + VMX_MAX_LISTED]; /* loaded by an exit */
	uint64_t dr6; /* the guest's, while in root mode */
	uint64_t cstar; /* while not active; root mode leaves both in the CPU */
	uint64_t kernel_gs_base;
	uint64_t host_cr3; /* as the VMCS has it */
	uint64_t aside[VMX_NR_ASIDE]; /* captured, but no part of bf_cpu_state: vs.c */
	bool nmi_window; /* the extension itself asked for the exit */
	bool acknowledge; /* it asked for interrupts to be acknowledged by exits */
	uint32_t cr8_exiting; /* its own PRIMARY_CR8_* */
	uint64_t told; /* the last exit's reason, if the CPU has reported another or none; else 0 */
	bool own_ept; /* the EPT is the one that nested.c built */
	bool raw_crs; /* CR0 and CR4 may lack what VMX insists on: vmx_complete_crs */
};

static inline struct vmx_area *area_of(const struct vs *vs)
{
	return phys_to_virt(vs->msr_area);
}

/* cpu.c */
enum bf_error vmx_cpu_enable(struct pp *pp);
void vmx_cpu_disable(struct pp *pp);
void vmx_set_host(struct pp *pp, uint64_t cr3, uint64_t fs_base);
bool vmx_clear(uint64_t spa); /* VMCLEAR; false: the CPU refused it */
bool vmx_load(uint64_t spa); /* VMPTRLD */

/* ept.c */
bool vmx_has_nested(void);
bool vmx_nested_leaf(uint64_t spa, uint64_t size, uint64_t *attr);
bool vmx_nested_types_changed(void);
uint64_t vmx_root_eptp(void);
void vmx_flush_everything(void); /* all EPTs and VPIDs on this PP */
void vmx_flush_ept(uint64_t eptp);
void vmx_flush_vpid(uint64_t vpid);
void vmx_flush_gla(uint64_t vpid, uint64_t gla);

/*
 * controls.c: completes a value for a control field by what the hypervisor needs, and takes away
 * what the CPU lacks; false: refused
 */
bool vmx_judge_controls(const struct vs *vs, uint64_t field, uint64_t *value);
bool vmx_init_controls(const struct vs *vs);
bool vmx_controls_offered(void);
/* Bits of CR0 that must be 1 in this VS as it is. */
uint64_t vmx_cr0_forced(void);
__cold noinline void vmx_complete_crs(struct vmx_area *area);

/* exchange.c: on this PP, after VMXON; in a new VS, whose VMCS is the current one */
void vmx_exchange_enable(void);
bool vmx_exchange_init(struct vs *vs);
/* From and to the captured state; to the CPU, after VMXOFF. */
void vmx_exchange_load(struct vs *vs, const struct bf_cpu_state *state);
void vmx_exchange_save(struct vs *vs, struct bf_cpu_state *state);
void vmx_exchange_leave(const struct bf_cpu_state *state);

/* vs.c */
bool vmx_try_current(struct vs *vs); /* makes the VMCS the current one of this PP */
void vmx_current(struct vs *vs); /* the same, and a refusal is the PP's end */
void vmx_vs_clear(struct vs *vs);
enum advance vmx_vs_advance_ip(struct vs *vs);
void vmx_vs_advance_ip_and_run(struct vs *vs);
void vmx_vs_dump(struct vs *vs);
/* CR0 and CR4 as the guest reads them. */
uint64_t vmx_guest_cr0(void);
uint64_t vmx_guest_cr4(void);
/* Gives the guest this CR0 or CR4, with what VMX insists on behind its back. */
void vmx_set_guest_cr0(uint64_t value);
void vmx_set_guest_cr4(uint64_t value);

/* regs.c */
uint64_t vmx_vs_read(struct vs *vs, uint64_t reg, uint64_t *value);
uint64_t vmx_vs_write(struct vs *vs, uint64_t reg, uint64_t value);

/* exit.c */
__noreturn void vmx_vs_run(struct vs *vs); /* __noreturn is no part of the type */
/* The entries that need more than the general registers. */
__cold noinline __noreturn void vmx_run_slow(struct pp *pp, struct vs *vs);
__cold noinline __noreturn void vmx_run_kicked(struct pp *pp,
					       struct vs *vs); /* or an NMI first: tlb.h */
void vmx_inject(uint64_t event);
void vmx_reinject(void); /* the event whose delivery the exit interrupted */
__noreturn void vmx_inject_ud(
	struct vs *vs); /* at the instruction that exited, and into the guest */
__noreturn void vmx_inject_gp(struct vs *vs);
void vmx_owe(struct pp *pp);
__noreturn void vmx_exit(void);
__noreturn void vmx_entry_failed(uint64_t rflags);

/* cr8.c: what a MOV to a control register moves */
uint64_t vmx_cr_operand(uint64_t qualification);
/* MOV to or from CR8, which has exited unasked. Returns when it is something else. */
void vmx_cr8_exit(struct vs *vs);

/* fallback.c */
void vmx_fallback_init(struct vs *vs);
__noreturn void vmx_fallback_exit(struct vs *vs, uint64_t reason);

/* checks.c: the name of a VM-instruction error; what guest state and controls lack for VM entry */
const char *vmx_error_name(uint64_t number);
void vmx_print_checks(void);
void vmx_print_control_checks(void);

/* entry.S */
__noreturn void vmx_enter(bool launched);
__noreturn void vmx_resume(void);
void vmx_exit_entry(void);

/*
 * Into the guest. pp->entry_dirty is set by whatever may leave something for the entry to do:
 * another VMCS or none is current, the extension is another one, the guest's CR2 or DR6 is not in
 * the CPU any more, an NMI is owed to the root VS. An NMI behind the look at it sees to everything
 * itself: vmx_owe.
 */
static __always_inline __noreturn void vmx_run(struct pp *pp, struct vs *vs)
{
	if (unlikely(pp->entry_dirty))
		vmx_run_slow(pp, vs);
	if (unlikely(!tlb_enter_guest(pp)))
		vmx_run_kicked(pp, vs);
	vmx_resume();
}

#endif
