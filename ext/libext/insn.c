// SPDX-License-Identifier: MIT
/*
 * The encoding of instructions: see insn.h. Opcode maps: SDM vol. 2 appendix A, APM vol. 3
 * appendix A; VEX and XOP: APM vol. 3 §1.7, EVEX: SDM vol. 2 §2.7.
 */
#include <ext/libext/insn.h>

/*
 * What follows an opcode:
 *
 *	.	nothing
 *	m	ModRM
 *	r	ModRM, of a register whatever its mod field says
 *	b	a byte
 *	w	2 bytes
 *	z	2 or 4 bytes, by operand size
 *	v	2, 4 or 8 bytes, by operand size
 *	M, Z	ModRM, and what b and z are
 *	g, G	ModRM, and with reg 0 and 1 what b and z are (group 3)
 *	J	the distance of a near branch, 2 or 4 bytes
 *	o	an address
 *	p	a far pointer; not in 64-bit mode
 *	e	2 bytes and one (ENTER)
 *	n, i	what . and b are; not in 64-bit mode
 *	q, Q	what m and M are; not in 64-bit mode
 *	x	there is none, or it is a prefix
 */
// clang-format off: a line for each 16 opcodes
static const char one_byte[] =
	"mmmmbznnmmmmbznx"
	"mmmmbznnmmmmbznn"
	"mmmmbzxnmmmmbzxn"
	"mmmmbzxnmmmmbzxn"
	"................"
	"................"
	"nnqmxxxxzZbM...."
	"bbbbbbbbbbbbbbbb"
	"MZQMmmmmmmmmmmmm"
	"..........p....."
	"oooo....bz......"
	"bbbbbbbbvvvvvvvv"
	"MMw.qqMZe.w..bn."
	"mmmmiin.mmmmmmmm"
	"bbbbbbbbJJpb...."
	"x.xx..gG......mm";

/* After 0F. UD0, which is 0F FF, has ModRM on Intel only. */
static const char two_byte[] =
	"mmmmx.....x.xm.M"
	"mmmmmmmmmmmmmmmm"
	"rrrrxxxxmmmmmmmm"
	"......x.xxxxxxxx"
	"mmmmmmmmmmmmmmmm"
	"mmmmmmmmmmmmmmmm"
	"mmmmmmmmmmmmmmmm"
	"MMMMmmm.mmxxmmmm"
	"JJJJJJJJJJJJJJJJ"
	"mmmmmmmmmmmmmmmm"
	"...mMmxx...mMmmm"
	"mmmmmmmmmmMmmmmm"
	"mmMmMMMm........"
	"mmmmmmmmmmmmmmmm"
	"mmmmmmmmmmmmmmmm"
	"mmmmmmmmmmmmmmmx";
// clang-format on

#define VZEROUPPER 0x77 /* and VZEROALL: the only ones of VEX without ModRM */
#define EXTRQ 0x78 /* and INSERTQ */

/* What has been read of the instruction so far. */
struct reader {
	const uint8_t *bytes;
	unsigned int avail;
	unsigned int pos;
	bool over; /* a byte beyond avail was needed */
};

/* The next byte, which stays the next one; 0 after the last. */
static uint8_t peek(struct reader *r)
{
	if (r->pos < r->avail)
		return r->bytes[r->pos];
	r->over = true;
	return 0;
}

static uint8_t take(struct reader *r)
{
	uint8_t byte = peek(r);

	if (!r->over)
		r->pos++;
	return byte;
}

/* A number of size bytes, sign-extended. */
static uint64_t take_signed(struct reader *r, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)take(r) << (8 * i);
	return insn_sign_extend(value, size);
}

/* --- prefixes --------------------------------------------------------------------------------- */

/* In 64-bit mode a prefix for one of the flat segments means nothing (APM vol. 3 §1.2.4). */
static void override_segment(struct ext_insn *insn, enum insn_segment segment)
{
	if (insn->mode != INSN_64 || segment >= INSN_FS)
		insn->override = (uint8_t)segment;
}

static bool apply_prefix(struct ext_insn *insn, uint8_t byte)
{
	switch (byte) {
	case 0x26:
	case 0x2E:
	case 0x36:
	case 0x3E:
		override_segment(insn, (enum insn_segment)(byte >> 3 & 3));
		return true;
	case 0x64:
	case 0x65:
		override_segment(insn, (enum insn_segment)(byte & 7));
		return true;
	case 0x66:
		insn->operand_prefix = true;
		return true;
	case 0x67:
		insn->address_prefix = true;
		return true;
	case 0xF0:
		insn->lock = true;
		return true;
	case 0xF2:
	case 0xF3:
		insn->repeat = byte;
		return true;
	default:
		return false;
	}
}

