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
/*
 * NMIs that were sent to this CPU, and those of them that Linux has seen. Several that are on their
 * way may become one, so what was sent at the last tick but one counts as seen.
 */
static DEFINE_PER_CPU(atomic_t, nmis_sent);
static DEFINE_PER_CPU(int, nmis_before);
static DEFINE_PER_CPU(int, nmis_seen);
static struct bf_loader *watched; /* NULL: no timer ticks */
static DEFINE_PER_CPU(call_single_data_t, begin_call);

void bf_os_send_nmi(uint32_t cpu)
{
	atomic_inc(&per_cpu(nmis_sent, cpu));
	if (!FAULT_POINT(nmi))
		apic->send_IPI((int)cpu, NMI_VECTOR);
}

/* More than any IPI has been on its way for; Linux itself waits for 100 ms. */
#define ICR_POLLS 1000000

/* An xAPIC sends the next IPI when the one before is gone (SDM vol. 3 §12.6.1). */
static void send(u32 command, u64 apic_id)
{
	unsigned int polls = ICR_POLLS;
	unsigned long flags;

	local_irq_save(flags);
	while ((apic->icr_read() & APIC_ICR_BUSY) && --polls)
		cpu_relax();
	apic->icr_write(command, (u32)apic_id);
	local_irq_restore(flags);
}

/* What Linux itself starts a CPU with. */
void bf_os_send_init(uint64_t apic_id)
{
	send(APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT, apic_id);
}

void bf_os_send_startup(uint64_t apic_id)
{
	send(APIC_DM_STARTUP, apic_id);
}

void bf_os_send_nmi_offline(uint64_t apic_id)
{
	send(APIC_DM_NMI, apic_id);
}

/*
 * Another NMI, which the CPU delivers as one. INT 2 would not block the next NMI. If that came in
 * the first instructions of Linux's handler, it would overwrite the frame that they have on the
 * stack; Linux would return into its handler for ever.
 */
void bf_os_pass_nmi(void)
{
	if (boot_cpu_has(X86_FEATURE_APIC))
		apic->send_IPI(smp_processor_id(), NMI_VECTOR);
	else
		asm volatile("int $2");
}

/* Root mode passes every NMI on to Linux, including those that were for the microkernel. */
static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	if (atomic_read(this_cpu_ptr(&nmis_sent)) - this_cpu_read(nmis_seen) <= 0)
		return NMI_DONE;
	this_cpu_inc(nmis_seen);
	return NMI_HANDLED;
}

/* An NMI meanwhile sees one too few, and so another one is Linux's own for a tick longer. */
static void forget_old_nmis(void)
{
	int before = this_cpu_read(nmis_before);

	if (before - this_cpu_read(nmis_seen) > 0)
		this_cpu_write(nmis_seen, before);
	this_cpu_write(nmis_before, atomic_read(this_cpu_ptr(&nmis_sent)));
}

static enum hrtimer_restart tick(struct hrtimer *t)
{
	struct bf_loader *loader = READ_ONCE(watched);

	if (!loader)
		return HRTIMER_NORESTART;
	forget_old_nmis();
	/* The poll may have been due on the very CPU that has halted. */
	if (bf_watchdog_tick(loader, smp_processor_id()))
		bf_poll_now();
	hrtimer_forward_now(t, ns_to_ktime(bf_watchdog_period(loader)));
	return HRTIMER_RESTART;
}

static void begin_here(void *unused)
{
	const struct bf_loader *loader = READ_ONCE(watched);

	if (!loader)
		return;
	hrtimer_start(this_cpu_ptr(&timer), ns_to_ktime(bf_watchdog_period(loader)),
		      BF_COMPAT_TIMER_MODE);
}

void bf_os_watch(struct bf_loader *loader)
{
	unsigned int cpu;

	if (!loader->watchdog_ns)
		return;
	WRITE_ONCE(watched, loader);
	/* That of a CPU which does not answer may still be on its way: nobody waits for it here. */
	for_each_online_cpu(cpu)
		smp_call_function_single_async((int)cpu, per_cpu_ptr(&begin_call, cpu));
}

void bf_watchdog_end(void)
{
	unsigned int cpu;

	WRITE_ONCE(watched, NULL);
	for_each_possible_cpu(cpu) {
		if (bf_cpu_is_lost(cpu)) /* which may have halted in the timer's function */
			continue;
		hrtimer_cancel(per_cpu_ptr(&timer, cpu));
		/* All have come, or become one with another; the next one is none of ours. */
		per_cpu(nmis_seen, cpu) = atomic_read(&per_cpu(nmis_sent, cpu));
		per_cpu(nmis_before, cpu) = per_cpu(nmis_seen, cpu);
	}
}

void bf_watchdog_online(void)
{
	begin_here(NULL);
}

void bf_watchdog_offline(void)
{
	hrtimer_cancel(this_cpu_ptr(&timer));
}

int bf_watchdog_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		bf_compat_timer_setup(per_cpu_ptr(&timer, cpu), tick);
		INIT_CSD(per_cpu_ptr(&begin_call, cpu), begin_here, NULL);
	}
	return register_nmi_handler(NMI_LOCAL, on_nmi, 0, NMI_NAME);
}

static void nothing(void *unused)
{
}

/* Whoever answers has taken the NMIs that were sent to it before. */
void bf_watchdog_fini(void)
{
	bf_watchdog_end();
	on_each_cpu(nothing, NULL, 1);
	unregister_nmi_handler(NMI_LOCAL, NMI_NAME);
}
