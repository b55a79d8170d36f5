// SPDX-License-Identifier: GPL-2.0-only
#include "obj/objects.h"

#include <abi/mk1.h>
#include <bsl/bits.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "lock.h"
#include "mem/mem.h"
#include "mk.h"
#include "obj/ext.h"
#include "pp.h"
#include "run/fail.h"
#include "vendor.h"

#define XCR0_X87 0x1 /* the value after reset, and the least allowed */

static struct bsl_spinlock pool_lock;
static struct vm vms[MK_MAX_VMS];
static struct vp vps[MK_MAX_VPS + MK_PPS_BEYOND];

/* VSs lie in pages of the pool, as many as the PPs call for. */
#define VSS_PER_PAGE 16
BF_STATIC_ASSERT(VSS_PER_PAGE * sizeof(struct vs) <= BF_PAGE_SIZE, "a page of VSs");

static struct vs *vs_pages[(MK_MAX_VSS + MK_PPS_BEYOND) / VSS_PER_PAGE];

static void lock(void)
{
	mk_lock(&pool_lock);
}

static void unlock(void)
{
	mk_unlock(&pool_lock);
}

static uint32_t pps_beyond(void)
{
	return mk.handoff->nr_pps > MK_USUAL_PPS ? mk.handoff->nr_pps - MK_USUAL_PPS : 0;
}

uint16_t objects_nr_vps(void)
{
	return (uint16_t)(MK_MAX_VPS + pps_beyond());
}

uint16_t objects_nr_vss(void)
{
	return (uint16_t)(MK_MAX_VSS + pps_beyond());
}

/* The slot of a VS; id is less than objects_nr_vss(). */
static struct vs *vs_slot(uint16_t id)
{
	return &vs_pages[id / VSS_PER_PAGE][id % VSS_PER_PAGE];
}

bool objects_init(void)
{
	for (uint16_t i = 0; i < MK_MAX_VMS; i++)
		vms[i].id = i;
	for (uint16_t i = 0; i < objects_nr_vps(); i++)
		vps[i].id = i;
	for (uint16_t i = 0; i < objects_nr_vss(); i++) {
		if (i % VSS_PER_PAGE == 0) {
			uint64_t spa = pool_alloc();

			if (spa == MK_NO_PAGE)
				return false;
			vs_pages[i / VSS_PER_PAGE] = phys_to_virt(spa);
		}
		vs_slot(i)->id = i;
	}
	vms[MK1_ROOT_VMID].state = SLOT_USED;
	return true;
}

struct vm *vm_find(uint16_t id)
{
	return id < MK_MAX_VMS && vms[id].state == SLOT_USED ? &vms[id] : NULL;
}

struct vp *vp_find(uint16_t id)
{
	return id < objects_nr_vps() && vps[id].state == SLOT_USED ? &vps[id] : NULL;
}

struct vs *vs_find(uint16_t id)
{
	return id < objects_nr_vss() && vs_slot(id)->state == SLOT_USED ? vs_slot(id) : NULL;
}

struct vm *vm_create(void)
{
	struct vm *vm = NULL;

	lock();
	for (unsigned int i = 0; i < MK_MAX_VMS && !vm; i++) {
		if (vms[i].state == SLOT_FREE)
			vm = &vms[i];
	}
	if (vm)
		vm->state = SLOT_USED;
	unlock();
	return vm;
}

bool vm_destroy(uint16_t id)
{
	struct vm *vm;
	bool done = false;

	lock();
	vm = vm_find(id);
	if (vm && id != MK1_ROOT_VMID && !vm->vps && !vm->active) {
		/* In this order: a PP that is about to map something finds the VM gone. */
		__atomic_store_n(&vm->state, SLOT_FREE, __ATOMIC_RELAXED);
		direct_map_free(vm);
		done = true;
	}
	unlock();
	return done;
}

struct vp *vp_create(uint16_t vmid)
{
	struct vp *vp = NULL;
	struct vm *vm;

	lock();
	vm = vm_find(vmid);
	for (uint16_t i = 0; vm && i < objects_nr_vps() && !vp; i++) {
		if (vps[i].state == SLOT_FREE)
			vp = &vps[i];
	}
	if (vp) {
		vp->state = SLOT_USED;
		vp->vmid = vmid;
		vm->vps++;
	}
	unlock();
	return vp;
}

bool vp_destroy(uint16_t id)
{
	struct vp *vp;
	bool done = false;

	lock();
	vp = vp_find(id);
	if (vp && !vp->vss && !vp->active) {
		vms[vp->vmid].vps--;
		vp->state = SLOT_FREE;
		done = true;
	}
	unlock();
	return done;
}

struct vs *vs_create(uint16_t vpid, uint16_t ppid)
{
	struct vs *vs = NULL;
	struct vp *vp;

