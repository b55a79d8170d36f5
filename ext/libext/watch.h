/* SPDX-License-Identifier: MIT */
/*
 * What of Linux's exits beside what always does: memory, ports, control and debug registers.
 * Extensions in one start share what is watched: their hooks are asked in order, as for all exits,
 * whoever wanted it.
 *
 * These functions are for ext_start, after ext_run_linux, unless ext_watch_live has been called.
 */
#ifndef LIBEXT_WATCH_H
#define LIBEXT_WATCH_H

#include <ext/libext/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Whether this CPU can have memory, ports, and control and debug registers watched: on Intel it
 * takes the monitor trap flag, without which a start with such a watch fails. At any time.
 */
bool ext_can_watch(void);

/*
 * What is watched may change while Linux runs: to be called in ext_start, after ext_run_linux.
 * Then all functions here, ext_msr_intercept and ext_hook can also be called later, by any hook or
 * on_call, on any PP, and by several PPs at a time.
 *
 * When one of them returns true then, no PP executes another instruction of Linux's, or of a
 * program's, without it: Linux has come out on each of them, whether it was busy or idle, with
 * interrupts on or off, and each does what has changed before it goes on. What a PP had begun to
 * execute before, it may have finished. A CPU that is offline, or comes in meanwhile, has it from
 * its first instruction on. An extension after the first one may call them, too; on its own PP
 * Linux has it when the hook is over.
 *
 * It costs each PP an exit and some writes to its VS. false, beside the reasons that each function
 * has: a message says which PP has not come out of Linux within about a second, as it is in the
 * handler of an NMI. It will, and has it from then on. Or the extension has not the right "linux",
 * without which one after the first reaches no PP: each has it with the next change that does.
 *
 * On AMD, Linux's NMIs exit with this (pp_recall_attach in docs/abi/mk2.md), each of them up to
 * three times. If the microkernel is older than this call, or the first extension has not the right
 * "linux", the start fails.
 *
 * false, after a message: ext_run_linux comes first, or Linux runs already.
 */
bool ext_watch_live(void);

/*
 * From now on accesses (EXT_READ, EXT_WRITE, EXT_EXECUTE) of Linux's to [gpa, gpa + size), whole
 * pages, lead to the nested_fault hook. It can be called later without ext_watch_live, too, if
 * there is a nested_fault hook: then a PP that is in Linux finds out when it exits next
 * (docs/abi/mk2.md, views). Reading cannot be watched without writing; nor, on AMD and on Intel's
 * CPUs without execute-only pages, without executing: ext_fault.access tells what it was. On AMD
 * every walk through Linux's page tables writes to them.
 *
 * false, after a message: the CPU has no nested paging, the memory is the hypervisor's, there is no
 * memory for tables, or the extension has not the right to Linux or to Mk#2. On an Intel CPU
 * without the monitor trap flag (those before Nehalem, and some emulators) the start fails. After a
 * refusal nothing of the range is watched that was not before, and perhaps not what was.
 */
bool ext_watch(uint64_t gpa, uint64_t size, unsigned int access);

/*
 * What is watched there is not any more; the same about other PPs. An exit for it that has begun is
 * still a call of the hook.
 */
bool ext_unwatch(uint64_t gpa, uint64_t size);

/*
 * IN and OUT of count ports from first on lead to the io hook, on all PPs. false, after a message:
 * there are no such ports, or no memory for the map.
 */
bool ext_watch_io(uint32_t first, uint32_t count);

/*
 * Writes of Linux's to control registers, by MOV, CLTS and LMSW, lead to the cr hook, on all PPs:
 * bit n of crs is CRn, of 0, 3, 4 and 8. What writes to CR0, CR4 or CR8 the value that is there
 * does not count, nor what faults for lack of privilege. Each takes two exits, which for CR3 is
 * much. false, after a message: there are other bits. On an Intel CPU without the monitor trap flag
 * the start fails, and on an AMD CPU without decode assists if the first extension has not the
 * right "physical".
 */
bool ext_watch_cr(unsigned int crs);

/*
 * The same about MOV to and from debug registers, and the dr hook: bit n of drs is DRn, of 0 to 3,
 * 6 and 7.
 */
bool ext_watch_dr(unsigned int drs);

/*
 * Exceptions lead to the exception hook, on all PPs: bit n of vectors is vector n. false, after a
 * message: one of them cannot be watched. These can: #DE, #BR, #UD, #NM, #TS, #NP, #SS, #PF, #MF,
 * #AC and #XM, on Intel #GP. #BP is for ext_hook; #DB, NMIs and #MC are the hypervisor's, and so is
 * #GP on AMD.
 */
bool ext_watch_exceptions(uint32_t vectors);

#ifdef __cplusplus
}
#endif

#endif
