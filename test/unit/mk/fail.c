// SPDX-License-Identifier: GPL-2.0-only
/* fail.c, leave.c, backup.c, trap.c, restore.c: faults, promote, and Linux getting its CPU back. */
#include "machine.h"

#include <string.h>

#include "microkernel/run/watchdog.h"
#include "suites.h"

static uint64_t exit_reason(void)
{
	return m.vendor == BF_VENDOR_AMD ? SVM_EXIT_CPUID : VMX_EXIT_CPUID;
}

static void in_vmexit(int vendor)
{
	machine_of(vendor);
	start_and_launch();
	guest_exit(exit_reason());
}

/* Linux has its CPU, with the state that was in the VS, and nothing of ours in it. */
static void expect_bare(const struct bf_cpu_state *want)
{
	const struct bf_cpu_state *got = &m.switch_pages[0]->cpu;
	const struct cpu *c = &m.cpus[0];

	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_ptr_eq(ended.sp, m.switch_pages[0]);
	ck_assert_uint_eq(got->rip, want->rip);
	ck_assert_uint_eq(got->cr0, want->cr0);
	ck_assert_uint_eq(got->cr3, want->cr3);
	ck_assert_uint_eq(got->cr4, want->cr4);
	ck_assert_uint_eq(got->gs.base, want->gs.base);
	ck_assert_uint_eq(got->tr.selector, want->tr.selector);
	ck_assert_uint_eq(got->idtr.limit, want->idtr.limit);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_EFER), want->efer);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_STAR), want->star);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_LSTAR), want->lstar);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_CSTAR), want->cstar);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_FMASK), want->fmask);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_KERNEL_GS_BASE), want->kernel_gs_base);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_SYSENTER_CS), want->sysenter_cs);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_SYSENTER_ESP), want->sysenter_esp);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_SYSENTER_EIP), want->sysenter_eip);
	ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_PAT), want->pat);
	ck_assert_uint_eq(c->cr2, want->cr2);
	ck_assert_uint_eq(c->dr[6], want->dr6);
	ck_assert_uint_eq(c->dr[7], want->dr7);
	ck_assert_uint_eq(c->tr, want->tr.selector);
	ck_assert_uint_eq(c->gdtr.base, (uint64_t)m.switch_pages[0]->gdt);
	ck_assert_uint_eq(c->idtr.base, (uint64_t)m.switch_pages[0]->idt);
	ck_assert_uint_eq(c->vmxon, false);
	ck_assert_uint_eq(c->cr4 & CR4_VMXE, 0);
	ck_assert_uint_eq(c->gif, true);
	if (m.vendor == BF_VENDOR_AMD)
		ck_assert_uint_eq(msr_get(&m.cpus[0], MSR_VM_HSAVE_PA), 0x1234000);
}

START_TEST(promote_gives_linux_back)
{
	struct bf_cpu_state linux_state;

	machine_of(_i);
	linux_state = m.switch_pages[0]->cpu;
	start_and_launch();
	guest_exit(exit_reason());
	abi_gprs()[BF_RAX] = 0x77;
	host_pp->nmi_pending = true;
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), NOT_RETURNED);
	expect_bare(&linux_state);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], 0x77);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_R15], linux_state.gpr[BF_R15]);
	ck_assert_uint_eq(ended.sp->nmi_pending, 1);
	ck_assert_uint_eq(status_of(0)->image, 1); /* should nobody have asked for it */
	ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE);
	/* the objects are gone, and the same CPU can come in again */
	ck_assert(!vs_find(0) && !vp_find(0));
	enter(0);
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_BOOTSTRAP);
	ck_assert_uint_eq(launch(), 0);
	guest_exit(exit_reason());
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), NOT_RETURNED);
	expect_bare(&linux_state);
}
END_TEST

START_TEST(promote_in_the_bootstrap_callback)
{
	struct bf_cpu_state linux_state;

	machine_of(_i);
	linux_state = m.switch_pages[0]->cpu;
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	/* a second VS of the same VP: the VP stays */
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), NOT_RETURNED);
	expect_bare(&linux_state);
	ck_assert(!vs_find(0) && vp_find(0) && vs_find(1));
}
END_TEST

/* The driver's call, that no extension sees. */
START_TEST(stop)
{
	struct bf_cpu_state linux_state;
	struct vs *vs;

	machine_of(_i);
	linux_state = m.switch_pages[0]->cpu;
	start_and_launch();
	vs = host_pp->vs;
	linux_state.rip += 3;
	abi_gprs()[BF_RAX] = BF_HYPERCALL_STOP;
	if (_i) {
		vmcs_put(vs->block_spa, VMCS_vmexit_instruction_length, 3);
		guest_exit(VMX_EXIT_VMCALL);
	} else {
		vmcb_of(vs)->rax = BF_HYPERCALL_STOP;
		vmcb_of(vs)->nrip = linux_state.rip;
		guest_exit(SVM_EXIT_VMMCALL);
	}
	expect_bare(&linux_state);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_HYPERCALL_STOPPED);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_BARE);
}
END_TEST

