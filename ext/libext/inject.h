/* SPDX-License-Identifier: MIT */
/*
 * Exceptions that Linux takes because an extension says so: with an error code, and #PF with its
 * address; and interrupts. In hooks, on the PP that exited. #UD and #GP have a shorter way: fault
 * of struct ext_exit (frame.h).
 *
 *	const struct ext_exception pf = { .vector = 14, .error_code = 4, .address = gva };
 *	const char *why = ext_inject_exception(e, &pf);
 *
 *	if (why)
 *		ext_log(EXT_WARNING, "no #PF: %s", why);
 *	return !why;
 */
#ifndef LIBEXT_INJECT_H
#define LIBEXT_INJECT_H

#include <ext/libext/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * NULL: Linux takes this exception when it goes on, in place of the instruction at RIP; the hook
 * returns true. error_code counts for vectors that have one, outside of real mode, whatever
 * has_error_code is; address is written to CR2 for #PF (14). #DB (1) is a trap: RIP and DR6 are to
 * be as it finds them. APM vol. 2 §15.20, SDM vol. 3 §28.6.1.
 *
 * Else the sentence that says why not, without a full stop, and nothing has changed: what the exit
 * interrupted is the delivery of another event, which is to be delivered again, or there is an
 * event already; or it is none of #DE, #DB, #BR, #UD, #NM, #TS, #NP, #SS, #GP, #PF, #MF, #AC and
 * #XM; or the error code has more than 16 bits.
 */
const char *ext_inject_exception(struct ext_exit *e, const struct ext_exception *exception);

/*
 * NULL: Linux takes an interrupt with this vector, 32 to 255, as it goes on: before the next
 * instruction, which is the one behind that at RIP if this exit does it in Linux's place; the hook
 * returns true, and asks for no fault and no step. It does not come from the local APIC: of the
 * end of interrupt that Linux's handler writes, the APIC makes nothing, as nothing is in service
 * while Linux takes interrupts. APM vol. 2 §15.20, SDM vol. 3 §28.6.1.
 *
 * Else the sentence that says why not, without a full stop, and nothing has changed: interrupts are
 * off, or held for one instruction (STI, MOV SS), or a debug trap may come first, so that a later
 * exit is to be tried; or an event is to be delivered; or the vector is an exception's.
 */
const char *ext_inject_interrupt(struct ext_exit *e, uint8_t vector);

#ifdef __cplusplus
}
#endif

#endif
