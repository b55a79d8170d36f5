// SPDX-License-Identifier: GPL-2.0-only
/* again: the instruction that faulted is executed once more, with all registers as they were. */
#include "test/ext/lib/call.h"

static const uint64_t spa = BF_PAGE_SIZE;
static uint64_t faults;

static void fault(uint64_t error_and_vector, uint64_t address)
{
	uint64_t va;

	/* a write to a page that is not there, from ring 3 */
	VERIFY(error_and_vector == (6ULL << 32 | 14));
	VERIFY(address == MK1_DIRECT_MAP_BASE + spa + 8);
	faults++;
	if (!VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, mk1_tls_vmid(), spa, &va), MK1_SUCCESS))
		ext_exit();
	GIVES(MK1_SUCCESS);
	UNREACHED("again came back");
	ext_exit();
}

/* The write to *to: with the flags set and all other registers filled; what is left of them? */
static bool writes(uint64_t *to, uint64_t value)
{
	uint64_t carry = 0, rbx = 1, rdx = 2, rsi = 3, rdi = 4;
	register uint64_t r8 __asm__("r8") = 8;
	register uint64_t r9 __asm__("r9") = 9;
	register uint64_t r10 __asm__("r10") = 10;
	register uint64_t r11 __asm__("r11") = 11;
	register uint64_t r12 __asm__("r12") = 12;

	__asm__ volatile("stc\n\tmov %%rcx, (%%rax)\n\tsbb $0, %[carry]"
			 : [carry] "+r"(carry), "+b"(rbx), "+d"(rdx), "+S"(rsi), "+D"(rdi),
			   "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11), "+r"(r12)
			 : "a"(to), "c"(value)
			 : "memory", "cc");
	return carry == ~0ULL && rbx == 1 && rdx == 2 && rsi == 3 && rdi == 4 && r8 == 8 &&
	       r9 == 9 && r10 == 10 && r11 == 11 && r12 == 12;
}

/* The page is one that the guest does not use: the second one of memory, which is put back. */
static void test(void)
{
	uint64_t *page = (uint64_t *)(MK1_DIRECT_MAP_BASE + spa);
	uint64_t va, old;

	if (!VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, spa, &va), MK1_SUCCESS))
		return;
	old = page[1];
	for (uint64_t i = 0; i < 3; i++) {
		VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va), MK1_SUCCESS);
		faults = 0;
		VERIFY(writes(&page[1], i));
		VERIFY(faults == 1);
		VERIFY(page[1] == i);
	}
	page[1] = old;
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va), MK1_SUCCESS);
}

static void end(void)
{
	GIVES(MK1_SUCCESS);
}

const struct call_test call_test = {
	.call = CALL_control_again,
	.fault = fault,
	.exit = test,
	.end = end,
};