static struct trap_frame user_fault(uint64_t vector)
{
	struct trap_frame f = { .vector = vector,
				.error_code = 6,
				.rip = EXT_ENTRY + 0x20,
				.cs = BF_SEL_USER_CS,
				.rflags = 0x202,
				.rsp = 0x5000,
				.ss = BF_SEL_USER_SS };

	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		f.gpr[i] = 0x100 + i;
	return f;
}

START_TEST(fail_callback_and_again)
{
	struct trap_frame f = user_fault(_i / 2 ? VECTOR_PF : VECTOR_UD);

	in_vmexit(_i % 2);
	cpu->cr2 = 0x8000;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(ended.arg0, 6ULL << 32 | f.vector);
	ck_assert_uint_eq(ended.arg1, 0x8000);
	ck_assert_uint_eq(ended.rsp, MK1_EXT_FAIL_STACK_BASE + MK1_EXT_STACK_SIZE);
	ck_assert_uint_eq(SYS(control_again), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_RESUMED);
	ck_assert_uint_eq(ended.rip, f.rip);
	ck_assert_uint_eq(ended.rsp, f.rsp);
	ck_assert_uint_eq(ended.rflags, f.rflags);
	ck_assert_mem_eq(ended.gpr, f.gpr, sizeof(f.gpr));
	/* handled: the callback goes on, and may fail again */
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(exit_reason());
	ck_assert_uint_eq(ended.rip, EXT_VMEXIT);
}
END_TEST

/* Linux is a guest of the microkernel alone now; the driver can still stop it. */
static void expect_alone(enum bf_error error)
{
	ck_assert_int_eq(ended.end, END_GUEST);
	expect_failed(error);
	ck_assert_uint_eq(status_of(0)->fallback, 1);
	ck_assert_uint_eq(host_pp->fallback, true);
	ck_assert_ptr_eq(host_pp->vs, host_pp->root_vs);
	abi_gprs()[BF_RAX] = BF_HYPERCALL_STOP;
	if (m.vendor == BF_VENDOR_INTEL) {
		vmcs_put(host_pp->vs->block_spa, VMCS_vmexit_instruction_length, 3);
		guest_exit(VMX_EXIT_VMCALL);
	} else {
		vmcb_of(host_pp->vs)->rax = BF_HYPERCALL_STOP;
		vmcb_of(host_pp->vs)->nrip = 0x1003;
		guest_exit(SVM_EXIT_VMMCALL);
	}
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_FAILED);
	ck_assert_uint_eq(status_of(0)->fallback, 0);
	ck_assert_uint_eq(status_of(0)->error, error);
}

START_TEST(fault_in_the_fail_callback)
{
	struct trap_frame f = user_fault(VECTOR_PF);

	in_vmexit(_i);
	RUN(trap_dispatch(&f));
	f.vector = VECTOR_GP;
	f.rip++;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_GP);
	ck_assert_uint_eq(status_of(0)->rip, f.rip);
	expect_alone(BF_ERR_EXT_FAIL_FAULT);
}
END_TEST

START_TEST(exit_in_the_fail_callback)
{
	struct trap_frame f = user_fault(VECTOR_PF);

	in_vmexit(_i);
	cpu->cr2 = 0xABC;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(SYS(control_exit), NOT_RETURNED);
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_PF);
	ck_assert_uint_eq(status_of(0)->rip, f.rip);
	ck_assert_uint_eq(status_of(0)->address, 0xABC);
	expect_alone(BF_ERR_EXT_FAULT);
}
END_TEST

START_TEST(fault_without_a_fail_callback)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	in_vmexit(_i);
	host_pp->ext->fail = 0;
	RUN(trap_dispatch(&f));
	expect_alone(BF_ERR_EXT_FAULT);
}
END_TEST

START_TEST(fault_in_start)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	machine_of(_i);
	enter(0);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(ended.sp->cpu.gpr[BF_RAX], BF_ERR_EXT_FAULT);
	ck_assert_uint_eq(status_of(0)->image, 1);
	expect_printed("exception 6, error code 0x6 at rip");
}
END_TEST

