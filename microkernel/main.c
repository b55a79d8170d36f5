// SPDX-License-Identifier: GPL-2.0-only
/* A PP enters the hypervisor: from the loader's switch to the first callback. */
#include <abi/channel.h>
#include <abi/loader.h>
#include <abi/mk1.h>
#include <abi/mk2.h>
#include <bsl/bits.h>

#include "arch/barrier.h"
#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "mem/mem.h"
#include "mem/nested.h"
#include "mem/tlb.h"
#include "mk.h"
#include "obj/channel.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "obj/policy.h"
#include "obj/xstate.h"
#include "pp.h"
#include "run/exit_log.h"
#include "run/fail.h"
#include "run/start.h"
#include "run/startup.h"
#include "run/trace.h"
#include "vendor.h"

struct mk mk;

#define FMASK (RFLAGS_TF | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC)

static const struct vendor_ops *find_vendor(uint32_t vendor)
{
	switch (vendor) {
	case BF_VENDOR_AMD:
		return &svm_ops;
	case BF_VENDOR_INTEL:
		return &vmx_ops;
	default:
		return NULL;
	}
}

static bool are_rights(const struct bf_handoff *h)
{
	uint64_t denied = 0;

	for (unsigned int i = 0; i < BF_MAX_EXTS; i++)
		denied |= h->denied[i];
	if (denied & ~BF_ALL_RIGHTS || h->nr_grants > BF_MAX_GRANTS)
		return false;
	for (unsigned int i = 0; i < h->nr_grants; i++) {
		if (!bf_grant_is_valid(&h->grants[i], h->nr_exts))
			return false;
	}
	return true;
}

/* Of each extension. What they say is its own affair, and what the loader has checked. */
static bool are_args(const struct bf_handoff *h)
{
	for (unsigned int i = 0; i < h->nr_exts; i++) {
		if (!bsl_is_aligned(h->args[i].spa, BF_PAGE_SIZE) || !h->args[i].spa ||
		    h->args[i].size > MK2_ARGS_MAX)
			return false;
	}
	return true;
}

static bool are_channels(const struct bf_handoff *h)
{
	for (unsigned int i = 0; i < h->nr_exts; i++) {
		if (!bsl_is_aligned(h->channels[i].spa, BF_PAGE_SIZE) || !h->channels[i].spa ||
		    h->channels[i].size < BF_CHANNEL_MIN || h->channels[i].size > BF_CHANNEL_MAX)
			return false;
	}
	return true;
}

/* What is done once, by the first PP. */
static enum bf_error init_machine(const struct pp *pp)
{
	const struct bf_handoff *h = (const struct bf_handoff *)pp->handoff.handoff;
	enum bf_error error;

	if (h->magic != BF_HANDOFF_MAGIC || h->version != BF_HANDOFF_VERSION ||
	    h->nr_pps > BF_MAX_PPS || h->nr_exts > BF_MAX_EXTS || !h->nr_exts || !are_rights(h) ||
	    !are_args(h) || !are_channels(h))
		return BF_ERR_MK_VERSION;
	mk.handoff = h;
	mk.vendor = find_vendor(h->vendor);
	if (!mk.vendor)
		return BF_ERR_MK_VENDOR;
	mk.host_cr4 = pp->switch_page->host_cr4;
	mk.has_smap = mk.host_cr4 & CR4_SMAP;
	mk.levels = mk.host_cr4 & CR4_LA57 ? 5 : 4;
	debug_init();
	channels_init();
	pool_init(phys_to_virt(h->page_pool.spa), h->page_pool.count, &h->huge_pool);
	if (!tlb_alloc()) {
		/* Without it no PP can fail in the usual way. */
		mk.handoff = NULL;
		return BF_ERR_MK_POOL;
	}
	if (!objects_init())
		return BF_ERR_MK_POOL;
	mk.vendor->probe();
	error = startup_init();
	if (!error)
		error = nested_init();
	mk_print("microkernel: %s%s, %u PPs, %u extensions\n", mk.vendor->name,
		 mk.root_npt ? " with nested paging" : "", h->nr_pps, h->nr_exts);
	if (!error)
		error = exts_init();
	if (!error)
		policy_init();
	return error;
}

/*
 * Linux's PAT stays when it has what Mk#1 promises, as it always does: without nested paging a
 * guest on AMD runs with root mode's PAT, and would find its memory types changed.
 */
