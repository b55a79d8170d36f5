// SPDX-License-Identifier: GPL-2.0-only
/* Translation through a guest's page tables, against what the manuals say. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <abi/hw/x86.h>
#include <bsl/guest_paging.h>
#include <bsl/paging.h>
#include <ext/libext/paging.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define LA 0x5A7C3456ULL
#define PAGE 0x0000000240000000ULL /* aligned to the largest size, in 40 bits */
#define WIDTH 40
#define PDPT 0x3FE0ULL /* of PAE */
#define RIGHTS (BSL_PTE_P | BSL_PTE_W | BSL_PTE_U)
#define NO_ACCESS 1 /* of a protection key */
#define NO_WRITE 2

/* libcheck's assertions write a file each time. */
#define REQUIRE(condition, access, c) \
	do { \
		if (!(condition)) \
			ck_abort_msg("%s: case 0x%x, access or bit %u", #condition, c, access); \
	} while (0)

/* The modes by the number of levels. */
enum { OFF, TWO = 2, PAE, FOUR, FIVE };

/* A guest with one page, through one table a level: that of level n is at n * 0x1000. */
static uint64_t tables[6][512];
static struct paging_regs regs;
static uint8_t *entries[6]; /* those for LA by level */
static unsigned int reads, exchanges, fails_at; /* the access that fails, 0: none */
static enum paging_status failure;
static uint64_t gpa;
static uint32_t error;

static void *at(uint64_t address, unsigned int bytes)
{
	REQUIRE(bytes == 4 || bytes == 8, bytes, 0);
	REQUIRE(address % bytes == 0 && address >= 0x1000 && address < sizeof(tables), 0, 0);
	return (uint8_t *)tables + address;
}

static bool read_entry(void *ctx, uint64_t address, unsigned int bytes, uint64_t *entry)
{
	REQUIRE(ctx == tables, 0, 0);
	*entry = 0;
	memcpy(entry, at(address, bytes), bytes);
	return ++reads != fails_at || failure != PAGING_UNREACHABLE;
}

static enum paging_status exchange(void *ctx, uint64_t address, unsigned int bytes,
				   uint64_t expected, uint64_t value)
{
	REQUIRE(ctx == tables, 0, 0);
	if (reads + ++exchanges == fails_at)
		return failure;
	if (memcmp(at(address, bytes), &expected, bytes))
		return PAGING_CHANGED;
	memcpy(at(address, bytes), &value, bytes);
	return PAGING_OK;
}

static enum paging_status translate(unsigned int access)
{
	static const struct paging_ops ops = { read_entry, exchange };

	reads = exchanges = 0;
	gpa = 0;
	error = 0;
	return paging_translate(&regs, &ops, tables, LA, access, &gpa, &error);
}

static uint64_t get(unsigned int levels, unsigned int level)
{
	uint64_t value = 0;

	memcpy(&value, entries[level], levels == TWO ? 4 : 8);
	return value;
}

static void set(unsigned int levels, unsigned int level, uint64_t value)
{
	memcpy(entries[level], &value, levels == TWO ? 4 : 8);
}

/* Maps LA to PAGE by a leaf of a level. */
static void setup(unsigned int levels, unsigned int leaf)
{
	unsigned int bits = levels == TWO ? 10 : 9;

	memset(tables, 0, sizeof(tables));
	regs = (struct paging_regs){
		.cr0 = CR0_PE | CR0_WP | (levels ? CR0_PG : 0),
		.cr3 = levels * 0x1000ULL | 0xFFF, /* PCID, PWT and PCD, ignored bits */
		.cr4 = (levels == TWO ? CR4_PSE : CR4_PAE) | (levels == FIVE ? CR4_LA57 : 0),
		.efer = (levels > TWO ? EFER_NXE : 0) | (levels >= FOUR ? EFER_LMA : 0),
		.physical_bits = WIDTH,
		.has_1gib_pages = true,
	};
	fails_at = 0;
	if (levels == PAE) /* a table of 32 bytes, below 4 GiB */
		regs.cr3 = 0xFFFFFFFF00000000 | PDPT | 0x1F;
	for (unsigned int level = 1; level <= levels; level++) {
		unsigned int index = LA >> (12 + bits * (level - 1)) & ((1u << bits) - 1);
		uint64_t value = (level - 1) * 0x1000ULL | RIGHTS;

		entries[level] = (uint8_t *)tables[level] + index * (levels == TWO ? 4 : 8);
		if (levels == PAE && level == PAE)
			entries[level] += PDPT % 0x1000;
		if (level == leaf)
			value = (levels == TWO ? 0x40000000 : PAGE) | RIGHTS |
				(leaf > 1 ? BSL_PTE_PS : 0);
		else if (levels == PAE && level == PAE)
			value = 0x2000 | BSL_PTE_P;
		set(levels, level, value);
	}
}

static const struct {
	unsigned int levels, leaf;
	uint64_t gpa;
} shapes[] = {
	{ TWO, 1, 0x40000456 },         { TWO, 2, 0x403C3456 },    { PAE, 1, PAGE + 0x456 },
	{ PAE, 2, PAGE + 0x1C3456 },    { FOUR, 1, PAGE + 0x456 }, { FOUR, 2, PAGE + 0x1C3456 },
	{ FOUR, 3, PAGE + 0x1A7C3456 }, { FIVE, 1, PAGE + 0x456 }, { FIVE, 2, PAGE + 0x1C3456 },
	{ FIVE, 3, PAGE + 0x1A7C3456 },
};

/* Whether an entry has accessed bits. */
static bool is_marked(unsigned int levels, unsigned int level)
{
	return levels != PAE || level != PAE;
}

START_TEST(translates_and_marks)
{
	unsigned int levels = shapes[_i].levels, leaf = shapes[_i].leaf;

	setup(levels, leaf);
	ck_assert_int_eq(translate(0), PAGING_OK);
	ck_assert_uint_eq(gpa, shapes[_i].gpa);
	ck_assert_uint_eq(reads, levels - leaf + 1);
	for (unsigned int level = leaf; level <= levels; level++)
		ck_assert_uint_eq(get(levels, level) & (BSL_PTE_A | BSL_PTE_D),
				  is_marked(levels, level) ? BSL_PTE_A : 0);
	ck_assert_int_eq(translate(0), PAGING_OK);
	ck_assert_uint_eq(exchanges, 0);
	ck_assert_int_eq(translate(PAGING_WRITE | PAGING_USER), PAGING_OK);
	ck_assert_uint_eq(exchanges, 1);
	ck_assert_uint_eq(get(levels, leaf) & (BSL_PTE_A | BSL_PTE_D), BSL_PTE_A | BSL_PTE_D);
	if (leaf < levels)
		ck_assert(!(get(levels, leaf + 1) & BSL_PTE_D));
	ck_assert_int_eq(translate(PAGING_WRITE), PAGING_OK);
	ck_assert_uint_eq(exchanges, 0);
	ck_assert_uint_eq(gpa, shapes[_i].gpa);
}
END_TEST

/* Pages of 4 KiB, 2 or 4 MiB, and 1 GiB; elsewhere the PS bit is reserved. */
START_TEST(leaves_are_on_the_lower_levels)
{
	static const unsigned int highest[] = { [TWO] = 2, [PAE] = 2, [FOUR] = 3, [FIVE] = 3 };

	for (unsigned int levels = TWO; levels <= FIVE; levels++) {
		struct bsl_guest_paging p;

		setup(levels, 1);
		p = bsl_guest_paging_of(regs.cr0, regs.cr4, regs.efer);
		ck_assert_uint_eq(p.levels, levels);
		for (unsigned int level = 1; level <= levels; level++) {
			uint64_t base;

			ck_assert(bsl_guest_leaf(&p, level, BSL_PTE_P, &base) == (level == 1));
			ck_assert(bsl_guest_leaf(&p, level, BSL_PTE_P | BSL_PTE_PS, &base) ==
				  (level <= highest[levels]));
		}
	}
}
END_TEST

START_TEST(paging_is_off)
{
	setup(OFF, 0);
	ck_assert_int_eq(translate(PAGING_WRITE), PAGING_OK);
	ck_assert_uint_eq(gpa, LA);
	ck_assert_uint_eq(reads, 0);
}
END_TEST

START_TEST(every_level_may_be_absent)
{
	unsigned int levels = shapes[_i].levels, leaf = shapes[_i].leaf;

	for (unsigned int level = leaf; level <= levels; level++) {
		setup(levels, leaf);
		/* Reserved bits do not matter then. */
		set(levels, level, (get(levels, level) | 0x200000) & ~BSL_PTE_P);
		ck_assert_int_eq(translate(PAGING_WRITE | PAGING_USER), PAGING_FAULT);
		ck_assert_uint_eq(error, PF_ERROR_W | PF_ERROR_U);
		ck_assert_int_eq(translate(0), PAGING_FAULT);
		ck_assert_uint_eq(error, 0);
		ck_assert_uint_eq(exchanges, 0);
	}
}
END_TEST

/* A table that cannot be accessed, and an entry that another CPU changes. */
START_TEST(every_access_may_fail)
{
	static const enum paging_status failures[] = { PAGING_CHANGED, PAGING_UNREACHABLE };
	unsigned int levels = shapes[_i].levels, leaf = shapes[_i].leaf;

	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		unsigned int total;

		setup(levels, leaf);
		ck_assert_int_eq(translate(0), PAGING_OK);
		total = reads + exchanges;
		ck_assert_uint_eq(exchanges, reads - (levels == PAE));
		for (unsigned int n = 1; n <= total; n++) {
			setup(levels, leaf);
			fails_at = n;
			failure = failures[i];
			if (failure == PAGING_CHANGED && n <= levels - leaf + 1)
				continue; /* a read does not */
			ck_assert_int_eq(translate(0), failure);
			ck_assert_uint_eq(reads + exchanges, n);
		}
	}
}
END_TEST

