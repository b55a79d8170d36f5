// SPDX-License-Identifier: MIT
/*
 * Several extensions with hooks in one start. The first one treats Linux: it has the callbacks, of
 * which there is one for all. Each has an entry by Mk#2: those after it join by a call of the first
 * one's, and that calls theirs with what their hooks have asked for, in the order of the command
 * line.
 *
 * These calls are between two programs that may have been built at different times: FOLLOW_MAGIC
 * changes with any change of them.
 */
#include <bsl/spinlock.h>
#include <ext/libext/frame.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/access.h>
#include <ext/linux/exception.h>
#include <ext/linux/follow.h>
#include <ext/linux/hooks.h>
#include <ext/linux/linux.h>
#include <ext/linux/vendor.h>
#include <ext/linux/watched.h>

#define FOLLOW_MAGIC 0xF004
#define FIRST_EXT 0
#define MAX_EXTS 8
#define MAX_MSRS 64
#define MAX_IO_RANGES 16

/* The first argument: the magic in bits 63:48, what it is in 47:32, the exit reason below. */
#define FIRST(op, reason) ((uint64_t)FOLLOW_MAGIC << 48 | (uint64_t)(op) << 32 | (uint32_t)(reason))

enum op {
	OP_JOIN, /* of the first extension; the others are of those after it */
	OP_HOOKS, /* which it has, and of how many MSRs and ranges of ports it wants exits */
	OP_MSR, /* the nth of these, and for which accesses */
	OP_IO_RANGE, /* the nth range of ports */
	OP_REGISTERS, /* which control and debug registers and exceptions it watches */
	OP_CPU_IN,
	OP_CPU_OUT,
	OP_EXIT,
	OP_CPUID,
	OP_RDMSR,
	OP_WRMSR,
	OP_FAULT,
	OP_IO,
	OP_CR,
	OP_DR,
	OP_HYPERCALL,
	OP_EXCEPTION,
	OP_LIVE /* no call: it wants to change what it watches while Linux runs */
};

#define HAS(op) (1u << (op))

/* The second result of an exit. */
#define MINE 0x1
#define AGAIN 0x2
#define STEP 0x4
#define FAULT_SHIFT 8

/* Arguments of faults and of ports. */
#define FAULT_WALK 0x8 /* beside the accesses */
#define IO_IN 0x100
#define IO_STRING 0x200
#define IO_PORT_SHIFT 16
#define DR_WRITE 0x100 /* beside the number */
#define EXCEPTION_HAS_CODE 0x100 /* beside the vector; the error code is above */

/* --- the first extension ---------------------------------------------------------------------- */

static struct {
	uint16_t id;
	uint32_t hooks;
} followers[MAX_EXTS];

static bool follows; /* this is one of those after the first */

/* In _start, of one extension after the other on one PP, their number grows. */
static unsigned int nr_followers;
static bool asked; /* what they want */
static struct bsl_spinlock lock; /* of that */

struct answer {
	uint64_t result, a, b;
};

/* Whether it has answered. One that has ended does not, and Linux goes on without it. */
static bool call(uint16_t id, uint64_t first, uint64_t a1, uint64_t a2, uint64_t a3,
		 struct answer *answer)
{
	uint64_t magic;

	return mk2_ext_call(MK2_HANDLE, id, first, a1, a2, a3, &magic, &answer->result, &answer->a,
			    &answer->b) == MK1_SUCCESS &&
	       magic == FOLLOW_MAGIC;
}

/* What this one watches, by now. false, after a message: that cannot be. */
static bool ask_watched(uint16_t id, const struct answer *has)
{
	struct answer msr, range, registers;

	for (uint64_t n = 0; n < has->a && n < MAX_MSRS; n++) {
		if (!call(id, FIRST(OP_MSR, 0), n, 0, 0, &msr) ||
		    !intercept_msr((uint32_t)msr.result, (unsigned int)msr.a))
			return false;
	}
	for (uint64_t n = 0; n < has->b && n < MAX_IO_RANGES; n++) {
		if (!call(id, FIRST(OP_IO_RANGE, 0), n, 0, 0, &range) || range.result > 0xFFFF ||
		    range.a > 0x10000 - range.result ||
		    !watch_ports((uint32_t)range.result, (uint32_t)range.a))
			return false;
	}
	if (!call(id, FIRST(OP_REGISTERS, 0), 0, 0, 0, &registers))
		return false;
	access_watch((unsigned int)registers.result & ACCESS_CRS,
		     (unsigned int)registers.a & ACCESS_DRS);
	exception_watch((uint32_t)registers.b);
	return true;
}

