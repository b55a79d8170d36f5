// SPDX-License-Identifier: GPL-2.0-only
#include "mem/view.h"

#include <abi/mk2.h>
#include <bsl/bits.h>
#include <bsl/paging.h>

#include "mem/mem.h"
#include "mem/nested.h"
#include "mem/tlb.h"
#include "mk.h"
#include "vendor.h"

/* Both vendors ignore this bit: the entry is the view's own, a table or a page that was set. */
#define OWN BSL_BIT(11)

#define ALL_RIGHTS 0x7 /* of an entry that leads to a table, as in nested.c */

static struct view {
	uint64_t root; /* 0: nothing has been said of it */
	bool no_execute; /* what was not set cannot be executed */
} views[MK2_VIEWS];

/* Pages that are shown in place of Linux's. They are never freed, but used again. */
static struct copy {
	unsigned int view; /* 0: none */
	uint64_t gpa;
	uint64_t spa; /* 0: there has been none */
	uint64_t generation; /* without a view: no PP that has seen it shows the page */
	unsigned int filling; /* PPs that are copying content into it */
} copies[MK2_VIEW_COPIES];

static void set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

static uint64_t *table_of(uint64_t entry)
{
	return phys_to_virt(entry & BSL_PTE_SPA);
}

static uint64_t all_bits(void)
{
	const struct guest_bits *bits = mk.vendor->guest_bits;

	return bits->always | bits->write | bits->execute | bits->no_execute;
}

static uint64_t with_rights(uint64_t entry, uint64_t flags)
{
	const struct guest_bits *bits = mk.vendor->guest_bits;

	return (entry & ~all_bits()) | (flags & MK2_NESTED_R ? bits->always : 0) |
	       (flags & MK2_NESTED_W ? bits->write : 0) |
	       (flags & MK2_NESTED_X ? bits->execute : bits->no_execute);
}

static uint64_t rights_of(uint64_t entry)
{
	const struct guest_bits *bits = mk.vendor->guest_bits;
	bool x = bits->execute ? entry & bits->execute : !(entry & bits->no_execute);

	return ((entry & bits->always) == bits->always ? MK2_NESTED_R : 0) |
	       (entry & bits->write ? MK2_NESTED_W : 0) | (x ? MK2_NESTED_X : 0);
}

/* Nobody gives Linux a right to write that the microkernel has taken. */
static uint64_t allowed(uint64_t gpa, uint64_t flags)
{
	return mk.apic_page && gpa == mk.apic_page ? flags & ~(uint64_t)MK2_NESTED_W : flags;
}

/* An entry of the table as it is where nothing was set. */
static uint64_t rest_of(const struct view *v, uint64_t entry)
{
	return entry && v->no_execute ? with_rights(entry, MK2_NESTED_R | MK2_NESTED_W) : entry;
}

/* What was set stays, but where the table shows the decoy by now. A copy has its own type. */
static uint64_t kept(const struct view *v, uint64_t own, uint64_t entry)
{
	if (nested_is_decoy(entry))
		return rest_of(v, entry);
	if ((own ^ entry) & BSL_PTE_SPA)
		return own;
	return (entry & ~all_bits()) | (own & all_bits()) | OWN;
}

static void follow(const struct view *v, uint64_t *table, uint64_t gpa, unsigned int level)
{
	const uint64_t ignored = mk.vendor->guest_bits->accessed | mk.vendor->guest_bits->dirty;

	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++, gpa += BSL_LEVEL_SIZE(level)) {
		uint64_t entry;

		if (table[i] & OWN && level > 1) {
			follow(v, table_of(table[i]), gpa, level - 1);
			continue;
		}
		entry = nested_entry(gpa, level);
		entry = table[i] & OWN ? kept(v, table[i], entry) : rest_of(v, entry);
		if ((table[i] ^ entry) & ~ignored)
			set(&table[i], entry);
	}
}

static void follow_all(void)
{
	for (unsigned int i = 0; i < MK2_VIEWS; i++) {
		if (views[i].root)
			follow(&views[i], phys_to_virt(views[i].root), 0, mk.nested_levels);
	}
}