/* The table of a PML4 that leads to itself is marked at one level, then at the next. */
START_TEST(tables_may_lead_to_themselves)
{
	unsigned int tries = 1;

	setup(FOUR, 1);
	regs.cr3 = 0x1000;
	/* LA has other indices on each level: let them all lead to one table. */
	for (unsigned int level = 1; level <= 4; level++)
		tables[1][LA >> (12 + 9 * (level - 1)) & 511] = 0x1000 | RIGHTS;
	ck_assert_int_eq(translate(PAGING_WRITE), PAGING_OK);
	/* One entry for two levels, of addresses of which two indices are the same. */
	memset(tables, 0, sizeof(tables));
	for (unsigned int i = 0; i < 512; i++)
		tables[1][i] = 0x1000 | RIGHTS;
	regs.cr4 |= CR4_LA57; /* both upper indices of LA are 0 */
	while (translate(0) == PAGING_CHANGED)
		tries++;
	ck_assert_uint_eq(tries, 2);
	ck_assert_uint_eq(gpa, 0x1456);
	ck_assert_uint_eq(tables[1][0], 0x1000 | RIGHTS | BSL_PTE_A);
}
END_TEST

/* --- rights ------------------------------------------------------------------------------------*/

static const unsigned int accesses[] = {
	0,
	PAGING_WRITE,
	PAGING_FETCH,
	PAGING_USER,
	PAGING_USER | PAGING_WRITE,
	PAGING_USER | PAGING_FETCH,
	PAGING_IMPLICIT,
	PAGING_IMPLICIT | PAGING_WRITE,
};

