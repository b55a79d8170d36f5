// SPDX-License-Identifier: GPL-2.0-only
/* The microkernel's part of the test build (make faults): what fails, and what provokes it. */
#include <bsl/bits.h>
#include <bsl/fault.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "lock.h"
#include "mem/mem.h"
#include "mk.h"
#include "obj/backup.h"
#include "obj/objects.h"
#include "pp.h"
#include "run/exit.h"
#include "svm/entry.h"
#include "svm/svm.h"
#include "vendor.h"
#include "vmx/entry.h"
#include "vmx/vmcs.h"

BF_STATIC_ASSERT(sizeof(struct bf_fault) <= sizeof(((struct bf_ring *)0)->pad), "room in the ring");

#define NO_PAGE 0xFFFFF00000000000 /* nothing is mapped there */
#define NOT_CANONICAL 0x8000000000000000
#define NO_FIELD 0x7FFE /* of a VMCS */

/* From entry.S, in place of the instruction that enters the guest. */
void vmx_fault_entry(void);
void svm_fault_entry(uint64_t spa);

struct bf_fault *bf_fault(void)
{
	if (!mk.handoff)
		return NULL;
	return (struct bf_fault *)((struct bf_ring *)phys_to_virt(mk.handoff->ring.spa))->pad;
}

/* As if there were no current VMCS. */
void vmx_fault_entry(void)
{
	if (FAULT_POINT(entry))
		vmx_entry_failed(RFLAGS_CF);
}

/* As if VMRUN had refused the state. */
void svm_fault_entry(uint64_t spa)
{
	struct vmcb *vmcb = phys_to_virt(spa);

	if (!FAULT_POINT(entry))
		return;
	vmcb->exitcode = SVM_EXIT_INVALID;
	bsl_memcpy(this_pp()->exit_gpr, abi_gprs(), sizeof(this_pp()->exit_gpr));
	stgi();
	svm_exit();
}

/* Until the guard page, where the stack has no room for the page fault either: #DF. */
static noinline uint64_t use_up_stack(uint64_t depth)
{
	volatile uint64_t room[64];

	room[depth % 64] = depth;
	return depth == ~0ULL ? 0 : use_up_stack(depth + 1) + room[depth % 64];
}

static void touch(uint64_t va)
{
	(void)*(volatile uint8_t *)va;
}

static void provoke_page(struct vs *vs)
{
	(void)vs;
	touch(NO_PAGE);
}

static void provoke_gp(struct vs *vs)
{
	(void)vs;
	touch(NOT_CANONICAL);
}

static void provoke_stack(struct vs *vs)
{
	(void)vs;
	mk_print("%llu\n", (unsigned long long)use_up_stack(0));
}

static void provoke_assert(struct vs *vs)
{
	static struct mk_lock lock = MK_LOCK(LOCK_POOL);

	(void)vs;
	ASSERT_LOCKED(&lock);
}

static void provoke_divide(struct vs *vs)
{
	(void)vs;
	__asm__ volatile("div %0" : : "r"(0), "a"(1), "d"(0) : "cc");
}

static void provoke_insn(struct vs *vs)
{
	if (mk.handoff->vendor == BF_VENDOR_INTEL)
		(void)vmcs_read(NO_FIELD);
	/* As an extension's write: no guest is entered without it, and fallback sets it again. */
	backup_take(vs);
	vmcb_of(vs)->efer &= ~(uint64_t)EFER_SVME;
	vmcb_of(vs)->clean = 0;
}

static void provoke_ud(struct vs *vs)
{
	(void)vs;
	__asm__ volatile("ud2");
}

/* With a lock held: the next one would wait for it forever. */
static void provoke_lock(struct vs *vs)
{
	static struct mk_lock lock = MK_LOCK(LOCK_POOL);

	(void)vs;
	mk_lock(&lock);
	touch(NO_PAGE);
}

/* As a second fault, in fallback: the CPU halts. */
static void provoke_halt(struct vs *vs)
{
	struct pp *pp = this_pp();

	(void)vs;
	pp->status->error = BF_ERR_MK_FAULT;
	pp->fallback = true;
	touch(NO_PAGE);
}

bool fault_hypercall(struct vs *vs)
{
#define PROVOKE(name) provoke_##name,
	static void (*const provoke[])(struct vs *vs) = { BF_PROVOCATIONS(PROVOKE) };
	uint64_t which = abi_gprs()[BF_RBX];

	if (!vs->root || abi_gprs()[BF_RAX] != BF_HYPERCALL_FAULT || mk.vendor->vs_cpl(vs) ||
	    which >= BF_NR_PROVOCATIONS)
		return false;
	/* Linux goes on after the instruction, and does not execute it again in fallback. */
	if (mk.vendor->vs_advance_ip(vs) == ADVANCE_DONE && !this_pp()->fallback)
		provoke[which](vs);
	return true;
}
