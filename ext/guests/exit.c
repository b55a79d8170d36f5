// SPDX-License-Identifier: MIT
/* Exits of guests, as far as both vendors' have something in common. */
#include <bsl/string.h>
#include <ext/guests/guests.h>
#include <ext/guests/insn_io.h>
#include <ext/linux/cpuid.h>

#define NO_PAGE (~0ull)
#define ITERATIONS 64 /* of a string instruction, before the guest goes on by itself */
#define EMULATION_NS 3000000000 /* what that may take in addition to the watchdog's limit */

/* --- exceptions ------------------------------------------------------------------------------- */

void give_exception(struct vcpu *v, uint8_t vector)
{
	v->event = (struct event){ .kind = EVENT_EXCEPTION, .vector = vector };
	go_on(v);
}

/* Exceptions push no error code in real mode, and VM entry refuses one. */
void give_error(struct vcpu *v, uint8_t vector, uint32_t error)
{
	v->event = (struct event){ .kind = EVENT_EXCEPTION,
				   .vector = vector,
				   .has_error = vendor->get_cr0(v) & CR0_PE,
				   .error = error };
	go_on(v);
}

static __noreturn void done(struct vcpu *v)
{
	advance(v);
	go_on(v);
}

void exit_nothing(struct vcpu *v)
{
	if (vendor->get_cpl(v))
		give_error(v, VECTOR_GP, 0);
	done(v);
}

/* --- CPUID ------------------------------------------------------------------------------------ */

void exit_cpuid(struct vcpu *v)
{
	uint32_t leaf = (uint32_t)mk1_rax();
	uint32_t subleaf = (uint32_t)mk1_rcx();
	struct guests_cpuid regs = rules_find_cpuid(v->cpuid, v->nr_cpuid, leaf, subleaf);

	rules_show_state(v->cpuid, v->nr_cpuid, vendor->get_cr4(v), vs_get(v->vsid, REG(xcr0)),
			 regs.leaf, subleaf, &regs);
	mk1_set_rax(regs.eax);
	mk1_set_rbx(regs.ebx);
	mk1_set_rcx(regs.ecx);
	mk1_set_rdx(regs.edx);
	done(v);
}

/* --- control registers ------------------------------------------------------------------------ */

uint64_t allowed_cr4(struct vcpu *v)
{
	struct cpuid_regs cpu = { 0, 0, 0, 0 };
	struct guests_cpuid own[2] = { { .leaf = 1 }, { .leaf = 7 } };

	if (cpuid(0, 0).eax >= 7)
		cpu = cpuid(7, 0);
	own[1].ebx = cpu.ebx;
	own[1].ecx = cpu.ecx;
	own[0].ecx = cpuid(1, 0).ecx;
	rules_cpuid(1, 0, &own[0]);
	rules_cpuid(7, 0, &own[1]);
	/* Whoever sets no CPUID sets what they like. */
	return (v->nr_cpuid ? rules_cr4(v->cpuid, v->nr_cpuid) : ~0ull) & rules_cr4(own, 2);
}

bool write_cr4(struct vcpu *v, uint64_t value)
{
	const struct rules_state now = { .cr0 = vendor->get_cr0(v),
					 .cr4 = vendor->get_cr4(v),
					 .efer = vs_get(v->vsid, REG(efer)) };

	if (!rules_write_cr4(&now, value, allowed_cr4(v)))
		return false;
	vendor->set_cr4(v, value);
	flush_tlb(v->vsid);
	if (!is_svm)
		v->pdptes_due = (now.cr0 & CR0_PG) && (value & CR4_PAE) && !(now.efer & EFER_LMA);
	return true;
}

/* CPL and CR4 come first, as on a CPU: SDM vol. 2, XSETBV. */
void exit_xsetbv(struct vcpu *v)
{
	uint64_t value = guest_edx_eax();

	if (!(vendor->get_cr4(v) & CR4_OSXSAVE))
		give_exception(v, VECTOR_UD);
	if (vendor->get_cpl(v) || (uint32_t)mk1_rcx() ||
	    !rules_xcr0(value, rules_xcr0_allowed(v->cpuid, v->nr_cpuid)) ||
	    mk1_vs_write(MK1_HANDLE, v->vsid, REG(xcr0), value) != MK1_SUCCESS)
		give_error(v, VECTOR_GP, 0);
	done(v);
}

/* --- HLT -------------------------------------------------------------------------------------- */

