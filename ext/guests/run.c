// SPDX-License-Identifier: MIT
/*
 * Into the guest and out of it. What the world switch of Mk#1 leaves in the CPU, the microkernel
 * exchanges (xstate.h). All MSRs exit, so that a guest changes no other.
 */
#include <bsl/string.h>
#include <ext/guests/guests.h>
#include <ext/linux/cpuid.h>

/* Of each PP: who is in the guest there, and Linux meanwhile. */
static struct {
	struct vcpu *vcpu;
	uint64_t linux_vpid, linux_vsid;
	uint8_t *area; /* a page, from the first guest on */
} pps[MAX_PPS];

#define this_pp (&pps[mk1_tls_ppid()])

struct vcpu *current_vcpu(void)
{
	return this_pp->vcpu;
}

static bool have_area(void)
{
	uint64_t va, spa;

	if (!this_pp->area && mk1_mem_alloc_page(MK1_HANDLE, &va, &spa) == MK1_SUCCESS)
		this_pp->area = (uint8_t *)va;
	return this_pp->area;
}

uint32_t guest_pkru(struct vcpu *v)
{
	uint32_t pkru;

	if (!xstate_pkru(v->vsid, this_pp->area, &pkru))
		give_up("PKRU cannot be read", v->vsid, 0);
	return pkru;
}

bool has_tsc_aux(void)
{
	return (cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_RDTSCP) ||
	       (cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ecx & CPUID_7_ECX_RDPID));
}

/* --- out -------------------------------------------------------------------------------------- */

/* Linux's VS is active again, and its registers are in the CPU. */
static void switch_to_linux(void)
{
	uint64_t status = mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, this_pp->linux_vpid,
					    this_pp->linux_vsid);

	this_pp->vcpu = NULL;
	if (status != MK1_SUCCESS)
		give_up("Linux cannot go on", this_pp->linux_vsid, status);
}

void leave(struct vcpu *v, enum guests_exit_reason reason)
{
	v->exit.reason = reason;
	v->exit.interrupt_flag = !!(vs_get(v->vsid, REG(rflags)) & RFLAGS_IF);
	v->exit.ready = v->event.kind == EVENT_NONE && vendor->can_take_irq(v);
	v->exit.cr8 = vs_get(v->vsid, REG(cr8));
	switch_to_linux();
	bsl_memcpy((void *)&v->page->exit, &v->exit, sizeof(v->exit));
	if (reason == GUESTS_EXIT_INTERNAL)
		bsl_memcpy((void *)v->page->io, v->emulate.bytes, sizeof(v->emulate.bytes));
	vcpu_unclaim(v);
	mk1_set_rax(GUESTS_CALL | GUESTS_OK);
	resume(mk1_tls_vsid());
}

void leave_internal(struct vcpu *v, enum guests_internal why, uint64_t data)
{
	v->exit.detail = why;
	v->exit.size = why == GUESTS_INTERNAL_EMULATE ? v->emulate.avail : 0;
	v->exit.address = vs_get(v->vsid, REG(rip));
	v->exit.data = data;
	leave(v, GUESTS_EXIT_INTERNAL);
}

void leave_fault(struct vcpu *v, uint64_t gpa, bool write)
{
	v->fault_gpa = gpa & ~(uint64_t)BF_PAGE_MASK;
	v->exit.address = gpa;
	v->exit.write = write;
	leave(v, GUESTS_EXIT_FAULT);
}

void leave_refused(struct vcpu *v, uint64_t reason)
{
	v->refused = true;
	v->exit.data = reason;
	leave(v, GUESTS_EXIT_FAIL_ENTRY);
}

void leave_to_linux(struct vcpu *v, uint64_t reason)
{
	if (!treats_linux)
		leave(v, GUESTS_EXIT_INTR);
	switch_to_linux();
	vcpu_unclaim(v);
	mk1_set_rax(GUESTS_CALL | GUESTS_BUSY);
	linux_vmexit()(mk1_tls_vsid(), reason);
	give_up("an exit for Linux has no end", mk1_tls_vsid(), reason);
}

/* A fault in this extension: Linux goes on, whatever the guest's state is. */
void linux_after_fault(void)
{
	if (this_pp->vcpu)
		switch_to_linux();
}

/* --- in --------------------------------------------------------------------------------------- */

void advance(struct vcpu *v)
{
	uint64_t status =
		mk1_vs_advance_ip_and_set_active(MK1_HANDLE, v->vm->vmid, v->vpid, v->vsid);

	if (status != MK1_SUCCESS)
		leave_internal(v, GUESTS_INTERNAL_REFUSED, status);
}

