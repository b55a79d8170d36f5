/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NMIs in Linux's NMI handler. An exit leaves them blocked there, and root mode unblocks them
 * (svm/exit.c). The first instructions of the handler must not get another NMI: that would be given
 * the same stack, and overwrite what they are about to save.
 */
#ifndef MK_SVM_NMI_H
#define MK_SVM_NMI_H

#include <bsl/compiler.h>

struct pp;
struct vs;

/* After an exit with interrupts off, which may be one of an NMI handler. */
__cold noinline void svm_unblock_nmis(struct pp *pp, const struct vs *vs);

/*
 * Enters Linux with NMIs blocked, which its IRET ends. In place of VMRUN, with GIF clear; does not
 * come back if this CPU can send NMIs to itself.
 */
void svm_enter_nmi_handler(struct pp *pp);

#endif
