/* SPDX-License-Identifier: MIT */
/*
 * The extension that runs guests beside Linux: it treats Linux as the default extension does
 * (ext/linux), and answers the calls of abi/guests.h.
 *
 * On a PP either Linux's VS is active or that of a vCPU, whose guest then runs until something ends
 * that: an interrupt for Linux, or what the module has to see. Everything with "in the guest" in
 * its description is for the latter time.
 */
#ifndef EXT_GUESTS_H
#define EXT_GUESTS_H

#include <abi/guests.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <bsl/spinlock.h>
#include <ext/libext/emulate.h>
#include <ext/guests/msr_rules.h>
#include <ext/guests/nested.h>
#include <ext/libext/paging.h>
#include <ext/guests/rules.h>
#include <ext/guests/xstate.h>
#include <ext/linux/linux.h>

#define MAX_VMS 15
#define MAX_VCPUS 128 /* of all VMs */
#define MAX_PPS 1024
#define NR_DEVICE_PAGES 2

/* The number of a register that both vendors have under this name. */
#define REG(name) (is_svm ? (uint64_t)MK1_AMD_##name : (uint64_t)MK1_INTEL_##name)

struct vm {
	bool in_use;
	uint64_t vmid;
	unsigned int users; /* vCPUs, and calls that are under way: it cannot go */
	struct bsl_spinlock memory_lock; /* of the window to its memory: memory.c */
	struct bsl_spinlock tsc_lock; /* of what follows */
	bool has_tsc; /* a vCPU has a TSC, which those of others go with: msr.c */
	uint64_t tsc_offset;
};

/*
 * No software interrupts: where one exits on its way, RIP is still that of the instruction, which
 * is executed again.
 */
enum event_kind {
	EVENT_NONE = GUESTS_EVENT_NONE,
	EVENT_IRQ = GUESTS_EVENT_IRQ,
	EVENT_NMI = GUESTS_EVENT_NMI,
	EVENT_EXCEPTION = GUESTS_EVENT_EXCEPTION
};

/* What is to be delivered when the guest is entered. */
struct event {
	uint8_t kind; /* enum event_kind */
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

/* An IN, OUT or INS that the module completes: at the next entry, if RIP is still there. */
struct pending_io {
	bool active;
	bool is_in;
	bool string;
	uint8_t size;
	uint16_t count; /* of elements, INS */
	uint64_t rip, next_rip;
	uint8_t data[GUESTS_MAX_IO]; /* INS */
};

/* A page of the extension's own for each, which is never given back: a wrong id reads no hole. */
struct vcpu {
	bool claimed; /* by a call, or while in the guest */
	bool in_use;
	uint16_t id;
	struct vm *vm;
	uint64_t vpid, vsid;
	uint64_t ppid; /* where its VS is assigned */
	uint64_t page_spa;
	volatile struct guests_page *page; /* shared with Linux; while Linux's VS is active only */

	/* of the guest, beyond its VS */
	uint64_t cr4; /* AMD: as it reads it */
	uint64_t tsc_adjust;
	uint64_t msr[MSR_NR_KEPT];
	bool nmi_masked; /* AMD, until the guest's IRET */
	uint64_t iret_rip; /* AMD: which has not been executed yet */
	bool pdptes_due; /* Intel: CR3 has come from outside, in PAE paging */
	unsigned int nr_cpuid;
	struct guests_cpuid cpuid[GUESTS_MAX_CPUID];

	/* between exits */
	struct event event;
	bool injected; /* AMD: EVENTINJ is to be cleared */
	bool irq_window, nmi_window; /* exits when it can take one */
	bool refused; /* the CPU has refused its state */
	struct pending_io io;
	uint64_t device[NR_DEVICE_PAGES]; /* guest-physical pages that are no memory, ~0: none */
	unsigned int next_device;
	uint64_t fault_gpa; /* of the last FAULT */
	bool unknown,
		unknown_write; /* what is emulated accesses that, and nobody has said what it is */
	bool emulating; /* emulate waits for what MMIO reads */
	struct emulate_regs emulated;
	struct emulate emulate;

