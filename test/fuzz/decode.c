// SPDX-License-Identifier: GPL-2.0-only
/*
 * The instruction decoder against libzydis: what that decodes has the same length here, with as
 * many bytes as it needs and with more, and none with one byte less. The first byte of an input is
 * the mode, the others are the instruction.
 */
#include "fuzz.h"
#include "microkernel/svm/decode.h"
#include "zydis.h"

/* Instructions of Knights Corner, which no CPU with SVM ever had. */
static bool is_knc(const ZydisDecodedInstruction *insn)
{
	switch (insn->meta.isa_ext) {
	case ZYDIS_ISA_EXT_KNC:
	case ZYDIS_ISA_EXT_KNCE:
	case ZYDIS_ISA_EXT_KNCV:
		return true;
	default:
		return false;
	}
}

/* The length with exactly avail bytes to read. */
static unsigned int length_of(const uint8_t *bytes, size_t avail, enum decode_mode mode)
{
	uint8_t *copy = fuzz_copy(bytes, avail);
	unsigned int length = decode_length(copy, avail, mode);

	FUZZ_CHECK(length <= avail && length <= DECODE_MAX_LENGTH, "%u of %zu", length, avail);
	FUZZ_CHECK(!length || decode_prefixes(copy, avail, mode) < length, "nothing but prefixes");
	free(copy);
	return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ZydisDecodedInstruction insn;
	enum decode_mode mode;
	unsigned int length;
	ZydisDecoder zydis;

	if (size < 2)
		return 0;
	mode = (enum decode_mode)(data[0] % 3);
	data++;
	size--;
	length = length_of(data, size, mode);
	if (length) {
		FUZZ_CHECK(length_of(data, length, mode) == length, "another one without the rest");
		FUZZ_CHECK(!length_of(data, length - 1, mode), "shorter when cut off");
	}
	zydis = zydis_decoder(mode);
	if (ZYAN_FAILED(ZydisDecoderEnableMode(&zydis, ZYDIS_DECODER_MODE_AMD_BRANCHES, ZYAN_TRUE)))
		abort();
	if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&zydis, NULL, data, size, &insn)) &&
	    !is_knc(&insn))
		FUZZ_CHECK(insn.length == length, "mode %d, %s: %u, not %u bytes", mode,
			   ZydisMnemonicGetString(insn.mnemonic), length, insn.length);
	return 0;
}