/* What the extension changed in this exit is undone; what it changed in an earlier one stays. */
START_TEST(linux_does_not_keep_half_a_change)
{
	uint64_t rip_reg, rsp_reg, rip;
	struct ended how;

	in_vmexit(_i);
	rip_reg = _i ? MK1_INTEL_rip : MK1_AMD_rip;
	rsp_reg = _i ? MK1_INTEL_rsp : MK1_AMD_rsp;
	rip = reg_read(0, rip_reg);
	ck_assert_uint_eq(reg_write(0, rsp_reg, 0x9000), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	guest_exit(exit_reason());
	ck_assert_uint_eq(reg_write(0, rip_reg, 0x6666), MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, rip_reg, 0x7777), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(control_exit), NOT_RETURNED);
	how = ended;
	ck_assert_uint_eq(reg_read(0, rip_reg), rip);
	ck_assert_uint_eq(reg_read(0, rsp_reg), 0x9000);
	ended = how;
	expect_alone(BF_ERR_EXT_EXIT);
}
END_TEST

/* RAX to RDX, which emulating an instruction changes, are as Linux had them when it exited. */
START_TEST(linux_keeps_its_registers)
{
	bool other = _i / 2;

	in_vmexit(_i % 2);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	for (unsigned int i = BF_RAX; i <= BF_RBP; i++)
		abi_gprs()[i] = 0x1000 + i;
	if (_i % 2 == 0)
		vmcb_of(host_pp->vs)->rax = 0x1000; /* where SVM has it */
	guest_exit(exit_reason());
	for (unsigned int i = BF_RAX; i <= BF_RBP; i++)
		abi_gprs()[i] = 0x2000 + i;
	if (other) {
		/* the exit of another VS is not Linux's */
		SYS(vs_run, HANDLE, 0, 0, 1);
		guest_exit(exit_reason());
	}
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_GUEST);
	for (unsigned int i = BF_RAX; i <= BF_RDX; i++)
		ck_assert_uint_eq(abi_gprs()[i], (other ? 0x2000 : 0x1000) + i);
	ck_assert_uint_eq(abi_gprs()[BF_RBP], 0x2000 + BF_RBP);
}
END_TEST

/* A single-step trap of the guest's, that outlived its exit. */
START_TEST(debug_trap_in_ring_0)
{
	struct trap_frame f = { .vector = VECTOR_DB, .cs = BF_SEL_KERNEL_CS, .rip = 0x1234 };

	in_vmexit(_i);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_uint_eq(f.rip, 0x1234);
	f.cs = BF_SEL_USER_CS;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

/* What BLCKDB reports is not a fault; a single step, even over such an instruction, is. */
START_TEST(bus_lock_in_ring_3)
{
	struct trap_frame f = user_fault(VECTOR_DB), before = f;

	in_vmexit(_i);
	cpu->dr[6] &= ~0x800ULL;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_int_eq(memcmp(&f, &before, sizeof(f)), 0);
	ck_assert_uint_eq(cpu->dr[6], DR6_RESET);
	cpu->dr[6] &= ~0x800ULL;
	f.rflags |= RFLAGS_TF;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

/* A failure while alone: there is nothing left to run. */
START_TEST(failing_twice)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	in_vmexit(_i);
	SYS(control_exit);
	expect_failed(BF_ERR_EXT_EXIT);
	f.cs = BF_SEL_KERNEL_CS;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RESET);
	ck_assert_uint_eq(cpu->arg[INSN_OUT][0], 0xCF9);
	ck_assert_uint_eq(cpu->arg[INSN_OUT][1], 6);
	/* INIT is not held any more */
	ck_assert_uint_eq(cpu->vmxon, false);
	ck_assert_uint_eq(cpu->gif, true);
	ck_assert_uint_eq(status_of(0)->error, BF_ERR_EXT_EXIT); /* the first one */
	expect_printed("microkernel: exception 6");
}
END_TEST

/* Another VS runs, and fails, while Linux waits half-changed. */
START_TEST(linux_does_not_keep_half_a_change_for_later)
{
	bool changed_before = _i / 2;
	uint64_t rip_reg, rip, base;

	in_vmexit(_i % 2);
	rip_reg = _i % 2 ? MK1_INTEL_rip : MK1_AMD_rip;
	rip = reg_read(0, rip_reg);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	if (_i % 2)
		msr_set(cpu, MSR_KERNEL_GS_BASE, 0x1111000);
	if (changed_before)
		ck_assert_uint_eq(reg_write(0, rip_reg, 0x6666), MK1_SUCCESS);
	SYS(vs_run, HANDLE, 0, 0, 1);
	ck_assert_int_eq(ended.end, END_GUEST);
	if (_i % 2)
		msr_set(cpu, MSR_KERNEL_GS_BASE, 0x2222000); /* the other's */
	guest_exit(exit_reason());
	ck_assert_uint_eq(reg_write(0, rip_reg, 0x7777), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 0), NOT_RETURNED);
	if (_i / 4) {
		/* It runs: from here on that is its state. */
		guest_exit(exit_reason());
		rip = 0x7777;
	}
	ck_assert_uint_eq(reg_write(0, rip_reg, 0x8888), MK1_SUCCESS);
	RUN(pp_fail(BF_ERR_VS_INVALID, 0, 0, 0));
	ck_assert_int_eq(ended.end, END_GUEST);
	base = _i % 2 ? msr_get(cpu, MSR_KERNEL_GS_BASE) : 0x1111000;
	ck_assert_uint_eq(base, 0x1111000);
	ck_assert_uint_eq(reg_read(0, rip_reg), rip);
}
END_TEST

