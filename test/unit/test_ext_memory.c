// SPDX-License-Identifier: GPL-2.0-only
/*
 * ext/linux/memory.c: Linux's memory in all paging modes, on a physical memory of some pages. The
 * extension sees a page only between vm_map_direct and vm_unmap_direct, or takes a SIGSEGV.
 */
#include "fake_mk1.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <abi/mk2.h>

#define LIBEXT_MK2_SYS_H

#define RAM 0x200000ULL
#define NR_PAGES 64
#define RAM_END (RAM + NR_PAGES * 0x1000ULL)
#define HIDDEN (RAM_END - 0x1000) /* the hypervisor's */
#define DEVICE 0x300000ULL
#define DATA 0x203FF8ULL /* 8 bytes before the end of a page */
#define ELSEWHERE 0x21A000ULL /* another one of Linux's */
#define RIGHTS (BSL_PTE_P | BSL_PTE_W | BSL_PTE_U)

static struct {
	uint8_t *raw, *view; /* the same pages: as the test and as the extension sees them */
	bool mapped[NR_PAGES];
	unsigned int nr_mapped;
	uint64_t refusal; /* of vm_map_direct; 0: none */
	bool no_ram_call;
	uint16_t vmid;
	uint64_t next_table;
	uint64_t *changing; /* another CPU changes this entry ... */
	unsigned int changes; /* so many times */
	bool amd;
	uint64_t reg[256]; /* enum ext_reg */
	uint64_t pdpte[4], secondary;
} m;

static uint64_t mk1_vm_map_direct(uint64_t h, uint64_t vmid, uint64_t spa, uint64_t *va)
{
	uint64_t page = (spa - RAM) / 0x1000;

	ck_assert(h == MK1_HANDLE && vmid == MK1_ROOT_VMID && spa % 0x1000 == 0);
	ck_assert_msg(spa >= RAM && spa < RAM_END, "0x%llx is not RAM", (unsigned long long)spa);
	if (m.refusal)
		return m.refusal;
	if (spa == HIDDEN)
		return MK1_INVALID_INPUT_REG(2);
	if (m.mapped[page])
		return MK1_FAILURE_UNKNOWN;
	m.mapped[page] = true;
	m.nr_mapped++;
	*va = (uint64_t)m.view + (spa - RAM);
	if (mprotect((void *)*va, 0x1000, PROT_READ | PROT_WRITE))
		abort();
	return MK1_SUCCESS;
}

static uint64_t mk1_vm_unmap_direct(uint64_t h, uint64_t vmid, uint64_t va)
{
	uint64_t page = (va - (uint64_t)m.view) / 0x1000;

	if (h != MK1_HANDLE || vmid != MK1_ROOT_VMID || page >= NR_PAGES || !m.mapped[page] ||
	    mprotect((void *)va, 0x1000, PROT_NONE))
		abort();
	m.mapped[page] = false;
	m.nr_mapped--;
	if (m.changes && m.changing) {
		m.changes--;
		*m.changing ^= 0x200; /* a bit that the CPU ignores */
	}
	return MK1_SUCCESS;
}

static uint64_t mk2_mem_ram(uint64_t h, uint64_t spa, uint64_t *begin, uint64_t *size)
{
	ck_assert_uint_eq(h, MK2_HANDLE);
	*begin = *size = 0x55;
	if (m.no_ram_call)
		return MK1_FAILURE_INVALID_HANDLE;
	if (spa >= RAM_END)
		return MK1_INVALID_INPUT_REG(1);
	*begin = RAM;
	*size = RAM_END - RAM;
	return MK1_SUCCESS;
}

static uint64_t *fake_reg(uint64_t reg)
{
	return &fake.reg[reg];
}

static uint16_t vmid_of_pp(void)
{
	return m.vmid;
}

#define mk1_tls_vmid vmid_of_pp
#include <ext/linux/memory.c>

bool linux_is_on_amd(void)
{
	return m.amd;
}

uint64_t ext_reg_read(uint64_t vsid, enum ext_reg reg)
{
	ck_assert_uint_eq(vsid, 3);
	return m.reg[reg];
}

