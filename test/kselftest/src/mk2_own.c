// SPDX-License-Identifier: GPL-2.0-only
/* mk2_own CASE: one thing about memory that is a VM's own. Says what did not hold. */
#include "mk2_guest.h"

#define SECRET 0x5EC3E7ULL

/* Each CPU leaves Linux once. */
static void all_come_out(void)
{
	for (unsigned int cpu = 0; cpu < nr_cpus(); cpu++) {
		on_cpu(cpu);
		get(0);
	}
	on_cpu(0);
}

/* Pages with a guest that finds a secret, which Linux knows as long as they are not the VM's. */
static struct guest make_owner(void)
{
	struct guest g = { .vmid = make_vm() };

	LOAD(PAGE_CODE, code_copy);
	words(PAGE_TARGET)[0] = SECRET;
	EXPECT_STATUS(CALL2(vm_own, g.vmid, spa(0), AT(NR_PAGES)), MK1_SUCCESS);
	all_come_out();
	EXPECT_STATUS(map(g.vmid, 0, spa(0), AT(NR_PAGES), MK2_NESTED_RWX), MK1_SUCCESS);
	make_vs(&g, 0);
	return g;
}

static void expect_secret(struct guest *g)
{
	EXPECT_RUN(g, halted());
	EXPECT_EQ(read_reg(g, reg(MK1_AMD_rax, MK1_INTEL_rax)), SECRET);
}

/* Linux has it again: zeros, and what it writes. */
static void expect_given_back(uint8_t *at, uint64_t size)
{
	all_come_out();
	expect_bytes(at, size, 0);
	for (uint64_t off = 0; off < size; off += PAGE)
		*(volatile uint64_t *)(at + off) = off + 1;
	for (uint64_t off = 0; off < size; off += PAGE)
		EXPECT_EQ(*(volatile uint64_t *)(at + off), off + 1);
}

static void test_own(void)
{
	struct guest g = make_owner();

	expect_bytes(memory, AT(NR_PAGES), 0);
	expect_one_page(memory, memory + AT(PAGE_TARGET));
	words(PAGE_TARGET)[0] = 0x1111;
	expect_secret(&g);
	words(PAGE_CODE)[0] = ~0ULL;
	expect_secret(&g);
	words(PAGE_CODE)[0] = 0;
	EXPECT_STATUS(CALL2(vm_disown, g.vmid, spa(0), AT(NR_PAGES)), MK2_FAILURE_BUSY);
	destroy_vs(&g);
	EXPECT_STATUS(CALL2(vm_nested_unmap, g.vmid, 0, AT(NR_PAGES)), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_disown, g.vmid, spa(0), AT(NR_PAGES)), MK2_FAILURE_BUSY);
	EXPECT_STATUS(CALL2(vm_nested_flush, g.vmid, 1), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_disown, g.vmid, spa(PAGE_DATA), 2 * PAGE), MK1_SUCCESS);
	expect_given_back(memory + AT(PAGE_DATA), 2 * PAGE);
	expect_bytes(memory, AT(PAGE_DATA), 0);
	expect_one_page(memory, memory + AT(PAGE_CODE));
	EXPECT_STATUS(CALL2(vm_disown, g.vmid, spa(0), AT(PAGE_DATA)), MK1_SUCCESS);
	expect_given_back(memory, AT(PAGE_DATA));
	EXPECT_STATUS(CALL1(vm_destroy_vm, g.vmid), MK1_SUCCESS);
	/* what it still owns when it goes */
	g = make_owner();
	memset(memory + SIZE_2M, 0xA5, SIZE_2M);
	EXPECT_STATUS(CALL2(vm_own, g.vmid, large_spa[1], SIZE_2M), MK1_SUCCESS);
	all_come_out();
	expect_bytes(memory + SIZE_2M, SIZE_2M, 0);
	EXPECT_STATUS(map(g.vmid, SIZE_2M, large_spa[1], SIZE_2M, MK2_NESTED_RWX | MK2_NESTED_2M),
		      MK1_SUCCESS);
	expect_secret(&g);
	destroy_guest(&g);
	expect_given_back(memory, AT(NR_PAGES));
	expect_given_back(memory + SIZE_2M, SIZE_2M);
}

