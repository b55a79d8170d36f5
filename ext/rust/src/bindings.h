/* SPDX-License-Identifier: MIT */
// clang-format off: what the preprocessor makes of it is Rust
/*
 * What Rust takes over from the contracts; build.rs has the C preprocessor expand it. Behind the
 * marker stand constants, and the lists as calls of macros that src/sys.rs defines.
 */
#include <abi/ext_calls.h>
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <abi/hw/x86.h>
#include <abi/mk1.h>
#include <abi/mk1_layout.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <abi/mk2.h>
#include <ext/libext/frame.h>
#include <ext/libext/insn.h>
#include <ext/libext/memory.h>
#include <ext/libext/vm.h>

#define SYSCALL(op, idx, name, in, out, args, results, errors) \
	stub!(name, MK1_RAX(MK1_OP_##op, idx), in, out);

#define SYSCALL2(op, idx, name, in, out, args, results, errors) \
	stub!(name, MK2_RAX(MK2_OP_##op, idx), in, out);

#define REG(number, name, where, bytes, access) name = number,

#define STATUS(name, text) name,

#define NAME(name) name,

#define EXIT(number, name) pub const name: u64 = number;

/* The general registers are those entries of the register list that live in the register block. */
#define TLS_GPR(name, where) gpr!(name, set_##name, MK1_TLS_GPRS, where);
#define TLS_RW(name, where)
#define TLS_RO(name, where)
#define TLS_LIVE(name, where)
#define TLS(number, name, where, bytes, access) TLS_##access(name, where)

@bindings@

pub const SPEC_ID: u32 = MK1_SPEC_ID;
pub const SPEC_MASK: u64 = MK1_SPEC_MASK;
pub const HANDLE: u64 = MK1_HANDLE;
pub const INVALID_ID: u16 = MK1_INVALID_ID;
pub const ROOT_VMID: u16 = MK1_ROOT_VMID;
pub const BOOTSTRAP_PPID: u16 = MK1_BOOTSTRAP_PPID;

pub const SUCCESS: u64 = MK1_SUCCESS;
pub const FAILURE_UNKNOWN: u64 = MK1_FAILURE_UNKNOWN;
pub const FAILURE_INVALID_HANDLE: u64 = MK1_FAILURE_INVALID_HANDLE;
pub const FAILURE_UNSUPPORTED: u64 = MK1_FAILURE_UNSUPPORTED;
pub const INVALID_PERM_DENIED: u64 = MK1_INVALID_PERM_DENIED;
pub const fn invalid_input_reg(n: u32) -> u64 { MK1_INVALID_INPUT_REG(n) }
pub const fn invalid_output_reg(n: u32) -> u64 { MK1_INVALID_OUTPUT_REG(n) }

pub const CPUID_LEAF: u32 = MK1_CPUID_LEAF;
pub const CPUID_STOP: u32 = MK1_CPUID_STOP;
pub const CPUID_REPORT_ON: u32 = MK1_CPUID_REPORT_ON;
pub const CPUID_REPORT_OFF: u32 = MK1_CPUID_REPORT_OFF;

pub const MK2_ID: u32 = MK2_SPEC_ID;
pub const MK2_MASK: u64 = MK2_SPEC_MASK;
pub const HANDLE2: u64 = MK2_HANDLE;

pub const FAILURE_NO_MEMORY: u64 = MK2_FAILURE_NO_MEMORY;
pub const FAILURE_EXISTS: u64 = MK2_FAILURE_EXISTS;
pub const FAILURE_LIST: u64 = MK2_FAILURE_LIST;
pub const FAILURE_BUSY: u64 = MK2_FAILURE_BUSY;
pub const FAILURE_ENDED: u64 = MK2_FAILURE_ENDED;

pub const NESTED_R: u64 = MK2_NESTED_R;
pub const NESTED_W: u64 = MK2_NESTED_W;
pub const NESTED_X: u64 = MK2_NESTED_X;
pub const NESTED_SHARED: u64 = MK2_NESTED_SHARED;
pub const NESTED_WB: u64 = MK2_NESTED_WB;
pub const NESTED_UC: u64 = MK2_NESTED_UC;
pub const NESTED_WT: u64 = MK2_NESTED_WT;
pub const NESTED_4K: u64 = MK2_NESTED_4K;
pub const NESTED_2M: u64 = MK2_NESTED_2M;
pub const NESTED_1G: u64 = MK2_NESTED_1G;
pub const NESTED_ACCESSED: u64 = MK2_NESTED_ACCESSED;
pub const NESTED_DIRTY: u64 = MK2_NESTED_DIRTY;
pub const ARGS_MAX: usize = MK2_ARGS_MAX;
pub const ARG_KEY_MAX: usize = MK2_ARG_KEY_MAX;
pub const EMIT_MAX: usize = MK2_EMIT_MAX;
pub const EMIT_LOSSLESS: u64 = MK2_EMIT_LOSSLESS;
pub const LIST_MAX: usize = MK2_LIST_MAX;
pub const XSAVE_LEGACY: usize = MK2_XSAVE_LEGACY;

pub const DE: u32 = VECTOR_DE;
pub const BR: u32 = VECTOR_BR;
pub const UD: u32 = VECTOR_UD;
pub const NM: u32 = VECTOR_NM;
pub const TS: u32 = VECTOR_TS;
pub const NP: u32 = VECTOR_NP;
pub const SS: u32 = VECTOR_SS;
pub const GP: u32 = VECTOR_GP;
pub const PF: u32 = VECTOR_PF;
pub const MF: u32 = VECTOR_MF;
pub const AC: u32 = VECTOR_AC;
pub const XM: u32 = VECTOR_XM;

MK1_SYSCALLS(SYSCALL)
MK2_SYSCALLS(SYSCALL2)
stub!(more_time, BF_CALL_MORE_TIME, 1, 0);

registers! { AmdReg, MK1_AMD_REGS(REG) }
registers! { IntelReg, MK1_INTEL_REGS(REG) }

frame_registers! { EXT_REGS(NAME) }

memory_errors! { EXT_MEM_STATUSES(STATUS) }
insn_errors! { EXT_INSN_STATUSES(STATUS) }
insn_ops! { EXT_INSN_OPS(NAME) }
vm_registers! { EXT_VM_REGS(NAME) }

pub mod svm_exit { SVM_EXITS(EXIT) }
pub mod vmx_exit { VMX_EXITS(EXIT) }

MK1_AMD_REGS(TLS)

tls_id!(extid, MK1_TLS_EXTID);
tls_id!(vmid, MK1_TLS_VMID);
tls_id!(vpid, MK1_TLS_VPID);
tls_id!(vsid, MK1_TLS_VSID);
tls_id!(ppid, MK1_TLS_PPID);
tls_id!(online_pps, MK1_TLS_ONLINE_PPS);
