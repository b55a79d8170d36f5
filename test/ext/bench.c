// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which measures what each call of Mk#1 costs: TSC ticks from SYSCALL until
 * ring 3 goes on, least of many. test/bench/cost.c asks for it with BENCH_LEAF in EAX.
 */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>

#include "test/ext/lib/hooks.h"

#define BENCH_LEAF 0x4000BE7C
#define ROUNDS 20
#define SOME_SPA 0x1000 /* RAM that Linux leaves to the firmware */

#define CALL(op, idx, name, in, out, args, results, errors) CALL_##name,
enum call {
	MK1_SYSCALLS(CALL) CALL_null,
	CALL_vs_write_first,
	CALL_switches,
	CALL_guest_exit,
	CALL_guest_round,
	NR_CALLS
};
#undef CALL

#define NAME(op, idx, name, in, out, args, results, errors) #name,
static const char names[NR_CALLS][32] = { MK1_SYSCALLS(NAME) "null", "vs_write_first", "switches",
					  "guest_exit", "guest_round" };
#undef NAME

static uint64_t least[NR_CALLS]; /* 0: not measured */
static uint64_t empty = UINT64_MAX;
static uint64_t began; /* of a call that ends elsewhere */
static unsigned int stage;
static struct {
	uint64_t vmid, vpid, vsid;
	uint64_t root_vm, root_vp, root; /* Linux's */
	uint64_t began;
	unsigned int exits;
} guest = { .vsid = MK1_INVALID_ID };

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static void record(enum call call, uint64_t ticks)
{
	if (!least[call] || ticks - empty < least[call])
		least[call] = ticks - empty;
}

static void unexpected(enum call call, uint64_t status)
{
	ext_print("bench: %s: status 0x%llx\n", names[call], (unsigned long long)status);
	ext_exit();
}

