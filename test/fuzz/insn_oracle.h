/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decoder of ext/libext/insn.h against libzydis, for its fuzz target and its unit test: what
 * libzydis knows is known, with the same length, fields and address.
 */
#ifndef TEST_INSN_ORACLE_H
#define TEST_INSN_ORACLE_H

#include <stdio.h>
#include <stdlib.h>

#include <ext/libext/insn.h>
#include <test/fuzz/zydis.h>

#define ORACLE_TEXT 160

/* What is left out on purpose: insn.h says why; and instructions of VIA and Xeon Phi. */
static bool oracle_is_excepted(const ZydisDecodedInstruction *z, enum insn_mode mode)
{
	bool near = z->raw.imm[0].is_relative && z->raw.imm[0].size > 8;

	if (z->mnemonic == ZYDIS_MNEMONIC_UD0 || z->meta.isa_set == ZYDIS_ISA_SET_KNCJKBR ||
	    z->encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX)
		return true;
	if (z->opcode_map == ZYDIS_OPCODE_MAP_0F && (z->opcode == 0xA6 || z->opcode == 0xA7))
		return true;
	return mode == INSN_64 && near && z->opcode != 0xC7 &&
	       z->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE && !z->raw.rex.W;
}

static uint64_t oracle_address(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *operand,
			       const uint64_t gpr[16], uint64_t rip)
{
	static const ZydisRegister first[] = { ZYDIS_REGISTER_AX, ZYDIS_REGISTER_EAX,
					       ZYDIS_REGISTER_RAX };
	ZydisRegisterContext context = { 0 };
	uint64_t address;

	for (unsigned int size = 0; size < 3; size++) {
		for (unsigned int i = 0; i < 16; i++)
			context.values[first[size] + (int)i] = gpr[i];
	}
	if (ZYAN_FAILED(ZydisCalcAbsoluteAddressEx(z, operand, rip, &context, &address)))
		abort();
	return z->address_width == 64 ? address : address & ((1ULL << z->address_width) - 1);
}

/* The operand whose address is in the instruction; NULL: none, or one of several addresses. */
static const ZydisDecodedOperand *oracle_memory(const ZydisDecodedInstruction *z,
						const ZydisDecodedOperand *operands)
{
	for (unsigned int i = 0; i < z->operand_count; i++) {
		const ZydisDecodedOperand *operand = &operands[i];

		if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY ||
		    operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN ||
		    (operand->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM &&
		     operand->encoding != ZYDIS_OPERAND_ENCODING_DISP16_32_64))
			continue;
		return operand;
	}
	return NULL;
}

static bool oracle_address_agrees(const struct ext_insn *insn, const ZydisDecodedInstruction *z,
				  const ZydisDecodedOperand *operand)
{
	static const uint64_t rip = 0xFFFFFFFF81234567;
	uint64_t gpr[16], offset;

	for (unsigned int i = 0; i < 16; i++)
		gpr[i] = 0xFEDCBA9876543211 * (i + 1);
	if (!ext_insn_offset(insn, gpr, rip, &offset))
		return operand->mem.type == ZYDIS_MEMOP_TYPE_VSIB ||
		       z->mnemonic == ZYDIS_MNEMONIC_TILELOADD ||
		       z->mnemonic == ZYDIS_MNEMONIC_TILELOADDT1 ||
		       z->mnemonic == ZYDIS_MNEMONIC_TILESTORED ||
		       (z->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX && z->raw.disp.size == 8);
	return operand->mem.type != ZYDIS_MEMOP_TYPE_VSIB &&
	       offset == oracle_address(z, operand, gpr, rip);
}

static const char *oracle_compare_fields(const struct ext_insn *insn,
					 const ZydisDecodedInstruction *z,
					 const ZydisDecodedOperand *operands)
{
	const ZydisDecodedOperand *operand = oracle_memory(z, operands);

	if (insn->length != z->length)
		return "length";
	if (insn->opcode != z->opcode && z->encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW)
		return "opcode";
	/* ENCLS and the like, and MPX, have one of their own there. */
	if (insn->address_size * 8 != z->address_width &&
	    !(z->opcode_map == ZYDIS_OPCODE_MAP_0F &&
	      (z->opcode == 0x01 || z->opcode == 0x1A || z->opcode == 0x1B)))
		return "address size";
	if (insn->has_modrm != !!(z->attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return "ModRM";
	if (insn->displacement_size * 8 != z->raw.disp.size ||
	    (insn->displacement_size && insn->displacement != (uint64_t)z->raw.disp.value))
		return "displacement";
	if (z->encoding != ZYDIS_INSTRUCTION_ENCODING_3DNOW && /* there it is the opcode */
	    insn->immediate_size * 8 != z->raw.imm[0].size + z->raw.imm[1].size)
		return "immediate";
	if (z->raw.imm[0].size && z->raw.imm[1].size == 0 && z->raw.imm[0].size != 48 &&
	    (insn->immediate ^ z->raw.imm[0].value.u) << (64 - z->raw.imm[0].size))
		return "immediate's value";
	if (operand && !insn->memory)
		return "no memory";
	if (operand && operand->mem.type == ZYDIS_MEMOP_TYPE_MEM &&
	    !(z->attributes & ZYDIS_ATTRIB_HAS_NOTRACK) && /* which is DS's prefix, too */
	    insn->segment != (unsigned int)(operand->mem.segment - ZYDIS_REGISTER_ES))
		return "segment";
	if (operand && insn->address_size * 8 == z->address_width &&
	    !oracle_address_agrees(insn, z, operand))
		return "address";
	return NULL;
}

/*
 * Compares what both say about these bytes. NULL: they agree, and *length is that of the
 * instruction, 0 if there is none; else what differs, in text.
 */
static const char *oracle_compare(const uint8_t *bytes, size_t avail, enum insn_mode mode,
				  char text[ORACLE_TEXT], unsigned int *length)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT] = { 0 };
	ZydisDecodedInstruction z;
	struct ext_insn insn;
	enum insn_status status = ext_insn_decode(bytes, avail, mode, &insn);
	const char *what;

	*length = status == INSN_OK ? insn.length : 0;
	if (status == INSN_OK && (!insn.length || insn.length > avail))
		return "a length beyond what is there";
	if (!zydis_decode(bytes, avail, mode, &z, operands) || oracle_is_excepted(&z, mode))
		return NULL;
	what = status == INSN_OK ? oracle_compare_fields(&insn, &z, operands) : "unknown";
	if (!what)
		return NULL;
	snprintf(text, ORACLE_TEXT, "mode %d, %s: %s, status %d, length %u and %u", mode,
		 ZydisMnemonicGetString(z.mnemonic), what, status, insn.length, z.length);
	return text;
}

#endif
