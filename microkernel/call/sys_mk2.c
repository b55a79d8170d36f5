// SPDX-License-Identifier: GPL-2.0-only
/* Mk#2: the dispatch of its calls, and all of them. */
#include <abi/mk2.h>
#include <bsl/bits.h>
#include <bsl/paging.h>

#include "call/syscall.h"
#include "mem/guest_nested.h"
#include "mem/tlb.h"
#include "mk.h"
#include "obj/active.h"
#include "obj/backup.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "pp.h"
#include "vendor.h"

/* By opcode and index, 4 bits each. */
#define MAX_CALLS 16
#define MAX_OPS 16

#define MK2_ENTRY(op, idx, name, in, out, args, results, errors) \
	[MK2_OP_##op * MAX_CALLS + (idx)] = sys_##name,
static const syscall_fn calls[MAX_OPS * MAX_CALLS] = { MK2_SYSCALLS(MK2_ENTRY) };

uint64_t mk2_dispatch(struct syscall_frame *frame, uint64_t rax)
{
	uint64_t call = rax ^ (uint64_t)MK2_MAGIC << 48;
	unsigned int number = (uint8_t)(call >> 12 | call);

	if (call & ~0xF000FULL || !calls[number])
		return MK1_FAILURE_UNSUPPORTED;
	if (frame->reg[0] != MK2_HANDLE || !this_pp()->ext->may[SPEC_MK2][number])
		return syscall_decide_mk2(frame, number, calls[number]);
	return calls[number](frame);
}

/* --- guest-physical memory -------------------------------------------------------------------- */

#define GPA_LIMIT BSL_BIT(MK2_NESTED_GPA_BITS)
#define DIRTY_WORD_BYTES (64 * (uint64_t)BF_PAGE_SIZE) /* of memory, by a word of a bitmap */

/* The VM that a call is about; Linux's has no table of this kind. */
static struct guest_nested *nested_of(const struct syscall_frame *f)
{
	struct vm *vm = vm_find(arg_id(f, 1));

	return vm && vm->id != MK1_ROOT_VMID ? &vm->nested : NULL;
}

static bool are_rights(uint64_t flags)
{
	return flags & MK2_NESTED_R && !(flags & ~(uint64_t)MK2_NESTED_RWX);
}

static bool are_map_flags(uint64_t flags)
{
	const uint64_t others = MK2_NESTED_SHARED | MK2_NESTED_TYPE | MK2_NESTED_SIZE;

	return are_rights(flags & ~others) && (flags & MK2_NESTED_TYPE) != MK2_NESTED_TYPE &&
	       (flags & MK2_NESTED_SIZE) != MK2_NESTED_SIZE;
}

/* The size of the pages; flags that name none are refused later on. */
static uint64_t page_of(uint64_t flags)
{
	switch (flags & MK2_NESTED_SIZE) {
	case MK2_NESTED_2M:
		return BSL_LEVEL_SIZE(2);
	case MK2_NESTED_1G:
		return BSL_LEVEL_SIZE(3);
	default:
		return BSL_LEVEL_SIZE(1);
	}
}

/* Whether size is one of memory at gpa: so many pages, and not beyond the limit of addresses. */
static bool is_size(uint64_t gpa, uint64_t size, uint64_t page, uint64_t max)
{
	return size && bsl_is_aligned(size, page) && size <= max &&
	       bsl_range_within(gpa, size, 0, GPA_LIMIT);
}

static bool is_gpa(uint64_t gpa, uint64_t page)
{
	return bsl_is_aligned(gpa, page) && gpa < GPA_LIMIT;
}

uint64_t sys_vm_nested_map(struct syscall_frame *f)
{
	uint64_t gpa = f->reg[2], spa = f->reg[3], size = f->reg[4], flags = f->reg[5], page;
	struct guest_nested *g = nested_of(f);

	if (!g)
		return MK1_INVALID_INPUT_REG(1);
	page = page_of(flags);
	if (!is_gpa(gpa, page))
		return MK1_INVALID_INPUT_REG(2);
	if (!bsl_is_aligned(spa, page) || spa >= GPA_LIMIT)
		return MK1_INVALID_INPUT_REG(3);
	if (!is_size(gpa, size, page, MK2_NESTED_MAX_PAGES * page))
		return MK1_INVALID_INPUT_REG(4);
	if (!are_map_flags(flags))
		return MK1_INVALID_INPUT_REG(5);
	if (!mk.root_npt)
		return MK1_FAILURE_UNSUPPORTED;
	if (!bsl_range_within(spa, size, 0, GPA_LIMIT))
		return MK1_INVALID_PERM_DENIED;
	return guest_nested_map(g, gpa, spa, size, flags);
}

/*
 * What the calls about mapped memory have in common: REG1 to REG3. Looked for once: another PP may
 * destroy the VM at any time, of which the lock of its table tells.
 */
static uint64_t check_range(const struct syscall_frame *f, uint64_t max, struct guest_nested **g)
{
	*g = nested_of(f);
	if (!*g)
		return MK1_INVALID_INPUT_REG(1);
	if (!is_gpa(f->reg[2], BF_PAGE_SIZE))
		return MK1_INVALID_INPUT_REG(2);
	if (!is_size(f->reg[2], f->reg[3], BF_PAGE_SIZE, max))
		return MK1_INVALID_INPUT_REG(3);
	return MK1_SUCCESS;
}

uint64_t sys_vm_nested_unmap(struct syscall_frame *f)
{
	struct guest_nested *g;
	uint64_t status = check_range(f, MK2_NESTED_MAX_BYTES, &g);

	if (status != MK1_SUCCESS)
		return status;
	return guest_nested_unmap(g, f->reg[2], f->reg[3], &f->reg[0]);
}

uint64_t sys_vm_nested_protect(struct syscall_frame *f)
{
	struct guest_nested *g;
	uint64_t status = check_range(f, MK2_NESTED_MAX_BYTES, &g);

	if (status != MK1_SUCCESS)
		return status;
	if (!are_rights(f->reg[4]))
		return MK1_INVALID_INPUT_REG(4);
	return guest_nested_protect(g, f->reg[2], f->reg[3], f->reg[4], &f->reg[0]);
}

uint64_t sys_vm_nested_query(struct syscall_frame *f)
{
	struct guest_nested *g = nested_of(f);

	if (!g)
		return MK1_INVALID_INPUT_REG(1);
	if (f->reg[2] >= GPA_LIMIT)
		return MK1_INVALID_INPUT_REG(2);
	return guest_nested_query(g, f->reg[2], &f->reg[0], &f->reg[1]);
}

static bool put_word(uint64_t va, uint64_t word)
{
	return ext_write(this_pp(), va, &word, sizeof(word));
}

/* The bitmap is cleared first: what cannot be written to loses nobody's dirty bits. */
uint64_t sys_vm_nested_dirty(struct syscall_frame *f)
{
	struct guest_nested *g;
	uint64_t status = check_range(f, MK2_DIRTY_MAX_BYTES, &g);
	uint64_t va = f->reg[4], bytes;

	if (status != MK1_SUCCESS)
		return status;
	bytes = (f->reg[3] + DIRTY_WORD_BYTES - 1) / DIRTY_WORD_BYTES * sizeof(uint64_t);
	if (!bsl_is_aligned(va, sizeof(uint64_t)) || !ext_is_mapped(this_pp(), va, bytes))
		return MK1_INVALID_INPUT_REG(4);
	if (!mk.root_npt || !mk.vendor->guest_has_dirty())
		return MK1_FAILURE_UNSUPPORTED;
	for (uint64_t off = 0; off < bytes; off += sizeof(uint64_t)) {
		if (!put_word(va + off, 0))
			return MK1_INVALID_INPUT_REG(4);
	}
	return guest_nested_dirty(g, f->reg[2], f->reg[3], put_word, va, &f->reg[0]);
}

uint64_t sys_vm_nested_flush(struct syscall_frame *f)
{
	struct guest_nested *g = nested_of(f);

	if (!g)
		return MK1_INVALID_INPUT_REG(1);
	return guest_nested_flush(g, guest_is_active, f->reg[2], &f->reg[0]);
}

/* --- VSs and PPs ------------------------------------------------------------------------------ */

/* For good: what the extension has of the VS from now on is behind the table. */
static uint64_t attach(struct vs *vs)
{
	uint64_t status, root;

	if (vs->root || vs->vmid == MK1_ROOT_VMID)
		return MK1_INVALID_INPUT_REG(1);
	if (!mk.root_npt)
		return MK1_FAILURE_UNSUPPORTED;
	if (vs->nested)
		return MK1_SUCCESS;
	status = guest_nested_attach(&vm_find(vs->vmid)->nested, &root);
	if (status != MK1_SUCCESS)
		return status;
	vs->nested = true;
	vs->refused = false;
	if (!mk.vendor->guest_attach(vs, root)) {
		vs->nested = false;
		status = MK1_FAILURE_UNSUPPORTED;
	}
	vs_keep_apart(this_pp());
	return status;
}

uint64_t sys_vs_nested_attach(struct syscall_frame *f)
{
	struct vs *vs = vs_lock(arg_id(f, 1));
	uint64_t status;

	if (!vs)
		return MK1_INVALID_INPUT_REG(1);
	status = attach(vs);
	vs_unlock(vs);
	return status;
}

/* A list of registers, copied, as ring 3 may change it meanwhile. */
struct list {
	struct mk2_list_entry entry[MK2_LIST_MAX];
};

/* Of a list that is too long, as much as may be. */
static uint64_t read_list(const struct syscall_frame *f, struct list *list)
{
	uint64_t va = f->reg[2], count = f->reg[3];
	bool fits = count && count <= MK2_LIST_MAX;

	if (!bsl_is_aligned(va, sizeof(uint64_t)) ||
	    !ext_read(this_pp(), list, va, (fits ? count : MK2_LIST_MAX) * sizeof(list->entry[0])))
		return MK1_INVALID_INPUT_REG(2);
	return fits ? MK1_SUCCESS : MK1_INVALID_INPUT_REG(3);
}

/* The VS, locked, and the list that REG2 and REG3 name; NULL and a status. */
static struct vs *begin_list(const struct syscall_frame *f, struct list *list, uint64_t *status)
{
	struct vs *vs = vs_lock(arg_id(f, 1));

	*status = vs ? read_list(f, list) : MK1_INVALID_INPUT_REG(1);
	if (vs && *status != MK1_SUCCESS) {
		vs_unlock(vs);
		vs = NULL;
	}
	return vs;
}

static uint64_t end_list(struct syscall_frame *f, uint64_t done)
{
	uint64_t count = f->reg[3];

	f->reg[0] = done;
	return done == count ? MK1_SUCCESS : MK2_FAILURE_LIST;
}

uint64_t sys_vs_read_list(struct syscall_frame *f)
{
	struct list list;
	uint64_t status, done = 0;
	struct vs *vs = begin_list(f, &list, &status);

	if (!vs)
		return status;
	while (done < f->reg[3] &&
	       mk.vendor->vs_read(vs, list.entry[done].reg, &list.entry[done].value) == MK1_SUCCESS)
		done++;
	vs_unlock(vs);
	if (!ext_write(this_pp(), f->reg[2], &list, done * sizeof(list.entry[0])))
		return MK1_INVALID_INPUT_REG(2);
	return end_list(f, done);
}

uint64_t sys_vs_write_list(struct syscall_frame *f)
{
	struct list list;
	uint64_t status, done = 0;
	struct vs *vs = begin_list(f, &list, &status);

	if (!vs)
		return status;
	backup_take(vs);
	vs->refused = false;
	while (done < f->reg[3] &&
	       mk.vendor->vs_write(vs, list.entry[done].reg, list.entry[done].value) == MK1_SUCCESS)
		done++;
	vs_unlock(vs);
	return end_list(f, done);
}

uint64_t sys_pp_kick(struct syscall_frame *f)
{
	struct pp *pp = this_pp();
	uint16_t ppid = arg_id(f, 1);

	if (ppid >= mk.handoff->nr_pps)
		return MK1_INVALID_INPUT_REG(1);
	if (ppid == pp->handoff.ppid) {
		pp->end_run = true;
		mk.vendor->owe(pp);
		return MK1_SUCCESS;
	}
	return tlb_end_run(ppid, guest_is_active) ? MK1_SUCCESS : MK1_FAILURE_UNKNOWN;
}

/* What holds Linux finds it as it is made, or becomes active. */
uint64_t sys_pp_recall_attach(struct syscall_frame *f)
{
	struct pp *pp = this_pp();

	(void)f;
	if (pp->vs && pp->vs->root)
		return MK2_FAILURE_BUSY;
	pp->tlb->recallable = true;
	return MK1_SUCCESS;
}

uint64_t sys_pp_recall(struct syscall_frame *f)
{
	struct pp *pp = this_pp();
	uint16_t ppid = arg_id(f, 1);

	if (ppid >= mk.handoff->nr_pps)
		return MK1_INVALID_INPUT_REG(1);
	if (ppid == pp->handoff.ppid) {
		tlb_recall_own(pp);
		return MK1_SUCCESS;
	}
	switch (tlb_recall(pp, ppid, guest_is_active)) {
	case TLB_RECALLED:
		return MK1_SUCCESS;
	case TLB_BUSY:
		return MK2_FAILURE_BUSY;
	case TLB_UNABLE:
		return MK1_FAILURE_UNSUPPORTED;
	default:
		return MK1_FAILURE_UNKNOWN;
	}
}