	lock();
	vp = vp_find(vpid);
	for (uint16_t i = 0; vp && i < objects_nr_vss() && !vs; i++) {
		if (vs_slot(i)->state == SLOT_FREE)
			vs = vs_slot(i);
	}
	if (vs) {
		uint16_t id = vs->id;

		bsl_memset(vs, 0, sizeof(*vs));
		vs->id = id;
		vs->vpid = vpid;
		vs->ppid = ppid;
		vs->active_ppid = MK1_INVALID_ID;
		vs->unswitched[UNSWITCHED_XCR0] = XCR0_X87;
		if (mk.vendor->vs_init(vs)) {
			vs->state = SLOT_USED;
			vp->vss++;
		} else {
			vs = NULL;
		}
	}
	unlock();
	return vs;
}

/*
 * Whether the VS may go: it is active nowhere, no other PP caches it, and it is not what Linux runs
 * in or is about to be launched in on another PP.
 */
static bool vs_is_idle(const struct vs *vs)
{
	const struct pp *pp = this_pp();

	if (vs->active_ppid != MK1_INVALID_ID)
		return false;
	if (vs->ppid == pp->handoff.ppid)
		return vs != pp->root_vs || !pp->launched;
	return !vs->loaded && !vs->root;
}

bool vs_destroy(uint16_t id)
{
	struct vs *vs;
	bool done = false;

	lock();
	vs = vs_find(id);
	if (vs && vs_is_idle(vs)) {
		if (vs == this_pp()->root_vs)
			this_pp()->root_vs = NULL;
		mk.vendor->vs_fini(vs);
		vps[vs->vpid].vss--;
		vs->state = SLOT_FREE;
		done = true;
	}
	unlock();
	return done;
}

uint64_t vs_migrate(uint16_t id, uint16_t ppid)
{
	uint64_t status = MK1_SUCCESS;
	struct vs *vs;

	lock();
	vs = vs_find(id);
	if (!vs || !vs_is_idle(vs) || vs->root) {
		status = MK1_INVALID_INPUT_REG(1);
	} else if (ppid >= mk.handoff->nr_pps) {
		status = MK1_INVALID_INPUT_REG(2);
	} else {
		mk.vendor->vs_clear(vs);
		vs->ppid = ppid;
	}
	unlock();
	return status;
}

uint64_t *gpr_of(struct vs *vs, uint64_t offset)
{
	uint64_t *gprs = this_pp()->vs == vs ? abi_gprs() : vs->gpr;

	return &gprs[offset / sizeof(uint64_t)];
}

static bool has_xcr0(void)
{
	return mk.host_cr4 & CR4_OSXSAVE;
}

static uint64_t cpu_unswitched_read(enum unswitched_reg reg)
{
	switch (reg) {
	case UNSWITCHED_CR8:
		return read_cr8();
	case UNSWITCHED_DR0:
		return read_dr0();
	case UNSWITCHED_DR1:
		return read_dr1();
	case UNSWITCHED_DR2:
		return read_dr2();
	case UNSWITCHED_DR3:
		return read_dr3();
	default:
		return has_xcr0() ? xgetbv0() : XCR0_X87;
	}
}

static bool cpu_unswitched_write(enum unswitched_reg reg, uint64_t value)
{
	switch (reg) {
	case UNSWITCHED_CR8:
		if (value > 0xF)
			return false;
		/* A hypervisor below may have to look for interrupts at each write. */
		if (read_cr8() != value)
			write_cr8(value);
		return true;
	case UNSWITCHED_DR0:
		write_dr0(value);
		return true;
	case UNSWITCHED_DR1:
		write_dr1(value);
		return true;
	case UNSWITCHED_DR2:
		write_dr2(value);
		return true;
	case UNSWITCHED_DR3:
		write_dr3(value);
		return true;
	default:
		return has_xcr0() ? xsetbv0_safe(value) : value == XCR0_X87;
	}
}

/* The CR8 in the CPU is Linux's in every VS. */
static bool stays_in_cpu(const struct vs *vs, enum unswitched_reg reg)
{
	return reg != UNSWITCHED_CR8 || vs->root;
}

uint64_t unswitched_read(const struct vs *vs, enum unswitched_reg reg)
{
	return this_pp()->vs == vs && stays_in_cpu(vs, reg) ? cpu_unswitched_read(reg) :
							      vs->unswitched[reg];
}

bool unswitched_write(struct vs *vs, enum unswitched_reg reg, uint64_t value)
{
	bool active = this_pp()->vs == vs;
	bool in_cpu = stays_in_cpu(vs, reg);
	uint64_t old = cpu_unswitched_read(reg);
	bool fits;

	if (reg == UNSWITCHED_XCR0)
		value |= XCR0_X87;
	/* The CPU is the judge, also for a VS that is to have the value later. */
	fits = cpu_unswitched_write(reg, value);
	if ((active && in_cpu) || (!fits && (active || vs->root)))
		return fits;
	if (fits)
		(void)cpu_unswitched_write(reg, old);
	vs->unswitched[reg] = value;
	vs->unfit = (uint8_t)bsl_field_set(vs->unfit, reg, 1, !fits);
	return true;
}

