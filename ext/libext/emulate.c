// SPDX-License-Identifier: MIT
/* One instruction of a guest: see emulate.h. */
#include <abi/hw/x86.h>
#include <abi/mk1_layout.h>
#include <bsl/bits.h>
#include <bsl/paging.h>
#include <bsl/string.h>
#include <ext/libext/alu.h>
#include <ext/libext/emulate.h>

enum phase { PHASE_START, PHASE_READ, PHASE_WRITE };

static bool is_64bit(const struct emulate_regs *regs)
{
	return regs->efer & EFER_LMA && regs->segment[INSN_CS].attrib & SEG_ATTRIB_L;
}

static enum insn_mode mode_of(const struct emulate_regs *regs)
{
	if (is_64bit(regs))
		return INSN_64;
	return regs->segment[INSN_CS].attrib & SEG_ATTRIB_DB ? INSN_32 : INSN_16;
}

static enum insn_op op_of(const struct emulate *e)
{
	return (enum insn_op)e->insn.op;
}

static enum emulate_status fault(struct emulate *e, uint8_t vector, uint32_t error, uint64_t cr2)
{
	e->fault.vector = vector;
	e->fault.error = error;
	e->fault.cr2 = cr2;
	return EMULATE_FAULT;
}

/* --- registers -------------------------------------------------------------------------------- */

static uint64_t read_reg(const struct emulate_regs *regs, unsigned int reg, unsigned int size)
{
	if (reg >= INSN_HIGH)
		return bsl_field_get(regs->gpr[reg - INSN_HIGH], 8, 8);
	return regs->gpr[reg] & bsl_mask(8 * size);
}

/* Four bytes clear the upper half, fewer leave the rest as it is (APM vol. 1 §3.1.2). */
static void write_reg(struct emulate_regs *regs, unsigned int reg, unsigned int size,
		      uint64_t value)
{
	uint64_t *gpr = &regs->gpr[reg & 15];

	if (reg >= INSN_HIGH)
		*gpr = bsl_field_set(*gpr, 8, 8, value);
	else if (size == 4)
		*gpr = (uint32_t)value;
	else
		*gpr = bsl_field_set(*gpr, 0, 8 * size, value);
}

/* The size of the stack pointer, in bytes (APM vol. 2 §4.7.3). */
static unsigned int stack_address_size(const struct emulate_regs *regs)
{
	if (is_64bit(regs))
		return 8;
	return regs->segment[INSN_SS].attrib & SEG_ATTRIB_DB ? 4 : 2;
}

static uint64_t moved_stack_pointer(const struct emulate_regs *regs, int by)
{
	uint64_t rsp = regs->gpr[INSN_RSP];

	return bsl_field_set(rsp, 0, 8 * stack_address_size(regs), rsp + (uint64_t)by);
}

/* Index registers follow DF. */
static void advance_reg(struct emulate *e, unsigned int reg, unsigned int bytes)
{
	struct emulate_regs *regs = e->regs;
	uint64_t by = regs->rflags & RFLAGS_DF ? -(uint64_t)bytes : bytes;

	write_reg(regs, reg, e->insn.address_size, regs->gpr[reg] + by);
}

/* --- addresses -------------------------------------------------------------------------------- */

/* A segment's limit and type (APM vol. 2 §4.12, §4.13). Not for 64-bit mode. */
static bool segment_allows(const struct emulate_regs *regs, const struct bf_segment *s,
			   uint64_t offset, unsigned int size, bool write)
{
	uint64_t last = offset + size - 1;
	bool code = s->attrib & SEG_ATTRIB_CODE;

	/* In real mode the type does not matter. */
	if (regs->cr0 & CR0_PE && !(regs->rflags & RFLAGS_VM)) {
		if (!(s->attrib & SEG_ATTRIB_P))
			return false;
		/* Data can always be read and code never be written. */
		if (code ? write || !(s->attrib & SEG_ATTRIB_RW) :
			   write && !(s->attrib & SEG_ATTRIB_RW))
			return false;
	}
	if (!code && s->attrib & SEG_ATTRIB_EXPAND_DOWN)
		return offset > s->limit &&
		       last <= (s->attrib & SEG_ATTRIB_DB ? 0xFFFFFFFF : 0xFFFF);
	return last <= s->limit;
}

