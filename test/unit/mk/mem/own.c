// SPDX-License-Identifier: GPL-2.0-only
/* mem/own.c, and what it uses of mem/hidden.c and owner.c: memory that is a VM's own. */
#include <string.h>

#include "microkernel/mem/donation.h"
#include "microkernel/mem/hidden.h"
#include "microkernel/mem/owner.h"
#include "microkernel/mem/prune.h"
#include "microkernel/mem/window.h"
#include "microkernel/mem/own.h"
#include "../mk2.h"
#include "../suites.h"

#define DENIED MK1_INVALID_PERM_DENIED
#define REG1 MK1_INVALID_INPUT_REG(1)
#define REG2 MK1_INVALID_INPUT_REG(2)
#define REG3 MK1_INVALID_INPUT_REG(3)

#define BLOCK 0x41200000ULL /* 2 MiB of Linux's memory that the tests can look into */
#define SPA(entry) ((entry) & BSL_PTE_SPA)

static uint64_t own(uint64_t vmid, uint64_t spa, uint64_t size)
{
	return SYS2(vm_own, HANDLE2, vmid, spa, size);
}

static uint64_t disown(uint64_t vmid, uint64_t spa, uint64_t size)
{
	return SYS2(vm_disown, HANDLE2, vmid, spa, size);
}

/* Where Linux finds what it calls gpa. */
static uint64_t linux_finds(uint64_t gpa)
{
	uint64_t entry;
	unsigned int level = nested_walk(gpa, &entry);

	ck_assert_uint_gt(level, 0);
	return level == 1 ? SPA(entry) :
			    SPA(entry) + (gpa & (BSL_LEVEL_SIZE(level) - 1) & ~0xFFFULL);
}

static void expect_hidden(uint64_t spa, uint64_t size)
{
	for (uint64_t off = 0; off < size; off += PAGE) {
		ck_assert_uint_eq(linux_finds(spa + off), linux_finds(ODD_OWNED));
		ck_assert(hidden_has(spa + off));
	}
}

static void expect_linux(uint64_t spa, uint64_t size)
{
	for (uint64_t off = 0; off < size; off += PAGE) {
		ck_assert_uint_eq(linux_finds(spa + off), spa + off);
		ck_assert(!hidden_has(spa + off));
	}
}

static void fill(uint64_t spa, uint64_t size)
{
	for (uint64_t off = 0; off < size; off += PAGE)
		memset(phys_at(spa + off), 0xA5, PAGE);
}

static unsigned int other_bytes(uint64_t spa, uint64_t size, uint8_t byte)
{
	unsigned int other = 0;

	for (uint64_t off = 0; off < size; off++)
		other += *((const uint8_t *)phys_at(spa) + off) != byte;
	return other;
}

/* Both PPs are in Linux, but for PP 0, which is in its exit; there are two VMs beside it. */
static void two_pps(int i)
{
	machine_of(i);
	start();
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_SUCCESS);
	(void)launch();
	enter(1);
	(void)launch();
	on_pp(0);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(make_vm(), 1);
	ck_assert_uint_eq(make_vm(), 2);
}

static void other_pp_comes_out(void)
{
	on_pp(1);
	guest_exit(cpuid_reason());
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	on_pp(0);
}

