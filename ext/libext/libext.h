/* SPDX-License-Identifier: MIT */
/*
 * libext: what an extension in C is written with. An extension is a static executable made of its
 * own objects and libext.a, linked with link.ld; it defines ext_start and registers its callbacks
 * there.
 */
#ifndef LIBEXT_H
#define LIBEXT_H

#include <abi/ext_calls.h>
#include <abi/mk1.h>
#include <ext/libext/mk1_sys.h>
#include <ext/libext/mk1_tls.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Defined by the extension; called once, on PP 0, before any callback. specs is the mask of the
 * specifications that the microkernel supports (MK1_SPEC_MASK). Returns 0 to go on (the extension
 * then waits for its callbacks) or anything else to refuse, which fails the start.
 */
int ext_start(uint64_t specs);

/*
 * The callbacks never return: they end with a run or promote call, with again (fail) or with exit.
 */
typedef void mk1_bootstrap_fn(uint64_t ppid);
typedef void mk1_vmexit_fn(uint64_t vsid, uint64_t reason);
typedef void mk1_fail_fn(uint64_t error_and_vector, uint64_t address);

/*
 * Registers what the microkernel calls on each PP, PP 0 first, before the PP becomes a guest, and
 * again when its CPU comes online. h: the handle. Returns the status of callback_register_bootstrap
 * (docs/abi/calls.md).
 */
static inline uint64_t mk1_register_bootstrap(uint64_t h, mk1_bootstrap_fn *fn)
{
	return mk1_callback_register_bootstrap(h, (uint64_t)fn);
}

/*
 * Registers what is called at each exit: with the id of the VS that has exited, and EXITCODE or the
 * exit reason. Returns the status of callback_register_vmexit.
 */
static inline uint64_t mk1_register_vmexit(uint64_t h, mk1_vmexit_fn *fn)
{
	return mk1_callback_register_vmexit(h, (uint64_t)fn);
}

/*
 * Registers what is called when another callback of this extension faults: with the vector in bits
 * 0 to 31 and the error code above, and the address. Returns the status of callback_register_fail.
 */
static inline uint64_t mk1_register_fail(uint64_t h, mk1_fail_fn *fn)
{
	return mk1_callback_register_fail(h, (uint64_t)fn);
}

/*
 * What ext_exit calls in an extension that uses the guest's registers of the FPU, so that the guest
 * runs on with its own; NULL: none. The C++ runtime (ext/cxx/runtime) sets it.
 */
extern void (*ext_fpu_restore)(void);

/* Ends the extension's run on this PP: the microkernel takes over. */
__attribute__((noreturn)) static inline void ext_exit(void)
{
	if (ext_fpu_restore)
		ext_fpu_restore();
	for (;;)
		mk1_control_exit();
}

/*
 * The running callback may take ns longer than the watchdog's limit, in addition to what it asked
 * for before. MK1_SUCCESS; INVALID_INPUT_REG0: more than BF_MORE_TIME_MAX_NS in all;
 * FAILURE_UNSUPPORTED: this microkernel has no such call.
 */
uint64_t ext_more_time(uint64_t ns);

#define EXT_PRINT_SIZE 256

/*
 * Formats as bsl_format does and writes the text to the debug ring, at most EXT_PRINT_SIZE - 1
 * bytes of it. Returns the status of debug_write_str.
 */
uint64_t ext_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#ifdef __cplusplus
}
#endif

#endif
