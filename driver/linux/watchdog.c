// SPDX-License-Identifier: GPL-2.0-only
/* Linux's part of the watchdog: a timer on each CPU, and NMIs. */
#include <asm/apic.h>
#include <asm/nmi.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include <bsl/fault.h>

#include "../core/platform.h"
#include "../core/watchdog.h"
#include "bareflank.h"
#include "compat.h"

#define NMI_NAME "bareflank"

static DEFINE_PER_CPU(struct hrtimer, timer);
/* An NMI was sent to this CPU and has not come yet, as far as Linux knows. */
static DEFINE_PER_CPU(bool, nmi_sent);
static struct bf_loader *watched; /* NULL: no timer ticks */

void bf_os_send_nmi(uint32_t cpu)
{
	per_cpu(nmi_sent, cpu) = true;
	if (!FAULT_POINT(nmi))
		apic->send_IPI((int)cpu, NMI_VECTOR);
}

/* Root mode passes every NMI on to Linux, including those that were for the microkernel. */
static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	return this_cpu_xchg(nmi_sent, false) ? NMI_HANDLED : NMI_DONE;
}

static enum hrtimer_restart tick(struct hrtimer *t)
{
	struct bf_loader *loader = READ_ONCE(watched);

	if (!loader)
		return HRTIMER_NORESTART;
	bf_watchdog_tick(loader, smp_processor_id());
	hrtimer_forward_now(t, ns_to_ktime(bf_watchdog_period(loader)));
	return HRTIMER_RESTART;
}

static void begin_here(void *loader)
{
	hrtimer_start(this_cpu_ptr(&timer), ns_to_ktime(bf_watchdog_period(loader)),
		      BF_COMPAT_TIMER_MODE);
}

void bf_watchdog_begin(struct bf_loader *loader)
{
	if (loader->state != BF_STATE_RUNNING || !loader->watchdog_ns)
		return;
	WRITE_ONCE(watched, loader);
	on_each_cpu(begin_here, loader, 0);
}

void bf_watchdog_end(void)
{
	unsigned int cpu;

	WRITE_ONCE(watched, NULL);
	for_each_possible_cpu(cpu)
		hrtimer_cancel(per_cpu_ptr(&timer, cpu));
}

void bf_watchdog_online(void)
{
	if (watched)
		begin_here(watched);
}

void bf_watchdog_offline(void)
{
	hrtimer_cancel(this_cpu_ptr(&timer));
}

int bf_watchdog_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		bf_compat_timer_setup(per_cpu_ptr(&timer, cpu), tick);
	return register_nmi_handler(NMI_LOCAL, on_nmi, 0, NMI_NAME);
}

void bf_watchdog_fini(void)
{
	bf_watchdog_end();
	unregister_nmi_handler(NMI_LOCAL, NMI_NAME);
}
