// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder of the emulator against libzydis: the same instructions are known, with the same
 * length, operands and effects on memory. The first byte of an input is the mode, the others are
 * the instruction.
 */
#include "ext/libext/insn.h"
#include "ext/guests/insn_io.h"
#include "fuzz.h"
#include "zydis.h"

/* Opcodes that the emulator has: in the second map those above 0xFF. */
static bool is_known(unsigned int opcode, unsigned int reg)
{
	if (opcode < 0x40)
		return (opcode & 7) < 6;
	if (opcode >= 0x80 && opcode <= 0x8B)
		return true;
	switch (opcode) {
	case 0x63:
	case 0xA0 ... 0xA5:
	case 0xA8 ... 0xAD:
	case 0x1A3:
	case 0x1AB:
	case 0x1B0:
	case 0x1B1:
	case 0x1B3:
	case 0x1B6:
	case 0x1B7:
	case 0x1BB:
	case 0x1BE:
	case 0x1BF:
	case 0x1C0:
	case 0x1C1:
	case 0x1C3:
		return true;
	case 0x8F:
	case 0xC6:
	case 0xC7:
		return reg == 0;
	case 0xF6:
	case 0xF7:
		return reg < 4;
	case 0xFE:
		return reg < 2;
	case 0xFF:
		return reg < 2 || reg == 6;
	case 0x1BA:
		return reg >= 4;
	default:
		return false;
	}
}

static enum insn_op op_of(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_ADD:
		return INSN_ADD;
	case ZYDIS_MNEMONIC_OR:
		return INSN_OR;
	case ZYDIS_MNEMONIC_ADC:
		return INSN_ADC;
	case ZYDIS_MNEMONIC_SBB:
		return INSN_SBB;
	case ZYDIS_MNEMONIC_AND:
		return INSN_AND;
	case ZYDIS_MNEMONIC_SUB:
		return INSN_SUB;
	case ZYDIS_MNEMONIC_XOR:
		return INSN_XOR;
	case ZYDIS_MNEMONIC_CMP:
		return INSN_CMP;
	case ZYDIS_MNEMONIC_TEST:
		return INSN_TEST;
	case ZYDIS_MNEMONIC_INC:
		return INSN_INC;
	case ZYDIS_MNEMONIC_DEC:
		return INSN_DEC;
	case ZYDIS_MNEMONIC_NOT:
		return INSN_NOT;
	case ZYDIS_MNEMONIC_NEG:
		return INSN_NEG;
	case ZYDIS_MNEMONIC_BT:
		return INSN_BT;
	case ZYDIS_MNEMONIC_BTS:
		return INSN_BTS;
	case ZYDIS_MNEMONIC_BTR:
		return INSN_BTR;
	case ZYDIS_MNEMONIC_BTC:
		return INSN_BTC;
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
		return INSN_MOVSX;
	case ZYDIS_MNEMONIC_XCHG:
		return INSN_XCHG;
	case ZYDIS_MNEMONIC_XADD:
		return INSN_XADD;
	case ZYDIS_MNEMONIC_CMPXCHG:
		return INSN_CMPXCHG;
	default: /* as is_known() holds, it copies */
		return INSN_MOV;
	}
}

/* Moves between memory and SSE registers. */
static bool is_sse_move(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *operands)
{
	switch (z->mnemonic) {
	case ZYDIS_MNEMONIC_MOVUPS:
	case ZYDIS_MNEMONIC_MOVUPD:
	case ZYDIS_MNEMONIC_MOVSS:
	case ZYDIS_MNEMONIC_MOVSD:
	case ZYDIS_MNEMONIC_MOVAPS:
	case ZYDIS_MNEMONIC_MOVAPD:
	case ZYDIS_MNEMONIC_MOVNTPS:
	case ZYDIS_MNEMONIC_MOVNTPD:
	case ZYDIS_MNEMONIC_MOVD:
	case ZYDIS_MNEMONIC_MOVQ:
	case ZYDIS_MNEMONIC_MOVDQA:
	case ZYDIS_MNEMONIC_MOVDQU:
	case ZYDIS_MNEMONIC_MOVNTDQ:
		break;
	default:
		return false;
	}
	for (unsigned int i = 0; i < 2; i++)
		if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return ZydisRegisterGetClass(operands[1 - i].reg.value) ==
			       ZYDIS_REGCLASS_XMM;
	return false;
}

