// SPDX-License-Identifier: MIT
/* What instructions do: see insn.h. */
#include <ext/libext/insn.h>

/* Where an operand is found, by the letters of the manuals' opcode maps. */
enum place {
	N, /* nowhere */
	A, /* the accumulator */
	B, /* an immediate byte */
	E, /* register or memory, by ModRM.rm */
	G, /* register, by ModRM.reg */
	I, /* an immediate of operand size, at most 4 bytes */
	O, /* memory, whose address follows the opcode */
	S, /* the stack */
	V, /* SSE register, by ModRM.reg */
	X, /* DS:rSI */
	Y /* ES:rDI */
};

/* Beside the operations: which one it is depends on ModRM.reg. */
enum group { GROUP_1 = 0x80, GROUP_1A, GROUP_3, GROUP_4, GROUP_5, GROUP_8, GROUP_11 };

#define BYTE 0x01 /* operands of one byte */
#define SRC_BYTE 0x02 /* the source alone */
#define SRC_WORD 0x04
#define SRC_DWORD 0x08
#define STACK 0x10 /* the operand size is 8 in 64-bit mode */
#define NONTEMPORAL 0x20 /* only to memory, of 4 or 8 bytes, no prefix that chooses another */
#define ONLY_64 0x40
#define NOT_IN_64 0x80
#define ALIGNED 0x100
/* So many bytes, whatever the prefixes. */
#define SIZE_SHIFT 10
#define SIZE(bytes) ((bytes) << SIZE_SHIFT)

struct opcode {
	uint8_t op; /* enum insn_op or enum group */
	uint8_t dst, src; /* enum place */
	uint16_t flags;
};

/* Without 00 to 3F, which are regular. */
static const struct opcode one_byte[256] = {
	[0x63] = { INSN_MOVSX, G, E, SRC_DWORD | ONLY_64 },
	[0x80] = { GROUP_1, E, I, BYTE },
	[0x81] = { GROUP_1, E, I, 0 },
	[0x82] = { GROUP_1, E, I, BYTE | NOT_IN_64 },
	[0x83] = { GROUP_1, E, B, 0 },
	[0x84] = { INSN_TEST, E, G, BYTE },
	[0x85] = { INSN_TEST, E, G, 0 },
	[0x86] = { INSN_XCHG, E, G, BYTE },
	[0x87] = { INSN_XCHG, E, G, 0 },
	[0x88] = { INSN_MOV, E, G, BYTE },
	[0x89] = { INSN_MOV, E, G, 0 },
	[0x8A] = { INSN_MOV, G, E, BYTE },
	[0x8B] = { INSN_MOV, G, E, 0 },
	[0x8F] = { GROUP_1A, E, S, STACK },
	[0xA0] = { INSN_MOV, A, O, BYTE },
	[0xA1] = { INSN_MOV, A, O, 0 },
	[0xA2] = { INSN_MOV, O, A, BYTE },
	[0xA3] = { INSN_MOV, O, A, 0 },
	[0xA4] = { INSN_MOV, Y, X, BYTE },
	[0xA5] = { INSN_MOV, Y, X, 0 },
	[0xA8] = { INSN_TEST, A, I, BYTE },
	[0xA9] = { INSN_TEST, A, I, 0 },
	[0xAA] = { INSN_MOV, Y, A, BYTE },
	[0xAB] = { INSN_MOV, Y, A, 0 },
	[0xAC] = { INSN_MOV, A, X, BYTE },
	[0xAD] = { INSN_MOV, A, X, 0 },
	[0xC6] = { GROUP_11, E, I, BYTE },
	[0xC7] = { GROUP_11, E, I, 0 },
	[0xF6] = { GROUP_3, E, N, BYTE },
	[0xF7] = { GROUP_3, E, N, 0 },
	[0xFE] = { GROUP_4, E, N, BYTE },
	[0xFF] = { GROUP_5, E, N, 0 },
};

