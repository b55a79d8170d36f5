/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs, VPs and VSs: three pools of slots whose index is the id of Mk#1.
 *
 * Locking: there is one lock for all three pools, taken to create, destroy and migrate, and to use
 * a VS that is not active: another PP could destroy it. A VS is used only by the PP it is assigned
 * to, and one that this PP has claimed is neither destroyed nor migrated, nor are its VP and VM
 * destroyed, so its use needs no lock. Nor does claiming it: vs->claim.
 */
#ifndef MK_OBJECTS_H
#define MK_OBJECTS_H

#include <abi/cpu_state.h>
#include <abi/handoff.h>
#include <abi/types.h>
#include <bsl/compiler.h>

#include "mem/direct_map.h"
#include "mem/guest_nested.h"
#include "pp.h"
#include "vendor_state.h"

/*
 * Extensions for Mk#1 have these limits built in, and that of the PPs: an id beyond them is nothing
 * to them. On machines with more PPs, which only others serve, each PP beyond adds one VP and one
 * VS.
 */
#define MK_MAX_VMS 16
#define MK_MAX_VPS 256
#define MK_MAX_VSS 256
#define MK_USUAL_PPS 128
#define MK_PPS_BEYOND (BF_MAX_PPS - MK_USUAL_PPS)

/*
 * Whose an object is: an extension's, by its id, or Linux's. As soon as an extension is limited to
 * what is its own (mk.limited), an id has the same owner for ever, so that what has been looked at
 * is never another's a moment later. A limited extension gets the ids of the upper halves.
 */
#define OWNER_LINUX 0xFFFE
#define OWNER_NONE 0xFFFF

/* What is in use is not destroyed, and a destruction cannot fail half-way: there are no zombies. */
enum slot_state { SLOT_FREE, SLOT_USED };

struct vm {
	uint16_t id;
	uint8_t state; /* enum slot_state */
	uint16_t owner;
	uint16_t vps; /* VPs that belong to it */
	struct ext *handler; /* who gets its exits; NULL: who has registered by Mk#1 */
	uint64_t handler_fn;
	struct direct_maps direct;
	struct guest_nested nested; /* not the root VM's: mem/nested.h */
};

struct vp {
	uint16_t id;
	uint8_t state;
	uint16_t owner;
	uint16_t vmid;
	uint16_t vss; /* VSs that belong to it */
};

/* In the order of their Mk#1 numbers, which are consecutive on both vendors. */
enum unswitched_reg {
	UNSWITCHED_CR8,
	UNSWITCHED_DR0,
	UNSWITCHED_DR1,
	UNSWITCHED_DR2,
	UNSWITCHED_DR3,
	UNSWITCHED_XCR0,
	NR_UNSWITCHED_REGS
};

#define VS_RESERVED (MK1_INVALID_ID - 1)

struct xstate;

struct vs {
	uint16_t id;
	uint8_t state;
	uint16_t owner;
	bool root; /* init_as_root was called: it holds Linux */
	bool nested; /* vs_nested_attach was called: its nested table is that of its VM */
	bool loaded; /* the CPU may cache it (VMCS active, VMCB clean) */
	uint8_t view; /* of Linux's nested table, which it uses: mem/view.h; 0: the table itself */
	bool refused; /* the CPU refused to enter it, and nothing has been written to it since */
	bool nmi_exiting; /* the extension itself asked for NMI exits */
	bool intr_exiting; /* the extension itself asked for exits by physical interrupts */
	bool mc_exiting; /* the extension itself asked for #MC exits */
	uint8_t unfit; /* bits by enum unswitched_reg: of unswitched[], what no CPU would take */
	uint16_t vmid; /* of its VP */
	uint16_t vpid;
	uint16_t ppid; /* the PP it is assigned to */
	const struct direct_maps *direct; /* of its VM */
	/*
	 * Whose it is: that of the PP that it is active on, or about to be; VS_RESERVED while it is
	 * created, destroyed or migrated, or is free; else MK1_INVALID_ID.
	 */
	uint16_t claim;
	void *block; /* VMCB or VMCS, in the window */
	uint64_t block_spa;
	uint64_t gpr[BF_NR_GPRS]; /* while not active; else they are in the ABI page */
	/*
	 * By enum unswitched_reg, while not active; else they are in the CPU. CR8 is not, but in a
	 * root VS: what is in the CPU holds Linux's interrupts back. On SVM it is V_TPR then.
	 */
	uint64_t unswitched[NR_UNSWITCHED_REGS];
	struct xstate *xstate; /* vs_xsave_attach was called: its own. Else NULL */
	union {
		struct svm_vs_state svm;
		struct vmx_vs_state vmx;
	};
};

