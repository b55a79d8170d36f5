// SPDX-License-Identifier: GPL-2.0-only
/*
 * mk2 CASE: one thing about guests that are made by Mk#2, with test/ext/mk2.c as the extension.
 * Their memory is this process's: two large pages, of which guest-physical memory has what the case
 * maps. Says what did not hold.
 */
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

static uint64_t ask(uint32_t command, uint64_t *rbx, uint64_t *rdx, uint64_t rsi, uint64_t rdi,
		    uint64_t in_r8, uint64_t in_r9, uint64_t in_r10)
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

static uint64_t call(uint64_t rax, uint64_t reg0, uint64_t reg1, uint64_t reg2, uint64_t reg3,
		     uint64_t reg4, uint64_t reg5)
{
	out0 = rax;
	out1 = reg0;
	return ask(MK2_TEST_CALL, &out0, &out1, reg1, reg2, reg3, reg4, reg5);
}

#define CALL1(name, ...) call_with(MK1_##name, MK1_HANDLE, __VA_ARGS__, 0, 0, 0, 0, 0)
#define CALL2(name, ...) call_with(MK2_##name, MK2_HANDLE, __VA_ARGS__, 0, 0, 0, 0, 0)
#define call_with(rax, h, a, b, c, d, e, ...) call(rax, h, a, b, c, d, e)

static uint64_t buffer_va(void)
{
	uint64_t rbx = 0, rdx = 0;

	return ask(MK2_TEST_BUFFER, &rbx, &rdx, 0, 0, 0, 0, 0);
}

static uint64_t get(uint64_t word)
{
	uint64_t rbx = 0;

	return ask(MK2_TEST_GET, &rbx, &word, 0, 0, 0, 0, 0);
}

static void put(uint64_t word, uint64_t value)
{
	uint64_t rbx = 0;

	ask(MK2_TEST_PUT, &rbx, &word, value, 0, 0, 0, 0);
}

/* --- memory ----------------------------------------------------------------------------------- */

static uint8_t *memory; /* NR_LARGE pages of 2 MiB */
static uint64_t large_spa[NR_LARGE];

static void make_memory(void)
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

static volatile uint64_t *words(unsigned int page)
{
	return (volatile uint64_t *)(memory + AT(page));
}

static uint64_t spa(unsigned int page)
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

static void load_code(unsigned int page, const uint8_t *code, const uint8_t *end)
{
	memcpy(memory + AT(page), code, (size_t)(end - code));
}

#define LOAD(page, name) load_code(page, name, name##_end)

struct guest {
	uint64_t vmid, vpid, vsid;
};

static uint64_t reg(uint64_t amd, uint64_t intel)
{
	return is_svm ? amd : intel;
}

static uint64_t map(uint64_t vmid, uint64_t gpa, uint64_t at, uint64_t size, uint64_t flags)
{
	return CALL2(vm_nested_map, vmid, gpa, at, size, flags);
}

static void unmap_and_flush(uint64_t vmid, uint64_t gpa, uint64_t size)
{
	EXPECT_STATUS(CALL2(vm_nested_unmap, vmid, gpa, size), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_nested_flush, vmid, out0), MK1_SUCCESS);
}

static uint64_t read_reg(const struct guest *g, uint64_t number)
{
	EXPECT_STATUS(CALL1(vs_read, g->vsid, number), MK1_SUCCESS);
	return out0;
}

static void write_reg(const struct guest *g, uint64_t number, uint64_t value)
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

static void put_entry(uint64_t i, uint64_t number, uint64_t value)
{
	put(2 * i, number);
	put(2 * i + 1, value);
}

static void write_state(const struct guest *g)
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
static void make_vs(struct guest *g, unsigned int cpu)
{
	EXPECT_STATUS(CALL1(vp_create_vp, g->vmid), MK1_SUCCESS);
	g->vpid = out0;
	EXPECT_STATUS(CALL1(vs_create_vs, g->vpid, cpu), MK1_SUCCESS);
	g->vsid = out0;
	EXPECT_STATUS(CALL2(vs_nested_attach, g->vsid), MK1_SUCCESS);
	write_state(g);
}