/* Whatever VMRUN or VM entry refused must not be there any more when Linux runs alone. */
START_TEST(what_was_refused_is_undone)
{
	static const struct {
		uint64_t reg, value;
		uint32_t field;
	} cases[] = {
		{ MK1_INTEL_activity_state, 7, VMCS_activity_state },
		{ MK1_INTEL_interruptibility_state, 0xFF, VMCS_interruptibility_state },
		{ MK1_INTEL_pending_debug_exceptions, ~0ULL, VMCS_pending_debug_exceptions },
		{ MK1_INTEL_vmentry_interrupt_information_field, 0x80000102,
		  VMCS_vmentry_interrupt_information_field },
	};
	uint64_t before;

	in_vmexit(1);
	before = vmcs_get(host_pp->vs->block_spa, cases[_i].field);
	ck_assert_uint_eq(reg_write(0, cases[_i].reg, cases[_i].value), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	guest_exit(VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE);
	ck_assert_uint_eq(vmcs_get(host_pp->vs->block_spa, cases[_i].field), before);
	expect_alone(BF_ERR_VS_INVALID);
}
END_TEST

/* An exit that interrupted nothing, or an interrupt; QEMU then shows the refused event there. */
START_TEST(an_event_that_was_refused_is_undone)
{
	uint64_t interrupted = _i ? SVM_EVENT_VALID | SVM_EVENT_TYPE_INTR | 0x55 : 0;

	machine_of(0);
	start_and_launch();
	vmcb_of(host_pp->vs)->exitintinfo = interrupted;
	guest_exit(exit_reason());
	ck_assert_uint_eq(reg_write(0, MK1_AMD_eventinj, SVM_EVENT_VALID | 0x100), MK1_SUCCESS);
	SYS(vs_run_current, HANDLE);
	vmcb_of(host_pp->vs)->exitintinfo = SVM_EVENT_VALID | 0x100;
	guest_exit((uint32_t)SVM_EXIT_INVALID);
	ck_assert_uint_eq(vmcb_of(host_pp->vs)->eventinj, interrupted);
	expect_alone(BF_ERR_VS_INVALID);
}
END_TEST

/* Another VS was active when the launch failed: Linux has its own XCR0 and debug registers. */
START_TEST(registers_after_a_failed_launch)
{
	struct bf_cpu_state *state;

	machine_of(_i);
	state = &m.switch_pages[0]->cpu;
	state->cr8 = 3;
	state->xcr0 = 7;
	state->dr[2] = 0x2222;
	cpu->cr8 = 3;
	cpu->xcr0 = 7;
	cpu->dr[2] = 0x2222;
	start();
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->xcr0, 1);
	ck_assert_uint_eq(cpu->dr[2], 0);
	SYS(control_exit);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(cpu->cr8, 3);
	ck_assert_uint_eq(cpu->xcr0, 7);
	ck_assert_uint_eq(cpu->dr[2], 0x2222);
}
END_TEST

/* VM entry refuses VPID 0. */
START_TEST(alone_without_a_vpid)
{
	uint64_t spa, secondary;

	in_vmexit(1);
	spa = host_pp->vs->block_spa;
	ck_assert_uint_eq(
		reg_write(0, MK1_INTEL_secondary_proc_based_vm_execution_ctls, VMX_SECONDARY_VPID),
		MK1_SUCCESS);
	ck_assert_uint_eq(reg_write(0, MK1_INTEL_virtual_processor_identifier, (uint64_t)_i),
			  MK1_SUCCESS);
	SYS(control_exit);
	secondary = vmcs_get(spa, VMCS_secondary_proc_based_vm_execution_ctls);
	ck_assert_uint_eq(secondary & VMX_SECONDARY_VPID, _i ? VMX_SECONDARY_VPID : 0);
	expect_alone(BF_ERR_EXT_EXIT);
}
END_TEST

