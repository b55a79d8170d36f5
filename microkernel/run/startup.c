// SPDX-License-Identifier: GPL-2.0-only
#include "run/startup.h"

#include <abi/hw/x86.h>
#include <bsl/bits.h>

#include "arch/apic.h"
#include "arch/icr.h"
#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "mem/tlb.h"
#include "mk.h"
#include "pp.h"
#include "run/leave.h"
#include "vendor.h"

/* What is noted for a PP: an INIT; that it has had one, and waits; the IPI that it waits for. */
#define MAIL_VECTOR 0xFFU
#define MAIL_INIT 0x100U
#define MAIL_WAITS 0x200U
#define MAIL_STARTUP 0x400U

/* What is asked for, without of whom. */
#define COMMAND (MAIL_VECTOR | ICR_MODE | ICR_ASSERT | ICR_LEVEL_TRIGGERED)

static struct target {
	uint32_t mail;
	bool known; /* place is: it has been in the hypervisor */
	bool boot; /* the boot processor */
	struct apic_place place;
} targets[BF_MAX_PPS];

static struct target *target_of(const struct pp *pp)
{
	return &targets[pp->handoff.ppid];
}

enum bf_error startup_init(void)
{
	mk.keep_cpus = mk.handoff->flags & BF_HANDOFF_KEEP_CPUS;
	mk.apic_page = 0;
	if (!mk.keep_cpus)
		return BF_ERR_OK;
	if (!mk.vendor->can_keep()) {
		mk_print("to keep CPUs takes %s\n", mk.vendor->keep_needs);
		return BF_ERR_MK_KEEP_CPUS;
	}
	if (mk.vendor->keep_watches_apic)
		mk.apic_page = apic_page();
	return BF_ERR_OK;
}

enum bf_error startup_join(struct pp *pp)
{
	struct target *t = target_of(pp);

	if (!mk.keep_cpus)
		return BF_ERR_OK;
	if (!apic_is_enabled() || (mk.apic_page && apic_page() != mk.apic_page)) {
		mk_print("pp %u: to keep CPUs takes a local APIC on each, in the same place\n",
			 pp->handoff.ppid);
		return BF_ERR_MK_KEEP_CPUS;
	}
	apic_place(&t->place);
	t->boot = apic_is_boot();
	pp->status->boot_cpu = t->boot;
	__atomic_store_n(&t->mail, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&t->known, true, __ATOMIC_RELEASE);
	return BF_ERR_OK;
}

/* A start-up IPI is for who waits for one, or is about to, and has none yet. */
static uint32_t with_mail(uint32_t mail, const struct icr_request *r)
{
	if (r->kind == ICR_INIT)
		return MAIL_INIT;
	if (!(mail & (MAIL_INIT | MAIL_WAITS)) || mail & MAIL_STARTUP)
		return mail;
	return mail | MAIL_STARTUP | r->vector;
}

static void deliver(struct pp *pp, uint32_t ppid, const struct icr_request *r)
{
	struct target *t = &targets[ppid];
	uint32_t old = __atomic_load_n(&t->mail, __ATOMIC_RELAXED), mail;

	/* Firmware cannot start anew in a guest. */
	if (r->kind == ICR_INIT && t->boot)
		reset_machine(pp, "INIT of the boot processor");
	do {
		mail = with_mail(old, r);
		if (mail == old && r->kind != ICR_INIT)
			return;
	} while (!__atomic_compare_exchange_n(&t->mail, &old, mail, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_RELAXED));
	if (ppid == pp->handoff.ppid)
		pp->fetched = true;
	else if (!tlb_fetch(ppid))
		mk_print("pp %u: pp %u does not respond\n", pp->handoff.ppid, ppid);
}

/* Those that have never been here are not known: they are not among many that are meant at once. */
static bool is_meant(uint32_t ppid, const struct icr_request *r, uint32_t self)
{
	const struct target *t = &targets[ppid];

	return __atomic_load_n(&t->known, __ATOMIC_ACQUIRE) && icr_is_for(r, &t->place, self);
}

/* Not one whose CPU was reset, of which the PP knows nothing: the driver says so. */
static bool is_here(uint32_t ppid)
{
	const struct bf_pp_status *status = pp_status(ppid);

	return tlb_is_present(ppid) &&
	       !(__atomic_load_n(&status->leaving, __ATOMIC_RELAXED) &&
		 __atomic_load_n(&status->state, __ATOMIC_ACQUIRE) == BF_PP_BARE);
}

/* A CPU that has been in the hypervisor, and is not now, gets its own. */
bool startup_icr(struct pp *pp, uint64_t icr, bool x2apic)
{
	struct icr_request r = icr_decode(icr, x2apic);
	uint32_t self = target_of(pp)->place.id;
	bool ours = false;

	if (r.kind == ICR_OTHER || r.kind == ICR_NOTHING)
		return r.kind == ICR_NOTHING;
	for (uint32_t ppid = 0; ppid < mk.handoff->nr_pps; ppid++)
		ours |= is_meant(ppid, &r, self) && is_here(ppid);
	for (uint32_t ppid = 0; ppid < mk.handoff->nr_pps && ours; ppid++) {
		if (!is_meant(ppid, &r, self))
			continue;
		if (is_here(ppid))
			deliver(pp, ppid, &r);
		else
			(void)apic_send(targets[ppid].place.id, (uint32_t)icr & COMMAND);
	}
	return ours;
}

void startup_follow(struct pp *pp, unsigned int offset, uint32_t value)
{
	struct apic_place *place = &target_of(pp)->place;

	if (offset == XAPIC_LDR)
		__atomic_store_n(&place->ldr, value, __ATOMIC_RELAXED);
	else if (offset == XAPIC_DFR)
		__atomic_store_n(&place->dfr, value, __ATOMIC_RELAXED);
}

bool startup_is_pending(const struct pp *pp)
{
	return __atomic_load_n(&target_of(pp)->mail, __ATOMIC_SEQ_CST);
}

enum startup startup_take(struct pp *pp, uint8_t *vector)
{
	struct target *t = target_of(pp);
	uint32_t mail = __atomic_load_n(&t->mail, __ATOMIC_ACQUIRE), left;

	do {
		left = 0;
		if (mail & MAIL_INIT)
			left = (mail & (MAIL_STARTUP | MAIL_VECTOR)) | MAIL_WAITS;
		else if (mail == MAIL_WAITS)
			return STARTUP_WAIT;
		else if (!mail)
			return STARTUP_NONE;
	} while (!__atomic_compare_exchange_n(&t->mail, &mail, left, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	if (mail & MAIL_INIT) {
		t->place.ldr = 0;
		t->place.dfr = ~0U;
		return STARTUP_INIT;
	}
	*vector = (uint8_t)mail;
	return STARTUP_IPI;
}

/* Nothing that runs here is a callback: NMIs do not measure its time. They come, a kick as well. */
void startup_await(struct pp *pp)
{
	pp->phase = PHASE_IDLE;
	(void)tlb_enter_place(pp, TLB_AWAITS_IPI);
	wait_for_nmi(&target_of(pp)->mail, MAIL_WAITS);
	if (!tlb_leave_guest(pp))
		tlb_catch_up(pp);
}

void startup_forget(struct pp *pp)
{
	__atomic_store_n(&target_of(pp)->mail, 0, __ATOMIC_RELAXED);
}
