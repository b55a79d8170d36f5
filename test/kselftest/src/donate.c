// SPDX-License-Identifier: GPL-2.0-only
/*
 * donate CASE: memory of this process becomes the hypervisor's, and comes back, by the extension
 * test/ext/donate.c. Says what did not hold. Ends with 4 if there is no memory of the kind.
 */
#include <string.h>
#include <sys/mman.h>

#include <abi/mk2.h>

#include "memory.h"
#include "test/ext/donate.h"

#define NO_MEMORY_OF_THE_KIND 4
#define PATTERN 0xA5
#define TABLES_MAX (8 + 2)
#define MAX_PIECES 8

/* --- the extension ---------------------------------------------------------------------------- */

static uint64_t rbx; /* of the last answer */

static uint64_t ask(uint32_t command, uint64_t rdx, uint64_t rsi)
{
	uint64_t rax = DONATE_LEAF, rcx = command;

	rbx = 0;
	__asm__ volatile("cpuid"
			 : "+a"(rax), "+b"(rbx), "+c"(rcx), "+d"(rdx)
			 : "S"(rsi)
			 : "memory");
	return rax;
}

/* Each CPU leaves Linux once. */
static void all_come_out(void)
{
	for (unsigned int cpu = 0; cpu < nr_cpus(); cpu++) {
		on_cpu(cpu);
		ask(DONATE_COUNT, 0, 0);
	}
}

/* --- memory ----------------------------------------------------------------------------------- */

struct piece {
	uint8_t *at;
	uint64_t spa;
	uint64_t size;
};

static uint8_t *allocate(uint64_t size, int flags)
{
	uint8_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | flags, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	memset(at, PATTERN, size);
	if (mlock(at, size))
		fail("mlock");
	return at;
}

/* One piece of 2 MiB, or several pages wherever they are. */
static unsigned int allocate_pieces(struct piece *pieces, bool large)
{
	unsigned int count = large ? 1 : MAX_PIECES;
	uint64_t size = large ? SIZE_2M : PAGE;
	uint8_t *at = allocate(count * size, large ? MAP_HUGETLB : 0);

	if (!at) {
		perror("mmap");
		exit(NO_MEMORY_OF_THE_KIND);
	}
	for (unsigned int i = 0; i < count; i++)
		pieces[i] = (struct piece){ at + i * size, spa_of(at + i * size), size };
	return count;
}

/* On every CPU, the pieces are full of the byte. */
static void expect_full_of(const struct piece *pieces, unsigned int count, uint8_t byte)
{
	for (unsigned int i = 0; i < count; i++)
		expect_bytes(pieces[i].at, pieces[i].size, byte);
}

/* Every page of them is the same one, on every CPU. */
static void expect_decoy(const struct piece *pieces, unsigned int count)
{
	expect_one_page(pieces[0].at, pieces[count - 1].at + pieces[count - 1].size - PAGE);
}

static void give(const struct piece *pieces, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (EXPECT_EQ(ask(DONATE_GIVE, pieces[i].spa, pieces[i].size), MK1_SUCCESS))
			EXPECT_EQ(ask(DONATE_GIVE, pieces[i].spa, pieces[i].size),
				  MK1_INVALID_PERM_DENIED);
	}
	all_come_out();
}

/* Backwards: tables for one may lie in another that came before. */
static void take_back(const struct piece *pieces, unsigned int count)
{
	for (unsigned int i = count; i-- > 0;) {
		if (EXPECT_EQ(ask(DONATE_RETURN, pieces[i].spa, 0), MK1_SUCCESS))
			EXPECT_EQ(rbx, pieces[i].size);
		EXPECT_EQ(ask(DONATE_RETURN, pieces[i].spa, 0), MK1_INVALID_INPUT_REG(1));
	}
	all_come_out();
}

/* --- the cases -------------------------------------------------------------------------------- */