static bool pat_serves(uint64_t pat)
{
	return (uint8_t)pat == (uint8_t)HOST_PAT &&
	       (uint8_t)(pat >> 24) == (uint8_t)(HOST_PAT >> 24);
}

/*
 * The CPU as root mode wants it, beyond CR3 and CR4, which it came with; the vendor adds its bits.
 */
static void init_cpu(struct pp *pp)
{
	struct bf_cpu_state *state = &pp->switch_page->cpu;

	write_dr7(DR7_RESET);
	/* Without EM and TS: extensions save and restore the FPU's state of their guests. */
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	desc_init(pp_gdt(pp), &pp->tss, pp->idt);
	desc_load(pp_gdt(pp), pp->idt);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	wrmsr(MSR_STAR, (uint64_t)(BF_SEL_USER_SS - 8) << 48 | (uint64_t)BF_SEL_KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (uint64_t)mk_syscall);
	wrmsr(MSR_FMASK, FMASK);
	wrmsr(MSR_SYSENTER_CS, 0);
	wrmsr(MSR_GS_BASE, 0); /* Linux's per-CPU data: not every CPU drops it with the selector */
	if (!pat_serves(state->pat))
		wrmsr(MSR_PAT, HOST_PAT);
	/* Without CR4.OSXSAVE Linux cannot read it, nor have changed it. */
	if (!state->xcr0 && mk.host_cr4 & CR4_OSXSAVE)
		state->xcr0 = xgetbv0();
}

static void init_pp(struct pp *pp)
{
	pp->status = pp_status(pp->handoff.ppid);
	pp->vs = NULL;
	pp->ext = NULL;
	pp->root_vs = NULL;
	pp->xstate = NULL;
	pp->vmid = MK1_ROOT_VMID; /* the active VM, before there is an active VS */
	pp->vpid = MK1_INVALID_ID;
	pp->vsid = MK1_INVALID_ID;
	pp->phase = PHASE_IDLE;
	pp->launched = false;
	pp->exit_slow = 0;
	pp->last_guest = MK1_INVALID_ID;
	pp->stall.vs = NULL;
	pp->before_entry = 0;
	pp->watch.exits = 0;
	pp->nr_locks = 0;
	tlb_init(pp);
	pp->exits = 0;
	pp->exits_before = 0;
	pp->exited_before = NULL;
	pp->backup_exits = ~(uint64_t)0;
	pp->backup_kept = false;
	pp->route = NULL;
	pp->answering = false;
	pp->crossing.caller = NULL;
	trace_init(pp);
}

/* From mk_enter, on every PP that comes in. */
__noreturn void mk_main(void)
{
	struct pp *pp = this_pp();
	bool first = !mk.handoff;
	struct vs *evicted;
	enum bf_error error = BF_ERR_OK;

	pp->switch_page = (struct bf_switch_page *)pp->handoff.switch_page;
	if (first)
		error = init_machine(pp);
	if (error && (!mk.handoff || !mk.vendor)) {
		/* Nothing has been changed yet, so nothing has to be taken back. */
		void (*switch_leave)(struct bf_switch_page *)
			__noreturn = (void *)pp->handoff.switch_leave;

		mk.handoff = NULL;
		pp->switch_page->cpu.gpr[BF_RAX] = (uint64_t)error;
		switch_leave(pp->switch_page);
	}
	evicted = pp->root_vs;
	init_pp(pp);
	init_cpu(pp);
	if (first && !error)
		xstate_probe();
	pp->needs_barriers = barrier_probe(mk.handoff->vendor == BF_VENDOR_INTEL);
	pp->status->exit_ibpb = !!(pp->needs_barriers & BARRIER_IBPB_BACK);
	tlb_join(pp);
	/* NMIs go to our own handler by now: what the switch page holds is complete. */
	if (pp->switch_page->nmi_pending)
		pp->nmi_pending = true;
	pp->switch_page->nmi_pending = 0;
	if (!error && !exit_log_init(pp))
		error = BF_ERR_MK_POOL;
	if (!error)
		error = startup_join(pp);
	if (!error)
		error = mk.vendor->cpu_enable(pp);
	if (!error && evicted)
		vs_abandon(evicted); /* VMCLEAR takes VMX operation */
	if (!error)
		error = exts_prepare_pp(pp);
	if (error)
		pp_fail(error, 0, 0, 0);
	if (first)
		start_ext(pp, 0);
	pp_bootstrap(pp);
}