/* SDM vol. 3, "Determination of Access Rights", sentence by sentence; u, w, x: of the page. */
static bool is_allowed(unsigned int access, bool u, bool w, bool x)
{
	bool ac = regs.rflags & RFLAGS_AC, smap = regs.cr4 & CR4_SMAP;

	if (!(access & PAGING_USER)) {
		if (access & PAGING_FETCH)
			return x && (!u || !(regs.cr4 & CR4_SMEP));
		if (u && smap && (!ac || access & PAGING_IMPLICIT))
			return false;
		return !(access & PAGING_WRITE) || w || !(regs.cr0 & CR0_WP);
	}
	if (!u)
		return false;
	return access & PAGING_FETCH ? x : !(access & PAGING_WRITE) || w;
}

/* Every combination of rights in two entries and of control bits. */
START_TEST(rights_are_checked)
{
	static const uint64_t bits[] = { BSL_PTE_W, BSL_PTE_U, BSL_PTE_NX };
	unsigned int levels = shapes[_i].levels, leaf = shapes[_i].leaf;
	unsigned int upper = levels == PAE ? 2 : levels;
	unsigned int allowed = 0, forbidden = 0;

	for (unsigned int c = 0; c < 1 << 11; c++) {
		bool nxe = c & 0x400 && levels != TWO;
		uint64_t low = 0, high = 0;

		for (unsigned int b = 0; b < 3; b++) {
			if (b == 2 && !nxe)
				break;
			low |= c >> b & 1 ? bits[b] : 0;
			high |= c >> (b + 3) & 1 ? bits[b] : 0;
		}
		if (leaf == upper)
			high = low;
		for (size_t a = 0; a < ARRAY_SIZE(accesses); a++) {
			unsigned int access = accesses[a];
			uint64_t both = low & high, any = low | high;
			uint32_t code;
			bool expected;

			setup(levels, leaf);
			set(levels, leaf, (get(levels, leaf) & ~RIGHTS) | BSL_PTE_P | low);
			set(levels, upper, (get(levels, upper) & ~RIGHTS) | BSL_PTE_P | high);
			regs.cr0 = CR0_PE | CR0_PG | (c & 0x40 ? CR0_WP : 0);
			regs.cr4 |= (c & 0x80 ? CR4_SMEP : 0) | (c & 0x100 ? CR4_SMAP : 0);
			regs.rflags = c & 0x200 ? RFLAGS_AC : 0;
			if (!nxe)
				regs.efer &= ~(uint64_t)EFER_NXE;
			expected = is_allowed(access, both & BSL_PTE_U, both & BSL_PTE_W,
					      !(any & BSL_PTE_NX));
			REQUIRE(translate(access) == (expected ? PAGING_OK : PAGING_FAULT), access,
				c);
			*(expected ? &allowed : &forbidden) += 1;
			if (expected)
				continue;
			code = PF_ERROR_P | (access & (PAGING_WRITE | PAGING_USER));
			if (access & PAGING_FETCH && (nxe || regs.cr4 & CR4_SMEP))
				code |= PF_ERROR_I;
			REQUIRE(error == code && !exchanges, access, c);
		}
	}
	ck_assert_uint_gt(allowed, 3000);
	ck_assert_uint_gt(forbidden, 3000);
}
END_TEST