static const struct opcode two_byte[256] = {
	[0xA3] = { INSN_BT, E, G, 0 },           [0xAB] = { INSN_BTS, E, G, 0 },
	[0xB0] = { INSN_CMPXCHG, E, G, BYTE },   [0xB1] = { INSN_CMPXCHG, E, G, 0 },
	[0xB3] = { INSN_BTR, E, G, 0 },          [0xB6] = { INSN_MOV, G, E, SRC_BYTE },
	[0xB7] = { INSN_MOV, G, E, SRC_WORD },   [0xBA] = { GROUP_8, E, B, 0 },
	[0xBB] = { INSN_BTC, E, G, 0 },          [0xBE] = { INSN_MOVSX, G, E, SRC_BYTE },
	[0xBF] = { INSN_MOVSX, G, E, SRC_WORD }, [0xC0] = { INSN_XADD, E, G, BYTE },
	[0xC1] = { INSN_XADD, E, G, 0 },         [0xC3] = { INSN_MOV, E, G, NONTEMPORAL },
};

/*
 * Moves between memory and SSE registers, by the last prefix (66 counts only without F2 and F3) and
 * the second byte of the opcode.
 */
static const struct {
	uint8_t prefix, byte;
	struct opcode opcode;
} sse[] = {
	{ 0x00, 0x10, { INSN_MOV, V, E, SIZE(16) } },
	{ 0x66, 0x10, { INSN_MOV, V, E, SIZE(16) } },
	{ 0xF2, 0x10, { INSN_MOV, V, E, SIZE(8) } },
	{ 0xF3, 0x10, { INSN_MOV, V, E, SIZE(4) } },
	{ 0x00, 0x11, { INSN_MOV, E, V, SIZE(16) } },
	{ 0x66, 0x11, { INSN_MOV, E, V, SIZE(16) } },
	{ 0xF2, 0x11, { INSN_MOV, E, V, SIZE(8) } },
	{ 0xF3, 0x11, { INSN_MOV, E, V, SIZE(4) } },
	{ 0x00, 0x28, { INSN_MOV, V, E, ALIGNED | SIZE(16) } },
	{ 0x66, 0x28, { INSN_MOV, V, E, ALIGNED | SIZE(16) } },
	{ 0x00, 0x29, { INSN_MOV, E, V, ALIGNED | SIZE(16) } },
	{ 0x66, 0x29, { INSN_MOV, E, V, ALIGNED | SIZE(16) } },
	{ 0x00, 0x2B, { INSN_MOV, E, V, ALIGNED | SIZE(16) } },
	{ 0x66, 0x2B, { INSN_MOV, E, V, ALIGNED | SIZE(16) } },
	{ 0x66, 0x6E, { INSN_MOV, V, E, SIZE(4) } }, /* 8 with REX.W */
	{ 0x66, 0x6F, { INSN_MOV, V, E, ALIGNED | SIZE(16) } },
	{ 0xF3, 0x6F, { INSN_MOV, V, E, SIZE(16) } },
	{ 0x66, 0x7E, { INSN_MOV, E, V, SIZE(4) } }, /* the same */
	{ 0xF3, 0x7E, { INSN_MOV, V, E, SIZE(8) } },
	{ 0x66, 0x7F, { INSN_MOV, E, V, ALIGNED | SIZE(16) } },
	{ 0xF3, 0x7F, { INSN_MOV, E, V, SIZE(16) } },
	{ 0x66, 0xD6, { INSN_MOV, E, V, SIZE(8) } },
	{ 0x66, 0xE7, { INSN_MOV, E, V, ALIGNED | SIZE(16) } },
};

/* By ModRM.reg. Group 1 is regular. */
static const uint8_t groups[][8] = {
	[GROUP_1A - GROUP_1] = { INSN_MOV },
	[GROUP_3 - GROUP_1] = { INSN_TEST, INSN_TEST, INSN_NOT, INSN_NEG },
	[GROUP_4 - GROUP_1] = { INSN_INC, INSN_DEC },
	[GROUP_5 - GROUP_1] = { INSN_INC, INSN_DEC, [6] = INSN_MOV },
	[GROUP_8 - GROUP_1] = { [4] = INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC },
	[GROUP_11 - GROUP_1] = { INSN_MOV },
};

bool insn_reads_dst(enum insn_op op)
{
	return op != INSN_MOV && op != INSN_MOVSX;
}

