// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which tries the rules for VMs, VPs, VSs and memory: those that are in ECX
 * of a CPUID with EAX = OBJECTS_LEAF. The answer is how many checks failed in EAX, how many held in
 * EBX.
 */
#include <ext/linux/cpuid.h>

#include "test/ext/lib/hooks.h"
#include "test/ext/lib/pools.h"
#include "test/ext/lib/verify.h"

#define OBJECTS_LEAF 0x4000F0B1

#define REG1 MK1_INVALID_INPUT_REG(1)
#define REG2 MK1_INVALID_INPUT_REG(2)
#define REG3 MK1_INVALID_INPUT_REG(3)

#define ROM 0xF0000 /* the firmware's: nobody writes there, and it is not the hypervisor's */
#define NO_ID 0x7FFF

static uint64_t linux_vpid, linux_vsid;

static uint64_t reg(uint64_t amd, uint64_t intel)
{
	return is_svm ? amd : intel;
}

static uint64_t new_vm(void)
{
	uint64_t id = NO_ID;

	VERIFY_STATUS(mk1_vm_create_vm(MK1_HANDLE, &id), MK1_SUCCESS);
	return id;
}

static uint64_t new_vp(uint64_t vmid)
{
	uint64_t id = NO_ID;

	VERIFY_STATUS(mk1_vp_create_vp(MK1_HANDLE, vmid, &id), MK1_SUCCESS);
	return id;
}

static uint64_t new_vs(uint64_t vpid)
{
	uint64_t id = NO_ID;

	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, vpid, mk1_tls_ppid(), &id), MK1_SUCCESS);
	return id;
}

static uint64_t destroy_vm(uint64_t id)
{
	return mk1_vm_destroy_vm(MK1_HANDLE, id);
}

static uint64_t destroy_vp(uint64_t id)
{
	return mk1_vp_destroy_vp(MK1_HANDLE, id);
}

static uint64_t destroy_vs(uint64_t id)
{
	return mk1_vs_destroy_vs(MK1_HANDLE, id);
}

static uint64_t activate(uint64_t vmid, uint64_t vpid, uint64_t vsid)
{
	return mk1_vs_set_active(MK1_HANDLE, vmid, vpid, vsid);
}

static void activate_linux(void)
{
	VERIFY_STATUS(activate(MK1_ROOT_VMID, linux_vpid, linux_vsid), MK1_SUCCESS);
}

/* --- ids: lowest first, and again when they are free ------------------------------------------ */

static void ids(void)
{
	uint64_t vm[3], vp[3], vs[3];

	for (unsigned int i = 0; i < 3; i++) {
		vm[i] = new_vm();
		vp[i] = new_vp(vm[0]);
		vs[i] = new_vs(vp[0]);
	}
	VERIFY(vm[0] == 1 && vm[1] == 2 && vm[2] == 3);
	VERIFY(vp[0] < vp[1] && vp[1] < vp[2]);
	VERIFY(vs[0] < vs[1] && vs[1] < vs[2]);
	VERIFY_STATUS(destroy_vm(vm[1]), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vp(vp[1]), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vs(vs[1]), MK1_SUCCESS);
	VERIFY(new_vm() == vm[1]);
	VERIFY(new_vp(vm[1]) == vp[1]); /* of another VM than before */
	VERIFY(new_vs(vp[1]) == vs[1]);
	for (unsigned int i = 0; i < 3; i++)
		VERIFY_STATUS(destroy_vs(vs[i]), MK1_SUCCESS);
	for (unsigned int i = 0; i < 3; i++)
		VERIFY_STATUS(destroy_vp(vp[i]), MK1_SUCCESS);
	for (unsigned int i = 0; i < 3; i++)
		VERIFY_STATUS(destroy_vm(vm[i]), MK1_SUCCESS);
}

/* --- what has children is not destroyed, what is not there is refused ------------------------- */

