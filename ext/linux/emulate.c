// SPDX-License-Identifier: MIT
/* Linux's instruction in software: see ext/libext/device.h. */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <bsl/string.h>
#include <ext/libext/device.h>
#include <ext/libext/emulate.h>
#include <ext/libext/inject.h>
#include <ext/libext/memory.h>
#include <ext/linux/exception.h>
#include <ext/linux/follow.h>
#include <ext/linux/linux.h>
#include <ext/linux/vmx.h>

#define ITERATIONS 64 /* of a string instruction: an interrupt waits no longer than for these */

struct work {
	uint64_t vsid;
	const struct ext_device *device;
	bool found; /* an operand is the device's */
	const char *why; /* what was asked for cannot be done */
	struct emulate_regs regs;
	struct emulate emulate;
};

/* --- operands --------------------------------------------------------------------------------- */

static bool is_device(const struct work *w, uint64_t gpa)
{
	return gpa - w->device->gpa < w->device->size;
}

static enum emulate_access refuse(struct work *w, const char *why)
{
	w->why = why;
	return EMULATE_ACCESS_UNSUPPORTED;
}

static enum emulate_access made(struct work *w, enum ext_mem_status status)
{
	return status == EXT_MEM_OK ? EMULATE_ACCESS_DONE : refuse(w, ext_mem_why(status));
}

/* What is neither the device's nor RAM is found out before anything is accessed. */
static enum emulate_access translate_operand(void *ctx, uint64_t la, bool write, uint64_t *gpa,
					     uint32_t *error)
{
	struct work *w = ctx;
	unsigned int access = (write ? PAGING_WRITE : 0) | (w->regs.cpl == 3 ? PAGING_USER : 0);
	enum ext_mem_status status;
	uint8_t byte;

	switch (memory_walk(w->vsid, la, access, gpa, error, &status)) {
	case PAGING_OK:
		break;
	case PAGING_FAULT:
		return EMULATE_ACCESS_FAULT;
	case PAGING_CHANGED:
		return EMULATE_ACCESS_CHANGED;
	default:
		return refuse(w, ext_mem_why(status));
	}
	if (is_device(w, *gpa)) {
		w->found = true;
		return EMULATE_ACCESS_DONE;
	}
	return made(w, ext_mem_read_phys(*gpa, &byte, sizeof(byte), NULL));
}

/* Whether an access of the emulator's, which is in one page, can be made. */
static enum emulate_access check_access(struct work *w, uint64_t gpa, unsigned int bytes)
{
	if (!w->found)
		return refuse(w, "the instruction does not access the device");
	if (is_device(w, gpa) != is_device(w, gpa + bytes - 1))
		return refuse(w, "it accesses the device and what is beside it at once");
	return EMULATE_ACCESS_DONE;
}

static enum emulate_access read_operand(void *ctx, uint64_t gpa, void *data, unsigned int bytes)
{
	struct work *w = ctx;
	enum emulate_access access = check_access(w, gpa, bytes);

	if (access != EMULATE_ACCESS_DONE)
		return access;
	if (!is_device(w, gpa))
		return made(w, ext_mem_read_phys(gpa, data, bytes, NULL));
	w->device->read(w->device->ctx, gpa - w->device->gpa, data, bytes);
	return EMULATE_ACCESS_DONE;
}

/* A locked instruction has one operand in memory: that is the device's. */
static enum emulate_access write_operand(void *ctx, uint64_t gpa, const void *data,
					 unsigned int bytes, const void *expected)
{
	struct work *w = ctx;
	enum emulate_access access = check_access(w, gpa, bytes);

	if (access != EMULATE_ACCESS_DONE)
		return access;
	if (!is_device(w, gpa))
		return made(w, ext_mem_write_phys(gpa, data, bytes, NULL));
	return w->device->write(w->device->ctx, gpa - w->device->gpa, data, expected, bytes) ?
		       EMULATE_ACCESS_DONE :
		       EMULATE_ACCESS_CHANGED;
}

/* Without SSE registers, which are Linux's own here. */
static const struct emulate_ops ops = {
	.translate = translate_operand,
	.read = read_operand,
	.write = write_operand,
};

/* --- registers -------------------------------------------------------------------------------- */