static bool is_aligned(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_MOVAPS:
	case ZYDIS_MNEMONIC_MOVAPD:
	case ZYDIS_MNEMONIC_MOVNTPS:
	case ZYDIS_MNEMONIC_MOVNTPD:
	case ZYDIS_MNEMONIC_MOVDQA:
	case ZYDIS_MNEMONIC_MOVNTDQ:
		return true;
	default:
		return false;
	}
}

static bool has_prefix(const ZydisDecodedInstruction *z, uint8_t prefix)
{
	for (unsigned int i = 0; i < z->raw.prefix_count; i++)
		if (z->raw.prefixes[i].value == prefix)
			return true;
	return false;
}

static void check_reg(const struct insn_operand *ours, const ZydisDecodedOperand *theirs)
{
	static const ZydisRegisterClass classes[] = { [1] = ZYDIS_REGCLASS_GPR8,
						      [2] = ZYDIS_REGCLASS_GPR16,
						      [4] = ZYDIS_REGCLASS_GPR32,
						      [8] = ZYDIS_REGCLASS_GPR64 };
	ZydisRegister reg = theirs->reg.value;

	if (ours->reg >= INSN_HIGH) {
		FUZZ_CHECK(reg == ZYDIS_REGISTER_AH + ours->reg - INSN_HIGH, "high byte %u",
			   ours->reg);
		return;
	}
	FUZZ_CHECK(ZydisRegisterGetClass(reg) == classes[ours->size], "%u bytes", ours->size);
	if (ours->size == 1) /* AL to BL, AH to BH, SPL to DIL, R8B: in this order */
		FUZZ_CHECK(reg == (ours->reg < 4 ? ZYDIS_REGISTER_AL : ZYDIS_REGISTER_AH) +
					   ours->reg,
			   "byte register %u", ours->reg);
	else
		FUZZ_CHECK(ZydisRegisterGetId(reg) == ours->reg, "register %u", ours->reg);
}

/* A register of an address. */
static void check_address_reg(unsigned int ours, ZydisRegister theirs, unsigned int size)
{
	static const ZydisRegisterClass classes[] = {
		[2] = ZYDIS_REGCLASS_GPR16, [4] = ZYDIS_REGCLASS_GPR32, [8] = ZYDIS_REGCLASS_GPR64
	};

	if (ours == INSN_NO_REG)
		FUZZ_CHECK(theirs == ZYDIS_REGISTER_NONE, "%s", ZydisRegisterGetString(theirs));
	else if (ours == INSN_RIP)
		FUZZ_CHECK(theirs == (size == 8 ? ZYDIS_REGISTER_RIP : ZYDIS_REGISTER_EIP), "%s",
			   ZydisRegisterGetString(theirs));
	else
		FUZZ_CHECK(ZydisRegisterGetClass(theirs) == classes[size] &&
				   ZydisRegisterGetId(theirs) == (ZyanI8)ours,
			   "%u is %s", ours, ZydisRegisterGetString(theirs));
}

static uint64_t low_bytes(uint64_t value, unsigned int size)
{
	return size == 8 ? value : value & ((1ULL << 8 * size) - 1);
}

static void check_address(const struct insn *insn, const struct insn_operand *ours,
			  const ZydisDecodedOperand *theirs)
{
	unsigned int size = insn->address_size, segment = insn->segment;

	switch (ours->kind) {
	case INSN_MEM:
		check_address_reg(insn->base, theirs->mem.base, size);
		check_address_reg(insn->index, theirs->mem.index, size);
		if (insn->index != INSN_NO_REG)
			FUZZ_CHECK(1u << insn->scale == (theirs->mem.scale ? theirs->mem.scale : 1),
				   "scale %u", insn->scale);
		FUZZ_CHECK(low_bytes(insn->displacement, size) ==
				   low_bytes((uint64_t)theirs->mem.disp.value, size),
			   "displacement 0x%llx", (unsigned long long)insn->displacement);
		break;
	case INSN_SI:
		check_address_reg(INSN_RSI, theirs->mem.base, size);
		break;
	case INSN_DI:
		check_address_reg(INSN_RDI, theirs->mem.base, size);
		segment = INSN_ES;
		break;
	default:
		FUZZ_CHECK(ZydisRegisterGetId(theirs->mem.base) == INSN_RSP, "not the stack");
		segment = INSN_SS;
		break;
	}
	FUZZ_CHECK(theirs->mem.segment == ZYDIS_REGISTER_ES + segment, "segment %u", segment);
}

