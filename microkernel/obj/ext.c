// SPDX-License-Identifier: GPL-2.0-only
#include "obj/ext.h"

#include <abi/loader.h>
#include <abi/mk1.h>
#include <bsl/bits.h>
#include <bsl/paging.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "lock.h"
#include "mem/direct_map.h"
#include "mem/mem.h"
#include "mem/prune.h"
#include "mem/window.h"
#include "mk.h"
#include "obj/objects.h"
#include "vendor.h"

static struct ext exts[BF_MAX_EXTS];

static const struct bsl_tables tables = {
	.alloc = pool_table_alloc,
	.at = pool_table_at,
	.branch = USER_TABLE,
	.levels = 4, /* also where root mode has 5: below the first entry of a PML5 */
};

struct ext *ext_find(uint16_t id)
{
	return id < mk.handoff->nr_exts ? &exts[id] : NULL;
}

static uint64_t stack_top(uint64_t base, uint32_t ppid)
{
	return base + ppid * (uint64_t)MK1_EXT_STACK_STRIDE + MK1_EXT_STACK_SIZE;
}

static uint64_t tls_block(uint32_t ppid)
{
	return MK1_EXT_TLS_BASE + ppid * (uint64_t)MK1_EXT_TLS_STRIDE;
}

static bool map_image(struct ext *ext)
{
	const struct bf_image_page *page = phys_to_virt(ext->image->pages.spa);

	for (uint64_t i = 0; i < ext->image->pages.count; i++) {
		uint64_t spa = page[i].spa & BSL_PTE_SPA;
		uint64_t attr = page[i].spa & BF_PAGE_X ? USER_RX :
				page[i].spa & BF_PAGE_W ? USER_RW :
							  USER_R;

		if (!bsl_pt_map(&tables, ext->root, page[i].va, spa, attr, 1))
			return false;
	}
	return true;
}

/* PML4 entries that come into use later must exist now, because the PPs' PML4s are copies. */
static bool make_slot(struct ext *ext, uint64_t va)
{
	return bsl_pt_entry(&tables, ext->root, va, 3, true) != NULL;
}

/* The pools have pages only where the window reaches, whatever Linux will give. */
static bool make_slots(struct ext *ext)
{
	bool ok = make_slot(ext, MK1_EXT_STACK_BASE) && make_slot(ext, MK1_EXT_FAIL_STACK_BASE) &&
		  make_slot(ext, MK1_EXT_TLS_BASE);

	for (uint64_t spa = 0; ok && spa < MK1_SPA_LIMIT; spa += BSL_LEVEL_SIZE(4))
		ok = !window_reaches(spa, BF_PAGE_SIZE) || make_slot(ext, MK1_PAGE_POOL_BASE + spa);
	return ok;
}

enum bf_error exts_init(void)
{
	for (uint16_t i = 0; i < mk.handoff->nr_exts; i++) {
		struct ext *ext = &exts[i];

		ext->id = i;
		ext->lock.rank = LOCK_TABLES;
		ext->image = &mk.handoff->exts[i];
		ext->rights = BF_ALL_RIGHTS & ~mk.handoff->denied[i];
		ext->root = pool_alloc();
		if (ext->root == MK_NO_PAGE || !map_image(ext) || !make_slots(ext))
			return BF_ERR_MK_POOL;
	}
	return BF_ERR_OK;
}

static bool map_fresh(struct ext *ext, uint64_t va, uint64_t size, uint64_t *last)
{
	for (uint64_t off = 0; off < size; off += BF_PAGE_SIZE) {
		uint64_t spa = pool_alloc();

		if (spa == MK_NO_PAGE)
			return false;
		if (!bsl_pt_map(&tables, ext->root, va + off, spa, USER_RW, 1)) {
			pool_free(spa);
			return false;
		}
		*last = spa;
	}
	return true;
}

/* The thread_local data of a PP: it ends where FS base points, and the word there is FS base. */
static void fill_tls(const struct ext *ext, uint32_t ppid)
{
	uint64_t fs_base = tls_block(ppid) + MK1_EXT_TLS_ABI_OFFSET;

	if (mk.has_smap)
		stac();
	if (ext->image->tls_spa)
		bsl_memcpy((void *)tls_block(ppid), phys_to_virt(ext->image->tls_spa),
			   MK1_EXT_TLS_ABI_OFFSET);
	*(uint64_t *)fs_base = fs_base;
	if (mk.has_smap)
		clac();
}