/* The linear address of an access; false: the segment or the form of the address forbids it. */
static bool linear_address(const struct emulate_regs *regs, unsigned int segment, uint64_t offset,
			   unsigned int size, bool write, uint64_t *la)
{
	const struct bf_segment *s = &regs->segment[segment];
	unsigned int levels = regs->cr4 & CR4_LA57 ? 5 : 4;

	if (!is_64bit(regs)) {
		*la = (uint32_t)(s->base + offset);
		return segment_allows(regs, s, offset, size, write);
	}
	*la = offset + (segment >= INSN_FS ? s->base : 0);
	return bsl_is_canonical(*la, levels) && bsl_is_canonical(*la + size - 1, levels);
}

static enum emulate_status translate(struct emulate *e, uint64_t la, bool write, uint64_t *gpa)
{
	uint32_t error;

	switch (e->ops->translate(e->ctx, la, write, gpa, &error)) {
	case EMULATE_ACCESS_DONE:
		return EMULATE_MORE;
	case EMULATE_ACCESS_CHANGED:
		return EMULATE_RETRY;
	case EMULATE_ACCESS_FAULT:
		return fault(e, VECTOR_PF, error, la);
	default:
		return EMULATE_UNSUPPORTED;
	}
}

/* Checks an access and finds out where it goes. EMULATE_MORE: *operand is valid. */
static enum emulate_status locate(struct emulate *e, unsigned int segment, uint64_t offset,
				  unsigned int size, bool write, struct emulate_operand *operand)
{
	const struct emulate_regs *regs = e->regs;
	enum emulate_status status;
	uint64_t la, in_page;

	if (!linear_address(regs, segment, offset, size, write, &la))
		return fault(e, segment == INSN_SS ? VECTOR_SS : VECTOR_GP, 0, 0);
	/* Whatever the segment is. */
	if (e->insn.aligned && !bsl_is_aligned(la, size))
		return fault(e, VECTOR_GP, 0, 0);
	if (size <= 8 && regs->cr0 & CR0_AM && regs->rflags & RFLAGS_AC && regs->cpl == 3 &&
	    !bsl_is_aligned(la, size))
		return fault(e, VECTOR_AC, 0, 0);
	in_page = BF_PAGE_SIZE - (la & BF_PAGE_MASK);
	operand->size = (uint8_t)size;
	operand->in_first = (uint8_t)(size < in_page ? size : in_page);
	status = translate(e, la, write, &operand->gpa[0]);
	if (status != EMULATE_MORE || size == operand->in_first)
		return status;
	la += in_page;
	return translate(e, is_64bit(regs) ? la : (uint32_t)la, write, &operand->gpa[1]);
}

/*
 * The distance in bytes from a bit string's address to the operand that has the bit, whose number
 * in a register is signed and may be anything (APM vol. 3, BT).
 */
static uint64_t bit_displacement(const struct emulate *e)
{
	const struct insn *insn = &e->insn;
	int64_t bit;

	if (op_of(e) < INSN_BT || op_of(e) > INSN_BTC || insn->src.kind != INSN_REG)
		return 0;
	bit = (int64_t)insn_sign_extend(e->regs->gpr[insn->src.reg], insn->src.size);
	return (uint64_t)(bit >> 3) & ~(uint64_t)(insn->dst.size - 1);
}