static void destroy_vs(const struct guest *g)
{
	EXPECT_STATUS(CALL1(vs_destroy_vs, g->vsid), MK1_SUCCESS);
	EXPECT_STATUS(CALL1(vp_destroy_vp, g->vpid), MK1_SUCCESS);
}

/* A VM with nothing mapped; page tables of its own, which map the first 2 MiB one to one. */
static uint64_t make_vm(void)
{
	memset(memory, 0, AT(NR_PAGES));
	words(PAGE_PML4)[0] = AT(PAGE_PDPT) | 7;
	words(PAGE_PDPT)[0] = AT(PAGE_PD) | 7;
	words(PAGE_PD)[0] = 0x87;
	EXPECT_STATUS(CALL1(vm_create_vm, 0), MK1_SUCCESS);
	return out0;
}

/* A guest on CPU 0, with all of its pages. */
static struct guest make_guest(void)
{
	struct guest g = { .vmid = make_vm() };

	EXPECT_STATUS(map(g.vmid, 0, spa(0), AT(NR_PAGES), MK2_NESTED_RWX), MK1_SUCCESS);
	make_vs(&g, 0);
	return g;
}

static void destroy_guest(const struct guest *g)
{
	destroy_vs(g);
	EXPECT_STATUS(CALL1(vm_destroy_vm, g->vmid), MK1_SUCCESS);
}

struct run {
	uint64_t reason, rip, gpa;
};

static struct run run(const struct guest *g)
{
	struct run r = { .gpa = g->vmid };

	r.reason = ask(MK2_TEST_RUN, &r.rip, &r.gpa, g->vpid, g->vsid, 0, 0, 0);
	return r;
}

static uint64_t halted(void)
{
	return reg(SVM_EXIT_HLT, VMX_EXIT_HLT);
}

static uint64_t not_mapped(void)
{
	return reg(SVM_EXIT_NPF, VMX_EXIT_EPT_VIOLATION);
}

/* From the beginning of the code page; the run ends so. */
#define EXPECT_RUN(g, reason) expect_run(g, reason, __LINE__)
static struct run expect_run(const struct guest *g, uint64_t reason, int line)
{
	struct run r;

	write_reg(g, reg(MK1_AMD_rip, MK1_INTEL_rip), AT(PAGE_CODE));
	r = run(g);
	expect_eq(r.reason, reason, line, "the exit");
	return r;
}

#define EXPECT_FAULT(g, at) expect_fault(g, at, __LINE__)
static void expect_fault(const struct guest *g, uint64_t at, int line)
{
	struct run r = expect_run(g, not_mapped(), line);

	expect_eq(r.gpa & ~(PAGE - 1), at, line, "the address");
}

/* --- the cases -------------------------------------------------------------------------------- */

static void test_run(void)
{
	struct guest g = make_guest();

	LOAD(PAGE_CODE, code_copy);
	for (uint64_t round = 1; round <= 3; round++) {
		words(PAGE_TARGET)[0] = 0x1000 + round;
		EXPECT_RUN(&g, halted());
		EXPECT(words(PAGE_DATA)[0] == 0x1000 + round);
		EXPECT(words(PAGE_DATA)[1] == round);
	}
	destroy_guest(&g);
}

static void test_unmap(void)
{
	struct guest g = make_guest();

	LOAD(PAGE_CODE, code_copy);
	EXPECT_RUN(&g, halted());
	unmap_and_flush(g.vmid, AT(PAGE_TARGET), PAGE);
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	EXPECT(words(PAGE_DATA)[1] == 1);
	/* another page in its place */
	words(PAGE_TARGET + 1)[0] = 0x77;
	EXPECT_STATUS(map(g.vmid, AT(PAGE_TARGET), spa(PAGE_TARGET + 1), PAGE, MK2_NESTED_R),
		      MK1_SUCCESS);
	EXPECT_RUN(&g, halted());
	EXPECT(words(PAGE_DATA)[0] == 0x77);
	unmap_and_flush(g.vmid, AT(PAGE_CODE), PAGE);
	EXPECT_FAULT(&g, AT(PAGE_CODE));
	unmap_and_flush(g.vmid, 0, SIZE_2M);
	EXPECT_RUN(&g, not_mapped());
	destroy_guest(&g);
}

