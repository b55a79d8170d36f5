/* SPDX-License-Identifier: MIT */
/*
 * Mk#1, the microkernel's syscall ABI: numbers, status values and the list of calls. The list is
 * the one source: the microkernel's dispatch table, libext's stubs and the documentation come from
 * it.
 */
#ifndef BF_ABI_MK1_H
#define BF_ABI_MK1_H

#include <abi/types.h>

#define MK1_MAGIC 0x6642 /* "Bf": RAX[63:48] of every call */
#define MK1_SPEC_ID 0x31236642 /* "Bf#1": what open_handle takes */
#define MK1_SPEC_MASK 0x2 /* the bit of Mk#1 in the mask that _start receives */
#define MK1_HANDLE 0x0 /* the only handle: binaries made for Bareflank 3.0 have it hard-coded */
#define MK1_INVALID_HANDLE 0xFFFFFFFFFFFFFFFF

#define MK1_INVALID_ID 0xFFFF
#define MK1_ROOT_VMID 0x0
#define MK1_BOOTSTRAP_PPID 0x0

/* --- RAX after a call ------------------------------------------------------------------------ */
#define MK1_SUCCESS 0x0000000000000000
#define MK1_FAILURE_UNKNOWN 0xDEAD000000010001
#define MK1_FAILURE_INVALID_HANDLE 0xDEAD000000020001
#define MK1_FAILURE_UNSUPPORTED 0xDEAD000000040001
#define MK1_INVALID_PERM_DENIED 0xDEAD000000010002
#define MK1_INVALID_INPUT_REG(n) (0xDEAD000000000003 | (0x10000ULL << (n)))
#define MK1_INVALID_OUTPUT_REG(n) (0xDEAD000000000003 | (0x400000ULL << (n)))

/* --- the loader's requests to a running extension: CPUID from CPL 0 --------------------- */
#define MK1_CPUID_LEAF 0x400000FF /* EAX */
#define MK1_CPUID_STOP 0xBF000000 /* ECX */
#define MK1_CPUID_REPORT_ON 0xBF000001
#define MK1_CPUID_REPORT_OFF 0xBF000002

#define MK1_OP_CONTROL 0
#define MK1_OP_HANDLE 1
#define MK1_OP_DEBUG 2
#define MK1_OP_CALLBACK 3
#define MK1_OP_VM 4
#define MK1_OP_VP 5
#define MK1_OP_VS 6
#define MK1_OP_INTRINSIC 7
#define MK1_OP_MEM 8
#define MK1_NR_OPS 9

/*
 * X(opcode, index, name, inputs, outputs, arguments, results, errors) inputs:    how many of REG0..
 * (RDI, RSI, RDX, R10, R8, R9) the call reads outputs:   how many of REG0.. it writes arguments:
 * "name:bits" of each input in order; h is the handle results:   "name:bits" of each output in
 * order errors:    what it can answer in addition to SUCCESS: UNKNOWN, HANDLE (INVALID_HANDLE),
 * UNSUPPORTED, DENIED (INVALID_PERM_DENIED), REG0 to REG5 (INVALID_INPUT_REG0 to REG5)
 */