void vs_take_registers(struct vs *vs, const struct bf_cpu_state *state)
{
	bsl_memcpy(gpr_of(vs, 0), state->gpr, sizeof(state->gpr));
	if (this_pp()->vs == vs)
		unswitched_restore(state);
	vs->unswitched[UNSWITCHED_CR8] = state->cr8;
	for (unsigned int i = 0; i < 4; i++)
		vs->unswitched[UNSWITCHED_DR0 + i] = state->dr[i];
	vs->unswitched[UNSWITCHED_XCR0] = has_xcr0() ? state->xcr0 : XCR0_X87;
	vs->unfit = 0;
}

void unswitched_restore(const struct bf_cpu_state *state)
{
	(void)cpu_unswitched_write(UNSWITCHED_CR8, state->cr8);
	for (unsigned int i = 0; i < 4; i++)
		(void)cpu_unswitched_write((enum unswitched_reg)(UNSWITCHED_DR0 + i), state->dr[i]);
	(void)cpu_unswitched_write(UNSWITCHED_XCR0, state->xcr0);
}

struct vs *vs_lock_idle(uint16_t id)
{
	const struct pp *pp = this_pp();
	struct vs *vs;

	lock();
	vs = vs_find(id);
	if (vs && vs->ppid == pp->handoff.ppid)
		return vs;
	unlock();
	return NULL;
}

void vs_unlock_idle(void)
{
	unlock();
}

void vs_claim(struct vs *vs)
{
	if (vs->active_ppid != MK1_INVALID_ID)
		return;
	vs->active_ppid = vs->ppid;
	vps[vs->vpid].active++;
	vms[vps[vs->vpid].vmid].active++;
}

void vs_unclaim(struct vs *vs)
{
	lock();
	vs->active_ppid = MK1_INVALID_ID;
	vps[vs->vpid].active--;
	vms[vps[vs->vpid].vmid].active--;
	unlock();
}

static void deactivate(struct pp *pp, struct vs *vs)
{
	bsl_memcpy(vs->gpr, abi_gprs(), sizeof(vs->gpr));
	for (unsigned int i = 0; i < NR_UNSWITCHED_REGS; i++) {
		if (stays_in_cpu(vs, (enum unswitched_reg)i))
			vs->unswitched[i] = cpu_unswitched_read((enum unswitched_reg)i);
	}
	mk.vendor->vs_unload(vs);
	pp->vs = NULL;
	pp->vpid = MK1_INVALID_ID;
	pp->vmid = MK1_INVALID_ID;
}

void vs_activate(struct vs *vs)
{
	struct pp *pp = this_pp();
	uint16_t old_vmid = pp->vmid;
	struct vs *old = pp->vs;

	if (old == vs)
		return;
	fail_follow(pp, vs);
	if (old)
		deactivate(pp, old);
	if (vs) {
		lock();
		vs_claim(vs);
		unlock();
		pp->vs = vs;
		pp->vpid = vs->vpid;
		pp->vmid = vps[vs->vpid].vmid;
		bsl_memcpy(abi_gprs(), vs->gpr, sizeof(vs->gpr));
		/*
		 * A CPU has had, or tried, each of these values, so none can be refused. Most are
		 * the same in all VSs, and writing them takes long.
		 */
		for (unsigned int i = 0; i < NR_UNSWITCHED_REGS; i++) {
			if (!stays_in_cpu(vs, (enum unswitched_reg)i))
				continue;
			if (!old || i == UNSWITCHED_CR8 || vs->unswitched[i] != old->unswitched[i])
				(void)cpu_unswitched_write((enum unswitched_reg)i,
							   vs->unswitched[i]);
		}
		if (!mk.vendor->vs_load(vs))
			pp_fail(BF_ERR_MK_VMCS, vs->id, 0, 0);
	}
	if (pp->vmid != old_vmid)
		direct_map_switch(pp);
	/* Now that nothing here leads to its direct map, its VM may go. */
	if (old)
		vs_unclaim(old);
	ext_publish_ids(pp);
}

void vm_dump(uint16_t id)
{
	const struct vm *vm = vm_find(id);

	if (!vm)
		mk_print("vm %u: not allocated\n", id);
	else
		mk_print("vm %u: %u VPs, active on %u PPs\n", id, vm->vps, vm->active);
}

void vp_dump(uint16_t id)
{
	const struct vp *vp = vp_find(id);

	if (!vp)
		mk_print("vp %u: not allocated\n", id);
	else
		mk_print("vp %u: vm %u, %u VSs, active on %u PPs\n", id, vp->vmid, vp->vss,
			 vp->active);
}

void vs_dump(uint16_t id)
{
	struct vs *vs = vs_find(id);

	if (!vs) {
		mk_print("vs %u: not allocated\n", id);
		return;
	}
	mk_print("vs %u: vp %u, assigned to pp %u%s%s\n", id, vs->vpid, vs->ppid,
		 vs->root ? ", root" : "", vs == this_pp()->vs ? ", active here" : "");
	vs = vs_lock(id);
	if (vs) {
		mk.vendor->vs_dump(vs);
		vs_unlock(vs);
	}
}
