// SPDX-License-Identifier: GPL-2.0-only
/* The one hypervisor: its lock, what starts and ends it, and what the log says about it. */
#define pr_fmt(fmt) "bareflank: " fmt

#include <linux/cpu.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/workqueue.h>

#include "../core/platform.h"
#include "bareflank.h"
#include "events.h"

/* A failure is to be over within 100 ms; a CPU that does not answer may take any time. */
#define POLL_MS 20
#define RETRY_MS 500

struct bf_loader bf_loader;

static DEFINE_MUTEX(lock);
static DEFINE_MUTEX(status_lock);
static bool killable; /* who holds the lock may be killed while it waits for a CPU */
static bool suspended; /* on the way into a suspend, out of it, or down for good */

void bf_lock(void)
{
	mutex_lock(&lock);
	cpus_read_lock();
}

bool bf_lock_killable(void)
{
	if (mutex_lock_killable(&lock))
		return false;
	killable = true;
	cpus_read_lock();
	return true;
}

bool bf_may_be_killed(void)
{
	return killable;
}

void bf_unlock(void)
{
	cpus_read_unlock();
	killable = false;
	mutex_unlock(&lock);
}

void bf_status_lock(void)
{
	mutex_lock(&status_lock);
}

void bf_status_unlock(void)
{
	mutex_unlock(&status_lock);
}

void bf_os_hide_status(void)
{
	bf_status_lock();
}

void bf_os_show_status(void)
{
	bf_status_unlock();
}

void bf_assert_locked(void)
{
	lockdep_assert_held(&lock);
}

bool bf_suspended(void)
{
	return suspended;
}

static const struct {
	enum bf_error error;
	int number;
	const char *sentence;
} errors[] = {
#define BF_ERROR_ROW(number, name, err, text, hint) { BF_ERR_##name, err, text },
	BF_ERRORS(BF_ERROR_ROW)
};

int bf_errno(enum bf_error error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].error == error)
			return errors[i].number;
	return EIO;
}

const char *bf_strerror(enum bf_error error)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].error == error)
			return errors[i].sentence;
	return "unknown error";
}

/* The report is that of the last failure. */
static bool place_is_known(void)
{
	return bf_loader.report.error == bf_loader.failure.error &&
	       bf_loader.report.cpu == bf_loader.failure.cpu;
}

/* Where the last failure was, as far as it is known. */
static const char *describe_place(char *buf, size_t size)
{
	static const char *const names[] = BF_CALLBACK_NAMES;
	const struct bf_report *r = &bf_loader.report;
	int n = 0;

	*buf = '\0';
	if (!place_is_known())
		return buf;
	if (r->callback < ARRAY_SIZE(names))
		n += scnprintf(buf + n, size - n, ", in %s", names[r->callback]);
	if (r->flags & BF_REPORT_FAULT)
		n += scnprintf(buf + n, size - n,
			       ", vector %llu, error code 0x%llx, address 0x%llx", r->vector,
			       r->error_code, r->address);
	if (r->flags & BF_REPORT_PLACE)
		scnprintf(buf + n, size - n, ", rip 0x%llx", r->rip);
	return buf;
}

/* One line about the last failure, and an event. */
static void log_failure(const char *what)
{
	const struct bf_failure *failure = &bf_loader.failure;
	bool file = BF_ERROR_IS_IMAGE(failure->error);
	char place[160], image[24] = "";

	if (!file && failure->image)
		snprintf(image, sizeof(image), ", extension %u", failure->image);
	pr_err("%s: %s %u%s: %s (error %u, detail 0x%llx%s)\n", what, file ? "image" : "CPU",
	       file ? failure->image : failure->cpu, image, bf_strerror(failure->error),
	       failure->error, failure->detail, describe_place(place, sizeof(place)));
	trace_failure(failure, place_is_known() && bf_loader.report.flags & BF_REPORT_PLACE ?
				       bf_loader.report.rip :
				       0);
}

static u32 ended_exts; /* of this start, by the numbers of their images */

/* One line about each extension that has ended, while others go on, and an event. */
static void log_ended(void)
{
	struct bf_failure failure;

	while (bf_loader_ended(&bf_loader, &ended_exts, &failure)) {
		const struct bf_report *r =
			&bf_loader_ended_image(&bf_loader, failure.image)->report;

		pr_err("extension %u has ended, and its guests: CPU %u: %s (error %u)\n",
		       failure.image, failure.cpu, bf_strerror(failure.error), failure.error);
		trace_ended(&failure, r->flags & BF_REPORT_PLACE ? r->rip : 0);
	}
}

/*
 * Without the watchdog an extension can keep a CPU for ever. The removal of a module waits for
 * every CPU, so it is not to begin.
 */
static bool pinned;

static void began(void)
{
	if (bf_loader.watchdog_ns || pinned)
		return;
	__module_get(THIS_MODULE);
	pinned = true;
}

/*
 * After whatever may have ended the hypervisor, or one extension; if CPUs are still inside, the
 * watchdog goes on. The removal would wait for one that has halted, too.
 */
static void ended(void)
{
	log_ended();
	if (bf_loader.state == BF_STATE_RUNNING)
		return;
	bf_watchdog_end();
	bf_guests_stopped();
	if (bf_loader.halted && !pinned)
		__module_get(THIS_MODULE);
	if (!bf_loader.halted && pinned)
		module_put(THIS_MODULE);
	pinned = bf_loader.halted;
}

/* --- the poll for failed PPs: queues itself until the hypervisor has ended -------------------- */

