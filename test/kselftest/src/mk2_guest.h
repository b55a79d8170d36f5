/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mk2.c and mk2_own.c share: guests that are made by Mk#2, with test/ext/mk2.c as the
 * extension. Their memory is the process's: two large pages, of which guest-physical memory has
 * what the case maps.
 */
#ifndef TEST_KSELFTEST_MK2_GUEST_H
#define TEST_KSELFTEST_MK2_GUEST_H

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define MK1_WANT_NUMBERS
#define MK2_WANT_NUMBERS
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <abi/hw/x86.h>
#include <abi/mk1.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <abi/mk2.h>

#include "memory.h"
#include "test/ext/mk2.h"

#define NR_LARGE 2

static bool is_svm;

#define EXPECT_STATUS(call, wanted) EXPECT_EQ(call, wanted)

/* --- the extension ---------------------------------------------------------------------------- */

static inline uint64_t ask(uint32_t command, uint64_t *rbx, uint64_t *rdx, uint64_t rsi,
			   uint64_t rdi, uint64_t in_r8, uint64_t in_r9, uint64_t in_r10)
{
	register uint64_t r8 __asm__("r8") = in_r8;
	register uint64_t r9 __asm__("r9") = in_r9;
	register uint64_t r10 __asm__("r10") = in_r10;
	uint64_t rax = MK2_TEST_LEAF, rcx = command;

	__asm__ volatile("cpuid"
			 : "+a"(rax), "+b"(*rbx), "+c"(rcx), "+d"(*rdx)
			 : "S"(rsi), "D"(rdi), "r"(r8), "r"(r9), "r"(r10)
			 : "memory");
	return rax;
}

static _Thread_local uint64_t out0, out1; /* REG0 and REG1 after a call */

static inline uint64_t call(uint64_t rax, uint64_t reg0, uint64_t reg1, uint64_t reg2,
			    uint64_t reg3, uint64_t reg4, uint64_t reg5)
{
	out0 = rax;
	out1 = reg0;
	return ask(MK2_TEST_CALL, &out0, &out1, reg1, reg2, reg3, reg4, reg5);
}

#define CALL1(name, ...) call_with(MK1_##name, MK1_HANDLE, __VA_ARGS__, 0, 0, 0, 0, 0)
#define CALL2(name, ...) call_with(MK2_##name, MK2_HANDLE, __VA_ARGS__, 0, 0, 0, 0, 0)
#define call_with(rax, h, a, b, c, d, e, ...) call(rax, h, a, b, c, d, e)

static inline uint64_t buffer_va(void)
{
	uint64_t rbx = 0, rdx = 0;

	return ask(MK2_TEST_BUFFER, &rbx, &rdx, 0, 0, 0, 0, 0);
}

static inline uint64_t get(uint64_t word)
{
	uint64_t rbx = 0;

	return ask(MK2_TEST_GET, &rbx, &word, 0, 0, 0, 0, 0);
}

static inline void put(uint64_t word, uint64_t value)
{
	uint64_t rbx = 0;

	ask(MK2_TEST_PUT, &rbx, &word, value, 0, 0, 0, 0);
}

/* --- memory ----------------------------------------------------------------------------------- */

static uint8_t *memory; /* NR_LARGE pages of 2 MiB */
static uint64_t large_spa[NR_LARGE];