/* All runs and promote are refused, and so they are in the fail callback of _start. */
START_TEST(nothing_runs_in_start)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	machine_of(_i % 2);
	enter(0);
	ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(callback_register_fail, HANDLE, EXT_FAIL), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_SUCCESS);
	if (_i / 2) {
		RUN(trap_dispatch(&f));
		ck_assert_uint_eq(ended.rip, EXT_FAIL);
	}
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_promote, HANDLE, 0), MK1_FAILURE_UNKNOWN);
	/* the fail callback can only say again; then _start goes on */
	if (_i / 2)
		ck_assert_uint_eq(SYS(control_again), NOT_RETURNED);
	ck_assert_uint_eq(SYS(control_wait), NOT_RETURNED);
	expect_failed(BF_ERR_EXT_NO_BOOTSTRAP);
}
END_TEST

START_TEST(the_fail_callback_of_bootstrap_may_run)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	machine_of(_i);
	start();
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	/* but there is nothing to step over */
	ck_assert_uint_eq(SYS(vp_create_vp, HANDLE, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, 0, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run, HANDLE, 0, 0, 0), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_advance_ip_and_run_current, HANDLE), MK1_FAILURE_UNKNOWN);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 0), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	guest_exit(exit_reason());
	ck_assert_uint_eq(ended.rip, EXT_VMEXIT);
}
END_TEST

/* A fault behind a jump that the CPU should not have made: IRETQ to there would fault in ring 0. */
START_TEST(again_where_nothing_can_be)
{
	struct trap_frame f = user_fault(VECTOR_GP);

	f.rip = 0x800000000000;
	in_vmexit(_i);
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	SYS(control_again);
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_GP);
	ck_assert_uint_eq(status_of(0)->rip, f.rip);
	expect_alone(BF_ERR_EXT_FAULT);
}
END_TEST

/* Ring 3 cannot leave SMAP off for an exception. */
START_TEST(alignment_check_of_ring_3)
{
	struct trap_frame f = user_fault(VECTOR_UD);

	machine_of(0);
	if (_i)
		machine_without_cr4(CR4_SMAP);
	start_and_launch();
	guest_exit(exit_reason());
	cpu->ac = true;
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
	ck_assert_uint_eq(cpu->ac, _i);
}
END_TEST

/* CPUID faulting: what ring 3 wants to know, ring 0 finds out. */
START_TEST(cpuid_that_faults)
{
	struct trap_frame f = user_fault(VECTOR_GP), wanted;
	uint8_t *code;

	in_vmexit(_i);
	cpuid_set(0x1234, 5, 0x11, 0x22, 0x33, 0x44);
	code = mmu_user(f.rip, false, true);
	memcpy(code, "\x0F\xA2", 2);
	f.error_code = 0;
	f.gpr[BF_RAX] = 0xABCD00001234;
	f.gpr[BF_RCX] = 0xABCD00000005;
	wanted = f;
	wanted.gpr[BF_RAX] = 0x11;
	wanted.gpr[BF_RBX] = 0x22;
	wanted.gpr[BF_RCX] = 0x33;
	wanted.gpr[BF_RDX] = 0x44;
	wanted.rip += 2;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_mem_eq(&f, &wanted, sizeof(f));
	/*
	 * with an error code, other instructions, where nothing can be read: a fault like any other
	 */
	f = user_fault(VECTOR_GP);
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

START_TEST(gp_of_other_instructions)
{
	struct trap_frame f = user_fault(VECTOR_GP);

	in_vmexit(0);
	f.error_code = 0;
	memcpy(mmu_user(f.rip, false, true), _i == 0 ? "\x0F\x32" : "\xF4\xA2", 2);
	if (_i == 2)
		f.rip = 0x800000000000;
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ended.rip, EXT_FAIL);
}
END_TEST

START_TEST(fault_of_the_microkernel)
{
	in_vmexit(_i);
	msr_drop(cpu, MSR_FS_BASE);
	struct trap_frame f = user_fault(VECTOR_UD);
	RUN(trap_dispatch(&f)); /* into the fail callback: WRMSR of FS base faults in ring 0 */
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_GP);
	expect_alone(BF_ERR_MK_FAULT);
}
END_TEST

/* --- the watchdog ----------------------------------------------------------------------------- */

static struct trap_frame nmi_from(uint64_t cs)
{
	return (struct trap_frame){ .vector = VECTOR_NMI,
				    .rip = EXT_ENTRY + 7,
				    .cs = cs,
				    .rsp = 0x1230,
				    .rflags = RFLAGS_DF | RFLAGS_FIXED };
}

static void let_time_pass(void)
{
	uint64_t began = rdtsc();

	while (rdtsc() - began < 0x1100000)
		;
}