/* What this one wants. false, after a message: that cannot be. */
static bool prepare(unsigned int i)
{
	uint16_t id = followers[i].id;
	struct answer has;

	if (!call(id, FIRST(OP_HOOKS, 0), 0, 0, 0, &has)) {
		ext_print("%s: extension %u does not answer\n", ext_name, id + 1u);
		return false;
	}
	if (!ask_watched(id, &has))
		return false;
	followers[i].hooks = (uint32_t)has.result;
	if (followers[i].hooks & HAS(OP_FAULT) && !watch_memory())
		return false;
	if (followers[i].hooks & HAS(OP_LIVE))
		hooks_live = true;
	hooks_hypercalls |= (followers[i].hooks & HAS(OP_HYPERCALL)) != 0;
	if (followers[i].hooks & (HAS(OP_EXIT) | HAS(OP_CPUID)))
		hooks_see_all = true;
	return true;
}

/* One that has ended, or gives none of its reasons, is as it was. */
void follow_ask_again(void)
{
	for (unsigned int i = 0; i < nr_followers; i++) {
		struct answer has;

		if (followers[i].hooks & HAS(OP_LIVE) &&
		    call(followers[i].id, FIRST(OP_HOOKS, 0), 0, 0, 0, &has))
			(void)ask_watched(followers[i].id, &has);
	}
}

bool follow_prepare(void)
{
	bool good = true;

	bsl_spin_lock(&lock);
	for (unsigned int i = 0; i < nr_followers && good && !asked; i++)
		good = prepare(i);
	asked = good;
	bsl_spin_unlock(&lock);
	return good;
}

static bool join(uint64_t id)
{
	if (follows || asked || nr_followers == MAX_EXTS)
		return false;
	followers[nr_followers++].id = (uint16_t)id;
	return true;
}

bool follow_cpu_in(uint64_t vsid)
{
	for (unsigned int i = 0; i < nr_followers; i++) {
		struct answer answer;

		if (followers[i].hooks & HAS(OP_CPU_IN) &&
		    (!call(followers[i].id, FIRST(OP_CPU_IN, 0), vsid, 0, 0, &answer) ||
		     !answer.result))
			return false;
	}
	return true;
}

void follow_cpu_out(uint64_t vsid)
{
	struct answer answer;

	for (unsigned int i = 0; i < nr_followers; i++) {
		if (followers[i].hooks & HAS(OP_CPU_OUT))
			(void)call(followers[i].id, FIRST(OP_CPU_OUT, 0), vsid, 0, 0, &answer);
	}
}

/* Nothing else can be injected at any instruction. */
static bool is_fault(uint64_t vector)
{
	return !vector || vector == EXT_FAULT_UD || vector == EXT_FAULT_GP;
}

/* Asks those that have this hook, until one says that it is its. */
static bool ask(enum op op, struct ext_exit *e, uint64_t a1, uint64_t a2, uint64_t a3,
		struct answer *answer)
{
	for (unsigned int i = 0; i < nr_followers; i++) {
		if (!(followers[i].hooks & HAS(op)) ||
		    !call(followers[i].id, FIRST(op, e->reason), a1, a2, a3, answer) ||
		    !(answer->result & MINE) || !is_fault(answer->result >> FAULT_SHIFT))
			continue;
		e->again = answer->result & AGAIN;
		e->step = answer->result & STEP;
		e->fault = (uint8_t)(answer->result >> FAULT_SHIFT);
		return true;
	}
	return false;
}

bool follow_exit(struct ext_exit *e)
{
	struct answer answer;

	return ask(OP_EXIT, e, 0, 0, 0, &answer);
}

bool follow_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs)
{
	struct answer answer;

	if (!ask(OP_CPUID, e, (uint64_t)subleaf << 32 | leaf, (uint64_t)regs->ebx << 32 | regs->eax,
		 (uint64_t)regs->edx << 32 | regs->ecx, &answer))
		return false;
	*regs = (struct cpuid_regs){ .eax = (uint32_t)answer.a,
				     .ebx = (uint32_t)(answer.a >> 32),
				     .ecx = (uint32_t)answer.b,
				     .edx = (uint32_t)(answer.b >> 32) };
	return true;
}