static inline void make_memory(void)
{
	memory = mmap(NULL, NR_LARGE * SIZE_2M, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	memset(memory, 0, NR_LARGE * SIZE_2M);
	for (unsigned int i = 0; i < NR_LARGE; i++) {
		large_spa[i] = spa_of(memory + i * SIZE_2M);
		if (!large_spa[i] || large_spa[i] % SIZE_2M)
			fail("pagemap: no large page");
	}
}

/* Pages of the first 2 MiB, by their number; guest-physical they are at the same offset. */
enum { PAGE_PML4, PAGE_PDPT, PAGE_PD, PAGE_CODE, PAGE_DATA, PAGE_TARGET, NR_PAGES };

#define AT(page) ((page) * PAGE)

static inline volatile uint64_t *words(unsigned int page)
{
	return (volatile uint64_t *)(memory + AT(page));
}

static inline uint64_t spa(unsigned int page)
{
	return large_spa[0] + AT(page);
}

/* --- guests ----------------------------------------------------------------------------------- */

/*
 * What guests execute, at the beginning of PAGE_CODE. The data page has: 0 what was read from the
 * target page, 1 a counter, 2 whether to end.
 */
#define GUEST_CODE(name, code) \
	extern const uint8_t name[], name##_end[]; \
	__asm__(".pushsection .rodata\n" #name ":\n" code "\n" #name "_end:\n.popsection")

GUEST_CODE(code_copy, "mov 0x5000, %rax\n\t"
		      "mov %rax, 0x4000\n\t"
		      "incq 0x4008\n\t"
		      "hlt");
GUEST_CODE(code_write, "mov %rbx, 0x5000\n\t"
		       "hlt");
GUEST_CODE(code_jump, "mov $0x5000, %eax\n\t"
		      "jmp *%rax");
GUEST_CODE(code_halt, "hlt");
GUEST_CODE(code_loop, "1: mov 0x5000, %rax\n\t"
		      "mov %rax, 0x4000\n\t"
		      "incq 0x4008\n\t"
		      "cmpq $0, 0x4010\n\t"
		      "je 1b\n\t"
		      "hlt");

static inline void load_code(unsigned int page, const uint8_t *code, const uint8_t *end)
{
	memcpy(memory + AT(page), code, (size_t)(end - code));
}

#define LOAD(page, name) load_code(page, name, name##_end)

struct guest {
	uint64_t vmid, vpid, vsid;
};

static inline uint64_t reg(uint64_t amd, uint64_t intel)
{
	return is_svm ? amd : intel;
}

static inline uint64_t map(uint64_t vmid, uint64_t gpa, uint64_t at, uint64_t size, uint64_t flags)
{
	return CALL2(vm_nested_map, vmid, gpa, at, size, flags);
}

static inline void unmap_and_flush(uint64_t vmid, uint64_t gpa, uint64_t size)
{
	EXPECT_STATUS(CALL2(vm_nested_unmap, vmid, gpa, size), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_nested_flush, vmid, out0), MK1_SUCCESS);
}

static inline uint64_t read_reg(const struct guest *g, uint64_t number)
{
	EXPECT_STATUS(CALL1(vs_read, g->vsid, number), MK1_SUCCESS);
	return out0;
}

static inline void write_reg(const struct guest *g, uint64_t number, uint64_t value)
{
	EXPECT_STATUS(CALL1(vs_write, g->vsid, number, value), MK1_SUCCESS);
}

struct value {
	uint64_t amd, intel; /* register numbers */
	uint64_t amd_value, intel_value;
};

/* 64-bit mode, ring 0, flat; addresses are guest-physical ones. In one call. */
static const struct value state[] = {
	{ MK1_AMD_efer, MK1_INTEL_efer, EFER_LME | EFER_LMA, EFER_LME | EFER_LMA },
	{ MK1_AMD_cr0, MK1_INTEL_cr0, CR0_PE | CR0_NE | CR0_ET | CR0_PG,
	  CR0_PE | CR0_NE | CR0_ET | CR0_PG },
	{ MK1_AMD_cr3, MK1_INTEL_cr3, AT(PAGE_PML4), AT(PAGE_PML4) },
	{ MK1_AMD_cr4, MK1_INTEL_cr4, CR4_PAE, CR4_PAE },
	{ MK1_AMD_dr7, MK1_INTEL_dr7, 0x400, 0x400 },
	{ MK1_AMD_rflags, MK1_INTEL_rflags, 0x2, 0x2 },
	{ MK1_AMD_rip, MK1_INTEL_rip, AT(PAGE_CODE), AT(PAGE_CODE) },
	{ MK1_AMD_cs_selector, MK1_INTEL_cs_selector, 0x8, 0x8 },
	{ MK1_AMD_cs_attrib, MK1_INTEL_cs_attrib, 0xA9B, 0xA09B },
	{ MK1_AMD_cs_limit, MK1_INTEL_cs_limit, UINT32_MAX, UINT32_MAX },
	{ MK1_AMD_ss_selector, MK1_INTEL_ss_selector, 0x10, 0x10 },
	{ MK1_AMD_ss_attrib, MK1_INTEL_ss_attrib, 0xC93, 0xC093 },
	{ MK1_AMD_ss_limit, MK1_INTEL_ss_limit, UINT32_MAX, UINT32_MAX },
	{ MK1_AMD_ds_attrib, MK1_INTEL_ds_attrib, 0, 0x10000 },
	{ MK1_AMD_es_attrib, MK1_INTEL_es_attrib, 0, 0x10000 },
	{ MK1_AMD_fs_attrib, MK1_INTEL_fs_attrib, 0, 0x10000 },
	{ MK1_AMD_gs_attrib, MK1_INTEL_gs_attrib, 0, 0x10000 },
	{ MK1_AMD_ldtr_attrib, MK1_INTEL_ldtr_attrib, 0, 0x10000 },
	{ MK1_AMD_tr_attrib, MK1_INTEL_tr_attrib, 0x8B, 0x8B },
	{ MK1_AMD_tr_limit, MK1_INTEL_tr_limit, 0x67, 0x67 }
};
#define NR_STATE (sizeof(state) / sizeof(state[0]))

static inline void put_entry(uint64_t i, uint64_t number, uint64_t value)
{
	put(2 * i, number);
	put(2 * i + 1, value);
}

static inline void write_state(const struct guest *g)
{
	uint64_t count = NR_STATE;

	for (unsigned int i = 0; i < NR_STATE; i++)
		put_entry(i, reg(state[i].amd, state[i].intel),
			  is_svm ? state[i].amd_value : state[i].intel_value);
	if (is_svm) {
		put_entry(count++, MK1_AMD_guest_asid, 2);
		put_entry(count++, MK1_AMD_intercept_instruction1,
			  SVM_INSTR1_HLT | SVM_INSTR1_SHUTDOWN);
	} else {
		const uint64_t primary = MK1_INTEL_primary_proc_based_vm_execution_ctls;

		put_entry(count++, primary, read_reg(g, primary) | VMX_PRIMARY_HLT);
	}
	EXPECT_STATUS(CALL2(vs_write_list, g->vsid, buffer_va(), count), MK1_SUCCESS);
	EXPECT(out0 == count);
}

/* A VS of the VM, assigned to PP cpu, on which this runs. */
static inline void make_vs(struct guest *g, unsigned int cpu)
{
	EXPECT_STATUS(CALL1(vp_create_vp, g->vmid), MK1_SUCCESS);
	g->vpid = out0;
	EXPECT_STATUS(CALL1(vs_create_vs, g->vpid, cpu), MK1_SUCCESS);
	g->vsid = out0;
	EXPECT_STATUS(CALL2(vs_nested_attach, g->vsid), MK1_SUCCESS);
	write_state(g);
}

static inline void destroy_vs(const struct guest *g)
{
	EXPECT_STATUS(CALL1(vs_destroy_vs, g->vsid), MK1_SUCCESS);
	EXPECT_STATUS(CALL1(vp_destroy_vp, g->vpid), MK1_SUCCESS);
}

/* A VM with nothing mapped; page tables of its own, which map the first 2 MiB one to one. */
static inline uint64_t make_vm(void)
{
	memset(memory, 0, AT(NR_PAGES));
	words(PAGE_PML4)[0] = AT(PAGE_PDPT) | 7;
	words(PAGE_PDPT)[0] = AT(PAGE_PD) | 7;
	words(PAGE_PD)[0] = 0x87;
	EXPECT_STATUS(CALL1(vm_create_vm, 0), MK1_SUCCESS);
	return out0;
}

/* A guest on CPU 0, with all of its pages. */
static inline struct guest make_guest(void)
{
	struct guest g = { .vmid = make_vm() };

	EXPECT_STATUS(map(g.vmid, 0, spa(0), AT(NR_PAGES), MK2_NESTED_RWX), MK1_SUCCESS);
	make_vs(&g, 0);
	return g;
}

static inline void destroy_guest(const struct guest *g)
{
	destroy_vs(g);
	EXPECT_STATUS(CALL1(vm_destroy_vm, g->vmid), MK1_SUCCESS);
}

struct run {
	uint64_t reason, rip, gpa;
};

static inline struct run run(const struct guest *g)
{
	struct run r = { .gpa = g->vmid };

	r.reason = ask(MK2_TEST_RUN, &r.rip, &r.gpa, g->vpid, g->vsid, 0, 0, 0);
	return r;
}

static inline uint64_t halted(void)
{
	return reg(SVM_EXIT_HLT, VMX_EXIT_HLT);
}

static inline uint64_t not_mapped(void)
{
	return reg(SVM_EXIT_NPF, VMX_EXIT_EPT_VIOLATION);
}

/* From the beginning of the code page; the run ends so. */
#define EXPECT_RUN(g, reason) expect_run(g, reason, __LINE__)
static inline struct run expect_run(const struct guest *g, uint64_t reason, int line)
{
	struct run r;

	write_reg(g, reg(MK1_AMD_rip, MK1_INTEL_rip), AT(PAGE_CODE));
	r = run(g);
	expect_eq(r.reason, reason, line, "the exit");
	return r;
}

#define EXPECT_FAULT(g, at) expect_fault(g, at, __LINE__)
static inline void expect_fault(const struct guest *g, uint64_t at, int line)
{
	struct run r = expect_run(g, not_mapped(), line);

	expect_eq(r.gpa & ~(PAGE - 1), at, line, "the address");
}

static inline pthread_t begin(void *(*what)(void *unused))
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, what, NULL);
	if (errno)
		fail("pthread_create");
	return thread;
}

static inline bool cpu_is_svm(void)
{
	char line[8192];
	FILE *f = fopen("/proc/cpuinfo", "r");
	bool amd = false;

	if (!f)
		fail("/proc/cpuinfo");
	while (fgets(line, sizeof(line), f))
		amd |= !strncmp(line, "vendor_id", 9) && !strstr(line, "GenuineIntel");
	fclose(f);
	return amd;
}

/* --- the cases -------------------------------------------------------------------------------- */

struct mk2_case {
	const char *name;
	void (*test)(void);
};

/* Runs the one of this name; the result of main(). */
static inline int run_case(const struct mk2_case *cases, size_t count, const char *name)
{
	is_svm = cpu_is_svm();
	on_cpu(0);
	make_memory();
	for (size_t i = 0; i < count; i++) {
		if (strcmp(cases[i].name, name))
			continue;
		cases[i].test();
		return failures != 0;
	}
	return 2;
}

#endif