static void to_and_fro(bool large)
{
	struct piece pieces[MAX_PIECES];
	unsigned int count = allocate_pieces(pieces, large);
	uint64_t pages = 0, taken, before = ask(DONATE_TAKE, 0, 0);

	EXPECT_EQ(rbx, 0);
	ask(DONATE_FREE, 0, 0);
	expect_full_of(pieces, count, PATTERN);
	give(pieces, count);
	expect_full_of(pieces, count, 0);
	expect_decoy(pieces, count);
	/* the pool has grown by them, but for a few tables, and what was in them is gone */
	taken = ask(DONATE_TAKE, 0, 0);
	EXPECT_EQ(rbx, 0);
	for (unsigned int i = 0; i < count; i++) {
		uint64_t used = ask(DONATE_COUNT, pieces[i].spa, pieces[i].size);

		EXPECT_EQ(used, pieces[i].size / PAGE);
		pages += used;
	}
	/* docs/abi/mk2.md says how many tables that are at most for each; here is one extension */
	EXPECT(taken > pages && taken <= before + pages &&
	       taken + count * TABLES_MAX >= before + pages);
	printf("%llu pages, then %llu, %llu of them this process's\n", (unsigned long long)before,
	       (unsigned long long)taken, (unsigned long long)pages);
	for (unsigned int i = 0; i < count; i++)
		EXPECT_EQ(ask(DONATE_RETURN, pieces[i].spa, 0), MK2_FAILURE_BUSY);
	expect_full_of(pieces, count, 0);
	ask(DONATE_FREE, 0, 0);
	take_back(pieces, count);
	expect_full_of(pieces, count, 0);
	for (unsigned int i = 0; i < count; i++)
		memset(pieces[i].at, (int)i + 1, pieces[i].size);
	for (unsigned int i = 0; i < count; i++)
		expect_full_of(&pieces[i], 1, (uint8_t)(i + 1));
	/* nothing stays behind, with tables that are free when each CPU has been there */
	EXPECT_EQ(ask(DONATE_RETURN, PAGE, 0), MK1_INVALID_INPUT_REG(1));
	EXPECT_EQ(ask(DONATE_TAKE, 0, 0), before);
	ask(DONATE_FREE, 0, 0);
}

#define RING_STEP 512 /* pages at a time */

/* The first page of the debug ring is somewhere in Linux's memory. */
static uint64_t find_ring(void)
{
	unsigned long long begin, end;
	FILE *file = fopen("/proc/iomem", "r");
	uint64_t spa = 0;
	char line[256];

	if (!file)
		fail("/proc/iomem");
	while (!spa && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%llx-%llx : System RA", &begin, &end) != 2 ||
		    !strstr(line, "System RAM"))
			continue;
		for (begin = (begin + PAGE) & ~(PAGE - 1); !spa && begin + PAGE <= end + 1;
		     begin += RING_STEP * PAGE) {
			uint64_t left = (end + 1 - begin) / PAGE;

			spa = ask(DONATE_FIND_RING, begin, left < RING_STEP ? left : RING_STEP);
		}
	}
	fclose(file);
	return spa;
}

static void refused(void)
{
	struct piece pieces[MAX_PIECES];
	uint64_t spa, ring = find_ring(), pool = ask(DONATE_POOL_PAGE, 0, 0);

	(void)allocate_pieces(pieces, false);
	spa = pieces[0].spa;
	EXPECT(ring && pool && spa);
	EXPECT_EQ(ask(DONATE_GIVE, ring, PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_EQ(ask(DONATE_GIVE, pool, PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_EQ(ask(DONATE_GIVE, 0xFEE00000, PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_EQ(ask(DONATE_GIVE, 0xF0000, PAGE), MK1_INVALID_PERM_DENIED);
	EXPECT_EQ(ask(DONATE_GIVE, 0, PAGE), MK1_INVALID_INPUT_REG(1));
	EXPECT_EQ(ask(DONATE_GIVE, spa + 1, PAGE), MK1_INVALID_INPUT_REG(1));
	EXPECT_EQ(ask(DONATE_GIVE, 1ULL << 44, PAGE), MK1_INVALID_INPUT_REG(1));
	EXPECT_EQ(ask(DONATE_GIVE, spa, 0), MK1_INVALID_INPUT_REG(2));
	EXPECT_EQ(ask(DONATE_GIVE, spa, PAGE - 1), MK1_INVALID_INPUT_REG(2));
	EXPECT_EQ(ask(DONATE_GIVE, spa, MK2_DONATION_MAX_BYTES + PAGE), MK1_INVALID_INPUT_REG(2));
	EXPECT_EQ(ask(DONATE_GIVE, (1ULL << 44) - PAGE, PAGE), MK1_FAILURE_UNSUPPORTED);
	EXPECT_EQ(ask(DONATE_RETURN, spa, 0), MK1_INVALID_INPUT_REG(1));
	EXPECT_EQ(ask(DONATE_RETURN, ring, 0), MK1_INVALID_INPUT_REG(1));
	expect_full_of(pieces, MAX_PIECES, PATTERN);
}

/* What is left in the hypervisor's hands is Linux's again when the hypervisor has stopped. */
static void left(void)
{
	struct piece pieces[MAX_PIECES];
	unsigned int count = allocate_pieces(pieces, false);

	give(pieces, count);
	expect_full_of(pieces, count, 0);
	if (system("bfm stop"))
		fail("bfm stop");
	for (unsigned int i = 0; i < count; i++)
		memset(pieces[i].at, (int)i + 1, pieces[i].size);
	for (unsigned int i = 0; i < count; i++)
		expect_full_of(&pieces[i], 1, (uint8_t)(i + 1));
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	on_cpu(0);
	if (!strcmp(name, "pages"))
		to_and_fro(false);
	else if (!strcmp(name, "large"))
		to_and_fro(true);
	else if (!strcmp(name, "refused"))
		refused();
	else if (!strcmp(name, "left"))
		left();
	else
		return 2;
	return failures != 0;
}
