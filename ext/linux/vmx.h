/* SPDX-License-Identifier: MIT */
/* What the files of the VMX side share. */
#ifndef EXT_LINUX_VMX_H
#define EXT_LINUX_VMX_H

#include <abi/hw/vmx.h>
#include <abi/mk1_regs_intel.h>
#include <ext/linux/linux.h>

/* --- vmx.c ------------------------------------------------------------------------------------ */

/* Whether this is an exit by an instruction of VMX's, SMX's or TDX's: #UD on a CPU without them. */
bool vmx_is_insn(uint64_t reason);

/* --- vmx_cr.c --------------------------------------------------------------------------------- */

/* A capability MSR (SDM vol. 3, appendix A); gives up when the microkernel refuses to read it. */
uint64_t vmx_capability(uint64_t vsid, uint32_t msr);

/* Bits of CR0 and CR4 that must be 1 while this VS runs (SDM vol. 3, A.7, A.8). */
uint64_t vmx_cr0_forced(uint64_t vsid);
uint64_t vmx_cr4_forced(uint64_t vsid);

/*
 * Gives the guest this CR0 or CR4: the forced bits are set for the CPU and as in value for reads.
 */
void vmx_set_cr0(uint64_t vsid, uint64_t value);
void vmx_set_cr4(uint64_t vsid, uint64_t value);

/* CR0 and CR4 as the guest reads them. */
uint64_t vmx_get_cr0(uint64_t vsid);
uint64_t vmx_get_cr4(uint64_t vsid);

/* A control-register exit and an XSETBV: true if done, false if the guest is to take #GP(0). */
bool vmx_write_cr(uint64_t vsid, uint64_t qualification);
bool vmx_xsetbv(uint64_t vsid);

/* --- vmx_access.c ----------------------------------------------------------------------------- */

/* Exits by control and debug registers, of which e then says how they end. */
void vmx_access_cr(struct ext_exit *e);
void vmx_access_dr(struct ext_exit *e);

/* --- vmx_init.c ------------------------------------------------------------------------------- */

/* An INIT: the VS waits for its start-up IPI, before which nothing else of it counts. */
void vmx_init_signal(uint64_t vsid);

/* What an INIT, and the start-up IPI after it, do to a CPU, done to the VS. */
void vmx_startup(uint64_t vsid, uint64_t vector);

#endif
