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

/* The microkernel copies it once before it looks at it. */
static bool get_xsave(struct vcpu *v)
{
	volatile struct guests_xsave *xsave = &v->page->xsave;

	xsave->xcr0 = vs_get(v->vsid, REG(xcr0));
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

uint32_t vcpu_get_state(struct vcpu *v, uint64_t parts)
{
	struct guests_regs regs;
	struct guests_sregs sregs;

	if ((parts & ~(uint64_t)GUESTS_STATE_XSAVE) ||
	    ((parts & GUESTS_STATE_XSAVE) && !get_xsave(v)))
		return GUESTS_BAD_VALUE;
	get_regs(v, &regs);
	vendor->get_sregs(v, &sregs);
	bsl_memcpy((void *)&v->page->regs, &regs, sizeof(regs));
	bsl_memcpy((void *)&v->page->sregs, &sregs, sizeof(sregs));
	return GUESTS_OK;
}

static noinline bool set_regs(struct vcpu *v, const struct guests_regs *regs)
{
	struct list list = { .count = 0 };

	GPRS(ADD)
	return list_write(v, &list);
}

#define STATE_PARTS \
	(GUESTS_STATE_REGS | GUESTS_STATE_SREGS | GUESTS_STATE_XSAVE | GUESTS_STATE_XCR0)

/* What is written part by part and then refused is the guest's alone: it runs so, or not at all. */
uint32_t vcpu_set_state(struct vcpu *v, uint64_t parts)
{
	struct guests_regs regs;
	struct guests_sregs sregs;

	bsl_memcpy(&regs, (const void *)&v->page->regs, sizeof(regs));
	bsl_memcpy(&sregs, (const void *)&v->page->sregs, sizeof(sregs));
	regs.rflags |= RFLAGS_FIXED;
	if ((parts & ~(uint64_t)STATE_PARTS) ||
	    ((parts & GUESTS_STATE_SREGS) && !rules_sregs(&sregs, allowed_cr4(v))))
		return GUESTS_BAD_VALUE;
	v->emulating = false;
	if (parts & GUESTS_STATE_REGS) {
		v->event.kind = EVENT_NONE;
		if (!set_regs(v, &regs))
			return GUESTS_BAD_VALUE;
	}
	if ((parts & GUESTS_STATE_SREGS) && !vendor->set_sregs(v, &sregs))
		return GUESTS_BAD_VALUE;
	if ((parts & GUESTS_STATE_XSAVE) && !set_xsave(v))
		return GUESTS_BAD_VALUE;
	if ((parts & GUESTS_STATE_XCR0) && !set_xcr0(v, v->page->xsave.xcr0))
		return GUESTS_BAD_VALUE;
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

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static bool reset(struct vcpu *v)
{
	const struct guests_regs regs = { .rip = 0xFFF0,
					  .rflags = RFLAGS_FIXED,
					  .rdx = RDX_AT_RESET };

	for (unsigned int i = 0; i < NR_DEVICE_PAGES; i++)
		v->device[i] = NO_PAGE;
	return nested_attach(v->vsid) && xstate_attach(v->vsid) && vendor->setup(v) &&
	       set_regs(v, &regs) && vendor->set_sregs(v, &reset_sregs) &&
	       mk1_vs_write(MK1_HANDLE, v->vsid, REG(tsc_offset), -read_tsc()) == MK1_SUCCESS;
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