uint64_t vs_get(uint64_t vsid, uint64_t reg)
{
	ck_assert_uint_eq(vsid, 3);
	if (reg == MK1_INTEL_secondary_proc_based_vm_execution_ctls)
		return m.secondary;
	ck_assert(reg >= MK1_INTEL_pdpte0 && reg <= MK1_INTEL_pdpte3);
	return m.pdpte[reg - MK1_INTEL_pdpte0];
}

static void *raw(uint64_t spa)
{
	ck_assert(spa >= RAM && spa < RAM_END);
	return m.raw + (spa - RAM);
}

/* --- page tables ------------------------------------------------------------------------------ */

enum { OFF, TWO = 2, PAE, FOUR, FIVE };

static const struct mode {
	unsigned int levels, leaf;
	uint64_t high; /* of addresses */
} modes[] = {
	{ OFF, 0, 0 },
	{ TWO, 1, 0xC0000000 },
	{ TWO, 2, 0xC0000000 },
	{ PAE, 1, 0xC0000000 },
	{ PAE, 2, 0xC0000000 },
	{ FOUR, 1, 0xFFFF888000000000 },
	{ FOUR, 2, 0x00007F8000000000 },
	{ FOUR, 3, 0xFFFFFFFFC0000000 },
	{ FIVE, 1, 0xFF11000000000000 },
	{ FIVE, 2, 0x00F1000000000000 },
	{ FIVE, 3, 0xFF11000000000000 },
};

#define NR_MODES ((int)(sizeof(modes) / sizeof(modes[0])))

static const struct mode *mode;

static uint64_t new_table(void)
{
	uint64_t table = m.next_table;

	m.next_table += 0x1000;
	return table;
}

/* The entry for la in a table, by level; tables are made as needed. */
static uint8_t *entry_of(uint64_t la, unsigned int level)
{
	unsigned int bits = mode->levels == TWO ? 10 : 9, size = mode->levels == TWO ? 4 : 8;
	uint64_t table = m.reg[EXT_REG_cr3] & (mode->levels == PAE ? 0xFFFFFFE0 : BSL_PTE_SPA);

	for (unsigned int at = mode->levels;; at--) {
		uint64_t index = la >> (12 + bits * (at - 1)) & ((1u << bits) - 1), value = 0;
		uint8_t *entry;

		if (mode->levels == PAE && at == PAE)
			index &= 3;
		entry = (uint8_t *)raw(table) + index * size;
		if (at == level)
			return entry;
		memcpy(&value, entry, size);
		if (!value) {
			value = new_table() |
				(mode->levels == PAE && at == PAE ? BSL_PTE_P : RIGHTS);
			memcpy(entry, &value, size);
		}
		table = value & BSL_PTE_SPA;
	}
}

static uint64_t get(uint64_t la, unsigned int level)
{
	uint64_t value = 0;

	memcpy(&value, entry_of(la, level), mode->levels == TWO ? 4 : 8);
	return value;
}

static void set(uint64_t la, unsigned int level, uint64_t value)
{
	memcpy(entry_of(la, level), &value, mode->levels == TWO ? 4 : 8);
}

/* With large pages one of them is at 0 or 2 MiB, and has all RAM. */
static void map(uint64_t la, uint64_t spa)
{
	if (mode->leaf == 1)
		set(la, 1, (spa & ~0xFFFULL) | BSL_PTE_P | BSL_PTE_W);
	else if (mode->leaf)
		set(la, mode->leaf,
		    (mode->leaf == 2 && mode->levels > TWO ? RAM : 0) | BSL_PTE_P | BSL_PTE_W |
			    BSL_PTE_PS);
}

static uint64_t la_of(uint64_t spa)
{
	return mode->high + spa;
}

static void use(const struct mode *which)
{
	mode = which;
	m.next_table = RAM + 0x20000;
	memset(m.raw + 0x20000, 0, 0x1F000);
	m.reg[EXT_REG_cr0] = CR0_PE | CR0_WP | (mode->levels ? CR0_PG : 0);
	m.reg[EXT_REG_cr4] = (mode->levels == TWO ? CR4_PSE : CR4_PAE) | CR4_SMAP | CR4_SMEP |
			     (mode->levels == FIVE ? CR4_LA57 : 0);
	m.reg[EXT_REG_efer] = mode->levels >= FOUR ? EFER_LMA | EFER_LME | EFER_NXE : EFER_NXE;
	m.reg[EXT_REG_cr3] = new_table();
	if (mode->levels == PAE)
		m.reg[EXT_REG_cr3] |= 0xFE0; /* 32 bytes at the end of the page */
	else
		m.reg[EXT_REG_cr3] |= 0x7FF; /* a PCID */
	if (mode->levels >= FOUR)
		m.reg[EXT_REG_cr3] |= 3ULL << 61; /* LAM */
	map(la_of(DATA), DATA);
}

