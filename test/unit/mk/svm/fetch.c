// SPDX-License-Identifier: GPL-2.0-only
/* svm/fetch.c: the instruction of a guest, read through its page tables and the nested ones. */
#include <string.h>

#include <bsl/paging.h>

#include "../guest.h"
#include "../suites.h"

#define CODE 5 /* the pages of Linux's memory: 0 to 4 are tables, by level - 1 */
#define VA 0xFFFFFFFF81234567ULL
#define LEGACY_VA 0x81234567ULL
#define TABLE (BSL_PTE_P | BSL_PTE_W | BSL_PTE_A)

static void put_entry(unsigned int level, unsigned int bits, unsigned int bytes, uint64_t va,
		      uint64_t value)
{
	uint64_t index = va >> (12 + bits * (level - 1)) & ((1U << bits) - 1);

	memcpy((uint8_t *)phys_at(linux_page(level - 1)) + index * bytes, &value, bytes);
}

/* A mode of paging; VA leads to the page CODE. */
static void paging(unsigned int levels, uint64_t va)
{
	unsigned int bits = levels == 2 ? 10 : 9, bytes = levels == 2 ? 4 : 8;

	vmcb()->cr0 = CR0_PE | CR0_PG;
	vmcb()->cr3 = linux_page(levels - 1);
	vmcb()->cr4 = levels == 2 ? 0 : levels == 5 ? CR4_PAE | CR4_LA57 : CR4_PAE;
	vmcb()->efer = EFER_SVME | (levels > 3 ? EFER_LME | EFER_LMA : 0);
	vmcb()->cs.attrib = levels > 3 ? 0xA9B : 0xC9B;
	vmcb()->cs.base = 0;
	for (unsigned int l = levels; l > 0; l--)
		put_entry(l, bits, bytes, va,
			  (l > 1 ? linux_page(l - 2) : linux_page(CODE)) | TABLE);
	vmcb()->rip = va;
}

static void put_code(uint64_t at, const char *code, size_t n)
{
	memcpy((uint8_t *)phys_at(linux_page(CODE)) + (at & 0xFFF), code, n);
}

static void running(void)
{
	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, 1); /* no next-RIP save */
	start_and_launch();
	memset(phys_at(linux_page(CODE)), 0x90, 2 * PAGE);
}

static bool runs; /* the guest goes on with the step, which is code of its own */

static void step_over(uint64_t exitcode)
{
	vmcb()->exitcode = exitcode;
	vmcb()->nrip = 0;
	if (runs)
		RUN(mk.vendor->vs_advance_ip_and_run(host_pp->vs));
	else
		(void)mk.vendor->vs_advance_ip(host_pp->vs);
}

/* How far the instruction at rip is stepped over; 0: its length cannot be told. */
static uint64_t length(void)
{
	uint64_t rip = vmcb()->rip, next;

	/* CPUID, and an exit that any instruction may have */
	step_over(SVM_EXIT_CPUID);
	if (vmcb()->rip == rip)
		step_over(SVM_EXIT_NPF);
	next = vmcb()->rip;
	vmcb()->rip = rip;
	return next - rip;
}

#define CPUID "\x0F\xA2"
#define MOVABS "\x48\xB8\x01\x02\x03\x04\x05\x06\x07\x08" /* as DEC EAX, MOV imm32 in 32 bits */

START_TEST(each_mode_of_paging)
{
	uint64_t va = _i > 3 ? VA : LEGACY_VA;

	running();
	paging((unsigned int)_i, va);
	put_code(va, MOVABS, 10);
	ck_assert_uint_eq(length(), _i > 3 ? 10 : 1);
	put_code(va, CPUID, 2);
	ck_assert_uint_eq(length(), 2);
	ck_assert_uint_eq(length(), 2);
	/* none of the levels present */
	for (unsigned int l = (unsigned int)_i; l > 0; l--) {
		paging((unsigned int)_i, va);
		put_entry(l, _i == 2 ? 10 : 9, _i == 2 ? 4 : 8, va, 0);
		ck_assert_uint_eq(length(), 0);
	}
}
END_TEST