#define SEGMENT(name) \
	{ \
		{ MK1_AMD_##name##_base, MK1_AMD_##name##_limit, MK1_AMD_##name##_attrib }, \
		{ \
			MK1_INTEL_##name##_base, MK1_INTEL_##name##_limit, \
				MK1_INTEL_##name##_attrib \
		} \
	}
static const struct {
	struct {
		uint16_t base, limit, attrib;
	} amd, intel;
} segments[INSN_NR_SEGMENTS] = {
	[INSN_ES] = SEGMENT(es), [INSN_CS] = SEGMENT(cs), [INSN_SS] = SEGMENT(ss),
	[INSN_DS] = SEGMENT(ds), [INSN_FS] = SEGMENT(fs), [INSN_GS] = SEGMENT(gs),
};

/* A VMCS has bits 11:8 of a VMCB's attributes at 15:12, and a bit for what is not present. */
static uint16_t attrib_of(uint64_t rights)
{
	if (rights & VMX_AR_UNUSABLE)
		return 0;
	return (uint16_t)((rights & 0xFF) | (rights >> 4 & 0xF00));
}

static struct bf_segment segment_of(uint64_t vsid, unsigned int number)
{
	if (linux_is_on_amd())
		return (struct bf_segment){
			.attrib = (uint16_t)vs_get(vsid, segments[number].amd.attrib),
			.limit = (uint32_t)vs_get(vsid, segments[number].amd.limit),
			.base = vs_get(vsid, segments[number].amd.base),
		};
	return (struct bf_segment){
		.attrib = attrib_of(vs_get(vsid, segments[number].intel.attrib)),
		.limit = (uint32_t)vs_get(vsid, segments[number].intel.limit),
		.base = vs_get(vsid, segments[number].intel.base),
	};
}

static void get_regs(uint64_t vsid, struct emulate_regs *regs)
{
	for (unsigned int i = 0; i < 16; i++)
		regs->gpr[i] = ext_reg_read(vsid, general_reg(i));
	regs->rip = ext_reg_read(vsid, EXT_REG_rip);
	regs->rflags = ext_reg_read(vsid, EXT_REG_rflags);
	regs->cr0 = ext_reg_read(vsid, EXT_REG_cr0);
	regs->cr4 = ext_reg_read(vsid, EXT_REG_cr4);
	regs->efer = ext_reg_read(vsid, EXT_REG_efer);
	regs->cpl = (uint8_t)ext_cpl(vsid);
	for (unsigned int i = 0; i < INSN_NR_SEGMENTS; i++)
		regs->segment[i] = segment_of(vsid, i);
}

static void put(uint64_t vsid, enum ext_reg reg, uint64_t value)
{
	if (!ext_reg_write(vsid, reg, value))
		give_up("the microkernel does not write this register", vsid, reg);
}

static void put_regs(uint64_t vsid, const struct emulate_regs *regs)
{
	for (unsigned int i = 0; i < 16; i++)
		put(vsid, general_reg(i), regs->gpr[i]);
	put(vsid, EXT_REG_rip, regs->rip);
	put(vsid, EXT_REG_rflags, regs->rflags);
}

/* --- instructions ----------------------------------------------------------------------------- */

/* Iterations that are complete count, whatever comes after them. Returns how many. */
static unsigned int run(struct work *w, enum emulate_status *status)
{
	unsigned int n = 0;

	do {
		*status = emulate_run(&w->emulate, 1);
		if (*status == EMULATE_MORE || *status == EMULATE_DONE)
			n++;
	} while (*status == EMULATE_MORE && n < ITERATIONS && !(w->regs.rflags & RFLAGS_TF));
	return n;
}

/*
 * The emulator takes linear addresses as they are. A CPU may ignore bits of one that are not
 * canonical (LAM: SDM vol. 3 §5.10; UAI: APM vol. 2 §5.10), and may raise #GP by the half of the
 * address space before it looks at page tables (LASS). So it is the CPU that raises such a fault,
 * if there is one.
 */
static bool is_for_the_cpu(const struct work *w, const struct ext_exception *x)
{
	const struct emulate_regs *regs = &w->regs;

	if (x->vector == VECTOR_PF)
		return regs->cr4 & CR4_LASS && x->address >> 63 == (regs->cpl == 3);
	return ext_reg_read(w->vsid, EXT_REG_cr3) & (CR3_LAM_U48 | CR3_LAM_U57) ||
	       regs->cr4 & CR4_LAM_SUP || regs->efer & EFER_UAIE;
}

static const char *end(struct work *w, struct ext_exit *e, enum emulate_status status,
		       unsigned int done)
{
	struct ext_exception x = { .vector = w->emulate.fault.vector,
				   .error_code = w->emulate.fault.error,
				   .address = w->emulate.fault.cr2 };

	if (status == EMULATE_SHORT)
		return "its bytes cannot be read";
	if (status == EMULATE_UNSUPPORTED && !done)
		return w->why ? w->why : "the emulator does not know the instruction";
	if (done) {
		put_regs(w->vsid, &w->regs);
		if (status == EMULATE_DONE || w->regs.rflags & RFLAGS_TF)
			inject_after_insn(w->vsid);
	} else if (status == EMULATE_FAULT) {
		return is_for_the_cpu(w, &x) ? "its fault depends on LAM, UAI or LASS" :
					       ext_inject_exception(e, &x);
	}
	/* What is left, a fault after iterations, too, is met with when Linux comes here again. */
	e->again = true;
	return NULL;
}

static bool is_memory_exit(uint64_t reason)
{
	return linux_is_on_amd() ? (uint32_t)reason == SVM_EXIT_NPF :
				   (uint16_t)reason == VMX_EXIT_EPT_VIOLATION;
}

const char *ext_emulate(struct ext_exit *e, const struct ext_device *device)
{
	struct work w = { .vsid = e->vsid, .device = device };
	uint8_t code[EXT_MEM_CODE_MAX];
	enum emulate_status status;
	enum ext_mem_status bytes;
	unsigned int done = 0;
	size_t count;

	if (!is_memory_exit(e->reason))
		return "it is no exit by watched memory";
	if (follow_is_one())
		return "general registers are the first extension's";
	if (inject_is_busy(e->vsid))
		return "it is in the delivery of an event";
	bytes = ext_mem_code(e->vsid, code, &count);
	if (bytes != EXT_MEM_OK)
		return ext_mem_why(bytes);
	get_regs(e->vsid, &w.regs);
	status = emulate_begin(&w.emulate, &w.regs, &ops, &w, code, count);
	if (status == EMULATE_MORE)
		done = run(&w, &status);
	return end(&w, e, status, done);
}