/* Makes the root VM (id 0). Once, on PP 0; false: no memory. */
bool objects_init(void);

/* How many VPs and VSs there may be: their ids are less. */
uint16_t objects_nr_vps(void);
uint16_t objects_nr_vss(void);

/* The lock of the pools. */
void objects_lock(void);
void objects_unlock(void);

/* NULL unless id names an object in use. */
struct vm *vm_find(uint16_t id);
struct vp *vp_find(uint16_t id);
struct vs *vs_find(uint16_t id);

/* NULL when the pool is exhausted (or no memory for the VMCB/VMCS). The parent must be in use. */
struct vm *vm_create(uint16_t owner);
struct vp *vp_create(uint16_t vmid);
struct vs *vs_create(uint16_t vpid, uint16_t ppid);

/* false, and nothing changed, when the object is in use or not there. */
bool vm_destroy(uint16_t id);
bool vp_destroy(uint16_t id);
bool vs_destroy(uint16_t id);

/*
 * The call vm_set_handler: ext gets the exits of the VM, at fn. false: there is no such VM, or it
 * is Linux's, or has a VP already.
 */
bool vm_set_handler(uint16_t id, struct ext *ext, uint64_t fn);

/*
 * The call vs_migrate: assigns the VS to another PP. INVALID_INPUT_REG1, and nothing changed, when
 * it is not there, active, Linux's, or still cached by the CPU of another PP, which must clear it
 * first.
 */
uint64_t vs_migrate(uint16_t id, uint16_t ppid);

/*
 * The VS with this id, if it is assigned to this PP, else NULL. Until vs_unlock nobody destroys it;
 * in between, nothing is created, destroyed or migrated.
 */
struct vs *vs_lock_idle(uint16_t id); /* one that is not active here */

static __always_inline struct vs *vs_lock(uint16_t id)
{
	struct vs *vs = this_pp()->vs;

	return likely(vs && vs->id == id) ? vs : vs_lock_idle(id);
}

static __always_inline void vs_unlock(const struct vs *vs)
{
	if (unlikely(vs != this_pp()->vs))
		objects_unlock();
}

/*
 * The VS with this id, if it is assigned to this PP, else NULL: from now on it counts as active.
 * vs_activate (active.h) or, unless it is active already, vs_unclaim must follow.
 */
struct vs *vs_claim(uint16_t id);
void vs_unclaim(struct vs *vs);
/* The same for one that was found here a moment ago; false: it has gone since. */
bool vs_try_claim(struct vs *vs);

/* Destroys Linux's VS, and its VP, on a PP whose CPU was reset while it was the active one. */
void vs_abandon(struct vs *vs);

/* Whether a VS of this VM, or with MK1_INVALID_ID of any, is active on the PP, but Linux's. */
bool guest_is_active(uint16_t vmid, uint32_t ppid);

/* Whether a direct map of any VM shows a page of [spa, spa + size): direct_maps_show. */
bool vms_show(uint64_t spa, uint64_t size);

/* This PP is about to leave: nothing is left of what VMs own (own_scrub). */
void vms_scrub(void);

void vm_dump(uint16_t id);
void vp_dump(uint16_t id);
void vs_dump(uint16_t id);

#endif