/* By the way of a syscall: the active VS goes on behind the instruction. */
START_TEST(advance_ip)
{
	running();
	guest_exit(SVM_EXIT_INTR); /* an interrupt */
	paging(4, VA);
	put_code(VA, MOVABS, 10);
	vmcb()->rflags = 2;
	SYS(vs_advance_ip_and_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(vmcb()->rip, VA + 10);
}
END_TEST

START_TEST(no_paging)
{
	running();
	vmcb()->cr0 = CR0_PE;
	vmcb()->efer = EFER_SVME;
	vmcb()->cs.attrib = 0x9B; /* 16 bits */
	vmcb()->cs.base = linux_page(CODE) - 0x100;
	vmcb()->rip = 0x100;
	put_code(0, "\xB8\x01\x02\x03\x04", 5);
	ck_assert_uint_eq(length(), 3);
	vmcb()->cs.attrib = 0x49B; /* 32 bits */
	ck_assert_uint_eq(length(), 5);
	put_code(0, CPUID, 2);
	ck_assert_uint_eq(length(), 2);
	ck_assert_uint_eq(host_pp->svm.code.page, ~0ULL);
	/* it wraps at 4 GiB */
	vmcb()->cs.base = 0xFFFFF000 + linux_page(CODE);
	vmcb()->rip = 0x1000;
	ck_assert_uint_eq(length(), 2);
	vmcb()->rip = 0xFFFFFFFF;
	vmcb()->cs.base = linux_page(CODE) + 1;
	uint64_t next;
	ck_assert(svm_next_rip(vmcb(), &next));
	ck_assert_uint_eq(next, 1);
}
END_TEST

/* Long mode's compatibility mode: long-mode tables, 32-bit code. */
START_TEST(compatibility_mode)
{
	running();
	paging(4, 0x1234567);
	vmcb()->cs.attrib = 0xC9B;
	put_code(0x567, MOVABS, 10);
	ck_assert_uint_eq(length(), 1);
	put_code(0x567, CPUID, 2);
	ck_assert_uint_eq(length(), 2);
	ck_assert_uint_eq(host_pp->svm.code.page, ~0ULL);
}
END_TEST

START_TEST(large_pages)
{
	running();
	/* 2 MiB and 1 GiB in long mode */
	paging(4, VA);
	put_entry(2, 9, 8, VA, (linux_page(CODE) & ~0x1FFFFFULL) | BSL_PTE_PS | TABLE);
	vmcb()->rip = (VA & ~0x1FFFFFULL) | (linux_page(CODE) & 0x1FFFFF) | 0x10;
	put_code(0x10, CPUID, 2);
	ck_assert_uint_eq(length(), 2);
	paging(4, VA);
	put_entry(3, 9, 8, VA, (linux_page(CODE) & ~0x3FFFFFFFULL) | BSL_PTE_PS | TABLE);
	vmcb()->rip = (VA & ~0x3FFFFFFFULL) | (linux_page(CODE) & 0x3FFFFFFF) | 0x10;
	ck_assert_uint_eq(length(), 2);
	/* 2 MiB with PAE; PS is reserved in its uppermost level */
	paging(3, LEGACY_VA);
	put_entry(2, 9, 8, LEGACY_VA, (linux_page(CODE) & ~0x1FFFFFULL) | BSL_PTE_PS | TABLE);
	vmcb()->rip = (LEGACY_VA & ~0x1FFFFFULL) | (linux_page(CODE) & 0x1FFFFF) | 0x10;
	ck_assert_uint_eq(length(), 2);
	/* 1 GiB with 5 levels */
	paging(5, VA);
	put_entry(3, 9, 8, VA, (linux_page(CODE) & ~0x3FFFFFFFULL) | BSL_PTE_PS | TABLE);
	vmcb()->rip = (VA & ~0x3FFFFFFFULL) | (linux_page(CODE) & 0x3FFFFFFF) | 0x10;
	ck_assert_uint_eq(length(), 2);
}
END_TEST

/* 4 MiB, with CR4.PSE. */
START_TEST(large_page_without_pae)
{
	running();
	paging(2, LEGACY_VA);
	vmcb()->cr4 = CR4_PSE;
	put_entry(2, 10, 4, LEGACY_VA, (linux_page(CODE) & ~0x3FFFFFULL) | BSL_PTE_PS | TABLE);
	vmcb()->rip = (LEGACY_VA & ~0x3FFFFFULL) | (linux_page(CODE) & 0x3FFFFF) | 0x10;
	put_code(0x10, CPUID, 2);
	ck_assert_uint_eq(length(), 2);
	/* bits 20:13 are bits 39:32 of the address: no RAM there */
	put_entry(2, 10, 4, LEGACY_VA,
		  (linux_page(CODE) & ~0x3FFFFFULL) | 0x1FE000 | BSL_PTE_PS | TABLE);
	ck_assert_uint_eq(length(), 0);
	/* without CR4.PSE it is a table */
	paging(2, LEGACY_VA);
	put_entry(2, 10, 4, LEGACY_VA, linux_page(0) | BSL_PTE_PS | TABLE);
	put_code(LEGACY_VA, CPUID, 2);
	ck_assert_uint_eq(length(), 2);
}
END_TEST

/* Across a page: the second is mapped elsewhere, or not at all. */
START_TEST(across_a_page)
{
	uint64_t va = 0xFFFFFFFF81234FFEULL;

	running();
	paging(4, va);
	put_entry(1, 9, 8, va + 0x1000, linux_page(CODE + 2) | TABLE);
	put_code(va, "\x48\xB8", 2);
	ck_assert_uint_eq(length(), 10);
	put_entry(1, 9, 8, va + 0x1000, 0);
	ck_assert_uint_eq(length(), 0);
	put_code(va, CPUID, 2);
	ck_assert_uint_eq(length(), 2);
	ck_assert_uint_eq(host_pp->svm.code.page, ~0ULL);
	vmcb()->rip = va + 1; /* 0F at the end */
	put_code(va + 1, "\x0F", 1);
	ck_assert_uint_eq(length(), 0);
}
END_TEST

/* The last page is looked at again, until anything on the way to it has changed. */
START_TEST(the_code_window)
{
	unsigned int flushes;

	running();
	paging(4, VA);
	put_code(VA, CPUID, 2);
	put_code(VA + 8, CPUID, 2);
	put_code(VA + 16, "\xF4", 1);
	ck_assert_uint_eq(length(), 2);
	flushes = cpu->count[INSN_INVLPG];
	ck_assert_uint_eq(length(), 2);
	vmcb()->rip += 8;
	ck_assert_uint_eq(length(), 2);
	ck_assert_uint_eq(cpu->count[INSN_INVLPG], flushes); /* nothing was mapped anew */
	vmcb()->rip += 8;
	ck_assert_uint_eq(length(), 1);
	ck_assert_uint_gt(cpu->count[INSN_INVLPG], flushes);
	vmcb()->rip = VA;
	ck_assert_uint_eq(length(), 2);
	/* another page behind the same address */
	put_entry(1, 9, 8, VA, linux_page(CODE + 1) | TABLE);
	memset(phys_at(linux_page(CODE + 1)), 0xF4, PAGE);
	ck_assert_uint_eq(length(), 1);
	put_entry(1, 9, 8, VA, linux_page(CODE) | TABLE);
	ck_assert_uint_eq(length(), 2);
	/* other tables, another mode, another code segment, the end of the page */
	vmcb()->cr3 |= 0x18;
	ck_assert_uint_eq(length(), 2);
	vmcb()->efer |= 1;
	ck_assert_uint_eq(length(), 2);
	vmcb()->cs.attrib |= 1 << 8;
	ck_assert_uint_eq(length(), 2);
	vmcb()->rip = VA | 0xFFF;
	put_code(0xFFF, "\x90", 1);
	ck_assert_uint_eq(length(), 1);
}
END_TEST

/* Without nested paging, guest-physical is physical. */
START_TEST(without_nested_paging)
{
	running();
	paging(4, VA);
	vmcb()->np_control = 0;
	vmcb()->n_cr3 = 0x123000;
	put_code(VA, CPUID, 2);
	ck_assert_uint_eq(length(), 2);
	ck_assert_uint_eq(host_pp->svm.code.page, VA >> 12);
}
END_TEST

static uint64_t extension_page(void)
{
	ck_assert_uint_eq(SYS(mem_alloc_page, HANDLE), MK1_SUCCESS);
	return regs.reg[1];
}

/* An extension's own nested table, in Linux's memory or in a page of the pool. */
START_TEST(nested_table_of_an_extension)
{
	uint64_t tables[4], *at[4];

	running();
	for (unsigned int i = 0; i < 4; i++) {
		tables[i] = _i ? extension_page() : linux_page(100 + i);
		at[i] = phys_at(tables[i]);
	}
	/* guest-physical 0x7000000000 is Linux's page CODE; its memory is one to one, in 1 GiB */
	at[3][0] = tables[2] | 7;
	at[2][1] = PHYS_BASE | BSL_PTE_PS | 7;
	at[2][0x1C0] = tables[1] | 7;
	at[1][0] = tables[0] | 7;
	at[0][0] = linux_page(CODE) | 7;
	paging(4, VA);
	put_entry(1, 9, 8, VA, 0x7000000000 | TABLE);
	put_code(VA, CPUID, 2);
	vmcb()->np_control = SVM_NP_ENABLE;
	vmcb()->n_cr3 = tables[3];
	ck_assert_uint_eq(length(), 2);
	ck_assert_uint_eq(host_pp->svm.code.page, ~0ULL); /* its tables may change unseen */
	at[0][0] = 0;
	ck_assert_uint_eq(length(), 0);
	at[3][0] = 0;
	ck_assert_uint_eq(length(), 0);
	/* a table where no RAM is */
	at[3][0] = 0xF0000000 | 7;
	ck_assert_uint_eq(length(), 0);
}
END_TEST

/* Where root mode has 5 levels, so has what the CPU walks; an extension's table goes below ours. */
START_TEST(nested_tables_of_5_levels)
{
	uint64_t tables[4], top;
	uint16_t vsid;

	machine_defaults(BF_VENDOR_AMD);
	m.la57 = true;
	machine_init();
	start_and_launch();
	guest_exit(SVM_EXIT_CPUID);
	paging(5, VA);
	put_code(VA, CPUID, 2);
	ck_assert_uint_eq(length(), 2);
	ck_assert_uint_eq(host_pp->svm.code.page, VA >> 12);
	ck_assert_uint_eq(host_pp->svm.code.levels, 5);
	for (unsigned int i = 2; i < 4; i++)
		tables[i] = extension_page();
	((uint64_t *)phys_at(tables[3]))[0] = tables[2] | 7;
	((uint64_t *)phys_at(tables[2]))[1] = PHYS_BASE | BSL_PTE_PS | 7;
	ck_assert_uint_eq(reg_write(0, MK1_AMD_n_cr3, tables[3]), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_n_cr3), tables[3]);
	top = vmcb()->n_cr3;
	ck_assert_uint_ne(top, tables[3]);
	ck_assert_uint_eq(*(const uint64_t *)phys_at(top), tables[3] | 7);
	ck_assert_uint_eq(length(), 2);
	((uint64_t *)phys_at(tables[3]))[0] = 0;
	ck_assert_uint_eq(length(), 0);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_n_cr3, mk.root_npt), MK1_SUCCESS);
	ck_assert_uint_eq(vmcb()->n_cr3, mk.root_npt);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_n_cr3), mk.root_npt);
	ck_assert_uint_eq(reg_write(0, MK1_AMD_n_cr3, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_read(0, MK1_AMD_n_cr3), 0);
	ck_assert_uint_eq(length(), 0);
	/* the page for it goes with the VS, and there may be none */
	drain_pool(2);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
		vsid = (uint16_t)regs.reg[0];
		ck_assert_uint_eq(reg_write(vsid, MK1_AMD_n_cr3, tables[3]), MK1_SUCCESS);
		ck_assert_uint_eq(reg_write(vsid, MK1_AMD_n_cr3, tables[2]), MK1_SUCCESS);
		ck_assert_uint_eq(reg_read(vsid, MK1_AMD_n_cr3), tables[2]);
		ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, vsid), MK1_SUCCESS);
	}
	drain_pool(1);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write((uint16_t)regs.reg[0], MK1_AMD_n_cr3, tables[3]),
			  MK1_INVALID_INPUT_REG(3));
}
END_TEST

