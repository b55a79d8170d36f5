/* SPDX-License-Identifier: GPL-2.0-only */
/* Events for the guest, and what is owed to Linux: NMIs and machine checks. */
#ifndef MK_SVM_EVENT_H
#define MK_SVM_EVENT_H

#include <abi/types.h>

struct pp;
struct vmcb;
struct vs;

/* With the next entry, at the instruction that exited. */
void svm_inject(struct vmcb *vmcb, uint64_t event);
void svm_inject_ud(struct vmcb *vmcb);
void svm_inject_gp(struct vmcb *vmcb);
/*
 * Again the event whose delivery the exit interrupted, but for one that comes from an instruction:
 * that is executed again (APM vol. 2 §15.7.2).
 */
void svm_reinject(struct vmcb *vmcb);
/*
 * At each exit that has interrupted one: QEMU says of external interrupts and NMIs that they are
 * exceptions, with which VMRUN would refuse to deliver them (APM vol. 2 §15.20).
 */
void svm_mend_interrupted(struct vmcb *vmcb);

/* An NMI or a machine check arrived in root mode: the operation owe. */
void svm_owe(struct pp *pp);
/* What is owed goes into the root VS. */
void svm_take_owed(struct pp *pp, const struct vs *vs);

/* Something is owed to Linux: the exit reads like one by a physical interrupt. */
void svm_tell_interrupt(struct vmcb *vmcb);

#endif
