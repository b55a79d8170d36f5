// SPDX-License-Identifier: MIT
/* vCPUs: who has them, and what the module reads and writes of them. */
#include <bsl/bits.h>
#include <bsl/string.h>
#include <ext/guests/call.h>
#include <ext/guests/guests.h>
#include <ext/guests/list.h>
#include <ext/linux/cpuid.h>

#define NO_PAGE (~0ull)
#define RDX_AT_RESET 0x600 /* family 6, if the module does not say it */

static struct vcpu *vcpus[MAX_VCPUS]; /* each stays once it is there */

/* --- who has it ------------------------------------------------------------------------------- */

struct vcpu *vcpu_claim_anywhere(uint64_t id, uint32_t *status)
{
	struct vcpu *v = id < MAX_VCPUS ? __atomic_load_n(&vcpus[id], __ATOMIC_ACQUIRE) : NULL;

	*status = GUESTS_BAD_ID;
	if (!v)
		return NULL;
	if (__atomic_exchange_n(&v->claimed, true, __ATOMIC_ACQUIRE)) {
		*status = GUESTS_BUSY;
		return NULL;
	}
	if (v->in_use)
		return v;
	vcpu_unclaim(v);
	return NULL;
}

void vcpu_unclaim(struct vcpu *v)
{
	__atomic_store_n(&v->claimed, false, __ATOMIC_RELEASE);
}

struct vcpu *vcpu_claim(uint64_t id, uint32_t *status, uint64_t *ppid)
{
	struct vcpu *v = vcpu_claim_anywhere(id, status);

	if (!v || v->ppid == mk1_tls_ppid())
		return v;
	if (mk1_vs_migrate(MK1_HANDLE, v->vsid, mk1_tls_ppid()) == MK1_SUCCESS) {
		v->ppid = mk1_tls_ppid();
		return v;
	}
	*ppid = v->ppid;
	*status = GUESTS_ELSEWHERE;
	vcpu_unclaim(v);
	return NULL;
}

/* --- state ------------------------------------------------------------------------------------ */

/* X(member): the general registers, which both vendors have under these names. */
// clang-format off
#define GPRS(X) \
	X(rax) X(rbx) X(rcx) X(rdx) X(rsi) X(rdi) X(rsp) X(rbp) \
	X(r8) X(r9) X(r10) X(r11) X(r12) X(r13) X(r14) X(r15) X(rip) X(rflags)
// clang-format on

/* Not inline: a list takes most of a frame. */

#define ADD(name) list_add(&list, REG(name), regs->name);
#define TAKE(name) regs->name = (e++)->value;

static noinline void get_regs(struct vcpu *v, struct guests_regs *regs)
{
	struct list list = { .count = 0 };
	const struct mk2_list_entry *e = list.entry;

	*regs = (struct guests_regs){ .rflags = RFLAGS_FIXED };
	GPRS(ADD)
	list_read(v, &list);
	GPRS(TAKE)
}

static noinline bool set_regs(struct vcpu *v, const struct guests_regs *regs)
{
	struct list list = { .count = 0 };

	GPRS(ADD)
	return list_write(v, &list);
}

static void add_debug(struct list *list, const struct guests_debug *debug)
{
	list_add(list, REG(dr0), debug->dr[0]);
	list_add(list, REG(dr1), debug->dr[1]);
	list_add(list, REG(dr2), debug->dr[2]);
	list_add(list, REG(dr3), debug->dr[3]);
	list_add(list, REG(dr6), debug->dr6);
	list_add(list, REG(dr7), debug->dr7);
}

static noinline void get_debug(struct vcpu *v, struct guests_debug *debug)
{
	struct list list = { .count = 0 };

	*debug = (struct guests_debug){ .dr6 = DR6_RESET, .dr7 = DR7_RESET };
	add_debug(&list, debug);
	list_read(v, &list);
	for (unsigned int i = 0; i < 4; i++)
		debug->dr[i] = list.entry[i].value;
	debug->dr6 = list.entry[4].value;
	debug->dr7 = list.entry[5].value;
}

static noinline bool set_debug(struct vcpu *v, const struct guests_debug *debug)
{
	struct list list = { .count = 0 };

	add_debug(&list, debug);
	return list_write(v, &list);
}

static void get_events(struct vcpu *v, struct guests_events *events)
{
	*events = (struct guests_events){ .kind = v->event.kind,
					  .vector = v->event.vector,
					  .has_error = v->event.has_error,
					  .error = v->event.error,
					  .shadow = vendor->get_shadow(v),
					  .nmi_masked = vendor->get_nmi_masked(v) };
}

