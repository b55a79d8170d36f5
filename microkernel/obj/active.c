// SPDX-License-Identifier: GPL-2.0-only
#include "obj/active.h"

#include <abi/mk1.h>
#include <bsl/bits.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "mk.h"
#include "obj/backup.h"
#include "obj/ext.h"
#include "obj/xstate.h"
#include "pp.h"
#include "vendor.h"

uint64_t *gpr_of(struct vs *vs, uint64_t offset)
{
	uint64_t *gprs = this_pp()->vs == vs ? abi_gprs() : vs->gpr;

	return &gprs[offset / sizeof(uint64_t)];
}

/* Unrolled, each of them becomes the instructions for that register. */
#define FOR_UNSWITCHED(i) \
	_Pragma("GCC unroll 8") for (enum unswitched_reg i = UNSWITCHED_CR8; \
				     i < NR_UNSWITCHED_REGS; i++)

static bool has_xcr0(void)
{
	return mk.host_cr4 & CR4_OSXSAVE;
}

static __always_inline uint64_t cpu_unswitched_read(enum unswitched_reg reg)
{
	switch (reg) {
	case UNSWITCHED_CR8:
		return read_cr8();
	case UNSWITCHED_DR0:
		return read_dr0();
	case UNSWITCHED_DR1:
		return read_dr1();
	case UNSWITCHED_DR2:
		return read_dr2();
	case UNSWITCHED_DR3:
		return read_dr3();
	default:
		return has_xcr0() ? xgetbv0() : XCR0_X87;
	}
}

static bool cpu_unswitched_write(enum unswitched_reg reg, uint64_t value)
{
	switch (reg) {
	case UNSWITCHED_CR8:
		if (value > 0xF)
			return false;
		/* A hypervisor below may have to look for interrupts at each write. */
		if (read_cr8() != value)
			write_cr8(value);
		return true;
	case UNSWITCHED_DR0:
		write_dr0(value);
		return true;
	case UNSWITCHED_DR1:
		write_dr1(value);
		return true;
	case UNSWITCHED_DR2:
		write_dr2(value);
		return true;
	case UNSWITCHED_DR3:
		write_dr3(value);
		return true;
	default:
		return has_xcr0() ? xsetbv0_safe(value) : value == XCR0_X87;
	}
}

/* The CR8 in the CPU is Linux's in every VS. */
static __always_inline bool stays_in_cpu(const struct vs *vs, enum unswitched_reg reg)
{
	return reg != UNSWITCHED_CR8 || vs->root;
}

uint64_t unswitched_read(const struct vs *vs, enum unswitched_reg reg)
{
	return this_pp()->vs == vs && stays_in_cpu(vs, reg) ? cpu_unswitched_read(reg) :
							      vs->unswitched[reg];
}

bool unswitched_write(struct vs *vs, enum unswitched_reg reg, uint64_t value)
{
	bool active = this_pp()->vs == vs;
	bool in_cpu = stays_in_cpu(vs, reg);
	uint64_t old = cpu_unswitched_read(reg);
	bool in_bounds = true, fits;

	if (reg == UNSWITCHED_XCR0) {
		value |= XCR0_X87;
		in_bounds = !vs->xstate || !(value & ~xstate_features());
	}
	/* Let the CPU validate the value, also for a VS that is to have it later. */
	fits = in_bounds && cpu_unswitched_write(reg, value);
	if ((active && in_cpu) || (!fits && (active || vs->root || vs->xstate)))
		return fits;
	if (fits)
		(void)cpu_unswitched_write(reg, old);
	vs->unswitched[reg] = value;
	vs->unfit = (uint8_t)bsl_field_set(vs->unfit, reg, 1, !fits);
	return true;
}

void vs_take_registers(struct vs *vs, const struct bf_cpu_state *state)
{
	bsl_memcpy(gpr_of(vs, 0), state->gpr, sizeof(state->gpr));
	if (this_pp()->vs == vs)
		unswitched_restore(state);
	vs->unswitched[UNSWITCHED_CR8] = state->cr8;
	for (unsigned int i = 0; i < 4; i++)
		vs->unswitched[UNSWITCHED_DR0 + i] = state->dr[i];
	vs->unswitched[UNSWITCHED_XCR0] = has_xcr0() ? state->xcr0 : XCR0_X87;
	vs->unfit = 0;
}

