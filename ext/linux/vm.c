// SPDX-License-Identifier: MIT
/* A VM of the extension's own: see ext/libext/vm.h. */
#include <abi/mk1_regs_amd.h>
#include <bsl/paging.h>
#include <bsl/string.h>
#include <ext/libext/log.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/follow.h>
#include <ext/linux/vm.h>
#include <ext/linux/vmx.h>

/*
 * The VM whose guest is in this PP, while it is: the caller's may be on the stack, of which nothing
 * is in its place then.
 */
static __thread struct ext_vm in_turn;
static __thread bool running;

static bool failed(const char *what, uint64_t status)
{
	ext_log(EXT_ERROR, "no VM: %s: %s", what, mk1_status_name(status));
	return false;
}

/* --- memory ----------------------------------------------------------------------------------- */

/*
 * All of a VM is one piece: what is put aside of a stack, the nested table from its root down to as
 * many tables of the lowest level as it takes, the memory, the page tables of 64-bit mode.
 */
#define UPPER 3 /* tables above the lowest level: a nested table has 4 levels everywhere */
#define GUEST_TABLES 3
#define PTE_ALL (BSL_PTE_P | BSL_PTE_W | BSL_PTE_U) /* for EPT read, write, execute */

struct layout {
	uint64_t lowest; /* tables */
	uint64_t mapped; /* pages */
	uint64_t bytes;
};

static struct layout layout_of(uint64_t bytes)
{
	struct layout l = { .mapped = bytes / BF_PAGE_SIZE + GUEST_TABLES };

	l.lowest = (l.mapped + BSL_PT_ENTRIES - 1) / BSL_PT_ENTRIES;
	l.bytes = (VM_STACK_PAGES + UPPER + l.lowest + l.mapped) * BF_PAGE_SIZE;
	return l;
}

/* Returns the physical address of its root. */
static uint64_t make_nested(struct ext_vm *vm, const struct layout *l)
{
	uint64_t at = VM_STACK_PAGES * BF_PAGE_SIZE;
	uint64_t first = at + (UPPER + l->lowest) * BF_PAGE_SIZE;
	uint64_t *table = (uint64_t *)(vm->va + at);
	uint64_t leaf = PTE_ALL | (linux_is_on_amd() ? 0 : VMX_EPT_WB);

	for (unsigned int i = 0; i + 1 < UPPER; i++)
		table[i * BSL_PT_ENTRIES] = (vm->spa + at + (i + 1) * BF_PAGE_SIZE) | PTE_ALL;
	for (uint64_t i = 0; i < l->lowest; i++)
		table[(UPPER - 1) * BSL_PT_ENTRIES + i] =
			(vm->spa + at + (UPPER + i) * BF_PAGE_SIZE) | PTE_ALL;
	for (uint64_t i = 0; i < l->mapped; i++)
		table[UPPER * BSL_PT_ENTRIES + i] = (vm->spa + first + i * BF_PAGE_SIZE) | leaf;
	vm->memory = (uint8_t *)(vm->va + first);
	return vm->spa + at;
}

/* The first GiB in pages of 2 MiB; the guest may have overwritten what was there. */
static void make_guest_tables(struct ext_vm *vm)
{
	uint64_t *table = (uint64_t *)(vm->memory + vm->size);

	bsl_memset(table, 0, GUEST_TABLES * BF_PAGE_SIZE);
	for (unsigned int i = 0; i + 1 < GUEST_TABLES; i++)
		table[i * BSL_PT_ENTRIES] = (vm->size + (i + 1) * BF_PAGE_SIZE) | PTE_ALL;
	for (uint64_t i = 0; i < BSL_PT_ENTRIES; i++)
		table[(GUEST_TABLES - 1) * BSL_PT_ENTRIES + i] = i * BSL_LEVEL_SIZE(2) | PTE_ALL |
								 BSL_PTE_PS;
}

/* --- making and unmaking ---------------------------------------------------------------------- */

static mk1_vmexit_fn on_exit;

/* Each of them undoes what it has done before it fails. */

