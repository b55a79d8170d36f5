/* SPDX-License-Identifier: MIT */
/*
 * The calls of Mk#2 as C functions, made from the list in abi/mk2.h: mk2_vm_nested_map and so on.
 *
 *   uint64_t mk2_NAME(inputs..., uint64_t *output...)
 *
 * As in mk1_sys.h, the return value is the call's status, and outputs are meaningful after
 * MK1_SUCCESS only. The one exception: after MK2_FAILURE_LIST, the output of a list call is the
 * index of the entry that was refused.
 */
#ifndef LIBEXT_MK2_SYS_H
#define LIBEXT_MK2_SYS_H

#include <abi/mk2.h>

#define MK2_CLOBBERS "rcx", "r11", "cc", "memory"

/* One function body for each shape of call: inputs, then outputs. */
#define MK2_STUB_1_0(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" : "+a"(status) : "D"(reg0) : MK2_CLOBBERS); \
		return status; \
	}

#define MK2_STUB_2_0(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" : "+a"(status) : "D"(reg0), "S"(reg1) : MK2_CLOBBERS); \
		return status; \
	}

#define MK2_STUB_3_0(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" \
				 : "+a"(status) \
				 : "D"(reg0), "S"(reg1), "d"(reg2) \
				 : MK2_CLOBBERS); \
		return status; \
	}

#define MK2_STUB_4_0(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2, \
					  uint64_t reg3) \
	{ \
		uint64_t status = rax; \
		register uint64_t r10 __asm__("r10") = reg3; \
		__asm__ volatile("syscall" \
				 : "+a"(status) \
				 : "D"(reg0), "S"(reg1), "d"(reg2), "r"(r10) \
				 : MK2_CLOBBERS); \
		return status; \
	}

#define MK2_STUB_5_0(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2, \
					  uint64_t reg3, uint64_t reg4) \
	{ \
		uint64_t status = rax; \
		register uint64_t r10 __asm__("r10") = reg3; \
		register uint64_t r8 __asm__("r8") = reg4; \
		__asm__ volatile("syscall" \
				 : "+a"(status) \
				 : "D"(reg0), "S"(reg1), "d"(reg2), "r"(r10), "r"(r8) \
				 : MK2_CLOBBERS); \
		return status; \
	}

#define MK2_STUB_6_0(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2, \
					  uint64_t reg3, uint64_t reg4, uint64_t reg5) \
	{ \
		uint64_t status = rax; \
		register uint64_t r10 __asm__("r10") = reg3; \
		register uint64_t r8 __asm__("r8") = reg4; \
		register uint64_t r9 __asm__("r9") = reg5; \
		__asm__ volatile("syscall" \
				 : "+a"(status) \
				 : "D"(reg0), "S"(reg1), "d"(reg2), "r"(r10), "r"(r8), "r"(r9) \
				 : MK2_CLOBBERS); \
		return status; \
	}

#define MK2_STUB_2_1(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t *out0) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" : "+a"(status), "+D"(reg0) : "S"(reg1) : MK2_CLOBBERS); \
		*out0 = reg0; \
		return status; \
	}

#define MK2_STUB_2_2(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t *out0, \
					  uint64_t *out1) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" \
				 : "+a"(status), "+D"(reg0), "+S"(reg1) \
				 : \
				 : MK2_CLOBBERS); \
		*out0 = reg0; \
		*out1 = reg1; \
		return status; \
	}

#define MK2_STUB_3_1(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2, \
					  uint64_t *out0) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" \
				 : "+a"(status), "+D"(reg0) \
				 : "S"(reg1), "d"(reg2) \
				 : MK2_CLOBBERS); \
		*out0 = reg0; \
		return status; \
	}

#define MK2_STUB_3_2(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2, \
					  uint64_t *out0, uint64_t *out1) \
	{ \
		uint64_t status = rax; \
		__asm__ volatile("syscall" \
				 : "+a"(status), "+D"(reg0), "+S"(reg1) \
				 : "d"(reg2) \
				 : MK2_CLOBBERS); \
		*out0 = reg0; \
		*out1 = reg1; \
		return status; \
	}

#define MK2_STUB_4_1(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2, \
					  uint64_t reg3, uint64_t *out0) \
	{ \
		uint64_t status = rax; \
		register uint64_t r10 __asm__("r10") = reg3; \
		__asm__ volatile("syscall" \
				 : "+a"(status), "+D"(reg0) \
				 : "S"(reg1), "d"(reg2), "r"(r10) \
				 : MK2_CLOBBERS); \
		*out0 = reg0; \
		return status; \
	}

#define MK2_STUB_5_1(name, rax) \
	static inline uint64_t mk2_##name(uint64_t reg0, uint64_t reg1, uint64_t reg2, \
					  uint64_t reg3, uint64_t reg4, uint64_t *out0) \
	{ \
		uint64_t status = rax; \
		register uint64_t r10 __asm__("r10") = reg3; \
		register uint64_t r8 __asm__("r8") = reg4; \
		__asm__ volatile("syscall" \
				 : "+a"(status), "+D"(reg0) \
				 : "S"(reg1), "d"(reg2), "r"(r10), "r"(r8) \
				 : MK2_CLOBBERS); \
		*out0 = reg0; \
		return status; \
	}

#define MK2_STUB_6_4(name, rax) \
	static inline uint64_t mk2_##name( \
		uint64_t reg0, uint64_t reg1, uint64_t reg2, uint64_t reg3, uint64_t reg4, \
		uint64_t reg5, uint64_t *out0, uint64_t *out1, uint64_t *out2, uint64_t *out3) \
	{ \
		uint64_t status = rax; \
		register uint64_t r10 __asm__("r10") = reg3; \
		register uint64_t r8 __asm__("r8") = reg4; \
		register uint64_t r9 __asm__("r9") = reg5; \
		__asm__ volatile("syscall" \
				 : "+a"(status), "+D"(reg0), "+S"(reg1), "+d"(reg2), "+r"(r10) \
				 : "r"(r8), "r"(r9) \
				 : MK2_CLOBBERS); \
		*out0 = reg0; \
		*out1 = reg1; \
		*out2 = reg2; \
		*out3 = r10; \
		return status; \
	}

#define MK2_STUB(op, idx, name, in, out, args, results, errors) \
	MK2_STUB_##in##_##out(name, MK2_RAX(MK2_OP_##op, idx))

MK2_SYSCALLS(MK2_STUB)

#undef MK2_STUB

#endif
