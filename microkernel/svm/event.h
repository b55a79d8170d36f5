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
/* Again the event whose delivery the exit interrupted. */
void svm_reinject(struct vmcb *vmcb);

/* An NMI or a machine check arrived in root mode: the operation owe. */
void svm_owe(struct pp *pp);
/* What is owed goes into the root VS. */
void svm_take_owed(struct pp *pp, const struct vs *vs);

/* Something is owed to Linux: the exit reads like one by a physical interrupt. */
void svm_tell_interrupt(struct vmcb *vmcb);

#endif