void unswitched_restore(const struct bf_cpu_state *state)
{
	(void)cpu_unswitched_write(UNSWITCHED_CR8, state->cr8);
	for (unsigned int i = 0; i < 4; i++)
		(void)cpu_unswitched_write((enum unswitched_reg)(UNSWITCHED_DR0 + i), state->dr[i]);
	(void)cpu_unswitched_write(UNSWITCHED_XCR0, state->xcr0);
}

bool exit_was_last(const struct pp *pp, const struct vs *vs)
{
	return vs == (pp->exits == pp->exits_before ? pp->exited_before : pp->vs);
}

void vs_find_handler(struct pp *pp)
{
	const struct vm *vm = vm_find(pp->vmid);
	bool own = vm && vm->handler;

	pp->exit_ext = own ? vm->handler : mk.vmexit_ext;
	pp->exit_fn = own ? vm->handler_fn : mk.vmexit_ext ? mk.vmexit_ext->vmexit : 0;
}

void vs_keep_apart(struct pp *pp)
{
	pp->barriers = pp->vs && pp->vs->nested ? pp->needs_barriers : 0;
	if (pp->barriers)
		pp->entry_dirty = true;
}

static void deactivate(struct pp *pp, struct vs *vs)
{
	copy_words(vs->gpr, abi_gprs(), BF_NR_GPRS);
	FOR_UNSWITCHED(i)
	{
		if (stays_in_cpu(vs, i))
			vs->unswitched[i] = cpu_unswitched_read(i);
	}
	mk.vendor->vs_unload(vs);
	pp->vs = NULL;
	pp->vsid = MK1_INVALID_ID;
	pp->vpid = MK1_INVALID_ID;
	pp->vmid = MK1_INVALID_ID;
}

/* Out of line, so that a switch without them costs two comparisons. */
static __cold noinline void enter_xstate(struct pp *pp)
{
	xstate_enter(pp, pp->vs->xstate);
}

static __cold noinline void leave_xstate(struct pp *pp, const struct vs *next)
{
	if (!next || pp->xstate != next->xstate)
		xstate_leave(pp);
}

/* old: the VS that was active before, whose registers are in the CPU still; or NULL. */
static bool activate(struct pp *pp, struct vs *vs, const struct vs *old)
{
	/* The root VS, which nobody destroys or migrates, need not be claimed. */
	__atomic_store_n(&vs->claim, vs->ppid, __ATOMIC_RELAXED);
	pp->vs = vs;
	pp->vsid = vs->id;
	pp->vpid = vs->vpid;
	pp->vmid = vs->vmid;
	copy_words(abi_gprs(), vs->gpr, BF_NR_GPRS);
	/* While the CPU has the XCR0 of the one before: Linux's, as a rule, lacks nothing of it. */
	if (unlikely(vs->xstate != NULL))
		enter_xstate(pp);
	/*
	 * A CPU has had, or tried, each of these values, so none can be refused. Most are the same
	 * in all VSs, and writing them takes long.
	 */
	FOR_UNSWITCHED(i)
	{
		if (!stays_in_cpu(vs, i))
			continue;
		if (!old || i == UNSWITCHED_CR8 || vs->unswitched[i] != old->unswitched[i])
			(void)cpu_unswitched_write(i, vs->unswitched[i]);
	}
	return mk.vendor->vs_load(vs);
}

bool vs_activate(struct vs *vs)
{
	struct pp *pp = this_pp();
	uint16_t old_vmid = pp->vmid;
	struct vs *old = pp->vs;
	bool ok = true;

	if (old == vs)
		return true;
	backup_follow(pp, vs);
	if (pp->exits != pp->exits_before) {
		pp->exits_before = pp->exits;
		pp->exited_before = old;
		if (old == pp->root_vs)
			copy_words(pp->backup.gpr, pp->exit_gpr, BF_NR_GPRS);
	}
	if (old)
		deactivate(pp, old);
	if (vs)
		ok = activate(pp, vs, old);
	if (unlikely(pp->xstate != NULL))
		leave_xstate(pp, vs);
	if (pp->vmid != old_vmid) {
		ext_load_direct_map(pp);
		if (unlikely(mk.vm_handlers))
			vs_find_handler(pp);
	}
	vs_keep_apart(pp);
	/* Now that nothing here leads to its direct map, its VM may go. */
	if (old)
		vs_unclaim(old);
	ext_publish_ids(pp);
	return ok;
}