static void order(void)
{
	uint64_t vm = new_vm(), vp = new_vp(vm), vs = new_vs(vp), unused;

	VERIFY_STATUS(destroy_vm(vm), REG1);
	VERIFY_STATUS(destroy_vp(vp), REG1);
	VERIFY_STATUS(destroy_vs(vs), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vs(vs), REG1);
	VERIFY_STATUS(destroy_vm(vm), REG1);
	VERIFY_STATUS(destroy_vp(vp), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vp(vp), REG1);
	VERIFY_STATUS(destroy_vm(vm), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vm(vm), REG1);
	VERIFY_STATUS(destroy_vm(MK1_ROOT_VMID), REG1);
	VERIFY_STATUS(mk1_vp_create_vp(MK1_HANDLE, vm, &unused), REG1);
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, vp, mk1_tls_ppid(), &unused), REG1);
	for (uint64_t id = NO_ID; id <= MK1_INVALID_ID; id += MK1_INVALID_ID - NO_ID) {
		VERIFY_STATUS(destroy_vm(id), REG1);
		VERIFY_STATUS(destroy_vp(id), REG1);
		VERIFY_STATUS(destroy_vs(id), REG1);
		VERIFY_STATUS(mk1_vp_create_vp(MK1_HANDLE, id, &unused), REG1);
		VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, id, mk1_tls_ppid(), &unused), REG1);
		VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, linux_vpid, id, &unused), REG2);
		VERIFY_STATUS(mk1_vs_init_as_root(MK1_HANDLE, id), REG1);
		VERIFY_STATUS(mk1_vs_clear(MK1_HANDLE, id), REG1);
		VERIFY_STATUS(mk1_vs_promote(MK1_HANDLE, id), REG1);
		VERIFY_STATUS(mk1_vs_tlb_flush(MK1_HANDLE, id, 0), REG1);
		VERIFY_STATUS(mk1_vm_tlb_flush(MK1_HANDLE, id), REG1);
	}
	/* Linux runs: what it was launched with is stale, and only it can be promoted. */
	vp = new_vp(MK1_ROOT_VMID);
	vs = new_vs(vp);
	VERIFY_STATUS(mk1_vs_init_as_root(MK1_HANDLE, vs), REG1);
	VERIFY_STATUS(mk1_vs_init_as_root(MK1_HANDLE, linux_vsid), REG1);
	VERIFY_STATUS(mk1_vs_promote(MK1_HANDLE, vs), REG1);
	VERIFY_STATUS(destroy_vs(vs), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vp(vp), MK1_SUCCESS);
}

/* --- what is active stays --------------------------------------------------------------------- */

static void active(void)
{
	uint64_t vm = new_vm(), vp = new_vp(vm), vs = new_vs(vp);

	VERIFY_STATUS(activate(NO_ID, vp, vs), REG1);
	VERIFY_STATUS(activate(MK1_ROOT_VMID, vp, vs), REG2);
	VERIFY_STATUS(activate(vm, NO_ID, vs), REG2);
	VERIFY_STATUS(activate(vm, linux_vpid, vs), REG2);
	VERIFY_STATUS(activate(vm, vp, linux_vsid), REG3);
	VERIFY_STATUS(activate(vm, vp, NO_ID), REG3);
	VERIFY_STATUS(mk1_vs_run(MK1_HANDLE, vm, vp, linux_vsid), REG3);
	VERIFY_STATUS(mk1_vs_advance_ip_and_run(MK1_HANDLE, vm, linux_vpid, vs), REG2);
	VERIFY_STATUS(mk1_vs_advance_ip_and_set_active(MK1_HANDLE, NO_ID, vp, vs), REG1);
	VERIFY(mk1_tls_vmid() == MK1_ROOT_VMID && mk1_tls_vpid() == linux_vpid &&
	       mk1_tls_vsid() == linux_vsid);

	VERIFY_STATUS(activate(vm, vp, vs), MK1_SUCCESS);
	VERIFY(mk1_tls_vmid() == vm && mk1_tls_vpid() == vp && mk1_tls_vsid() == vs);
	VERIFY_STATUS(destroy_vs(vs), REG1);
	VERIFY_STATUS(destroy_vp(vp), REG1);
	VERIFY_STATUS(destroy_vm(vm), REG1);
	VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, vs, MK1_BOOTSTRAP_PPID), REG1);
	/* Linux's VS is not active now, but nobody takes it away. */
	VERIFY_STATUS(destroy_vs(linux_vsid), REG1);
	VERIFY_STATUS(destroy_vp(linux_vpid), REG1);
	VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, linux_vsid, MK1_BOOTSTRAP_PPID), REG1);

	activate_linux();
	VERIFY_STATUS(destroy_vm(vm), REG1);
	VERIFY_STATUS(destroy_vs(vs), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vp(vp), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vm(vm), MK1_SUCCESS);
}

