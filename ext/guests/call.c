// SPDX-License-Identifier: MIT
/* The calls of the module: abi/guests.h. */
#include <bsl/string.h>
#include <ext/guests/call.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/cpuid.h>

#define EXTENDED 0x80000000

/*
 * What a call may take in addition to the watchdog's limit. Each of its many syscalls may wait for
 * a lock, and for other PPs: in a virtual machine, these do not always run.
 */
#define CALL_NS 3000000000

static struct vm vms[MAX_VMS];
static struct bsl_spinlock objects; /* of VMs and vCPUs that come and go */
static uint64_t instance;

/* A call: what it says, and what it is answered. */
struct call {
	uint64_t rsi, rdi, r8, r9;
	uint64_t out[3]; /* RDX, RSI, RDI */
};

/* --- memory of the hypervisor ----------------------------------------------------------------- */

/*
 * Pages for the tables that a donation takes, which cannot come from it: kept for when the pool has
 * no others left.
 */
#define NR_RESERVED 16

static struct bsl_spinlock reserve_lock;
static uint64_t reserve[NR_RESERVED]; /* 0: none */

static void fill_reserve(void)
{
	uint64_t spa;

	for (unsigned int i = 0; i < NR_RESERVED; i++) {
		if (!reserve[i] && mk1_mem_alloc_page(MK1_HANDLE, &reserve[i], &spa) != MK1_SUCCESS)
			reserve[i] = 0;
	}
}

static void empty_reserve(void)
{
	for (unsigned int i = 0; i < NR_RESERVED; i++) {
		if (reserve[i])
			mk1_mem_free_page(MK1_HANDLE, reserve[i]);
		reserve[i] = 0;
	}
}

void calls_begin(void)
{
	uint32_t low, high;

	/* No two starts of a machine see the same time. */
	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	instance = ((uint64_t)high << 32 | low) | 1;
	fill_reserve();
}

static struct vm *find_vm(uint64_t id)
{
	return id < MAX_VMS && vms[id].in_use ? &vms[id] : NULL;
}

/* A VM that stays until vm_put; NULL: there is none. */
static struct vm *vm_get(uint64_t id)
{
	struct vm *vm;

	bsl_spin_lock(&objects);
	vm = find_vm(id);
	if (vm)
		vm->users++;
	bsl_spin_unlock(&objects);
	return vm;
}

static void vm_put(struct vm *vm)
{
	bsl_spin_lock(&objects);
	vm->users--;
	bsl_spin_unlock(&objects);
}

/* --- the machine ------------------------------------------------------------------------------ */

static uint32_t op_info(struct call *call)
{
	call->out[0] = instance;
	call->out[1] = GUESTS_VERSION;
	return vendor ? GUESTS_OK : GUESTS_UNSUPPORTED;
}

static uint32_t op_cpuid(struct call *call)
{
	uint32_t leaf = (uint32_t)call->rsi;
	uint32_t subleaf = (uint32_t)call->rdi;
	struct cpuid_regs cpu = { 0, 0, 0, 0 };
	struct guests_cpuid regs;

	if (leaf <= cpuid(leaf & EXTENDED, 0).eax)
		cpu = cpuid(leaf, subleaf);
	regs = (struct guests_cpuid){
		.leaf = leaf, .eax = cpu.eax, .ebx = cpu.ebx, .ecx = cpu.ecx, .edx = cpu.edx
	};
	rules_cpuid(leaf, subleaf, &regs);
	call->out[0] = (uint64_t)regs.ebx << 32 | regs.eax;
	call->out[1] = (uint64_t)regs.edx << 32 | regs.ecx;
	return GUESTS_OK;
}

/* --- VMs -------------------------------------------------------------------------------------- */

static uint32_t create_vm(struct vm *vm)
{
	if (mk1_vm_create_vm(MK1_HANDLE, &vm->vmid) != MK1_SUCCESS)
		return GUESTS_FULL;
	if (mk2_vm_set_handler(MK2_HANDLE, vm->vmid, (uint64_t)guest_vmexit) != MK1_SUCCESS) {
		mk1_vm_destroy_vm(MK1_HANDLE, vm->vmid);
		return GUESTS_UNSUPPORTED;
	}
	vm->users = 0;
	vm->has_tsc = false;
	vm->in_use = true;
	return GUESTS_OK;
}

static uint32_t op_vm_create(struct call *call)
{
	uint32_t status = GUESTS_FULL;

	bsl_spin_lock(&objects);
	for (uint64_t id = 0; id < MAX_VMS; id++) {
		if (vms[id].in_use)
			continue;
		status = create_vm(&vms[id]);
		call->out[0] = id;
		break;
	}
	bsl_spin_unlock(&objects);
	return status;
}

