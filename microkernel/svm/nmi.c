// SPDX-License-Identifier: GPL-2.0-only
#include "svm/nmi.h"

#include <bsl/bits.h>

#include "arch/apic.h"
#include "arch/desc.h"
#include "mem/tlb.h"
#include "svm/entry.h"
#include "svm/event.h"
#include "svm/fetch.h"
#include "svm/svm.h"

/* Of an NMI to this CPU itself: tries, and how often it looks whether one has come. */
#define TRIES 10
#define LOOKS 10000

/*
 * The first instructions of a handler use no more of its stack. What comes behind them in Linux
 * bears an NMI, as faults and breakpoints of its own unblock them, too.
 */
#define FIRST_BYTES BF_PAGE_SIZE

/* Whether the gate of NMIs gives them a stack (APM vol. 2 §8.9.4), and RSP is at its top. */
static bool on_nmi_stack(const struct vmcb *vmcb)
{
	uint64_t gate, top;
	unsigned int ist;

	if (!(vmcb->efer & EFER_LMA) ||
	    !svm_read_guest(vmcb, vmcb->idtr.base + VECTOR_NMI * sizeof(struct idt_gate), &gate))
		return false;
	ist = (unsigned int)bsl_field_get(gate, 32, 3);
	return ist &&
	       svm_read_guest(vmcb, vmcb->tr.base + offsetof(struct tss, ist[ist - 1]), &top) &&
	       top - vmcb->rsp <= FIRST_BYTES;
}

void svm_unblock_nmis(struct pp *pp, const struct vs *vs)
{
	unblock_nmis();
	/* What is true of Linux stays so while another VS runs. */
	if (vs->root)
		pp->nmis_blocked = on_nmi_stack(vmcb_of(vs));
}

/* In the handler of an NMI, which has them blocked until the next IRET. That is left to Linux. */
static void enter(struct pp *pp)
{
	struct vs *vs = pp->vs;

	clgi();
	pp->on_nmi = NULL;
	svm_take_owed(pp, vs);
	svm_enter(vs->block_spa);
}

/*
 * Nothing but taking an NMI blocks them. One of somebody else's that comes in this moment and
 * becomes one with it is lost.
 */
void svm_enter_nmi_handler(struct pp *pp)
{
	pp->nmis_blocked = false;
	pp->on_nmi = enter;
	for (unsigned int try = 0; try < TRIES && apic_send_nmi(pp->tlb->apic_id); try++) {
		stgi();
		for (unsigned int look = 0; look < LOOKS; look++)
			__asm__ volatile("pause");
		clgi();
	}
	pp->on_nmi = NULL;
}