void exit_hlt(struct vcpu *v)
{
	if (vendor->get_cpl(v))
		give_error(v, VECTOR_GP, 0);
	advance(v);
	leave(v, GUESTS_EXIT_HLT);
}

/* --- accesses to what is no memory ------------------------------------------------------------ */

static bool is_device(const struct vcpu *v, uint64_t gpa)
{
	for (unsigned int i = 0; i < NR_DEVICE_PAGES; i++) {
		if (v->device[i] == (gpa & ~(uint64_t)BF_PAGE_MASK))
			return true;
	}
	return false;
}

static void forget_devices(struct vcpu *v)
{
	for (unsigned int i = 0; i < NR_DEVICE_PAGES; i++)
		v->device[i] = NO_PAGE;
	v->next_device = 0;
}

void exit_nested_fault(struct vcpu *v, uint64_t gpa, bool write)
{
	forget_devices(v);
	v->emulating = false;
	if (memory_is_there(v, gpa, write))
		go_on(v); /* by now */
	leave_fault(v, gpa, write);
}

/*
 * A page that the extension knows nothing of, in the middle of an instruction: the module has to be
 * asked, and then the instruction begins anew. Nothing has been accessed yet.
 */
static enum emulate_access ask(struct vcpu *v, bool write)
{
	v->unknown = true;
	v->unknown_write = write;
	return EMULATE_ACCESS_UNSUPPORTED;
}

static enum emulate_access translate_operand(void *ctx, uint64_t la, bool write, uint64_t *gpa,
					     uint32_t *error)
{
	struct vcpu *v = ctx;

	switch (translate(v, &v->emulated, la, write ? PAGING_WRITE : 0, gpa, error)) {
	case PAGING_OK:
		break;
	case PAGING_FAULT:
		return EMULATE_ACCESS_FAULT;
	case PAGING_UNREACHABLE:
		return ask(v, true);
	case PAGING_CHANGED:
		return EMULATE_ACCESS_CHANGED;
	}
	if (!is_device(v, *gpa) && !memory_is_there(v, *gpa, write))
		return ask(v, write);
	return EMULATE_ACCESS_DONE;
}

static enum emulate_access read_operand(void *ctx, uint64_t gpa, void *data, unsigned int bytes)
{
	struct vcpu *v = ctx;

	if (memory_read(v, gpa, data, bytes))
		return EMULATE_ACCESS_DONE;
	return is_device(v, gpa) ? EMULATE_ACCESS_PENDING : EMULATE_ACCESS_UNSUPPORTED;
}

static enum emulate_access write_operand(void *ctx, uint64_t gpa, const void *data,
					 unsigned int bytes, const void *expected)
{
	struct vcpu *v = ctx;
	bool changed = false;

	if (expected ? memory_exchange(v, gpa, data, expected, bytes, &changed) :
		       memory_write(v, gpa, data, bytes))
		return changed ? EMULATE_ACCESS_CHANGED : EMULATE_ACCESS_DONE;
	return is_device(v, gpa) ? EMULATE_ACCESS_PENDING : EMULATE_ACCESS_UNSUPPORTED;
}

static void read_xmm(void *ctx, unsigned int reg, void *data)
{
	struct vcpu *v = ctx;
	struct xstate_legacy legacy;

	if (!xstate_read(v->vsid, &legacy, sizeof(legacy)))
		give_up("SSE registers cannot be read", v->vsid, reg);
	bsl_memcpy(data, xstate_xmm(&legacy, reg), XSTATE_XMM_SIZE);
}

static void write_xmm(void *ctx, unsigned int reg, const void *data)
{
	struct vcpu *v = ctx;
	struct xstate_legacy legacy;

	if (!xstate_read(v->vsid, &legacy, sizeof(legacy)))
		give_up("SSE registers cannot be read", v->vsid, reg);
	bsl_memcpy(xstate_xmm(&legacy, reg), data, XSTATE_XMM_SIZE);
	if (!xstate_write(v->vsid, &legacy, sizeof(legacy)))
		give_up("SSE registers cannot be written", v->vsid, reg);
}

static const struct emulate_ops ops = {
	.read_xmm = read_xmm,
	.write_xmm = write_xmm,
	.translate = translate_operand,
	.read = read_operand,
	.write = write_operand,
};