static uint32_t op_vm_destroy(struct call *call)
{
	uint32_t status = GUESTS_BAD_ID;
	struct vm *vm;

	bsl_spin_lock(&objects);
	vm = find_vm(call->rsi);
	if (vm && vm->users) {
		status = GUESTS_BUSY;
	} else if (vm) {
		/* It fails if a CPU does not answer, which may still have pages of it. */
		vm->in_use = mk1_vm_destroy_vm(MK1_HANDLE, vm->vmid) != MK1_SUCCESS;
		status = vm->in_use ? GUESTS_BUSY : GUESTS_OK;
	}
	bsl_spin_unlock(&objects);
	return status;
}

static bool is_large_page(uint64_t address)
{
	return !(address & (GUESTS_LARGE_SIZE - 1));
}

static bool is_page(uint64_t address, unsigned int bits)
{
	return !(address & BF_PAGE_MASK) && !(address >> bits);
}

static uint32_t op_map(struct call *call)
{
	bool write = call->r9 & GUESTS_MAP_WRITE, large = call->r9 & GUESTS_MAP_LARGE;
	struct vm *vm;
	uint32_t status;

	if (!is_page(call->rdi, GUESTS_GPA_BITS) ||
	    (call->r9 & ~(uint64_t)(GUESTS_MAP_WRITE | GUESTS_MAP_LARGE)))
		return GUESTS_BAD_VALUE;
	if (!call->r8 || (call->r8 & BF_PAGE_MASK) || call->r8 >= MK1_SPA_LIMIT)
		return GUESTS_BAD_VALUE;
	if (large && !(is_large_page(call->rdi) && is_large_page(call->r8)))
		return GUESTS_BAD_VALUE;
	vm = vm_get(call->rsi);
	if (!vm)
		return GUESTS_BAD_ID;
	status = nested_map(vm->vmid, call->rdi, call->r8, write, large);
	vm_put(vm);
	return status;
}

static uint32_t op_unmap(struct call *call)
{
	uint32_t status = GUESTS_BAD_VALUE;
	uint64_t generation;
	struct vm *vm;

	if (!is_page(call->rdi, GUESTS_GPA_BITS) || !call->r8 || call->r8 > GUESTS_MAX_UNMAP)
		return GUESTS_BAD_VALUE;
	vm = vm_get(call->rsi);
	if (!vm)
		return GUESTS_BAD_ID;
	if (nested_unmap(vm->vmid, call->rdi, call->r8, &generation)) {
		memory_settle(vm);
		status = nested_flush(vm->vmid, generation);
	}
	vm_put(vm);
	return status;
}

static uint32_t op_donate(struct call *call)
{
	uint64_t status;

	bsl_spin_lock(&reserve_lock);
	empty_reserve();
	status = mk2_mem_donate(MK2_HANDLE, call->rsi, call->rdi);
	fill_reserve();
	bsl_spin_unlock(&reserve_lock);
	switch (status) {
	case MK1_SUCCESS:
		return GUESTS_OK;
	case MK2_FAILURE_NO_MEMORY:
		return GUESTS_FULL;
	case MK1_FAILURE_UNSUPPORTED:
		return GUESTS_UNSUPPORTED;
	case MK1_INVALID_PERM_DENIED:
		return GUESTS_DENIED;
	default:
		return GUESTS_BAD_VALUE;
	}
}

/* --- vCPUs ------------------------------------------------------------------------------------ */

static uint32_t op_vcpu_create(struct call *call)
{
	struct vm *vm;
	uint32_t status;

	if (!call->rdi || (call->rdi & BF_PAGE_MASK) || call->rdi >= MK1_SPA_LIMIT)
		return GUESTS_BAD_VALUE;
	vm = vm_get(call->rsi);
	if (!vm)
		return GUESTS_BAD_ID;
	status = vcpu_make(vm, call->rdi, &call->out[0]);
	if (status != GUESTS_OK)
		vm_put(vm); /* otherwise when the vCPU goes */
	return status;
}

static uint32_t op_vcpu_destroy(struct call *call)
{
	uint32_t status;
	struct vcpu *v = vcpu_claim(call->rsi, &status, &call->out[0]);
	struct vm *vm;

	if (!v)
		return status;
	vm = v->vm;
	status = vcpu_unmake(v);
	vcpu_unclaim(v);
	if (status == GUESTS_OK)
		vm_put(vm);
	return status;
}

static uint32_t op_vcpu_release(struct call *call)
{
	uint32_t status;
	struct vcpu *v = vcpu_claim_anywhere(call->rsi, &status);

	if (!v)
		return status;
	if (v->ppid == mk1_tls_ppid())
		mk1_vs_clear(MK1_HANDLE, v->vsid);
	vcpu_unclaim(v);
	return GUESTS_OK;
}

