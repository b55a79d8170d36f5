/* SPDX-License-Identifier: GPL-2.0-only */
/* libzydis as the fuzz targets and test_insn use it, with a fault of its own mended. */
#ifndef TEST_FUZZ_ZYDIS_H
#define TEST_FUZZ_ZYDIS_H

#include <Zydis/Zydis.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* The decoder for code of this size: 0, 1 and 2 are 16, 32 and 64 bits, as in our own decoders. */
static inline ZydisDecoder zydis_decoder(unsigned int mode)
{
	static const struct {
		ZydisMachineMode machine;
		ZydisStackWidth stack;
	} modes[] = {
		{ ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
		{ ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
		{ ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
	};
	ZydisDecoder decoder;

	if (ZYAN_FAILED(ZydisDecoderInit(&decoder, modes[mode].machine, modes[mode].stack)))
		abort();
	return decoder;
}

/*
 * An SIB byte without a base has none whatever REX.B is (AMD64 Architecture Programmer's Manual
 * Volume 3, section 1.8.2). With 32-bit addresses, libzydis 4.0 takes REX.B for R13D, and drops
 * the displacement.
 */
static inline void zydis_drop_base(const ZydisDecodedInstruction *insn,
				   ZydisDecodedOperand *operand)
{
	if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    operand->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM ||
	    operand->mem.base != ZYDIS_REGISTER_R13D || insn->raw.modrm.mod ||
	    insn->raw.modrm.rm != 4 || insn->raw.sib.base != 5)
		return;
	operand->mem.base = ZYDIS_REGISTER_NONE;
	operand->mem.disp.has_displacement = ZYAN_TRUE;
	operand->mem.disp.value = insn->raw.disp.value;
}

/* Decodes an instruction and its operands; false: libzydis knows none in these bytes. */
static inline bool zydis_decode(const uint8_t *bytes, size_t avail, unsigned int mode,
				ZydisDecodedInstruction *insn,
				ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT])
{
	ZydisDecoder decoder = zydis_decoder(mode);

	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, avail, insn, operands)))
		return false;
	for (unsigned int i = 0; i < insn->operand_count; i++)
		zydis_drop_base(insn, &operands[i]);
	return true;
}

#endif
