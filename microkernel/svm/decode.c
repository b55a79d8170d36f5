// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instruction lengths from opcode maps (APM vol. 3, appendix A). Only what decides the length is in
 * the tables: whether there is a ModRM byte and what kind of immediate follows.
 */
#include "svm/decode.h"

/* The immediate, low bits of a table entry. */
enum immediate {
	IMM_NONE,
	IMM_BYTE,
	IMM_WORD,
	IMM_ENTER, /* a word and a byte */
	IMM_Z, /* operand size, at most four bytes */
	IMM_V, /* operand size */
	IMM_OFFSET, /* address size */
	IMM_FAR, /* a selector and an offset of operand size */
	IMM_MASK
};

#define MODRM 0x08
#define REGISTERS 0x10 /* ModRM names registers whatever its mod field says */
#define NOT_IN_64 0x20
#define INVALID 0x40
#define PREFIX 0x80

/* Short names, for tables that one can read. */
enum {
	N = IMM_NONE, /* nothing */
	B = IMM_BYTE,
	W = IMM_WORD,
	E = IMM_ENTER,
	Z = IMM_Z,
	V = IMM_V,
	O = IMM_OFFSET,
	M = MODRM,
	R = MODRM | REGISTERS,
	MB = MODRM | IMM_BYTE,
	MZ = MODRM | IMM_Z,
	N6 = IMM_NONE | NOT_IN_64,
	B6 = IMM_BYTE | NOT_IN_64,
	P6 = IMM_FAR | NOT_IN_64,
	MB6 = MODRM | IMM_BYTE | NOT_IN_64,
	PF = PREFIX,
	XX = INVALID
};

static const uint8_t one_byte[256] = {
	/* 0x */ M,  M,  M,   M,  B,  Z,  N6, N6, M, M,  M,  M,  B, Z, N6, N,
	/* 1x */ M,  M,  M,   M,  B,  Z,  N6, N6, M, M,  M,  M,  B, Z, N6, N6,
	/* 2x */ M,  M,  M,   M,  B,  Z,  PF, N6, M, M,  M,  M,  B, Z, PF, N6,
	/* 3x */ M,  M,  M,   M,  B,  Z,  PF, N6, M, M,  M,  M,  B, Z, PF, N6,
	/* 4x */ N,  N,  N,   N,  N,  N,  N,  N,  N, N,  N,  N,  N, N, N,  N,
	/* 5x */ N,  N,  N,   N,  N,  N,  N,  N,  N, N,  N,  N,  N, N, N,  N,
	/* 6x */ N6, N6, M,   M,  PF, PF, PF, PF, Z, MZ, B,  MB, N, N, N,  N,
	/* 7x */ B,  B,  B,   B,  B,  B,  B,  B,  B, B,  B,  B,  B, B, B,  B,
	/* 8x */ MB, MZ, MB6, MB, M,  M,  M,  M,  M, M,  M,  M,  M, M, M,  M,
	/* 9x */ N,  N,  N,   N,  N,  N,  N,  N,  N, N,  P6, N,  N, N, N,  N,
	/* Ax */ O,  O,  O,   O,  N,  N,  N,  N,  B, Z,  N,  N,  N, N, N,  N,
	/* Bx */ B,  B,  B,   B,  B,  B,  B,  B,  V, V,  V,  V,  V, V, V,  V,
	/* Cx */ MB, MB, W,   N,  M,  M,  MB, MZ, E, N,  W,  N,  N, B, N6, N,
	/* Dx */ M,  M,  M,   M,  B6, B6, N6, N,  M, M,  M,  M,  M, M, M,  M,
	/* Ex */ B,  B,  B,   B,  B,  B,  B,  B,  Z, Z,  P6, B,  N, N, N,  N,
	/* Fx */ PF, N,  PF,  PF, N,  N,  M,  M,  N, N,  N,  N,  N, N, M,  M
};

