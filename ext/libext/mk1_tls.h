/* SPDX-License-Identifier: MIT */
/*
 * The ABI page behind the FS base: the general registers of the active VS (mk1_rax(),
 * mk1_set_rax(value) and so on, current in callbacks) and the ids of what is active on this PP
 * (mk1_tls_vmid() and so on).
 */
#ifndef LIBEXT_MK1_TLS_H
#define LIBEXT_MK1_TLS_H

#include <abi/mk1_layout.h>
#include <abi/types.h>

#define MK1_TLS_REG(name, offset) \
	static inline uint64_t mk1_##name(void) \
	{ \
		uint64_t value; \
		__asm__ volatile("movq %%fs:%c1, %0" \
				 : "=r"(value) \
				 : "i"(MK1_TLS_GPRS + (offset)) \
				 : "memory"); \
		return value; \
	} \
	static inline void mk1_set_##name(uint64_t value) \
	{ \
		__asm__ volatile("movq %0, %%fs:%c1" \
				 : \
				 : "er"(value), "i"(MK1_TLS_GPRS + (offset)) \
				 : "memory"); \
	}

MK1_TLS_REG(rax, BF_GPR_RAX)
MK1_TLS_REG(rbx, BF_GPR_RBX)
MK1_TLS_REG(rcx, BF_GPR_RCX)
MK1_TLS_REG(rdx, BF_GPR_RDX)
MK1_TLS_REG(rbp, BF_GPR_RBP)
MK1_TLS_REG(rsi, BF_GPR_RSI)
MK1_TLS_REG(rdi, BF_GPR_RDI)
MK1_TLS_REG(r8, BF_GPR_R8)
MK1_TLS_REG(r9, BF_GPR_R9)
MK1_TLS_REG(r10, BF_GPR_R10)
MK1_TLS_REG(r11, BF_GPR_R11)
MK1_TLS_REG(r12, BF_GPR_R12)
MK1_TLS_REG(r13, BF_GPR_R13)
MK1_TLS_REG(r14, BF_GPR_R14)
MK1_TLS_REG(r15, BF_GPR_R15)

#undef MK1_TLS_REG

#define MK1_TLS_ID(name, offset) \
	static inline uint16_t mk1_tls_##name(void) \
	{ \
		uint16_t id; \
		__asm__ volatile("movw %%fs:%c1, %0" : "=r"(id) : "i"(offset) : "memory"); \
		return id; \
	}

MK1_TLS_ID(extid, MK1_TLS_EXTID)
MK1_TLS_ID(vmid, MK1_TLS_VMID)
MK1_TLS_ID(vpid, MK1_TLS_VPID)
MK1_TLS_ID(vsid, MK1_TLS_VSID)
MK1_TLS_ID(ppid, MK1_TLS_PPID)
MK1_TLS_ID(online_pps, MK1_TLS_ONLINE_PPS)

#undef MK1_TLS_ID

#endif
