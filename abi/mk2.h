/* SPDX-License-Identifier: MIT */
/*
 * Mk#2, a second specification beside Mk#1: what an extension needs in addition to run guests. The
 * list is the one source: the microkernel's dispatch table, libext's stubs and the documentation
 * (docs/abi/mk2.md) come from it. Its calls have a magic and a handle of their own; the status
 * values of Mk#1 mean the same here.
 */
#ifndef BF_ABI_MK2_H
#define BF_ABI_MK2_H

#include <abi/mk1.h>
#include <abi/types.h>

#define MK2_MAGIC 0x6662 /* "bf": RAX[63:48] of every call; abi/ext_calls.h has opcode 0 of it */
#define MK2_SPEC_ID 0x32236642 /* "Bf#2": what handle_open_handle of Mk#1 takes */
#define MK2_SPEC_MASK 0x4 /* the bit of Mk#2 in the mask that _start receives */
#define MK2_HANDLE 0x2 /* what that call returns for it */

/* --- RAX after a call, in addition to the values of Mk#1 -------------------------------------- */
#define MK2_FAILURE_NO_MEMORY 0xDEAD000000080001 /* the page pool is exhausted */
#define MK2_FAILURE_EXISTS 0xDEAD000000100001 /* something is mapped there, or unflushed */
#define MK2_FAILURE_LIST 0xDEAD000000200001 /* an entry of a list; REG0 is its index */
#define MK2_FAILURE_BUSY 0xDEAD000000400001 /* in use, or still seen by a CPU */
#define MK2_FAILURE_ENDED 0xDEAD000000800001 /* the extension that was called has ended */

/* --- flags of guest-physical memory ----------------------------------------------------------- */
#define MK2_NESTED_R 0x1 /* always; W and X only with it */
#define MK2_NESTED_W 0x2
#define MK2_NESTED_X 0x4
#define MK2_NESTED_RWX 0x7
#define MK2_NESTED_SHARED 0x8 /* other VMs may map it as well, if all of them say so */
#define MK2_NESTED_TYPE 0x30 /* the memory type, one of: */
#define MK2_NESTED_WB 0x00
#define MK2_NESTED_UC 0x10
#define MK2_NESTED_WT 0x20
#define MK2_NESTED_SIZE 0x300 /* the size of each page, one of: */
#define MK2_NESTED_4K 0x000
#define MK2_NESTED_2M 0x100
#define MK2_NESTED_1G 0x200
/* What vm_nested_query tells in addition. */
#define MK2_NESTED_ACCESSED 0x1000
#define MK2_NESTED_DIRTY 0x2000

#define MK2_NESTED_GPA_BITS 48 /* of a guest-physical address */
#define MK2_NESTED_MAX_PAGES 512 /* of one map, of whatever size */
#define MK2_NESTED_MAX_BYTES 0x40000000 /* of one unmap or protect */
#define MK2_DIRTY_MAX_BYTES 0x8000000 /* of one dirty: its bitmap is a page at most */

/* --- lists of registers ----------------------------------------------------------------------- */
#define MK2_LIST_MAX 48

struct mk2_list_entry {
	uint64_t reg; /* its number in Mk#1: abi/mk1_regs_amd.h, abi/mk1_regs_intel.h */
	uint64_t value;
};

/* --- extended processor state ----------------------------------------------------------------- */
#define MK2_XSAVE_LEGACY 512 /* bytes of x87 and SSE state, as FXSAVE64 writes it */
#define MK2_XSAVE_TSC_AUX 464 /* where TSC_AUX is, in bytes that the CPU leaves to software */
#define MK2_XSAVE_MAX 4032 /* bytes of any area, in the standard format of XSAVE64 */

/* --- memory that Linux gives ------------------------------------------------------------------ */
#define MK2_DONATION_MAX_BYTES 0x4000000ULL /* of one donation */
#define MK2_MAX_DONATIONS 64

/* --- memory that is a VM's own ---------------------------------------------------------------- */
#define MK2_OWN_MAX_BYTES 0x4000000 /* of one vm_own or vm_disown */
#define MK2_OWN_MAX_TOTAL 0x40000000 /* of all VMs: a stop zeroes it */