/* Takes all prefixes, and returns the first byte of the opcode. */
static uint8_t take_prefixes(struct reader *r, struct ext_insn *insn)
{
	for (;;) {
		uint8_t byte = take(r);

		if (insn->mode == INSN_64 && (byte & 0xF0) == 0x40)
			insn->rex = byte;
		else if (apply_prefix(insn, byte))
			insn->rex = 0; /* right before the opcode only (APM vol. 3 §1.2.7) */
		else
			return byte;
	}
}

/* The last two bits of VEX, XOP and EVEX, which stand for a prefix. */
static void apply_pp(struct ext_insn *insn, uint8_t pp)
{
	static const uint8_t repeat[] = { 0, 0, 0xF3, 0xF2 };

	insn->operand_prefix = pp == 1;
	insn->repeat = repeat[pp];
}

/* Takes what follows C4, C5, 8F or 62, with the opcode. */
static enum insn_status take_vex(struct reader *r, uint8_t first, struct ext_insn *insn)
{
	bool lone = !insn->operand_prefix && !insn->repeat && !insn->lock && !insn->rex;
	uint8_t byte = take(r), last = byte;

	insn->encoding = first == 0x8F ? INSN_XOP : first == 0x62 ? INSN_EVEX : INSN_VEX;
	insn->map = first == 0xC5 ? 1 : byte & 0x1F;
	/* R, X and B, which are inverted: in other modes they have to be 1, or mean nothing. */
	if (insn->mode == INSN_64)
		insn->rex = (uint8_t)(0x40 | (~byte >> 5 & (first == 0xC5 ? INSN_REX_R : 7)));
	if (first != 0xC5) {
		last = take(r);
		if (last & 0x80)
			insn->rex |= 0x40 | INSN_REX_W;
	}
	if (insn->encoding == INSN_EVEX) {
		insn->map = byte & 0xF; /* the next bit is R' */
		if (!(last & 4))
			return INSN_UNSUPPORTED;
		take(r);
	}
	apply_pp(insn, last & 3);
	insn->opcode = take(r);
	return lone ? INSN_OK : INSN_INVALID;
}

/* --- opcodes ---------------------------------------------------------------------------------- */

/* What follows an opcode of VEX, XOP or EVEX. */
static char vex_follows(const struct ext_insn *insn)
{
	if (insn->encoding == INSN_XOP)
		return insn->map == 8 ? 'M' : insn->map == 9 ? 'm' : insn->map == 10 ? 'Z' : 'x';
	switch (insn->map) {
	case 1:
		if (insn->encoding == INSN_VEX && insn->opcode == VZEROUPPER)
			return '.';
		return two_byte[insn->opcode] == 'M' ? 'M' : 'm';
	case 2:
		return 'm';
	case 3:
		return 'M';
	case 5:
	case 6:
		return insn->encoding == INSN_EVEX ? 'm' : 'x';
	default:
		return 'x';
	}
}

/* Whether VEX, XOP or EVEX begins here; what else the byte is has another form of ModRM then. */
static bool is_vex(struct reader *r, const struct ext_insn *insn, uint8_t byte)
{
	if (byte == 0x8F)
		return (peek(r) & 0x1F) >= 8;
	if (byte != 0xC4 && byte != 0xC5 && byte != 0x62)
		return false;
	return insn->mode == INSN_64 || peek(r) >> 6 == 3;
}

/* Takes the opcode. Returns what follows: see one_byte. */
static char take_opcode(struct reader *r, struct ext_insn *insn, enum insn_status *status)
{
	uint8_t byte = take_prefixes(r, insn);

	*status = INSN_OK;
	if (is_vex(r, insn, byte)) {
		*status = take_vex(r, byte, insn);
		return vex_follows(insn);
	}
	insn->opcode = byte;
	if (byte != 0x0F)
		return one_byte[byte];
	insn->map = 1;
	insn->opcode = take(r);
	if (insn->opcode != 0x38 && insn->opcode != 0x3A)
		return two_byte[insn->opcode];
	insn->map = insn->opcode == 0x38 ? 2 : 3;
	insn->opcode = take(r);
	return insn->map == 2 ? 'm' : 'M';
}

/* --- ModRM ------------------------------------------------------------------------------------ */

/* The number of a register from ModRM or SIB, with its fourth bit from REX. */
static uint8_t extended(const struct ext_insn *insn, unsigned int number, uint8_t rex_bit)
{
	return (uint8_t)((number & 7) | (insn->rex & rex_bit ? 8 : 0));
}