/*
 * The PML4 with the addresses of 48 bits below what CR3 holds; of the lower half, where there are
 * two.
 */
static uint64_t *pml4_of(uint64_t cr3)
{
	uint64_t *root = phys_to_virt(cr3);

	return mk.levels == 5 ? phys_to_virt(root[0] & BSL_PTE_SPA) : root;
}

/*
 * A root table with the PP's own entries (microkernel, window, PP area, switch) and the
 * extension's. With 5 levels, only the first entry of the PML5 differs from the PP's: what ring 3
 * can reach has one address.
 */
static bool make_root(const struct pp *pp, const struct ext *ext, uint64_t *cr3)
{
	const uint64_t *base = pml4_of(pp->handoff.cr3), *own = phys_to_virt(ext->root);
	uint64_t pml4 = pool_alloc(), pml5;

	if (pml4 == MK_NO_PAGE)
		return false;
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++)
		((uint64_t *)phys_to_virt(pml4))[i] = base[i] | own[i];
	*cr3 = pml4;
	if (mk.levels < 5)
		return true;
	pml5 = pool_alloc();
	if (pml5 == MK_NO_PAGE)
		return false;
	bsl_memcpy(phys_to_virt(pml5), phys_to_virt(pp->handoff.cr3), BF_PAGE_SIZE);
	*(uint64_t *)phys_to_virt(pml5) = pml4 | USER_TABLE;
	*cr3 = pml5;
	return true;
}

static enum bf_error prepare(struct pp *pp, struct ext *ext)
{
	uint32_t ppid = pp->handoff.ppid;
	uint64_t unused, cr3;
	bool ok;

	if (pp->ext_cr3[ext->id])
		return BF_ERR_OK;
	if (!make_root(pp, ext, &cr3))
		return BF_ERR_MK_POOL;
	mk_lock(&ext->lock);
	ok = map_fresh(ext, MK1_EXT_STACK_BASE + ppid * (uint64_t)MK1_EXT_STACK_STRIDE,
		       MK1_EXT_STACK_SIZE, &unused) &&
	     map_fresh(ext, MK1_EXT_FAIL_STACK_BASE + ppid * (uint64_t)MK1_EXT_STACK_STRIDE,
		       MK1_EXT_STACK_SIZE, &unused) &&
	     map_fresh(ext, tls_block(ppid), 2 * BF_PAGE_SIZE, &pp->ext_abi_page[ext->id]);
	mk_unlock(&ext->lock);
	if (!ok)
		return BF_ERR_MK_POOL;
	pp->ext_cr3[ext->id] = cr3;
	write_cr3(cr3);
	fill_tls(ext, ppid);
	return BF_ERR_OK;
}

enum bf_error exts_prepare_pp(struct pp *pp)
{
	enum bf_error error = BF_ERR_OK;

	for (uint16_t i = 0; !error && i < mk.handoff->nr_exts; i++)
		error = prepare(pp, &exts[i]);
	write_cr3(pp->handoff.cr3);
	return error;
}

/* The supervisor's view of the active extension's ABI page. */
static void map_abi_page(struct pp *pp, uint64_t spa)
{
	uint64_t *pt = phys_to_virt(pp->handoff.area_pt);

	pt[bsl_pt_index(BF_PP_ABI, 1)] = spa | BSL_PTE_P | BSL_PTE_W | BSL_PTE_NX | BSL_PTE_A |
					 BSL_PTE_D;
	invlpg(BF_PP_ABI);
}

void ext_publish_ids(struct pp *pp)
{
	uint8_t *abi = (uint8_t *)BF_PP_ABI;

	*(uint16_t *)(abi + MK1_TLS_EXTID) = pp->ext->id;
	*(uint16_t *)(abi + MK1_TLS_VMID) = pp->vmid;
	*(uint16_t *)(abi + MK1_TLS_VPID) = pp->vpid;
	*(uint16_t *)(abi + MK1_TLS_VSID) = pp->vsid;
	*(uint16_t *)(abi + MK1_TLS_PPID) = (uint16_t)pp->handoff.ppid;
	*(uint16_t *)(abi + MK1_TLS_ONLINE_PPS) = (uint16_t)mk.handoff->nr_online;
}

