// SPDX-License-Identifier: GPL-2.0-only
#include "run/exit_log.h"

#include "debug.h"
#include "mem/mem.h"
#include "mk.h"

static struct exit_log_entry *logs[BF_MAX_PPS];

bool exit_log_init(struct pp *pp)
{
	uint32_t ppid = pp->handoff.ppid;

	if (!logs[ppid]) {
		uint64_t spa = pool_alloc();

		if (spa == MK_NO_PAGE)
			return false;
		logs[ppid] = phys_to_virt(spa);
	}
	pp->log = logs[ppid];
	return true;
}

/*
 * The PP may be writing: what is printed of it then is of two exits, which does no harm. Nor does
 * it that Linux can change the count in the status, which is the one that other PPs see.
 */
bool exit_log_dump(uint32_t ppid, unsigned int count)
{
	const struct exit_log_entry *log = ppid < BF_MAX_PPS ? logs[ppid] : NULL;
	uint64_t exits, i;

	if (!log)
		return false;
	exits = __atomic_load_n(&pp_status(ppid)->exits, __ATOMIC_RELAXED);
	i = exits > count ? exits - count : 0;
	for (; i < exits; i++) {
		const struct exit_log_entry *e = &log[(i + 1) % MK_EXIT_LOG_ENTRIES];

		mk_print("pp %u exit %llu: vs %llu, reason 0x%llx, rip 0x%llx\n", ppid,
			 (unsigned long long)i, (unsigned long long)e->vsid,
			 (unsigned long long)e->reason, (unsigned long long)e->rip);
	}
	return true;
}
