// SPDX-License-Identifier: GPL-2.0-only
/* Whether a guest gets on: what run/stall.c looks at. */
#include "arch/trap.h"
#include "run/stall.h"
#include "svm/stall.h"
#include "svm/svm.h"

#define NAMED(code, name) { code, #name },

static const char *exit_name(uint64_t code)
{
	static const struct {
		uint64_t code;
		const char *name;
	} named[] = { SVM_EXITS(NAMED) };

	for (unsigned int i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (named[i].code == code)
			return named[i].name;
	}
	switch (code) {
	case SVM_EXIT_CR_READ ... SVM_EXIT_DR_READ - 1:
		return "CR";
	case SVM_EXIT_DR_READ ... SVM_EXIT_EXCEPTION - 1:
		return "DR";
	case SVM_EXIT_EXCEPTION ... SVM_EXIT_INTR - 1:
		return "EXCEPTION";
	default:
		return "OTHER";
	}
}

/*
 * The guest waits, is debugged, or has been interrupted. One that is not Linux takes nothing from
 * it, unless it is run again when it is Linux that is to be run: its INTR.
 */
static bool may_come_back(const struct vs *vs, uint64_t code)
{
	if (!vs->root)
		return code != SVM_EXIT_INTR;
	switch (code) {
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_SMI:
	case SVM_EXIT_INIT:
	case SVM_EXIT_VINTR:
	case SVM_EXIT_PAUSE:
	case SVM_EXIT_HLT:
	case SVM_EXIT_IDLE_HLT:
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_MWAIT_ARMED:
	case SVM_EXIT_BUS_LOCK: /* the next one, of a loop */
	case SVM_EXIT_EXCEPTION + VECTOR_DB:
		return true;
	default:
		return false;
	}
}

void svm_watch_exit(struct pp *pp, struct vs *vs)
{
	const struct vmcb *vmcb = vmcb_of(vs);
	const struct stall_exit exit = { vmcb->exitcode,
					 vmcb->rip,
					 { vmcb->exitinfo1, vmcb->exitinfo2 } };

	stall_exit(pp, vs, &exit, may_come_back(vs, exit.reason) ? NULL : exit_name(exit.reason));
}

void svm_watch_entry(struct pp *pp, const struct vs *vs)
{
	const struct vmcb *vmcb = vmcb_of(vs);
	bool interrupt = vmcb->virtual_interrupt & SVM_V_IRQ && vmcb->rflags & RFLAGS_IF;

	stall_entry(pp, vs, vmcb->rip, interrupt || vmcb->eventinj & SVM_EVENT_VALID);
}