static void fill(const struct view *v, uint64_t *table, uint64_t gpa, unsigned int level)
{
	gpa = bsl_align_down(gpa, BSL_LEVEL_SIZE(level + 1));
	for (unsigned int i = 0; i < BSL_PT_ENTRIES; i++)
		table[i] = rest_of(v, nested_entry(gpa + i * BSL_LEVEL_SIZE(level), level));
}

/* NULL: no memory. */
static struct view *open_view(unsigned int number)
{
	struct view *v = &views[number - 1];

	if (!v->root) {
		uint64_t spa = pool_alloc();

		if (spa == MK_NO_PAGE)
			return NULL;
		nested_has_views(follow_all);
		fill(v, phys_to_virt(spa), 0, mk.nested_levels);
		__atomic_store_n(&v->root, spa, __ATOMIC_RELEASE);
	}
	return v;
}

/* The entry of a page, in tables of the view's own; NULL: it has none, or no memory for them. */
static uint64_t *own_entry(const struct view *v, uint64_t gpa, bool alloc)
{
	uint64_t *table = phys_to_virt(v->root);

	for (unsigned int level = mk.nested_levels; level > 1; level--) {
		uint64_t *entry = &table[bsl_pt_index(gpa, level)];

		if (!(*entry & OWN)) {
			uint64_t spa = alloc ? pool_alloc() : MK_NO_PAGE;

			if (spa == MK_NO_PAGE)
				return NULL;
			fill(v, phys_to_virt(spa), gpa, level - 1);
			set(entry, spa | ALL_RIGHTS | OWN);
		}
		table = table_of(*entry);
	}
	return &table[bsl_pt_index(gpa, 1)];
}

/* --- content ---------------------------------------------------------------------------------- */

/* The page for a copy; NULL: there is none left. */
static struct copy *find_copy(unsigned int number, uint64_t gpa)
{
	struct copy *unused = NULL;

	for (struct copy *c = copies; c < copies + MK2_VIEW_COPIES; c++) {
		if (c->view == number && c->gpa == gpa)
			return c;
		if (!c->view && !c->filling && (!c->spa || tlb_have_seen(c->generation)))
			unused = c;
	}
	if (unused && !unused->spa) {
		uint64_t spa = pool_alloc();

		if (spa == MK_NO_PAGE)
			return NULL;
		unused->spa = spa;
	}
	return unused;
}

