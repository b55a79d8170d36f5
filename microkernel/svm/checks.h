/* SPDX-License-Identifier: GPL-2.0-only */
/* Why VMRUN refused a VMCB, for the log. */
#ifndef MK_SVM_CHECKS_H
#define MK_SVM_CHECKS_H

struct vmcb;

/* Which of the conditions for VMRUN the VMCB misses. */
void svm_print_checks(const struct vmcb *vmcb);

#endif