/* Register numbers by enum insn_reg. */
static uint64_t gpr_reg(unsigned int n)
{
	static const uint8_t amd[16] = { MK1_AMD_rax, MK1_AMD_rcx, MK1_AMD_rdx, MK1_AMD_rbx,
					 MK1_AMD_rsp, MK1_AMD_rbp, MK1_AMD_rsi, MK1_AMD_rdi,
					 MK1_AMD_r8,  MK1_AMD_r9,  MK1_AMD_r10, MK1_AMD_r11,
					 MK1_AMD_r12, MK1_AMD_r13, MK1_AMD_r14, MK1_AMD_r15 };
	static const uint8_t intel[16] = { MK1_INTEL_rax, MK1_INTEL_rcx, MK1_INTEL_rdx,
					   MK1_INTEL_rbx, MK1_INTEL_rsp, MK1_INTEL_rbp,
					   MK1_INTEL_rsi, MK1_INTEL_rdi, MK1_INTEL_r8,
					   MK1_INTEL_r9,  MK1_INTEL_r10, MK1_INTEL_r11,
					   MK1_INTEL_r12, MK1_INTEL_r13, MK1_INTEL_r14,
					   MK1_INTEL_r15 };

	return is_svm ? amd[n] : intel[n];
}

static struct bf_segment segment_of(const struct guests_segment *from)
{
	uint16_t attrib = from->attrib & GUESTS_SEG_ATTRIB;

	if (from->attrib & GUESTS_SEG_UNUSABLE)
		attrib &= (uint16_t)~SEG_ATTRIB_P;
	return (struct bf_segment){ from->selector, attrib, from->limit, from->base };
}

void get_emulated(struct vcpu *v, struct emulate_regs *regs)
{
	struct guests_sregs sregs;

	vendor->get_sregs(v, &sregs);
	for (unsigned int i = 0; i < 16; i++)
		regs->gpr[i] = vs_get(v->vsid, gpr_reg(i));
	regs->rip = vs_get(v->vsid, REG(rip));
	regs->rflags = vs_get(v->vsid, REG(rflags));
	regs->cr0 = sregs.cr0;
	regs->cr4 = sregs.cr4;
	regs->efer = sregs.efer;
	regs->cpl = vendor->get_cpl(v);
	regs->segment[INSN_ES] = segment_of(&sregs.es);
	regs->segment[INSN_CS] = segment_of(&sregs.cs);
	regs->segment[INSN_SS] = segment_of(&sregs.ss);
	regs->segment[INSN_DS] = segment_of(&sregs.ds);
	regs->segment[INSN_FS] = segment_of(&sregs.fs);
	regs->segment[INSN_GS] = segment_of(&sregs.gs);
}

/* What an instruction, or an iteration of it, has changed. */
static void put_emulated(struct vcpu *v, enum emulate_status status)
{
	for (unsigned int i = 0; i < 16; i++)
		vs_set(v->vsid, gpr_reg(i), v->emulated.gpr[i]);
	vs_set(v->vsid, REG(rflags), v->emulated.rflags);
	/* A single step ends with an iteration, too. */
	if (status == EMULATE_DONE || (v->emulated.rflags & RFLAGS_TF))
		vendor->skip_to(v, v->emulated.rip);
	else
		vs_set(v->vsid, REG(rip), v->emulated.rip);
}

/* After a write that is all that was left, the guest is behind the instruction, or iteration. */
static void end_with_write(struct vcpu *v)
{
	enum emulate_status status = emulate_run(&v->emulate, 1);

	put_emulated(v, status);
	if (status == EMULATE_MORE)
		return;
	v->emulating = false;
	forget_devices(v);
}

static __noreturn void give_mmio(struct vcpu *v)
{
	v->emulating = true;
	v->exit.address = v->emulate.mmio.gpa;
	v->exit.size = v->emulate.mmio.bytes;
	v->exit.write = v->emulate.mmio.write;
	v->exit.data = v->emulate.mmio.write ? v->emulate.mmio.data : 0;
	if (emulate_ends_with_write(&v->emulate))
		end_with_write(v);
	leave(v, GUESTS_EXIT_MMIO);
}

static __noreturn void fault(struct vcpu *v)
{
	uint8_t vector = v->emulate.fault.vector;

	if (vector == VECTOR_PF)
		vs_set(v->vsid, REG(cr2), v->emulate.fault.cr2);
	if (VECTOR_HAS_ERROR_CODE(vector))
		give_error(v, vector, v->emulate.fault.error);
	give_exception(v, vector);
}

