/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the kernel module share. */
#ifndef BF_LINUX_BAREFLANK_H
#define BF_LINUX_BAREFLANK_H

#include <linux/mutex.h>

#include "../core/loader.h"

/*
 * The one hypervisor. Everything but hotplug takes bf_lock() around it, which also keeps CPUs from
 * coming and going; hotplug callbacks run while that is excluded, so they need no lock of their
 * own.
 */
extern struct bf_loader bf_loader;

void bf_lock(void);
void bf_unlock(void);

/* The following are called with the lock held, and say in the log what they did. */
enum bf_error bf_start_and_log(const struct bf_start *start);
enum bf_error bf_stop_and_log(void);

/* To be called after whatever may have ended the hypervisor. */
void bf_ended(void);

/* One line about the last failure. */
void bf_log_failure(const char *what);

/* Errno and sentence of an error. */
int bf_errno(enum bf_error error);
const char *bf_strerror(enum bf_error error);

/*
 * signature.c: whether the file ends with a signature by a key that the kernel trusts; cuts it off
 * then. OK, IMAGE_UNSIGNED, IMAGE_SIGNATURE, IMAGE_KEY.
 */
enum bf_error bf_check_signature(struct bf_source *source);

/* ioctl.c */
long bf_ioctl(struct file *file, unsigned int command, unsigned long argument);

/* lifecycle.c: hotplug, suspend, reboot, and the watch over a running hypervisor. */
int bf_lifecycle_init(void);
void bf_lifecycle_fini(void);
void bf_watch(void);

/*
 * watchdog.c: its timers tick on all CPUs, if it is not off, between begin and end, which are
 * called with the lock held; a CPU that comes or goes calls online or offline itself.
 */
int bf_watchdog_init(void);
void bf_watchdog_fini(void);
void bf_watchdog_begin(void);
void bf_watchdog_end(void);
void bf_watchdog_online(void);
void bf_watchdog_offline(void);

/* Whether the CPUs must stay bare for now. With the lock held. */
bool bf_suspended(void);

#endif