/* Two NMIs, some time apart, while the callback is overdue; f is as the second leaves it. */
static void nmis(struct trap_frame *f, uint64_t overdue)
{
	struct trap_frame first = *f;

	status_of(0)->overdue = overdue;
	RUN(trap_dispatch(&first));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_uint_eq(first.rip, f->rip);
	let_time_pass();
	RUN(trap_dispatch(f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert(host_pp->nmi_pending);
}

START_TEST(overdue_in_ring3)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	in_vmexit(_i);
	nmis(&f, status_of(0)->exits + 1);
	ck_assert_uint_eq(f.rip, (uint64_t)watchdog_expired);
	ck_assert_uint_eq(f.cs, BF_SEL_KERNEL_CS);
	ck_assert_uint_eq(f.ss, BF_SEL_KERNEL_SS);
	ck_assert_uint_eq(f.rsp, BF_PP_STACK_TOP - 8);
	ck_assert_uint_eq(f.rflags, RFLAGS_FIXED);
	RUN(watchdog_expired());
	ck_assert_uint_eq(status_of(0)->rip, EXT_ENTRY + 7);
	ck_assert_uint_eq(status_of(0)->detail, BF_CALLBACK_VMEXIT);
	expect_printed("overdue in vmexit, at rip 0x");
	expect_alone(BF_ERR_EXT_OVERDUE);
	/* Linux without it has all the time in the world */
	f = nmi_from(BF_SEL_KERNEL_CS);
	nmis(&f, status_of(0)->exits + 1);
	ck_assert_uint_ne(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
}
END_TEST

/*
 * The first NMI may come after a time in which the CPU stood still; a later exit is another
 * callback.
 */
START_TEST(not_overdue)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	in_vmexit(_i);
	nmis(&f, status_of(0)->exits);
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	nmis(&f, status_of(0)->exits + 2);
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	status_of(0)->overdue = status_of(0)->exits + 1;
	RUN(trap_dispatch(&f));
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST);
}
END_TEST

/* Ring 0 goes on; the next syscall is the last. */
START_TEST(overdue_in_ring0)
{
	struct trap_frame f = nmi_from(BF_SEL_KERNEL_CS);

	in_vmexit(_i);
	nmis(&f, status_of(0)->exits + 1);
	ck_assert_uint_eq(f.rip, EXT_ENTRY + 7);
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall_overdue);
	RUN(watchdog_syscall(0x4242));
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall);
	ck_assert_uint_eq(status_of(0)->rip, 0x4242);
	expect_alone(BF_ERR_EXT_OVERDUE);
}
END_TEST

/* Or it is the first of the next callback. */
START_TEST(overdue_no_more)
{
	struct trap_frame f = nmi_from(BF_SEL_KERNEL_CS);

	in_vmexit(_i);
	nmis(&f, status_of(0)->exits + 1);
	host_pp->exits++;
	RUN(watchdog_syscall(0x4242));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert_uint_eq(msr_get(cpu, MSR_LSTAR), (uint64_t)mk_syscall);
	ck_assert_uint_eq(status_of(0)->state, BF_PP_GUEST);
}
END_TEST

/* The start is undone. */
START_TEST(overdue_in_start)
{
	struct trap_frame f = nmi_from(BF_SEL_USER_CS);

	machine_of(_i);
	enter(0);
	nmis(&f, 1);
	RUN(watchdog_expired());
	ck_assert_int_eq(ended.end, END_LEFT);
	expect_failed(BF_ERR_EXT_OVERDUE);
	ck_assert_uint_eq(status_of(0)->detail, BF_CALLBACK_START);
	ck_assert_uint_eq(ended.sp->nmi_pending, 1);
}
END_TEST

START_TEST(nmi_in_root_mode)
{
	struct trap_frame f = { .vector = VECTOR_NMI,
				.cs = _i & 2 ? BF_SEL_USER_CS : BF_SEL_KERNEL_CS };

	in_vmexit(_i & 1);
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	ck_assert(host_pp->nmi_pending);
}
END_TEST

static struct trap_frame machine_check(uint64_t cs)
{
	return (struct trap_frame){ .vector = VECTOR_MC, .rip = EXT_ENTRY, .cs = cs };
}

/* What was injected into Linux at the last entry. */
static uint64_t injected(void)
{
	return m.vendor == BF_VENDOR_AMD ?
		       vmcb_of(host_pp->vs)->eventinj :
		       vmcs_get(host_pp->vs->block_spa, VMCS_vmentry_interrupt_information_field);
}

static void put_injected(uint64_t event)
{
	if (m.vendor == BF_VENDOR_AMD)
		vmcb_of(host_pp->vs)->eventinj = event;
	else
		vmcs_put(host_pp->vs->block_spa, VMCS_vmentry_interrupt_information_field, event);
}

#define INJECTED_MC 0x80000312
#define INJECTED_UD 0x80000306

/*
 * It goes to Linux at the next entry at which nothing else does; whatever it interrupted goes on.
 */
