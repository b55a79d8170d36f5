// SPDX-License-Identifier: MIT
/*
 * exit-stats: why Linux leaves the guest, and how often, on each PP. What the microkernel handles
 * itself is not among it. The table is printed when the kernel executes CPUID with leaf 0x4F000001,
 * for which there is a device that root can read:
 *
 *	bfm start exit-stats
 *	modprobe cpuid
 *	dd if=/dev/cpu/0/cpuid of=/dev/null bs=16 count=1 iflag=skip_bytes skip=$((0x4F000001))
 *	bfm dump
 *
 * or, with --arg every=100000, by each PP for itself after so many of its exits.
 */
#include <ext/libext/arg.h>
#include <ext/libext/exits.h>
#include <ext/libext/frame.h>
#include <ext/libext/log.h>

const char ext_name[] = "exit-stats";

#define LEAF 0x4F000001
#define MAX_PPS 1024

/* A page of a PP's own, once it has been a guest; only that PP writes to it. */
struct counts {
	uint64_t all;
	uint64_t by[EXT_NR_EXITS];
};

static struct counts *counts[MAX_PPS];
static uint64_t every; /* 0: never by itself */

static void print_pp(unsigned int pp)
{
	const struct counts *c = __atomic_load_n(&counts[pp], __ATOMIC_ACQUIRE);

	if (!c)
		return;
	ext_print("%s: PP %u: %llu exits\n", ext_name, pp,
		  (unsigned long long)__atomic_load_n(&c->all, __ATOMIC_RELAXED));
	for (unsigned int i = 0; i < EXT_NR_EXITS; i++) {
		uint64_t n = __atomic_load_n(&c->by[i], __ATOMIC_RELAXED);
		char name[EXT_EXIT_NAME_SIZE];

		if (!n)
			continue;
		ext_exit_name(i, name);
		ext_print("%s: PP %u: %llu %s\n", ext_name, pp, (unsigned long long)n, name);
	}
}

static void increment(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static bool count(struct ext_exit *e)
{
	unsigned int pp = mk1_tls_ppid();
	struct counts *c = counts[pp];

	increment(&c->all);
	increment(&c->by[ext_exit_number(e->reason)]);
	if (every && c->all % every == 0)
		print_pp(pp);
	return false;
}

static bool on_cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs)
{
	(void)subleaf, (void)regs;
	if (leaf == LEAF && ext_cpl(e->vsid) == 0) {
		for (unsigned int pp = 0; pp < MAX_PPS; pp++)
			print_pp(pp);
	}
	return false;
}

/* A CPU that comes back goes on counting. */
static bool cpu_in(uint64_t vsid)
{
	unsigned int pp = mk1_tls_ppid();
	uint64_t va, spa, status;

	(void)vsid;
	EXT_ASSERT(pp < MAX_PPS && sizeof(struct counts) <= 4096);
	if (counts[pp])
		return true;
	status = mk1_mem_alloc_page(MK1_HANDLE, &va, &spa);
	if (status != MK1_SUCCESS)
		ext_fail("no page for counters: %s", mk1_status_name(status));
	__atomic_store_n(&counts[pp], (struct counts *)va, __ATOMIC_RELEASE);
	return true;
}

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "every", NULL };
	static const struct ext_ops ops = { .cpu_in = cpu_in, .exit = count, .cpuid = on_cpuid };

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("every", 0, &every))
		return 1;
	return ext_run_linux(specs, &ops);
}