#define MK1_SYSCALLS(X) \
	X(CONTROL, 0, control_exit, 0, 0, "", "", "") \
	X(CONTROL, 1, control_wait, 0, 0, "", "", "") \
	X(CONTROL, 2, control_again, 0, 0, "", "", "") \
	X(HANDLE, 0, handle_open_handle, 1, 1, "spec_id:32", "handle:64", "UNSUPPORTED UNKNOWN") \
	X(HANDLE, 1, handle_close_handle, 1, 0, "h:64", "", "HANDLE") \
	X(DEBUG, 0, debug_out, 2, 0, "val1:64 val2:64", "", "") \
	X(DEBUG, 1, debug_dump_vm, 1, 0, "vmid:16", "", "REG0") \
	X(DEBUG, 2, debug_dump_vp, 1, 0, "vpid:16", "", "REG0") \
	X(DEBUG, 3, debug_dump_vs, 1, 0, "vsid:16", "", "REG0") \
	X(DEBUG, 4, debug_dump_vmexit_log, 1, 0, "ppid:16", "", "REG0") \
	X(DEBUG, 5, debug_write_c, 1, 0, "c:8", "", "") \
	X(DEBUG, 6, debug_write_str, 2, 0, "str:64 len:64", "", "REG0") \
	X(DEBUG, 7, debug_dump_ext, 1, 0, "extid:16", "", "REG0") \
	X(DEBUG, 8, debug_dump_page_pool, 0, 0, "", "", "") \
	X(DEBUG, 9, debug_dump_huge_pool, 0, 0, "", "", "") \
	X(CALLBACK, 0, callback_register_bootstrap, 2, 0, "h:64 fn:64", "", "HANDLE REG1 UNKNOWN") \
	X(CALLBACK, 1, callback_register_vmexit, 2, 0, "h:64 fn:64", "", "HANDLE REG1 UNKNOWN") \
	X(CALLBACK, 2, callback_register_fail, 2, 0, "h:64 fn:64", "", "HANDLE REG1 UNKNOWN") \
	X(VM, 0, vm_create_vm, 1, 1, "h:64", "vmid:16", "HANDLE UNKNOWN") \
	X(VM, 1, vm_destroy_vm, 2, 0, "h:64 vmid:16", "", "HANDLE REG1") \
	X(VM, 2, vm_map_direct, 3, 1, "h:64 vmid:16 spa:64", "va:64", "HANDLE REG1 REG2 UNKNOWN") \
	X(VM, 3, vm_unmap_direct, 3, 0, "h:64 vmid:16 va:64", "", "HANDLE REG1 REG2") \
	X(VM, 4, vm_unmap_direct_broadcast, 3, 0, "h:64 vmid:16 va:64", "", \
	  "HANDLE REG1 REG2 UNKNOWN") \
	X(VM, 5, vm_tlb_flush, 2, 0, "h:64 vmid:16", "", "HANDLE REG1") \
	X(VP, 0, vp_create_vp, 2, 1, "h:64 vmid:16", "vpid:16", "HANDLE REG1 UNKNOWN") \
	X(VP, 1, vp_destroy_vp, 2, 0, "h:64 vpid:16", "", "HANDLE REG1") \
	X(VS, 0, vs_create_vs, 3, 1, "h:64 vpid:16 ppid:16", "vsid:16", \
	  "HANDLE REG1 REG2 UNKNOWN") \
	X(VS, 1, vs_destroy_vs, 2, 0, "h:64 vsid:16", "", "HANDLE REG1") \
	X(VS, 2, vs_init_as_root, 2, 0, "h:64 vsid:16", "", "HANDLE REG1") \
	X(VS, 3, vs_read, 3, 1, "h:64 vsid:16 reg:64", "value:64", "HANDLE REG1 REG2") \
	X(VS, 4, vs_write, 4, 0, "h:64 vsid:16 reg:64 value:64", "", "HANDLE REG1 REG2 REG3") \
	X(VS, 5, vs_run, 4, 0, "h:64 vmid:16 vpid:16 vsid:16", "", \
	  "HANDLE REG1 REG2 REG3 UNKNOWN") \
	X(VS, 6, vs_run_current, 1, 0, "h:64", "", "HANDLE UNKNOWN") \
	X(VS, 7, vs_advance_ip_and_run, 4, 0, "h:64 vmid:16 vpid:16 vsid:16", "", \
	  "HANDLE REG1 REG2 REG3 UNKNOWN") \
	X(VS, 8, vs_advance_ip_and_run_current, 1, 0, "h:64", "", "HANDLE UNKNOWN") \
	X(VS, 9, vs_promote, 2, 0, "h:64 vsid:16", "", "HANDLE REG1 UNKNOWN") \
	X(VS, 10, vs_clear, 2, 0, "h:64 vsid:16", "", "HANDLE REG1") \
	X(VS, 11, vs_migrate, 3, 0, "h:64 vsid:16 ppid:16", "", "HANDLE REG1 REG2") \
	X(VS, 12, vs_set_active, 4, 0, "h:64 vmid:16 vpid:16 vsid:16", "", \
	  "HANDLE REG1 REG2 REG3 UNKNOWN") \
	X(VS, 13, vs_advance_ip_and_set_active, 4, 0, "h:64 vmid:16 vpid:16 vsid:16", "", \
	  "HANDLE REG1 REG2 REG3 UNKNOWN") \
	X(VS, 14, vs_tlb_flush, 3, 0, "h:64 vsid:16 gla:64", "", "HANDLE REG1 REG2") \
	X(INTRINSIC, 0, intrinsic_rdmsr, 2, 1, "h:64 msr:32", "value:64", "HANDLE REG1 DENIED") \
	X(INTRINSIC, 1, intrinsic_wrmsr, 3, 0, "h:64 msr:32 value:64", "", "HANDLE REG1 DENIED") \
	X(MEM, 0, mem_alloc_page, 1, 2, "h:64", "va:64 spa:64", "HANDLE UNKNOWN") \
	X(MEM, 1, mem_free_page, 2, 0, "h:64 va:64", "", "HANDLE REG1 UNKNOWN") \
	X(MEM, 2, mem_alloc_huge, 2, 2, "h:64 bytes:64", "va:64 spa:64", "HANDLE REG1 UNKNOWN") \
	X(MEM, 3, mem_free_huge, 2, 0, "h:64 va:64", "", "HANDLE REG1 UNKNOWN")

#define MK1_RAX(op, idx) (((uint64_t)MK1_MAGIC << 48) | ((uint64_t)(op) << 16) | (uint64_t)(idx))

#endif

/* MK1_vs_run and so on: RAX of each call. For who asks for it, though others have not. */
#if defined(MK1_WANT_NUMBERS) && !defined(MK1_ENUM)
#define MK1_ENUM(op, idx, name, in, out, args, results, errors) \
	static const uint64_t MK1_##name = MK1_RAX(MK1_OP_##op, idx);
MK1_SYSCALLS(MK1_ENUM)
#endif
