/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the kernel module share. */
#ifndef BF_LINUX_BAREFLANK_H
#define BF_LINUX_BAREFLANK_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include <abi/ioctl.h>

#include "../core/loader.h"

/* --- run.c: the one hypervisor ---------------------------------------------------------------- */

/*
 * Everything but the hotplug callbacks takes bf_lock() around it: a mutex, then the read side of
 * CPU hotplug, so that no CPU comes or goes. The callbacks run on the write side of the latter,
 * which excludes all others, and must not take the mutex. User space is accessed without the lock.
 */
extern struct bf_loader bf_loader;

void bf_lock(void);
bool bf_lock_killable(void); /* false: the caller is to die, and has not got it */
bool bf_may_be_killed(void); /* whether it was taken so: then the wait for a CPU may end early */
void bf_unlock(void);
void bf_assert_locked(void);

/*
 * What ioctl_status reads. Never held while somebody waits for a CPU: the status is to be had
 * during a start or stop, too. All but the arrays may be of two moments then.
 */
void bf_status_lock(void);
void bf_status_unlock(void);

/* With the lock held; they log what they did. A start during a suspend: HOTPLUG. */
enum bf_error bf_start_and_log(const struct bf_start *start);
enum bf_error bf_stop_and_log(void);

/* Adopts a hypervisor that is there, without the lock. NO_MEMORY is the only error. */
enum bf_error bf_adopt_and_log(void);

/*
 * With the lock held: takes the CPUs out of the hypervisor for a suspend, and back in. An error:
 * they are back in, or the hypervisor has stopped. While somebody has guests: GUESTS.
 */
enum bf_error bf_suspend(void);
void bf_resume(void);

/* With the lock held: stops the hypervisor, if it runs, and prevents another start. */
void bf_shut_down(void);

/* Whether the CPUs must stay bare for now. With the lock held, or in a hotplug callback. */
bool bf_suspended(void);

/* Has the poll look at once. Any context. */
void bf_poll_now(void);

int bf_run_init(void);
void bf_run_fini(void);

/* Errno and sentence of an error. */
int bf_errno(enum bf_error error);
const char *bf_strerror(enum bf_error error);

/* --- platform.c ------------------------------------------------------------------------------- */

void bf_platform_init(void);

/* Whether this CPU never answers again. */
bool bf_cpu_is_lost(unsigned int cpu);

/* Waits until no CPU is to execute anything of ours any more. */
void bf_platform_fini(void);

/* --- events.c --------------------------------------------------------------------------------- */

/*
 * Around whatever may have this CPU enter or leave, on that CPU: whether it is a guest, and the
 * event if that has changed. Any context in which CPUs do not come or go.
 */
bool bf_event_inside(unsigned int cpu);
void bf_event_cpu(unsigned int cpu, bool before);

/* --- signature.c ------------------------------------------------------------------------------ */

/*
 * Whether the file ends with a signature by a key that the kernel trusts; cuts it off then. OK,
 * IMAGE_UNSIGNED, IMAGE_SIGNATURE, IMAGE_KEY.
 */
enum bf_error bf_check_signature(struct bf_source *source);

/* --- channel.c: who reads what extensions emit ------------------------------------------------ */

/* How far a file has read. With the lock of the status held, like the channels. */
struct bf_reader {
	struct list_head node;
	u64 start; /* that its positions are of */
	bool reads[BF_MAX_EXTS];
	u64 positions[BF_MAX_EXTS]; /* it has all before */
};

/* An open file of the device: its private_data. */
struct bf_open {
	struct bf_reader reader;
	bool traces; /* with the lock held: it wants traces */
};

void bf_channel_open(struct bf_open *open);
void bf_channel_close(struct bf_open *open);

int bf_channel_ioctl(struct bf_open *open, struct bf_ioctl_read *argument);

/* --- request.c -------------------------------------------------------------------------------- */

int bf_request_ioctl(struct bf_ioctl_call *argument);

/* --- ioctl.c ---------------------------------------------------------------------------------- */

long bf_ioctl(struct file *file, unsigned int command, unsigned long argument);
void bf_trace_close(struct bf_open *open);

/* --- lifecycle.c: hotplug, suspend, reboot ---------------------------------------------------- */

int bf_lifecycle_init(void);
void bf_lifecycle_fini(void);

/* --- guests.c --------------------------------------------------------------------------------- */

/* Guests of an earlier start are none of this one. With the lock held, before the start. */
void bf_guests_start(void);

/*
 * A process that has guests, or 0; ended_too: or has something in the extension yet. The log names
 * all of them. With the lock held, which keeps others from beginning.
 */
pid_t bf_guests_owner(bool ended_too);

/*
 * All guests end: none is entered any more, and each leaves its CPU with the next interrupt, which
 * the stop has for it (bf_os_on_all). With the lock held.
 */
void bf_guests_end(void);

/*
 * The hypervisor has stopped: what guests had that have been abandoned goes back to Linux. That may
 * wait for a process's memory for as long as the process likes, and so nobody waits for that.
 */
void bf_guests_stopped(void);
void bf_guests_fini(void); /* it is done */

/*
 * Of all VMs that somebody has, or that have been abandoned, as many as there is room for, into
 * zeroed memory; returns how many there are. Any lock may be held, but none of a VM's.
 */
u32 bf_guests_status(struct bf_guest_status *status, u32 room);

/* --- watchdog.c ------------------------------------------------------------------------------- */

int bf_watchdog_init(void);
void bf_watchdog_fini(void);

/* Timers tick on all CPUs from bf_os_watch to this; the two are serialised by bf_lock(). */
void bf_watchdog_end(void);

/* In the hotplug callbacks of a CPU: it has come, or is about to go. */
void bf_watchdog_online(void);
void bf_watchdog_offline(void);

#endif