static __noreturn void end_emulation(struct vcpu *v, enum emulate_status status)
{
	v->emulating = false;
	if (v->unknown) {
		v->unknown = false;
		/* It cannot be what has just been said to be no memory: a page table, say. */
		if (is_device(v, v->fault_gpa))
			leave_internal(v, GUESTS_INTERNAL_EMULATE, v->fault_gpa);
		leave_fault(v, v->fault_gpa, v->unknown_write);
	}
	switch (status) {
	case EMULATE_PENDING:
		give_mmio(v);
	case EMULATE_DONE:
	case EMULATE_MORE:
		put_emulated(v, status);
		break;
	case EMULATE_RETRY:
		break;
	case EMULATE_FAULT:
		forget_devices(v);
		fault(v);
	default:
		leave_internal(v, GUESTS_INTERNAL_EMULATE, 0);
	}
	forget_devices(v);
	if (v->entry.flags & GUESTS_RUN_COMPLETE)
		leave(v, GUESTS_EXIT_INTR);
	go_on(v);
}

/*
 * Each iteration reads registers and tables of the guest's by many syscalls, and a virtual
 * machine may have little of its host's CPU time for them.
 */
static enum emulate_status run_emulation(struct vcpu *v)
{
	ext_more_time(EMULATION_NS);
	return emulate_run(&v->emulate, ITERATIONS);
}

void emulate_go_on(struct vcpu *v)
{
	end_emulation(v, run_emulation(v));
}

bool emulate_is_between(const struct vcpu *v)
{
	return emulate_between_iterations(&v->emulate);
}

void emulate_instruction(struct vcpu *v)
{
	uint8_t bytes[INSN_MAX_LENGTH];
	enum paging_status fetched;
	enum emulate_status status;
	uint32_t error;
	size_t avail;

	v->emulate.avail = 0;
	/* A stack or a descriptor table in what is no memory. */
	if (v->event.kind != EVENT_NONE)
		leave_internal(v, GUESTS_INTERNAL_EMULATE, v->fault_gpa);
	v->device[v->next_device] = v->fault_gpa;
	v->next_device = (v->next_device + 1) % NR_DEVICE_PAGES;
	get_emulated(v, &v->emulated);
	avail = fetch(v, &v->emulated, bytes, &fetched, &error);
	if (!avail)
		leave_internal(v, GUESTS_INTERNAL_FETCH, v->fault_gpa);
	v->unknown = false;
	status = emulate_begin(&v->emulate, &v->emulated, &ops, v, bytes, avail);
	if (status == EMULATE_SHORT)
		leave_internal(v, GUESTS_INTERNAL_FETCH, v->fault_gpa);
	if (status == EMULATE_MORE)
		status = run_emulation(v);
	end_emulation(v, status);
}

/* --- ports ------------------------------------------------------------------------------------ */

/* No device that is in memory, too. */
static enum emulate_access write_nothing(void *ctx, uint64_t gpa, const void *data,
					 unsigned int bytes, const void *expected)
{
	(void)ctx;
	(void)gpa;
	(void)data;
	(void)bytes;
	(void)expected;
	return EMULATE_ACCESS_PENDING;
}

/* Looks where INS goes, before the port is read. */
static const struct emulate_ops look = {
	.translate = translate_operand,
	.read = read_operand,
	.write = write_nothing,
};

/* The INS or OUTS at RIP as STOS or LODS. false: by now another instruction is there. */
static bool begin_string_io(struct vcpu *v, const struct emulate_ops *with)
{
	uint8_t bytes[INSN_MAX_LENGTH];
	enum paging_status fetched = PAGING_OK;
	uint32_t error;
	size_t avail;
	bool code_64;

	get_emulated(v, &v->emulated);
	code_64 = (v->emulated.efer & EFER_LMA) &&
		  (v->emulated.segment[INSN_CS].attrib & SEG_ATTRIB_L);
	avail = fetch(v, &v->emulated, bytes, &fetched, &error);
	if (!insn_io_replace(bytes, avail, code_64)) {
		if (fetched == PAGING_UNREACHABLE)
			leave_fault(v, v->fault_gpa, false);
		return false;
	}
	v->unknown = false;
	if (emulate_begin(&v->emulate, &v->emulated, with, v, bytes, avail) != EMULATE_MORE)
		return false;
	/* As the CPU has decoded it. */
	return (v->io.is_in ? v->emulate.insn.dst : v->emulate.insn.src).size == v->io.size;
}

/* How many elements the string still has. */
static uint64_t elements_left(const struct vcpu *v)
{
	uint64_t rcx = v->emulated.gpr[INSN_RCX];

	if (!v->emulate.insn.repeat)
		return 1;
	switch (v->emulate.insn.address_size) {
	case 2:
		return (uint16_t)rcx;
	case 4:
		return (uint32_t)rcx;
	default:
		return rcx;
	}
}

