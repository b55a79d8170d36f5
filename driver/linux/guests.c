// SPDX-License-Identifier: GPL-2.0-only
/* Who has guests: see guests.h. */
#define pr_fmt(fmt) "bareflank: " fmt

#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "bareflank.h"
#include "guests.h"

/* The processes that have guests. The list grows with bf_lock() held only. */
static LIST_HEAD(owners);
static LIST_HEAD(abandoned); /* guests that are no process's any more */
static DEFINE_MUTEX(owners_lock);

static u32 nr_owners, nr_abandoned;

/*
 * Of guests: a start begins a new age, and so does whatever ends all of them. Of the hypervisor: a
 * new run with each start. Both grow with bf_lock() held, and are not 0 while the hypervisor runs.
 */
static u64 age, run;

/* The value of one of these at the moment; 0: the hypervisor does not run. */
static u64 now(const u64 *counter)
{
	return READ_ONCE(bf_loader.state) == BF_STATE_RUNNING ? READ_ONCE(*counter) : 0;
}

int bareflank_guests_begin(struct bareflank_guests *guests)
{
	int result = -ENODEV;

	guests->nr_vcpus = 0;
	guests->pinned = 0;
	guests->over = false;
	guests->counts = alloc_percpu(struct bareflank_guests_counts);
	if (!guests->counts)
		return -ENOMEM;
	if (!bf_lock_killable()) {
		free_percpu(guests->counts);
		return -EINTR;
	}
	if (bf_loader.state == BF_STATE_RUNNING && !bf_suspended()) {
		guests->run = run;
		guests->age = age;
		guests->pid = current->tgid;
		strscpy(guests->comm, current->comm, sizeof(guests->comm));
		mutex_lock(&owners_lock);
		list_add_tail(&guests->node, &owners);
		nr_owners++;
		mutex_unlock(&owners_lock);
		result = 0;
	}
	bf_unlock();
	if (result)
		free_percpu(guests->counts);
	return result;
}
EXPORT_SYMBOL_GPL(bareflank_guests_begin);

void bareflank_guests_end(struct bareflank_guests *guests)
{
	mutex_lock(&owners_lock);
	list_del(&guests->node);
	nr_owners--;
	mutex_unlock(&owners_lock);
	free_percpu(guests->counts);
}
EXPORT_SYMBOL_GPL(bareflank_guests_end);

/* What has been abandoned, and is nobody's any more. */
static void release(struct work_struct *work)
{
	struct bareflank_guests *guests, *next;
	LIST_HEAD(over);

	mutex_lock(&owners_lock);
	list_for_each_entry_safe(guests, next, &abandoned, node)
	{
		if (bareflank_guests_running(guests))
			continue;
		list_move_tail(&guests->node, &over);
		nr_abandoned--;
	}
	mutex_unlock(&owners_lock);
	list_for_each_entry_safe(guests, next, &over, node)
	{
		struct module *module = guests->module;

		free_percpu(guests->counts);
		guests->release(guests);
		module_put(module);
	}
}

static DECLARE_WORK(release_work, release);

void bf_guests_stopped(void)
{
	schedule_work(&release_work);
}

void bf_guests_fini(void)
{
	cancel_work_sync(&release_work);
}

void bareflank_guests_abandon(struct bareflank_guests *guests, struct module *module,
			      void (*release)(struct bareflank_guests *guests))
{
	__module_get(module);
	guests->module = module;
	guests->release = release;
	mutex_lock(&owners_lock);
	list_move_tail(&guests->node, &abandoned);
	nr_owners--;
	nr_abandoned++;
	mutex_unlock(&owners_lock);
	schedule_work(&release_work); /* it may have stopped meanwhile */
}
EXPORT_SYMBOL_GPL(bareflank_guests_abandon);

bool bareflank_guests_running(const struct bareflank_guests *guests)
{
	return guests ? guests->run == now(&run) : now(&run);
}
EXPORT_SYMBOL_GPL(bareflank_guests_running);

bool bareflank_guests_ended(const struct bareflank_guests *guests)
{
	return guests->age != now(&age);
}
EXPORT_SYMBOL_GPL(bareflank_guests_ended);

/* With interrupts off no CPU leaves the hypervisor, so that the list of PPs stays. */
bool bareflank_guests_leave_predictions(void)
{
	const struct bf_pp *pp = bf_find_pp(&bf_loader, smp_processor_id());

	return !pp || !READ_ONCE(pp->status->exit_ibpb);
}
EXPORT_SYMBOL_GPL(bareflank_guests_leave_predictions);

void bf_guests_start(void)
{
	bf_assert_locked();
	WRITE_ONCE(run, run + 1);
	WRITE_ONCE(age, age + 1);
}

void bf_guests_end(void)
{
	bf_assert_locked();
	WRITE_ONCE(age, age + 1);
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

/* Whether their VM may still be in the extension; or, in addition, may run. */
static bool is_there(const struct bareflank_guests *guests, bool ended_too)
{
	return ended_too ? bareflank_guests_running(guests) : !bareflank_guests_ended(guests);
}

pid_t bf_guests_owner(bool ended_too)
{
	struct bareflank_guests *guests;
	pid_t first = 0;

	bf_assert_locked();
	mutex_lock(&owners_lock);
	list_for_each_entry(guests, &owners, node)
	{
		if (!is_there(guests, ended_too))
			continue;
		if (!first)
			first = guests->pid;
		pr_info("process %d (%s) has guests\n", guests->pid, guests->comm);
	}
	mutex_unlock(&owners_lock);
	return first;
}

static void get_status(const struct bareflank_guests *guests, u32 flags,
		       struct bf_guest_status *status)
{
	unsigned int cpu, kind;

	status->pid = (u32)guests->pid;
	status->flags = flags;
	strscpy(status->name, guests->comm, sizeof(status->name));
	status->nr_vcpus = READ_ONCE(guests->nr_vcpus);
	status->pinned = READ_ONCE(guests->pinned);
	for_each_possible_cpu(cpu)
		for (kind = 0; kind < BF_NR_GUEST_EXITS; kind++)
			status->exits[kind] +=
				READ_ONCE(per_cpu_ptr(guests->counts, cpu)->exits[kind]);
}

struct status_list {
	struct bf_guest_status *status;
	u32 count, room;
	u64 age; /* of the guests that have not ended */
};

/* Those with these flags. */
static void add_status(struct status_list *list, const struct list_head *head, u32 flags)
{
	const struct bareflank_guests *guests;

	list_for_each_entry(guests, head, node)
	{
		bool ended = guests->age != list->age || READ_ONCE(guests->over) ||
			     head == &abandoned;

		if (list->count < list->room && ended == !!(flags & BF_GUEST_ENDED))
			get_status(guests, flags, &list->status[list->count++]);
	}
}

u32 bf_guests_status(struct bf_guest_status *status, u32 room)
{
	struct status_list list = { .status = status, .room = room, .age = now(&age) };
	u32 count;

	mutex_lock(&owners_lock);
	add_status(&list, &owners, 0);
	add_status(&list, &owners, BF_GUEST_ENDED);
	add_status(&list, &abandoned, BF_GUEST_ENDED | BF_GUEST_ABANDONED);
	count = nr_owners + nr_abandoned;
	mutex_unlock(&owners_lock);
	return count;
}