#define TIMED_STATUS(name, call, wanted) \
	do { \
		uint64_t t0 = rdtsc(), status = (call), t1 = rdtsc(); \
\
		if (status != (wanted)) \
			unexpected(CALL_##name, status); \
		record(CALL_##name, t1 - t0); \
	} while (0)
#define TIMED(name, ...) TIMED_STATUS(name, mk1_##name(__VA_ARGS__), MK1_SUCCESS)

static void objects(uint64_t ppid)
{
	uint64_t vmid, vpid, vsid;

	TIMED(vm_create_vm, MK1_HANDLE, &vmid);
	TIMED(vp_create_vp, MK1_HANDLE, vmid, &vpid);
	TIMED(vs_create_vs, MK1_HANDLE, vpid, ppid, &vsid);
	TIMED(vs_migrate, MK1_HANDLE, vsid, ppid);
	TIMED(debug_dump_vm, vmid);
	TIMED(debug_dump_vp, vpid);
	if (mk1_tls_vsid() != MK1_INVALID_ID) { /* in an exit */
		uint64_t root_vm = mk1_tls_vmid(), root_vp = mk1_tls_vpid(), root = mk1_tls_vsid();

		TIMED(vs_set_active, MK1_HANDLE, vmid, vpid, vsid);
		TIMED(vs_set_active, MK1_HANDLE, root_vm, root_vp, root);
		began = rdtsc();
		mk1_vs_set_active(MK1_HANDLE, vmid, vpid, vsid);
		mk1_vs_set_active(MK1_HANDLE, root_vm, root_vp, root);
		record(CALL_switches, rdtsc() - began);
	} else {
		TIMED(vs_init_as_root, MK1_HANDLE, vsid);
	}
	TIMED(vs_clear, MK1_HANDLE, vsid);
	TIMED(vs_destroy_vs, MK1_HANDLE, vsid);
	TIMED(vp_destroy_vp, MK1_HANDLE, vpid);
	TIMED(vm_destroy_vm, MK1_HANDLE, vmid);
}

static void memory(void)
{
	uint64_t va, spa;

	TIMED(mem_alloc_page, MK1_HANDLE, &va, &spa);
	TIMED(mem_free_page, MK1_HANDLE, va);
	TIMED(mem_alloc_huge, MK1_HANDLE, 0x4000, &va, &spa);
	TIMED(mem_free_huge, MK1_HANDLE, va);
	TIMED(vm_map_direct, MK1_HANDLE, MK1_ROOT_VMID, SOME_SPA, &va);
	TIMED(vm_unmap_direct, MK1_HANDLE, MK1_ROOT_VMID, va);
	TIMED(vm_map_direct, MK1_HANDLE, MK1_ROOT_VMID, SOME_SPA, &va);
	TIMED(vm_unmap_direct_broadcast, MK1_HANDLE, MK1_ROOT_VMID, va);
	TIMED(vm_tlb_flush, MK1_HANDLE, MK1_ROOT_VMID);
}

static void vs_access(uint64_t vsid)
{
	uint64_t rip = is_svm ? MK1_AMD_rip : MK1_INTEL_rip;
	uint64_t value;

	TIMED(vs_read, MK1_HANDLE, vsid, rip, &value);
	/* Until the next exit the state that Linux exited with is remembered. */
	TIMED_STATUS(vs_write_first, mk1_vs_write(MK1_HANDLE, vsid, rip, value), MK1_SUCCESS);
	TIMED(vs_write, MK1_HANDLE, vsid, rip, value);
	TIMED(vs_tlb_flush, MK1_HANDLE, vsid, 0x1000);
	TIMED(intrinsic_rdmsr, MK1_HANDLE, MSR_TSC_AUX, &value);
	TIMED(intrinsic_wrmsr, MK1_HANDLE, MSR_TSC_AUX, value);
}

/* Registered already, and a handle that is closed and opened again. */
static void handles(void)
{
	uint64_t here = (uint64_t)ext_start, handle;

	TIMED_STATUS(callback_register_bootstrap, mk1_callback_register_bootstrap(MK1_HANDLE, here),
		     MK1_FAILURE_UNKNOWN);
	TIMED_STATUS(callback_register_vmexit, mk1_callback_register_vmexit(MK1_HANDLE, here),
		     MK1_FAILURE_UNKNOWN);
	TIMED_STATUS(callback_register_fail, mk1_callback_register_fail(MK1_HANDLE, here),
		     MK1_FAILURE_UNKNOWN);
	TIMED(handle_close_handle, MK1_HANDLE);
	TIMED(handle_open_handle, MK1_SPEC_ID, &handle);
	TIMED_STATUS(null, mk1_handle_close_handle(MK1_INVALID_HANDLE), MK1_FAILURE_INVALID_HANDLE);
}

static void printing(uint64_t vsid)
{
	static const char text[] = "0123456789ABCDE\n";

	TIMED(debug_out, 1, 2);
	TIMED(debug_dump_vs, vsid);
	TIMED(debug_dump_vmexit_log, mk1_tls_ppid());
	TIMED(debug_write_c, '\n');
	TIMED(debug_write_str, (uint64_t)text, sizeof(text) - 1);
	TIMED(debug_dump_ext, mk1_tls_extid());
	TIMED(debug_dump_page_pool);
	TIMED(debug_dump_huge_pool);
}

/* A page that in_fail maps when it is touched. */
static void again(void)
{
	uint64_t va = MK1_DIRECT_MAP_BASE + SOME_SPA, t1;

	began = 0;
	__asm__ volatile("movb (%0), %%al" : : "r"(va) : "rax", "memory");
	t1 = rdtsc();
	if (began)
		record(CALL_control_again, t1 - began);
	mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, va);
}

static void print_all(void)
{
	for (unsigned int i = 0; i < NR_CALLS; i++) {
		if (least[i])
			ext_print("bench: call %s %llu\n", names[i], (unsigned long long)least[i]);
	}
}

/* A second VS, which is where Linux is: at a CPUID. Its tag in the TLB is its own. */
static void copy_linux(uint64_t vmid, uint64_t vpid, uint64_t vsid)
{
	const uint64_t count = is_svm ? MK1_AMD_NR_REGS : MK1_INTEL_NR_REGS;
	uint64_t value;

	if (guest.vsid == MK1_INVALID_ID &&
	    (mk1_vm_create_vm(MK1_HANDLE, &guest.vmid) != MK1_SUCCESS ||
	     mk1_vp_create_vp(MK1_HANDLE, guest.vmid, &guest.vpid) != MK1_SUCCESS ||
	     mk1_vs_create_vs(MK1_HANDLE, guest.vpid, mk1_tls_ppid(), &guest.vsid) != MK1_SUCCESS))
		ext_exit();
	guest.root_vm = vmid;
	guest.root_vp = vpid;
	guest.root = vsid;
	guest.exits = 0;
	for (uint64_t reg = 0; reg < count; reg++) {
		if (mk1_vs_read(MK1_HANDLE, vsid, reg, &value) == MK1_SUCCESS)
			mk1_vs_write(MK1_HANDLE, guest.vsid, reg, value);
	}
	mk1_vs_write(MK1_HANDLE, guest.vsid,
		     is_svm ? MK1_AMD_guest_asid : MK1_INTEL_virtual_processor_identifier, 2);
}

/*
 * Of its three exits the second comes after it ran again, and the third, like the second, ends in
 * one of Linux's. When Linux has an interrupt to take, all of it starts again.
 */
static void in_guest_exit(uint64_t reason, uint64_t now)
{
	if (reason != (is_svm ? SVM_EXIT_CPUID : VMX_EXIT_CPUID)) {
		guest.exits = 0;
	} else if (++guest.exits == 1) {
		guest.began = rdtsc();
		mk1_vs_run_current(MK1_HANDLE);
	} else if (guest.exits == 2) {
		record(CALL_guest_exit, now - guest.began);
	}
	mk1_vs_run(MK1_HANDLE, guest.root_vm, guest.root_vp, guest.root);
	ext_exit();
}

/*
 * The guest executes CPUID three times: the calls that run it end in the next exit, so that what
 * they cost contains the way into the guest, one CPUID, and the way back here.
 */
static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	uint64_t now = rdtsc(), vmid = mk1_tls_vmid(), vpid = mk1_tls_vpid();

	if (vsid == guest.vsid)
		in_guest_exit(reason, now);
	if ((uint32_t)mk1_rax() != BENCH_LEAF) {
		linux_vmexit()(vsid, reason);
		return;
	}
	mk1_set_rax(BENCH_LEAF);
	switch (stage++) {
	case 0:
		vs_access(vsid);
		objects(mk1_tls_ppid()); /* before there are direct maps */
		memory();
		handles();
		again();
		copy_linux(vmid, vpid, vsid);
		mk1_vs_run(MK1_HANDLE, guest.vmid, guest.vpid, guest.vsid);
		break;
	case 1:
		if (guest.exits != 3) {
			stage = 1;
			began = rdtsc();
			mk1_vs_run(MK1_HANDLE, guest.vmid, guest.vpid, guest.vsid);
			break;
		}
		record(CALL_guest_round, now - began);
		began = rdtsc();
		mk1_vs_run(MK1_HANDLE, vmid, vpid, vsid);
		break;
	case 2:
		record(CALL_vs_run, now - began);
		began = rdtsc();
		mk1_vs_run_current(MK1_HANDLE);
		break;
	case 3:
		record(CALL_vs_run_current, now - began);
		began = rdtsc();
		mk1_vs_advance_ip_and_run(MK1_HANDLE, vmid, vpid, vsid);
		break;
	case 4:
		record(CALL_vs_advance_ip_and_run, now - began);
		began = rdtsc();
		mk1_vs_advance_ip_and_run_current(MK1_HANDLE);
		break;
	default:
		record(CALL_vs_advance_ip_and_run_current, now - began);
		stage = 0;
		TIMED(vs_advance_ip_and_set_active, MK1_HANDLE, vmid, vpid, vsid);
		if ((uint32_t)mk1_rcx()) {
			printing(vsid);
			print_all();
		}
		mk1_vs_run_current(MK1_HANDLE);
		break;
	}
	ext_exit();
}

