/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of svm/ share. */
#ifndef MK_SVM_SVM_H
#define MK_SVM_SVM_H

#include <abi/hw/svm.h>
#include <abi/types.h>
#include <bsl/compiler.h>

#include "mk.h"
#include "obj/active.h"
#include "pp.h"
#include "run/exit.h"
#include "run/leave.h"
#include "svm/decode.h"
#include "vendor.h"

struct svm {
	bool has_nrip;
	bool has_np;
	bool has_1g_pages;
	bool has_invlpgb; /* and a guest can be given it */
	bool has_v_spec_ctrl; /* a SPEC_CTRL of the guest's own */
	bool has_cet; /* S_CET, SSP and ISST_ADDR are exchanged */
	uint32_t asids; /* ASIDs are 0 (host) to this - 1 */
	uint32_t root_asid; /* with INVLPGB: that of Linux on all PPs; 0: not chosen yet */
	uint32_t idle_flush; /* TLB_CONTROL where nothing is to be flushed */
	uint64_t cr4_bits; /* that the CPU knows */
	/* Bits of 060h, 090h and 0B8h: features that the CPU has, but no guest gets. */
	uint64_t refused_interrupt, refused_np, refused_virt_ext;
	uint64_t open_maps; /* SPA of permission maps that intercept nothing */
};

extern struct svm svm;

static inline struct vmcb *vmcb_of(const struct vs *vs)
{
	return vs->block;
}

/* cpu.c */
enum bf_error svm_cpu_enable(struct pp *pp);
void svm_cpu_disable(struct pp *pp);
void svm_set_host(struct pp *pp, uint64_t cr3, uint64_t fs_base);
bool svm_has_nested(void);
bool svm_nested_leaf(uint64_t spa, uint64_t size, uint64_t *attr);

/* 090h for a VS that holds Linux: what Linux uses is there, and the hypervisor is not. */
static inline uint64_t svm_root_np_control(void)
{
	return (mk.root_npt ? SVM_NP_ENABLE : 0) | (svm.has_invlpgb ? SVM_INVLPGB_ENABLE : 0);
}

/*
 * cpu.c: whether Linux may have this ASID. INVLPGB reaches the translations of one ASID on all CPUs
 * (APM vol. 3), so Linux must have the same one everywhere. The first to ask decides.
 */
bool svm_claim_root_asid(uint32_t asid);

/* regs.c */
uint64_t svm_vs_read(struct vs *vs, uint64_t reg, uint64_t *value);
uint64_t svm_vs_write(struct vs *vs, uint64_t reg, uint64_t value);

/* checks.c: which of the conditions for VMRUN the VMCB misses */
void svm_print_checks(const struct vmcb *vmcb);

/*
 * fetch.c: the bytes at the guest's RIP, as many as can be read, and the address behind the
 * instruction that they are; false: not, or not any more, the one that exited.
 */
size_t svm_fetch(const struct vmcb *vmcb, uint8_t bytes[DECODE_MAX_LENGTH]);
enum decode_mode svm_decode_mode(const struct vmcb *vmcb);
bool svm_next_rip(const struct vmcb *vmcb, uint64_t *next);

/*
 * insns.c: whether the exit can have been one of the instruction whose opcode, the first of n
 * bytes, this is. Exits that belong to no instruction fit all of them.
 */
bool svm_insn_fits(const struct vmcb *vmcb, const uint8_t *bytes, size_t n);

/* exit.c */
__noreturn void svm_vs_run(struct vs *vs);
/* Last of all before VMRUN, with GIF clear: what pp->before_entry says. May not come back. */
__cold noinline void svm_before_entry(struct pp *pp, struct vs *vs);
__cold noinline __noreturn void svm_run_kicked(struct pp *pp,
					       struct vs *vs); /* or an NMI first: tlb.h */
void svm_fallback_init(struct vs *vs);
__noreturn void svm_exit(void);

/* entry.S: VMRUN of the VMCB at spa; ends in svm_exit. */
__noreturn void svm_enter(uint64_t spa);

/* With GIF clear, NMI, SMI, INIT and #MC wait (APM vol. 2 §15.17). */
static inline void clgi(void)
{
	__asm__ volatile("clgi" : : : "memory");
}

static inline void stgi(void)
{
	__asm__ volatile("stgi" : : : "memory");
}

/* Into the guest. From here on NMIs wait for it: VMRUN sets GIF. */
static __always_inline __noreturn void svm_run(struct pp *pp, struct vs *vs)
{
	clgi();
	vmcb_of(vs)->rax = abi_gprs()[BF_RAX];
	if (unlikely(!tlb_enter_guest(pp)))
		svm_run_kicked(pp, vs);
	if (unlikely(pp->before_entry))
		svm_before_entry(pp, vs);
	svm_enter(vs->block_spa);
}

#endif