/* Nothing is read where reading does harm: devices, and the hypervisor's memory. */
START_TEST(nothing_harmful_is_read)
{
	running();
	paging(4, VA);
	put_entry(1, 9, 8, VA, 0xF0000000 | TABLE);
	ck_assert_uint_eq(length(), 0);
	put_entry(1, 9, 8, VA, (1ULL << 48) | TABLE);
	ck_assert_uint_eq(length(), 0);
	put_entry(1, 9, 8, VA, PHYS_BASE | TABLE); /* the decoy, which is owned */
	ck_assert_uint_eq(length(), 0);
	vmcb()->np_control = 0;
	ck_assert_uint_eq(length(), 0);
}
END_TEST

/* A guest in memory that its extension was given, which is the hypervisor's too. */
START_TEST(memory_of_the_extension)
{
	uint64_t spa;

	running();
	guest_exit(SVM_EXIT_CPUID);
	spa = extension_page();
	memcpy(phys_at(spa), CPUID, 2);
	paging(4, VA & ~0xFFFULL);
	put_entry(1, 9, 8, VA, spa | TABLE);
	vmcb()->np_control = 0;
	ck_assert_uint_eq(length(), 2);
	ck_assert_uint_eq(SYS(mem_free_page, HANDLE, MK1_PAGE_POOL_BASE + spa), MK1_SUCCESS);
	ck_assert_uint_eq(length(), 0);
}
END_TEST

