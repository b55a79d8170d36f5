// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of guests: regions of a process's memory, of which a guest gets a page when it first
 * accesses it, or 2 MiB where the process has a huge page of that. It stays pinned, and counts
 * against RLIMIT_MEMLOCK, until its region goes.
 */
#include <linux/errno.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "../linux/compat.h"
#include "kvm.h"

struct bk_slot {
	u64 gfn, pages; /* guest frame number, and how many */
	u64 hva;
	bool readonly;
};

/* In bk_vm.pages: what the guest may write to was pinned for that. */
#define WRITABLE XA_MARK_0
/* The same, for the first page of 2 MiB that the guest has in one piece. */
#define LARGE XA_MARK_1

#define LARGE_PAGES (GUESTS_LARGE_SIZE >> PAGE_SHIFT)

static void give_back(struct bk_vm *vm, u64 gfn, struct page *page)
{
	unsigned long pages = xa_get_mark(&vm->pages, gfn, LARGE) ? LARGE_PAGES : 1;
	bool dirty = xa_get_mark(&vm->pages, gfn, WRITABLE);

	xa_erase(&vm->pages, gfn);
	WRITE_ONCE(vm->guests.pinned, vm->guests.pinned - pages * PAGE_SIZE);
	unpin_user_page_range_dirty_lock(page, pages, dirty);
	account_locked_vm(vm->mm, pages, false);
}

static int unmap(struct bk_vm *vm, u64 gfn, u64 pages)
{
	struct bk_call call = { .rsi = vm->id, .rdi = gfn << PAGE_SHIFT, .r8 = pages };

	return bk_call(vm, GUESTS_UNMAP, &call);
}

/*
 * The guest loses the pages of a slot. They are given back only when no CPU can access them any
 * more: the extension says so, or there is no hypervisor any more. 0 or an errno.
 */
static int unmap_slot(struct bk_vm *vm, const struct bk_slot *slot)
{
	unsigned long gfn, last = slot->gfn + slot->pages - 1;
	struct page *page;
	int result = 0;

	xa_for_each_range(&vm->pages, gfn, page, slot->gfn, last)
	{
		/* A large page is unmapped as a whole: the slot has all of it. */
		u64 pages = min_t(u64, last - gfn + 1, LARGE_PAGES - gfn % LARGE_PAGES);

		result = unmap(vm, gfn, pages);
		if (result)
			break;
		gfn += pages - 1;
		cond_resched();
	}
	if (result && bareflank_guests_running(&vm->guests))
		return result;
	xa_for_each_range(&vm->pages, gfn, page, slot->gfn, last)
	{
		give_back(vm, gfn, page);
		cond_resched();
	}
	return 0;
}

void bk_release_memory(struct bk_vm *vm)
{
	struct bk_slot *slot;
	unsigned long i;
	struct page *page;

	xa_for_each(&vm->pages, i, page)
	{
		give_back(vm, i, page);
		cond_resched();
	}
	xa_destroy(&vm->pages);
	xa_for_each(&vm->slots, i, slot) kfree(slot);
	xa_destroy(&vm->slots);
}

static bool is_valid(const struct kvm_userspace_memory_region *region)
{
	u64 end;

	if (region->slot >= BK_MAX_SLOTS || (region->flags & ~KVM_MEM_READONLY))
		return false;
	if (!PAGE_ALIGNED(region->guest_phys_addr) || !PAGE_ALIGNED(region->memory_size) ||
	    !PAGE_ALIGNED(region->userspace_addr))
		return false;
	if (check_add_overflow(region->guest_phys_addr, region->memory_size, &end) ||
	    end > 1ull << GUESTS_GPA_BITS)
		return false;
	return access_ok((const void __user *)(uintptr_t)region->userspace_addr,
			 region->memory_size);
}

/* Whether a slot other than this one has some of these guest frames. */
static bool overlaps(struct bk_vm *vm, const struct bk_slot *new, unsigned long number)
{
	struct bk_slot *slot;
	unsigned long i;

	xa_for_each(&vm->slots, i,
		    slot) if (i != number && slot->gfn < new->gfn + new->pages &&new->gfn <
						     slot->gfn + slot->pages) return true;
	return false;
}