static void setup(void)
{
	int fd = memfd_create("ram", 0);

	fake_reset();
	memset(&m, 0, sizeof(m));
	ck_assert_int_eq(ftruncate(fd, NR_PAGES * 0x1000), 0);
	m.raw = mmap(NULL, NR_PAGES * 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	m.view = mmap(NULL, NR_PAGES * 0x1000, PROT_NONE, MAP_SHARED, fd, 0);
	ck_assert(m.raw != MAP_FAILED && m.view != MAP_FAILED);
	close(fd);
	m.amd = true;
	memset(&ram, 0, sizeof(ram));
	for (unsigned int i = 0; i < 0x20000; i++)
		m.raw[i] = (uint8_t)(i * 37 >> 3);
	use(&modes[5]);
}

static void teardown(void)
{
	ck_assert_uint_eq(m.nr_mapped, 0);
	ck_assert_uint_eq(nr_windows, 0);
	munmap(m.raw, NR_PAGES * 0x1000);
	munmap(m.view, NR_PAGES * 0x1000);
}

static uint8_t data[0x3000];
static size_t done;

static enum ext_mem_status read_at(uint64_t la, size_t size)
{
	done = 0x5555;
	memset(data, 0xEE, sizeof(data));
	return ext_mem_read(3, la, data, size, &done);
}

/* --- tests ------------------------------------------------------------------------------------ */

/* Over the end of a page, to one that is elsewhere where pages are small. */
START_TEST(every_mode)
{
	uint64_t second, la, gpa;

	use(&modes[_i]);
	second = mode->leaf == 1 ? ELSEWHERE : DATA + 8;
	la = la_of(DATA);
	map(la + 8, second);
	ck_assert_int_eq(read_at(la, 20), EXT_MEM_OK);
	ck_assert_uint_eq(done, 20);
	ck_assert_mem_eq(data, raw(DATA), 8);
	ck_assert_mem_eq(data + 8, raw(second), 12);
	ck_assert_uint_eq(data[20], 0xEE);
	ck_assert_int_eq(ext_mem_translate(3, la + 9, EXT_MEM_READ, &gpa), EXT_MEM_OK);
	ck_assert_uint_eq(gpa, second + 1);
	if (mode->leaf) /* looking leaves nothing */
		ck_assert_uint_eq(get(la, mode->leaf) & (BSL_PTE_A | BSL_PTE_D), 0);
	ck_assert_int_eq(ext_mem_write(3, la + 4, "abcdefgh", 8, 0, &done), EXT_MEM_OK);
	ck_assert_uint_eq(done, 8);
	ck_assert_mem_eq(raw(DATA + 4), "abcd", 4);
	ck_assert_mem_eq(raw(second), "efgh", 4);
	if (mode->leaf) {
		ck_assert_uint_eq(get(la, mode->leaf) & (BSL_PTE_A | BSL_PTE_D),
				  BSL_PTE_A | BSL_PTE_D);
		ck_assert_uint_eq(get(la + 8, mode->leaf) & BSL_PTE_D, BSL_PTE_D);
	}
	/* nothing at all is nothing */
	ck_assert_int_eq(read_at(la, 0), EXT_MEM_OK);
	ck_assert_uint_eq(done, 0);
	ck_assert_int_eq(ext_mem_read(3, la, data, 20, NULL), EXT_MEM_OK);
	/* from another address space */
	if (mode->leaf) {
		uint64_t cr3 = m.reg[EXT_REG_cr3], empty = new_table();

		m.reg[EXT_REG_cr3] = empty;
		ck_assert_int_eq(read_at(la, 20), EXT_MEM_NOT_PRESENT);
		ck_assert_int_eq(ext_mem_read_as(3, cr3, la, data, 20, &done), EXT_MEM_OK);
		ck_assert_uint_eq(done, 20);
		ck_assert_mem_eq(data, raw(DATA), 8);
		ck_assert_mem_eq(data + 8, raw(second), 12);
		ck_assert_int_eq(ext_mem_read_as(3, empty, la, data, 20, NULL),
				 EXT_MEM_NOT_PRESENT);
	}
}
END_TEST

START_TEST(what_no_mode_has)
{
	static const struct {
		unsigned int mode;
		uint64_t la;
	} cases[] = {
		{ 0, 0x100000000 },        { 1, 0x1C0000000 },        { 3, 0xFFFFFFFFC0000000 },
		{ 5, 0x0000800000000000 }, { 5, 0xFFFF7FFFFFFFFFFF }, { 5, 0xFF11000000000000 },
		{ 8, 0x0100000000000000 }, { 8, 0xFEFFFFFFFFFFFFFF },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		use(&modes[cases[i].mode]);
		ck_assert_int_eq(read_at(cases[i].la, 1), EXT_MEM_NOT_CANONICAL);
		ck_assert_uint_eq(done, 0);
	}
	/* the last page of all, and what is not behind it */
	use(&modes[5]);
	map(0xFFFFFFFFFFFFF000, ELSEWHERE);
	map(0, DATA);
	ck_assert_int_eq(read_at(0xFFFFFFFFFFFFFFFC, 8), EXT_MEM_NOT_CANONICAL);
	ck_assert_uint_eq(done, 4);
	ck_assert_mem_eq(data, raw(ELSEWHERE + 0xFFC), 4);
	memset(raw(ELSEWHERE + 0xFFC), 'a', 4);
	ck_assert_int_eq(ext_mem_string(3, 0xFFFFFFFFFFFFFFFC, (char *)data, 8, &done),
			 EXT_MEM_NOT_CANONICAL);
	ck_assert_str_eq((char *)data, "aaaa");
}
END_TEST

/* The second page fails: 8 bytes are there. */
static void expect(uint64_t entry, enum ext_mem_status status)
{
	set(la_of(DATA) + 8, 1, entry);
	ck_assert_int_eq(read_at(la_of(DATA), 20), status);
	ck_assert_uint_eq(done, 8);
	ck_assert_mem_eq(data, raw(DATA), 8);
	ck_assert_uint_eq(data[8], 0xEE);
}

START_TEST(pages_that_are_not_there)
{
	use(&modes[5 + 3 * _i]);
	expect(0, EXT_MEM_NOT_PRESENT);
	expect(ELSEWHERE | BSL_PTE_W, EXT_MEM_NOT_PRESENT);
	expect(ELSEWHERE | RIGHTS | 1ULL << 51, EXT_MEM_RESERVED);
	expect(DEVICE | RIGHTS, EXT_MEM_NOT_RAM);
	expect(0x1000 | RIGHTS, EXT_MEM_NOT_RAM);
	expect(HIDDEN | RIGHTS, EXT_MEM_HIDDEN);
	m.refusal = MK1_INVALID_PERM_DENIED;
	ck_assert_int_eq(read_at(la_of(DATA), 1), EXT_MEM_REFUSED);
	m.refusal = 0;
	m.no_ram_call = true;
	memset(&ram, 0, sizeof(ram));
	ck_assert_int_eq(read_at(la_of(DATA), 1), EXT_MEM_REFUSED);
	m.no_ram_call = false;
	m.vmid = 1;
	ck_assert_int_eq(read_at(la_of(DATA), 1), EXT_MEM_NOT_LINUX);
	m.vmid = 0;
	ck_assert_int_eq(read_at(la_of(DATA), 1), EXT_MEM_OK);
}
END_TEST

/* A table that leads to a device is not followed. */
START_TEST(tables_that_are_not_there)
{
	for (unsigned int level = 2; level <= FOUR; level++) {
		static const struct {
			uint64_t table;
			enum ext_mem_status status;
		} cases[] = { { DEVICE, EXT_MEM_NOT_RAM },
			      { HIDDEN, EXT_MEM_HIDDEN },
			      { 0xFFFFF000, EXT_MEM_NOT_RAM } };

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			use(&modes[5]);
			set(la_of(DATA), level, cases[i].table | RIGHTS);
			ck_assert_int_eq(read_at(la_of(DATA), 4), cases[i].status);
			ck_assert_uint_eq(done, 0);
		}
		set(la_of(DATA), level, 0);
		ck_assert_int_eq(read_at(la_of(DATA), 4), EXT_MEM_NOT_PRESENT);
	}
	use(&modes[5]);
	m.reg[EXT_REG_cr3] = DEVICE;
	ck_assert_int_eq(read_at(la_of(DATA), 4), EXT_MEM_NOT_RAM);
}
END_TEST

