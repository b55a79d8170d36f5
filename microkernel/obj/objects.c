// SPDX-License-Identifier: GPL-2.0-only
#include "obj/objects.h"

#include <abi/mk1.h>
#include <bsl/string.h>

#include "debug.h"
#include "lock.h"
#include "mem/mem.h"
#include "mem/own.h"
#include "mk.h"
#include "obj/xstate.h"
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
	for (uint16_t i = 0; i < MK_MAX_VMS; i++) {
		vms[i].id = i;
		vms[i].owner = OWNER_NONE;
		guest_nested_init(&vms[i].nested, i);
	}
	for (uint16_t i = 0; i < objects_nr_vps(); i++) {
		vps[i].id = i;
		vps[i].owner = OWNER_NONE;
	}
	for (uint16_t i = 0; i < objects_nr_vss(); i++) {
		if (i % VSS_PER_PAGE == 0) {
			uint64_t spa = pool_alloc();

			if (spa == MK_NO_PAGE)
				return false;
			vs_pages[i / VSS_PER_PAGE] = phys_to_virt(spa);
		}
		vs_slot(i)->id = i;
		vs_slot(i)->owner = OWNER_NONE;
	}
	vms[MK1_ROOT_VMID].direct.open = true;
	vms[MK1_ROOT_VMID].owner = OWNER_LINUX;
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

/* Whether a free id, one of count, can become one of this owner. */
static bool may_take(uint16_t before, uint16_t owner, uint16_t id, uint16_t count)
{
	bool limited = owner < BF_MAX_EXTS && mk.limited >> owner & 1;

	if (!mk.limited || before == owner)
		return true;
	return before == OWNER_NONE && (!limited || id >= count / 2);
}

struct vm *vm_create(uint16_t owner)
{
	struct vm *vm = NULL;

	objects_lock();
	for (uint16_t i = 0; i < MK_MAX_VMS && !vm; i++) {
		if (vms[i].state == SLOT_FREE && may_take(vms[i].owner, owner, i, MK_MAX_VMS))
			vm = &vms[i];
	}
	if (vm) {
		vm->owner = owner;
		vm->handler = NULL;
		vm->direct.open = true;
		guest_nested_open(&vm->nested);
		vm->state = SLOT_USED;
	}
	objects_unlock();
	return vm;
}

bool vms_show(uint64_t spa, uint64_t size)
{
	bool shown = false;

	for (unsigned int i = 0; !shown && i < MK_MAX_VMS; i++)
		shown = direct_maps_show(&vms[i].direct, spa, size);
	return shown;
}

/* What is a VM's own goes back when nothing maps it any more. */
static bool close_nested(struct vm *vm)
{
	if (!guest_nested_close(&vm->nested))
		return false;
	if (own_give_all_back(&vm->nested))
		return true;
	guest_nested_open(&vm->nested);
	return false;
}

bool vm_destroy(uint16_t id)
{
	struct vm *vm;
	bool done = false;

	objects_lock();
	vm = vm_find(id);
	if (vm && id != MK1_ROOT_VMID && !vm->vps && close_nested(vm)) {
		direct_maps_close(&vm->direct);
		vm->state = SLOT_FREE;
		done = true;
	}
	objects_unlock();
	return done;
}