/* The offset of an INSN_MEM operand in its segment. */
static uint64_t effective_address(const struct emulate *e)
{
	const struct insn *insn = &e->insn;
	const struct emulate_regs *regs = e->regs;
	uint64_t address = insn->displacement + bit_displacement(e);

	if (insn->base == INSN_RIP)
		address += regs->rip + insn->length;
	else if (insn->base == INSN_RSP && insn->src.kind == INSN_STACK)
		address += moved_stack_pointer(regs, insn->src.size); /* APM vol. 3, POP */
	else if (insn->base != INSN_NO_REG)
		address += regs->gpr[insn->base];
	if (insn->index != INSN_NO_REG)
		address += regs->gpr[insn->index] << insn->scale;
	return address & bsl_mask(8 * insn->address_size);
}

static enum emulate_status locate_operand(struct emulate *e, const struct insn_operand *operand,
					  bool write, struct emulate_operand *where)
{
	unsigned int segment = e->insn.segment, width = e->insn.address_size;
	uint64_t offset;

	switch (operand->kind) {
	case INSN_SI:
		offset = e->regs->gpr[INSN_RSI];
		break;
	case INSN_DI:
		offset = e->regs->gpr[INSN_RDI];
		segment = INSN_ES;
		break;
	case INSN_STACK:
		offset = e->regs->gpr[INSN_RSP] - (write ? operand->size : 0);
		segment = INSN_SS;
		width = stack_address_size(e->regs);
		break;
	default:
		offset = effective_address(e);
		break;
	}
	return locate(e, segment, offset & bsl_mask(8 * width), operand->size, write, where);
}

/* Whether memory is read, and whether it is written. */
static bool reads_memory(const struct emulate *e)
{
	return insn_in_memory(&e->insn.src) ||
	       (insn_in_memory(&e->insn.dst) && insn_reads_dst(op_of(e)));
}

static bool writes_memory(const struct emulate *e)
{
	return insn_in_memory(&e->insn.dst) && insn_writes_dst(op_of(e));
}

static enum emulate_status locate_operands(struct emulate *e)
{
	const struct insn *insn = &e->insn;
	enum emulate_status status = EMULATE_MORE;

	if (insn_in_memory(&insn->src))
		status = locate_operand(e, &insn->src, false, &e->from);
	if (status != EMULATE_MORE || !insn_in_memory(&insn->dst))
		return status;
	status = locate_operand(e, &insn->dst, writes_memory(e), &e->to);
	if (insn_reads_dst(op_of(e)))
		e->from = e->to;
	return status;
}

/* --- execution -------------------------------------------------------------------------------- */

static uint64_t operand_value(const struct emulate *e, const struct insn_operand *operand)
{
	switch (operand->kind) {
	case INSN_REG:
		return read_reg(e->regs, operand->reg, operand->size);
	case INSN_IMM:
		return e->insn.immediate & bsl_mask(8 * operand->size);
	default:
		return e->input[0];
	}
}

/* Computes what the instruction will write. */
static void execute(struct emulate *e)
{
	const struct insn *insn = &e->insn;
	unsigned int size = insn->dst.size;
	uint64_t src = operand_value(e, &insn->src), dst = operand_value(e, &insn->dst);

	e->rflags = e->regs->rflags;
	e->exchanged = dst;
	e->output[1] = e->input[1];
	if (insn->src.kind == INSN_XMM) {
		e->ops->read_xmm(e->ctx, insn->src.reg, e->output);
		return;
	}
	switch (op_of(e)) {
	case INSN_MOV:
	case INSN_XCHG:
		e->output[0] = src;
		break;
	case INSN_MOVSX:
		e->output[0] = insn_sign_extend(src, insn->src.size);
		break;
	case INSN_XADD:
		e->output[0] = alu_compute(INSN_ADD, size, dst, src, &e->rflags);
		break;
	case INSN_CMPXCHG:
		alu_compute(INSN_CMP, size, read_reg(e->regs, INSN_RAX, size), dst, &e->rflags);
		/* There is always a write: of what was read, if that is not equal. */
		e->output[0] = e->rflags & RFLAGS_ZF ? src : dst;
		break;
	default:
		e->output[0] = alu_compute(op_of(e), size, dst, src, &e->rflags);
		break;
	}
}

