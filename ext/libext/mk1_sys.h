/* SPDX-License-Identifier: MIT */
/*
 * The calls of Mk#1 as C functions, made from the list in abi/mk1.h: mk1_vs_read and so on.
 *
 *   uint64_t mk1_NAME(inputs..., uint64_t *output...)
 *
 * Inputs are the call's arguments in the order of the list; ids and other narrow values are taken
 * from the low bits of their argument. The return value is the call's status: MK1_SUCCESS or one of
 * the other MK1_ values. Outputs are meaningful after MK1_SUCCESS only. The run and promote calls,
 * exit, wait and again come back only when they fail.
 *
 * SYSCALL itself loses RCX and R11; every register that is not an output keeps its value, and the
 * constraints below say exactly that. Memory is clobbered because a call may change the ABI page.
 */
#ifndef LIBEXT_MK1_SYS_H
#define LIBEXT_MK1_SYS_H

#include <abi/mk1.h>

#define MK1_CLOBBERS "rcx", "r11", "cc", "memory"

/* One function body for each shape of call: inputs, then outputs. */
#define MK1_STUB_0_0(name, rax) \
	static inline uint64_t mk1_##name(void) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" : "+a"(status) : : MK1_CLOBBERS); \
		return status; \
	}

#define MK1_STUB_1_0(name, rax) \
	static inline uint64_t mk1_##name(uint64_t reg0) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" : "+a"(status) : "D"(reg0) : MK1_CLOBBERS); \
		return status; \
	}

#define MK1_STUB_2_0(name, rax) \
	static inline uint64_t mk1_##name(uint64_t reg0, uint64_t reg1) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" : "+a"(status) : "D"(reg0), "S"(reg1) : MK1_CLOBBERS); \
		return status; \
	}

#define MK1_STUB_3_0(name, rax) \
	static inline uint64_t mk1_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" \
				 : "+a"(status) \
				 : "D"(reg0), "S"(reg1), "d"(reg2) \
				 : MK1_CLOBBERS); \
		return status; \
	}

#define MK1_STUB_4_0(name, rax) \
	static inline uint64_t mk1_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2, \
					  uint64_t reg3) \
	{ \
		uint64_t status = rax; \
		register uint64_t r10 __asm__("r10") = reg3; \
		__asm__ volatile("syscall" \
				 : "+a"(status) \
				 : "D"(reg0), "S"(reg1), "d"(reg2), "r"(r10) \
				 : MK1_CLOBBERS); \
		return status; \
	}

#define MK1_STUB_1_1(name, rax) \
	static inline uint64_t mk1_##name(uint64_t reg0, uint64_t *out0) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" : "+a"(status), "+D"(reg0) : : MK1_CLOBBERS); \
		*out0 = reg0; \
		return status; \
	}

#define MK1_STUB_2_1(name, rax) \
	static inline uint64_t mk1_##name(uint64_t reg0, uint64_t reg1, uint64_t *out0) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" : "+a"(status), "+D"(reg0) : "S"(reg1) : MK1_CLOBBERS); \
		*out0 = reg0; \
		return status; \
	}

#define MK1_STUB_3_1(name, rax) \
	static inline uint64_t mk1_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2, \
					  uint64_t *out0) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" \
				 : "+a"(status), "+D"(reg0) \
				 : "S"(reg1), "d"(reg2) \
				 : MK1_CLOBBERS); \
		*out0 = reg0; \
		return status; \
	}

#define MK1_STUB_1_2(name, rax) \
	static inline uint64_t mk1_##name(uint64_t reg0, uint64_t *out0, uint64_t *out1) \
	{ \
		uint64_t status = rax; \
		uint64_t reg1; \
		__asm__ volatile("syscall" \
				 : "+a"(status), "+D"(reg0), "=S"(reg1) \
				 : \
				 : MK1_CLOBBERS); \
		*out0 = reg0; \
		*out1 = reg1; \
		return status; \
	}

#define MK1_STUB_2_2(name, rax) \
	static inline uint64_t mk1_##name(uint64_t reg0, uint64_t reg1, uint64_t *out0, \
					  uint64_t *out1) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" \
				 : "+a"(status), "+D"(reg0), "+S"(reg1) \
				 : \
				 : MK1_CLOBBERS); \
		*out0 = reg0; \
		*out1 = reg1; \
		return status; \
	}

#define MK1_STUB(op, idx, name, in, out, args, results, errors) \
	MK1_STUB_##in##_##out(name, MK1_RAX(MK1_OP_##op, idx))

MK1_SYSCALLS(MK1_STUB)

#undef MK1_STUB

#endif