/*
 * The same operand among those of libzydis: the stack after all others, else the destination before
 * the source.
 */
static const ZydisDecodedOperand *find(const struct insn *insn, bool dst,
				       const ZydisDecodedOperand *all, unsigned int count)
{
	if ((dst ? insn->dst.kind : insn->src.kind) != INSN_STACK)
		return &all[!dst && insn->dst.kind != INSN_STACK];
	for (unsigned int i = 1; i < count; i++)
		if (all[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return &all[i];
	FUZZ_CHECK(false, "not on the stack");
	return NULL;
}

static void check_operand(const struct insn *insn, const struct insn_operand *ours,
			  const ZydisDecodedOperand *theirs, bool dst)
{
	enum insn_op op = (enum insn_op)insn->op;
	bool read = !dst || insn_reads_dst(op), write = dst && insn_writes_dst(op);
	/* Only the lowest bits of a bit's number count. */
	unsigned int imm_size = op >= INSN_BT && op <= INSN_BTC ? 1 : ours->size;

	/* What both exchange. */
	if (!dst && (op == INSN_XCHG || op == INSN_XADD))
		write = true;
	switch (ours->kind) {
	case INSN_REG:
		FUZZ_CHECK(theirs->type == ZYDIS_OPERAND_TYPE_REGISTER, "a register");
		check_reg(ours, theirs);
		break;
	case INSN_XMM:
		FUZZ_CHECK(theirs->type == ZYDIS_OPERAND_TYPE_REGISTER &&
				   theirs->reg.value == ZYDIS_REGISTER_XMM0 + ours->reg,
			   "SSE register %u", ours->reg);
		break;
	case INSN_IMM:
		FUZZ_CHECK(theirs->type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
				   low_bytes(theirs->imm.value.u, imm_size) ==
					   low_bytes(insn->immediate, imm_size),
			   "immediate 0x%llx", (unsigned long long)insn->immediate);
		break;
	default:
		FUZZ_CHECK(theirs->type == ZYDIS_OPERAND_TYPE_MEMORY, "memory");
		check_address(insn, ours, theirs);
		FUZZ_CHECK(theirs->size == 8 * ours->size, "%u bytes, not %u bits", ours->size,
			   theirs->size);
		break;
	}
	FUZZ_CHECK(read == !!(theirs->actions & ZYDIS_OPERAND_ACTION_MASK_READ) &&
			   write == !!(theirs->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE),
		   "%s: read %d write %d, not 0x%x", dst ? "dst" : "src", read, write,
		   theirs->actions);
}

static enum insn_status decode(const uint8_t *bytes, size_t avail, enum insn_mode mode,
			       struct insn *insn)
{
	uint8_t *copy = fuzz_copy(bytes, avail);
	enum insn_status status = insn_decode(copy, avail, mode, insn);

	if (status == INSN_OK)
		FUZZ_CHECK(insn->length && insn->length <= avail && insn->length <= INSN_MAX_LENGTH,
			   "%u of %zu", insn->length, avail);
	free(copy);
	return status;
}

static void check_insn(const struct insn *insn, const ZydisDecodedInstruction *z,
		       const ZydisDecodedOperand *operands)
{
	bool repeat = has_prefix(z, 0xF2) || has_prefix(z, 0xF3);
	bool string = insn->src.kind == INSN_SI || insn->dst.kind == INSN_DI;
	bool exchange = insn->op == INSN_XCHG && insn->dst.kind == INSN_MEM;

	FUZZ_CHECK(insn->length == z->length, "%u, not %u bytes", insn->length, z->length);
	FUZZ_CHECK(insn->op == op_of(z->mnemonic), "operation %u", insn->op);
	FUZZ_CHECK(insn->lock == (has_prefix(z, 0xF0) || exchange), "lock %u", insn->lock);
	FUZZ_CHECK(insn->repeat == (string && repeat), "repeat %u", insn->repeat);
	FUZZ_CHECK(insn->aligned == is_aligned(z->mnemonic), "aligned %u", insn->aligned);
	FUZZ_CHECK(insn->address_size * 8 == z->address_width, "address size %u",
		   insn->address_size);
	check_operand(insn, &insn->dst, find(insn, true, operands, z->operand_count), true);
	if (insn->src.kind)
		check_operand(insn, &insn->src, find(insn, false, operands, z->operand_count),
			      false);
}

/* Bytes of an element of INS or OUTS; 0: another instruction. */
static unsigned int string_io_size(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_INSB:
	case ZYDIS_MNEMONIC_OUTSB:
		return 1;
	case ZYDIS_MNEMONIC_INSW:
	case ZYDIS_MNEMONIC_OUTSW:
		return 2;
	case ZYDIS_MNEMONIC_INSD:
	case ZYDIS_MNEMONIC_OUTSD:
		return 4;
	default:
		return 0;
	}
}

/* What the emulator gets in place of INS and OUTS is as long, and addresses the same. */
static void check_string_io(const uint8_t *data, size_t avail, enum insn_mode mode,
			    const ZydisDecodedInstruction *z)
{
	unsigned int size = string_io_size(z->mnemonic);
	uint8_t *copy = fuzz_copy(data, avail);
	struct insn insn;

	FUZZ_CHECK(insn_io_replace(copy, avail, mode == INSN_64) == !!size, "%s",
		   ZydisMnemonicGetString(z->mnemonic));
	if (size) {
		FUZZ_CHECK(insn_decode(copy, avail, mode, &insn) == INSN_OK, "not known");
		FUZZ_CHECK(insn.length == z->length, "%u bytes", insn.length);
		FUZZ_CHECK(insn.dst.size == size, "elements of %u bytes", insn.dst.size);
		FUZZ_CHECK(insn.address_size * 8 == z->address_width, "address size %u",
			   insn.address_size);
		FUZZ_CHECK(insn.repeat == (has_prefix(z, 0xF2) || has_prefix(z, 0xF3)), "repeat %u",
			   insn.repeat);
	} else {
		FUZZ_CHECK(!memcmp(copy, data, avail), "changed");
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT] = { 0 };
	ZydisDecodedInstruction z;
	struct insn insn, other;
	enum insn_status status;
	enum insn_mode mode;
	bool known;

	if (size < 2)
		return 0;
	mode = (enum insn_mode)(data[0] % 3);
	data++;
	size--;
	status = decode(data, size, mode, &insn);
	if (status == INSN_OK) {
		FUZZ_CHECK(decode(data, insn.length, mode, &other) == INSN_OK &&
				   !memcmp(&insn, &other, sizeof(insn)),
			   "another one without the rest");
		FUZZ_CHECK(decode(data, insn.length - 1u, mode, &other) == INSN_SHORT,
			   "complete when cut off");
	}
	if (!zydis_decode(data, size, mode, &z, operands)) {
		FUZZ_CHECK(status != INSN_OK, "mode %d: unknown to libzydis", mode);
		return 0;
	}
	check_string_io(data, size, mode, &z);
	known = is_known((z.opcode_map == ZYDIS_OPCODE_MAP_0F ? 0x100u : 0) + z.opcode,
			 z.raw.modrm.reg) ||
		is_sse_move(&z, operands);
	if (z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
	    (z.opcode_map != ZYDIS_OPCODE_MAP_DEFAULT && z.opcode_map != ZYDIS_OPCODE_MAP_0F) ||
	    z.mnemonic == ZYDIS_MNEMONIC_ARPL ||
	    (z.mnemonic == ZYDIS_MNEMONIC_MOVSXD && z.operand_width == 16))
		known = false;
	FUZZ_CHECK(status == (known ? INSN_OK : INSN_UNSUPPORTED), "mode %d, %s: status %d", mode,
		   ZydisMnemonicGetString(z.mnemonic), status);
	if (known)
		check_insn(&insn, &z, operands);
	return 0;
}