/*
 * Reads or writes what is left of an operand. With EMULATE_ACCESS_PENDING the part that is pending
 * counts as done.
 */
static enum emulate_access transfer(struct emulate *e, const struct emulate_operand *operand,
				    uint64_t *value, bool write)
{
	enum emulate_access access = EMULATE_ACCESS_DONE;

	while (access == EMULATE_ACCESS_DONE && e->done < operand->size) {
		bool second = e->done >= operand->in_first;
		uint64_t gpa = operand->gpa[second] + e->done - (second ? operand->in_first : 0);
		unsigned int end = second ? operand->size : operand->in_first;
		unsigned int bytes = end - e->done;
		uint8_t *data = (uint8_t *)value + e->done;

		if (bytes > sizeof(e->mmio.data))
			bytes = sizeof(e->mmio.data);
		if (write)
			access = e->ops->write(e->ctx, gpa, data, bytes,
					       e->insn.lock && bytes == operand->size ? e->input :
											NULL);
		else
			access = e->ops->read(e->ctx, gpa, data, bytes);
		e->done = (uint8_t)(e->done + bytes);
		if (access == EMULATE_ACCESS_PENDING) {
			e->mmio.gpa = gpa;
			e->mmio.bytes = (uint8_t)bytes;
			e->mmio.write = write;
			e->mmio.data = 0;
			if (write)
				bsl_memcpy(&e->mmio.data, data, bytes);
		}
	}
	return access;
}

/* Of this phase at the start is only what waits for a device. */
static void take_answer(struct emulate *e)
{
	if (e->phase == PHASE_READ)
		bsl_memcpy((uint8_t *)e->input + e->done - e->mmio.bytes, &e->mmio.data,
			   e->mmio.bytes);
}

static enum emulate_status complete(struct emulate *e)
{
	struct emulate_regs *regs = e->regs;

	regs->rip += e->insn.length;
	if (!is_64bit(regs))
		regs->rip = (uint32_t)regs->rip;
	regs->rflags &= ~(uint64_t)RFLAGS_RF;
	return EMULATE_DONE;
}

/* Whether a repeated instruction has iterations left. */
static bool is_counting(const struct emulate *e)
{
	return read_reg(e->regs, INSN_RCX, e->insn.address_size);
}

/* Changes the registers after all of memory has been accessed. */
static enum emulate_status commit(struct emulate *e)
{
	struct emulate_regs *regs = e->regs;
	const struct insn *insn = &e->insn;
	const struct insn_operand *dst = &insn->dst, *src = &insn->src;

	/* Before the destination, which may be rSP. */
	if (dst->kind == INSN_STACK)
		regs->gpr[INSN_RSP] = moved_stack_pointer(regs, -dst->size);
	if (src->kind == INSN_STACK)
		regs->gpr[INSN_RSP] = moved_stack_pointer(regs, src->size);
	/* The source first: with one register for both, the destination's value counts. */
	if (op_of(e) == INSN_XCHG || op_of(e) == INSN_XADD)
		write_reg(regs, src->reg, src->size, e->exchanged);
	/* A register that is not equal stays as it is, the upper half too. */
	if (op_of(e) == INSN_CMPXCHG && !(e->rflags & RFLAGS_ZF))
		write_reg(regs, INSN_RAX, dst->size, e->exchanged);
	else if (dst->kind == INSN_REG && insn_writes_dst(op_of(e)))
		write_reg(regs, dst->reg, dst->size, e->output[0]);
	if (dst->kind == INSN_XMM)
		e->ops->write_xmm(e->ctx, dst->reg, e->output);
	if (src->kind == INSN_SI)
		advance_reg(e, INSN_RSI, src->size);
	if (dst->kind == INSN_DI)
		advance_reg(e, INSN_RDI, dst->size);
	regs->rflags = e->rflags;
	e->phase = PHASE_START;
	if (!insn->repeat)
		return complete(e);
	write_reg(regs, INSN_RCX, insn->address_size, regs->gpr[INSN_RCX] - 1);
	if (!is_counting(e))
		return complete(e);
	/* As in the image that an interrupt pushes here (SDM vol. 3, "Resume Flag"). */
	regs->rflags |= RFLAGS_RF;
	return EMULATE_MORE;
}