/* Entries are left alone, or rights are; a page that is not to be written to does not get dirty. */
START_TEST(looking_and_forcing)
{
	static const struct paging_ops look = { read_entry, NULL };
	unsigned int levels = shapes[_i].levels, leaf = shapes[_i].leaf;

	setup(levels, leaf);
	set(levels, leaf, get(levels, leaf) & ~(BSL_PTE_W | BSL_PTE_U));
	reads = exchanges = 0;
	ck_assert_int_eq(paging_translate(&regs, &look, tables, LA, 0, &gpa, &error), PAGING_OK);
	ck_assert_uint_eq(gpa, shapes[_i].gpa);
	ck_assert_uint_eq(get(levels, leaf) & (BSL_PTE_A | BSL_PTE_D), 0);
	ck_assert_int_eq(paging_translate(&regs, &look, tables, LA, PAGING_WRITE, &gpa, &error),
			 PAGING_FAULT);
	ck_assert_int_eq(translate(PAGING_WRITE | PAGING_USER), PAGING_FAULT);
	ck_assert_int_eq(translate(PAGING_WRITE | PAGING_USER | PAGING_ANY), PAGING_OK);
	ck_assert_uint_eq(get(levels, leaf) & (BSL_PTE_A | BSL_PTE_D), BSL_PTE_A);
	set(levels, leaf, get(levels, leaf) | BSL_PTE_W);
	ck_assert_int_eq(translate(PAGING_WRITE | PAGING_ANY), PAGING_OK);
	ck_assert_uint_eq(get(levels, leaf) & (BSL_PTE_A | BSL_PTE_D), BSL_PTE_A | BSL_PTE_D);
	set(levels, leaf, 0);
	ck_assert_int_eq(translate(PAGING_ANY), PAGING_FAULT);
}
END_TEST