static void take_displacement(struct reader *r, struct ext_insn *insn, unsigned int size)
{
	insn->displacement = take_signed(r, size);
	insn->displacement_size = (uint8_t)size;
}

/* SDM vol. 2, table 2-1. */
static void take_address_16(struct reader *r, struct ext_insn *insn)
{
	static const uint8_t bases[8] = { INSN_RBX, INSN_RBX, INSN_RBP, INSN_RBP,
					  INSN_RSI, INSN_RDI, INSN_RBP, INSN_RBX };
	unsigned int mod = insn->modrm >> 6, rm = insn->modrm & 7;

	if (mod == 0 && rm == 6) {
		take_displacement(r, insn, 2);
		return;
	}
	insn->base = bases[rm];
	if (rm < 4)
		insn->index = rm & 1 ? INSN_RDI : INSN_RSI;
	if (mod)
		take_displacement(r, insn, mod);
}

/* SDM vol. 2, tables 2-2 and 2-3; RIP-relative: §2.2.1.6. */
static void take_address(struct reader *r, struct ext_insn *insn)
{
	unsigned int mod = insn->modrm >> 6, base = insn->modrm & 7;
	bool has_sib = base == 4;

	if (has_sib) {
		uint8_t sib = take(r);

		base = sib & 7;
		insn->index = extended(insn, sib >> 3, INSN_REX_X);
		insn->scale = sib >> 6;
		if (insn->index == INSN_RSP)
			insn->index = INSN_NO_REG;
	}
	if (mod == 0 && base == 5) {
		if (!has_sib && insn->mode == INSN_64)
			insn->base = INSN_RIP;
		take_displacement(r, insn, 4);
		return;
	}
	insn->base = extended(insn, base, INSN_REX_B);
	if (mod)
		take_displacement(r, insn, mod == 1 ? 1 : 4);
}

static void take_modrm(struct reader *r, struct ext_insn *insn, bool only_register)
{
	insn->has_modrm = true;
	insn->modrm = take(r);
	if (only_register || insn->modrm >> 6 == 3)
		return;
	insn->memory = true;
	if (insn->address_size == 2)
		take_address_16(r, insn);
	else
		take_address(r, insn);
	if (insn->base == INSN_RSP || insn->base == INSN_RBP)
		insn->segment = INSN_SS;
}

/* --- immediates ------------------------------------------------------------------------------- */

static void take_immediate(struct reader *r, struct ext_insn *insn, unsigned int size)
{
	insn->immediate = take_signed(r, size);
	insn->immediate_size = (uint8_t)size;
}

/* What is behind an immediate: of a far pointer, ENTER, EXTRQ and INSERTQ. */
static void take_second(struct reader *r, struct ext_insn *insn, unsigned int size)
{
	insn->second = (uint16_t)take_signed(r, size);
	insn->immediate_size = (uint8_t)(insn->immediate_size + size);
}

static void take_immediates(struct reader *r, struct ext_insn *insn, char follows)
{
	unsigned int z = insn->operand_size == 2 ? 2 : 4;

	switch (follows) {
	case 'b':
	case 'i':
	case 'M':
	case 'Q':
	case 'g':
		take_immediate(r, insn, 1);
		break;
	case 'w':
	case 'e':
		take_immediate(r, insn, 2);
		break;
	case 'z':
	case 'Z':
	case 'G':
	case 'J':
	case 'p':
		take_immediate(r, insn, z);
		break;
	case 'v':
		take_immediate(r, insn, insn->operand_size);
		break;
	case 'o':
		insn->memory = true;
		take_displacement(r, insn, insn->address_size);
		break;
	default:
		break;
	}
	if (follows == 'e')
		take_second(r, insn, 1);
	if (follows == 'p')
		take_second(r, insn, 2);
}

/* EXTRQ and INSERTQ of AMD, with a byte each for length and index; VMREAD has the same opcode. */
static void take_extrq(struct reader *r, struct ext_insn *insn)
{
	if (insn->encoding != INSN_LEGACY || insn->map != 1 || insn->opcode != EXTRQ ||
	    (insn->repeat ? insn->repeat != 0xF2 : !insn->operand_prefix))
		return;
	take_immediate(r, insn, 1);
	take_second(r, insn, 1);
}

/* --- all together ----------------------------------------------------------------------------- */