static void test_own_refused(void)
{
	uint64_t other = make_vm(), owned, va;
	struct guest g = make_owner();

	/* another VM, the hypervisor and extensions do not get it */
	EXPECT_STATUS(map(other, 0, spa(1), PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL2(vm_own, other, spa(1), PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL2(vm_disown, other, spa(1), PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL2(vm_own, g.vmid, spa(1), PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL2(mem_donate, spa(1), PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL1(vm_map_direct, MK1_ROOT_VMID, spa(1)), MK1_INVALID_INPUT_REG(2));
	EXPECT_STATUS(CALL1(vm_map_direct, g.vmid, spa(1)), MK1_INVALID_INPUT_REG(2));
	expect_secret(&g);
	/* nor does a VM get what others have */
	EXPECT_STATUS(CALL1(mem_alloc_page, 0), MK1_SUCCESS);
	va = out0;
	owned = out1;
	EXPECT_STATUS(CALL2(vm_own, g.vmid, owned, PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL1(mem_free_page, va), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_own, g.vmid, owned, PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL2(vm_own, g.vmid, 1ULL << 43, PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL2(vm_own, g.vmid, 0xFEE00000, PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(other, 0, spa(NR_PAGES), PAGE, MK2_NESTED_R), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_own, g.vmid, spa(NR_PAGES), PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL1(vm_map_direct, MK1_ROOT_VMID, large_spa[1]), MK1_SUCCESS);
	va = out0;
	EXPECT_STATUS(CALL2(vm_own, g.vmid, large_spa[1], SIZE_2M), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL1(vm_unmap_direct, MK1_ROOT_VMID, va), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_own, g.vmid, large_spa[1], SIZE_2M), MK1_SUCCESS);
	EXPECT_STATUS(CALL1(vm_destroy_vm, other), MK1_SUCCESS);
	destroy_guest(&g);
}

/* A VM that is there when the hypervisor stops: nothing of its own is left for Linux to see. */
static void test_left(void)
{
	struct guest g = make_owner();

	memset(memory + SIZE_2M, 0xA5, SIZE_2M);
	EXPECT_STATUS(CALL2(vm_own, g.vmid, large_spa[1], SIZE_2M), MK1_SUCCESS);
	expect_secret(&g);
	if (system("bfm stop"))
		fail("bfm stop");
	expect_bytes(memory, AT(NR_PAGES), 0);
	expect_bytes(memory + SIZE_2M, SIZE_2M, 0);
	memory[SIZE_2M] = 1;
	EXPECT(!memory[0] && !memory[SIZE_2M + PAGE]);
}
/* --- CPUs that come and go -------------------------------------------------------------------- */

/* The last CPU of the machine, whether it is online or not. */
static unsigned int last_cpu(void)
{
	return (unsigned int)sysconf(_SC_NPROCESSORS_CONF) - 1;
}

static void set_online(unsigned int cpu, bool online)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%d", online) < 0 || fclose(f))
		fail(path);
}

/* On every CPU there is nothing of it, and what one writes to a page of it is in another one. */
static void expect_hidden(void)
{
	expect_bytes(memory, AT(PAGE_DATA), 0);
	expect_bytes(memory + AT(PAGE_TARGET), PAGE, 0);
	expect_bytes(memory + SIZE_2M, SIZE_2M, 0);
	expect_one_page(memory, memory + AT(PAGE_TARGET));
	expect_one_page(memory + AT(PAGE_TARGET), memory + 2 * SIZE_2M - PAGE);
}

/* Threads that look all the time, one of them on the CPU that goes for as long as it is there. */
static bool watching;
static uint64_t seen[2], looks[2];

static void watch(unsigned int i)
{
	do {
		for (uint64_t off = 0; off < 2 * SIZE_2M; off += PAGE) {
			if (off < AT(NR_PAGES) ? off != AT(PAGE_DATA) : off >= SIZE_2M)
				seen[i] |= *(volatile uint64_t *)(memory + off);
		}
		__atomic_fetch_add(&looks[i], 1, __ATOMIC_RELAXED);
		sched_yield();
	} while (__atomic_load_n(&watching, __ATOMIC_RELAXED));
}

static void *watch_first(void *unused)
{
	(void)unused;
	on_cpu(0);
	watch(0);
	return NULL;
}

/* While the last CPU is offline: on any, and so on that one once it has come. */
static void *watch_last(void *unused)
{
	cpu_set_t all;

	(void)unused;
	memset(&all, 0xFF, sizeof(all));
	if (nr_cpus() > last_cpu())
		on_cpu(last_cpu());
	else if (sched_setaffinity(0, sizeof(all), &all))
		fail("sched_setaffinity");
	watch(1);
	return NULL;
}

static void begin_watch(pthread_t *threads)
{
	watching = true;
	looks[0] = looks[1] = 0;
	threads[0] = begin(watch_first);
	threads[1] = begin(watch_last);
	for (unsigned int i = 0; i < 2; i++)
		while (!__atomic_load_n(&looks[i], __ATOMIC_RELAXED))
			sched_yield();
}

static void end_watch(const pthread_t *threads)
{
	__atomic_store_n(&watching, false, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_EQ(seen[i], 0);
	}
}

/* The secret in the second 2 MiB, too. */
static void own_large(uint64_t vmid)
{
	memset(memory + SIZE_2M, 0xA5, SIZE_2M);
	EXPECT_STATUS(CALL2(vm_own, vmid, large_spa[1], SIZE_2M), MK1_SUCCESS);
	all_come_out();
	EXPECT_STATUS(map(vmid, SIZE_2M, large_spa[1], SIZE_2M, MK2_NESTED_RWX | MK2_NESTED_2M),
		      MK1_SUCCESS);
}

/* A VM that owns all of its pages but that of the data, by which Linux sees what its guest does. */
static uint64_t make_part_owner(const uint8_t *code, const uint8_t *end)
{
	uint64_t vmid = make_vm();

	load_code(PAGE_CODE, code, end);
	words(PAGE_TARGET)[0] = SECRET;
	EXPECT_STATUS(CALL2(vm_own, vmid, spa(0), AT(PAGE_DATA)), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_own, vmid, spa(PAGE_TARGET), PAGE), MK1_SUCCESS);
	all_come_out();
	EXPECT_STATUS(map(vmid, 0, spa(0), AT(NR_PAGES), MK2_NESTED_RWX), MK1_SUCCESS);
	own_large(vmid);
	return vmid;
}

/* Its guest finds all as it was, on this CPU. */
static void expect_intact(uint64_t vmid, unsigned int cpu)
{
	struct guest g = { .vmid = vmid };

	on_cpu(cpu);
	make_vs(&g, cpu);
	words(PAGE_DATA)[0] = 0;
	expect_secret(&g);
	EXPECT_EQ(words(PAGE_DATA)[0], SECRET);
	destroy_vs(&g);
	on_cpu(0);
}

static void disown_part(uint64_t vmid)
{
	EXPECT_STATUS(CALL2(vm_nested_unmap, vmid, 0, 2 * SIZE_2M), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_nested_flush, vmid, out0), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_disown, vmid, spa(0), AT(PAGE_DATA)), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_disown, vmid, spa(PAGE_TARGET), PAGE), MK1_SUCCESS);
	expect_given_back(memory, AT(PAGE_DATA));
	expect_given_back(memory + AT(PAGE_TARGET), PAGE);
	expect_one_page(memory + SIZE_2M, memory + 2 * SIZE_2M - PAGE);
	EXPECT_STATUS(CALL2(vm_disown, vmid, large_spa[1], SIZE_2M), MK1_SUCCESS);
	expect_given_back(memory + SIZE_2M, SIZE_2M);
	EXPECT_STATUS(CALL1(vm_destroy_vm, vmid), MK1_SUCCESS);
}

/* A CPU that was offline at the start comes in: it finds the decoy, and nothing is lost. */
static void test_comes(void)
{
	uint64_t vmid = make_part_owner(code_copy, code_copy_end);

	EXPECT(nr_cpus() == last_cpu());
	expect_intact(vmid, 0);
	expect_hidden();
	set_online(last_cpu(), true);
	EXPECT(nr_cpus() == last_cpu() + 1);
	expect_hidden();
	expect_intact(vmid, 0);
	expect_intact(vmid, last_cpu());
	expect_hidden();
	disown_part(vmid);
	/* no CPU has left: it can be had again */
	vmid = make_part_owner(code_copy, code_copy_end);
	expect_hidden();
	expect_intact(vmid, last_cpu());
	disown_part(vmid);
}

static struct guest runner;
static struct run runner_end;

static void *run_on_first(void *unused)
{
	(void)unused;
	on_cpu(0);
	make_vs(&runner, 0);
	runner_end = expect_run(&runner, not_mapped(), __LINE__);
	destroy_vs(&runner);
	return NULL;
}

/* All that there was is gone, and nothing new is to be had. */
static void expect_scrubbed(uint64_t vmid)
{
	expect_hidden();
	EXPECT_STATUS(map(vmid, 0, spa(0), PAGE, MK2_NESTED_RWX), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(vmid, SIZE_2M, large_spa[1], SIZE_2M, MK2_NESTED_R | MK2_NESTED_2M),
		      MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL2(vm_own, vmid, spa(NR_PAGES), PAGE), MK1_FAILURE_UNSUPPORTED);
}

/* A CPU goes and comes back, while a guest runs on another one and somebody looks all the time. */
static uint64_t go_and_come_back(void)
{
	pthread_t guest, watchers[2];

	runner.vmid = make_part_owner(code_loop, code_loop_end);
	expect_hidden();
	guest = begin(run_on_first);
	while (words(PAGE_DATA)[1] < 1000)
		sched_yield();
	EXPECT_EQ(words(PAGE_DATA)[0], SECRET);
	begin_watch(watchers);
	set_online(last_cpu(), false);
	EXPECT(nr_cpus() == last_cpu());
	pthread_join(guest, NULL);
	end_watch(watchers);
	expect_scrubbed(runner.vmid);
	begin_watch(watchers);
	set_online(last_cpu(), true);
	EXPECT(nr_cpus() == last_cpu() + 1);
	end_watch(watchers);
	expect_scrubbed(runner.vmid);
	return runner.vmid;
}

static void test_goes(void)
{
	disown_part(go_and_come_back());
}

/* What the VM still owns is Linux's after the stop, on every CPU. */
static void test_goes_left(void)
{
	go_and_come_back();
	if (system("bfm stop"))
		fail("bfm stop");
	expect_given_back(memory, AT(PAGE_DATA));
	expect_given_back(memory + AT(PAGE_TARGET), PAGE);
	expect_given_back(memory + SIZE_2M, SIZE_2M);
}

static const struct mk2_case cases[] = {
	{ "own", test_own },   { "refused", test_own_refused }, { "comes", test_comes },
	{ "goes", test_goes }, { "goes-left", test_goes_left }, { "left", test_left },
};

int main(int argc, char **argv)
{
	return argc > 1 ? run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]) : 2;
}