static const uint8_t two_byte[256] = {
	/* 0x */ M,  M,  M,  M,  XX, N,  N,  N,  N, N,  XX, N,  XX, M,  N,  MB,
	/* 1x */ M,  M,  M,  M,  M,  M,  M,  M,  M, M,  M,  M,  M,  M,  M,  M,
	/* 2x */ R,  R,  R,  R,  XX, XX, XX, XX, M, M,  M,  M,  M,  M,  M,  M,
	/* 3x */ N,  N,  N,  N,  N,  N,  XX, N,  N, XX, N,  XX, XX, XX, XX, XX,
	/* 4x */ M,  M,  M,  M,  M,  M,  M,  M,  M, M,  M,  M,  M,  M,  M,  M,
	/* 5x */ M,  M,  M,  M,  M,  M,  M,  M,  M, M,  M,  M,  M,  M,  M,  M,
	/* 6x */ M,  M,  M,  M,  M,  M,  M,  M,  M, M,  M,  M,  M,  M,  M,  M,
	/* 7x */ MB, MB, MB, MB, M,  M,  M,  N,  M, M,  M,  M,  M,  M,  M,  M,
	/* 8x */ Z,  Z,  Z,  Z,  Z,  Z,  Z,  Z,  Z, Z,  Z,  Z,  Z,  Z,  Z,  Z,
	/* 9x */ M,  M,  M,  M,  M,  M,  M,  M,  M, M,  M,  M,  M,  M,  M,  M,
	/* Ax */ N,  N,  N,  M,  MB, M,  M,  M,  N, N,  N,  M,  MB, M,  M,  M,
	/* Bx */ M,  M,  M,  M,  M,  M,  M,  M,  M, M,  MB, M,  M,  M,  M,  M,
	/* Cx */ M,  M,  MB, M,  MB, MB, MB, M,  N, N,  N,  N,  N,  N,  N,  N,
	/* Dx */ M,  M,  M,  M,  M,  M,  M,  M,  M, M,  M,  M,  M,  M,  M,  M,
	/* Ex */ M,  M,  M,  M,  M,  M,  M,  M,  M, M,  M,  M,  M,  M,  M,  M,
	/* Fx */ M,  M,  M,  M,  M,  M,  M,  M,  M, M,  M,  M,  M,  M,  M,  M
};

/* What has been read of the instruction so far. */
struct insn {
	const uint8_t *bytes;
	unsigned int avail;
	unsigned int pos;
	enum decode_mode mode;
	bool operand_prefix; /* 66 */
	bool address_prefix; /* 67 */
	bool repne_prefix; /* F2 */
	bool rex_w;
};

static bool take(struct insn *insn, uint8_t *byte)
{
	if (insn->pos >= insn->avail)
		return false;
	*byte = insn->bytes[insn->pos++];
	return true;
}

/* Looks at the byte that take() would give next. */
static bool peek(const struct insn *insn, uint8_t *byte)
{
	if (insn->pos >= insn->avail)
		return false;
	*byte = insn->bytes[insn->pos];
	return true;
}

/* In bytes: 2, 4 or 8 (APM vol. 3 §1.2.2). */
static unsigned int operand_size(const struct insn *insn)
{
	if (insn->rex_w)
		return 8;
	return (insn->mode == DECODE_16) != insn->operand_prefix ? 2 : 4;
}

/* In bytes: 2, 4 or 8 (APM vol. 3 §1.2.3). */
static unsigned int address_size(const struct insn *insn)
{
	if (insn->mode == DECODE_64)
		return insn->address_prefix ? 4 : 8;
	return (insn->mode == DECODE_16) != insn->address_prefix ? 2 : 4;
}

/* Takes all prefixes and the first byte of the opcode. */
static bool take_prefixes(struct insn *insn, uint8_t *opcode)
{
	while (take(insn, opcode)) {
		if (insn->mode == DECODE_64 && (*opcode & 0xF0) == 0x40) {
			insn->rex_w = *opcode & 0x08;
			continue;
		}
		if (!(one_byte[*opcode] & PREFIX))
			return true;
		/* A REX prefix counts only right before the opcode (APM vol. 3 §1.2.7). */
		insn->rex_w = false;
		insn->operand_prefix |= *opcode == 0x66;
		insn->address_prefix |= *opcode == 0x67;
		insn->repne_prefix |= *opcode == 0xF2;
	}
	return false;
}

/* Takes ModRM and SIB, and returns how many bytes of displacement follow (APM vol. 3 §1.4). */
static bool take_modrm(struct insn *insn, bool registers, uint8_t *modrm, unsigned int *disp)
{
	unsigned int mod, rm;
	uint8_t sib;

	*disp = 0;
	if (!take(insn, modrm))
		return false;
	mod = *modrm >> 6;
	rm = *modrm & 7;
	if (mod == 3 || registers)
		return true;
	if (address_size(insn) == 2) {
		*disp = mod == 2 || (mod == 0 && rm == 6) ? 2 : mod;
		return true;
	}
	if (rm == 4) {
		if (!take(insn, &sib))
			return false;
		rm = sib & 7;
	}
	*disp = mod == 2 || (mod == 0 && rm == 5) ? 4 : mod;
	return true;
}

static unsigned int immediate_length(const struct insn *insn, enum immediate kind)
{
	unsigned int size = operand_size(insn);

	switch (kind) {
	case IMM_BYTE:
		return 1;
	case IMM_WORD:
		return 2;
	case IMM_ENTER:
		return 3;
	case IMM_Z:
		return size == 2 ? 2 : 4;
	case IMM_V:
		return size;
	case IMM_OFFSET:
		return address_size(insn);
	case IMM_FAR:
		return size + 2;
	default:
		return 0;
	}
}