static int delete(struct bk_vm *vm, unsigned long number)
{
	struct bk_slot *slot = xa_load(&vm->slots, number);
	int result;

	if (!slot)
		return -EINVAL;
	result = unmap_slot(vm, slot);
	if (result)
		return result;
	xa_erase(&vm->slots, number);
	kfree(slot);
	return 0;
}

/* A slot that is there may move in the guest, and change nothing else. */
static int change(struct bk_vm *vm, struct bk_slot *slot, const struct bk_slot *new)
{
	int result;

	if (slot->pages != new->pages || slot->hva != new->hva || slot->readonly != new->readonly)
		return -EINVAL;
	if (slot->gfn == new->gfn)
		return 0;
	result = unmap_slot(vm, slot);
	if (!result)
		slot->gfn = new->gfn;
	return result;
}

static int add(struct bk_vm *vm, unsigned long number, const struct bk_slot *new)
{
	struct bk_slot *slot = kmemdup(new, sizeof(*new), GFP_KERNEL_ACCOUNT);
	int result;

	if (!slot)
		return -ENOMEM;
	result = xa_err(xa_store(&vm->slots, number, slot, GFP_KERNEL_ACCOUNT));
	if (result)
		kfree(slot);
	return result;
}

int bk_set_region(struct bk_vm *vm, const struct kvm_userspace_memory_region *region)
{
	const struct bk_slot new = {
		.gfn = region->guest_phys_addr >> PAGE_SHIFT,
		.pages = region->memory_size >> PAGE_SHIFT,
		.hva = region->userspace_addr,
		.readonly = region->flags & KVM_MEM_READONLY,
	};
	struct bk_slot *slot;
	int result;

	if (!is_valid(region))
		return -EINVAL;
	mutex_lock(&vm->lock);
	slot = xa_load(&vm->slots, region->slot);
	if (!new.pages)
		result = delete (vm, region->slot);
	else if (overlaps(vm, &new, region->slot))
		result = -EEXIST;
	else
		result = slot ? change(vm, slot, &new) : add(vm, region->slot, &new);
	mutex_unlock(&vm->lock);
	return result;
}

static struct bk_slot *find_slot(struct bk_vm *vm, u64 gfn)
{
	struct bk_slot *slot;
	unsigned long i;

	xa_for_each(&vm->slots, i,
		    slot) if (gfn >= slot->gfn && gfn - slot->gfn < slot->pages) return slot;
	return NULL;
}

/* All of them, or none: 0 or an errno. */
static int pin_all(unsigned long hva, int count, bool write, struct page **pages)
{
	int pinned =
		pin_user_pages_fast(hva, count, FOLL_LONGTERM | (write ? FOLL_WRITE : 0), pages);

	if (pinned == count)
		return 0;
	if (pinned > 0)
		unpin_user_pages(pages, pinned);
	return pinned < 0 ? pinned : -EFAULT;
}

/* What the guest gets by one fault. */
struct piece {
	u64 gfn;
	struct page *page; /* the first one */
	bool writable;
	bool large;
};

/*
 * The page is pinned to be written to even where the guest only reads, if the process may: it is
 * then the process's own, which sees in it what it writes later.
 */
static int pin_page(struct bk_vm *vm, const struct bk_slot *slot, u64 gfn, bool write,
		    struct piece *piece)
{
	unsigned long hva = slot->hva + ((gfn - slot->gfn) << PAGE_SHIFT);
	int result;

	*piece = (struct piece){ .gfn = gfn, .writable = true };
	result = account_locked_vm(vm->mm, 1, true);
	if (result)
		return result;
	result = pin_all(hva, 1, true, &piece->page);
	if (result == -EFAULT && !write) {
		piece->writable = false;
		result = pin_all(hva, 1, false, &piece->page);
	}
	if (result)
		account_locked_vm(vm->mm, 1, false);
	return result;
}

/* Whether the guest can have all of the huge page that this is one of, in one piece. */
static bool fits(struct bk_vm *vm, const struct bk_slot *slot, const struct piece *piece)
{
	unsigned long first = round_down(piece->gfn, LARGE_PAGES);

	return folio_nr_pages(page_folio(piece->page)) >= LARGE_PAGES &&
	       (page_to_pfn(piece->page) - piece->gfn) % LARGE_PAGES == 0 && first >= slot->gfn &&
	       first + LARGE_PAGES <= slot->gfn + slot->pages &&
	       !xa_find(&vm->pages, &first, first + LARGE_PAGES - 1, XA_PRESENT);
}