static void set_events(struct vcpu *v, const struct guests_events *events)
{
	v->event = (struct event){ .kind = events->kind,
				   .vector = events->vector,
				   .has_error = events->has_error && (vendor->get_cr0(v) & CR0_PE),
				   .error = events->error };
	vendor->set_shadow(v, events->shadow);
	/* An NMI masks others when it is delivered, and Intel's CPUs deliver no masked one. */
	vendor->set_nmi_masked(v, events->nmi_masked && events->kind != GUESTS_EVENT_NMI);
}

static void get_pdptes(struct vcpu *v, struct guests_pdptes *pdptes)
{
	*pdptes = (struct guests_pdptes){ .valid = !is_svm && !v->pdptes_due };
	for (unsigned int i = 0; i < 4 && pdptes->valid; i++)
		pdptes->entry[i] = vs_get(v->vsid, MK1_INTEL_pdpte0 + i);
}

/* On AMD, the CPU reads them from memory whenever it needs one. */
static bool set_pdptes(struct vcpu *v, const struct guests_pdptes *pdptes)
{
	for (unsigned int i = 0; i < 4 && !is_svm; i++) {
		if (mk1_vs_write(MK1_HANDLE, v->vsid, MK1_INTEL_pdpte0 + i, pdptes->entry[i]) !=
		    MK1_SUCCESS)
			return false;
	}
	v->pdptes_due = false;
	return true;
}

/* The microkernel copies it once before it looks at it. */
static bool get_xsave(struct vcpu *v)
{
	volatile struct guests_xsave *xsave = &v->page->xsave;

	xsave->features = guest_xsave.features;
	xsave->size = xstate_size();
	return xstate_read(v->vsid, (void *)xsave->area, xstate_size());
}

static bool set_xsave(struct vcpu *v)
{
	return xstate_write(v->vsid, (const void *)v->page->xsave.area, xstate_size());
}

static bool set_xcr0(struct vcpu *v, uint64_t value)
{
	return rules_xcr0(value, rules_xcr0_allowed(v->cpuid, v->nr_cpuid)) &&
	       mk1_vs_write(MK1_HANDLE, v->vsid, REG(xcr0), value) == MK1_SUCCESS;
}

/* The parts of the page that are registers, copied before somebody looks at them. */
struct state {
	struct guests_regs regs;
	struct guests_sregs sregs;
	struct guests_events events;
	struct guests_debug debug;
	struct guests_pdptes pdptes;
};

/* GET(part, member, function): that member of the page, if this part is asked for */
#define GET(part, member, function) \
	do { \
		if (parts & GUESTS_STATE_##part) { \
			function(v, &state.member); \
			bsl_memcpy((void *)&v->page->member, &state.member, sizeof(state.member)); \
		} \
	} while (0)

uint32_t vcpu_get_state(struct vcpu *v, uint64_t parts)
{
	struct state state;

	if ((parts & ~(uint64_t)GUESTS_STATE_ALL) ||
	    ((parts & GUESTS_STATE_XSAVE) && !get_xsave(v)))
		return GUESTS_BAD_VALUE;
	GET(REGS, regs, get_regs);
	GET(SREGS, sregs, vendor->get_sregs);
	GET(EVENTS, events, get_events);
	GET(DEBUG, debug, get_debug);
	GET(PDPTES, pdptes, get_pdptes);
	if (parts & GUESTS_STATE_XCR0)
		v->page->xsave.xcr0 = vs_get(v->vsid, REG(xcr0));
	if (parts & GUESTS_STATE_TSC)
		v->page->tsc_offset = vs_get(v->vsid, REG(tsc_offset));
	return GUESTS_OK;
}

static bool is_good(struct vcpu *v, const struct state *state, uint64_t parts)
{
	return !(parts & ~(uint64_t)GUESTS_STATE_ALL) &&
	       (!(parts & GUESTS_STATE_SREGS) || rules_sregs(&state->sregs, allowed_cr4(v))) &&
	       (!(parts & GUESTS_STATE_EVENTS) || rules_events(&state->events)) &&
	       (!(parts & GUESTS_STATE_DEBUG) || rules_debug(&state->debug)) &&
	       (!(parts & GUESTS_STATE_PDPTES) || rules_pdptes(&state->pdptes));
}