START_TEST(rights)
{
	uint64_t la = la_of(DATA), gpa;

	set(la, 1, (DATA & ~0xFFFULL) | BSL_PTE_P | BSL_PTE_NX);
	ck_assert_int_eq(ext_mem_translate(3, la, EXT_MEM_READ, &gpa), EXT_MEM_OK);
	ck_assert_int_eq(ext_mem_translate(3, la, EXT_MEM_WRITE, &gpa), EXT_MEM_FORBIDDEN);
	ck_assert_int_eq(ext_mem_translate(3, la, EXT_MEM_FETCH, &gpa), EXT_MEM_FORBIDDEN);
	ck_assert_int_eq(ext_mem_translate(3, la, EXT_MEM_USER, &gpa), EXT_MEM_FORBIDDEN);
	ck_assert_int_eq(ext_mem_translate(3, la, EXT_MEM_ANY | EXT_MEM_WRITE, &gpa), EXT_MEM_OK);
	ck_assert_int_eq(ext_mem_write(3, la, "x", 1, 0, &done), EXT_MEM_FORBIDDEN);
	ck_assert_uint_eq(done, 0);
	ck_assert_mem_ne(raw(DATA), "x", 1);
	ck_assert_uint_eq(get(la, 1) & (BSL_PTE_A | BSL_PTE_D), 0);
	/* written to nevertheless, it does not become a shadow stack */
	ck_assert_int_eq(ext_mem_write(3, la, "x", 1, EXT_MEM_ANY, &done), EXT_MEM_OK);
	ck_assert_mem_eq(raw(DATA), "x", 1);
	ck_assert_uint_eq(get(la, 1) & (BSL_PTE_A | BSL_PTE_D), BSL_PTE_A);
	/* SMAP: a program's page is for reading only by this */
	set(la, 1, (DATA & ~0xFFFULL) | RIGHTS);
	ck_assert_int_eq(read_at(la, 1), EXT_MEM_OK);
	ck_assert_int_eq(ext_mem_write(3, la, "y", 1, 0, &done), EXT_MEM_FORBIDDEN);
	m.reg[EXT_REG_rflags] = RFLAGS_AC;
	ck_assert_int_eq(ext_mem_write(3, la, "y", 1, 0, &done), EXT_MEM_OK);
	/* keys of pages are not looked at */
	m.reg[EXT_REG_cr4] |= CR4_PKE;
	set(la, 1, (DATA & ~0xFFFULL) | RIGHTS | 5ULL << 59);
	ck_assert_int_eq(ext_mem_translate(3, la, EXT_MEM_USER | EXT_MEM_WRITE, &gpa), EXT_MEM_OK);
}
END_TEST