/* What the CPU tells of the instruction, where it does (APM vol. 2 §15.8.4); else it is read. */
START_TEST(bytes_that_the_cpu_tells)
{
	uint8_t bytes[DECODE_MAX_LENGTH];

	machine_of(0);
	cpuid_set(0x8000000A, 0, 1, 16, 0, _i ? 1U | 1U << 7 : 1U);
	start_and_launch();
	paging(4, VA);
	put_code(VA, MOVABS, 10);
	memset(vmcb()->insn_bytes, 0xF4, sizeof(vmcb()->insn_bytes));
	vmcb()->nr_insn_bytes = 0xF7; /* bits 7:4 are reserved */
	ck_assert_uint_eq(svm_code(host_pp, vmcb(), bytes), _i ? 7 : DECODE_MAX_LENGTH);
	ck_assert_int_eq(memcmp(bytes, _i ? "\xF4\xF4" : MOVABS, 2), 0);
	vmcb()->nr_insn_bytes = 0;
	ck_assert_uint_eq(svm_code(host_pp, vmcb(), bytes), DECODE_MAX_LENGTH);
	ck_assert_int_eq(memcmp(bytes, MOVABS, 10), 0);
}
END_TEST

/* The page that is at hand is not mapped anew, but looked at; an instruction may go beyond it. */
START_TEST(bytes_that_are_at_hand)
{
	uint8_t bytes[DECODE_MAX_LENGTH];
	unsigned int flushes;

	running();
	paging(4, VA);
	put_code(VA, MOVABS, 10);
	ck_assert_uint_eq(svm_code(host_pp, vmcb(), bytes), DECODE_MAX_LENGTH);
	flushes = cpu->count[INSN_INVLPG];
	put_code(VA, CPUID, 2);
	ck_assert_uint_eq(svm_code(host_pp, vmcb(), bytes), DECODE_MAX_LENGTH);
	ck_assert_int_eq(memcmp(bytes, CPUID, 2), 0);
	ck_assert_uint_eq(cpu->count[INSN_INVLPG], flushes);
	vmcb()->rip = (VA & ~0xFFFULL) + PAGE - DECODE_MAX_LENGTH + 1;
	ck_assert_uint_eq(svm_code(host_pp, vmcb(), bytes), DECODE_MAX_LENGTH - 1);
	ck_assert_uint_gt(cpu->count[INSN_INVLPG], flushes);
}
END_TEST

