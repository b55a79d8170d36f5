/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * INIT and start-up IPIs without either (run/startup.h). An INIT that is intercepted is still taken
 * in root mode, or resets the CPU before any of its instructions (APM vol. 2 §15.21.8, and QEMU),
 * so none is sent: what Linux writes to its local APIC comes here first. In xAPIC mode that is the
 * page of registers, which it cannot write to, in x2APIC mode an MSR.
 *
 * For an NMI to fetch the PP from its guest, for this or for a recall (mem/tlb.h), NMIs exit from
 * Linux. Its own goes in as ever, by an
 * NMI that the PP sends itself, for which that interception is lifted: in a window, from that entry
 * to the next exit. That comes as soon as Linux's handler returns, or halts, as it does where a
 * crash kernel is to follow.
 */
#ifndef MK_SVM_STARTUP_H
#define MK_SVM_STARTUP_H

#include <abi/types.h>
#include <bsl/compiler.h>

struct pp;
struct vs;

/*
 * Before Linux is entered, with GIF clear: waits where the PP has had an INIT. true: the start-up
 * IPI has come, and the extension carries out both.
 */
__cold noinline bool svm_carry_out_startup(struct pp *pp, struct vs *vs, uint8_t *vector);

/*
 * Opens a window; false: an NMI is to be waited for first. After the exit it is closed: true, if
 * the exit was for nothing else.
 */
bool svm_open_window(struct pp *pp, struct vs *vs);
bool svm_close_window(struct pp *pp, struct vs *vs);

#endif