static uint32_t op_state_get(struct call *call)
{
	uint32_t status;
	struct vcpu *v = vcpu_claim(call->rsi, &status, &call->out[0]);

	if (!v)
		return status;
	status = vcpu_get_state(v, call->rdi);
	vcpu_unclaim(v);
	return status;
}

static uint32_t op_state_set(struct call *call)
{
	uint32_t status;
	struct vcpu *v = vcpu_claim(call->rsi, &status, &call->out[0]);

	if (!v)
		return status;
	status = vcpu_set_state(v, call->rdi);
	vcpu_unclaim(v);
	return status;
}

static uint32_t op_cpuid_set(struct call *call)
{
	uint32_t status;
	struct vcpu *v = vcpu_claim(call->rsi, &status, &call->out[0]);

	if (!v)
		return status;
	status = vcpu_set_cpuid(v, call->rdi);
	vcpu_unclaim(v);
	return status;
}

static uint32_t op_cpuid_get(struct call *call)
{
	uint32_t status;
	struct vcpu *v = vcpu_claim(call->rsi, &status, &call->out[0]);

	if (!v)
		return status;
	status = vcpu_get_cpuid(v);
	vcpu_unclaim(v);
	return status;
}

static uint32_t op_msr_list(struct call *call)
{
	uint32_t msr;

	if (!msr_list(call->rsi, &msr))
		return GUESTS_BAD_VALUE;
	call->out[0] = msr;
	return GUESTS_OK;
}

static uint32_t op_msrs(struct call *call,
			uint32_t (*function)(struct vcpu *v, uint64_t count, uint64_t *handled))
{
	uint32_t status;
	struct vcpu *v = vcpu_claim(call->rsi, &status, &call->out[0]);

	if (!v)
		return status;
	status = function(v, call->rdi, &call->out[0]);
	vcpu_unclaim(v);
	return status;
}

static uint32_t op_msrs_get(struct call *call)
{
	return op_msrs(call, vcpu_get_msrs);
}

static uint32_t op_msrs_set(struct call *call)
{
	return op_msrs(call, vcpu_set_msrs);
}

/* Comes back only if there is nothing to enter. */
static uint32_t op_run(struct call *call)
{
	uint32_t status;
	struct vcpu *v = vcpu_claim(call->rsi, &status, &call->out[0]);

	if (!v)
		return status;
	bsl_memcpy(&v->entry, (const void *)&v->page->entry, sizeof(v->entry));
	if (v->io.active && v->io.string)
		bsl_memcpy(v->io.data, (const void *)v->page->io, v->io.count * v->io.size);
	status = run_guest(v);
	vcpu_unclaim(v);
	return status;
}

static uint32_t (*const ops[GUESTS_NR_OPS])(struct call *call) = {
	[GUESTS_INFO] = op_info,
	[GUESTS_CPUID] = op_cpuid,
	[GUESTS_VM_CREATE] = op_vm_create,
	[GUESTS_VM_DESTROY] = op_vm_destroy,
	[GUESTS_MAP] = op_map,
	[GUESTS_UNMAP] = op_unmap,
	[GUESTS_VCPU_CREATE] = op_vcpu_create,
	[GUESTS_VCPU_DESTROY] = op_vcpu_destroy,
	[GUESTS_VCPU_RELEASE] = op_vcpu_release,
	[GUESTS_STATE_GET] = op_state_get,
	[GUESTS_STATE_SET] = op_state_set,
	[GUESTS_CPUID_SET] = op_cpuid_set,
	[GUESTS_DONATE] = op_donate,
	[GUESTS_RUN] = op_run,
	[GUESTS_MSR_LIST] = op_msr_list,
	[GUESTS_MSRS_GET] = op_msrs_get,
	[GUESTS_MSRS_SET] = op_msrs_set,
	[GUESTS_CPUID_GET] = op_cpuid_get,
};

void answer_call(uint64_t vsid)
{
	uint64_t op = mk1_rax() & ~GUESTS_CALL_MASK;
	struct call call = { mk1_rsi(), mk1_rdi(), mk1_r8(), mk1_r9(), { 0, 0, 0 } };
	uint32_t status = GUESTS_BAD_CALL;

	if (op != GUESTS_RUN)
		ext_more_time(CALL_NS);
	if (op == GUESTS_INFO || (op < GUESTS_NR_OPS && mk1_rdx() == instance && vendor))
		status = ops[op](&call);
	mk1_set_rax(GUESTS_CALL | status);
	mk1_set_rdx(call.out[0]);
	mk1_set_rsi(call.out[1]);
	mk1_set_rdi(call.out[2]);
	resume_next(vsid);
}