/* --- empty pools ------------------------------------------------------------------------------ */

static void exhaustion(void)
{
	uint64_t vm = new_vm(), vp = new_vp(vm), unused;
	uint64_t vms = count_vms(), vps = count_vps(vm), vss = count_vss(vp);

	VERIFY(vms == 14); /* of 16: without Linux's and this one */
	VERIFY(vps && vss);
	VERIFY(count_vms() == vms);
	VERIFY(count_vps(vm) == vps);
	VERIFY(count_vss(vp) == vss);
	/* A creation that fails because of a full table takes nothing. */
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, NO_ID, mk1_tls_ppid(), &unused), REG1);
	VERIFY_STATUS(destroy_vp(vp), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vm(vm), MK1_SUCCESS);
}

/* One that fails for want of memory takes nothing either. */
static void pages(void)
{
	uint64_t vm = new_vm(), vp = new_vp(vm), vs, va, spa, status;
	uint64_t before = count_pages(), n = take_pages();

	VERIFY(n == before);
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, vp, mk1_tls_ppid(), &vs), MK1_FAILURE_UNKNOWN);
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, vm, ROM, &va), MK1_FAILURE_UNKNOWN);
	/* One page is enough for a VS on AMD, but not on Intel. */
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, pools_found[n - 1]), MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, pools_found[n - 1]), REG1);
	status = mk1_vs_create_vs(MK1_HANDLE, vp, mk1_tls_ppid(), &vs);
	VERIFY_STATUS(status, is_svm ? MK1_SUCCESS : MK1_FAILURE_UNKNOWN);
	if (status == MK1_SUCCESS)
		VERIFY_STATUS(destroy_vs(vs), MK1_SUCCESS);
	/* Nor for the three tables of a direct map. */
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, vm, ROM, &va), MK1_FAILURE_UNKNOWN);
	VERIFY_STATUS(destroy_vp(vp), MK1_SUCCESS);
	VERIFY_STATUS(destroy_vm(vm), MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &pools_found[n - 1], &spa), MK1_SUCCESS);
	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &va, &spa), MK1_FAILURE_UNKNOWN);
	give_pages_back(n);
	VERIFY(count_pages() == before);
}

/* --- the huge pool ---------------------------------------------------------------------------- */

struct block {
	uint64_t va, spa;
};

static struct block new_block(uint64_t bytes)
{
	struct block b = { 0, 0 };
	bool empty = true;

	if (!VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, bytes, &b.va, &b.spa), MK1_SUCCESS))
		return b;
	VERIFY(b.va == MK1_PAGE_POOL_BASE + b.spa && !(b.spa & BF_PAGE_MASK));
	for (uint64_t i = 0; i < bytes / sizeof(uint64_t); i++)
		empty &= !((uint64_t *)b.va)[i];
	VERIFY(empty);
	return b;
}

static void fill(struct block b, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes / sizeof(uint64_t); i++)
		((uint64_t *)b.va)[i] = UINT64_MAX;
}

static uint64_t free_block(struct block b)
{
	return mk1_mem_free_huge(MK1_HANDLE, b.va);
}