	/* of this run */
	struct guests_entry entry;
	struct guests_exit exit;
};

BF_STATIC_ASSERT(sizeof(struct vcpu) <= 4096, "a page of struct vcpu");

/* The vCPU whose guest is in this PP, or NULL. */
struct vcpu *current_vcpu(void);

/* --- vcpu.c ----------------------------------------------------------------------------------- */

/* A claimed vCPU, which this PP can use now; NULL: *status says why not, *ppid who has it. */
struct vcpu *vcpu_claim(uint64_t id, uint32_t *status, uint64_t *ppid);
struct vcpu *vcpu_claim_anywhere(uint64_t id, uint32_t *status);
void vcpu_unclaim(struct vcpu *v);

/* All return enum guests_status. The vCPU is claimed, Linux's VS is active. */
uint32_t vcpu_get_state(struct vcpu *v, uint64_t parts);
uint32_t vcpu_set_state(struct vcpu *v, uint64_t parts);
uint32_t vcpu_set_cpuid(struct vcpu *v, uint64_t count);
uint32_t vcpu_get_cpuid(struct vcpu *v);
/* *handled: how many, before the first that is refused. */
uint32_t vcpu_get_msrs(struct vcpu *v, uint64_t count, uint64_t *handled);
uint32_t vcpu_set_msrs(struct vcpu *v, uint64_t count, uint64_t *handled);

/* --- run.c: in and out of the guest ----------------------------------------------------------- */

/* Linux's VS is active; returns a status if there is nothing to enter. */
uint32_t run_guest(struct vcpu *v);

/* In the guest: it goes on, with what is to be delivered to it. */
__noreturn void go_on(struct vcpu *v);

/* In the guest: its PKRU. */
uint32_t guest_pkru(struct vcpu *v);

/* In the guest: moves RIP past the instruction that has exited. */
void advance(struct vcpu *v);

/* In the guest: Linux goes on, and the module looks at v->exit. */
__noreturn void leave(struct vcpu *v, enum guests_exit_reason reason);
__noreturn void leave_internal(struct vcpu *v, enum guests_internal why, uint64_t data);
__noreturn void leave_fault(struct vcpu *v, uint64_t gpa, bool write);
/* The CPU has refused to enter the guest. */
__noreturn void leave_refused(struct vcpu *v, uint64_t reason);
/* The exit is Linux's. */
__noreturn void leave_to_linux(struct vcpu *v, uint64_t reason);

/* In the fail callback: Linux's VS is the active one again. */
void linux_after_fault(void);

/* --- exit.c: what both vendors' exits have in common ------------------------------------------ */

__noreturn void give_exception(struct vcpu *v, uint8_t vector);
__noreturn void give_error(struct vcpu *v, uint8_t vector, uint32_t error);
__noreturn void exit_cpuid(struct vcpu *v);
__noreturn void exit_hlt(struct vcpu *v);
__noreturn void exit_io(struct vcpu *v, bool is_in, bool string, uint64_t port, unsigned int size,
			uint64_t next_rip);
/* At the next entry: what IN or INS has read. Comes back unless the latter does not end well. */
void complete_io(struct vcpu *v);
__noreturn void exit_nested_fault(struct vcpu *v, uint64_t gpa, bool write);
__noreturn void exit_xsetbv(struct vcpu *v);
/* An instruction without effect, of CPL 0. */
__noreturn void exit_nothing(struct vcpu *v);
/* Goes on with the instruction of which an access was no memory. */
__noreturn void emulate_instruction(struct vcpu *v);
__noreturn void emulate_go_on(struct vcpu *v);
/* Whether it stands between two iterations of a string instruction. */
bool emulate_is_between(const struct vcpu *v);

/* The guest's registers, as the emulator wants them. */
void get_emulated(struct vcpu *v, struct emulate_regs *regs);

/* Whether the guest may write this value to CR4; if so, it does. */
bool write_cr4(struct vcpu *v, uint64_t value);

/* The bits of CR4 that the guest may set: those of its CPUID that the CPU has. */
uint64_t allowed_cr4(struct vcpu *v);

/* Whether the CPU has TSC_AUX, which guests have one of their own of. */
bool has_tsc_aux(void);

/* --- msr.c ------------------------------------------------------------------------------------ */

__noreturn void exit_msr(struct vcpu *v, bool write);

/* After reset. false: the microkernel refuses. */
bool msr_reset(struct vcpu *v);

/* What the guest's TSC has more than the CPU's; other vCPUs that are set go with it. */
void msr_set_tsc_offset(struct vcpu *v, uint64_t offset);

/* The n-th MSR of a vCPU's state. false: there are not so many. */
bool msr_list(uint64_t n, uint32_t *msr);

/* As the module reads and writes them, of a claimed vCPU. false: there is no such MSR or value. */
bool msr_get(struct vcpu *v, uint32_t msr, uint64_t *value);
bool msr_set(struct vcpu *v, uint32_t msr, uint64_t value);

/* --- memory.c: the guest's memory, in the guest ----------------------------------------------- */

/*
 * Copies from or to guest-physical memory, within a page. false: it is not there, or not to be
 * written, and v->fault_gpa is what the module has to be asked for.
 */
bool memory_read(struct vcpu *v, uint64_t gpa, void *data, unsigned int bytes);
bool memory_write(struct vcpu *v, uint64_t gpa, const void *data, unsigned int bytes);
/* The same in one atomic step, if it holds expected: *changed says whether it did not. */
bool memory_exchange(struct vcpu *v, uint64_t gpa, const void *data, const void *expected,
		     unsigned int bytes, bool *changed);

/* No window is open any more to what was unmapped before. */
void memory_settle(struct vm *vm);

/* Whether a page of memory is there, to be written if that is asked for. */
bool memory_is_there(struct vcpu *v, uint64_t gpa, bool write);

/* --- fetch.c: the guest's page tables, in the guest ------------------------------------------- */

/*
 * The guest-physical address of a linear one, for an access of this kind (PAGING_WRITE and so on,
 * PAGING_USER left out) at the privilege level of these registers. PAGING_UNREACHABLE: as
 * memory_read.
 */
enum paging_status translate(struct vcpu *v, const struct emulate_regs *regs, uint64_t la,
			     unsigned int access, uint64_t *gpa, uint32_t *error);

/*
 * The bytes of the instruction at RIP, INSN_MAX_LENGTH at most. Returns how many are there; if
 * none, *status and *error are those of translate.
 */
size_t fetch(struct vcpu *v, const struct emulate_regs *regs, uint8_t *bytes,
	     enum paging_status *status, uint32_t *error);

/* --- svm.c, vmx.c ----------------------------------------------------------------------------- */

struct vendor {
	/* Whether this CPU can run guests; says why not. Once, in ext_start. */
	bool (*start)(void);
	/* Controls of a new VS. false: refused. */
	bool (*setup)(struct vcpu *v);
	void (*get_sregs)(struct vcpu *v, struct guests_sregs *sregs);
	/* Values that rules_sregs has found good. false: the microkernel refuses one. */
	bool (*set_sregs)(struct vcpu *v, const struct guests_sregs *sregs);
	/* CR0 and CR4 as the guest reads them, and its privilege level. */
	uint64_t (*get_cr0)(struct vcpu *v);
	uint64_t (*get_cr4)(struct vcpu *v);
	uint8_t (*get_cpl)(struct vcpu *v);
	void (*set_cr4)(struct vcpu *v, uint64_t value);
	/* In the guest: what follows is up to the exit. */
	void (*exit)(struct vcpu *v, uint64_t reason);
	/* Before the guest is entered. */
	void (*inject)(struct vcpu *v, const struct event *event);
	bool (*can_take_irq)(struct vcpu *v);
	bool (*can_take_nmi)(struct vcpu *v);
	void (*set_windows)(struct vcpu *v, bool irq, bool nmi);
	/* GUESTS_SHADOW_, and whether NMIs wait for an IRET. */
	uint8_t (*get_shadow)(struct vcpu *v);
	void (*set_shadow)(struct vcpu *v, uint8_t shadow);
	bool (*get_nmi_masked)(struct vcpu *v);
	void (*set_nmi_masked)(struct vcpu *v, bool masked);
	/* RIP goes there, as after an instruction that has been executed. */
	void (*skip_to)(struct vcpu *v, uint64_t rip);
};

/* Of a file whose functions have the names of the members, but for on_exit. */
// clang-format off
#define VENDOR_OPS \
	{ \
		.start = start, .setup = setup, .get_sregs = get_sregs, .set_sregs = set_sregs, \
		.get_cr0 = get_cr0, .get_cr4 = get_cr4, .get_cpl = get_cpl, \
		.set_cr4 = set_cr4, .exit = on_exit, .inject = inject, \
		.can_take_irq = can_take_irq, .can_take_nmi = can_take_nmi, \
		.set_windows = set_windows, .get_shadow = get_shadow, \
		.set_shadow = set_shadow, .get_nmi_masked = get_nmi_masked, \
		.set_nmi_masked = set_nmi_masked, .skip_to = skip_to \
	}
// clang-format on

extern const struct vendor svm_vendor, vmx_vendor;
extern const struct vendor *vendor; /* NULL: this CPU cannot run guests */

/* --- main.c ----------------------------------------------------------------------------------- */

/* Whether Linux's exits are this extension's; else they are another one's. */
extern bool treats_linux;

/* The callback for exits of guests: the microkernel has it for each of their VMs. */
mk1_vmexit_fn guest_vmexit;

/* The state in which a CPU is after reset, as the module gives it. */
extern const struct guests_sregs reset_sregs;

#endif
