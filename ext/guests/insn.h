/* SPDX-License-Identifier: MIT */
/*
 * Decoder for the instructions with which guests access devices in memory: moves, arithmetic and
 * logic on general registers, bit tests, exchanges, stack and string moves, and moves between
 * memory and SSE registers. Every fact about the
 * encoding is from APM vol. 3 chapter 1 and appendix A, or SDM vol. 2 chapter 2.
 */
#ifndef EXT_GUESTS_INSN_H
#define EXT_GUESTS_INSN_H

#include <abi/types.h>

#define INSN_MAX_LENGTH 15

/* The default operand and address size: CS.L and CS.D of the code segment. */
enum insn_mode { INSN_16, INSN_32, INSN_64 };

/* What is computed. Instructions that only copy, string and stack ones too, are INSN_MOV. */
enum insn_op {
	INSN_NONE,
	/* in the order of their opcodes and of their numbers in group 1 */
	INSN_ADD,
	INSN_OR,
	INSN_ADC,
	INSN_SBB,
	INSN_AND,
	INSN_SUB,
	INSN_XOR,
	INSN_CMP,
	INSN_TEST,
	INSN_INC,
	INSN_DEC,
	INSN_NOT,
	INSN_NEG,
	INSN_BT,
	INSN_BTS,
	INSN_BTR,
	INSN_BTC,
	INSN_MOV,
	INSN_MOVSX,
	INSN_XCHG,
	INSN_XADD,
	INSN_CMPXCHG
};

/* Segment registers by their numbers in the encoding. */
enum insn_segment { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS, INSN_NR_SEGMENTS };

/* General registers by their numbers in the encoding, as far as they have a role of their own. */
enum insn_reg {
	INSN_RAX,
	INSN_RCX,
	INSN_RDX,
	INSN_RBX,
	INSN_RSP,
	INSN_RBP,
	INSN_RSI,
	INSN_RDI,
	INSN_HIGH = 16, /* AH, CH, DH and BH */
	INSN_RIP = 20, /* as a base only */
	INSN_NO_REG
};

/* Where an operand is. */
enum insn_kind {
	INSN_NO_OPERAND,
	INSN_REG,
	INSN_XMM, /* an SSE register, of which size bytes are used */
	INSN_IMM,
	INSN_MEM, /* the address is in the instruction */
	INSN_SI, /* memory at DS:rSI */
	INSN_DI, /* memory at ES:rDI */
	INSN_STACK /* to be pushed, or popped */
};

struct insn_operand {
	uint8_t kind; /* enum insn_kind */
	uint8_t reg; /* INSN_REG, INSN_XMM: which one */
	uint8_t size; /* bytes: 1, 2, 4, 8 or 16 */
};

struct insn {
	struct insn_operand dst;
	struct insn_operand src;
	uint8_t op; /* enum insn_op */
	uint8_t length; /* bytes */
	uint8_t address_size; /* bytes: 2, 4 or 8 */
	uint8_t segment; /* enum insn_segment, for INSN_MEM and INSN_SI */
	uint8_t base; /* a register or INSN_RIP or INSN_NO_REG */
	uint8_t index; /* a register or INSN_NO_REG */
	uint8_t scale; /* the index is shifted by this */
	bool lock; /* LOCK prefix, or XCHG with memory, which needs none */
	bool repeat; /* a REP prefix, on a string instruction */
	bool aligned; /* a memory operand of 16 bytes has to be aligned: else #GP */
	uint64_t displacement; /* sign-extended */
	uint64_t immediate; /* sign-extended */
};

enum insn_status {
	INSN_OK,
	INSN_SHORT, /* more bytes are needed */
	INSN_TOO_LONG, /* more than 15 bytes: #GP */
	INSN_INVALID, /* #UD: LOCK, or a register, where it must not be */
	INSN_UNSUPPORTED /* none that this decoder knows */
};

/*
 * Decodes the instruction that starts at bytes, of which avail may be read. *insn is complete if
 * the result is INSN_OK.
 */
enum insn_status insn_decode(const uint8_t *bytes, size_t avail, enum insn_mode mode,
			     struct insn *insn);

/* Whether the operation uses what was in its destination before, and whether it changes it. */
bool insn_reads_dst(enum insn_op op);
bool insn_writes_dst(enum insn_op op);

/* Whether an operand is in memory. */
static inline bool insn_in_memory(const struct insn_operand *operand)
{
	return operand->kind >= INSN_MEM;
}

/* The lowest size bytes of value as a signed number. */
static inline uint64_t insn_sign_extend(uint64_t value, unsigned int size)
{
	unsigned int unused = 64 - 8 * size;

	/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): size is 1 to 8 */
	return (uint64_t)((int64_t)(value << unused) >> unused);
}

#endif