static void huge(void)
{
	uint64_t largest = largest_huge(), count = count_huge_blocks(), va, spa;
	struct block a, b, c, d;

	VERIFY(largest && count);
	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, 0, &va, &spa), REG1);
	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, UINT64_MAX, &va, &spa), REG1);
	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, largest + 1, &va, &spa), MK1_FAILURE_UNKNOWN);

	a = new_block(1);
	b = new_block(2 * BF_PAGE_SIZE);
	c = new_block(BF_PAGE_SIZE + 1);
	VERIFY(b.spa == a.spa + BF_PAGE_SIZE && c.spa == b.spa + 2 * BF_PAGE_SIZE);
	fill(b, 2 * BF_PAGE_SIZE);
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, b.va + BF_PAGE_SIZE), REG1);
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, b.va + 1), REG1);
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, b.spa), REG1);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, b.va), REG1);
	VERIFY_STATUS(free_block(b), MK1_SUCCESS);
	VERIFY_STATUS(free_block(b), REG1);
	/* Three pages do not fit into the hole; two do, and find nothing of what was there. */
	d = new_block(3 * BF_PAGE_SIZE);
	VERIFY(d.spa == c.spa + 2 * BF_PAGE_SIZE);
	VERIFY(new_block(2 * BF_PAGE_SIZE).spa == b.spa);
	/* Neighbours that are free are one. */
	VERIFY_STATUS(free_block(a), MK1_SUCCESS);
	VERIFY_STATUS(free_block(b), MK1_SUCCESS);
	VERIFY(new_block(3 * BF_PAGE_SIZE).spa == a.spa);
	VERIFY_STATUS(free_block(a), MK1_SUCCESS);
	VERIFY_STATUS(free_block(d), MK1_SUCCESS);
	VERIFY_STATUS(free_block(c), MK1_SUCCESS);
	VERIFY(largest_huge() == largest && count_huge_blocks() == count);
	d = new_block(largest);
	VERIFY_STATUS(mk1_mem_alloc_huge(MK1_HANDLE, 1, &va, &spa),
		      count > 64 ? MK1_SUCCESS : MK1_FAILURE_UNKNOWN);
	VERIFY_STATUS(free_block(d), MK1_SUCCESS);
}

/* --- two VSs in turn: each has its own registers ---------------------------------------------- */

/* Registers that neither VMCB nor VMCS hold, and some that they do. */
static const struct {
	uint64_t amd, intel;
} kept_apart[] = { { MK1_AMD_rax, MK1_INTEL_rax },
		   { MK1_AMD_rbp, MK1_INTEL_rbp },
		   { MK1_AMD_r8, MK1_INTEL_r8 },
		   { MK1_AMD_r15, MK1_INTEL_r15 },
		   { MK1_AMD_dr0, MK1_INTEL_dr0 },
		   { MK1_AMD_dr1, MK1_INTEL_dr1 },
		   { MK1_AMD_dr2, MK1_INTEL_dr2 },
		   { MK1_AMD_dr3, MK1_INTEL_dr3 },
		   { MK1_AMD_cr2, MK1_INTEL_cr2 },
		   { MK1_AMD_cr8, MK1_INTEL_cr8 },
		   { MK1_AMD_kernel_gs_base, MK1_INTEL_kernel_gs_base },
		   { MK1_AMD_lstar, MK1_INTEL_lstar },
		   { MK1_AMD_cstar, MK1_INTEL_cstar },
		   { MK1_AMD_star, MK1_INTEL_star },
		   { MK1_AMD_rip, MK1_INTEL_rip },
		   { MK1_AMD_xcr0, MK1_INTEL_xcr0 } };
#define NR_APART (sizeof(kept_apart) / sizeof(kept_apart[0]))

static uint64_t apart_reg(unsigned int i)
{
	return reg(kept_apart[i].amd, kept_apart[i].intel);
}