/* --- views of Linux's memory ------------------------------------------------------------------ */
#define MK2_VIEWS 3
#define MK2_VIEW_COPIES 32 /* pages with another content, in all views */

/* --- arguments -------------------------------------------------------------------------------- */
#define MK2_ARGS_MAX 4096 /* bytes of all arguments of an extension: abi/args.h */
#define MK2_ARG_KEY_MAX 31 /* characters of a key */

/* --- records -------------------------------------------------------------------------------- */
#define MK2_EMIT_MAX 4096 /* bytes of one */
#define MK2_EMIT_LOSSLESS 0x1 /* refused where what is still unread would be overwritten */

/* --- hypercalls of Linux ---------------------------------------------------------------------- */
#define MK2_HYPERCALL_MIN 0x100000000 /* those below are an outer hypervisor's */
#define MK2_MAX_ROUTES 16

/* Groups that Mk#1 has, too, have its numbers. */
#define MK2_OP_EXT 1
#define MK2_OP_CALLBACK 3
#define MK2_OP_VM 4
#define MK2_OP_VS 6
#define MK2_OP_MEM 8
#define MK2_OP_PP 9
#define MK2_NR_OPS 10

/*
 * X(opcode, index, name, inputs, outputs, arguments, results, errors), as in abi/mk1.h. Errors
 * beyond those of Mk#1: NO_MEMORY, EXISTS, LIST, BUSY, ENDED (MK2_FAILURE_...).
 */