START_TEST(protection_keys)
{
	for (unsigned int c = 0; c < 1 << 9; c++) {
		bool u = c & 1, wp = c & 2, pke = c & 4, pks = c & 8;
		unsigned int user_key = c >> 4 & 3, supervisor_key = c >> 6 & 3;
		unsigned int levels = c >> 8 ? FIVE : FOUR;

		for (size_t a = 0; a < ARRAY_SIZE(accesses); a++) {
			unsigned int access = accesses[a], rights;
			bool denied, user = access & PAGING_USER;
			uint32_t code = PF_ERROR_P | (access & 0x16);

			setup(levels, 2);
			set(levels, 2,
			    (get(levels, 2) & ~BSL_PTE_U) | (u ? BSL_PTE_U : 0) | 5ULL << 59);
			regs.cr0 = CR0_PE | CR0_PG | (wp ? CR0_WP : 0);
			regs.cr4 |= (pke ? CR4_PKE : 0) | (pks ? CR4_PKS : 0);
			/* Other keys' rights do not matter. */
			regs.pkru = ~(3u << 10) | user_key << 10;
			regs.pkrs = ~(3u << 10) | supervisor_key << 10;
			rights = u ? (pke ? user_key : 0) : (pks ? supervisor_key : 0);
			denied = rights & NO_ACCESS ||
				 (rights & NO_WRITE && access & PAGING_WRITE && (user || wp));
			if (access & PAGING_FETCH)
				denied = false;
			if (denied)
				code |= PF_ERROR_PK;
			denied |= user && !u;
			REQUIRE(translate(access) == (denied ? PAGING_FAULT : PAGING_OK), access,
				c);
			REQUIRE(error == (denied ? code : 0), access, c);
		}
	}
	/* 32-bit modes have none. */
	setup(PAE, 2);
	regs.cr4 |= CR4_PKE | CR4_PKS;
	regs.pkru = regs.pkrs = 0xFFFFFFFF;
	ck_assert_int_eq(translate(PAGING_USER), PAGING_OK);
}
END_TEST

/* --- reserved bits: SDM vol. 3, the tables of the formats of entries ---------------------------*/

#define ABOVE 0x000FFF0000000000ULL /* bits 51:40 */
#define PAE_ABOVE 0x7FFFFF0000000000ULL /* 62:40 */