static void to_step(void)
{
	runs = false;
}

static void to_run(void)
{
	runs = true;
}

static TCase *tests_with(const char *name, void (*way)(void))
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, way, NULL);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, each_mode_of_paging, 2, 6);
	tcase_add_test(tc, advance_ip);
	tcase_add_test(tc, no_paging);
	tcase_add_test(tc, compatibility_mode);
	tcase_add_test(tc, large_pages);
	tcase_add_test(tc, large_page_without_pae);
	tcase_add_test(tc, across_a_page);
	tcase_add_test(tc, the_code_window);
	tcase_add_test(tc, without_nested_paging);
	tcase_add_loop_test(tc, nested_table_of_an_extension, 0, 2);
	tcase_add_test(tc, nested_tables_of_5_levels);
	tcase_add_test(tc, nothing_harmful_is_read);
	tcase_add_test(tc, memory_of_the_extension);
	tcase_add_loop_test(tc, bytes_that_the_cpu_tells, 0, 2);
	tcase_add_test(tc, bytes_that_are_at_hand);
	return tc;
}

TCase *svm_fetch_tests(void)
{
	return tests_with("svm_fetch", to_step);
}

TCase *svm_fetch_and_run_tests(void)
{
	return tests_with("svm_fetch_and_run", to_run);
}
