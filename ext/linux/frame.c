// SPDX-License-Identifier: MIT
/* The hooks of an extension, and what the default one is without any. */
#include <ext/libext/frame.h>
#include <ext/linux/follow.h>
#include <ext/linux/hook.h>
#include <ext/linux/hooks.h>
#include <ext/linux/linux.h>
#include <ext/linux/live.h>
#include <ext/linux/step.h>
#include <ext/linux/watched.h>

static const struct ext_ops none;
const struct ext_ops *hooks = &none;

bool hooks_see_all;
bool hooks_live;
bool hooks_hypercalls;

static void bootstrap(uint64_t ppid)
{
	uint64_t vsid;

	if (!follow_prepare() || !live_begin())
		ext_exit();
	vsid = linux_prepare(ppid);
	svm_step_reset();
	vmx_step_reset();
	live_has(vsid); /* first: who changes something from here on recalls this PP */
	if (!watch_begin(vsid))
		ext_exit();
	hook_apply(vsid);
	if ((hooks->cpu_in && !hooks->cpu_in(vsid)) || !follow_cpu_in(vsid))
		ext_exit();
	resume(vsid);
}

static int refused(void)
{
	ext_print("%s: the microkernel refuses the callbacks\n", ext_name);
	return 1;
}

/* The first extension that asks treats Linux; the others are asked by it. */
int ext_run_linux(uint64_t specs, const struct ext_ops *ops)
{
	uint64_t status;

	hooks = ops ? ops : &none;
	if (!linux_open(specs))
		return 1;
	if (mk1_register_fail(MK1_HANDLE, linux_fail) != MK1_SUCCESS)
		return refused();
	status = mk1_register_bootstrap(MK1_HANDLE, bootstrap);
	if (status == MK1_FAILURE_UNKNOWN)
		return follow_start(specs) ? 0 : 1;
	if (status != MK1_SUCCESS || mk1_register_vmexit(MK1_HANDLE, linux_vmexit()) != MK1_SUCCESS)
		return refused();
	follow_lead(specs);
	if (hooks->nested_fault && !watch_memory())
		return 1;
	hooks_see_all = hooks->exit || hooks->cpuid;
	hooks_hypercalls = hooks->hypercall;
	return linux_start_vendor() ? 0 : 1;
}

/* What a hook has said of how the exit ends counts only if it is its. */
static bool is_its(struct ext_exit *e, bool mine)
{
	e->fault = mine ? e->fault : 0;
	e->again = mine && e->again;
	e->step = mine && e->step;
	return mine;
}

bool hook_exit(struct ext_exit *e)
{
	return is_its(e, hooks->exit && hooks->exit(e)) || follow_exit(e);
}

bool hook_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs)
{
	struct cpuid_regs answer = *regs;

	if (!is_its(e, hooks->cpuid && hooks->cpuid(e, leaf, subleaf, &answer))) {
		answer = *regs;
		if (!follow_cpuid(e, leaf, subleaf, &answer))
			return false;
	}
	*regs = answer;
	return true;
}

bool hook_rdmsr(struct ext_exit *e, uint32_t msr)
{
	uint64_t value = 0;

	if (!is_its(e, hooks->rdmsr && hooks->rdmsr(e, msr, &value)) &&
	    !follow_rdmsr(e, msr, &value))
		return false;
	if (!e->fault && !e->again)
		set_guest_edx_eax(value);
	return true;
}

bool hook_wrmsr(struct ext_exit *e, uint32_t msr, uint64_t value)
{
	return is_its(e, hooks->wrmsr && hooks->wrmsr(e, msr, value)) ||
	       follow_wrmsr(e, msr, value);
}

void hook_cpu_out(uint64_t vsid)
{
	follow_cpu_out(vsid);
	if (hooks->cpu_out)
		hooks->cpu_out(vsid);
}

/* Each of them hears of it, but only one says what Linux does. */
static bool hook_fault(struct ext_exit *e, const struct ext_fault *fault)
{
	return is_its(e, hooks->nested_fault && hooks->nested_fault(e, fault)) ||
	       follow_fault(e, fault);
}

void hook_memory(struct ext_exit *e, const struct ext_fault *fault, bool delivering)
{
	if (!hooked_fault(e, fault))
		(void)hook_fault(e, fault);
	if (delivering)
		e->fault = 0;
	if (!e->fault && !e->again)
		e->step = true;
}

void hook_delivers(struct ext_exit *e, bool nested_fault)
{
	e->fault = 0;
	if (nested_fault && !e->again && watches_memory())
		e->step = true;
	e->again = true;
}

/* RAX as IN leaves it: in 64-bit mode a result of 32 bits zeroes the upper half. */
static void set_input(const struct ext_io *io, uint32_t value)
{
	uint64_t mask = ((uint64_t)1 << 8 * io->size) - 1;

	mk1_set_rax(io->size == 4 ? value : (mk1_rax() & ~mask) | (value & mask));
}

void hook_io(struct ext_exit *e, const struct ext_io *io)
{
	uint32_t value = io->in ? 0 : (uint32_t)mk1_rax();
	bool mine;

	if (!io->in && io->size < 4)
		value &= (1u << 8 * io->size) - 1;
	mine = is_its(e, hooks->io && hooks->io(e, io, &value)) || follow_io(e, io, &value);
	if (!mine || (io->string && !e->fault && !e->again))
		e->step = true;
	else if (io->in && !e->fault && !e->again)
		set_input(io, value);
}

bool hook_cr(struct ext_exit *e, const struct ext_cr *cr)
{
	return is_its(e, hooks->cr && hooks->cr(e, cr)) || follow_cr(e, cr);
}

bool hook_dr(struct ext_exit *e, const struct ext_dr *dr, uint64_t *value)
{
	uint64_t answer = *value;

	if (!is_its(e, hooks->dr && hooks->dr(e, dr, &answer))) {
		answer = *value;
		if (!follow_dr(e, dr, &answer))
			return false;
	}
	*value = answer;
	return true;
}

void hook_hypercall(struct ext_exit *e)
{
	const struct ext_hypercall asked = { .rax = mk1_rax(), .rcx = mk1_rcx(), .rdx = mk1_rdx() };
	struct ext_hypercall call = asked;

	if (!is_its(e, hooks->hypercall && hooks->hypercall(e, &call))) {
		call = asked;
		if (!follow_hypercall(e, &call))
			e->fault = EXT_FAULT_UD;
	}
	if (!e->fault && !e->again) {
		mk1_set_rax(call.rax);
		mk1_set_rcx(call.rcx);
	}
}

bool hook_exception(struct ext_exit *e, const struct ext_exception *exception)
{
	return is_its(e, hooks->exception && hooks->exception(e, exception)) ||
	       follow_exception(e, exception);
}
