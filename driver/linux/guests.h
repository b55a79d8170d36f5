/* SPDX-License-Identifier: GPL-2.0-only */
/* For modules that run guests under the hypervisor: while they do, it is not stopped. */
#ifndef BF_LINUX_GUESTS_H
#define BF_LINUX_GUESTS_H

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/types.h>

/* The memory is the caller's from begin to end, its content this module's. */
struct bareflank_guests {
	struct list_head node;
	u64 run; /* which of the hypervisor's */
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

/*
 * The calling process has guests from now on: a stop and a suspend are refused, and name it.
 * 0; -ENODEV: the hypervisor does not run; -EINTR: the caller is to die. May sleep.
 */
int bareflank_guests_begin(struct bareflank_guests *guests);
void bareflank_guests_end(struct bareflank_guests *guests);

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

#endif
