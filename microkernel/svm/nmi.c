// SPDX-License-Identifier: GPL-2.0-only
#include "svm/nmi.h"

#include <bsl/bits.h>

#include "arch/apic.h"
#include "arch/desc.h"
#include "mem/tlb.h"
#include "mk.h"
#include "svm/entry.h"
#include "svm/event.h"
#include "svm/fetch.h"
#include "svm/startup.h"
#include "svm/svm.h"

/* Of an NMI to this CPU itself: tries, and how often it looks whether one has come. */
#define TRIES 10
#define LOOKS 10000

/*
 * The first instructions of a handler use no more of its stack. What comes behind them in Linux
 * bears an NMI, as faults and breakpoints of its own unblock them, too.
 */
#define FIRST_BYTES BF_PAGE_SIZE

/*
 * How often what was read of the gate and the TSS is taken for what is there still. Linux changes
 * neither once it has an NMI stack, and each look costs over a thousand instructions, for every
 * exit with interrupts off; but nothing tells us if somebody does.
 */
#define USES 256

/* The stack that the gate of NMIs gives them (APM vol. 2 §8.9.4); false: none. */
static bool find_nmi_stack(const struct vmcb *vmcb, struct nmi_stack *stack)
{
	uint64_t gate;
	unsigned int ist;

	if (!svm_read_guest(vmcb, vmcb->idtr.base + VECTOR_NMI * sizeof(struct idt_gate), &gate))
		return false;
	ist = (unsigned int)bsl_field_get(gate, 32, 3);
	if (!ist ||
	    !svm_read_guest(vmcb, vmcb->tr.base + offsetof(struct tss, ist[ist - 1]), &stack->top))
		return false;
	stack->idt_base = vmcb->idtr.base;
	stack->tr_base = vmcb->tr.base;
	return true;
}

/* Whether RSP is at the top of that stack. */
static bool on_nmi_stack(struct pp *pp, const struct vmcb *vmcb)
{
	struct nmi_stack *stack = &pp->svm.nmi_stack;

	if (!(vmcb->efer & EFER_LMA))
		return false;
	if (!stack->uses || stack->idt_base != vmcb->idtr.base || stack->tr_base != vmcb->tr.base) {
		stack->uses = find_nmi_stack(vmcb, stack) ? USES : 0;
		if (!stack->uses)
			return false;
	}
	stack->uses--;
	return stack->top - vmcb->rsp <= FIRST_BYTES;
}

void svm_unblock_nmis(struct pp *pp, const struct vs *vs)
{
	unblock_nmis();
	/* What is true of Linux stays so while another VS runs. */
	if (vs->root)
		pp->nmis_blocked = on_nmi_stack(pp, vmcb_of(vs));
}

/* In the handler of an NMI, which has them blocked until the next IRET. That is left to Linux. */
static void enter(struct pp *pp)
{
	struct vs *vs = pp->vs;

	clgi();
	pp->on_nmi = NULL;
	if (pp->tlb->recallable)
		(void)svm_open_window(pp, vs); /* an NMI that is on its way waits for its end */
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