/* A VM without a VP is active nowhere, so no PP has its exits go elsewhere. */
bool vm_set_handler(uint16_t id, struct ext *ext, uint64_t fn)
{
	struct vm *vm;
	bool done = false;

	objects_lock();
	vm = vm_find(id);
	if (vm && id != MK1_ROOT_VMID && !vm->vps) {
		vm->handler = ext;
		vm->handler_fn = fn;
		mk.vm_handlers = true;
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
		if (vps[i].state == SLOT_FREE &&
		    may_take(vps[i].owner, vm->owner, i, objects_nr_vps()))
			vp = &vps[i];
	}
	if (vp) {
		vp->state = SLOT_USED;
		vp->owner = vm->owner;
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
	if (vp && !vp->vss) {
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
		if (vs_slot(i)->state == SLOT_FREE &&
		    may_take(vs_slot(i)->owner, vp->owner, i, objects_nr_vss()))
			vs = vs_slot(i);
	}
	if (vs) {
		uint16_t id = vs->id;

		bsl_memset(vs, 0, sizeof(*vs));
		vs->id = id;
		vs->claim = VS_RESERVED;
		vs->owner = vp->owner;
		vs->vmid = vp->vmid;
		vs->direct = &vms[vp->vmid].direct;
		vs->vpid = vpid;
		vs->ppid = ppid;
		vs->unswitched[UNSWITCHED_XCR0] = XCR0_X87;
		if (mk.vendor->vs_init(vs)) {
			vs->state = SLOT_USED;
			vp->vss++;
			vs_unclaim(vs);
		} else {
			vs = NULL;
		}
	}
	objects_unlock();
	return vs;
}

static bool take_claim(struct vs *vs, uint16_t from, uint16_t to)
{
	return __atomic_compare_exchange_n(&vs->claim, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* Whether no other PP caches it, and it is not what Linux runs in or is about to be launched in. */
static bool may_go(const struct vs *vs)
{
	const struct pp *pp = this_pp();

	if (vs->ppid == pp->handoff.ppid)
		return vs != pp->root_vs || !pp->launched;
	return !vs->loaded && !vs->root;
}

/* Whether the VS may go, and then it does: it is active nowhere, and nobody can claim it. */
static bool vs_reserve(struct vs *vs)
{
	ASSERT_LOCKED(&pool_lock);
	if (!take_claim(vs, MK1_INVALID_ID, VS_RESERVED))
		return false;
	if (may_go(vs))
		return true;
	(void)take_claim(vs, VS_RESERVED, MK1_INVALID_ID); /* or activate has it by now */
	return false;
}

bool vs_destroy(uint16_t id)
{
	struct vs *vs;
	bool done = false;

	objects_lock();
	vs = vs_find(id);
	if (vs && vs_reserve(vs)) {
		if (vs == this_pp()->root_vs)
			this_pp()->root_vs = NULL;
		xstate_free(vs->xstate);
		mk.vendor->vs_fini(vs);
		vps[vs->vpid].vss--;
		vs->state = SLOT_FREE;
		done = true;
	}
	objects_unlock();
	return done;
}

void vs_abandon(struct vs *vs)
{
	uint16_t vpid = vs->vpid;

	vs_unclaim(vs);
	(void)vs_destroy(vs->id);
	(void)vp_destroy(vpid);
}

uint64_t vs_migrate(uint16_t id, uint16_t ppid)
{
	uint64_t status = MK1_SUCCESS;
	struct vs *vs;

	objects_lock();
	vs = vs_find(id);
	if (!vs || vs->root || !vs_reserve(vs)) {
		status = MK1_INVALID_INPUT_REG(1);
	} else {
		if (ppid >= mk.handoff->nr_pps) {
			status = MK1_INVALID_INPUT_REG(2);
		} else {
			mk.vendor->vs_clear(vs);
			vs->ppid = ppid;
		}
		vs_unclaim(vs);
	}
	objects_unlock();
	return status;
}

static struct vs *find_here(uint16_t id)
{
	struct vs *vs = vs_find(id);

	return vs && vs->ppid == this_pp()->handoff.ppid ? vs : NULL;
}

struct vs *vs_lock_idle(uint16_t id)
{
	struct vs *vs;

	objects_lock();
	vs = find_here(id);
	if (!vs)
		objects_unlock();
	return vs;
}

bool vs_try_claim(struct vs *vs)
{
	const uint16_t ppid = (uint16_t)this_pp()->handoff.ppid;

	if (!take_claim(vs, MK1_INVALID_ID, ppid))
		return false;
	/* Until then it could be destroyed, or migrated. */
	if (likely(vs->state == SLOT_USED && vs->ppid == ppid))
		return true;
	vs_unclaim(vs);
	return false;
}

/* Another PP may have claimed it for a moment, only to find that it is not there any more. */
static __cold noinline struct vs *claim_locked(uint16_t id)
{
	struct vs *vs = vs_lock_idle(id);

	if (!vs)
		return NULL;
	while (vs && !vs_try_claim(vs))
		vs = vs->claim == vs->ppid ? NULL : vs;
	objects_unlock();
	return vs;
}

struct vs *vs_claim(uint16_t id)
{
	struct vs *vs = this_pp()->vs;

	if (vs && vs->id == id)
		return vs;
	vs = find_here(id);
	/* With the lock nobody destroys it, or looks whether to do so. */
	return likely(vs && vs_try_claim(vs)) ? vs : claim_locked(id);
}

void vs_unclaim(struct vs *vs)
{
	__atomic_store_n(&vs->claim, MK1_INVALID_ID, __ATOMIC_RELEASE);
}

bool guest_is_active(uint16_t vmid, uint32_t ppid)
{
	bool found = false;

	for (uint16_t id = 0; !found && id < objects_nr_vss(); id++) {
		const struct vs *vs = vs_find(id);

		found = vs && !vs->root && __atomic_load_n(&vs->claim, __ATOMIC_ACQUIRE) == ppid &&
			(vmid == MK1_INVALID_ID || vs->vmid == vmid);
	}
	return found;
}

static struct guest_nested *nested_of(uint16_t n)
{
	return n < MK_MAX_VMS ? &vms[n].nested : NULL;
}

void vms_scrub(void)
{
	own_scrub(nested_of, guest_is_active);
}

/* On how many PPs a VS of this VM, or of this VP, is active. */
static unsigned int count_active(uint16_t vmid, uint16_t vpid)
{
	unsigned int n = 0;

	for (uint16_t id = 0; id < objects_nr_vss(); id++) {
		const struct vs *vs = vs_find(id);

		n += vs && vs->claim < VS_RESERVED && vs->vmid == vmid &&
		     (vpid == MK1_INVALID_ID || vs->vpid == vpid);
	}
	return n;
}

void vm_dump(uint16_t id)
{
	const struct vm *vm = vm_find(id);

	if (!vm)
		mk_print("vm %u: not allocated\n", id);
	else
		mk_print("vm %u: %u VPs, active on %u PPs\n", id, vm->vps,
			 count_active(id, MK1_INVALID_ID));
}

void vp_dump(uint16_t id)
{
	const struct vp *vp = vp_find(id);

	if (!vp)
		mk_print("vp %u: not allocated\n", id);
	else
		mk_print("vp %u: vm %u, %u VSs, active on %u PPs\n", id, vp->vmid, vp->vss,
			 count_active(vp->vmid, id));
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
