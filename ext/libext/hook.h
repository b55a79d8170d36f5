/* SPDX-License-Identifier: MIT */
/*
 * Hidden breakpoints in Linux's kernel: an exit before an instruction is executed, of which nobody
 * sees anything who reads the code, or checks it.
 */
#ifndef LIBEXT_HOOK_H
#define LIBEXT_HOOK_H

#include <ext/libext/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Linux is about to execute the instruction that is hooked, on this PP; its registers can be read
 * and written. It is executed afterwards, with whatever bytes Linux has there by then, unless the
 * function has written RIP.
 */
typedef void ext_hook_fn(struct ext_exit *e);

/*
 * From now on fn is called whenever Linux is about to execute the instruction at gva. To be called
 * for each PP, in the cpu_in hook, or with ext_watch_live (watch.h) once, at any later time, for
 * all of them; of the first extension of a start only, which has Linux's general registers. gva is
 * looked for in the address space that is the current one then. It is one of the kernel's, where
 * all address spaces have the same page: a process that had the page elsewhere, as a library, would
 * get the INT3. There is no way to take a hook away but a stop, so the page has to stay what it is;
 * a module's goes with the module. At most 16 of them, on at most 8 pages.
 *
 * How: where it is executed, the page is a copy with INT3; what reads it finds Linux's own, and
 * what Linux writes to it is in the copy as well. On Intel that takes execute-only pages. On AMD,
 * the CPU sees only this page as executable while it executes code of it: code on it that reads
 * the page itself finds the copy, and what else is watched is not watched then. Each way into and
 * out of such a page is an exit there.
 *
 * A page with hooks is not to be watched by ext_watch as well: the last call decides what it is.
 *
 * false, after a message: there is no code at gva, another function is called there, there are too
 * many of them, this CPU cannot do it, or the extension lacks a right (linux, physical;
 * docs/abi/mk2.md).
 */
bool ext_hook(uint64_t vsid, uint64_t gva, ext_hook_fn *fn);

#ifdef __cplusplus
}
#endif

#endif