static bool make_vs(struct ext_vm *vm, uint64_t root)
{
	uint64_t features, size;
	uint64_t status;

	vm->ppid = mk1_tls_ppid();
	status = mk1_vs_create_vs(MK1_HANDLE, vm->vpid, vm->ppid, &vm->vsid);
	if (status != MK1_SUCCESS)
		return failed("vs_create_vs", status);
	status = mk2_vs_xsave_attach(MK2_HANDLE, vm->vsid, &features, &size);
	if (status != MK1_SUCCESS)
		(void)failed("vs_xsave_attach", status);
	else if (linux_is_on_amd() ? vm_svm_setup(vm, root) : vm_vmx_setup(vm, root))
		return true;
	mk1_vs_destroy_vs(MK1_HANDLE, vm->vsid);
	return false;
}

static bool make_vp(struct ext_vm *vm, uint64_t root)
{
	uint64_t status = mk1_vp_create_vp(MK1_HANDLE, vm->vmid, &vm->vpid);

	if (status != MK1_SUCCESS)
		return failed("vp_create_vp", status);
	if (make_vs(vm, root))
		return true;
	mk1_vp_destroy_vp(MK1_HANDLE, vm->vpid);
	return false;
}

static bool make_vm(struct ext_vm *vm, uint64_t root)
{
	uint64_t status = mk1_vm_create_vm(MK1_HANDLE, &vm->vmid);

	if (status != MK1_SUCCESS)
		return failed("vm_create_vm", status);
	status = mk2_vm_set_handler(MK2_HANDLE, vm->vmid, (uint64_t)on_exit);
	if (status != MK1_SUCCESS)
		(void)failed("vm_set_handler", status);
	else if (make_vp(vm, root))
		return true;
	mk1_vm_destroy_vm(MK1_HANDLE, vm->vmid);
	return false;
}

bool ext_vm_create(struct ext_vm *vm, uint64_t bytes)
{
	struct layout l;
	uint64_t status;

	if (!bytes || bytes % BF_PAGE_SIZE || bytes > EXT_VM_MEMORY_MAX) {
		ext_log(EXT_ERROR, "no VM: a size of 0x%llx", (unsigned long long)bytes);
		return false;
	}
	l = layout_of(bytes);
	*vm = (struct ext_vm){ .size = bytes };
	status = mk1_mem_alloc_huge(MK1_HANDLE, l.bytes, &vm->va, &vm->spa);
	if (status != MK1_SUCCESS)
		return failed("mem_alloc_huge (bfm start --huge)", status);
	vm->stack = (uint8_t *)vm->va;
	if (!make_vm(vm, make_nested(vm, &l))) {
		mk1_mem_free_huge(MK1_HANDLE, vm->va);
		return false;
	}
	if (ext_vm_reset(vm, EXT_VM_REAL, 0))
		return true;
	(void)ext_vm_destroy(vm); /* first what uses the memory */
	return false;
}

bool ext_vm_destroy(struct ext_vm *vm)
{
	uint64_t status = mk1_vs_destroy_vs(MK1_HANDLE, vm->vsid);

	if (status == MK1_SUCCESS)
		status = mk1_vp_destroy_vp(MK1_HANDLE, vm->vpid);
	if (status == MK1_SUCCESS)
		status = mk1_vm_destroy_vm(MK1_HANDLE, vm->vmid);
	if (status == MK1_SUCCESS)
		status = mk1_mem_free_huge(MK1_HANDLE, vm->va);
	*vm = (struct ext_vm){ .size = 0 };
	return status == MK1_SUCCESS || failed("it cannot be destroyed", status);
}

/* --- registers -------------------------------------------------------------------------------- */

struct value {
	uint16_t amd, intel;
	uint64_t value;
};

#define BOTH(name, value) { MK1_AMD_##name, MK1_INTEL_##name, (value) }
/* What is for Intel only has no number for AMD, and the other way round. */

/* As a VMCS has access rights; a VMCB has bits 15:12 at 11:8. */
#define AR_DATA (VMX_AR_PRESENT | VMX_AR_CODE_OR_DATA | VMX_AR_ACCESSED | SEG_ATTRIB_RW)
#define AR_CODE (AR_DATA | SEG_ATTRIB_CODE)
#define AR_TSS (VMX_AR_PRESENT | SEG_ATTRIB_CODE | VMX_AR_ACCESSED | VMX_AR_BUSY)