/* Another CPU changes the entry between the look at it and the mark. */
START_TEST(tables_that_change)
{
	m.changing = (uint64_t *)(void *)entry_of(la_of(DATA), 1);
	m.reg[EXT_REG_cr4] = CR4_PAE;
	m.changes = 6;
	ck_assert_int_eq(ext_mem_write(3, la_of(DATA), "z", 1, 0, &done), EXT_MEM_OK);
	ck_assert_uint_eq(m.changes, 0);
	ck_assert_uint_eq(*m.changing & BSL_PTE_D, BSL_PTE_D);
	*m.changing &= ~BSL_PTE_D;
	m.changes = 100000;
	ck_assert_int_eq(ext_mem_write(3, la_of(DATA), "y", 1, 0, &done), EXT_MEM_CHANGING);
	ck_assert_mem_eq(raw(DATA), "z", 1);
	ck_assert_uint_eq(done, 0);
}
END_TEST

START_TEST(strings)
{
	uint64_t la = la_of(DATA);
	char text[64];
	size_t length;

	map(la + 8, ELSEWHERE);
	memcpy(raw(DATA), "12345678", 8);
	memcpy(raw(ELSEWHERE), "9abc", 5);
	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(ext_mem_string(3, la, text, sizeof(text), &length), EXT_MEM_OK);
	ck_assert_str_eq(text, "123456789abc");
	ck_assert_uint_eq(length, 12);
	ck_assert_int_eq(ext_mem_string(3, la, text, 13, &length), EXT_MEM_OK);
	ck_assert_uint_eq(length, 12);
	text[12] = 'x';
	ck_assert_int_eq(ext_mem_string(3, la, text, 12, &length), EXT_MEM_NO_END);
	ck_assert_str_eq(text, "123456789ab");
	ck_assert_uint_eq(length, 11);
	ck_assert_uint_eq(text[12], 'x');
	ck_assert_int_eq(ext_mem_string(3, la, text, 8, NULL), EXT_MEM_NO_END);
	ck_assert_str_eq(text, "1234567");
	ck_assert_int_eq(ext_mem_string(3, la, text, 1, &length), EXT_MEM_NO_END);
	ck_assert_str_eq(text, "");
	text[0] = 'x';
	ck_assert_int_eq(ext_mem_string(3, la, text, 0, &length), EXT_MEM_NO_END);
	ck_assert_int_eq(text[0], 'x');
	ck_assert_uint_eq(length, 0);
	/* what is behind its page does not matter */
	set(la + 8, 1, 0);
	ck_assert_int_eq(ext_mem_string(3, la, text, sizeof(text), &length), EXT_MEM_NOT_PRESENT);
	ck_assert_str_eq(text, "12345678");
	ck_assert_uint_eq(length, 8);
	memcpy(raw(DATA), "1234567", 8);
	ck_assert_int_eq(ext_mem_string(3, la, text, sizeof(text), &length), EXT_MEM_OK);
	ck_assert_str_eq(text, "1234567");
}
END_TEST

