// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor follows what Linux does with its CPUs: one that goes offline leaves first, one
 * that comes online enters; before a suspend or a hibernation every CPU leaves, afterwards they
 * enter again; a reboot, halt, power-off or kexec finds bare CPUs.
 */
#define pr_fmt(fmt) "bareflank: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "bareflank.h"

static enum cpuhp_state hotplug_state, prepare_state;

static int cpu_online_callback(unsigned int cpu)
{
	bool before = bf_event_inside(cpu);
	enum bf_error error;

	if (bf_suspended())
		return 0;
	error = bf_loader_cpu_up(&bf_loader, cpu);
	bf_event_cpu(cpu, before);
	if (!error)
		bf_watchdog_online();
	else
		pr_err("CPU %u cannot come online under the hypervisor: %s\n", cpu,
		       bf_strerror(error));
	return -bf_errno(error);
}

static int cpu_prepare_callback(unsigned int cpu)
{
	bf_loader_cpu_starts(&bf_loader, cpu);
	return 0;
}

static int cpu_offline_callback(unsigned int cpu)
{
	bool before = bf_event_inside(cpu);
	enum bf_error error = bf_loader_cpu_down(&bf_loader, cpu);

	bf_event_cpu(cpu, before);
	if (!error)
		bf_watchdog_offline();
	else
		pr_err("CPU %u does not leave the hypervisor: %s\n", cpu, bf_strerror(error));
	return -bf_errno(error);
}

/*
 * All CPUs leave while the system still runs and everything may sleep, rather than the last one
 * from a syscore callback: a failure can then still abort the suspend, and be reported.
 */
static int suspend_callback(struct notifier_block *block, unsigned long event, void *data)
{
	enum bf_error error = BF_ERR_OK;

	bf_lock();
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		error = bf_suspend();
		if (error)
			pr_err("cannot suspend: %s\n", bf_strerror(error));
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		bf_resume();
		break;
	}
	bf_unlock();
	return notifier_from_errno(-bf_errno(error));
}

static struct notifier_block suspend_notifier = { .notifier_call = suspend_callback };

static int reboot_callback(struct notifier_block *block, unsigned long event, void *data)
{
	bf_lock();
	bf_shut_down();
	bf_unlock();
	return NOTIFY_DONE;
}

/*
 * Before all others: some of them talk to the hypervisor below (Linux as a guest of KVM switches
 * its paravirtual features off) or switch virtualisation off (KVM), which has to happen on bare
 * CPUs.
 */
static struct notifier_block reboot_notifier = {
	.notifier_call = reboot_callback,
	.priority = INT_MAX,
};

int bf_lifecycle_init(void)
{
	int result;

	/* Online section: called on the CPU itself, last when it comes and first when it goes. */
	result = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "bareflank:online",
					   cpu_online_callback, cpu_offline_callback);
	if (result < 0)
		return result;
	hotplug_state = result;
	/* Called on the CPU that is about to start it. */
	result = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "bareflank:prepare",
					   cpu_prepare_callback, NULL);
	if (result < 0)
		goto no_prepare;
	prepare_state = result;
	result = register_pm_notifier(&suspend_notifier);
	if (result)
		goto no_suspend;
	result = register_reboot_notifier(&reboot_notifier);
	if (!result)
		return 0;
	unregister_pm_notifier(&suspend_notifier);
no_suspend:
	cpuhp_remove_state_nocalls(prepare_state);
no_prepare:
	cpuhp_remove_state_nocalls(hotplug_state);
	return result;
}

void bf_lifecycle_fini(void)
{
	unregister_reboot_notifier(&reboot_notifier);
	unregister_pm_notifier(&suspend_notifier);
	cpuhp_remove_state_nocalls(prepare_state);
	cpuhp_remove_state_nocalls(hotplug_state);
}