static bool write_values(struct ext_vm *vm, const struct value *values, uint64_t count)
{
	struct mk2_list_entry list[MK2_LIST_MAX];
	uint64_t done;

	for (uint64_t i = 0; i < count; i++)
		list[i] = (struct mk2_list_entry){ linux_is_on_amd() ? values[i].amd :
								       values[i].intel,
						   values[i].value };
	return mk2_vs_write_list(MK2_HANDLE, vm->vsid, (uint64_t)list, count, &done) == MK1_SUCCESS;
}

#define NR_VALUES(values) (sizeof(values) / sizeof((values)[0]))

/* attrib is a VMCS's. */
#define SEGMENT(name, select, attrib, length) \
	BOTH(name##_selector, select), BOTH(name##_base, 0), BOTH(name##_limit, length), \
	{ \
		MK1_AMD_##name##_attrib, MK1_INTEL_##name##_attrib, \
			on_amd ? ((attrib) & 0xFF) | ((attrib) >> 4 & 0xF00) : (attrib) \
	}

static bool write_segments(struct ext_vm *vm, enum ext_vm_mode mode)
{
	const bool on_amd = linux_is_on_amd(), real = mode == EXT_VM_REAL;
	const uint64_t limit = real ? 0xFFFF : 0xFFFFFFFF;
	const uint64_t data = real ? AR_DATA : AR_DATA | VMX_AR_DB | VMX_AR_G;
	const uint64_t code = real                ? AR_CODE :
			      mode == EXT_VM_LONG ? AR_CODE | VMX_AR_L | VMX_AR_G :
						    AR_CODE | VMX_AR_DB | VMX_AR_G;
	const uint64_t ldtr = on_amd ? 0 : VMX_AR_UNUSABLE;
	const uint64_t cs = real ? 0 : 0x8, ds = real ? 0 : 0x10;
	const struct value values[] = {
		SEGMENT(cs, cs, code, limit), SEGMENT(ss, ds, data, limit),
		SEGMENT(ds, ds, data, limit), SEGMENT(es, ds, data, limit),
		SEGMENT(fs, ds, data, limit), SEGMENT(gs, ds, data, limit),
		SEGMENT(ldtr, 0, ldtr, 0),    SEGMENT(tr, 0, AR_TSS, 0x67),
		BOTH(gdtr_base, 0),           BOTH(gdtr_limit, 0),
		BOTH(idtr_base, 0),           BOTH(idtr_limit, real ? 0x3FF : 0),
	};

	return write_values(vm, values, NR_VALUES(values));
}

static bool write_control(struct ext_vm *vm, enum ext_vm_mode mode)
{
	const bool is_long = mode == EXT_VM_LONG;
	const uint64_t cr0 = CR0_ET | CR0_NE | (mode == EXT_VM_REAL ? 0 : CR0_PE) |
			     (is_long ? CR0_WP | CR0_PG : 0);
	/* Without CR4.MCE a machine check would shut the machine down. */
	const uint64_t cr4 = CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT |
			     (is_long ? (uint64_t)CR4_PAE : 0);
	const struct value values[] = {
		BOTH(cr2, 0),         BOTH(cr3, is_long ? vm->size : 0),
		BOTH(cr8, 0),         BOTH(efer, is_long ? EFER_LME | EFER_LMA : 0),
		BOTH(dr6, DR6_RESET), BOTH(dr7, DR7_RESET),
	};

	if (linux_is_on_amd())
		vm_svm_reset(vm, cr0, cr4);
	else
		vm_vmx_reset(vm, cr0, cr4);
	return write_values(vm, values, NR_VALUES(values));
}

#define REG_VALUE(name) BOTH(name, vm->regs.name),
#define REG_TAKE(name) vm->regs.name = (e++)->value;

static bool write_regs(struct ext_vm *vm)
{
	const struct value values[] = { EXT_VM_REGS(REG_VALUE) };

	return write_values(vm, values, NR_VALUES(values));
}

static void read_regs(struct ext_vm *vm)
{
	const struct value values[] = { EXT_VM_REGS(REG_VALUE) };
	struct mk2_list_entry list[NR_VALUES(values)];
	const struct mk2_list_entry *e = list;
	uint64_t done;

	for (uint64_t i = 0; i < NR_VALUES(values); i++)
		list[i].reg = linux_is_on_amd() ? values[i].amd : values[i].intel;
	if (mk2_vs_read_list(MK2_HANDLE, vm->vsid, (uint64_t)list, NR_VALUES(values), &done) !=
	    MK1_SUCCESS)
		give_up("the registers of a VM cannot be read", vm->vsid, done);
	EXT_VM_REGS(REG_TAKE)
}

/* --- turns ------------------------------------------------------------------------------------ */

/* From here to let_go the VS is this PP's; no other one has anything of it in its caches. */
static uint64_t take(struct ext_vm *vm)
{
	uint64_t status = MK1_SUCCESS;

	if (vm->ppid != mk1_tls_ppid())
		status = mk1_vs_migrate(MK1_HANDLE, vm->vsid, mk1_tls_ppid());
	if (status == MK1_SUCCESS)
		vm->ppid = mk1_tls_ppid();
	return status;
}

static void let_go(struct ext_vm *vm)
{
	mk1_vs_clear(MK1_HANDLE, vm->vsid);
}

bool ext_vm_reset(struct ext_vm *vm, enum ext_vm_mode mode, uint64_t rip)
{
	uint64_t status = take(vm);
	bool done;

	if (status != MK1_SUCCESS)
		return failed("vs_migrate", status);
	if (mode == EXT_VM_LONG)
		make_guest_tables(vm);
	vm->regs = (struct ext_vm_regs){
		.rip = rip,
		.rsp = mode == EXT_VM_REAL && vm->size > 0xFFF0 ? 0xFFF0 : vm->size,
		.rflags = RFLAGS_FIXED,
	};
	done = write_segments(vm, mode) && write_control(vm, mode) && write_regs(vm);
	let_go(vm);
	return done || failed("the microkernel refuses the registers", MK1_FAILURE_UNKNOWN);
}

static void refuse(struct ext_vm *vm, uint64_t status)
{
	vm->exit.kind = EXT_VM_REFUSED;
	vm->exit.reason = status;
}

void vm_enter(struct ext_vm *vm)
{
	uint64_t status;

	vm->linux_vpid = mk1_tls_vpid();
	vm->linux_vsid = mk1_tls_vsid();
	running = true;
	status = mk1_vs_run(MK1_HANDLE, vm->vmid, vm->vpid, vm->vsid);
	running = false;
	refuse(vm, status);
}

static void back_to_linux(struct ext_vm *vm, bool advance)
{
	uint64_t status = advance ?
				  mk1_vs_advance_ip_and_set_active(MK1_HANDLE, MK1_ROOT_VMID,
								   vm->linux_vpid, vm->linux_vsid) :
				  mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vm->linux_vpid,
						    vm->linux_vsid);

	running = false;
	if (status != MK1_SUCCESS)
		give_up("Linux cannot go on after a turn of a VM", vm->linux_vsid, status);
}

