// SPDX-License-Identifier: GPL-2.0-only
#include "obj/objects.h"

#include <abi/mk1.h>
#include <bsl/string.h>

#include "debug.h"
#include "lock.h"
#include "mem/mem.h"
#include "mk.h"
#include "pp.h"
#include "vendor.h"

static struct mk_lock pool_lock = MK_LOCK(LOCK_OBJECTS);
static struct vm vms[MK_MAX_VMS];
static struct vp vps[MK_MAX_VPS + MK_PPS_BEYOND];

/* VSs lie in pages of the pool, as many as the PPs call for. */
#define VSS_PER_PAGE (BF_PAGE_SIZE / sizeof(struct vs))

static struct vs *vs_pages[(MK_MAX_VSS + MK_PPS_BEYOND) / VSS_PER_PAGE + 1];

void objects_lock(void)
{
	mk_lock(&pool_lock);
}

void objects_unlock(void)
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
	vms[MK1_ROOT_VMID].direct.open = true;
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

	objects_lock();
	for (unsigned int i = 0; i < MK_MAX_VMS && !vm; i++) {
		if (vms[i].state == SLOT_FREE)
			vm = &vms[i];
	}
	if (vm) {
		vm->direct.open = true;
		vm->state = SLOT_USED;
	}
	objects_unlock();
	return vm;
}

bool vm_destroy(uint16_t id)
{
	struct vm *vm;
	bool done = false;

	objects_lock();
	vm = vm_find(id);
	if (vm && id != MK1_ROOT_VMID && !vm->vps && !vm->active) {
		direct_maps_close(&vm->direct);
		vm->state = SLOT_FREE;
		done = true;
	}
	objects_unlock();
	return done;
}

struct vp *vp_create(uint16_t vmid)
{
	struct vp *vp = NULL;
	struct vm *vm;

	objects_lock();
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
	objects_unlock();
	return vp;
}

bool vp_destroy(uint16_t id)
{
	struct vp *vp;
	bool done = false;

	objects_lock();
	vp = vp_find(id);
	if (vp && !vp->vss && !vp->active) {
		vms[vp->vmid].vps--;
		vp->state = SLOT_FREE;
		done = true;
	}
	objects_unlock();
	return done;
}

struct vs *vs_create(uint16_t vpid, uint16_t ppid)
{
	struct vs *vs = NULL;
	struct vp *vp;

	objects_lock();
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
	objects_unlock();
	return vs;
}

/*
 * Whether the VS may go: it is active nowhere, no other PP caches it, and it is not what Linux runs
 * in or is about to be launched in on another PP.
 */
static bool vs_is_idle(const struct vs *vs)
{
	const struct pp *pp = this_pp();

	ASSERT_LOCKED(&pool_lock);
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

	objects_lock();
	vs = vs_find(id);
	if (vs && vs_is_idle(vs)) {
		if (vs == this_pp()->root_vs)
			this_pp()->root_vs = NULL;
		mk.vendor->vs_fini(vs);
		vps[vs->vpid].vss--;
		vs->state = SLOT_FREE;
		done = true;
	}
	objects_unlock();
	return done;
}

uint64_t vs_migrate(uint16_t id, uint16_t ppid)
{
	uint64_t status = MK1_SUCCESS;
	struct vs *vs;

	objects_lock();
	vs = vs_find(id);
	if (!vs || !vs_is_idle(vs) || vs->root) {
		status = MK1_INVALID_INPUT_REG(1);
	} else if (ppid >= mk.handoff->nr_pps) {
		status = MK1_INVALID_INPUT_REG(2);
	} else {
		mk.vendor->vs_clear(vs);
		vs->ppid = ppid;
	}
	objects_unlock();
	return status;
}

struct vs *vs_lock_idle(uint16_t id)
{
	const struct pp *pp = this_pp();
	struct vs *vs;

	objects_lock();
	vs = vs_find(id);
	if (vs && vs->ppid == pp->handoff.ppid)
		return vs;
	objects_unlock();
	return NULL;
}

void vs_claim(struct vs *vs)
{
	if (vs->active_ppid != MK1_INVALID_ID)
		return;
	ASSERT_LOCKED(&pool_lock);
	vs->active_ppid = vs->ppid;
	vps[vs->vpid].active++;
	vms[vps[vs->vpid].vmid].active++;
}

void vs_unclaim(struct vs *vs)
{
	objects_lock();
	vs->active_ppid = MK1_INVALID_ID;
	vps[vs->vpid].active--;
	vms[vps[vs->vpid].vmid].active--;
	objects_unlock();
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
