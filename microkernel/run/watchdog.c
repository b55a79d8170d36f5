// SPDX-License-Identifier: GPL-2.0-only
#include "run/watchdog.h"

#include "arch/intrinsics.h"
#include "debug.h"
#include "mk.h"
#include "obj/ext.h"
#include "run/fail.h"

/*
 * TSC ticks, some milliseconds. An outer hypervisor may have had this CPU stand still, in the
 * middle of a callback, until just now: so one NMI alone does not end it.
 */
#define GRACE_TSC 0x1000000ULL

/*
 * The number by which the driver knows this callback, if it is overdue; else 0. Read once: Linux
 * can change its status page at any time.
 */
static uint64_t overdue(const struct pp *pp)
{
	uint64_t number = __atomic_load_n(&pp->status->overdue, __ATOMIC_ACQUIRE);

	return number == pp->exits + 1 && pp->phase != PHASE_IDLE && !pp->fallback ? number : 0;
}

/* Whether it was overdue already when an NMI came some time ago. */
static bool is_final(struct pp *pp)
{
	uint64_t now = rdtsc(), number = overdue(pp);

	if (pp->overdue != number) {
		pp->overdue = number;
		pp->overdue_since = now;
	}
	return number && now - pp->overdue_since > GRACE_TSC;
}

static __noreturn void end_callback(struct pp *pp, uint64_t rip)
{
	static const char *const names[] = { [PHASE_IDLE] = "no",
					     [PHASE_START] = "_start",
					     [PHASE_BOOTSTRAP] = "bootstrap",
					     [PHASE_VMEXIT] = "vmexit",
					     [PHASE_FAIL] = "fail" };

	mk_print("ext %u, pp %u: overdue in %s, at rip 0x%llx\n", pp->ext->id, pp->handoff.ppid,
		 names[pp->phase], (unsigned long long)rip);
	pp_fail(BF_ERR_EXT_OVERDUE, pp->phase, rip, 0);
}

/*
 * Not in the handler itself: the next NMI would take its stack away. IRETQ leaves that, and
 * unblocks NMIs. Ring 0 may hold locks, and comes to an end by itself: only what follows is headed
 * off.
 */
void watchdog_nmi(struct pp *pp, struct trap_frame *frame)
{
	if (!is_final(pp))
		return;
	if (!(frame->cs & 3)) {
		wrmsr(MSR_LSTAR, (uint64_t)mk_syscall_overdue);
		return;
	}
	pp->overdue_rip = frame->rip;
	frame->rip = (uint64_t)watchdog_expired;
	frame->cs = BF_SEL_KERNEL_CS;
	frame->rflags = RFLAGS_FIXED;
	frame->rsp = BF_PP_STACK_TOP - sizeof(uint64_t); /* as after a call */
	frame->ss = BF_SEL_KERNEL_SS;
}

void watchdog_expired(void)
{
	struct pp *pp = this_pp();

	end_callback(pp, pp->overdue_rip);
}

void watchdog_syscall(uint64_t rip)
{
	struct pp *pp = this_pp();

	wrmsr(MSR_LSTAR, (uint64_t)mk_syscall);
	if (overdue(pp))
		end_callback(pp, rip);
}
