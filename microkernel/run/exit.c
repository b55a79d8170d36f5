// SPDX-License-Identifier: GPL-2.0-only
#include "run/exit.h"

#include "arch/intrinsics.h"
#include "debug.h"
#include "mem/mem.h"
#include "run/leave.h"
#include "vendor.h"

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

void exit_first(struct pp *pp)
{
	pp->launched = true;
	pp->status->error = BF_ERR_OK;
	__atomic_store_n(&pp->status->state, BF_PP_GUEST, __ATOMIC_RELEASE);
	mk_print("pp %u: CPU %u is a guest\n", pp->handoff.ppid, pp->handoff.cpu);
}

void exit_find_ext(struct pp *pp, const struct vs *vs, uint64_t reason)
{
	ext_switch(pp, mk.vmexit_ext);
	exit_call(pp, vs, reason);
}

bool exit_cpuid(struct vs *vs)
{
	uint64_t *gpr = abi_gprs();
	struct cpuid_regs r;

	if (!exit_has_leaf() || mk.vendor->vs_cpl(vs) == 0)
		return false;
	if (mk.vendor->vs_advance_ip(vs) == ADVANCE_DONE) {
		r = cpuid((uint32_t)gpr[BF_RAX], (uint32_t)gpr[BF_RCX]);
		gpr[BF_RAX] = r.eax;
		gpr[BF_RBX] = r.ebx;
		gpr[BF_RCX] = r.ecx;
		gpr[BF_RDX] = r.edx;
	}
	return true;
}

bool exit_call_unanswered(const struct vs *vs)
{
	if (mk.vendor->vs_cpl(vs) != 0)
		return false;
	abi_gprs()[BF_RAX] = MK1_FAILURE_UNSUPPORTED;
	return true;
}

void exit_stop(struct vs *vs)
{
	abi_gprs()[BF_RAX] = BF_HYPERCALL_STOPPED;
	promote(vs);
}