START_TEST(code)
{
	uint64_t la = la_of(DATA);
	uint8_t bytes[EXT_MEM_CODE_MAX];

	map(la + 8, ELSEWHERE);
	m.reg[EXT_REG_rip] = la;
	ck_assert_int_eq(ext_mem_code(3, bytes, &done), EXT_MEM_OK);
	ck_assert_uint_eq(done, EXT_MEM_CODE_MAX);
	ck_assert_mem_eq(bytes, raw(DATA), 8);
	ck_assert_mem_eq(bytes + 8, raw(ELSEWHERE), 7);
	set(la + 8, 1, 0);
	ck_assert_int_eq(ext_mem_code(3, bytes, &done), EXT_MEM_OK);
	ck_assert_uint_eq(done, 8);
	m.reg[EXT_REG_rip] = la + 8;
	ck_assert_int_eq(ext_mem_code(3, bytes, &done), EXT_MEM_NOT_PRESENT);
	ck_assert_uint_eq(done, 0);
	/* real mode */
	use(&modes[0]);
	m.reg[EXT_REG_efer] = 0;
	m.reg[EXT_REG_cs_base] = 0xFFFF0000;
	m.reg[EXT_REG_rip] = DATA + 0x10000;
	ck_assert_int_eq(ext_mem_code(3, bytes, &done), EXT_MEM_OK);
	ck_assert_mem_eq(bytes, raw(DATA), 15);
}
END_TEST

START_TEST(intels_pdptes)
{
	use(&modes[3]);
	m.amd = false;
	ck_assert_int_eq(read_at(la_of(DATA), 4), EXT_MEM_OK);
	m.secondary = VMX_SECONDARY_EPT;
	ck_assert_int_eq(read_at(la_of(DATA), 4), EXT_MEM_NOT_PRESENT);
	m.pdpte[3] = get(la_of(DATA), 3);
	set(la_of(DATA), 3, 0);
	ck_assert_int_eq(read_at(la_of(DATA), 4), EXT_MEM_OK);
	ck_assert_mem_eq(data, raw(DATA), 4);
	m.amd = true;
	ck_assert_int_eq(read_at(la_of(DATA), 4), EXT_MEM_NOT_PRESENT);
}
END_TEST

