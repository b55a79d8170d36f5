/* SPDX-License-Identifier: MIT */
/*
 * What of Linux's exits beside what always does: memory, ports, control and debug registers.
 * Extensions in one start share what is watched: their hooks are asked in order, as for all exits,
 * whoever wanted it.
 */
#ifndef LIBEXT_WATCH_H
#define LIBEXT_WATCH_H

#include <ext/libext/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * From now on accesses (EXT_READ, EXT_WRITE, EXT_EXECUTE) of Linux's to [gpa, gpa + size), whole
 * pages, lead to the nested_fault hook. To be called in ext_start after ext_run_linux, or later: a
 * PP that is in Linux then finds out when it exits next (docs/abi/mk2.md, views). Reading cannot
 * be watched without writing. On AMD every walk through Linux's page tables writes to them.
 *
 * false, after a message: the CPU has no nested paging, the memory is the hypervisor's, there is no
 * memory for tables, or the extension has not the right to Linux or to Mk#2. On an Intel CPU
 * without the monitor trap flag (those before Nehalem, and some emulators) the start fails. After a
 * refusal nothing of the range is watched that was not before, and perhaps not what was.
 */
bool ext_watch(uint64_t gpa, uint64_t size, unsigned int access);

/* What is watched there is not any more; the same about other PPs, which may still exit. */
bool ext_unwatch(uint64_t gpa, uint64_t size);

/*
 * IN and OUT of count ports from first on lead to the io hook, on all PPs. In ext_start, after
 * ext_run_linux. false, after a message: there are no such ports, or no memory for the map.
 */
bool ext_watch_io(uint32_t first, uint32_t count);

/*
 * Writes of Linux's to control registers, by MOV, CLTS and LMSW, lead to the cr hook, on all PPs:
 * bit n of crs is CRn, of 0, 3, 4 and 8. What writes to CR0, CR4 or CR8 the value that is there
 * does not count, nor what faults for lack of privilege. In ext_start, after ext_run_linux. Each
 * takes two exits, which for CR3 is much. false, after a message: there are other bits. On an Intel
 * CPU without the monitor trap flag the start fails, and on an AMD CPU without decode assists if
 * the first extension has not the right "physical".
 */
bool ext_watch_cr(unsigned int crs);

/*
 * The same about MOV to and from debug registers, and the dr hook: bit n of drs is DRn, of 0 to 3,
 * 6 and 7.
 */
bool ext_watch_dr(unsigned int drs);

/*
 * Exceptions lead to the exception hook, on all PPs: bit n of vectors is vector n. In ext_start,
 * after ext_run_linux. false, after a message: one of them cannot be watched. These can: #DE, #BR,
 * #UD, #NM, #TS, #NP, #SS, #PF, #MF, #AC and #XM, on Intel #GP. #BP is for ext_hook; #DB, NMIs and
 * #MC are the hypervisor's, and so is #GP on AMD.
 */
bool ext_watch_exceptions(uint32_t vectors);

#ifdef __cplusplus
}
#endif

#endif