/* The total length, given what follows the opcode; 0 if that does not fit. */
static unsigned int finish(struct insn *insn, uint8_t entry, unsigned int extra)
{
	unsigned int disp = 0, length;
	uint8_t modrm;

	if (entry & (INVALID | PREFIX))
		return 0;
	if ((entry & NOT_IN_64) && insn->mode == DECODE_64)
		return 0;
	if ((entry & MODRM) && !take_modrm(insn, entry & REGISTERS, &modrm, &disp))
		return 0;
	length = insn->pos + disp + extra +
		 immediate_length(insn, (enum immediate)(entry & (IMM_MASK - 1)));
	return length <= insn->avail ? length : 0;
}

/* The opcode after VEX, EVEX or XOP, which selected map (APM vol. 3 §1.2, SDM vol. 2 §2.7). */
static unsigned int finish_vector(struct insn *insn, unsigned int map)
{
	uint8_t opcode;

	if (!take(insn, &opcode))
		return 0;
	switch (map) {
	case 1: /* 0F: VZEROUPPER alone has no ModRM */
		return finish(insn, opcode == 0x77 ? N : M | (two_byte[opcode] == MB ? B : N), 0);
	case 2: /* 0F38 */
	case 5: /* EVEX only */
	case 6:
	case 9: /* XOP only */
		return finish(insn, M, 0);
	case 3: /* 0F3A */
	case 8: /* XOP only */
		return finish(insn, MB, 0);
	case 10: /* XOP only, four bytes of immediate */
		return finish(insn, M, 4);
	default:
		return 0;
	}
}

static bool skip(struct insn *insn, unsigned int n)
{
	insn->pos += n;
	return insn->pos <= insn->avail;
}

/*
 * C4, C5, 62 and 8F are prefixes only where the byte after them could not be the ModRM of the old
 * instruction with this opcode. Returns whether it is a prefix; the length is in *length then.
 */
static bool vector_prefix(struct insn *insn, uint8_t opcode, unsigned int *length)
{
	unsigned int payload, map;
	uint8_t next;

	if (opcode != 0xC4 && opcode != 0xC5 && opcode != 0x62 && opcode != 0x8F)
		return false;
	if (!peek(insn, &next))
		return false;
	if (opcode == 0x8F) {
		if ((next & 0x1F) < 8)
			return false;
	} else if (insn->mode != DECODE_64 && next >> 6 != 3) {
		return false;
	}
	payload = opcode == 0xC5 ? 1 : opcode == 0x62 ? 3 : 2;
	map = opcode == 0xC5 ? 1 : opcode == 0x62 ? next & 0x07 : next & 0x1F;
	*length = skip(insn, payload) ? finish_vector(insn, map) : 0;
	return true;
}

static unsigned int two_byte_length(struct insn *insn)
{
	uint8_t opcode, entry;

	if (!take(insn, &opcode))
		return 0;
	if (opcode == 0x38 || opcode == 0x3A) {
		entry = opcode == 0x38 ? M : MB;
		return take(insn, &opcode) ? finish(insn, entry, 0) : 0;
	}
	/* EXTRQ and INSERTQ share their opcode with VMREAD and have two bytes of immediate. */
	if (opcode == 0x78 && (insn->operand_prefix || insn->repne_prefix))
		return finish(insn, M | W, 0);
	return finish(insn, two_byte[opcode], 0);
}

static struct insn begin(const uint8_t *bytes, size_t avail, enum decode_mode mode)
{
	return (struct insn){
		.bytes = bytes,
		.avail = avail < DECODE_MAX_LENGTH ? (unsigned int)avail : DECODE_MAX_LENGTH,
		.mode = mode,
	};
}

unsigned int decode_prefixes(const uint8_t *bytes, size_t avail, enum decode_mode mode)
{
	struct insn insn = begin(bytes, avail, mode);
	uint8_t opcode;

	return take_prefixes(&insn, &opcode) ? insn.pos - 1 : insn.pos;
}

unsigned int decode_length(const uint8_t *bytes, size_t avail, enum decode_mode mode)
{
	struct insn insn = begin(bytes, avail, mode);
	uint8_t opcode, modrm, entry;
	unsigned int length;

	if (!take_prefixes(&insn, &opcode))
		return 0;
	if (opcode == 0x0F)
		return two_byte_length(&insn);
	if (vector_prefix(&insn, opcode, &length))
		return length;
	entry = one_byte[opcode];
	/* Group 3: only TEST, /0 and /1, has an immediate. */
	if ((opcode == 0xF6 || opcode == 0xF7) && peek(&insn, &modrm) && !(modrm & 0x30))
		entry = opcode == 0xF6 ? MB : MZ;
	return finish(&insn, entry, 0);
}