START_TEST(physical)
{
	ck_assert_int_eq(ext_mem_read_phys(DATA, data, 0x2000, &done), EXT_MEM_OK);
	ck_assert_uint_eq(done, 0x2000);
	ck_assert_mem_eq(data, raw(DATA), 0x2000);
	ck_assert_int_eq(ext_mem_write_phys(DATA + 4, "01234567", 8, &done), EXT_MEM_OK);
	ck_assert_mem_eq(raw(DATA + 4), "01234567", 8);
	ck_assert_int_eq(ext_mem_read_phys(HIDDEN - 4, data, 8, &done), EXT_MEM_HIDDEN);
	ck_assert_uint_eq(done, 4);
	ck_assert_int_eq(ext_mem_write_phys(HIDDEN, "0", 1, &done), EXT_MEM_HIDDEN);
	ck_assert_int_eq(ext_mem_write_phys(DEVICE, "0", 1, &done), EXT_MEM_NOT_RAM);
	ck_assert_int_eq(ext_mem_read_phys(RAM - 1, data, 2, &done), EXT_MEM_NOT_RAM);
	ck_assert_uint_eq(done, 0);
	ck_assert_int_eq(ext_mem_read_phys(UINT64_MAX, data, 2, &done), EXT_MEM_NOT_RAM);
	ck_assert_int_eq(ext_mem_read_phys(0, data, 2, &done), EXT_MEM_NOT_RAM);
}
END_TEST

/* Whoever else has the page open keeps it. */
START_TEST(windows_are_shared)
{
	uint8_t *first, *second, *third;

	ck_assert_int_eq(open_window(RAM, &first), EXT_MEM_OK);
	ck_assert_int_eq(open_window(RAM, &second), EXT_MEM_OK);
	ck_assert_int_eq(open_window(RAM + 0x1000, &third), EXT_MEM_OK);
	ck_assert_ptr_eq(first, second);
	ck_assert_uint_eq(m.nr_mapped, 2);
	close_window(first);
	ck_assert_uint_eq(m.nr_mapped, 2);
	ck_assert_int_eq(*second, m.raw[0]);
	close_window(second);
	ck_assert_uint_eq(m.nr_mapped, 1);
	ck_assert_int_eq(*third, m.raw[0x1000]);
	close_window(third);
	/* the extension's own mapping stays */
	m.mapped[0] = true;
	ck_assert_int_eq(open_window(RAM, &first), EXT_MEM_REFUSED);
	ck_assert(m.mapped[0]);
	nr_windows = MAX_WINDOWS;
	ck_assert_int_eq(open_window(RAM + 0x5000, &first), EXT_MEM_REFUSED);
	nr_windows = 0;
}
END_TEST

/* Threads that wait for a fair lock may each take a time slice: not many, nor often. */
static void *reader(void *wrong)
{
	uint8_t mine[20];

	for (unsigned int i = 0; i < 100; i++) {
		if (ext_mem_read(3, la_of(DATA), mine, sizeof(mine), NULL) != EXT_MEM_OK ||
		    memcmp(mine, raw(DATA), 8) || memcmp(mine + 8, raw(ELSEWHERE), 12))
			__atomic_fetch_add((unsigned int *)wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

START_TEST(several_pps)
{
	pthread_t threads[2];
	unsigned int wrong = 0;

	map(la_of(DATA) + 8, ELSEWHERE);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, reader, &wrong), 0);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(sentences)
{
	for (unsigned int i = 0; i <= EXT_MEM_REFUSED; i++)
		ck_assert_ptr_nonnull(ext_mem_why((enum ext_mem_status)i));
	ck_assert_str_eq(ext_mem_why(EXT_MEM_NOT_RAM), "it is not RAM");
	ck_assert_str_eq(ext_mem_why((enum ext_mem_status)(EXT_MEM_REFUSED + 1)), "unknown status");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ext_memory");
	TCase *tc = tcase_create("ext_memory");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, every_mode, 0, NR_MODES);
	tcase_add_test(tc, what_no_mode_has);
	tcase_add_loop_test(tc, pages_that_are_not_there, 0, 2);
	tcase_add_test(tc, tables_that_are_not_there);
	tcase_add_test(tc, rights);
	tcase_add_test(tc, tables_that_change);
	tcase_add_test(tc, strings);
	tcase_add_test(tc, code);
	tcase_add_test(tc, intels_pdptes);
	tcase_add_test(tc, physical);
	tcase_add_test(tc, windows_are_shared);
	tcase_add_test(tc, several_pps);
	tcase_add_test(tc, sentences);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
