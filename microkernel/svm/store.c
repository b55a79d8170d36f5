// SPDX-License-Identifier: GPL-2.0-only
#include "svm/store.h"

#include <bsl/bits.h>
#include <bsl/string.h>

enum { MOV_REG = 0x89, MOV_IMM = 0xC7, MOV_EAX = 0xA3, XCHG = 0x87 };

#define OPERAND_PREFIX 0x66
#define REX_W 0x08
#define REX_R 0x04

/* The REX prefix, which counts only right before the opcode; 0: there is none. */
static uint8_t rex_of(const uint8_t *bytes, unsigned int prefixes, enum decode_mode mode)
{
	uint8_t last = prefixes ? bytes[prefixes - 1] : 0;

	return mode == DECODE_64 && (last & 0xF0) == 0x40 ? last : 0;
}

static bool has_32_bits(const uint8_t *bytes, unsigned int prefixes, enum decode_mode mode)
{
	bool changed = false;

	for (unsigned int i = 0; i < prefixes; i++)
		changed |= bytes[i] == OPERAND_PREFIX;
	return changed == (mode == DECODE_16) && !(rex_of(bytes, prefixes, mode) & REX_W);
}

bool svm_decode_store(const uint8_t *bytes, size_t n, enum decode_mode mode, struct store *store)
{
	unsigned int prefixes = decode_prefixes(bytes, n, mode);
	unsigned int length = decode_length(bytes, n, mode);
	uint8_t opcode, modrm, reg;

	if (!length || !has_32_bits(bytes, prefixes, mode))
		return false;
	opcode = bytes[prefixes];
	modrm = prefixes + 1 < length ? bytes[prefixes + 1] : 0;
	reg = (uint8_t)bsl_field_get(modrm, 3, 3);
	*store = (struct store){ .length = length, .exchange = opcode == XCHG };
	if (opcode == MOV_EAX)
		return true;
	if (modrm >> 6 == 3)
		return false;
	if (opcode == MOV_IMM && !reg) {
		store->immediate = true;
		bsl_memcpy(&store->value, bytes + length - sizeof(store->value),
			   sizeof(store->value));
		return true;
	}
	store->reg = reg | (rex_of(bytes, prefixes, mode) & REX_R ? 8 : 0);
	return opcode == MOV_REG || opcode == XCHG;
}
