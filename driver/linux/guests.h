/* SPDX-License-Identifier: GPL-2.0-only */
/* For modules that run guests under the hypervisor: while they do, it is not stopped. */
#ifndef BF_LINUX_GUESTS_H
#define BF_LINUX_GUESTS_H

#include <linux/list.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/types.h>

#include <abi/ioctl.h>

struct bareflank_guests_counts {
	u64 exits[BF_NR_GUEST_EXITS];
};

/*
 * A virtual machine. The memory is the caller's from begin to end, its content this module's, but
 * for what the caller counts or finds: nr_vcpus, pinned and over with WRITE_ONCE, exits by
 * bareflank_guests_exit.
 */
struct bareflank_guests {
	struct list_head node;
	u64 run; /* which of the hypervisor's */
	u64 age; /* of guests, of which there may be several in a run */
	pid_t pid;
	char comm[TASK_COMM_LEN];
	struct bareflank_guests_counts __percpu *counts;
	u32 nr_vcpus;
	u64 pinned; /* bytes */
	bool over; /* its extension has ended */
	void (*release)(struct bareflank_guests *guests); /* see bareflank_guests_abandon */
	struct module *module;
};

/* So many more exits. Any context. */
static inline void bareflank_guests_exit(const struct bareflank_guests *guests,
					 enum bf_guest_exit kind, u64 exits)
{
	this_cpu_add(guests->counts->exits[kind], exits);
}

/*
 * The calling process has guests from now on: a suspend is refused, and so is a stop that is not to
 * end them; both name it. 0;
 * -ENODEV: the hypervisor does not run; -EINTR: the caller is to die; -ENOMEM. May sleep.
 */
int bareflank_guests_begin(struct bareflank_guests *guests);
void bareflank_guests_end(struct bareflank_guests *guests);

/*
 * In place of bareflank_guests_end, when the hypervisor does not give back what these guests have,
 * as their extension has ended: that is not for Linux before the hypervisor has stopped. Then
 * release is called, once, without any lock, and may free all of it, guests included; the module
 * stays until then. May sleep, as may release.
 */
void bareflank_guests_abandon(struct bareflank_guests *guests, struct module *module,
			      void (*release)(struct bareflank_guests *guests));

/*
 * Whether what a guest has trained to predict branches outlives its exit on this CPU: where root
 * mode is safe from it, the microkernel leaves it. Interrupts off, right after a guest's run here.
 */
bool bareflank_guests_leave_predictions(void);

/*
 * Makes the hypervisor's memory larger, until it stops: give hands the size bytes at spa over. It
 * must not wait for the hypervisor's end. It returns 0; -EIO if it cannot say what has become of
 * them; or another errno, and they go back to Linux. Returns that, -EINTR, -ENOMEM or -EIO: the run
 * of these guests is over. May sleep.
 */
int bareflank_guests_grow(const struct bareflank_guests *guests,
			  int (*give)(void *arg, u64 spa, u64 size), void *arg);

/*
 * Whether the hypervisor runs, and has not been stopped or failed since these guests began (NULL:
 * any time), as far as Linux knows: it may have failed a moment ago. Any context.
 */
bool bareflank_guests_running(const struct bareflank_guests *guests);

/*
 * Whether these guests must not be entered any more. Once this is true it stays so. The hypervisor
 * may run on for a moment, or for longer if it cannot be stopped: what they have in it is there
 * until bareflank_guests_running says otherwise. Asked with interrupts off, right before a guest is
 * entered: a stop begins with an interrupt for each CPU. Any context.
 */
bool bareflank_guests_ended(const struct bareflank_guests *guests);

#endif