/* The page has no copy in the view any more. */
static void drop_copy(unsigned int number, uint64_t gpa)
{
	for (struct copy *c = copies; c < copies + MK2_VIEW_COPIES; c++) {
		if (c->view != number || c->gpa != gpa)
			continue;
		c->view = 0;
		c->generation = __atomic_load_n(&tlb_generation, __ATOMIC_ACQUIRE) + 1;
	}
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Each has its entry then, so that nothing can fail any more. */
static uint64_t make_entries(const struct view *v, uint64_t gpa, uint64_t size)
{
	for (uint64_t at = gpa; at < gpa + size; at += BF_PAGE_SIZE) {
		uint64_t entry = nested_page(at);

		if (nested_is_decoy(entry))
			return MK1_INVALID_PERM_DENIED;
		if (!entry || !own_entry(v, at, true))
			return MK2_FAILURE_NO_MEMORY;
	}
	return MK1_SUCCESS;
}

uint64_t view_set(unsigned int number, uint64_t gpa, uint64_t size, uint64_t flags,
		  uint64_t *generation)
{
	uint64_t status = MK2_FAILURE_NO_MEMORY;
	const struct view *v;

	nested_lock();
	v = open_view(number);
	if (v)
		status = make_entries(v, gpa, size);
	for (uint64_t at = gpa; status == MK1_SUCCESS && at < gpa + size; at += BF_PAGE_SIZE) {
		set(own_entry(v, at, false),
		    with_rights(nested_entry(at, 1), allowed(at, flags)) | OWN);
		drop_copy(number, at);
	}
	nested_unlock();
	if (status == MK1_SUCCESS)
		*generation = tlb_move_on(this_pp());
	return status;
}

/* A page for the content, and an entry for the page. */
static uint64_t prepare_copy(unsigned int number, uint64_t gpa, struct copy **copy)
{
	const struct view *v = open_view(number);
	uint64_t status;

	if (!v)
		return MK2_FAILURE_NO_MEMORY;
	status = make_entries(v, gpa, BF_PAGE_SIZE);
	if (status != MK1_SUCCESS)
		return status;
	*copy = find_copy(number, gpa);
	if (!*copy)
		return MK2_FAILURE_NO_MEMORY;
	(*copy)->view = number;
	(*copy)->gpa = gpa;
	(*copy)->filling++;
	return MK1_SUCCESS;
}

/*
 * Another PP may have cleared the page meanwhile: it stays so. Without content, what nobody shows
 * is free again.
 */
static void show_copy(struct copy *copy, bool got, uint64_t flags)
{
	uint64_t *entry;

	copy->filling--;
	if (!copy->view)
		return;
	entry = own_entry(&views[copy->view - 1], copy->gpa, false);
	if (got)
		set(entry, with_rights(nested_leaf(copy->spa), flags) | OWN);
	if (!got && (*entry & BSL_PTE_SPA) != copy->spa && !copy->filling)
		drop_copy(copy->view, copy->gpa);
}

uint64_t view_show(unsigned int number, uint64_t gpa, uint64_t flags,
		   bool (*get)(uint64_t va, void *page), uint64_t va, uint64_t *generation)
{
	uint64_t status;
	struct copy *copy;
	bool got;

	if (!mem_is_ram(gpa))
		return MK1_INVALID_PERM_DENIED;
	nested_lock();
	status = prepare_copy(number, gpa, &copy);
	nested_unlock();
	if (status != MK1_SUCCESS)
		return status;
	/* Without the lock: it is for the extension's tables, too. */
	got = get(va, phys_to_virt(copy->spa));
	nested_lock();
	show_copy(copy, got, flags);
	nested_unlock();
	if (!got)
		return MK1_INVALID_INPUT_REG(4);
	*generation = tlb_move_on(this_pp());
	return MK1_SUCCESS;
}

uint64_t view_clear(unsigned int number, uint64_t gpa, uint64_t size, uint64_t *generation)
{
	const struct view *v = &views[number - 1];

	nested_lock();
	for (uint64_t at = gpa; v->root && at < gpa + size; at += BF_PAGE_SIZE) {
		uint64_t *entry = own_entry(v, at, false);

		if (entry && *entry & OWN)
			set(entry, rest_of(v, nested_entry(at, 1)));
		drop_copy(number, at);
	}
	nested_unlock();
	*generation = tlb_move_on(this_pp());
	return MK1_SUCCESS;
}

/* --- the rest of a view ----------------------------------------------------------------------- */

uint64_t view_rest(unsigned int number, uint64_t flags, uint64_t *generation)
{
	struct view *v;

	nested_lock();
	v = open_view(number);
	if (v) {
		v->no_execute = !(flags & MK2_NESTED_X);
		follow(v, phys_to_virt(v->root), 0, mk.nested_levels);
	}
	nested_unlock();
	if (!v)
		return MK2_FAILURE_NO_MEMORY;
	*generation = tlb_move_on(this_pp());
	return MK1_SUCCESS;
}

/* --- Linux in a view -------------------------------------------------------------------------- */

uint64_t view_root(unsigned int number)
{
	return number ? __atomic_load_n(&views[number - 1].root, __ATOMIC_ACQUIRE) : mk.root_npt;
}

bool view_is_one(uint64_t root)
{
	bool is_one = false;

	for (unsigned int i = 0; root && i < MK2_VIEWS; i++)
		is_one |= views[i].root == root;
	return is_one;
}

/* Rights are those that all levels have. */
static bool allows(const struct view *v, uint64_t gpa, uint64_t wanted)
{
	const uint64_t *table = phys_to_virt(v->root);

	for (unsigned int level = mk.nested_levels;; level--) {
		uint64_t entry = table[bsl_pt_index(gpa, level)];

		if (wanted & ~rights_of(entry))
			return false;
		if (level == 1 || (level < 4 && entry & BSL_PTE_PS))
			return true;
		table = table_of(entry);
	}
}

bool view_fault(unsigned int number, uint64_t gpa, uint64_t wanted)
{
	bool again;

	if (gpa >> (12 + 9 * mk.nested_levels))
		return false;
	nested_lock();
	again = nested_entry(gpa, 1) ? allows(&views[number - 1], gpa, wanted) :
				       nested_page(gpa) != 0;
	nested_unlock();
	return again;
}