static const struct {
	unsigned int levels, leaf, level;
	uint64_t reserved, reserved_amd; /* with NXE */
} formats[] = {
	{ TWO, 1, 1, 0, 0 },
	{ TWO, 1, 2, 0, 0 },
	{ TWO, 2, 2, 0x200000, 0x200000 },
	{ PAE, 1, 1, PAE_ABOVE, PAE_ABOVE },
	{ PAE, 1, 2, PAE_ABOVE, PAE_ABOVE },
	{ PAE, 2, 2, PAE_ABOVE | 0x1FE000, PAE_ABOVE | 0x1FE000 },
	{ PAE, 1, 3, PAE_ABOVE | BSL_PTE_NX | 0x1E6, PAE_ABOVE | BSL_PTE_NX | 0x1C6 },
	{ FOUR, 1, 1, ABOVE, ABOVE },
	{ FOUR, 1, 2, ABOVE, ABOVE },
	{ FOUR, 2, 2, ABOVE | 0x1FE000, ABOVE | 0x1FE000 },
	{ FOUR, 1, 3, ABOVE, ABOVE | 0x100 },
	{ FOUR, 3, 3, ABOVE | 0x3FFFE000, ABOVE | 0x3FFFE000 },
	{ FOUR, 1, 4, ABOVE | 0x80, ABOVE | 0x180 },
	{ FIVE, 1, 5, ABOVE | 0x80, ABOVE | 0x180 },
	{ FIVE, 1, 4, ABOVE | 0x80, ABOVE | 0x180 },
};

START_TEST(reserved_bits_fault)
{
	unsigned int levels = formats[_i].levels, leaf = formats[_i].leaf;

	for (unsigned int c = 0; c < 4 * 64; c++) {
		unsigned int bit = c % 64;
		bool amd = c & 64, nxe = c & 128;
		uint64_t reserved = amd ? formats[_i].reserved_amd : formats[_i].reserved;
		bool pae_root = levels == PAE && formats[_i].level == PAE;
		uint64_t changed = 1ULL << bit;

		/* Not what makes it an entry of another kind, or leads elsewhere. */
		if (bit == 0 || (levels == TWO && bit >= 32) ||
		    (changed == BSL_PTE_PS && formats[_i].level > 1 && formats[_i].level < 4 &&
		     !pae_root))
			continue;
		setup(levels, leaf);
		regs.is_amd = amd;
		if (!nxe) {
			regs.efer &= ~(uint64_t)EFER_NXE;
			reserved |= levels > TWO ? BSL_PTE_NX : 0;
		}
		set(levels, formats[_i].level, get(levels, formats[_i].level) | changed);
		if (changed & reserved) {
			REQUIRE(translate(PAGING_USER) == PAGING_FAULT, bit, c);
			REQUIRE(error == (PF_ERROR_P | PF_ERROR_RSV | PF_ERROR_U), bit, c);
		} else if (!(changed & BSL_PTE_SPA) || levels == TWO || formats[_i].level == leaf) {
			if (levels == TWO && formats[_i].level != leaf && changed & BSL_PTE_SPA)
				continue;
			REQUIRE(translate(PAGING_USER) == PAGING_OK, bit, c);
		}
	}
}
END_TEST

START_TEST(large_pages_of_32_bit_paging)
{
	/* Bits 39:32 are in 20:13 (PSE-36), as far as the CPU has them. */
	setup(TWO, 2);
	set(TWO, 2, 0x40000000 | RIGHTS | BSL_PTE_PS | 0xA5 << 13);
	ck_assert_int_eq(translate(0), PAGING_OK);
	ck_assert_uint_eq(gpa, 0xA5403C3456);
	regs.physical_bits = 36;
	ck_assert_int_eq(translate(0), PAGING_FAULT);
	ck_assert_uint_eq(error, PF_ERROR_P | PF_ERROR_RSV);
	for (unsigned int bit = 13; bit < 21; bit++) {
		set(TWO, 2, 0x40000000 | RIGHTS | BSL_PTE_PS | 1u << bit);
		ck_assert_int_eq(translate(0), bit < 17 ? PAGING_OK : PAGING_FAULT);
	}
	set(TWO, 2, 0x40000000 | RIGHTS | BSL_PTE_PS | 0x05 << 13);
	ck_assert_int_eq(translate(0), PAGING_OK);
	ck_assert_uint_eq(gpa, 0x05403C3456);
	/* Without CR4.PSE the bit does not matter. */
	setup(TWO, 1);
	regs.cr4 = 0;
	set(TWO, 2, get(TWO, 2) | BSL_PTE_PS);
	ck_assert_int_eq(translate(0), PAGING_OK);
	ck_assert_uint_eq(gpa, 0x40000456);
}
END_TEST