/* In bytes (APM vol. 3 §1.2.2). */
static uint8_t operand_size(const struct ext_insn *insn)
{
	if (insn->mode == INSN_64 && insn->rex & INSN_REX_W)
		return 8;
	if (insn->encoding != INSN_LEGACY)
		return 4;
	return (insn->mode == INSN_16) != insn->operand_prefix ? 2 : 4;
}

/* In bytes (APM vol. 3 §1.2.3). */
static uint8_t address_size(const struct ext_insn *insn)
{
	if (insn->mode == INSN_64)
		return insn->address_prefix ? 4 : 8;
	return (insn->mode == INSN_16) != insn->address_prefix ? 2 : 4;
}

/* Whether an instruction can be here at all, and be told on both vendors' CPUs. */
static bool is_one(const struct ext_insn *insn, char follows)
{
	if (follows == 'x')
		return false;
	if (insn->mode != INSN_64)
		return true;
	if (follows == 'J') /* AMD: 2 bytes; Intel: 4 */
		return insn->operand_size != 2;
	return follows != 'n' && follows != 'i' && follows != 'q' && follows != 'Q' &&
	       follows != 'p';
}

static enum insn_status decode(struct reader *r, struct ext_insn *insn)
{
	enum insn_status status;
	char follows = take_opcode(r, insn, &status);

	insn->operand_size = operand_size(insn);
	insn->address_size = address_size(insn);
	if (status != INSN_OK)
		return status;
	if (!is_one(insn, follows))
		return INSN_UNSUPPORTED;
	switch (follows) {
	case 'm':
	case 'r':
	case 'M':
	case 'Z':
	case 'g':
	case 'G':
	case 'q':
	case 'Q':
		take_modrm(r, insn, follows == 'r');
		break;
	default:
		break;
	}
	/* Of group 3, only TEST has an immediate. */
	if ((follows == 'g' || follows == 'G') && (insn->modrm >> 3 & 7) > 1)
		follows = 'm';
	take_immediates(r, insn, follows);
	take_extrq(r, insn);
	if (insn->override != INSN_NR_SEGMENTS)
		insn->segment = insn->override;
	insn->length = (uint8_t)r->pos;
	return INSN_OK;
}

#define WHY(name, text) [INSN_##name] = (text),

const char *ext_insn_why(enum insn_status status)
{
	static const char *const why[] = { EXT_INSN_STATUSES(WHY) };

	return status < sizeof(why) / sizeof(why[0]) ? why[status] : "unknown status";
}

enum insn_status ext_insn_decode(const uint8_t *bytes, size_t avail, enum insn_mode mode,
				 struct ext_insn *insn)
{
	struct reader r = {
		.bytes = bytes,
		.avail = avail < INSN_MAX_LENGTH ? (unsigned int)avail : INSN_MAX_LENGTH,
	};
	enum insn_status status;

	*insn = (struct ext_insn){
		.mode = (uint8_t)mode,
		.override = INSN_NR_SEGMENTS,
		.segment = INSN_DS,
		.base = INSN_NO_REG,
		.index = INSN_NO_REG,
	};
	status = decode(&r, insn);
	if (r.over)
		return r.avail == INSN_MAX_LENGTH ? INSN_TOO_LONG : INSN_SHORT;
	return status;
}

/* A vector of indices, or rows of a tile. */
static bool has_many_addresses(const struct ext_insn *insn)
{
	if (insn->map != 2)
		return false;
	if (insn->encoding == INSN_VEX)
		return (insn->opcode >= 0x90 && insn->opcode <= 0x93) || insn->opcode == 0x4A ||
		       insn->opcode == 0x4B;
	if (insn->encoding == INSN_EVEX)
		return (insn->opcode >= 0x90 && insn->opcode <= 0x93) ||
		       (insn->opcode >= 0xA0 && insn->opcode <= 0xA3) || insn->opcode == 0xC6 ||
		       insn->opcode == 0xC7;
	return false;
}

bool ext_insn_offset(const struct ext_insn *insn, const uint64_t gpr[16], uint64_t rip,
		     uint64_t *offset)
{
	uint64_t address = insn->displacement;

	if (!insn->memory || has_many_addresses(insn) ||
	    (insn->encoding == INSN_EVEX && insn->displacement_size == 1))
		return false;
	if (insn->base == INSN_RIP)
		address += rip + insn->length;
	else if (insn->base != INSN_NO_REG)
		address += gpr[insn->base & 15];
	if (insn->index != INSN_NO_REG)
		address += gpr[insn->index & 15] << insn->scale;
	*offset = insn->address_size == 8 ? address :
					    address & ((1ULL << (8 * insn->address_size)) - 1);
	return true;
}