static uint64_t apart_value(unsigned int i, unsigned int round)
{
	if (apart_reg(i) == reg(MK1_AMD_cr8, MK1_INTEL_cr8))
		return 1 + round;
	return apart_reg(i) == reg(MK1_AMD_xcr0, MK1_INTEL_xcr0) ? 1 : 0x1000 * i + round;
}

static void registers(void)
{
	uint64_t vs = new_vs(linux_vpid), linux_values[NR_APART];
	/* Without CR4.OSXSAVE nobody has an XCR0 to write to. */
	bool has_xcr0 = cpuid(1, 0).ecx >> 27 & 1;

	for (unsigned int i = 0; i < NR_APART; i++)
		linux_values[i] = vs_get(linux_vsid, apart_reg(i));
	for (unsigned int round = 0; round < 4; round++) {
		/* Written while it is active, and while it is not. */
		if (round & 1)
			VERIFY_STATUS(activate(MK1_ROOT_VMID, linux_vpid, vs), MK1_SUCCESS);
		for (unsigned int i = 0; i < NR_APART - !has_xcr0; i++)
			vs_set(vs, apart_reg(i), apart_value(i, round));
		for (unsigned int turn = 0; turn < 3; turn++) {
			VERIFY_STATUS(turn & 1 ? activate(MK1_ROOT_VMID, linux_vpid, linux_vsid) :
						 activate(MK1_ROOT_VMID, linux_vpid, vs),
				      MK1_SUCCESS);
			for (unsigned int i = 0; i < NR_APART; i++) {
				VERIFY(vs_get(vs, apart_reg(i)) == apart_value(i, round));
				VERIFY(vs_get(linux_vsid, apart_reg(i)) == linux_values[i]);
			}
			VERIFY(mk1_r15() == (turn & 1 ? linux_values[3] : apart_value(3, round)));
		}
		activate_linux();
	}
	VERIFY_STATUS(destroy_vs(vs), MK1_SUCCESS);
}

/* --- direct maps ------------------------------------------------------------------------------ */

/* The fault that is expected next; the fail callback maps the page and goes on. */
static volatile uint64_t expected_fault;
static volatile unsigned int faults;

static void in_fail(uint64_t error_and_vector, uint64_t address)
{
	uint64_t va, spa = address - MK1_DIRECT_MAP_BASE;

	ext_print("objects: PP %u: vector %u at 0x%llx\n", (unsigned int)mk1_tls_ppid(),
		  (unsigned int)(uint32_t)error_and_vector, (unsigned long long)address);
	if (address != expected_fault)
		ext_exit();
	expected_fault = 0;
	faults++;
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, mk1_tls_vmid(), spa, &va), MK1_SUCCESS);
	mk1_control_again();
	ext_exit();
}

static uint64_t look(uint64_t va)
{
	return *(const volatile uint64_t *)va;
}

/* The page is not there for the VM that is active, and is mapped then. */
static void look_in_vain(uint64_t va)
{
	unsigned int before = faults;

	expected_fault = va;
	look(va);
	VERIFY(faults == before + 1);
}