static uint64_t protect(uint64_t vmid, unsigned int page, uint64_t rights)
{
	uint64_t status = CALL2(vm_nested_protect, vmid, AT(page), PAGE, rights);

	return status == MK1_SUCCESS ? CALL2(vm_nested_flush, vmid, out0) : status;
}

static void test_protect(void)
{
	struct guest g = make_guest();

	LOAD(PAGE_CODE, code_write);
	EXPECT_RUN(&g, halted());
	EXPECT_STATUS(protect(g.vmid, PAGE_TARGET, MK2_NESTED_R), MK1_SUCCESS);
	words(PAGE_TARGET)[0] = 0x55;
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	EXPECT(words(PAGE_TARGET)[0] == 0x55);
	LOAD(PAGE_CODE, code_copy);
	EXPECT_RUN(&g, halted());
	EXPECT(words(PAGE_DATA)[0] == 0x55);
	LOAD(PAGE_CODE, code_jump);
	LOAD(PAGE_TARGET, code_halt);
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	EXPECT_STATUS(protect(g.vmid, PAGE_TARGET, MK2_NESTED_R | MK2_NESTED_X), MK1_SUCCESS);
	EXPECT(EXPECT_RUN(&g, halted()).rip == AT(PAGE_TARGET));
	LOAD(PAGE_CODE, code_write);
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	EXPECT_STATUS(protect(g.vmid, PAGE_TARGET, MK2_NESTED_RWX), MK1_SUCCESS);
	EXPECT_RUN(&g, halted());
	destroy_guest(&g);
}

/* The bitmap of the guest's pages; what is clean now is so for the CPU as well. */
static uint64_t dirty(uint64_t vmid)
{
	EXPECT_STATUS(CALL2(vm_nested_dirty, vmid, 0, AT(NR_PAGES), buffer_va()), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_nested_flush, vmid, out0), MK1_SUCCESS);
	return get(0);
}

static void test_dirty(void)
{
	struct guest g = make_guest();
	const uint64_t target = 1 << PAGE_TARGET, data = 1 << PAGE_DATA, code = 1 << PAGE_CODE;

	EXPECT(dirty(g.vmid) == 0);
	for (unsigned int round = 0; round < 3; round++) {
		LOAD(PAGE_CODE, code_write);
		EXPECT_RUN(&g, halted());
		EXPECT((dirty(g.vmid) & (target | data | code)) == target);
		EXPECT(dirty(g.vmid) == 0);
		LOAD(PAGE_CODE, code_copy);
		EXPECT_RUN(&g, halted());
		EXPECT((dirty(g.vmid) & (target | data | code)) == data);
	}
	destroy_guest(&g);
}

static uint64_t query(uint64_t vmid, unsigned int page)
{
	EXPECT_STATUS(CALL2(vm_nested_query, vmid, AT(page) + 0x123), MK1_SUCCESS);
	EXPECT(out0 == spa(page));
	return out1;
}

static void test_query(void)
{
	struct guest g = make_guest();

	EXPECT(query(g.vmid, PAGE_TARGET) == MK2_NESTED_RWX);
	LOAD(PAGE_CODE, code_copy);
	EXPECT_RUN(&g, halted());
	EXPECT(query(g.vmid, PAGE_TARGET) == (MK2_NESTED_RWX | MK2_NESTED_ACCESSED));
	EXPECT(query(g.vmid, PAGE_DATA) ==
	       (MK2_NESTED_RWX | MK2_NESTED_ACCESSED | MK2_NESTED_DIRTY));
	EXPECT_STATUS(CALL2(vm_nested_query, g.vmid, AT(NR_PAGES)), MK1_INVALID_INPUT_REG(2));
	destroy_guest(&g);
}

