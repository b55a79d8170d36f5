// SPDX-License-Identifier: GPL-2.0-only
/* Syscalls: mem and intrinsic. */
#include <abi/layout.h>
#include <abi/mk1_msrs.h>
#include <bsl/bits.h>
#include <bsl/paging.h>

#include "arch/intrinsics.h"
#include "arch/mtrr.h"
#include "call/syscall.h"
#include "mem/mem.h"
#include "mem/nested.h"
#include "mem/tlb.h"
#include "mk.h"
#include "obj/ext.h"
#include "pp.h"

uint64_t sys_mem_alloc_page(struct syscall_frame *f)
{
	uint64_t spa = pool_alloc();

	if (spa == MK_NO_PAGE)
		return MK1_FAILURE_UNKNOWN;
	if (!ext_map_pool(this_pp()->ext, spa, BF_PAGE_SIZE)) {
		pool_free(spa);
		return MK1_FAILURE_UNKNOWN;
	}
	f->reg[0] = MK1_PAGE_POOL_BASE + spa;
	f->reg[1] = spa;
	return MK1_SUCCESS;
}

uint64_t sys_mem_alloc_huge(struct syscall_frame *f)
{
	uint64_t size, spa;

	if (!f->reg[1] || !bsl_align_up(f->reg[1], BF_PAGE_SIZE, &size))
		return MK1_INVALID_INPUT_REG(1);
	spa = huge_alloc(size);
	if (spa == MK_NO_PAGE)
		return MK1_FAILURE_UNKNOWN;
	if (!ext_map_pool(this_pp()->ext, spa, size)) {
		/* Part of it was mapped for a moment, in which other PPs may have touched it. */
		if (tlb_shootdown(this_pp()))
			huge_free(spa);
		return MK1_FAILURE_UNKNOWN;
	}
	huge_unclaim(spa);
	f->reg[0] = MK1_PAGE_POOL_BASE + spa;
	f->reg[1] = spa;
	return MK1_SUCCESS;
}

/*
 * Takes size bytes at va of the pool window from the extension. When a PP keeps its old view
 * (tlb_shootdown), the memory is lost rather than dangerous. A page that a control block still
 * points to (a permission map, a nested table) is the extension's own affair, as is any other use
 * of memory that it has given back.
 */
static uint64_t take_back(uint64_t spa, uint64_t size)
{
	if (!ext_unmap_pool(this_pp()->ext, spa, size))
		return MK1_INVALID_INPUT_REG(1);
	return tlb_shootdown(this_pp()) ? MK1_SUCCESS : MK1_FAILURE_UNKNOWN;
}

/* Whether va can be an address of the pool window; *spa is what it would show. */
static bool pool_address(uint64_t va, uint64_t *spa)
{
	*spa = va - MK1_PAGE_POOL_BASE;
	return bsl_is_aligned(va, BF_PAGE_SIZE) && va >= MK1_PAGE_POOL_BASE && *spa < MK1_SPA_LIMIT;
}

uint64_t sys_mem_free_page(struct syscall_frame *f)
{
	uint64_t spa, status;

	if (!pool_address(f->reg[1], &spa) || huge_owns(spa))
		return MK1_INVALID_INPUT_REG(1);
	status = take_back(spa, BF_PAGE_SIZE);
	if (status == MK1_SUCCESS)
		pool_free(spa);
	return status;
}

uint64_t sys_mem_free_huge(struct syscall_frame *f)
{
	uint64_t spa, size, status;

	if (!pool_address(f->reg[1], &spa))
		return MK1_INVALID_INPUT_REG(1);
	size = huge_claim(spa);
	if (!size)
		return MK1_INVALID_INPUT_REG(1);
	status = take_back(spa, size);
	if (status == MK1_SUCCESS)
		huge_free(spa);
	else if (status == MK1_INVALID_INPUT_REG(1)) /* another extension's */
		huge_unclaim(spa);
	return status;
}

#define RIGHT_R 0x1
#define RIGHT_W 0x2
#define RIGHT_RW (RIGHT_R | RIGHT_W)

static const struct {
	uint32_t first, last;
	unsigned int rights;
} msr_policy[] = {
#define POLICY(first, last, rights, what) { first, last, RIGHT_##rights },
	MK1_MSRS(POLICY)
};

static unsigned int msr_rights(uint32_t msr)
{
	for (unsigned int i = 0; i < sizeof(msr_policy) / sizeof(msr_policy[0]); i++) {
		if (msr >= msr_policy[i].first && msr <= msr_policy[i].last)
			return msr_policy[i].rights;
	}
	return 0;
}

uint64_t sys_intrinsic_rdmsr(struct syscall_frame *f)
{
	uint64_t value;

	if (!(msr_rights((uint32_t)f->reg[1]) & RIGHT_R))
		return MK1_INVALID_PERM_DENIED;
	if (!rdmsr_safe((uint32_t)f->reg[1], &value))
		return MK1_INVALID_INPUT_REG(1);
	f->reg[0] = value;
	return MK1_SUCCESS;
}

uint64_t sys_intrinsic_wrmsr(struct syscall_frame *f)
{
	if (!(msr_rights((uint32_t)f->reg[1]) & RIGHT_W))
		return MK1_INVALID_PERM_DENIED;
	/* Emulated CPUs take any base. */
	if ((uint32_t)f->reg[1] == MSR_GS_BASE && !bsl_is_canonical(f->reg[2], mk.levels))
		return MK1_INVALID_INPUT_REG(1);
	if (!wrmsr_safe((uint32_t)f->reg[1], f->reg[2]))
		return MK1_INVALID_INPUT_REG(1);
	if (mtrr_is((uint32_t)f->reg[1]))
		nested_follow_mtrrs();
	return MK1_SUCCESS;
}
