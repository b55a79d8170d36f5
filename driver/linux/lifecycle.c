/* SPDX-License-Identifier: GPL-2.0-only */
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
#include <linux/workqueue.h>

#include "bareflank.h"

#define WATCH_MS 50

static enum cpuhp_state hotplug_state;
static bool suspended; /* on the way into a suspend, out of it, or down for good */

bool bf_suspended(void)
{
	return suspended;
}

static int cpu_online_callback(unsigned int cpu)
{
	enum bf_error error;

	if (suspended)
		return 0;
	error = bf_loader_cpu_up(&bf_loader, cpu);
	if (error == BF_ERR_OK)
		bf_watchdog_online();
	else
		pr_err("CPU %u cannot come online under the hypervisor: %s\n", cpu,
		       bf_strerror(error));
	return -bf_errno(error);
}

static int cpu_offline_callback(unsigned int cpu)
{
	enum bf_error error = bf_loader_cpu_down(&bf_loader, cpu);

	if (error == BF_ERR_OK)
		bf_watchdog_offline();
	else
		pr_err("CPU %u does not leave the hypervisor: %s\n", cpu, bf_strerror(error));
	return -bf_errno(error);
}

static void enter_after_suspend(void)
{
	suspended = false;
	if (bf_loader_resume(&bf_loader) != BF_ERR_OK)
		bf_log_failure("stopped after a suspend");
	bf_watchdog_begin();
}

/*
 * Suspend takes all CPUs out while the system still runs and everything may sleep, rather than the
 * last one from a syscore callback: a failure can then still call the suspend off, and be reported.
 */
static int leave_for_suspend(void)
{
	enum bf_error error = bf_loader_suspend(&bf_loader);

	suspended = error == BF_ERR_OK;
	if (suspended)
		bf_watchdog_end();
	else
		enter_after_suspend();
	return -bf_errno(error);
}

static int suspend_callback(struct notifier_block *block, unsigned long event, void *data)
{
	int result = 0;

	bf_lock();
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		result = leave_for_suspend();
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		enter_after_suspend();
		break;
	}
	bf_unlock();
	return notifier_from_errno(result);
}

static struct notifier_block suspend_notifier = { .notifier_call = suspend_callback };

static int reboot_callback(struct notifier_block *block, unsigned long event, void *data)
{
	bf_lock();
	suspended = true;
	if (bf_loader.state == BF_STATE_RUNNING)
		bf_stop_and_log();
	bf_unlock();
	return NOTIFY_DONE;
}

/*
 * Before all others: some of them talk to the hypervisor below (Linux as a guest of KVM switches
 * its paravirtual features off) or give up virtualisation (KVM), and do it as on any machine then.
 */
static struct notifier_block reboot_notifier = {
	.notifier_call = reboot_callback,
	.priority = INT_MAX,
};

static void watch(struct work_struct *work);
static DECLARE_DELAYED_WORK(watch_work, watch);

static void watch(struct work_struct *work)
{
	bool failed, again;

	bf_lock();
	failed = bf_loader_poll(&bf_loader);
	bf_ended();
	if (failed)
		bf_log_failure(bf_loader.state == BF_STATE_RUNNING ? "failed, cannot stop" :
								     "failed, stopped on all CPUs");
	again = !failed && bf_loader.state == BF_STATE_RUNNING;
	bf_unlock();
	if (again)
		bf_watch();
}

/* Ends by itself once the hypervisor is not running. */
void bf_watch(void)
{
	queue_delayed_work(system_freezable_wq, &watch_work, msecs_to_jiffies(WATCH_MS));
}

int bf_lifecycle_init(void)
{
	int result;

	/* Online section: called on the CPU itself, last when it comes and first when it goes. */
	result = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "bareflank:online",
					   cpu_online_callback, cpu_offline_callback);
	if (result < 0)
		return result;
	hotplug_state = result;
	result = register_pm_notifier(&suspend_notifier);
	if (result)
		goto no_suspend;
	result = register_reboot_notifier(&reboot_notifier);
	if (!result)
		return 0;
	unregister_pm_notifier(&suspend_notifier);
no_suspend:
	cpuhp_remove_state_nocalls(hotplug_state);
	return result;
}

void bf_lifecycle_fini(void)
{
	cancel_delayed_work_sync(&watch_work);
	unregister_reboot_notifier(&reboot_notifier);
	unregister_pm_notifier(&suspend_notifier);
	cpuhp_remove_state_nocalls(hotplug_state);
}
