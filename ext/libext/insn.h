/* SPDX-License-Identifier: MIT */
/*
 * Decoder for instructions: how long one is and which memory it names, of all that Intel's and
 * AMD's processors have in general use (APX and Xeon Phi excepted); and what those do with which
 * guests access devices: moves, arithmetic and logic on general registers, bit tests, exchanges,
 * stack and string moves, and moves between memory and SSE registers. Every fact about the encoding
 * is from APM vol. 3 chapter 1 and appendix A, or SDM vol. 2 chapter 2.
 *
 * In a hook, about the instruction at Linux's RIP:
 *
 *	struct ext_insn insn;
 *	struct insn_access access;
 *
 *	if (ext_insn_at(e->vsid, &insn) == INSN_OK && ext_insn_access(&insn, &access))
 *		ext_print("%u bytes, which %s %u bytes of memory\n", insn.length,
 *			  access.write ? "write" : "read", access.size);
 */
#ifndef LIBEXT_INSN_H
#define LIBEXT_INSN_H

#include <abi/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INSN_MAX_LENGTH 15

/* The default operand and address size: CS.L and CS.D of the code segment. */
enum insn_mode { INSN_16, INSN_32, INSN_64 };

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

/* X(name, what ext_insn_why says) */
#define EXT_INSN_STATUSES(X) \
	X(OK, "no error") \
	X(SHORT, "more bytes are needed") \
	X(TOO_LONG, "more than 15 bytes") /* #GP */ \
	X(INVALID, "LOCK, a register, or a prefix where it must not be") /* #UD */ \
	X(UNSUPPORTED, "none that the decoder knows") \
	X(UNREADABLE, "there is no memory at RIP that can be read") /* ext_insn_at */

#define INSN_STATUS_ENUM(name, text) INSN_##name,
enum insn_status { EXT_INSN_STATUSES(INSN_STATUS_ENUM) };

/* The sentence, without a full stop. It stays. */
const char *ext_insn_why(enum insn_status status);

/* --- how an instruction is encoded ------------------------------------------------------------ */

enum insn_encoding { INSN_LEGACY, INSN_VEX, INSN_EVEX, INSN_XOP };

#define INSN_REX_W 0x8
#define INSN_REX_R 0x4
#define INSN_REX_X 0x2
#define INSN_REX_B 0x1

struct ext_insn {
	uint8_t length; /* bytes */
	uint8_t mode; /* enum insn_mode */
	uint8_t encoding; /* enum insn_encoding */
	uint8_t map; /* 0: one byte, 1: after 0F, 2: 0F 38, 3: 0F 3A; or as in VEX, EVEX or XOP */
	uint8_t opcode; /* its last byte */
	uint8_t rex; /* INSN_REX_*, those of VEX too, and 0x40; 0: none */
	uint8_t repeat; /* the last of F2 and F3, or 0; of VEX: the one that it stands for */
	bool operand_prefix; /* 66; of VEX the same */
	bool address_prefix; /* 67 */
	bool lock;
	uint8_t operand_size; /* bytes: 2, 4 or 8, by mode and prefixes alone */
	uint8_t address_size; /* bytes: 2, 4 or 8 */
	uint8_t override; /* the segment that a prefix says, or INSN_NR_SEGMENTS */
	bool has_modrm;
	uint8_t modrm;

	/* An address is in the instruction, which need not access what is there (LEA, NOP). */
	bool memory;
	uint8_t segment; /* enum insn_segment */
	uint8_t base; /* a register or INSN_RIP or INSN_NO_REG */
	uint8_t index; /* a register or INSN_NO_REG */
	uint8_t scale; /* the index is shifted by this */
	uint8_t displacement_size; /* bytes; 0: none */
	uint64_t displacement; /* sign-extended */

	uint8_t immediate_size; /* bytes, with the second one; 0: none */
	uint64_t immediate; /* sign-extended; the distance of a jump, too */
	uint16_t second; /* the selector of a far pointer; the last byte of ENTER, INSERTQ */
};

/*
 * Decodes the encoding of the instruction that starts at bytes, of which avail may be read. *insn
 * is complete if the result is INSN_OK: opcodes that the CPU answers with #UD may be so, too.
 *
 * Not supported, beside opcodes that do not exist, are those whose length the vendors see
 * differently: near branches with 66 in 64-bit mode, without REX.W, and UD0.
 */
enum insn_status ext_insn_decode(const uint8_t *bytes, size_t avail, enum insn_mode mode,
				 struct ext_insn *insn);

/*
 * *offset in its segment of the address that is in the instruction, with registers by enum
 * insn_reg, and with the instruction's own rip. false: there is no address; or several, of a vector
 * of indices or a tile; or a displacement that EVEX scales.
 */
bool ext_insn_offset(const struct ext_insn *insn, const uint64_t gpr[16], uint64_t rip,
		     uint64_t *offset);

/* What an instruction does with its memory operand. */
struct insn_access {
	uint8_t size; /* bytes: 1, 2, 4, 8 or 16; of a string instruction, those of one iteration */
	bool read;
	bool write;
	bool lock; /* both in one step */
};

/*
 * The access of an instruction of those below. false: it is another, or it accesses no memory. One
 * that reads memory and writes other memory (MOVS, PUSH and POP with a memory operand) does both.
 */
bool ext_insn_access(const struct ext_insn *insn, struct insn_access *access);

/* --- of Linux: in hooks, on the PP that exited ------------------------------------------------ */

/*
 * Decodes the instruction at RIP, in the mode of CS, with bytes from ext_mem_code (memory.h, which
 * says what that takes). INSN_UNREADABLE: they cannot be had, or not as many as it takes.
 */
enum insn_status ext_insn_at(uint64_t vsid, struct ext_insn *insn);

/*
 * *la is the linear address that is in the instruction at RIP. Of the first extension of a start
 * only, which has Linux's general registers. false: as with ext_insn_offset.
 */
bool ext_insn_address(uint64_t vsid, const struct ext_insn *insn, uint64_t *la);

/* --- what an instruction does ----------------------------------------------------------------- */

/*
 * X(name): what is computed. Instructions that only copy, string and stack ones too, are INSN_MOV.
 * ADD to CMP are in the order of their opcodes and of their numbers in group 1.
 */
// clang-format off
#define EXT_INSN_OPS(X) \
	X(NONE) X(ADD) X(OR) X(ADC) X(SBB) X(AND) X(SUB) X(XOR) X(CMP) X(TEST) X(INC) X(DEC) \
	X(NOT) X(NEG) X(BT) X(BTS) X(BTR) X(BTC) X(MOV) X(MOVSX) X(XCHG) X(XADD) X(CMPXCHG)
// clang-format on

#define INSN_OP_ENUM(name) INSN_##name,
enum insn_op { EXT_INSN_OPS(INSN_OP_ENUM) };

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

/*
 * What the instruction does that ext_insn_decode has decoded. *insn is complete if the result is
 * INSN_OK.
 */
enum insn_status insn_operation(const struct ext_insn *encoding, struct insn *insn);

/* Both at once: as ext_insn_decode, with what insn_operation finds. */
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

#ifdef __cplusplus
}
#endif

#endif
