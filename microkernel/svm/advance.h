/* SPDX-License-Identifier: GPL-2.0-only */
/* Past the instruction that exited. */
#ifndef MK_SVM_ADVANCE_H
#define MK_SVM_ADVANCE_H

#include "vendor.h"

struct vmcb;

enum advance svm_vs_advance_ip(struct vs *vs);
void svm_vs_advance_ip_and_run(struct vs *vs);

/* The same of an instruction that has been carried out, length bytes long. */
void svm_advance_by(struct vmcb *vmcb, unsigned int length);

#endif