static enum emulate_status begin_iteration(struct emulate *e)
{
	enum emulate_status status;

	if (e->insn.repeat && !is_counting(e))
		return complete(e);
	status = locate_operands(e);
	if (status != EMULATE_MORE)
		return status;
	e->done = 0;
	e->phase = PHASE_READ;
	return EMULATE_MORE;
}

/* Goes on with an iteration, to its end if nothing is pending. */
static enum emulate_status iterate(struct emulate *e)
{
	enum emulate_access access = EMULATE_ACCESS_DONE;
	enum emulate_status status;

	if (e->phase == PHASE_START) {
		status = begin_iteration(e);
		if (status != EMULATE_MORE)
			return status;
	}
	if (e->phase == PHASE_READ) {
		if (reads_memory(e))
			access = transfer(e, &e->from, e->input, false);
		if (access == EMULATE_ACCESS_DONE) {
			execute(e);
			e->done = 0;
			e->phase = PHASE_WRITE;
		}
	}
	if (e->phase == PHASE_WRITE && writes_memory(e))
		access = transfer(e, &e->to, e->output, true);
	if (access == EMULATE_ACCESS_DONE)
		return commit(e);
	if (access == EMULATE_ACCESS_PENDING)
		return EMULATE_PENDING;
	e->phase = PHASE_START;
	return access == EMULATE_ACCESS_CHANGED ? EMULATE_RETRY : EMULATE_UNSUPPORTED;
}

/* Whether SSE registers, if the instruction has one, can be used (SDM vol. 2 §2.4). */
static enum emulate_status check_sse(struct emulate *e)
{
	if (e->insn.dst.kind != INSN_XMM && e->insn.src.kind != INSN_XMM)
		return EMULATE_MORE;
	if (!e->ops->read_xmm)
		return EMULATE_UNSUPPORTED;
	if (e->regs->cr0 & CR0_EM || !(e->regs->cr4 & CR4_OSFXSR))
		return fault(e, VECTOR_UD, 0, 0);
	return e->regs->cr0 & CR0_TS ? fault(e, VECTOR_NM, 0, 0) : EMULATE_MORE;
}

enum emulate_status emulate_begin(struct emulate *e, struct emulate_regs *regs,
				  const struct emulate_ops *ops, void *ctx, const uint8_t *bytes,
				  size_t avail)
{
	*e = (struct emulate){ .regs = regs, .ops = ops, .ctx = ctx };
	e->avail = (uint8_t)(avail < INSN_MAX_LENGTH ? avail : INSN_MAX_LENGTH);
	bsl_memcpy(e->bytes, bytes, e->avail);
	switch (insn_decode(e->bytes, e->avail, mode_of(regs), &e->insn)) {
	case INSN_OK:
		return check_sse(e);
	case INSN_SHORT:
		return EMULATE_SHORT;
	case INSN_TOO_LONG:
		return fault(e, VECTOR_GP, 0, 0);
	case INSN_INVALID:
		return fault(e, VECTOR_UD, 0, 0);
	default:
		return EMULATE_UNSUPPORTED;
	}
}

enum emulate_status emulate_run(struct emulate *e, unsigned int iterations)
{
	enum emulate_status status;

	take_answer(e);
	do {
		status = iterate(e);
	} while (status == EMULATE_MORE && --iterations && !(e->regs->rflags & RFLAGS_TF));
	return status;
}

bool emulate_ends_with_write(const struct emulate *e)
{
	return e->phase == PHASE_WRITE && e->mmio.write && e->done == e->to.size;
}

bool emulate_between_iterations(const struct emulate *e)
{
	return e->phase == PHASE_START;
}
