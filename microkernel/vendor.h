/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract behind which SVM and VMX live. svm/ and vmx/ have the same files: cpu (what the CPUs
 * offer, on and off), vs (a VS's control block), regs (its registers by Mk#1 number), nested (NPT
 * and EPT), run (into the guest), entry.S (the world switch), exit (out of the guest), advance
 * (past the instruction that exited), stall (whether the guest gets on), event (what is injected,
 * and owed), fallback (a guest without extension), checks (why an entry was refused), ops (the
 * table that this contract is).
 *
 * What has no counterpart (test/run vendors holds the folders against this list):
 *
 * svm/asid: when to flush; on Intel, extensions choose VPIDs, and a write of one flushes
 * svm/fetch: not every CPU tells where the next instruction is: it is read
 * svm/decode: how long that instruction is
 * svm/insns: which instructions exit with which code
 * svm/gp: SVM's instructions raise #GP where VMX's raise #UD, as on a bare CPU
 * svm/startup: INIT and start-up IPIs, which are exits of VMX
 * svm/apic: what Linux writes to its local APIC, for that
 * svm/store: what an instruction stores, for that
 * svm/nmi: no NMI in the first instructions of the NMI handler; VMX has virtual NMIs
 * vmx/vmcs: a VMCS is reached by instructions, which work on the current one
 * vmx/controls: bits that the CPU insists on, or lacks
 * vmx/cr: the same for CR0 and CR4
 * vmx/cr8: a guest's CR8, which is V_TPR on SVM
 * vmx/exchange: state beyond what every VMCS exchanges; VMRUN exchanges all of it
 */
#ifndef MK_VENDOR_H
#define MK_VENDOR_H

#include <abi/cpu_state.h>
#include <abi/errors.h>
#include <abi/types.h>
#include <bsl/compiler.h>

struct pp;
struct vs;

/*
 * What became of advancing RIP past the instruction that exited. AGAIN: it is not there any more,
 * and the guest is to execute what is; the general registers are as it exited. FAILED: its length
 * cannot be told.
 */
enum advance { ADVANCE_DONE, ADVANCE_AGAIN, ADVANCE_FAILED };

/* Bits of a leaf of a guest's nested table. A right is there if its bits are set. */
struct guest_bits {
	uint64_t always;
	uint64_t write;
	uint64_t execute;
	uint64_t no_execute; /* set where that is not allowed */
	uint64_t accessed, dirty;
};

struct vendor_ops {
	const char *name;
	uint16_t cr3, cr4, rip; /* numbers of these registers, for vs_read */

	/*
	 * Finds out what the CPUs offer, once, on the first PP. That has no IDT yet: only MSRs
	 * that are there for certain may be touched.
	 */
	void (*probe)(void);
	/* Turns the extension on for this PP, after its descriptor tables are loaded. */
	enum bf_error (*cpu_enable)(struct pp *pp);
	/* Turns it off, if it is on. */
	void (*cpu_disable)(struct pp *pp);
	/* The address space and FS base of the extension that exits go to. */
	void (*set_host)(struct pp *pp, uint64_t cr3, uint64_t fs_base);