/* What is written part by part and then refused is the guest's alone: it runs so, or not at all. */
uint32_t vcpu_set_state(struct vcpu *v, uint64_t parts)
{
	const struct guests_page *page = (const struct guests_page *)v->page;
	struct state state;

	bsl_memcpy(&state.regs, &page->regs, sizeof(state.regs));
	bsl_memcpy(&state.sregs, &page->sregs, sizeof(state.sregs));
	bsl_memcpy(&state.events, &page->events, sizeof(state.events));
	bsl_memcpy(&state.debug, &page->debug, sizeof(state.debug));
	bsl_memcpy(&state.pdptes, &page->pdptes, sizeof(state.pdptes));
	state.regs.rflags |= RFLAGS_FIXED;
	if (!is_good(v, &state, parts))
		return GUESTS_BAD_VALUE;
	if (parts & (GUESTS_STATE_REGS | GUESTS_STATE_SREGS))
		v->emulating = false;
	if (parts & GUESTS_STATE_REGS) {
		/* It is of the instruction where RIP was; an interrupt or an NMI is not. */
		if (v->event.kind == EVENT_EXCEPTION)
			v->event.kind = EVENT_NONE;
		if (!set_regs(v, &state.regs))
			return GUESTS_BAD_VALUE;
	}
	if (((parts & GUESTS_STATE_SREGS) && !vendor->set_sregs(v, &state.sregs)) ||
	    ((parts & GUESTS_STATE_PDPTES) && !set_pdptes(v, &state.pdptes)) ||
	    ((parts & GUESTS_STATE_DEBUG) && !set_debug(v, &state.debug)) ||
	    ((parts & GUESTS_STATE_XSAVE) && !set_xsave(v)) ||
	    ((parts & GUESTS_STATE_XCR0) && !set_xcr0(v, v->page->xsave.xcr0)))
		return GUESTS_BAD_VALUE;
	if (parts & GUESTS_STATE_EVENTS)
		set_events(v, &state.events);
	if (parts & GUESTS_STATE_TSC)
		msr_set_tsc_offset(v, v->page->tsc_offset);
	return GUESTS_OK;
}

uint32_t vcpu_get_msrs(struct vcpu *v, uint64_t count, uint64_t *handled)
{
	uint64_t i;

	if (count > GUESTS_MAX_MSRS)
		return GUESTS_BAD_VALUE;
	for (i = 0; i < count; i++) {
		uint64_t msr = v->page->msrs[i].msr;
		uint64_t value;

		if (msr >> 32 || !msr_get(v, (uint32_t)msr, &value))
			break;
		v->page->msrs[i].value = value;
	}
	*handled = i;
	return GUESTS_OK;
}

uint32_t vcpu_set_msrs(struct vcpu *v, uint64_t count, uint64_t *handled)
{
	uint64_t i;

	if (count > GUESTS_MAX_MSRS)
		return GUESTS_BAD_VALUE;
	for (i = 0; i < count; i++) {
		uint64_t msr = v->page->msrs[i].msr;

		if (msr >> 32 || !msr_set(v, (uint32_t)msr, v->page->msrs[i].value))
			break;
	}
	*handled = i;
	return GUESTS_OK;
}

uint32_t vcpu_set_cpuid(struct vcpu *v, uint64_t count)
{
	if (count > GUESTS_MAX_CPUID)
		return GUESTS_BAD_VALUE;
	bsl_memcpy(v->cpuid, (const void *)v->page->cpuid, count * sizeof(v->cpuid[0]));
	v->nr_cpuid = (unsigned int)count;
	/* Which bits the guest owns may have changed. */
	vendor->set_cr4(v, vendor->get_cr4(v));
	return GUESTS_OK;
}

uint32_t vcpu_get_cpuid(struct vcpu *v)
{
	uint64_t cr4 = vendor->get_cr4(v);
	uint64_t xcr0 = vs_get(v->vsid, REG(xcr0));

	for (unsigned int i = 0; i < v->nr_cpuid; i++) {
		struct guests_cpuid entry = v->cpuid[i];

		rules_show_state(v->cpuid, v->nr_cpuid, cr4, xcr0, entry.leaf, entry.subleaf,
				 &entry);
		bsl_memcpy((void *)&v->page->cpuid[i], &entry, sizeof(entry));
	}
	return GUESTS_OK;
}

#define AT_RESET(rights) { .limit = 0xFFFF, .attrib = (rights) }

/* SDM vol. 3 table 10-1, APM vol. 2 table 14-1 */
const struct guests_sregs reset_sregs = {
	.cs = { .base = 0xFFFF0000, .limit = 0xFFFF, .selector = 0xF000, .attrib = 0x9B },
	.ds = AT_RESET(0x93),
	.es = AT_RESET(0x93),
	.fs = AT_RESET(0x93),
	.gs = AT_RESET(0x93),
	.ss = AT_RESET(0x93),
	.tr = AT_RESET(0x8B),
	.ldt = AT_RESET(0x82),
	.gdt = { .limit = 0xFFFF },
	.idt = { .limit = 0xFFFF },
	.cr0 = CR0_CD | CR0_NW | CR0_ET,
};

