// SPDX-License-Identifier: GPL-2.0-only
/*
 * firmware COMMAND: what can be seen of a hypervisor that the firmware has started, by its EFI
 * configuration table (abi/firmware.h) and /dev/mem. Fails if it is not there, or not as it should
 * be.
 *
 *   table     prints what the table says
 *   dump      prints the debug ring
 *   exits     on each CPU, by affinity: CPUIDs there count as exits of one PP, another one on each.
 *             UNUSED in the environment: PPs that Linux has no CPU for
 *   reserved  the memory of the hypervisor is reserved, as /proc/iomem shows it
 *   hidden    each page of it reads the same, as the decoy does
 */
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <abi/firmware.h>

#define NR_CPUIDS 1000

/* An entry of the array of tables (UEFI specification §4.6). */
struct table_entry {
	struct guid {
		uint32_t a;
		uint16_t b, c;
		uint8_t d[8];
	} guid;
	uint64_t address;
};

#define MAX_TABLES 64

static int memory;
static const struct bf_firmware *table;
static const struct bf_region *owned;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static const void *map(uint64_t spa, uint64_t size)
{
	uint64_t offset = spa % BF_PAGE_SIZE;
	const uint8_t *at =
		mmap(NULL, offset + size, PROT_READ, MAP_SHARED, memory, (off_t)(spa - offset));

	if (at == MAP_FAILED)
		die("mmap");
	return at + offset;
}

static bool find_table(void)
{
	static const struct guid guid = BF_FIRMWARE_GUID;
	FILE *file = fopen("/sys/firmware/efi/config_table", "re");
	uint64_t address;

	if (!file || fscanf(file, "%lx", &address) != 1)
		die("/sys/firmware/efi/config_table");
	fclose(file);
	for (unsigned int i = 0; i < MAX_TABLES; i++, address += sizeof(struct table_entry)) {
		/* each by itself: what follows them may be nothing that can be mapped */
		const struct table_entry *entry = map(address, sizeof(*entry));

		if (memcmp(&entry->guid, &guid, sizeof(guid)))
			continue;
		table = map(entry->address, sizeof(*table));
		if (table->magic != BF_FIRMWARE_MAGIC || table->version != BF_HANDOFF_VERSION)
			return false;
		owned = map(table->owned.spa, table->owned.count * sizeof(*owned));
		return true;
	}
	return false;
}

static const struct bf_pp_status *statuses(void)
{
	return map(table->status.spa, table->nr_pps * sizeof(struct bf_pp_status));
}

static int show_table(void)
{
	printf("vendor %u, %u PPs, %u extensions, %lu blocks, started in %lu ns\n", table->vendor,
	       table->nr_pps, table->nr_exts, table->owned.count, table->start_ns);
	return 0;
}

static int dump(void)
{
	const struct bf_ring *ring = map(table->ring.spa, table->ring.size);
	uint64_t n = ring->written > ring->size ? ring->written - ring->size : 0;

	for (; n < ring->written; n++)
		putchar(ring->data[n % ring->size]);
	return 0;
}

static void execute_cpuids(void)
{
	for (unsigned int i = 0; i < NR_CPUIDS; i++) {
		uint32_t a = 0, b, c = 0, d;

		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	}
}

/* The PP whose exits these CPUIDs are, or -1. */
static int pp_of(const struct bf_pp_status *status, long cpu)
{
	uint64_t *before = calloc(table->nr_pps, sizeof(*before));
	cpu_set_t set;
	int found = -1;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (!before || sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
	for (uint32_t i = 0; i < table->nr_pps; i++)
		before[i] = *(const volatile uint64_t *)&status[i].exits;
	execute_cpuids();
	for (uint32_t i = 0; i < table->nr_pps; i++) {
		uint64_t exits = *(const volatile uint64_t *)&status[i].exits - before[i];

		if (exits < NR_CPUIDS)
			continue;
		printf("CPU %ld is PP %u: %lu exits\n", cpu, i, exits);
		found = status[i].state == BF_PP_GUEST && found < 0 ? (int)i : -1;
	}
	free(before);
	return found;
}

static int count_exits(void)
{
	const struct bf_pp_status *status = statuses();
	uint8_t seen[BF_MAX_PPS] = { 0 };
	const char *text = getenv("UNUSED");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), unused = text ? atol(text) : 0;

	if (cpus + unused != table->nr_pps)
		printf("%ld CPUs, but %u PPs\n", cpus, table->nr_pps);
	for (long cpu = 0; cpu < cpus; cpu++) {
		int pp = pp_of(status, cpu);

		if (pp < 0 || seen[pp]++) {
			printf("CPU %ld has no PP of its own\n", cpu);
			return 1;
		}
	}
	return cpus + unused != table->nr_pps;
}

static bool is_reserved(const struct bf_region *region)
{
	FILE *file = fopen("/proc/iomem", "re");
	uint64_t begin, end;
	char line[256], what[64];
	bool found = false;

	if (!file)
		die("/proc/iomem");
	while (fgets(line, sizeof(line), file) && !found)
		found = *line != ' ' &&
			sscanf(line, "%lx-%lx : %63[^\n]", &begin, &end, what) == 3 &&
			!strcmp(what, "Reserved") && region->spa >= begin &&
			region->spa + region->size - 1 <= end;
	fclose(file);
	return found;
}

static int check_reserved(void)
{
	for (uint64_t i = 0; i < table->owned.count; i++) {
		const struct bf_region *r = &owned[i];

		if (is_reserved(r))
			continue;
		printf("0x%lx, 0x%lx bytes: not reserved\n", r->spa, r->size);
		return 1;
	}
	return 0;
}

static int check_hidden(void)
{
	static uint8_t first[BF_PAGE_SIZE], page[BF_PAGE_SIZE];
	uint64_t pages = 0;

	memcpy(first, map(owned[0].spa, BF_PAGE_SIZE), BF_PAGE_SIZE);
	for (uint64_t i = 0; i < table->owned.count; i++) {
		const struct bf_region *r = &owned[i];
		const uint8_t *at = map(r->spa, r->size);

		for (uint64_t offset = 0; offset < r->size; offset += BF_PAGE_SIZE, pages++) {
			memcpy(page, at + offset, BF_PAGE_SIZE);
			if (!memcmp(page, first, BF_PAGE_SIZE))
				continue;
			printf("0x%lx: not the decoy\n", r->spa + offset);
			return 1;
		}
	}
	printf("%lu pages\n", pages);
	return pages < 2;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(void);
	} commands[] = { { "table", show_table },
			 { "dump", dump },
			 { "exits", count_exits },
			 { "reserved", check_reserved },
			 { "hidden", check_hidden } };

	memory = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	if (memory < 0)
		die("/dev/mem");
	if (!find_table()) {
		printf("no table of a hypervisor's\n");
		return 1;
	}
	for (unsigned int i = 0; argc == 2 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run();
	return 2;
}