static void poll(struct work_struct *work);
static DECLARE_DELAYED_WORK(poll_work, poll);
static struct workqueue_struct *poll_queue; /* before what else Linux has to do */
static bool retrying; /* a failure is known, but a CPU did not answer */

static void queue_poll(void)
{
	queue_delayed_work(poll_queue, &poll_work, msecs_to_jiffies(retrying ? RETRY_MS : POLL_MS));
}

static void poll(struct work_struct *work)
{
	enum bf_error error;
	bool again;

	bf_lock();
	error = bf_loader_poll(&bf_loader);
	ended();
	if (error == BF_ERR_CPU_STUCK && !retrying)
		log_failure("failed, but a CPU does not answer");
	else if (error && error != BF_ERR_CPU_STUCK)
		log_failure(bf_loader.adopted && bf_loader.state == BF_STATE_FAILED ?
				    "failed, cannot stop, all CPUs go on without extensions" :
			    bf_loader.state == BF_STATE_RUNNING ? "failed, cannot stop" :
			    bf_loader.halted ? "halted, stopped on all other CPUs, reboot soon" :
					       "failed, stopped on all CPUs");
	retrying = error == BF_ERR_CPU_STUCK;
	again = (!error || retrying) && bf_loader.state == BF_STATE_RUNNING;
	bf_unlock();
	if (again)
		queue_poll();
}

void bf_poll_now(void)
{
	mod_delayed_work(poll_queue, &poll_work, 0);
}

/* --- start and stop --------------------------------------------------------------------------- */

enum bf_error bf_start_and_log(const struct bf_start *start)
{
	enum bf_error error;

	bf_assert_locked();
	if (suspended)
		return BF_ERR_HOTPLUG;
	if (bf_loader.state != BF_STATE_RUNNING) {
		bf_guests_start();
		ended_exts = 0;
	}
	error = bf_loader_start(&bf_loader, start);
	if (error == BF_ERR_RUNNING || error == BF_ERR_CPU_HALTED || error == BF_ERR_STARTED_BEFORE)
		return error;
	ended();
	if (error) {
		log_failure(bf_loader.state == BF_STATE_RUNNING ? "not started, cannot stop" :
								  "not started");
	} else {
		trace_start(&bf_loader);
		pr_info("started on %u CPUs in %llu ms (%llu us without interrupts), %llu MiB\n",
			bf_loader.nr_online, div_u64(bf_loader.start_ns, NSEC_PER_MSEC),
			div_u64(bf_loader.start_paused_ns, NSEC_PER_USEC),
			bf_loader.memory.bytes >> 20);
	}
	/* Also after a start that has failed, if a CPU did not come back. */
	if (bf_loader.state != BF_STATE_RUNNING)
		return error;
	began();
	queue_poll();
	return error;
}

enum bf_error bf_adopt_and_log(void)
{
	enum bf_error error;

	bf_lock();
	error = bf_loader_adopt(&bf_loader);
	if (!error) {
		pr_info("the firmware has started the hypervisor, on %u CPUs\n", bf_loader.nr_pps);
		bf_guests_start();
		began();
		queue_poll();
	} else if (error != BF_ERR_NO_MEMORY && bf_loader.failure.error) {
		pr_info("%s\n",
			bf_strerror(error == BF_ERR_NOT_RUNNING ? bf_loader.failure.error : error));
	}
	bf_unlock();
	return error == BF_ERR_NO_MEMORY ? error : BF_ERR_OK;
}

enum bf_error bf_stop_and_log(void)
{
	enum bf_error error;

	bf_assert_locked();
	error = bf_loader_stop(&bf_loader);
	if (error == BF_ERR_NOT_RUNNING)
		return error;
	ended();
	if (bf_loader.state != BF_STATE_RUNNING)
		trace_stop(&bf_loader);
	if (error)
		log_failure(bf_loader.state == BF_STATE_RUNNING ? "cannot stop" : "stopped");
	else
		pr_info("stopped in %llu ms (%llu us without interrupts)\n",
			div_u64(bf_loader.stop_ns, NSEC_PER_MSEC),
			div_u64(bf_loader.stop_paused_ns, NSEC_PER_USEC));
	return error;
}

void bf_resume(void)
{
	bf_assert_locked();
	suspended = false;
	if (bf_loader_resume(&bf_loader))
		log_failure("stopped after a suspend");
	ended();
}

enum bf_error bf_suspend(void)
{
	enum bf_error error;

	bf_assert_locked();
	if (bf_loader.state == BF_STATE_RUNNING && bf_guests_owner(true))
		return BF_ERR_GUESTS;
	error = bf_loader_suspend(&bf_loader);
	if (error == BF_ERR_CPU_STUCK || error == BF_ERR_MK_FIRMWARE)
		return error;
	suspended = !error;
	if (suspended)
		bf_watchdog_end();
	else
		bf_resume();
	return error;
}

void bf_shut_down(void)
{
	bf_assert_locked();
	suspended = true;
	bf_guests_end();
	/* That was there before this kernel, and is there for the next one. */
	if (!bf_loader.adopted)
		bf_stop_and_log();
}

int bf_run_init(void)
{
	poll_queue = alloc_workqueue("bareflank", WQ_FREEZABLE | WQ_HIGHPRI | WQ_UNBOUND, 0);
	return poll_queue ? 0 : -ENOMEM;
}

void bf_run_fini(void)
{
	cancel_delayed_work_sync(&poll_work);
	bf_guests_fini();
	destroy_workqueue(poll_queue);
}