bool insn_writes_dst(enum insn_op op)
{
	return op != INSN_CMP && op != INSN_TEST && op != INSN_BT;
}

/* In bytes (APM vol. 3 §1.2.2). */
static uint8_t operand_size(const struct ext_insn *d, uint16_t flags)
{
	if (flags >> SIZE_SHIFT)
		return (uint8_t)(flags >> SIZE_SHIFT);
	if (flags & BYTE)
		return 1;
	if (d->operand_size == 4 && (flags & STACK) && d->mode == INSN_64)
		return 8;
	return d->operand_size == 2 && flags & NONTEMPORAL ? 4 : d->operand_size;
}

static uint8_t source_size(uint8_t size, uint16_t flags)
{
	if (flags & SRC_BYTE)
		return 1;
	if (flags & SRC_WORD)
		return 2;
	return flags & SRC_DWORD ? 4 : size;
}

/* The number of a register from ModRM, with its fourth bit from REX. */
static uint8_t extended(const struct ext_insn *d, unsigned int number, uint8_t rex_bit)
{
	return (uint8_t)((number & 7) | (d->rex & rex_bit ? 8 : 0));
}

static struct insn_operand reg_operand(const struct ext_insn *d, uint8_t reg, uint8_t size)
{
	/* AH to BH; with REX it is SPL to DIL. */
	if (size == 1 && !d->rex && reg >= 4)
		reg = (uint8_t)(reg - 4 + INSN_HIGH);
	return (struct insn_operand){ INSN_REG, reg, size };
}

/* The operand that ModRM.rm selects. */
static struct insn_operand rm_operand(const struct ext_insn *d, uint8_t size)
{
	if (d->memory)
		return (struct insn_operand){ INSN_MEM, 0, size };
	return reg_operand(d, extended(d, d->modrm, INSN_REX_B), size);
}

static struct insn_operand operand_at(const struct ext_insn *d, enum place place, uint8_t size)
{
	switch (place) {
	case A:
		return (struct insn_operand){ INSN_REG, INSN_RAX, size };
	case B:
	case I:
		return (struct insn_operand){ INSN_IMM, 0, size };
	case E:
		return rm_operand(d, size);
	case G:
		return reg_operand(d, extended(d, d->modrm >> 3, INSN_REX_R), size);
	case O:
		return (struct insn_operand){ INSN_MEM, 0, size };
	case V:
		return (struct insn_operand){ INSN_XMM, extended(d, d->modrm >> 3, INSN_REX_R),
					      size };
	case S:
		return (struct insn_operand){ INSN_STACK, 0, size };
	case X:
		return (struct insn_operand){ INSN_SI, 0, size };
	case Y:
		return (struct insn_operand){ INSN_DI, 0, size };
	default:
		return (struct insn_operand){ INSN_NO_OPERAND, 0, size };
	}
}

static struct opcode sse_opcode(const struct ext_insn *d, uint8_t byte)
{
	uint8_t prefix = d->operand_prefix ? 0x66 : 0;
	struct opcode opcode;

	if (d->repeat)
		prefix = d->repeat;
	for (unsigned int i = 0; i < sizeof(sse) / sizeof(sse[0]); i++) {
		if (sse[i].prefix != prefix || sse[i].byte != byte)
			continue;
		opcode = sse[i].opcode;
		if (opcode.flags == SIZE(4) && prefix == 0x66 && d->rex & INSN_REX_W)
			opcode.flags = SIZE(8); /* MOVQ, which is MOVD without the prefix */
		return opcode;
	}
	return (struct opcode){ INSN_NONE, N, N, 0 };
}

/* Finds out what instruction this is. */
static struct opcode find_opcode(const struct ext_insn *d)
{
	static const struct opcode regular[8] = {
		{ INSN_ADD, E, G, BYTE }, { INSN_ADD, E, G, 0 },    { INSN_ADD, G, E, BYTE },
		{ INSN_ADD, G, E, 0 },    { INSN_ADD, A, I, BYTE }, { INSN_ADD, A, I, 0 },
	};
	struct opcode opcode = one_byte[d->opcode];
	unsigned int reg = d->modrm >> 3 & 7;

