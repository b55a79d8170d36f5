// SPDX-License-Identifier: MIT
/* Instructions that access control and debug registers, by their bytes. */
#include <ext/linux/access.h>

#define REX_B 0x1
#define REX_X 0x2

struct input {
	const uint8_t *bytes;
	size_t n, at;
	bool short_of; /* more was wanted than there is */
};

static uint8_t next(struct input *in)
{
	if (in->at < in->n)
		return in->bytes[in->at++];
	in->short_of = true;
	return 0;
}

static int32_t next_displacement(struct input *in, unsigned int bytes)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint32_t)next(in) << 8 * i;
	return bytes == 1 ? (int8_t)value : (int32_t)value;
}

/* Legacy prefixes; those that do not matter are passed over. Returns the byte behind them. */
static uint8_t skip_prefixes(struct input *in, struct access_insn *insn)
{
	for (;;) {
		uint8_t byte = next(in);

		switch (byte) {
		case 0x64:
		case 0x65:
			insn->segment = byte;
			break;
		case 0x67:
			insn->short_address = true;
			break;
		case 0x26:
		case 0x2E:
		case 0x36:
		case 0x3E:
		case 0x66:
		case 0xF0:
		case 0xF2:
		case 0xF3:
			break;
		default:
			return byte;
		}
	}
}

/* ModRM with an operand in memory, and what is behind it: APM vol. 3 §1.4. */
static void decode_memory(struct input *in, uint8_t modrm, uint8_t rex, struct access_insn *insn)
{
	unsigned int mod = modrm >> 6;
	unsigned int bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;

	insn->base = (uint8_t)((modrm & 7) | (rex & REX_B) << 3);
	insn->index = ACCESS_NO_GPR;
	if ((modrm & 7) == 4) {
		uint8_t sib = next(in);

		insn->base = (uint8_t)((sib & 7) | (rex & REX_B) << 3);
		insn->index = (uint8_t)((sib >> 3 & 7) | (rex & REX_X) << 2);
		insn->scale = sib >> 6;
		if (insn->index == 4)
			insn->index = ACCESS_NO_GPR;
		if (!mod && (sib & 7) == 5) {
			insn->base = ACCESS_NO_GPR;
			bytes = 4;
		}
	} else if (!mod && (modrm & 7) == 5) {
		insn->base = ACCESS_RIP;
		bytes = 4;
	}
	insn->displacement = next_displacement(in, bytes);
}

/* 0F 01 /6 */
static bool decode_lmsw(struct input *in, uint8_t rex, bool mode64, struct access_insn *insn)
{
	uint8_t modrm = next(in);

	if ((modrm >> 3 & 7) != 6)
		return false;
	insn->gpr = (uint8_t)((modrm & 7) | (rex & REX_B) << 3);
	insn->kind = modrm >> 6 == 3 ? ACCESS_LMSW : ACCESS_LMSW_MEMORY;
	if (insn->kind == ACCESS_LMSW_MEMORY && mode64)
		decode_memory(in, modrm, rex, insn);
	return true;
}

bool access_decode(const uint8_t *bytes, size_t n, bool mode64, struct access_insn *insn)
{
	struct input in = { .bytes = bytes, .n = n };
	uint8_t byte, rex = 0;

	*insn = (struct access_insn){ .kind = ACCESS_MOV };
	byte = skip_prefixes(&in, insn);
	while (mode64 && (byte & 0xF0) == 0x40) {
		size_t behind = in.at;

		rex = byte;
		byte = skip_prefixes(&in, insn);
		/* Before another prefix, REX is ignored (§1.2.7). */
		if (in.at > behind + 1)
			rex = 0;
	}
	if (byte != 0x0F)
		return false;
	byte = next(&in);
	if (byte == 0x06) {
		insn->kind = ACCESS_CLTS;
	} else if (byte == 0x01) {
		if (!decode_lmsw(&in, rex, mode64, insn))
			return false;
	} else if (byte >= 0x20 && byte <= 0x23) {
		/* The operand is a register, whatever mod is. */
		insn->gpr = (uint8_t)((next(&in) & 7) | (rex & REX_B) << 3);
	} else {
		return false;
	}
	insn->length = (uint8_t)in.at;
	return !in.short_of;
}