/* A page of 2 MiB in place of those of 4 KiB, and the reverse. */
static void test_large(void)
{
	struct guest g = make_guest();
	uint64_t before = large_spa[1];

	LOAD(PAGE_CODE, code_copy);
	EXPECT_RUN(&g, halted());
	EXPECT_STATUS(map(g.vmid, 0, large_spa[0], SIZE_2M, MK2_NESTED_RWX | MK2_NESTED_2M),
		      MK2_FAILURE_EXISTS);
	unmap_and_flush(g.vmid, 0, SIZE_2M);
	EXPECT_STATUS(map(g.vmid, 0, large_spa[0], SIZE_2M, MK2_NESTED_RWX | MK2_NESTED_2M),
		      MK1_SUCCESS);
	EXPECT_STATUS(map(g.vmid, SIZE_2M, before, SIZE_2M, MK2_NESTED_R | MK2_NESTED_2M),
		      MK1_SUCCESS);
	words(PAGE_TARGET)[0] = 0x2222;
	EXPECT_RUN(&g, halted());
	EXPECT(words(PAGE_DATA)[0] == 0x2222);
	EXPECT_STATUS(CALL2(vm_nested_dirty, g.vmid, 0, 2 * SIZE_2M, buffer_va()), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_nested_flush, g.vmid, out0), MK1_SUCCESS);
	EXPECT(get(0) == ~0ULL && get(7) == ~0ULL && get(8) == 0 && get(15) == 0);
	EXPECT_STATUS(CALL2(vm_nested_unmap, g.vmid, AT(PAGE_TARGET), PAGE),
		      MK1_INVALID_INPUT_REG(3));
	unmap_and_flush(g.vmid, 0, 2 * SIZE_2M);
	EXPECT_FAULT(&g, 0);
	EXPECT_STATUS(map(g.vmid, 0, spa(0), AT(NR_PAGES), MK2_NESTED_RWX), MK1_SUCCESS);
	EXPECT_RUN(&g, halted());
	destroy_guest(&g);
}