/* The direct maps of the active VM; NULL: no VM. */
static const struct direct_maps *active_maps(const struct pp *pp)
{
	const struct vm *vm;

	if (pp->vs)
		return pp->vs->direct;
	vm = vm_find(pp->vmid);
	return vm ? &vm->direct : NULL;
}

void ext_load_direct_map(struct pp *pp)
{
	uint16_t id = pp->ext->id;

	direct_map_load(pml4_of(pp->ext_cr3[id]), &pp->ext_direct[id], active_maps(pp), id);
}

bool ext_direct_map_fault(struct pp *pp, uint64_t va)
{
	uint16_t id = pp->ext->id;

	return direct_map_fault(pml4_of(pp->ext_cr3[id]), &pp->ext_direct[id], active_maps(pp), id,
				va);
}

void ext_switch(struct pp *pp, struct ext *ext)
{
	uint32_t ppid = pp->handoff.ppid;
	uint64_t gpr[BF_NR_GPRS];

	if (pp->ext == ext)
		return;
	if (pp->vs)
		bsl_memcpy(gpr, abi_gprs(), sizeof(gpr));
	pp->ext = ext;
	pp->stack_top = stack_top(MK1_EXT_STACK_BASE, ppid);
	ext_load_direct_map(pp); /* before anything can be found through it */
	write_cr3(pp->ext_cr3[ext->id]);
	map_abi_page(pp, pp->ext_abi_page[ext->id]);
	mk.vendor->set_host(pp, pp->ext_cr3[ext->id], tls_block(ppid) + MK1_EXT_TLS_ABI_OFFSET);
	if (pp->vs)
		bsl_memcpy(abi_gprs(), gpr, sizeof(gpr));
	ext_publish_ids(pp);
}

/* Ring 3 can zero its FS base with a MOV to FS; after an exit the CPU has it anew. */
void ext_load_fs(const struct pp *pp)
{
	wrmsr(MSR_FS_BASE, tls_block(pp->handoff.ppid) + MK1_EXT_TLS_ABI_OFFSET);
}

void ext_call(struct pp *pp, struct ext *ext, enum phase phase, uint64_t rip, uint64_t arg0,
	      uint64_t arg1)
{
	uint32_t ppid = pp->handoff.ppid;
	uint64_t rsp;

	ext_switch(pp, ext);
	rsp = phase == PHASE_FAIL ? stack_top(MK1_EXT_FAIL_STACK_BASE, ppid) : pp->stack_top;
	ext_load_fs(pp);
	/* Its GS base is its own, and 0 where it begins, as an exit leaves it. */
	if (phase != PHASE_FAIL)
		wrmsr(MSR_GS_BASE, 0);
	pp->phase = phase;
	enter_ring3(arg0, arg1, rsp, rip);
}

bool ext_is_code(const struct ext *ext, uint64_t rip)
{
	uint64_t entry;

	return bsl_range_within(rip, 1, MK1_EXT_CODE_BASE, MK1_EXT_CODE_SIZE) &&
	       bsl_pt_walk(&tables, ext->root, rip, BSL_PTE_P, &entry) && !(entry & BSL_PTE_NX);
}

bool ext_is_mapped(struct pp *pp, uint64_t va, uint64_t size)
{
	uint64_t pml4 = virt_to_phys(pml4_of(pp->ext_cr3[pp->ext->id]));
	uint64_t end, entry;

	if (!size)
		return true;
	if (!bsl_add(va, size - 1, &end) || end >> 47)
		return false;
	for (uint64_t page = va >> BF_PAGE_SHIFT; page <= end >> BF_PAGE_SHIFT; page++) {
		/* What another PP put into the direct map may not have been touched here. */
		(void)ext_direct_map_fault(pp, page << BF_PAGE_SHIFT);
		if (!bsl_pt_walk(&tables, pml4, page << BF_PAGE_SHIFT, BSL_PTE_P, &entry) ||
		    !(entry & BSL_PTE_U))
			return false;
	}
	return true;
}

