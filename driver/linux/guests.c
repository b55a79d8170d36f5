// SPDX-License-Identifier: GPL-2.0-only
/* Who has guests: see guests.h. */
#define pr_fmt(fmt) "bareflank: " fmt

#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "bareflank.h"
#include "guests.h"

/* The processes that have guests. The list grows with bf_lock() held only. */
static LIST_HEAD(owners);
static DEFINE_MUTEX(owners_lock);

static u64 run; /* counts starts; with bf_lock() held */

int bareflank_guests_begin(struct bareflank_guests *guests)
{
	int result = -ENODEV;

	if (!bf_lock_killable())
		return -EINTR;
	if (bf_loader.state == BF_STATE_RUNNING && !bf_suspended()) {
		guests->run = run;
		guests->pid = current->tgid;
		strscpy(guests->comm, current->comm, sizeof(guests->comm));
		mutex_lock(&owners_lock);
		list_add_tail(&guests->node, &owners);
		mutex_unlock(&owners_lock);
		result = 0;
	}
	bf_unlock();
	return result;
}
EXPORT_SYMBOL_GPL(bareflank_guests_begin);

void bareflank_guests_end(struct bareflank_guests *guests)
{
	mutex_lock(&owners_lock);
	list_del(&guests->node);
	mutex_unlock(&owners_lock);
}
EXPORT_SYMBOL_GPL(bareflank_guests_end);

bool bareflank_guests_running(const struct bareflank_guests *guests)
{
	return READ_ONCE(bf_loader.state) == BF_STATE_RUNNING &&
	       (!guests || guests->run == READ_ONCE(run));
}
EXPORT_SYMBOL_GPL(bareflank_guests_running);

void bf_guests_start(void)
{
	bf_assert_locked();
	WRITE_ONCE(run, run + 1);
}

/* In blocks as a CPU has large pages: hiding one takes no table of its own. */
#define GROW_SIZE 0x200000

int bareflank_guests_grow(const struct bareflank_guests *guests,
			  int (*give)(void *arg, u64 spa, u64 size), void *arg)
{
	struct bf_memory *memory = &bf_loader.memory;
	struct bf_region region;
	int result = -EIO;

	if (!bf_lock_killable())
		return -EINTR;
	if (bareflank_guests_running(guests) && !bf_suspended()) {
		result = -ENOMEM;
		if (!bf_memory_alloc_region(memory, BF_MEMORY_POOL, GROW_SIZE, &region)) {
			result = give(arg, region.spa, region.size);
			if (result && result != -EIO)
				bf_memory_take_back(memory, region.spa);
		}
	}
	bf_unlock();
	return result;
}
EXPORT_SYMBOL_GPL(bareflank_guests_grow);

pid_t bf_guests_owner(void)
{
	struct bareflank_guests *guests;
	pid_t first = 0;

	bf_assert_locked();
	mutex_lock(&owners_lock);
	list_for_each_entry(guests, &owners, node)
	{
		if (!first)
			first = guests->pid;
		pr_info("process %d (%s) has guests\n", guests->pid, guests->comm);
	}
	mutex_unlock(&owners_lock);
	return first;
}