static void in_fail(uint64_t error_and_vector, uint64_t address)
{
	uint64_t va;

	(void)error_and_vector;
	if (mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID, address - MK1_DIRECT_MAP_BASE, &va) !=
	    MK1_SUCCESS)
		ext_exit();
	began = rdtsc();
	mk1_control_again();
}

static void in_bootstrap(uint64_t ppid)
{
	uint64_t now = rdtsc();

	if (!ppid) {
		record(CALL_control_wait, now - began);
		for (unsigned int i = 0; i < ROUNDS; i++)
			objects(ppid);
	}
	linux_bootstrap(ppid);
}

static void measure_nothing(void)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t t0 = rdtsc(), t1 = rdtsc();

		if (t1 - t0 < empty)
			empty = t1 - t0;
	}
}

/* Without the functions of hooks.c, which would be measured, too. */
static bool registers(char which)
{
	(void)which;
	return false;
}

static int started(void)
{
	measure_nothing();
	if (mk1_register_bootstrap(MK1_HANDLE, in_bootstrap) != MK1_SUCCESS ||
	    mk1_register_vmexit(MK1_HANDLE, in_vmexit) != MK1_SUCCESS ||
	    mk1_register_fail(MK1_HANDLE, in_fail) != MK1_SUCCESS)
		return 1;
	began = rdtsc();
	mk1_control_wait();
	return 1;
}

const struct ext_hooks ext_hooks = {
	.started = started,
	.registers = registers,
};