START_TEST(machine_check_in_root_mode)
{
	struct trap_frame f = machine_check(_i & 2 ? BF_SEL_USER_CS : BF_SEL_KERNEL_CS);

	in_vmexit(_i & 1);
	msr_set(cpu, MSR_MCG_STATUS, 5); /* MCIP, RIPV */
	RUN(trap_dispatch(&f));
	ck_assert_int_eq(ended.end, END_RETURNED);
	put_injected(INJECTED_UD);
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(injected(), INJECTED_UD);
	ck_assert(host_pp->mc_pending);
	put_injected(0);
	guest_exit(m.vendor == BF_VENDOR_AMD ? SVM_EXIT_CPUID : VMX_EXIT_NMI_WINDOW);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(injected(), INJECTED_MC);
	ck_assert_uint_eq(host_pp->owed, 0);
	/* another VS is none of its business */
	put_injected(0);
	guest_exit(exit_reason());
	RUN(trap_dispatch(&f));
	ck_assert_uint_eq(SYS(vs_create_vs, HANDLE, 0, 0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 0, 0, 1), NOT_RETURNED);
	ck_assert_uint_eq(injected(), 0);
	ck_assert(host_pp->mc_pending);
}
END_TEST

/* Linux leaves first: it is delivered on the way. */
START_TEST(machine_check_before_promote)
{
	struct trap_frame f = machine_check(BF_SEL_USER_CS);

	in_vmexit(_i);
	msr_set(cpu, MSR_MCG_STATUS, 5);
	RUN(trap_dispatch(&f));
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(ended.sp->mc_pending, 1);
	ck_assert_uint_eq(ended.sp->nmi_pending, 0);
	ck_assert_uint_eq(host_pp->owed, 0);
}
END_TEST

/* Together with an NMI, and with events of the extension's own: VMX. */
START_TEST(machine_check_and_nmi)
{
	struct trap_frame f = machine_check(BF_SEL_KERNEL_CS);
	struct trap_frame nmi = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	in_vmexit(_i);
	msr_set(cpu, MSR_MCG_STATUS, 5);
	RUN(trap_dispatch(&f));
	RUN(trap_dispatch(&nmi));
	SYS(vs_run_current, HANDLE);
	ck_assert_uint_eq(injected(), INJECTED_MC);
	ck_assert(!host_pp->mc_pending);
	put_injected(0);
	ck_assert_uint_eq(host_pp->nmi_pending, _i); /* on AMD it has been sent */
	if (!_i)
		return;
	/* it arrives behind the look at it: the window is the microkernel's */
	guest_exit(exit_reason());
	reg_write(0, MK1_INTEL_primary_proc_based_vm_execution_ctls,
		  reg_read(0, MK1_INTEL_primary_proc_based_vm_execution_ctls) |
			  VMX_PRIMARY_NMI_WINDOW);
	host_pp->nmi_pending = false;
	host_pp->mc_pending = true;
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_GUEST);
	host_pp->mc_pending = false;
	guest_exit(VMX_EXIT_NMI_WINDOW);
	ck_assert_int_eq(ended.end, END_RING3);
}
END_TEST

/* Without RIPV, or without knowing: what was interrupted is over. */
START_TEST(machine_check_that_ends)
{
	struct trap_frame f = machine_check(_i & 2 ? BF_SEL_USER_CS : BF_SEL_KERNEL_CS);

	in_vmexit(_i & 1);
	if (_i & 4)
		msr_set(cpu, MSR_MCG_STATUS, 4);
	RUN(trap_dispatch(&f));
	if (!(_i & 2)) {
		ck_assert_int_eq(ended.end, END_RESET);
		return;
	}
	ck_assert_uint_eq(injected(), INJECTED_MC);
	ck_assert_uint_eq(status_of(0)->detail, VECTOR_MC);
	expect_alone(BF_ERR_EXT_FAULT);
}
END_TEST

/* The task register of Linux: limits in bytes and in pages, and selectors that are none. */
START_TEST(task_register)
{
	static const struct {
		uint16_t selector;
		uint32_t limit;
		bool loaded;
	} cases[] = { { 0x40, 0x206F, true }, { 0x40, 0x12345FFF, true }, { 0, 0x67, false },
		      { 0x7, 0x67, false },   { 0x1F0, 0x67, true },	  { 0x1F8, 0x67, false },
		      { 0xFFF8, 0x67, false } };
	const struct bf_segment *tr;
	uint16_t before;

	in_vmexit(0);
	tr = &m.switch_pages[0]->cpu.tr;
	before = cpu->tr;
	vmcb_of(host_pp->vs)->tr.selector = cases[_i].selector;
	vmcb_of(host_pp->vs)->tr.limit = cases[_i].limit;
	SYS(vs_promote, HANDLE, 0);
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(cpu->tr, cases[_i].loaded ? tr->selector : before);
	if (cases[_i].loaded) {
		uint64_t desc = host_pp->linux_gdt[tr->selector >> 3];
		uint64_t limit = (desc & 0xFFFF) | (desc >> 32 & 0xF0000);

		if (desc >> 55 & 1)
			limit = limit << 12 | 0xFFF;
		ck_assert_uint_eq(limit, tr->limit);
		ck_assert_uint_eq((desc >> 16 & 0xFFFFFF) | (desc >> 56) << 24 |
					  host_pp->linux_gdt[(tr->selector >> 3) + 1] << 32,
				  tr->base);
	}
}
END_TEST