#define MK2_SYSCALLS(X) \
	X(EXT, 0, ext_set_entry, 2, 0, "h:64 fn:64", "", "HANDLE REG1 UNKNOWN") \
	X(EXT, 1, ext_call, 6, 4, "h:64 extid:16 a0:64 a1:64 a2:64 a3:64", \
	  "r0:64 r1:64 r2:64 r3:64", "HANDLE REG1 UNKNOWN BUSY ENDED") \
	X(EXT, 2, ext_reply, 5, 0, "h:64 r0:64 r1:64 r2:64 r3:64", "", "HANDLE UNKNOWN") \
	X(EXT, 3, ext_args, 3, 2, "h:64 va:64 size:64", "copied:64 total:64", "HANDLE REG1 REG2") \
	X(EXT, 4, ext_emit, 4, 1, "h:64 va:64 size:64 flags:64", "number:64", \
	  "HANDLE REG1 REG2 REG3 BUSY") \
	X(CALLBACK, 0, vm_set_handler, 3, 0, "h:64 vmid:16 fn:64", "", "HANDLE REG1 REG2 BUSY") \
	X(CALLBACK, 1, hypercall_route, 4, 0, "h:64 first:64 last:64 fn:64", "", \
	  "HANDLE REG1 REG2 REG3 EXISTS NO_MEMORY") \
	X(VM, 0, vm_nested_map, 6, 0, "h:64 vmid:16 gpa:64 spa:64 size:64 flags:64", "", \
	  "HANDLE REG1 REG2 REG3 REG4 REG5 DENIED UNSUPPORTED EXISTS BUSY NO_MEMORY") \
	X(VM, 1, vm_nested_unmap, 4, 1, "h:64 vmid:16 gpa:64 size:64", "generation:64", \
	  "HANDLE REG1 REG2 REG3") \
	X(VM, 2, vm_nested_protect, 5, 1, "h:64 vmid:16 gpa:64 size:64 flags:64", "generation:64", \
	  "HANDLE REG1 REG2 REG3 REG4") \
	X(VM, 3, vm_nested_query, 3, 2, "h:64 vmid:16 gpa:64", "spa:64 flags:64", \
	  "HANDLE REG1 REG2") \
	X(VM, 4, vm_nested_dirty, 5, 1, "h:64 vmid:16 gpa:64 size:64 va:64", "generation:64", \
	  "HANDLE REG1 REG2 REG3 REG4 UNSUPPORTED") \
	X(VM, 5, vm_nested_flush, 3, 1, "h:64 vmid:16 generation:64", "generation:64", \
	  "HANDLE REG1 REG2 UNKNOWN") \
	X(VM, 6, vm_own, 4, 0, "h:64 vmid:16 spa:64 size:64", "", \
	  "HANDLE REG1 REG2 REG3 DENIED UNSUPPORTED NO_MEMORY") \
	X(VM, 7, vm_disown, 4, 0, "h:64 vmid:16 spa:64 size:64", "", \
	  "HANDLE REG1 REG2 REG3 DENIED BUSY NO_MEMORY") \
	X(VM, 8, vm_view_set, 5, 1, "h:64 view:64 gpa:64 size:64 flags:64", "generation:64", \
	  "HANDLE REG1 REG2 REG3 REG4 DENIED UNSUPPORTED NO_MEMORY") \
	X(VM, 9, vm_view_show, 5, 1, "h:64 view:64 gpa:64 flags:64 va:64", "generation:64", \
	  "HANDLE REG1 REG2 REG3 REG4 DENIED UNSUPPORTED NO_MEMORY") \
	X(VM, 10, vm_view_clear, 4, 1, "h:64 view:64 gpa:64 size:64", "generation:64", \
	  "HANDLE REG1 REG2 REG3 UNSUPPORTED") \
	X(VM, 11, vm_view_rest, 3, 1, "h:64 view:64 flags:64", "generation:64", \
	  "HANDLE REG1 REG2 UNSUPPORTED NO_MEMORY") \
	X(VM, 12, vm_view_seen, 2, 1, "h:64 generation:64", "seen:64", "HANDLE REG1") \
	X(VS, 0, vs_nested_attach, 2, 0, "h:64 vsid:16", "", "HANDLE REG1 UNSUPPORTED NO_MEMORY") \
	X(VS, 1, vs_read_list, 4, 1, "h:64 vsid:16 va:64 count:64", "done:64", \
	  "HANDLE REG1 REG2 REG3 LIST") \
	X(VS, 2, vs_write_list, 4, 1, "h:64 vsid:16 va:64 count:64", "done:64", \
	  "HANDLE REG1 REG2 REG3 LIST") \
	X(VS, 3, vs_xsave_attach, 2, 2, "h:64 vsid:16", "features:64 size:64", \
	  "HANDLE REG1 NO_MEMORY") \
	X(VS, 4, vs_xsave_read, 4, 0, "h:64 vsid:16 va:64 size:64", "", "HANDLE REG1 REG2 REG3") \
	X(VS, 5, vs_xsave_write, 4, 0, "h:64 vsid:16 va:64 size:64", "", "HANDLE REG1 REG2 REG3") \
	X(VS, 6, vs_view, 3, 0, "h:64 vsid:16 view:64", "", "HANDLE REG1 REG2 UNSUPPORTED") \
	X(MEM, 0, mem_donate, 3, 0, "h:64 spa:64 size:64", "", \
	  "HANDLE REG1 REG2 DENIED UNSUPPORTED NO_MEMORY") \
	X(MEM, 1, mem_return, 2, 1, "h:64 spa:64", "size:64", \
	  "HANDLE REG1 BUSY NO_MEMORY UNKNOWN") \
	X(MEM, 2, mem_ram, 2, 2, "h:64 spa:64", "begin:64 size:64", "HANDLE REG1") \
	X(PP, 0, pp_kick, 2, 0, "h:64 ppid:16", "", "HANDLE REG1 UNKNOWN") \
	X(PP, 1, pp_recall_attach, 1, 0, "h:64", "", "HANDLE BUSY") \
	X(PP, 2, pp_recall, 2, 0, "h:64 ppid:16", "", "HANDLE REG1 UNSUPPORTED BUSY UNKNOWN")

#define MK2_RAX(op, idx) (((uint64_t)MK2_MAGIC << 48) | ((uint64_t)(op) << 16) | (uint64_t)(idx))

/* MK2_vm_nested_map and so on: RAX of each call. */
#define MK2_ENUM(op, idx, name, in, out, args, results, errors) \
	static const uint64_t MK2_##name = MK2_RAX(MK2_OP_##op, idx);
#ifdef MK2_WANT_NUMBERS
MK2_SYSCALLS(MK2_ENUM)
#endif

#endif