/* The callback for exits of VMs. */
static void on_exit(uint64_t vsid, uint64_t reason)
{
	struct ext_vm *vm = &in_turn;
	bool advance;

	if (!running)
		give_up("an exit of a VM that does not run", vsid, reason);
	vm->exit.reason = reason;
	advance = linux_is_on_amd() ? vm_svm_exit(vm, reason) : vm_vmx_exit(vm, reason);
	back_to_linux(vm, advance);
	/* The signal is gone: Linux's CPU is to be reset, whatever was asked for there. */
	if (!linux_is_on_amd() && reason == VMX_EXIT_INIT && !follow_is_one())
		linux_vmexit()(vm->linux_vsid, reason);
	vm_back(vm);
}

void ext_vm_run(struct ext_vm *vm, struct ext_vm_exit *exit)
{
	uint64_t status = take(vm);

	vm->exit = (struct ext_vm_exit){ .kind = EXT_VM_REFUSED };
	if (status != MK1_SUCCESS) {
		refuse(vm, status);
	} else if (!write_regs(vm)) {
		refuse(vm, MK1_FAILURE_UNKNOWN);
		let_go(vm);
	} else {
		in_turn = *vm;
		vm_leave(&in_turn);
		*vm = in_turn;
		read_regs(vm);
		let_go(vm);
	}
	*exit = vm->exit;
}

void ext_vm_input(struct ext_vm *vm, const struct ext_vm_exit *exit, uint32_t value)
{
	uint64_t mask = exit->size < 4 ? ((uint64_t)1 << 8 * exit->size) - 1 : ~(uint64_t)0;

	vm->regs.rax = (vm->regs.rax & ~mask) | (value & mask);
}
