/* SPDX-License-Identifier: MIT */
/*
 * What of Linux's exits beside what always does: memory and ports. Extensions in one start share
 * what is watched: their hooks are asked in order, as for all exits, whoever wanted it.
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

#ifdef __cplusplus
}
#endif

#endif