/* Without PAE no page can forbid fetches, whatever EFER says. */
START_TEST(fetches_are_told_apart_where_they_matter)
{
	setup(TWO, 1);
	regs.efer = EFER_NXE;
	set(TWO, 1, 0);
	ck_assert_int_eq(translate(PAGING_FETCH), PAGING_FAULT);
	ck_assert_uint_eq(error, 0);
	regs.cr4 |= CR4_SMEP;
	ck_assert_int_eq(translate(PAGING_FETCH), PAGING_FAULT);
	ck_assert_uint_eq(error, PF_ERROR_I);
	setup(PAE, 1);
	set(PAE, 1, 0);
	ck_assert_int_eq(translate(PAGING_FETCH), PAGING_FAULT);
	ck_assert_uint_eq(error, PF_ERROR_I);
}
END_TEST

START_TEST(cpu_without_1gib_pages)
{
	setup(FOUR, 3);
	regs.has_1gib_pages = false;
	ck_assert_int_eq(translate(PAGING_WRITE), PAGING_FAULT);
	ck_assert_uint_eq(error, PF_ERROR_P | PF_ERROR_RSV | PF_ERROR_W);
	setup(FOUR, 2);
	regs.has_1gib_pages = false;
	ck_assert_int_eq(translate(PAGING_WRITE), PAGING_OK);
}
END_TEST

/* Of PAE the CPU may have loaded the uppermost entries before. */
START_TEST(pdptes_may_be_registers)
{
	static const uint64_t pdptes[4] = { 0, 0x2000 | BSL_PTE_P, 0, 0 };
	static const uint64_t absent[4] = { 0x2001, 0, 0x2001, 0x2001 };

	setup(PAE, 1);
	set(PAE, 3, 0);
	regs.pdptes = pdptes;
	ck_assert_int_eq(translate(0), PAGING_OK);
	ck_assert_uint_eq(gpa, PAGE + 0x456);
	ck_assert_uint_eq(reads, 2);
	regs.pdptes = absent;
	ck_assert_int_eq(translate(0), PAGING_FAULT);
	ck_assert_uint_eq(reads, 0);
	regs.pdptes = NULL;
	ck_assert_int_eq(translate(0), PAGING_FAULT);
	ck_assert_uint_eq(reads, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("guest_paging");
	TCase *tc = tcase_create("guest_paging");
	SRunner *runner = srunner_create(suite);
	int failed, nr_shapes = (int)ARRAY_SIZE(shapes);

	tcase_add_loop_test(tc, translates_and_marks, 0, nr_shapes);
	tcase_add_test(tc, leaves_are_on_the_lower_levels);
	tcase_add_test(tc, paging_is_off);
	tcase_add_loop_test(tc, every_level_may_be_absent, 0, nr_shapes);
	tcase_add_loop_test(tc, every_access_may_fail, 0, nr_shapes);
	tcase_add_test(tc, tables_may_lead_to_themselves);
	tcase_add_loop_test(tc, rights_are_checked, 0, nr_shapes);
	tcase_add_loop_test(tc, looking_and_forcing, 0, nr_shapes);
	tcase_add_test(tc, protection_keys);
	tcase_add_loop_test(tc, reserved_bits_fault, 0, (int)ARRAY_SIZE(formats));
	tcase_add_test(tc, large_pages_of_32_bit_paging);
	tcase_add_test(tc, fetches_are_told_apart_where_they_matter);
	tcase_add_test(tc, cpu_without_1gib_pages);
	tcase_add_test(tc, pdptes_may_be_registers);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
