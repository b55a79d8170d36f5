/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the loader and the architecture under it, of which x86/ is one
 * implementation. What acts on a CPU acts on the one that it runs on.
 */
#ifndef BF_CORE_ARCH_H
#define BF_CORE_ARCH_H

#include <abi/cpu_state.h>
#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/loader.h>
#include <abi/types.h>

/* struct bf_cpu_features, which holds the vendor and whatever the architecture needs to know. */
#include "x86/features.h"

struct bf_loader;
struct bf_pp;

/* --- instructions ----------------------------------------------------------------------------- */

uint64_t bf_hw_cycles(void); /* a counter with a constant rate of a few GHz */
void bf_hw_pause(void); /* in a loop that waits for another CPU */

/* --- what a CPU offers ------------------------------------------------------------------------ */

/* Reads the features of this CPU. */
void bf_features_read(struct bf_cpu_features *features);

/*
 * Whether this CPU runs under a microkernel of ours that was there before this kernel: the firmware
 * has started it, or the kernel before this one.
 */
bool bf_features_guest(void);

/*
 * Validates one item for one CPU: BF_CHECK_VENDOR, _FIRMWARE, _FREE, _NESTED, _PAGING, _FEATURES or
 * _CONTROLS; OK for all others. Callers ignore items that are not fatal.
 */
enum bf_error bf_features_check(const struct bf_cpu_features *features, enum bf_check_item item,
				uint64_t *detail);

/* Enables virtualisation where the firmware has not decided; false if that fails. This CPU. */
bool bf_features_unlock(const struct bf_cpu_features *features);

/*
 * The microkernel decides once for all CPUs. Join reduces what all of them offer to what another
 * CPU offers as well; differ checks whether a CPU meets the result. 0: it does; otherwise the place
 * of the first difference that matters, as in the detail of BF_ERR_CPUS_DIFFER.
 */
uint32_t bf_features_join(struct bf_cpu_features *all, const struct bf_cpu_features *features);
uint32_t bf_features_differ(const struct bf_cpu_features *features,
			    const struct bf_cpu_features *all);

/*
 * Whether TLBs are flushed by broadcasts to an address space rather than by interrupts, which reach
 * a CPU whether it is a guest or not.
 */
bool bf_features_broadcast(const struct bf_cpu_features *features);

/*
 * Lists the registers that were read, for a report: at most max of them. Returns how many there
 * are.
 */
uint32_t bf_features_list(const struct bf_cpu_features *features, struct bf_register_value *values,
			  uint32_t max);

/* Tells the microkernel what all CPUs offer. */
void bf_features_hand_off(const struct bf_cpu_features *all, struct bf_handoff *handoff);

/* The hypervisor below this machine; *flags receives BF_OUTER_FLUSHES or 0. */
enum bf_outer bf_outer_detect(uint32_t *flags);

/* OK, or why the hypervisor cannot work above this one. */
enum bf_error bf_outer_check(enum bf_outer outer);

/* --- address spaces --------------------------------------------------------------------------- */

/* Copies the switch code, and maps the microkernel's image for all PPs. */
enum bf_error bf_aspace_init(struct bf_loader *loader, const struct bf_image *microkernel);

/* Builds what belongs to one PP: area, stacks, switch code, switch page. */
enum bf_error bf_aspace_init_pp(struct bf_pp *pp);

/*
 * Maps the window and gives every PP the common part. The window shows all data memory, page tables
 * included, so this comes last.
 */
enum bf_error bf_aspace_finish(struct bf_loader *loader);

/* --- to the microkernel and back -------------------------------------------------------------- */

/*
 * Captures this CPU in page and enters the microkernel at entry in the address space root. Returns
 * 0 as a guest, or the enum bf_error with which the microkernel left. Interrupts are off.
 */
uint64_t bf_cpu_enter(struct bf_switch_page *page, uint64_t root, uint64_t entry);

/* Executes an instruction that exits, and means nothing to the extension. */
void bf_cpu_provoke_exit(void);

/* Requests of the extension that it gives this CPU back. */
void bf_cpu_request_stop(void);

/* BF_HYPERCALL_TRACE. On a bare CPU nothing happens: see below. */
void bf_cpu_switch_trace(enum bf_vendor vendor);

/* BF_HYPERCALL_TABLE: the address, or 0 where nobody has one. */
uint64_t bf_cpu_find_table(void);

/* BF_HYPERCALL_BIND: OK also on a bare CPU; and what it is told of the code. */
enum bf_error bf_cpu_bind(enum bf_vendor vendor);
uint64_t bf_cpu_switch_code(void);

/*
 * BF_HYPERCALL_STOP: the way out that no extension can block. False: this CPU is bare. The
 * instruction faults then, or an outer hypervisor answers it; the microkernel would never let it
 * see this one.
 */
bool bf_cpu_force_stop(enum bf_vendor vendor);

#endif