	if (d->encoding != INSN_LEGACY || d->map > 1)
		return (struct opcode){ INSN_NONE, N, N, 0 };
	if (d->map == 1) {
		opcode = two_byte[d->opcode];
		if (opcode.op == INSN_NONE)
			opcode = sse_opcode(d, d->opcode);
	} else if (d->opcode < 0x40 && regular[d->opcode & 7].op) {
		opcode = regular[d->opcode & 7];
		opcode.op = (uint8_t)(opcode.op + (d->opcode >> 3));
	}
	if (opcode.flags & (d->mode == INSN_64 ? NOT_IN_64 : ONLY_64))
		opcode.op = INSN_NONE;
	if (opcode.op == GROUP_1) {
		opcode.op = (uint8_t)(INSN_ADD + reg);
	} else if (opcode.op > GROUP_1) {
		opcode.op = groups[opcode.op - GROUP_1][reg];
		if (opcode.op == INSN_TEST)
			opcode.src = I;
		if (d->opcode == 0xFF && opcode.op == INSN_MOV) /* group 5: PUSH */
			opcode = (struct opcode){ INSN_MOV, S, E, STACK };
	}
	return opcode;
}

/* Whether LOCK is where it may be: APM vol. 3 §1.2.5, what reads, modifies and writes memory. */
static bool may_lock(const struct insn *insn)
{
	enum insn_op op = (enum insn_op)insn->op;

	return insn_reads_dst(op) && insn_writes_dst(op) && insn->dst.kind == INSN_MEM;
}

enum insn_status insn_operation(const struct ext_insn *d, struct insn *insn)
{
	struct opcode opcode = find_opcode(d);
	uint8_t size = operand_size(d, opcode.flags);

	if (opcode.op == INSN_NONE)
		return INSN_UNSUPPORTED;
	if (opcode.flags & NONTEMPORAL && (d->operand_prefix || d->repeat))
		return INSN_UNSUPPORTED; /* reserved */
	if (opcode.flags & SRC_DWORD && size == 2)
		return INSN_UNSUPPORTED; /* how much MOVSXD reads then is not the same everywhere */
	*insn = (struct insn){
		.op = opcode.op,
		.length = d->length,
		.address_size = d->address_size,
		.segment = d->segment,
		.base = d->base,
		.index = d->index,
		.scale = d->scale,
		.displacement = d->displacement,
		.immediate = d->immediate,
	};
	insn->dst = operand_at(d, (enum place)opcode.dst, size);
	insn->src = operand_at(d, (enum place)opcode.src, source_size(size, opcode.flags));
	insn->aligned = opcode.flags & ALIGNED;
	insn->repeat = d->repeat && (opcode.dst == Y || opcode.src == X);
	insn->lock = insn->dst.kind == INSN_MEM && (d->lock || insn->op == INSN_XCHG);
	if (opcode.flags >> SIZE_SHIFT && !d->memory)
		return INSN_UNSUPPORTED; /* some of these merge, and none is ever needed */
	if (opcode.flags & NONTEMPORAL && !d->memory)
		return INSN_INVALID;
	return d->lock && !may_lock(insn) ? INSN_INVALID : INSN_OK;
}

enum insn_status insn_decode(const uint8_t *bytes, size_t avail, enum insn_mode mode,
			     struct insn *insn)
{
	struct ext_insn encoding;
	enum insn_status status = ext_insn_decode(bytes, avail, mode, &encoding);

	return status == INSN_OK ? insn_operation(&encoding, insn) : status;
}

bool ext_insn_access(const struct ext_insn *insn, struct insn_access *access)
{
	struct insn what;
	bool src, dst;

	if (insn_operation(insn, &what) != INSN_OK)
		return false;
	src = insn_in_memory(&what.src);
	dst = insn_in_memory(&what.dst);
	*access = (struct insn_access){
		.size = src ? what.src.size : what.dst.size,
		.read = src || (dst && insn_reads_dst((enum insn_op)what.op)),
		.write = dst && insn_writes_dst((enum insn_op)what.op),
		.lock = what.lock,
	};
	return src || dst;
}