/* From Linux's memory to the VM's, and back. */
START_TEST(a_few_pages)
{
	const uint64_t at = linux_page(3), size = 4 * PAGE;
	uint64_t generation;
	unsigned int before;

	two_pps(_i);
	before = free_pages();
	fill(at, size);
	expect_linux(at, size);
	ck_assert_uint_eq(own(1, at, size), MK1_SUCCESS);
	expect_hidden(at, size);
	expect_linux(at - PAGE, PAGE);
	expect_linux(at + size, PAGE);
	/* nobody else gets it, nor anything of it */
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, at + PAGE), REG2);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 1, at + PAGE), REG2);
	ck_assert_uint_eq(map(2, 0, at, PAGE, RWX), DENIED);
	ck_assert_uint_eq(map(2, 0, at + size - PAGE, 2 * PAGE, RWX), DENIED);
	ck_assert_uint_eq(map(1, 0, at, PAGE, RWX | MK2_NESTED_SHARED), DENIED);
	ck_assert_uint_eq(own(2, at, PAGE), DENIED);
	ck_assert_uint_eq(own(1, at + size - PAGE, 2 * PAGE), DENIED);
	ck_assert_uint_eq(SYS2(mem_donate, HANDLE2, at, PAGE), DENIED);
	ck_assert_uint_eq(SYS2(mem_return, HANDLE2, at), REG1);
	ck_assert_uint_eq(disown(2, at, PAGE), DENIED);
	ck_assert(!window_shows(at, size));
	/* the other PP may still have a translation of Linux's */
	ck_assert_uint_eq(map(1, 0, at, size, RWX), MK2_FAILURE_BUSY);
	ck_assert_uint_eq(map(1, size, linux_page(9), PAGE, RWX), MK1_SUCCESS);
	ck_assert(!is_mapped(1, 0));
	other_pp_comes_out();
	ck_assert_uint_eq(map(1, 0, at, size, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(other_bytes(at, size, 0xA5), 0);
	/* not while the VM has it, or a CPU may */
	ck_assert_uint_eq(disown(1, at, size), MK2_FAILURE_BUSY);
	generation = unmap(1, PAGE, 3 * PAGE);
	ck_assert_uint_eq(disown(1, at + PAGE, 3 * PAGE), MK2_FAILURE_BUSY);
	expect_hidden(at, size);
	flush(1, generation);
	ck_assert_uint_eq(disown(1, at, size), MK2_FAILURE_BUSY);
	ck_assert_uint_eq(disown(1, at + PAGE, 4 * PAGE), DENIED);
	ck_assert_uint_eq(other_bytes(at, size, 0xA5), 0);
	ck_assert_uint_eq(disown(1, at + PAGE, 3 * PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(other_bytes(at, PAGE, 0xA5), 0);
	ck_assert_uint_eq(other_bytes(at + PAGE, 3 * PAGE, 0), 0);
	expect_hidden(at, PAGE);
	expect_linux(at + PAGE, 3 * PAGE);
	ck_assert_uint_eq(disown(1, at + PAGE, PAGE), DENIED);
	flush(1, unmap(1, 0, size + PAGE));
	ck_assert_uint_eq(disown(1, at, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(other_bytes(at, PAGE, 0), 0);
	expect_linux(at, size);
	/* anybody's again, and no table is lost */
	ck_assert_uint_eq(map(2, 0, at, PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, at), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 2), MK1_SUCCESS);
	other_pp_comes_out();
	hidden_lock();
	hidden_unlock();
	ck_assert_uint_le(before - free_pages(), 3); /* the tables of the direct map */
}
END_TEST

/* What was owned in one piece, whatever its size, can go back in others. */
static const struct {
	uint64_t offset, size;
	uint64_t first, second; /* where it is cut */
} cuts[] = {
	{ 0, SIZE_2M, 5 * PAGE, 7 * PAGE },
	{ 0, SIZE_2M, SIZE_2M - PAGE, SIZE_2M },
	{ PAGE, 2 * SIZE_2M, SIZE_2M - PAGE, SIZE_2M + PAGE },
	{ 0, 2 * SIZE_2M, SIZE_2M, SIZE_2M + PAGE },
	{ SIZE_2M - PAGE, SIZE_2M + 2 * PAGE, PAGE, SIZE_2M + PAGE },
};

#define NR_CUTS ((int)(sizeof(cuts) / sizeof(cuts[0])))

START_TEST(in_pieces)
{
	const uint64_t at = BLOCK + cuts[_i / 2].offset, size = cuts[_i / 2].size;
	const uint64_t first = cuts[_i / 2].first, second = cuts[_i / 2].second;
	unsigned int before;

	with_vm(_i % 2);
	before = free_pages();
	for (unsigned int round = 0; round < 2; round++) {
		fill(at, size);
		ck_assert_uint_eq(own(1, at, size), MK1_SUCCESS);
		expect_hidden(at, size);
		ck_assert_uint_eq(vm_find(1)->nested.owned, size);
		ck_assert_uint_eq(disown(1, at + first, second - first), MK1_SUCCESS);
		expect_hidden(at, first);
		expect_linux(at + first, second - first);
		expect_hidden(at + second, size - second);
		ck_assert_uint_eq(other_bytes(at, first, 0xA5), 0);
		ck_assert_uint_eq(other_bytes(at + first, second - first, 0), 0);
		ck_assert_uint_eq(other_bytes(at + second, size - second, 0xA5), 0);
		if (size > second)
			ck_assert_uint_eq(disown(1, at + second, size - second), MK1_SUCCESS);
		ck_assert_uint_eq(disown(1, at, first), MK1_SUCCESS);
		ck_assert_uint_eq(other_bytes(at, size, 0), 0);
		expect_linux(BLOCK - PAGE, 3 * SIZE_2M + 2 * PAGE);
		ck_assert_uint_eq(vm_find(1)->nested.owned, 0);
		hidden_lock(); /* and tables that nobody looks into */
		hidden_unlock();
		ck_assert_uint_eq(free_pages(), before);
	}
}
END_TEST

/* A large page of the guest's, of a block that is owned as a whole. */
START_TEST(a_large_page)
{
	with_vm(_i);
	ck_assert_uint_eq(own(1, BLOCK, SIZE_2M), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, 0, BLOCK, SIZE_2M, RWX | MK2_NESTED_2M), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, SIZE_2M, BLOCK + PAGE, PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(disown(1, BLOCK + 5 * PAGE, PAGE), MK2_FAILURE_BUSY);
	flush(1, unmap(1, 0, SIZE_2M));
	ck_assert_uint_eq(disown(1, BLOCK, SIZE_2M), MK2_FAILURE_BUSY);
	ck_assert_uint_eq(disown(1, BLOCK + 2 * PAGE, SIZE_2M - 2 * PAGE), MK1_SUCCESS);
	flush(1, unmap(1, SIZE_2M, PAGE));
	ck_assert_uint_eq(disown(1, BLOCK, 2 * PAGE), MK1_SUCCESS);
	expect_linux(BLOCK, SIZE_2M);
	/* half of it is another's */
	ck_assert_uint_eq(make_vm(), 2);
	ck_assert_uint_eq(own(1, BLOCK, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(own(2, BLOCK + PAGE, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, 0, BLOCK, SIZE_2M, RWX | MK2_NESTED_2M), DENIED);
	ck_assert_uint_eq(disown(1, BLOCK, 2 * PAGE), DENIED);
	ck_assert_uint_eq(disown(2, BLOCK + PAGE, PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(map(1, 0, BLOCK, SIZE_2M, RWX | MK2_NESTED_2M), MK1_SUCCESS);
}
END_TEST

static void expect_refused(uint64_t spa, uint64_t size)
{
	unsigned int before;

	hidden_lock(); /* tables of before that nobody looks into */
	hidden_unlock();
	before = free_pages();
	ck_assert_uint_eq(own(1, spa, size), DENIED);
	ck_assert_uint_eq(free_pages(), before);
	ck_assert_uint_eq(vm_find(1)->nested.owned, 0);
	ck_assert_uint_eq(disown(1, spa, size), DENIED);
}

START_TEST(what_it_cannot_own)
{
	uint64_t pruned = 0;

	with_vm(_i);
	expect_refused(0xC0000000, PAGE);
	expect_refused(0xC0000000 - PAGE, 2 * PAGE);
	expect_refused(RAM_TOP - PAGE, 2 * PAGE);
	expect_refused(1ULL << 40, PAGE); /* where no window is, either */
	expect_refused(PHYS_BASE, PAGE);
	expect_refused(LINUX_RAM - PAGE, 2 * PAGE);
	expect_refused(ODD_OWNED - PAGE, 3 * PAGE);
	/* Linux's, and the microkernel's nevertheless */
	ck_assert(window_map(linux_page(5), PAGE));
	expect_refused(linux_page(4), 3 * PAGE);
	window_unmap(linux_page(5), PAGE, &pruned);
	prune_free(pruned);
	/* given to the hypervisor */
	ck_assert_uint_eq(SYS2(mem_donate, HANDLE2, linux_page(5), PAGE), MK1_SUCCESS);
	expect_refused(linux_page(4), 3 * PAGE);
	ck_assert_uint_eq(disown(1, linux_page(5), PAGE), DENIED);
	ck_assert_uint_eq(SYS2(mem_return, HANDLE2, linux_page(5)), MK1_SUCCESS);
	/* shown to an extension, or a guest, this VM included */
	ck_assert_uint_eq(SYS(vm_map_direct, HANDLE, 0, linux_page(5)), MK1_SUCCESS);
	expect_refused(linux_page(4), 3 * PAGE);
	ck_assert_uint_eq(SYS(vm_unmap_direct, HANDLE, 0, MK1_DIRECT_MAP_BASE + linux_page(5)),
			  MK1_SUCCESS);
	ck_assert_uint_eq(map(1, 0, linux_page(5), PAGE, RWX), MK1_SUCCESS);
	expect_refused(linux_page(4), 3 * PAGE);
	flush(1, unmap(1, 0, PAGE));
	ck_assert_uint_eq(own(1, linux_page(4), 3 * PAGE), MK1_SUCCESS);
}
END_TEST

START_TEST(so_much_and_no_more)
{
	uint64_t at = RAM_1G;

	machine_defaults(_i ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	machine_init();
	open_and_launch();
	ck_assert_uint_eq(make_vm(), 2);
	for (uint64_t sum = 0; sum < MK2_OWN_MAX_TOTAL; sum += MK2_OWN_MAX_BYTES) {
		ck_assert_uint_eq(own(1 + (sum & MK2_OWN_MAX_BYTES ? 1 : 0), at, MK2_OWN_MAX_BYTES),
				  MK1_SUCCESS);
		at += MK2_OWN_MAX_BYTES;
	}
	ck_assert_uint_eq(own(2, linux_page(0), PAGE), MK2_FAILURE_NO_MEMORY);
	expect_linux(linux_page(0), PAGE);
}
END_TEST

/* --- the end of a VM, or of all of it --------------------------------------------------------- */

/* VM 1 owns these, the first one mapped. */
static void owns(uint64_t at)
{
	ck_assert_uint_eq(own(1, at, 2 * PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(own(1, BLOCK, SIZE_2M), MK1_SUCCESS);
	if (m.pps[1]->root_vs)
		other_pp_comes_out();
	ck_assert_uint_eq(map(1, 0, at, PAGE, RWX), MK1_SUCCESS);
	fill(at, 2 * PAGE);
	fill(BLOCK, SIZE_2M);
}

START_TEST(the_vm_goes)
{
	const uint64_t at = linux_page(3);
	unsigned int before;
	struct vm *vm;

	with_vm(_i);
	vm = vm_find(1);
	before = free_pages();
	owns(at);
	ck_assert_uint_eq(make_vm(), 2);
	ck_assert_uint_eq(own(2, at + 4 * PAGE, PAGE), MK1_SUCCESS);
	fill(at + 4 * PAGE, PAGE);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(other_bytes(at, 2 * PAGE, 0), 0);
	ck_assert_uint_eq(other_bytes(BLOCK, SIZE_2M, 0), 0);
	expect_linux(at, 2 * PAGE);
	expect_linux(BLOCK, SIZE_2M);
	expect_hidden(at + 4 * PAGE, PAGE);
	ck_assert_uint_eq(other_bytes(at + 4 * PAGE, PAGE, 0xA5), 0);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 2), MK1_SUCCESS);
	hidden_lock();
	hidden_unlock();
	ck_assert_uint_eq(free_pages(), before);
	/* a VM that is being destroyed gets nothing any more */
	ck_assert_uint_eq(own(1, at, PAGE), REG1);
	ck_assert_uint_eq(own_take(&vm->nested, at, PAGE, vms_show), REG1);
	expect_linux(at, PAGE);
}
END_TEST

/* The MTRRs have changed, and there is no page for a table that follows them: the VM stays. */
START_TEST(the_vm_cannot_go)
{
	with_vm(1);
	ck_assert_uint_eq(own(1, BLOCK, SIZE_2M), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, 0x202, BLOCK + 0x100000), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(intrinsic_wrmsr, HANDLE, 0x203, 0xFFFFF00800), MK1_SUCCESS);
	drain_pool(0);
	ck_assert_uint_eq(disown(1, BLOCK, SIZE_2M), MK2_FAILURE_NO_MEMORY);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), REG1);
	ck_assert_uint_eq(map(1, 0, linux_page(0), PAGE, RWX), MK2_FAILURE_NO_MEMORY);
	expect_hidden(BLOCK, SIZE_2M);
	ck_assert_uint_eq(vm_find(1)->nested.owned, SIZE_2M);
	ck_assert_uint_eq(make_vm(), 2);
	ck_assert_uint_eq(own(2, BLOCK, PAGE), DENIED);
	/* with a table that is freed, it can */
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 2), MK1_SUCCESS);
	pool_free(PHYS_BASE + OWNED_SIZE / 2);
	ck_assert_uint_eq(SYS(vm_destroy_vm, HANDLE, 1), MK1_SUCCESS);
	expect_linux(BLOCK, SIZE_2M);
}
END_TEST

/* PP 0 leaves, and PP 1 has Linux still. */
START_TEST(a_stop)
{
	const uint64_t at = linux_page(3);
	uint64_t generation;

	two_pps(_i & 1);
	owns(at);
	if (_i & 2) { /* what only an unflushed CPU may have */
		generation = unmap(1, 0, PAGE);
		ck_assert_uint_eq(vm_find(1)->nested.changed, generation);
	}
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(other_bytes(at, 2 * PAGE, 0), 0);
	ck_assert_uint_eq(other_bytes(BLOCK, SIZE_2M, 0), 0);
	on_pp(1);
	guest_exit(cpuid_reason());
	expect_hidden(at, 2 * PAGE);
	expect_hidden(BLOCK, SIZE_2M);
	ck_assert(!is_mapped(1, 0));
	/* there is a CPU that sees all memory */
	ck_assert_uint_eq(map(1, 0, at, PAGE, RWX), DENIED);
	ck_assert_uint_eq(own(2, linux_page(0), PAGE), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(own(1, linux_page(0), PAGE), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(map(1, 0, linux_page(0), PAGE, RWX), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(mem_donate, HANDLE2, linux_page(1), PAGE), MK1_SUCCESS);
	ck_assert_uint_eq(SYS2(mem_return, HANDLE2, linux_page(1)), MK1_SUCCESS);
	ck_assert_uint_eq(disown(1, at, 2 * PAGE), MK1_SUCCESS);
	expect_linux(at, 2 * PAGE);
	/* what Linux has written meanwhile is nobody's to clear, but the way back is */
	fill(BLOCK, PAGE);
	SYS(vs_promote, HANDLE, 1);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(other_bytes(BLOCK, PAGE, 0xA5), 0);
}
END_TEST

/* A PP with an extension that has failed: Linux still finds the decoy, and zeros after the stop. */
START_TEST(a_stop_after_a_failure)
{
	const uint64_t at = linux_page(3);

	with_vm(_i);
	owns(at);
	RUN(pp_fail(BF_ERR_EXT_FAULT, 0, 0, 0));
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_hidden(at, 2 * PAGE);
	ck_assert_uint_eq(other_bytes(at, 2 * PAGE, 0xA5), 0);
	abi_gprs()[BF_RAX] = BF_HYPERCALL_STOP;
	if (_i) {
		put_field(VMCS_vmexit_instruction_length, 3);
		guest_exit(VMX_EXIT_VMCALL);
	} else {
		vmcb()->rax = BF_HYPERCALL_STOP;
		vmcb()->nrip = vmcb()->rip + 3;
		guest_exit(SVM_EXIT_VMMCALL);
	}
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(other_bytes(at, 2 * PAGE, 0), 0);
	ck_assert_uint_eq(other_bytes(BLOCK, SIZE_2M, 0), 0);
}
END_TEST

/* A PP that comes in, but goes back at once. */
START_TEST(a_pp_that_fails_as_it_comes)
{
	const uint64_t at = linux_page(3);

	with_vm(_i);
	owns(at);
	drain_pool(0);
	enter(1);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(other_bytes(at, 2 * PAGE, 0), 0);
}
END_TEST

/* A PP that runs a guest of the VM does not answer. */
START_TEST(a_pp_that_does_not_answer)
{
	const uint64_t at = linux_page(3);
	uint16_t vsid;

	two_pps(_i);
	owns(at);
	vsid = make_vs(1, 1);
	on_pp(1);
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, vsid), MK1_SUCCESS);
	on_pp(0);
	(void)printed();
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_ptr_nonnull(strstr(printed(), "pp 0: vm 1 still uses memory of its own\n"));
	ck_assert_uint_eq(other_bytes(at, 2 * PAGE, 0), 0);
}
END_TEST

/* --- no memory -------------------------------------------------------------------------------- */

/* _i / 2 pages are left: all of it, or nothing has changed. */
START_TEST(without_memory)
{
	const unsigned int left = (unsigned int)_i / 2;
	uint64_t status;

	with_vm(_i & 1);
	drain_pool(left);
	status = own(1, RAM_1G + SIZE_1G - PAGE, 2 * PAGE);
	hidden_lock();
	hidden_unlock();
	if (status == MK1_SUCCESS) {
		ck_assert_uint_ge(left, 6);
		expect_hidden(RAM_1G + SIZE_1G - PAGE, 2 * PAGE);
		return;
	}
	ck_assert_uint_eq(status, MK2_FAILURE_NO_MEMORY);
	ck_assert_uint_eq(free_pages(), left);
	expect_linux(RAM_1G + SIZE_1G - PAGE, 2 * PAGE);
	ck_assert_uint_eq(vm_find(1)->nested.owned, 0);
}
END_TEST

/* A part of a block goes back: that takes a table for Linux, and one for who owns the rest. */
START_TEST(part_of_it_without_memory)
{
	const unsigned int left = (unsigned int)_i / 2;
	uint64_t status;

	with_vm(_i & 1);
	ck_assert_uint_eq(own(1, BLOCK, SIZE_2M), MK1_SUCCESS);
	fill(BLOCK, SIZE_2M);
	drain_pool(left);
	status = disown(1, BLOCK + PAGE, PAGE);
	ck_assert_uint_eq(status, left < 2 ? MK2_FAILURE_NO_MEMORY : MK1_SUCCESS);
	if (status != MK1_SUCCESS) {
		expect_hidden(BLOCK, SIZE_2M);
		ck_assert_uint_eq(map(1, 0, BLOCK + PAGE, PAGE, RWX), MK2_FAILURE_NO_MEMORY);
		ck_assert_uint_eq(disown(1, BLOCK, SIZE_2M), MK1_SUCCESS);
		expect_linux(BLOCK, SIZE_2M);
	}
}
END_TEST

/* --- the arguments ---------------------------------------------------------------------------- */

START_TEST(arguments)
{
	with_vm(_i);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t (*call)(uint64_t vmid, uint64_t spa, uint64_t size) = i ? disown : own;

		ck_assert_uint_eq(call(0, linux_page(0), PAGE), REG1);
		ck_assert_uint_eq(call(2, linux_page(0), PAGE), REG1);
		ck_assert_uint_eq(call(1, 0, PAGE), REG2);
		ck_assert_uint_eq(call(1, linux_page(0) + 1, PAGE), REG2);
		ck_assert_uint_eq(call(1, MK1_SPA_LIMIT, PAGE), REG2);
		ck_assert_uint_eq(call(1, linux_page(0), 0), REG3);
		ck_assert_uint_eq(call(1, linux_page(0), PAGE + 1), REG3);
		ck_assert_uint_eq(call(1, linux_page(0), MK2_OWN_MAX_BYTES + PAGE), REG3);
		ck_assert_uint_eq(call(1, linux_page(0), ~0ULL << 12), REG3);
		ck_assert_uint_eq(call(1, MK1_SPA_LIMIT - PAGE, 2 * PAGE), REG3);
	}
	ck_assert_uint_eq(SYS2(vm_own, HANDLE, 1, linux_page(0), PAGE), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(SYS2(vm_disown, HANDLE, 1, linux_page(0), PAGE),
			  MK1_FAILURE_INVALID_HANDLE);
}
END_TEST

START_TEST(without_nested_paging)
{
	machine_of(_i);
	if (_i)
		msr_set(cpu, MSR_VMX_EPT_VPID_CAP, 0);
	else
		cpuid_set(0x8000000A, 0, 1, 16, 0, 0);
	open_and_launch();
	ck_assert_uint_eq(own(1, linux_page(0), PAGE), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(disown(1, linux_page(0), PAGE), DENIED);
}
END_TEST

TCase *mem_own_tests(void)
{
	TCase *tc = tcase_create("mem_own");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_few_pages, 0, 2);
	tcase_add_loop_test(tc, in_pieces, 0, 2 * NR_CUTS);
	tcase_add_loop_test(tc, a_large_page, 0, 2);
	tcase_add_loop_test(tc, what_it_cannot_own, 0, 2);
	tcase_add_loop_test(tc, so_much_and_no_more, 0, 2);
	tcase_add_loop_test(tc, the_vm_goes, 0, 2);
	tcase_add_test(tc, the_vm_cannot_go);
	tcase_add_loop_test(tc, a_stop, 0, 4);
	tcase_add_loop_test(tc, a_stop_after_a_failure, 0, 2);
	tcase_add_loop_test(tc, a_pp_that_fails_as_it_comes, 0, 2);
	tcase_add_loop_test(tc, a_pp_that_does_not_answer, 0, 2);
	tcase_add_loop_test(tc, without_memory, 0, 2 * 12);
	tcase_add_loop_test(tc, part_of_it_without_memory, 0, 2 * 4);
	tcase_add_loop_test(tc, arguments, 0, 2);
	tcase_add_loop_test(tc, without_nested_paging, 0, 2);
	return tc;
}