/* How many of them INS can take now: backwards they come one by one. */
static unsigned int ins_count(const struct vcpu *v)
{
	if (v->emulated.rflags & RFLAGS_DF)
		return 1;
	return insn_io_count(v->emulate.mmio.gpa, v->io.size, elements_left(v), GUESTS_MAX_IO);
}

static __noreturn void exit_ins(struct vcpu *v)
{
	enum emulate_status status;

	if (!begin_string_io(v, &look))
		leave_internal(v, GUESTS_INTERNAL_STRING_IO, v->exit.address);
	status = emulate_run(&v->emulate, 1);
	if (status != EMULATE_PENDING) /* a fault, a page to ask for, nothing left to do */
		end_emulation(v, status);
	if (is_device(v, v->emulate.mmio.gpa))
		leave_internal(v, GUESTS_INTERNAL_STRING_IO, v->exit.address);
	v->io.count = (uint16_t)ins_count(v);
	v->io.active = true;
	v->exit.count = v->io.count;
	leave(v, GUESTS_EXIT_IO);
}

/* The registers are those after this element when the module gets it. */
static __noreturn void exit_outs(struct vcpu *v)
{
	uint64_t rax;
	enum emulate_status status;

	if (!begin_string_io(v, &ops))
		leave_internal(v, GUESTS_INTERNAL_STRING_IO, v->exit.address);
	rax = v->emulated.gpr[INSN_RAX];
	/* LODS may have no element, and then RAX stays as it is. */
	if (!elements_left(v))
		end_emulation(v, emulate_run(&v->emulate, 1));
	status = emulate_run(&v->emulate, 1);
	if (status == EMULATE_PENDING)
		leave_internal(v, GUESTS_INTERNAL_STRING_IO, v->exit.address);
	if (status != EMULATE_DONE && status != EMULATE_MORE)
		end_emulation(v, status);
	v->exit.data = v->emulated.gpr[INSN_RAX] & (~0ull >> (64 - 8 * v->io.size));
	v->emulated.gpr[INSN_RAX] = rax;
	put_emulated(v, status);
	leave(v, GUESTS_EXIT_IO);
}

void exit_io(struct vcpu *v, bool is_in, bool string, uint64_t port, unsigned int size,
	     uint64_t next_rip)
{
	v->io.active = !string;
	v->io.is_in = is_in;
	v->io.string = string;
	v->io.size = (uint8_t)size;
	v->io.rip = vs_get(v->vsid, REG(rip));
	v->io.next_rip = next_rip;
	v->exit.address = port;
	v->exit.size = size;
	v->exit.write = !is_in;
	if (string && is_in)
		exit_ins(v);
	if (string)
		exit_outs(v);
	v->exit.data = is_in ? 0 : (uint32_t)mk1_rax() & (uint32_t)(~0ull >> (64 - 8 * size));
	leave(v, GUESTS_EXIT_IO);
}

/* Element by element, by the registers as they are by now. */
static void complete_ins(struct vcpu *v)
{
	enum emulate_status status = EMULATE_MORE;
	uint64_t rax;

	if (!begin_string_io(v, &ops))
		return;
	ext_more_time(EMULATION_NS);
	rax = v->emulated.gpr[INSN_RAX];
	for (unsigned int i = 0; i < v->io.count && status == EMULATE_MORE; i++) {
		v->emulated.gpr[INSN_RAX] = 0;
		bsl_memcpy(&v->emulated.gpr[INSN_RAX], v->io.data + i * v->io.size, v->io.size);
		status = emulate_run(&v->emulate, 1);
	}
	v->emulated.gpr[INSN_RAX] = rax;
	/* What was written before a fault stays, and counts. */
	put_emulated(v, status);
	if (status != EMULATE_DONE && status != EMULATE_MORE)
		end_emulation(v, status == EMULATE_PENDING ? EMULATE_UNSUPPORTED : status);
}

void complete_io(struct vcpu *v)
{
	uint64_t rax = vs_get(v->vsid, REG(rax));
	uint64_t mask = v->io.size < 4 ? (1ull << (8 * v->io.size)) - 1 : ~0ull;

	v->io.active = false;
	if (vs_get(v->vsid, REG(rip)) != v->io.rip)
		return;
	if (v->io.string) {
		complete_ins(v);
		return;
	}
	if (v->io.is_in)
		vs_set(v->vsid, REG(rax), (rax & ~mask) | ((uint32_t)v->entry.data & mask));
	vendor->skip_to(v, v->io.next_rip);
}