bool follow_rdmsr(struct ext_exit *e, uint32_t msr, uint64_t *value)
{
	struct answer answer;

	if (!ask(OP_RDMSR, e, msr, 0, 0, &answer))
		return false;
	*value = answer.a;
	return true;
}

bool follow_wrmsr(struct ext_exit *e, uint32_t msr, uint64_t value)
{
	struct answer answer;

	return ask(OP_WRMSR, e, msr, value, 0, &answer);
}

bool follow_fault(struct ext_exit *e, const struct ext_fault *fault)
{
	struct answer answer;

	return ask(OP_FAULT, e, fault->gpa, fault->access | (fault->walk ? FAULT_WALK : 0),
		   fault->gva, &answer);
}

bool follow_io(struct ext_exit *e, const struct ext_io *io, uint32_t *value)
{
	struct answer answer;

	if (!ask(OP_IO, e,
		 (uint64_t)io->port << IO_PORT_SHIFT | io->size | (io->in ? IO_IN : 0) |
			 (io->string ? IO_STRING : 0),
		 *value, 0, &answer))
		return false;
	*value = (uint32_t)answer.a;
	return true;
}

bool follow_cr(struct ext_exit *e, const struct ext_cr *cr)
{
	struct answer answer;

	return ask(OP_CR, e, cr->number, cr->old, cr->value, &answer);
}

bool follow_dr(struct ext_exit *e, const struct ext_dr *dr, uint64_t *value)
{
	struct answer answer;

	if (!ask(OP_DR, e, dr->number | (dr->write ? DR_WRITE : 0), *value, 0, &answer))
		return false;
	*value = answer.a;
	return true;
}

bool follow_hypercall(struct ext_exit *e, struct ext_hypercall *hypercall)
{
	struct answer answer;

	if (!ask(OP_HYPERCALL, e, hypercall->rax, hypercall->rcx, hypercall->rdx, &answer))
		return false;
	hypercall->rax = answer.a;
	hypercall->rcx = answer.b;
	return true;
}

bool follow_exception(struct ext_exit *e, const struct ext_exception *x)
{
	struct answer answer;

	return ask(OP_EXCEPTION, e,
		   (uint64_t)x->error_code << 32 | (x->has_error_code ? EXCEPTION_HAS_CODE : 0) |
			   x->vector,
		   x->address, 0, &answer);
}

/* --- those after it --------------------------------------------------------------------------- */

static struct {
	uint32_t msr;
	unsigned int access;
} wanted[MAX_MSRS];

static unsigned int nr_wanted;

static struct {
	uint32_t first, count;
} wanted_ports[MAX_IO_RANGES];

static unsigned int nr_wanted_ports;
static struct bsl_spinlock wanted_lock; /* of the MSRs and ports */

static unsigned int wanted_crs, wanted_drs;
static uint32_t wanted_exceptions;

void follow_wants_registers(unsigned int crs, unsigned int drs, uint32_t vectors)
{
	(void)__atomic_fetch_or(&wanted_crs, crs, __ATOMIC_RELEASE);
	(void)__atomic_fetch_or(&wanted_drs, drs, __ATOMIC_RELEASE);
	(void)__atomic_fetch_or(&wanted_exceptions, vectors, __ATOMIC_RELEASE);
}

bool follow_is_one(void)
{
	return follows;
}

/*
 * Linux may run, and several PPs want something: an entry of a list is there before it counts.
 * false, after a message: there is no room. Else the lock is held until end_entry.
 */
static bool begin_entry(const unsigned int *number, unsigned int max, const char *what)
{
	bsl_spin_lock(&wanted_lock);
	if (*number < max)
		return true;
	bsl_spin_unlock(&wanted_lock);
	ext_print("%s: more than %u %s\n", ext_name, max, what);
	return false;
}

static void end_entry(unsigned int *number)
{
	__atomic_store_n(number, *number + 1, __ATOMIC_RELEASE);
	bsl_spin_unlock(&wanted_lock);
}

bool follow_wants_msr(uint32_t msr, unsigned int access)
{
	if (!begin_entry(&nr_wanted, MAX_MSRS, "MSRs that exit"))
		return false;
	wanted[nr_wanted].msr = msr;
	wanted[nr_wanted].access = access;
	end_entry(&nr_wanted);
	return true;
}

