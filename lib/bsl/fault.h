/* SPDX-License-Identifier: MIT */
/*
 * Fault injection, in the test build of the microkernel, the module and bareflank.efi (make
 * faults); nothing in any other build. One point of one kind fails: the nth that is reached from
 * when it was armed. What there is to arm lies in the header of the debug ring, which both sides
 * see; bareflank.efi has it in its own file.
 */
#ifndef BSL_FAULT_H
#define BSL_FAULT_H

#ifdef BF_FAULTS

#include <abi/types.h>

#define BF_FAULT_KINDS(X) \
	X(none) \
	X(vmcs) /* VMXON, VMPTRLD, VMCLEAR, INVEPT, INVVPID; EFER.SVME, VM_HSAVE_PA, VMSAVE */ \
	X(off) /* VMXOFF */ \
	X(read) /* VMREAD */ \
	X(write) /* VMWRITE */ \
	X(entry) /* VMLAUNCH, VMRESUME, VMRUN */ \
	X(pool) /* page and huge pool of the microkernel */ \
	X(alloc) /* bf_os_alloc*, in the module */ \
	X(table) /* page tables, of either side */ \
	X(launch) /* of a CPU */ \
	X(keep) /* CPUs, where the firmware starts the hypervisor: they escape */ \
	X(call) /* of another CPU */ \
	X(nmi) /* to another CPU: it is lost */

#define BF_FAULT_ENUM(name) BF_FAULT_##name,
enum bf_fault_kind { BF_FAULT_KINDS(BF_FAULT_ENUM) BF_NR_FAULTS };

struct bf_fault {
	uint16_t kind;
	uint16_t nth; /* from 1 on */
	uint32_t hits[BF_NR_FAULTS - 1]; /* points of each kind but none since it was armed */
};

/* NULL: it is too early. The microkernel, the module and bareflank.efi each have one. */
struct bf_fault *bf_fault(void);

/* Whether this point is the one that fails. */
static inline bool bf_fault_point(enum bf_fault_kind kind)
{
	struct bf_fault *fault = bf_fault();
	uint32_t hit;

	if (!fault)
		return false;
	hit = __atomic_add_fetch(&fault->hits[kind - 1], 1, __ATOMIC_RELAXED);
	return fault->kind == kind && hit == fault->nth;
}

/*
 * Like BF_HYPERCALL_STOP, with one of the following in RBX: the microkernel commits that error.
 * On a CPU that is in fallback nothing happens.
 */
#define BF_HYPERCALL_FAULT 0x746C756146426B6D
#define BF_PROVOCATIONS(X) X(page) X(gp) X(stack) X(assert) X(divide) X(insn) X(ud) X(lock) X(halt)
#define BF_PROVOKE_ENUM(name) BF_PROVOKE_##name,
enum bf_provocation { BF_PROVOCATIONS(BF_PROVOKE_ENUM) BF_NR_PROVOCATIONS };

#define FAULT_POINT(kind) __builtin_expect(bf_fault_point(BF_FAULT_##kind), 0)
#else
#define FAULT_POINT(kind) false
#endif

#endif