static void direct_maps(void)
{
	uint64_t vm[2], vp[2], vs[2], va, other, spa, before = count_pages();

	for (unsigned int i = 0; i < 2; i++) {
		vm[i] = new_vm();
		vp[i] = new_vp(vm[i]);
		vs[i] = new_vs(vp[i]);
	}
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, NO_ID, ROM, &va), REG1);
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, vm[0], ROM + 1, &va), REG2);
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, vm[0], MK1_DIRECT_MAP_SIZE, &va), REG2);
	VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &other, &spa), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, vm[0], spa, &va), REG2);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, vm[0], other), REG2);
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, other), MK1_SUCCESS);

	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, vm[0], ROM, &va), MK1_SUCCESS);
	VERIFY(va == MK1_DIRECT_MAP_BASE + ROM);
	/* Linux is active: it is not mapped for its VM. */
	look_in_vain(va);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va), REG2);
	look_in_vain(va);
	VERIFY_STATUS(mk1_vm_unmap_direct_broadcast(MK1_HANDLE, MK1_ROOT_VMID, va), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vm_unmap_direct_broadcast(MK1_HANDLE, MK1_ROOT_VMID, va), REG2);
	look_in_vain(va);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va), MK1_SUCCESS);

	VERIFY_STATUS(activate(vm[0], vp[0], vs[0]), MK1_SUCCESS);
	look(va);
	VERIFY_STATUS(activate(vm[1], vp[1], vs[1]), MK1_SUCCESS);
	look_in_vain(va);
	/* Taken from one, it is there for the other. */
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, vm[0], va), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vm_tlb_flush(MK1_HANDLE, vm[1]), MK1_SUCCESS);
	look(va);
	VERIFY_STATUS(activate(vm[0], vp[0], vs[0]), MK1_SUCCESS);
	look_in_vain(va);
	activate_linux();
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, vm[0], MK1_DIRECT_MAP_BASE - BF_PAGE_SIZE),
		      REG2);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, vm[0], va + 1), REG2);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, NO_ID, va), REG1);
	for (unsigned int i = 0; i < 2; i++) {
		VERIFY_STATUS(destroy_vs(vs[i]), MK1_SUCCESS);
		VERIFY_STATUS(destroy_vp(vp[i]), MK1_SUCCESS);
		VERIFY_STATUS(destroy_vm(vm[i]), MK1_SUCCESS);
	}
	/* The tables went with the VMs; but for the three of the root VM, which stay. */
	VERIFY(count_pages() == before || count_pages() == before - 3);
}

/* --- to another PP and back ------------------------------------------------------------------- */

static void migration(void)
{
	uint64_t here = mk1_tls_ppid(), there = here ? 0 : mk1_tls_online_pps() - 1u;
	uint64_t vs = new_vs(linux_vpid), rip = reg(MK1_AMD_rip, MK1_INTEL_rip), value;

	VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, vs, MK1_INVALID_ID), REG2);
	VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, NO_ID, here), REG1);
	VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, vs, here), MK1_SUCCESS);
	vs_set(vs, rip, 0x1234);
	if (there != here) {
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, vs, there), MK1_SUCCESS);
		VERIFY_STATUS(mk1_vs_read(MK1_HANDLE, vs, rip, &value), REG1);
		VERIFY_STATUS(mk1_vs_write(MK1_HANDLE, vs, rip, 0), REG1);
		VERIFY_STATUS(mk1_vs_clear(MK1_HANDLE, vs), REG1);
		VERIFY_STATUS(activate(MK1_ROOT_VMID, linux_vpid, vs), REG3);
		VERIFY_STATUS(mk1_vs_run(MK1_HANDLE, MK1_ROOT_VMID, linux_vpid, vs), REG3);
		/* Nobody has it in use: it can be fetched. */
		VERIFY_STATUS(mk1_vs_migrate(MK1_HANDLE, vs, here), MK1_SUCCESS);
	}
	VERIFY(vs_get(vs, rip) == 0x1234);
	VERIFY_STATUS(destroy_vs(vs), MK1_SUCCESS);
}

/* --- exits ----------------------------------------------------------------------------------- */

static void (*const groups[])(void) = { ids,  order,     active,      exhaustion, pages,
					huge, registers, direct_maps, migration };
#define NR_GROUPS (sizeof(groups) / sizeof(groups[0]))

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	uint32_t passed = verify_passed, failed = verify_failed, group = (uint32_t)mk1_rcx();

	(void)reason;
	if ((uint32_t)mk1_rax() != OBJECTS_LEAF || group >= NR_GROUPS)
		return;
	linux_vpid = mk1_tls_vpid();
	linux_vsid = vsid;
	groups[group]();
	VERIFY(mk1_tls_vsid() == vsid);
	mk1_set_rax(verify_failed - failed);
	mk1_set_rbx(verify_passed - passed);
	resume_next(vsid);
}

const struct ext_hooks ext_hooks = {
	.vmexit = in_vmexit,
	.fail = in_fail,
};