static bool reset(struct vcpu *v)
{
	const struct guests_regs regs = { .rip = 0xFFF0,
					  .rflags = RFLAGS_FIXED,
					  .rdx = RDX_AT_RESET };

	for (unsigned int i = 0; i < NR_DEVICE_PAGES; i++)
		v->device[i] = NO_PAGE;
	return nested_attach(v->vsid) && xstate_attach(v->vsid) && vendor->setup(v) &&
	       set_regs(v, &regs) && vendor->set_sregs(v, &reset_sregs) && msr_reset(v);
}

/* --- creation --------------------------------------------------------------------------------- */

static struct bsl_spinlock new_ones; /* while a page for one more is made */

/* The page for this id, made if there is none yet. NULL: no memory. */
static struct vcpu *get_page(uint64_t id)
{
	uint64_t va = 0;
	uint64_t spa;

	bsl_spin_lock(&new_ones);
	if (!vcpus[id] && mk1_mem_alloc_page(MK1_HANDLE, &va, &spa) == MK1_SUCCESS)
		__atomic_store_n(&vcpus[id], (struct vcpu *)va, __ATOMIC_RELEASE);
	bsl_spin_unlock(&new_ones);
	return vcpus[id];
}

/* A vCPU that nobody uses, claimed. */
static struct vcpu *find_free(uint64_t *id)
{
	for (*id = 0; *id < MAX_VCPUS; ++*id) {
		struct vcpu *v = get_page(*id);

		if (!v)
			return NULL;
		if (__atomic_exchange_n(&v->claimed, true, __ATOMIC_ACQUIRE))
			continue;
		if (!v->in_use)
			return v;
		vcpu_unclaim(v);
	}
	return NULL;
}

static void forget(struct vcpu *v)
{
	bsl_memset((uint8_t *)v, 0, offsetof(struct vcpu, claimed));
	bsl_memset(&v->in_use, 0, sizeof(*v) - offsetof(struct vcpu, in_use));
}

static uint32_t map_page(struct vcpu *v, uint64_t spa)
{
	uint64_t va;
	uint64_t status = mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, spa, &va);

	if (status != MK1_SUCCESS)
		return status == MK1_INVALID_INPUT_REG(2) ? GUESTS_DENIED : GUESTS_FULL;
	v->page_spa = spa;
	v->page = (volatile struct guests_page *)va;
	return GUESTS_OK;
}

static void unmap_page(struct vcpu *v)
{
	mk1_vm_unmap_direct_broadcast(MK1_HANDLE, MK1_ROOT_VMID, (uint64_t)v->page);
}

static uint32_t make_vs(struct vcpu *v)
{
	v->ppid = mk1_tls_ppid();
	if (mk1_vp_create_vp(MK1_HANDLE, v->vm->vmid, &v->vpid) != MK1_SUCCESS)
		return GUESTS_FULL;
	if (mk1_vs_create_vs(MK1_HANDLE, v->vpid, v->ppid, &v->vsid) != MK1_SUCCESS) {
		mk1_vp_destroy_vp(MK1_HANDLE, v->vpid);
		return GUESTS_FULL;
	}
	if (reset(v)) {
		/* Any PP may be the first to run it. */
		mk1_vs_clear(MK1_HANDLE, v->vsid);
		return GUESTS_OK;
	}
	mk1_vs_destroy_vs(MK1_HANDLE, v->vsid);
	mk1_vp_destroy_vp(MK1_HANDLE, v->vpid);
	return GUESTS_UNSUPPORTED;
}

uint32_t vcpu_make(struct vm *vm, uint64_t page_spa, uint64_t *id)
{
	struct vcpu *v = find_free(id);
	uint32_t status;

	if (!v)
		return GUESTS_FULL;
	forget(v);
	v->id = (uint16_t)*id;
	v->vm = vm;
	status = map_page(v, page_spa);
	if (status == GUESTS_OK) {
		status = make_vs(v);
		if (status != GUESTS_OK)
			unmap_page(v);
	}
	v->in_use = status == GUESTS_OK;
	vcpu_unclaim(v);
	return status;
}

uint32_t vcpu_unmake(struct vcpu *v)
{
	if (mk1_vs_destroy_vs(MK1_HANDLE, v->vsid) != MK1_SUCCESS)
		return GUESTS_BUSY;
	mk1_vp_destroy_vp(MK1_HANDLE, v->vpid);
	unmap_page(v);
	v->in_use = false;
	return GUESTS_OK;
}