bool follow_wants_io(uint32_t first, uint32_t count)
{
	if (!begin_entry(&nr_wanted_ports, MAX_IO_RANGES, "ranges of ports"))
		return false;
	wanted_ports[nr_wanted_ports].first = first;
	wanted_ports[nr_wanted_ports].count = count;
	end_entry(&nr_wanted_ports);
	return true;
}

static unsigned int number_of(const unsigned int *number)
{
	return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

static __noreturn void reply(uint64_t result, uint64_t a, uint64_t b)
{
	mk2_ext_reply(MK2_HANDLE, FOLLOW_MAGIC, result, a, b);
	give_up("the microkernel takes no reply", MK1_INVALID_ID, result);
}

static uint32_t own_hooks(void)
{
	return (hooks->cpu_in ? HAS(OP_CPU_IN) : 0) | (hooks->cpu_out ? HAS(OP_CPU_OUT) : 0) |
	       (hooks->exit ? HAS(OP_EXIT) : 0) | (hooks->cpuid ? HAS(OP_CPUID) : 0) |
	       (hooks->rdmsr ? HAS(OP_RDMSR) : 0) | (hooks->wrmsr ? HAS(OP_WRMSR) : 0) |
	       (hooks->nested_fault ? HAS(OP_FAULT) : 0) | (hooks->io ? HAS(OP_IO) : 0) |
	       (hooks->cr ? HAS(OP_CR) : 0) | (hooks->dr ? HAS(OP_DR) : 0) |
	       (hooks->hypercall ? HAS(OP_HYPERCALL) : 0) |
	       (hooks->exception ? HAS(OP_EXCEPTION) : 0) | (hooks_live ? HAS(OP_LIVE) : 0);
}

static uint64_t verdict(const struct ext_exit *e, bool mine)
{
	return (mine ? MINE : 0) | (e->again ? AGAIN : 0) | (e->step ? STEP : 0) |
	       (uint64_t)e->fault << FAULT_SHIFT;
}

static __noreturn void reply_cpuid(struct ext_exit *e, uint64_t leaves, uint64_t low, uint64_t high)
{
	struct cpuid_regs regs = { .eax = (uint32_t)low,
				   .ebx = (uint32_t)(low >> 32),
				   .ecx = (uint32_t)high,
				   .edx = (uint32_t)(high >> 32) };
	bool mine = hooks->cpuid(e, (uint32_t)leaves, (uint32_t)(leaves >> 32), &regs);

	reply(verdict(e, mine), (uint64_t)regs.ebx << 32 | regs.eax,
	      (uint64_t)regs.edx << 32 | regs.ecx);
}

static __noreturn void reply_fault(struct ext_exit *e, uint64_t gpa, uint64_t access, uint64_t gva)
{
	struct ext_fault fault = { .gpa = gpa,
				   .gva = gva,
				   .access = (unsigned int)(access & ~(uint64_t)FAULT_WALK),
				   .walk = access & FAULT_WALK };
	bool mine = hooks->nested_fault(e, &fault);

	reply(verdict(e, mine), 0, 0);
}

static __noreturn void reply_io(struct ext_exit *e, uint64_t what, uint64_t output)
{
	struct ext_io io = { .port = (uint16_t)(what >> IO_PORT_SHIFT),
			     .size = (uint8_t)what,
			     .in = what & IO_IN,
			     .string = what & IO_STRING };
	uint32_t value = (uint32_t)output;
	bool mine = hooks->io(e, &io, &value);

	reply(verdict(e, mine), value, 0);
}

static __noreturn void reply_cr(struct ext_exit *e, uint64_t number, uint64_t old, uint64_t value)
{
	struct ext_cr cr = { .number = (unsigned int)number, .old = old, .value = value };
	bool mine = hooks->cr(e, &cr);

	reply(verdict(e, mine), 0, 0);
}

static __noreturn void reply_dr(struct ext_exit *e, uint64_t what, uint64_t value)
{
	struct ext_dr dr = { .number = (uint8_t)what, .write = what & DR_WRITE };
	bool mine = hooks->dr(e, &dr, &value);

	reply(verdict(e, mine), value, 0);
}

static __noreturn void reply_hypercall(struct ext_exit *e, uint64_t rax, uint64_t rcx, uint64_t rdx)
{
	struct ext_hypercall hypercall = { .rax = rax, .rcx = rcx, .rdx = rdx };
	bool mine = hooks->hypercall(e, &hypercall);

	reply(verdict(e, mine), hypercall.rax, hypercall.rcx);
}

static __noreturn void reply_exception(struct ext_exit *e, uint64_t what, uint64_t address)
{
	struct ext_exception x = { .vector = (uint8_t)what,
				   .has_error_code = what & EXCEPTION_HAS_CODE,
				   .error_code = (uint32_t)(what >> 32),
				   .address = address };
	bool mine = hooks->exception(e, &x);

	reply(verdict(e, mine), 0, 0);
}

static __noreturn void answer_exit(enum op op, struct ext_exit *e, uint64_t a1, uint64_t a2,
				   uint64_t a3)
{
	uint64_t value = 0;
	bool mine;

	switch (op) {
	case OP_EXIT:
		mine = hooks->exit(e);
		reply(verdict(e, mine), 0, 0);
	case OP_CPUID:
		reply_cpuid(e, a1, a2, a3);
	case OP_RDMSR:
		mine = hooks->rdmsr(e, (uint32_t)a1, &value);
		reply(verdict(e, mine), value, 0);
	case OP_FAULT:
		reply_fault(e, a1, a2, a3);
	case OP_IO:
		reply_io(e, a1, a2);
	case OP_CR:
		reply_cr(e, a1, a2, a3);
	case OP_EXCEPTION:
		reply_exception(e, a1, a2);
	case OP_HYPERCALL:
		reply_hypercall(e, a1, a2, a3);
	case OP_DR:
		reply_dr(e, a1, a2);
	default:
		mine = hooks->wrmsr(e, (uint32_t)a1, a2);
		reply(verdict(e, mine), 0, 0);
	}
}

/* --- both ------------------------------------------------------------------------------------- */

static void entry(uint64_t caller, uint64_t first, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct ext_exit e = { .vsid = mk1_tls_vsid(), .reason = (uint32_t)first };
	uint64_t op = first >> 32 & 0xFFFF;

	if (first >> 48 == FOLLOW_MAGIC) {
		if (op == OP_JOIN)
			reply(join(caller), 0, 0);
		if (op == OP_HOOKS)
			reply(own_hooks(), number_of(&nr_wanted), number_of(&nr_wanted_ports));
		if (op == OP_MSR && a1 < number_of(&nr_wanted))
			reply(wanted[a1].msr, wanted[a1].access, 0);
		if (op == OP_IO_RANGE && a1 < number_of(&nr_wanted_ports))
			reply(wanted_ports[a1].first, wanted_ports[a1].count, 0);
		if (op == OP_REGISTERS)
			reply(wanted_crs, wanted_drs, wanted_exceptions);
		if (op == OP_CPU_OUT && hooks->cpu_out) {
			hooks->cpu_out(a1);
			reply(0, 0, 0);
		}
		if (op == OP_CPU_IN && hooks->cpu_in)
			reply(hooks->cpu_in(a1), 0, 0);
		if (op >= OP_EXIT && op <= OP_EXCEPTION && own_hooks() & HAS(op))
			answer_exit((enum op)op, &e, a1, a2, a3);
	}
	mk2_ext_reply(MK2_HANDLE, 0, 0, 0, 0);
	give_up("the microkernel takes no reply", MK1_INVALID_ID, 0);
}

static bool open_entry(uint64_t specs)
{
	uint64_t handle;

	/* It may be open already: the extension has emitted a record before. */
	(void)mk1_handle_open_handle(MK2_SPEC_ID, &handle);
	return specs & MK2_SPEC_MASK &&
	       mk2_ext_set_entry(MK2_HANDLE, (uint64_t)entry) == MK1_SUCCESS;
}

void follow_lead(uint64_t specs)
{
	(void)open_entry(specs);
}

bool follow_start(uint64_t specs)
{
	struct answer answer;

	follows = true;
	if (open_entry(specs) && call(FIRST_EXT, FIRST(OP_JOIN, 0), 0, 0, 0, &answer) &&
	    answer.result)
		return true;
	ext_print("%s: the first extension treats Linux, and asks no others about it\n", ext_name);
	return false;
}
