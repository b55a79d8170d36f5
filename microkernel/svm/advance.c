// SPDX-License-Identifier: GPL-2.0-only
/* Past the instruction that exited. */
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "svm/advance.h"
#include "svm/fetch.h"
#include "svm/run.h"
#include "svm/svm.h"

#define CPUID_OPCODE 0xA20F /* little-endian */

typedef uint16_t __attribute__((aligned(1))) opcode16; /* instructions lie anywhere */

/* Whether a CPUID without prefixes stands at rip, in the page that svm_fetch read last. */
static __always_inline bool is_plain_cpuid(const struct pp *pp, const struct vmcb *vmcb,
					   uint64_t rip)
{
	uint64_t offset = rip & BF_PAGE_MASK;

	if (!svm_code_is_at_hand(pp, vmcb, rip) || offset > BF_PAGE_SIZE - 2)
		return false;
	return *(const volatile opcode16 *)(BF_PP_TEMP + offset) == CPUID_OPCODE;
}

/*
 * Another CPU has changed or unmapped the instruction since it exited, which it may at any time.
 * The guest goes on at what stands there now: whatever the extension made of the general registers
 * is taken back.
 */
static __cold noinline void execute_again(const struct pp *pp, const struct vs *vs)
{
	if (exit_was_last(pp, vs))
		bsl_memcpy(abi_gprs(), pp->exit_gpr, sizeof(pp->exit_gpr));
}

/*
 * An instruction that is skipped ends the interrupt shadow and, with TF set, traps (§15.7.1),
 * unless TF is for branches only (§13.1.1, DebugCtl).
 */
static __always_inline void complete(struct vmcb *vmcb)
{
	vmcb->interrupt_shadow &= ~(uint64_t)SVM_INTERRUPT_SHADOW;
	if (vmcb->rflags & (RFLAGS_TF | RFLAGS_RF)) {
		vmcb->rflags &= ~(uint64_t)RFLAGS_RF;
		if (vmcb->rflags & RFLAGS_TF && !(vmcb->eventinj & SVM_EVENT_VALID) &&
		    !(svm_debugctl() & DEBUGCTL_BTF)) {
			vmcb->dr6 |= DR6_BS;
			vmcb->eventinj = SVM_EVENT_VALID | SVM_EVENT_TYPE_EXCEPTION | VECTOR_DB;
			vmcb->clean = 0;
		}
	}
}

/* false: it is to be executed again. */
static __always_inline bool advance_ip(struct vs *vs)
{
	struct vmcb *vmcb = vmcb_of(vs);

	if (svm.has_nrip && vmcb->nrip) {
		vmcb->rip = vmcb->nrip;
	} else if (vmcb->exitcode == SVM_EXIT_CPUID && is_plain_cpuid(this_pp(), vmcb, vmcb->rip)) {
		vmcb->rip += 2;
	} else if (vmcb->exitcode == SVM_EXIT_IOIO) {
		vmcb->rip = vmcb->exitinfo2;
	} else if (!svm_next_rip(vmcb, &vmcb->rip)) {
		execute_again(this_pp(), vs);
		return false;
	}
	complete(vmcb);
	return true;
}

void svm_advance_by(struct vmcb *vmcb, unsigned int length)
{
	vmcb->rip += length;
	if (svm_decode_mode(vmcb) != DECODE_64)
		vmcb->rip = (uint32_t)vmcb->rip;
	complete(vmcb);
}

enum advance svm_vs_advance_ip(struct vs *vs)
{
	return advance_ip(vs) ? ADVANCE_DONE : ADVANCE_AGAIN;
}

void svm_vs_advance_ip_and_run(struct vs *vs)
{
	(void)advance_ip(vs);
	svm_run(this_pp(), vs);
}