static unsigned int debugctl_writes;

static void count_debugctl(enum insn insn, uint64_t msr)
{
	debugctl_writes += insn == INSN_WRMSR && msr == MSR_DEBUGCTL;
}

/* Not before the CPU has Linux's page tables (VMX: switch.S); on SVM it is Linux's all the time. */
START_TEST(debugctl)
{
	in_vmexit(_i > 0);
	if (_i == 0)
		msr_set(cpu, MSR_DEBUGCTL, 1);
	if (_i == 2)
		vmcs_put(host_pp->vs->block_spa, VMCS_debugctl, 1);
	debugctl_writes = 0;
	cpu_watch = count_debugctl;
	SYS(vs_promote, HANDLE, 0);
	cpu_watch = NULL;
	ck_assert_int_eq(ended.end, END_LEFT);
	ck_assert_uint_eq(debugctl_writes, 0);
	ck_assert_uint_eq(m.switch_pages[0]->cpu.debugctl, _i == 2);
}
END_TEST

TCase *fail_tests(void)
{
	TCase *tc = tcase_create("fail");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, promote_gives_linux_back, 0, 2);
	tcase_add_loop_test(tc, promote_in_the_bootstrap_callback, 0, 2);
	tcase_add_loop_test(tc, stop, 0, 2);
	tcase_add_loop_test(tc, fail_callback_and_again, 0, 4);
	tcase_add_loop_test(tc, fault_in_the_fail_callback, 0, 2);
	tcase_add_loop_test(tc, exit_in_the_fail_callback, 0, 2);
	tcase_add_loop_test(tc, fault_without_a_fail_callback, 0, 2);
	tcase_add_loop_test(tc, fault_in_start, 0, 2);
	tcase_add_loop_test(tc, linux_does_not_keep_half_a_change, 0, 2);
	tcase_add_loop_test(tc, linux_keeps_its_registers, 0, 4);
	tcase_add_loop_test(tc, debug_trap_in_ring_0, 0, 2);
	tcase_add_loop_test(tc, bus_lock_in_ring_3, 0, 2);
	tcase_add_loop_test(tc, failing_twice, 0, 2);
	tcase_add_loop_test(tc, linux_does_not_keep_half_a_change_for_later, 0, 8);
	tcase_add_loop_test(tc, what_was_refused_is_undone, 0, 4);
	tcase_add_loop_test(tc, an_event_that_was_refused_is_undone, 0, 2);
	tcase_add_loop_test(tc, registers_after_a_failed_launch, 0, 2);
	tcase_add_loop_test(tc, alone_without_a_vpid, 0, 2);
	tcase_add_loop_test(tc, nothing_runs_in_start, 0, 4);
	tcase_add_loop_test(tc, the_fail_callback_of_bootstrap_may_run, 0, 2);
	tcase_add_loop_test(tc, again_where_nothing_can_be, 0, 2);
	tcase_add_loop_test(tc, alignment_check_of_ring_3, 0, 2);
	tcase_add_loop_test(tc, cpuid_that_faults, 0, 2);
	tcase_add_loop_test(tc, gp_of_other_instructions, 0, 3);
	tcase_add_loop_test(tc, fault_of_the_microkernel, 0, 2);
	tcase_add_loop_test(tc, overdue_in_ring3, 0, 2);
	tcase_add_loop_test(tc, not_overdue, 0, 2);
	tcase_add_loop_test(tc, overdue_in_ring0, 0, 2);
	tcase_add_loop_test(tc, overdue_no_more, 0, 2);
	tcase_add_loop_test(tc, overdue_in_start, 0, 2);
	tcase_add_loop_test(tc, nmi_in_root_mode, 0, 4);
	tcase_add_loop_test(tc, machine_check_in_root_mode, 0, 4);
	tcase_add_loop_test(tc, machine_check_before_promote, 0, 2);
	tcase_add_loop_test(tc, machine_check_and_nmi, 0, 2);
	tcase_add_loop_test(tc, machine_check_that_ends, 0, 8);
	tcase_add_loop_test(tc, task_register, 0, 7);
	tcase_add_loop_test(tc, debugctl, 0, 3);
	return tc;
}