/* What the process has there may be in part another page by now: copied on write, for example. */
static bool in_one_piece(struct page **pages)
{
	unsigned long i = 0, pfn = page_to_pfn(pages[0]);

	while (i < LARGE_PAGES && page_to_pfn(pages[i]) == pfn + i)
		i++;
	return i == LARGE_PAGES && pfn % LARGE_PAGES == 0;
}

/* The rest of a huge page, if that can be had. */
static void pin_rest(struct bk_vm *vm, const struct bk_slot *slot, struct piece *piece)
{
	u64 first = round_down(piece->gfn, LARGE_PAGES);
	unsigned long hva = slot->hva + ((first - slot->gfn) << PAGE_SHIFT);
	struct page **pages;

	if (!fits(vm, slot, piece) || account_locked_vm(vm->mm, LARGE_PAGES - 1, true))
		return;
	pages = kmalloc_array(LARGE_PAGES, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (pages && !pin_all(hva, LARGE_PAGES, piece->writable, pages)) {
		if (in_one_piece(pages)) {
			unpin_user_page(piece->page);
			piece->gfn = first;
			piece->page = pages[0];
			piece->large = true;
		} else {
			unpin_user_pages(pages, LARGE_PAGES);
		}
	}
	kfree(pages);
	if (!piece->large)
		account_locked_vm(vm->mm, LARGE_PAGES - 1, false);
}

/* From the page at gfn on it is the guest's, before it is mapped. */
static int enter(struct bk_vm *vm, const struct bk_slot *slot, const struct piece *piece)
{
	unsigned long pages = piece->large ? LARGE_PAGES : 1;
	int result = xa_err(xa_store(&vm->pages, piece->gfn, piece->page, GFP_KERNEL_ACCOUNT));

	if (result) {
		unpin_user_page_range_dirty_lock(piece->page, pages, false);
		account_locked_vm(vm->mm, pages, false);
		return result;
	}
	WRITE_ONCE(vm->guests.pinned, vm->guests.pinned + pages * PAGE_SIZE);
	if (piece->writable && !slot->readonly)
		xa_set_mark(&vm->pages, piece->gfn, WRITABLE);
	if (piece->large)
		xa_set_mark(&vm->pages, piece->gfn, LARGE);
	return 0;
}

static int pin(struct bk_vm *vm, const struct bk_slot *slot, u64 gfn, bool write, bool small,
	       struct piece *piece)
{
	int result = pin_page(vm, slot, gfn, write, piece);

	if (result)
		return result;
	if (!small)
		pin_rest(vm, slot, piece);
	return enter(vm, slot, piece);
}

/* Whether the guest has this page, pinned: then what it is part of. */
static bool find_piece(struct bk_vm *vm, u64 gfn, struct piece *piece)
{
	u64 first = round_down(gfn, LARGE_PAGES);

	piece->large = xa_get_mark(&vm->pages, first, LARGE);
	piece->gfn = piece->large ? first : gfn;
	piece->page = xa_load(&vm->pages, piece->gfn);
	piece->writable = xa_get_mark(&vm->pages, piece->gfn, WRITABLE);
	return piece->page;
}

static int give(void *arg, u64 spa, u64 size)
{
	const struct bk_vm *vm = arg;
	struct bk_call call = { .rsi = spa, .rdi = size };
	unsigned long flags;
	int status;

	local_irq_save(flags);
	status = bk_call_here(vm->instance, GUESTS_DONATE, &call);
	local_irq_restore(flags);
	return bk_errno(status);
}

/* Any call is an exit: with it, this CPU has forgotten the memory. */
static void exit_once(void *unused)
{
	struct bk_call call = {};

	bk_call_here(0, GUESTS_INFO, &call);
}

/* More memory for the tables of guests: 0, or an errno. */
static int grow(struct bk_vm *vm)
{
	int result = bareflank_guests_grow(&vm->guests, give, vm);

	if (!result)
		on_each_cpu(exit_once, NULL, 1);
	return result;
}

/* Again if another vCPU has just done it: that changes nothing. */
static int map_piece(struct bk_vm *vm, const struct bk_slot *slot, const struct piece *piece)
{
	bool is_writable = piece->writable && !slot->readonly;
	bool has_grown = false;
	struct bk_call call;
	int result;

	do {
		call = (struct bk_call){ .rsi = vm->id,
					 .rdi = piece->gfn << PAGE_SHIFT,
					 .r8 = page_to_phys(piece->page),
					 .r9 = (is_writable ? GUESTS_MAP_WRITE : 0) |
					       (piece->large ? GUESTS_MAP_LARGE : 0) };
		result = bk_call(vm, GUESTS_MAP, &call);
		if (result != -ENOMEM || has_grown)
			break;
		has_grown = true;
		result = grow(vm);
	} while (!result);
	return result;
}

/*
 * Where the guest cannot have all of a huge page (the CPU has no such page there, or something in
 * it is another VM's), it gets those pages that it accesses.
 */
static int map(struct bk_vm *vm, const struct bk_slot *slot, u64 gfn, bool write)
{
	struct piece piece;
	bool small = false;
	int result;

	if (find_piece(vm, gfn, &piece)) {
		if (!write || piece.writable)
			return map_piece(vm, slot, &piece);
		/* The process could not write to it; if it can now, it may have another page. */
		result = unmap(vm, piece.gfn, piece.large ? LARGE_PAGES : 1);
		if (result)
			return result;
		give_back(vm, piece.gfn, piece.page);
	}
	do {
		result = pin(vm, slot, gfn, write, small, &piece);
		if (result)
			return result;
		result = map_piece(vm, slot, &piece);
		if (!result)
			return 0;
		/* An extension that has ended may have mapped it. */
		if (result == -EIO && bareflank_guests_running(&vm->guests))
			return result;
		give_back(vm, piece.gfn, piece.page);
		small = true;
	} while (piece.large && result != -EIO && result != -ENOMEM);
	return result;
}

/*
 * The process has the page afterwards, as pin_page wants it, if it can: that may take as long as it
 * takes somebody else (userfaultfd), and no other vCPU waits for it. 0; -EINTR: a signal came.
 */
static int bring_in(unsigned long hva, bool write)
{
	const unsigned int flags = BF_COMPAT_FOLL_INTERRUPTIBLE;
	struct page *page;
	long result;

	if (get_user_pages_fast_only(hva, 1, FOLL_WRITE, &page) == 1)
		result = 1;
	else
		result = get_user_pages_unlocked(hva, 1, &page, flags | FOLL_WRITE);
	if (result == -EFAULT && !write)
		result = get_user_pages_unlocked(hva, 1, &page, flags);
	if (result == 1)
		put_page(page);
	return result == -EINTR ? -EINTR : 0;
}

int bk_fault(struct bk_vm *vm, u64 gpa, bool write)
{
	u64 gfn = gpa >> PAGE_SHIFT;
	unsigned long hva = 0;
	struct bk_slot *slot;
	struct piece piece;
	int result = 0;

	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	slot = find_slot(vm, gfn);
	if (slot && !(write && slot->readonly) &&
	    (!find_piece(vm, gfn, &piece) || (write && !piece.writable)))
		hva = slot->hva + ((gfn - slot->gfn) << PAGE_SHIFT);
	mutex_unlock(&vm->lock);
	if (hva && (bring_in(hva, write) || mutex_lock_killable(&vm->lock)))
		return -EINTR;
	if (!hva && mutex_lock_killable(&vm->lock))
		return -EINTR;
	slot = find_slot(vm, gfn); /* which may be another one by now */
	if (slot && !(write && slot->readonly))
		result = map(vm, slot, gfn, write) ?: 1;
	mutex_unlock(&vm->lock);
	return result;
}

bool bk_read_guest(struct bk_vm *vm, u64 gpa, void *data, size_t size)
{
	const struct bk_slot *slot;
	struct piece piece;
	bool is_there;
	u64 hva = 0;

	mutex_lock(&vm->lock);
	is_there = find_piece(vm, gpa >> PAGE_SHIFT, &piece);
	if (is_there)
		memcpy_from_page(data, piece.page + ((gpa >> PAGE_SHIFT) - piece.gfn),
				 offset_in_page(gpa), size);
	slot = find_slot(vm, gpa >> PAGE_SHIFT);
	if (slot)
		hva = slot->hva + (gpa - (slot->gfn << PAGE_SHIFT));
	mutex_unlock(&vm->lock);
	return is_there || (hva && !copy_from_user(data, u64_to_user_ptr(hva), size));
}