/* Another PP may unmap what has just been found mapped: the copy looks out for that, too. */
bool ext_read(struct pp *pp, void *to, uint64_t va, uint64_t size)
{
	bool ok;

	if (!ext_is_mapped(pp, va, size))
		return false;
	if (mk.has_smap)
		stac();
	ok = copy_from_ring3(to, va, size);
	if (mk.has_smap)
		clac();
	return ok;
}

/* CR0.WP holds for ring 0, too. */
bool ext_write(struct pp *pp, uint64_t va, const void *from, uint64_t size)
{
	bool ok;

	if (!ext_is_mapped(pp, va, size))
		return false;
	if (mk.has_smap)
		stac();
	ok = copy_to_ring3(va, from, size);
	if (mk.has_smap)
		clac();
	return ok;
}

bool ext_has_page(struct pp *pp, uint64_t spa)
{
	return bsl_is_aligned(spa, BF_PAGE_SIZE) && spa < MK1_SPA_LIMIT &&
	       ext_is_mapped(pp, MK1_PAGE_POOL_BASE + spa, BF_PAGE_SIZE);
}

/* What was mapped as a whole is there as a whole, or not at all. */
static bool unmap_pool(struct ext *ext, uint64_t spa, uint64_t size)
{
	bool mapped = true;

	ASSERT_LOCKED(&ext->lock);
	for (uint64_t off = 0; mapped && off < size; off += BF_PAGE_SIZE) {
		uint64_t *entry =
			bsl_pt_entry(&tables, ext->root, MK1_PAGE_POOL_BASE + spa + off, 1, false);

		mapped = entry && *entry;
		if (mapped)
			*entry = 0;
	}
	return mapped;
}

bool ext_map_pool(struct ext *ext, uint64_t spa, uint64_t size)
{
	bool ok = true;
	uint64_t off;

	mk_lock(&ext->lock);
	for (off = 0; ok && off < size; off += BF_PAGE_SIZE)
		ok = bsl_pt_map(&tables, ext->root, MK1_PAGE_POOL_BASE + spa + off, spa + off,
				USER_RW, 1);
	if (!ok)
		(void)unmap_pool(ext, spa, off - BF_PAGE_SIZE);
	mk_unlock(&ext->lock);
	return ok;
}

bool ext_unmap_pool(struct ext *ext, uint64_t spa, uint64_t size)
{
	bool mapped;

	mk_lock(&ext->lock);
	mapped = unmap_pool(ext, spa, size);
	mk_unlock(&ext->lock);
	return mapped;
}

bool exts_make_tables(uint64_t spa, uint64_t size)
{
	bool ok = true;

	for (uint16_t i = 0; ok && i < mk.handoff->nr_exts; i++) {
		mk_lock(&exts[i].lock);
		for (uint64_t at = bsl_align_down(spa, BSL_LEVEL_SIZE(2)); ok && at < spa + size;
		     at += BSL_LEVEL_SIZE(2))
			ok = bsl_pt_entry(&tables, exts[i].root, MK1_PAGE_POOL_BASE + at, 1, true);
		mk_unlock(&exts[i].lock);
	}
	return ok;
}

void exts_prune(uint64_t spa, uint64_t size, uint64_t *pruned)
{
	for (uint16_t i = 0; i < mk.handoff->nr_exts; i++) {
		mk_lock(&exts[i].lock);
		prune(&tables, exts[i].root, MK1_PAGE_POOL_BASE + spa, size, pruned);
		mk_unlock(&exts[i].lock);
	}
}

void ext_dump(uint16_t id)
{
	const struct ext *ext = ext_find(id);

	if (!ext)
		mk_print("ext %u: not loaded\n", id);
	else
		mk_print("ext %u: handle %s, bootstrap 0x%llx, vmexit 0x%llx, fail 0x%llx\n", id,
			 ext->handle_open ? "open" : "closed", (unsigned long long)ext->bootstrap,
			 (unsigned long long)ext->vmexit, (unsigned long long)ext->fail);
}