/* The hypervisor's memory, as the extension has it, beyond all memory, and another VM's. */
static void test_refused(void)
{
	uint64_t one = make_vm(), two = make_vm(), owned, va;

	EXPECT_STATUS(CALL1(mem_alloc_page, 0), MK1_SUCCESS);
	va = out0;
	owned = out1;
	EXPECT_STATUS(map(one, 0, owned, PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(one, 0, owned & ~(SIZE_2M - 1), SIZE_2M, MK2_NESTED_R | MK2_NESTED_2M),
		      MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(CALL1(mem_free_page, va), MK1_SUCCESS);
	EXPECT_STATUS(map(one, 0, owned, PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(one, 0, 1ULL << 47, PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(one, 0, 0xFEE00000, PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(one, 0, spa(0), 4 * PAGE, MK2_NESTED_RWX), MK1_SUCCESS);
	EXPECT_STATUS(map(two, 0, spa(3), PAGE, MK2_NESTED_R), MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(two, 0, large_spa[0], SIZE_2M, MK2_NESTED_R | MK2_NESTED_2M),
		      MK1_INVALID_PERM_DENIED);
	EXPECT_STATUS(map(two, 0, spa(4), PAGE, MK2_NESTED_R), MK1_SUCCESS);
	EXPECT_STATUS(map(MK1_ROOT_VMID, 1ULL << 46, spa(5), PAGE, MK2_NESTED_R),
		      MK1_INVALID_INPUT_REG(1));
	unmap_and_flush(one, 0, 4 * PAGE);
	EXPECT_STATUS(map(two, PAGE, spa(3), PAGE, MK2_NESTED_R), MK1_SUCCESS);
	EXPECT_STATUS(CALL1(vm_destroy_vm, one), MK1_SUCCESS);
	EXPECT_STATUS(CALL1(vm_destroy_vm, two), MK1_SUCCESS);
}

/* Each handle is good for its own specification, and the table is nobody's to choose. */
static void test_handles(void)
{
	struct guest g = make_guest();
	uint64_t root = reg(MK1_AMD_n_cr3, MK1_INTEL_ept_pointer);

	EXPECT_STATUS(call(MK2_vm_nested_query, MK1_HANDLE, g.vmid, 0, 0, 0, 0),
		      MK1_FAILURE_INVALID_HANDLE);
	EXPECT_STATUS(call(MK1_vs_read, MK2_HANDLE, g.vsid, root, 0, 0, 0),
		      MK1_FAILURE_INVALID_HANDLE);
	EXPECT_STATUS(call(MK1_handle_open_handle, MK2_SPEC_ID, 0, 0, 0, 0, 0),
		      MK1_FAILURE_UNKNOWN);
	EXPECT_STATUS(call(MK1_handle_close_handle, MK2_HANDLE, 0, 0, 0, 0, 0), MK1_SUCCESS);
	EXPECT_STATUS(CALL2(vm_nested_query, g.vmid, 0), MK1_FAILURE_INVALID_HANDLE);
	EXPECT_STATUS(call(MK1_handle_open_handle, MK2_SPEC_ID, 0, 0, 0, 0, 0), MK1_SUCCESS);
	EXPECT(out0 == MK2_HANDLE);
	EXPECT(read_reg(&g, root) == 0);
	EXPECT_STATUS(CALL1(vs_write, g.vsid, root, spa(0)), MK1_INVALID_INPUT_REG(3));
	EXPECT_STATUS(CALL1(vs_write, g.vsid, root, 0), MK1_INVALID_INPUT_REG(3));
	/* nested paging stays on */
	write_reg(&g, reg(MK1_AMD_ctls1, MK1_INTEL_secondary_proc_based_vm_execution_ctls), 0);
	unmap_and_flush(g.vmid, AT(PAGE_TARGET), PAGE);
	LOAD(PAGE_CODE, code_copy);
	EXPECT_FAULT(&g, AT(PAGE_TARGET));
	destroy_guest(&g);
}

static void test_lists(void)
{
	struct guest g = make_guest();
	uint64_t va = buffer_va();

	for (unsigned int i = 0; i < NR_STATE; i++)
		put_entry(i, reg(state[i].amd, state[i].intel), 0x5A5A);
	EXPECT_STATUS(CALL2(vs_read_list, g.vsid, va, NR_STATE), MK1_SUCCESS);
	EXPECT(out0 == NR_STATE);
	for (unsigned int i = 0; i < NR_STATE; i++) {
		uint64_t number = get(2 * i), value = get(2 * i + 1);

		EXPECT(number == reg(state[i].amd, state[i].intel));
		EXPECT(value == read_reg(&g, number));
	}
	put_entry(1, 0xFFFF, 0);
	EXPECT_STATUS(CALL2(vs_read_list, g.vsid, va, 3), MK2_FAILURE_LIST);
	EXPECT(out0 == 1);
	EXPECT_STATUS(CALL2(vs_read_list, g.vsid, va, MK2_LIST_MAX + 1), MK1_INVALID_INPUT_REG(3));
	EXPECT_STATUS(CALL2(vs_read_list, g.vsid, 0, 1), MK1_INVALID_INPUT_REG(2));
	EXPECT_STATUS(CALL2(vs_write_list, g.vsid, MK1_DIRECT_MAP_BASE, 1),
		      MK1_INVALID_INPUT_REG(2));
	destroy_guest(&g);
}

/* --- two CPUs --------------------------------------------------------------------------------- */

/* A guest that loops on CPU 1, until it is told to end or something happens. */
static struct guest looping;
static struct run loop_end;

static void *loop(void *unused)
{
	(void)unused;
	on_cpu(1);
	make_vs(&looping, 1);
	loop_end = expect_run(&looping, not_mapped(), 0);
	return NULL;
}

static void *loop_until_stopped(void *unused)
{
	(void)unused;
	on_cpu(1);
	make_vs(&looping, 1);
	loop_end = expect_run(&looping, reg(SVM_EXIT_INTR, VMX_EXIT_EXTERNAL_INTERRUPT), 0);
	return NULL;
}

static void *destroy_loop(void *unused)
{
	(void)unused;
	on_cpu(1);
	destroy_vs(&looping);
	return NULL;
}

static pthread_t begin(void *(*what)(void *unused))
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, what, NULL);
	if (errno)
		fail("pthread_create");
	return thread;
}

static pthread_t begin_loop(void *(*what)(void *unused))
{
	pthread_t thread;

	looping.vmid = make_vm();
	LOAD(PAGE_CODE, code_loop);
	EXPECT_STATUS(map(looping.vmid, 0, spa(0), AT(NR_PAGES), MK2_NESTED_RWX), MK1_SUCCESS);
	thread = begin(what);
	while (words(PAGE_DATA)[1] < 1000)
		sched_yield();
	return thread;
}

static void end_loop(pthread_t thread)
{
	pthread_join(thread, NULL);
	pthread_join(begin(destroy_loop), NULL);
	EXPECT_STATUS(CALL1(vm_destroy_vm, looping.vmid), MK1_SUCCESS);
}

/*
 * A page is taken from a guest that runs on another CPU: behind the flush it does not see any more
 * what is in there.
 */
static void test_flush(void)
{
	bool seen = false;

	for (unsigned int round = 0; round < 20; round++) {
		pthread_t thread = begin_loop(loop);

		EXPECT_STATUS(CALL2(vm_nested_unmap, looping.vmid, AT(PAGE_TARGET), PAGE),
			      MK1_SUCCESS);
		EXPECT_STATUS(CALL2(vm_nested_flush, looping.vmid, out0), MK1_SUCCESS);
		words(PAGE_TARGET)[0] = 0x5EC3E7;
		pthread_join(thread, NULL);
		seen |= words(PAGE_DATA)[0] == 0x5EC3E7;
		EXPECT((loop_end.gpa & ~(PAGE - 1)) == AT(PAGE_TARGET));
		pthread_join(begin(destroy_loop), NULL);
		EXPECT_STATUS(CALL1(vm_destroy_vm, looping.vmid), MK1_SUCCESS);
	}
	EXPECT(!seen);
}

static void test_kick(void)
{
	for (unsigned int round = 0; round < 20; round++) {
		pthread_t thread = begin_loop(loop_until_stopped);
		uint64_t rbx = 0, rdx = 1;

		EXPECT_STATUS(ask(MK2_TEST_STOP, &rbx, &rdx, 0, 0, 0, 0, 0), MK1_SUCCESS);
		end_loop(thread);
	}
}

/* --- memory of a VM's own --------------------------------------------------------------------- */

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

/* So many VMs, one after the other, leave nothing behind. */
static void test_again(void)
{
	for (unsigned int i = 0; i < 10; i++)
		test_large();
	test_own();
	test_run();
	EXPECT_STATUS(call(MK1_debug_dump_page_pool, 0, 0, 0, 0, 0, 0), MK1_SUCCESS);
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

static const struct {
	const char *name;
	void (*test)(void);
} cases[] = {
	{ "run", test_run },
	{ "unmap", test_unmap },
	{ "protect", test_protect },
	{ "dirty", test_dirty },
	{ "query", test_query },
	{ "large", test_large },
	{ "refused", test_refused },
	{ "handles", test_handles },
	{ "lists", test_lists },
	{ "own", test_own },
	{ "own-refused", test_own_refused },
	{ "kick", test_kick },
	{ "again", test_again },
	{ "flush", test_flush },
	{ "left", test_left },
};

static bool cpu_is_svm(void)
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

int main(int argc, char **argv)
{
	is_svm = cpu_is_svm();
	on_cpu(0);
	make_memory();
	for (unsigned int i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(cases[i].name, argv[1]))
			continue;
		cases[i].test();
		return failures != 0;
	}
	return 2;
}