	/* The control block of a VS: allocated, host part filled in. false: no memory. */
	bool (*vs_init)(struct vs *vs);
	void (*vs_fini)(struct vs *vs);
	/* Takes the state that the loader captured. */
	enum bf_error (*vs_init_as_root)(struct vs *vs, const struct bf_cpu_state *state);
	/* The reverse: everything but the general registers, from the block and from the CPU. */
	void (*vs_capture)(struct vs *vs, struct bf_cpu_state *state);
	/* Drops what the CPU caches of the block. */
	void (*vs_clear)(struct vs *vs);
	/* Makes the block the current one on this PP; false: the CPU refused it. */
	bool (*vs_load)(struct vs *vs);
	/* The VS stops being the active one: what only the CPU holds of it goes into the VS. */
	void (*vs_unload)(struct vs *vs);
	/*
	 * The statuses of the calls vs_read and vs_write; *value is written only with MK1_SUCCESS.
	 */
	uint64_t (*vs_read)(struct vs *vs, uint64_t reg, uint64_t *value);
	uint64_t (*vs_write)(struct vs *vs, uint64_t reg, uint64_t value);
	/* The privilege level at which the guest is. */
	unsigned int (*vs_cpl)(const struct vs *vs);
	/* Past the instruction that exited. */
	enum advance (*vs_advance_ip)(struct vs *vs);
	/* The same, and then into the guest; comes back if that failed. */
	void (*vs_advance_ip_and_run)(struct vs *vs);
	/* Into the guest; comes back through the exit path. */
	void (*vs_run)(struct vs *vs) __noreturn;
	/* Drops translations of one guest linear address, or of everything, on this PP. */
	void (*tlb_flush_gla)(struct vs *vs, uint64_t gla);
	void (*tlb_flush_all)(struct vs *vs);
	void (*vs_dump)(struct vs *vs);

	/* An NMI or a machine check arrived in root mode and has been noted in the PP. */
	void (*owe)(struct pp *pp);

	/* Prepares a root VS to be run without an extension: only what must exit, exits. */
	void (*fallback_init)(struct vs *vs);

	bool nmis_exit; /* NMIs that arrive in Linux exit always, not on request only: tlb.h */
	/* Whether INIT and start-up IPIs can be carried out for the guest: run/startup.h. */
	bool (*can_keep)(void);
	const char *keep_needs; /* what that takes */
	bool keep_watches_apic; /* and writes to the local APICs, which are the same page */
	/* Whether the CPUs have nested paging as we use it. */
	bool (*has_nested)(void);
	bool nested_like_host; /* nested tables have as many levels as those of root mode; else 4 */
	/* Whether there are nested pages of this size. */
	bool (*nested_has_page)(uint64_t size);
	/* Attribute bits of nested leaves for [spa, spa + size); false: not all have the same. */
	bool (*nested_type)(uint64_t spa, uint64_t size, uint64_t *attr);
	/*
	 * Where these carry memory types (else NULL), after an MTRR was written: whether
	 * nested_type says something else from now on. And what drops this PP's translations of the
	 * nested table.
	 */
	bool (*nested_types_changed)(void);
	void (*nested_flush)(void);

	/*
	 * Views of that table, by Mk#2: whether the CPU knows a page with these rights (of
	 * MK2_NESTED_RWX), and can drop its translations of a view. And a root VS uses the one
	 * whose root this is, vs->view is set already.
	 */
	bool (*view_has)(uint64_t flags);
	void (*view_use)(struct vs *vs, uint64_t root);

	/*
	 * The tables of other VMs, by Mk#2. The attributes of a leaf but for the rights, with the
	 * memory type that the flags of Mk#2 name; false: the CPU has no page of this size there.
	 */
	bool (*guest_leaf)(uint64_t spa, uint64_t size, uint64_t flags, uint64_t *attr);
	const struct guest_bits *guest_bits;
	/* Whether the CPUs set the dirty bit. */
	bool (*guest_has_dirty)(void);
	/*
	 * The VS uses the table at root from now on, vs->nested is set already. false: the CPU
	 * lacks what that needs.
	 */
	bool (*guest_attach)(struct vs *vs, uint64_t root);
	/* XSETBV exits in the VS from now on: vs->xstate is set already. NULL: it always does. */
	void (*xsetbv_exits)(struct vs *vs);
	/*
	 * This PP uses no translation of theirs, nor of Linux's nested table, any more that it has
	 * by now; NMIs come here.
	 */
	void (*guest_forget)(struct pp *pp);
};

extern const struct vendor_ops svm_ops;
extern const struct vendor_ops vmx_ops;

#endif