/* The VMCS has a copy of the highest level of PAE paging: §29.3.2.4. */
static void load_pdptes(struct vcpu *v)
{
	uint64_t cr3 = vs_get(v->vsid, MK1_INTEL_cr3) & 0xFFFFFFE0;
	uint64_t pdptes[4];

	if (!memory_read(v, cr3, pdptes, sizeof(pdptes)))
		leave_fault(v, v->fault_gpa, false);
	for (unsigned int i = 0; i < 4; i++)
		vs_set(v->vsid, MK1_INTEL_pdpte0 + i, pdptes[i]);
	v->pdptes_due = false;
}

static bool deliver(struct vcpu *v, const struct event *event, uint32_t flag)
{
	vendor->inject(v, event);
	v->entry.flags &= ~flag;
	v->exit.taken |= flag;
	return true;
}

/* At most one event at an entry; whether there is one. */
static bool deliver_next(struct vcpu *v)
{
	const struct event nmi = { .kind = EVENT_NMI, .vector = VECTOR_NMI };
	const struct event irq = { .kind = EVENT_IRQ, .vector = (uint8_t)v->entry.vector };
	const struct event event = v->event;

	v->event.kind = EVENT_NONE;
	if (event.kind != EVENT_NONE)
		return deliver(v, &event, 0);
	if ((v->entry.flags & GUESTS_RUN_NMI) && vendor->can_take_nmi(v))
		return deliver(v, &nmi, GUESTS_RUN_NMI);
	if ((v->entry.flags & GUESTS_RUN_IRQ) && vendor->can_take_irq(v))
		return deliver(v, &irq, GUESTS_RUN_IRQ);
	return false;
}

void go_on(struct vcpu *v)
{
	uint64_t status;

	if (v->pdptes_due)
		load_pdptes(v);
	if (!deliver_next(v) &&
	    (v->entry.flags & (GUESTS_RUN_WINDOW | GUESTS_RUN_IRQ)) == GUESTS_RUN_WINDOW &&
	    vendor->can_take_irq(v))
		leave(v, GUESTS_EXIT_WINDOW);
	vendor->set_windows(v, v->entry.flags & (GUESTS_RUN_WINDOW | GUESTS_RUN_IRQ),
			    v->entry.flags & GUESTS_RUN_NMI);
	status = mk1_vs_run_current(MK1_HANDLE);
	leave_internal(v, GUESTS_INTERNAL_REFUSED, status);
}

static __noreturn void begin(struct vcpu *v)
{
	if (v->io.active)
		complete_io(v);
	/* Between two iterations, an event goes first: the guest comes back to the instruction. */
	if (v->emulating && emulate_is_between(v) &&
	    (v->event.kind != EVENT_NONE ||
	     (v->entry.flags & (GUESTS_RUN_COMPLETE | GUESTS_RUN_NMI | GUESTS_RUN_IRQ))))
		v->emulating = false;
	if (v->emulating) {
		v->emulate.mmio.data = v->entry.data;
		emulate_go_on(v);
	}
	if (v->entry.flags & GUESTS_RUN_COMPLETE)
		leave(v, GUESTS_EXIT_INTR);
	if (v->entry.flags & GUESTS_RUN_EMULATE)
		emulate_instruction(v);
	go_on(v);
}

uint32_t run_guest(struct vcpu *v)
{
	if (v->entry.vector > 0xFF || v->entry.cr8 > 15)
		return GUESTS_BAD_VALUE;
	if (!have_area())
		return GUESTS_FULL;
	if (mk1_vs_write(MK1_HANDLE, v->vsid, REG(cr8), v->entry.cr8) != MK1_SUCCESS)
		return GUESTS_BAD_VALUE;
	/* The same state twice would end the hypervisor: docs/abi/calls-vs.md. */
	if (v->refused)
		vs_set(v->vsid, REG(rip), vs_get(v->vsid, REG(rip)));
	v->refused = false;
	this_pp->linux_vpid = mk1_tls_vpid();
	this_pp->linux_vsid = mk1_tls_vsid();
	/* Linux's call is over: what it returns is written when Linux is active again. */
	if (mk1_vs_advance_ip_and_set_active(MK1_HANDLE, v->vm->vmid, v->vpid, v->vsid) !=
	    MK1_SUCCESS)
		return GUESTS_BAD_VALUE;
	this_pp->vcpu = v;
	bsl_memset(&v->exit, 0, sizeof(v->exit));
	begin(v);
}
