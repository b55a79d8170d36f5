// SPDX-License-Identifier: GPL-2.0-only
#include "run/bind.h"

#include <bsl/bits.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "mem/mem.h"
#include "mk.h"
#include "obj/objects.h"
#include "obj/peek.h"
#include "pp.h"
#include "vendor.h"

/* Below are PML4 entries that Linux leaves to hypervisors, ours among them (abi/layout.h). */
#define LINUX_BASE 0xFFFF880000000000

static uint64_t page_of(uint64_t va)
{
	return va & ~(uint64_t)BF_PAGE_MASK;
}

/*
 * Whether root mode has nothing there. With 5 levels the last entry of its PML5 leads to a PML4
 * whose lower half is that of the first one: abi/layout.h, driver/core/x86/aspace.c.
 */
static bool is_free(uint64_t va)
{
	if (va & BF_PAGE_MASK || !bsl_is_canonical(va, mk.levels) || (int64_t)va >= 0)
		return false;
	return va >= LINUX_BASE || (mk.levels == 5 && bsl_pt_index(va, 5) != BSL_PT_ENTRIES - 1);
}

/*
 * The instructions behind the one that loads CR3 are fetched from Linux's page, and those of the
 * NMI handler may be.
 */
static bool is_our_code(const struct pp *pp, uint64_t spa)
{
	uint64_t offset = pp->handoff.switch_leave & BF_PAGE_MASK;
	const uint8_t *theirs = peek_page(MK_TEMP_TABLE, spa);
	const uint8_t *ours = (const uint8_t *)page_of(pp->handoff.switch_leave);

	return theirs && !bsl_memcmp(theirs + offset, ours + offset, BF_PAGE_SIZE - offset);
}

/* Of two pages in 5 levels, without what they may share. */
static bool take_tables(struct pp *pp)
{
	for (unsigned int i = 0; i < MK_BIND_TABLES; i++) {
		if (pp->bind.tables[i])
			continue;
		pp->bind.tables[i] = pool_alloc();
		if (pp->bind.tables[i] == MK_NO_PAGE) {
			pp->bind.tables[i] = 0;
			return false;
		}
	}
	return true;
}

static enum bf_error bind(struct pp *pp, struct vs *vs)
{
	const volatile struct bf_pp_status *status = pp->status;
	uint64_t page = status->bind_page, code = status->bind_code;
	uint64_t cr3, cr4, page_spa, code_spa;

	if (!(mk.handoff->flags & BF_HANDOFF_STAYS) ||
	    mk.vendor->vs_read(vs, mk.vendor->cr3, &cr3) != MK1_SUCCESS ||
	    mk.vendor->vs_read(vs, mk.vendor->cr4, &cr4) != MK1_SUCCESS)
		return BF_ERR_BAD_REQUEST;
	/* That bit of CR4 cannot change in long mode. */
	if ((cr4 ^ mk.host_cr4) & CR4_LA57)
		return BF_ERR_MK_LEVELS;
	if (!is_free(page) || !is_free(code) || page == code ||
	    !peek_is_mapped(cr3, cr4, page, &page_spa) || page_spa != pp->handoff.switch_page_spa ||
	    !peek_is_mapped(cr3, cr4, code, &code_spa))
		return BF_ERR_BAD_REQUEST;
	if (!is_our_code(pp, code_spa))
		return BF_ERR_MK_VERSION;
	if (!take_tables(pp))
		return BF_ERR_MK_POOL;
	pp->bind.page = page;
	pp->bind.code = code;
	return BF_ERR_OK;
}

bool bind_hypercall(struct vs *vs, unsigned int cpl)
{
	enum bf_error error;

	if (!vs->root || cpl || abi_gprs()[BF_RAX] != BF_HYPERCALL_BIND)
		return false;
	if (mk.vendor->vs_advance_ip(vs) == ADVANCE_DONE) {
		error = bind(this_pp(), vs);
		abi_gprs()[BF_RAX] = error ? (uint64_t)error : BF_HYPERCALL_BOUND;
	}
	return true;
}

uint64_t bind_switch_page(const struct pp *pp)
{
	return pp->bind.page ? pp->bind.page : pp->handoff.switch_page;
}

uint64_t bind_leave(const struct pp *pp)
{
	uint64_t offset = pp->handoff.switch_leave & BF_PAGE_MASK;

	return pp->bind.page ? pp->bind.code + offset : pp->handoff.switch_leave;
}

static uint64_t next_table(void *arg)
{
	struct pp *pp = arg;
	uint64_t spa = pp->bind.tables[pp->bind.used];

	pp->bind.used++;
	bsl_memset(phys_to_virt(spa), 0, BF_PAGE_SIZE);
	return spa;
}

static void map(struct pp *pp, uint64_t va, uint64_t spa, uint64_t flags)
{
	const struct bsl_tables tables = { .alloc = next_table,
					   .at = pool_table_at,
					   .ctx = pp,
					   .branch = BSL_PTE_P | BSL_PTE_W | BSL_PTE_A,
					   .levels = mk.levels };

	/* It cannot fail: the tables are enough, and is_free has seen to the rest. */
	(void)bsl_pt_map_range(&tables, pp->handoff.cr3, va, spa, BF_PAGE_SIZE, flags);
}

/* An interrupt gate without the address of its handler. */
#define GATE_NOWHERE 0x0000FFFFFFFF0000

/* The switch page's own tables, by its new address, and the handler's. */
static void move_tables(const struct pp *pp)
{
	struct bf_switch_page *sp = pp->switch_page;
	uint64_t *gate = &sp->idt[2 * VECTOR_NMI];
	uint64_t handler = pp->bind.code + (gate[0] & BF_PAGE_MASK);

	gate[0] = (gate[0] & GATE_NOWHERE) | (handler & 0xFFFF) | (handler & 0xFFFF0000) << 32;
	gate[1] = handler >> 32;
	sp->gdtr.base = pp->bind.page + offsetof(struct bf_switch_page, gdt);
	sp->idtr.base = pp->bind.page + offsetof(struct bf_switch_page, idt);
}

void bind_use(struct pp *pp)
{
	if (!pp->bind.page)
		return;
	pp->bind.used = 0;
	map(pp, pp->bind.page, pp->handoff.switch_page_spa, BSL_PTE_W | BSL_PTE_NX);
	map(pp, pp->bind.code, pp->handoff.switch_code_spa, 0);
	/* An extension's table has none of it; and nothing that is cached of there is left. */
	write_cr3(pp->handoff.cr3);
	move_tables(pp);
	pp->handoff.switch_leave = bind_leave(pp);
	pp->handoff.switch_page = pp->bind.page;
	pp->switch_page = (struct bf_switch_page *)pp->bind.page;
	pp->bind.page = 0;
}
