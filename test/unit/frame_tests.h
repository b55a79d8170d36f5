/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks of an extension, the same on both vendors. Whoever includes this has defined msr_exit,
 * fault_exit, io_exit, exit_with, CPUID_EXIT, EVENT, INJECTED_GP, REG(name); STEPPED, whether Linux
 * executes one instruction, STEPPED_EXIT, by which that ends, INTERRUPTED, the event that an exit
 * interrupted, and RECALLED, the exit for what another PP has changed.
 */
#ifndef TEST_FRAME_TESTS_H
#define TEST_FRAME_TESTS_H

static struct {
	unsigned int exits, cpuids, reads, writes, outs;
	struct ext_fault memory;
	struct ext_io io;
	struct ext_cr cr;
	struct ext_dr dr;
	struct ext_exception exception;
	unsigned int crs, drs;
	bool mine, again;
	bool every_exit; /* the first hook answers it */
	uint8_t fault;
	uint64_t value;
} hooked;

static bool ends(struct ext_exit *e)
{
	e->fault = hooked.fault;
	e->again = hooked.again;
	return hooked.mine;
}

static bool on_exit_hook(struct ext_exit *e)
{
	hooked.exits++;
	return hooked.every_exit && ends(e);
}

static bool on_cpuid(struct ext_exit *e, UNUSED uint32_t leaf, UNUSED uint32_t subleaf,
		     struct cpuid_regs *regs)
{
	hooked.cpuids++;
	regs->ebx = 0x12345678;
	return ends(e);
}

static bool on_rdmsr(struct ext_exit *e, UNUSED uint32_t msr, uint64_t *value)
{
	hooked.reads++;
	*value = 0x1122334455667788;
	return ends(e);
}

static bool on_wrmsr(struct ext_exit *e, UNUSED uint32_t msr, uint64_t value)
{
	hooked.writes++;
	hooked.value = value;
	return ends(e);
}

static bool on_fault(struct ext_exit *e, const struct ext_fault *memory)
{
	hooked.memory = *memory;
	return ends(e);
}

static bool on_io(struct ext_exit *e, const struct ext_io *io, uint32_t *value)
{
	hooked.io = *io;
	if (io->in)
		*value = 0x12345678;
	else
		hooked.value = *value;
	return ends(e);
}

static bool on_cr(struct ext_exit *e, const struct ext_cr *cr)
{
	hooked.crs++;
	hooked.cr = *cr;
	return ends(e);
}

static bool on_dr(struct ext_exit *e, const struct ext_dr *dr, uint64_t *value)
{
	hooked.drs++;
	hooked.dr = *dr;
	hooked.value = *value;
	*value = 0x1122334455667788;
	return ends(e);
}

static bool on_exception(struct ext_exit *e, const struct ext_exception *exception)
{
	hooked.exception = *exception;
	return ends(e);
}

static bool on_hypercall(struct ext_exit *e, struct ext_hypercall *call)
{
	hooked.value = call->rdx;
	call->rax++;
	call->rcx = 0;
	return ends(e);
}

static void on_cpu_out(UNUSED uint64_t vsid)
{
	hooked.outs++;
}

static const struct ext_ops all_hooks = { .exit = on_exit_hook,
					  .cpuid = on_cpuid,
					  .rdmsr = on_rdmsr,
					  .wrmsr = on_wrmsr,
					  .nested_fault = on_fault,
					  .io = on_io,
					  .cr = on_cr,
					  .dr = on_dr,
					  .hypercall = on_hypercall,
					  .exception = on_exception,
					  .cpu_out = on_cpu_out };

static void with_hooks(void)
{
	memset(&hooked, 0, sizeof(hooked));
	hooks = &all_hooks;
	hooks_see_all = true;
}

static enum ended cpuid_exit(uint32_t leaf)
{
	fake.gpr[BF_RAX] = leaf;
	fake.gpr[BF_RCX] = 0;
	return exit_with(CPUID_EXIT);
}

START_TEST(cpuid_hook)
{
	uint32_t ebx = cpuid(0, 0).ebx;

	with_hooks();
	ck_assert_int_eq(cpuid_exit(0), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RBX], ebx); /* not its */
	hooked.fault = EXT_FAULT_GP; /* nor is how it ends */
	hooked.again = true;
	ck_assert_int_eq(cpuid_exit(0), RESUMED_NEXT);
	hooked.fault = 0;
	hooked.again = false;
	hooked.mine = true;
	ck_assert_int_eq(cpuid_exit(0), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RBX], 0x12345678);
	ck_assert_uint_eq(hooked.cpuids, 3);
	ck_assert_uint_eq(hooked.exits, 3);
	hooked.again = true;
	ck_assert_int_eq(cpuid_exit(0), RESUMED);
	hooked.again = false;
	hooked.fault = EXT_FAULT_GP;
	EVENT = 0;
	ck_assert_int_eq(cpuid_exit(0), RESUMED);
	ck_assert_uint_eq(EVENT, INJECTED_GP);
	/* nothing keeps the loader from its CPU */
	fake.gpr[BF_RAX] = MK1_CPUID_LEAF;
	fake.gpr[BF_RCX] = MK1_CPUID_STOP;
	ck_assert_int_eq(exit_with(CPUID_EXIT), PROMOTED);
	ck_assert_uint_eq(hooked.cpuids, 5);
	ck_assert_uint_eq(hooked.outs, 1);
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

START_TEST(msr_hooks)
{
	with_hooks();
	fake.reg[REG(lstar)] = 0xFFFFFFFF81000000;
	ck_assert_int_eq(msr_exit(MSR_LSTAR, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 0x81000000);
	ck_assert_uint_eq(fake.gpr[BF_RDX], 0xFFFFFFFF);
	ck_assert_int_eq(msr_exit(MSR_LSTAR, true, 0xFFFFFFFF82000000), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[REG(lstar)], 0xFFFFFFFF82000000);
	ck_assert_uint_eq(hooked.value, 0xFFFFFFFF82000000);
	hooked.mine = true;
	ck_assert_int_eq(msr_exit(MSR_LSTAR, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 0x55667788);
	ck_assert_uint_eq(fake.gpr[BF_RDX], 0x11223344);
	ck_assert_int_eq(msr_exit(MSR_LSTAR, true, 1), RESUMED_NEXT);
	ck_assert_uint_eq(fake.reg[REG(lstar)], 0xFFFFFFFF82000000);
	/* an exception leaves the registers alone */
	hooked.fault = EXT_FAULT_GP;
	EVENT = 0;
	ck_assert_int_eq(msr_exit(MSR_LSTAR, false, 0x99), RESUMED);
	ck_assert_uint_eq((uint32_t)fake.gpr[BF_RAX], 0x99);
	ck_assert_uint_eq(EVENT, INJECTED_GP);
	ck_assert_uint_eq(hooked.reads, 3);
	ck_assert_uint_eq(hooked.writes, 2);
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

/* What WRMSR refuses, the frame refuses. */
START_TEST(msrs_of_the_vs)
{
	static const struct {
		uint32_t msr;
		uint64_t bad;
	} cases[] = {
		{ MSR_LSTAR, 0x0200000000000000 },   { MSR_CSTAR, 0x8000000000000000 },
		{ MSR_FS_BASE, 0x0200000000000000 }, { MSR_GS_BASE, 0x0200000000000000 },
		{ MSR_PAT, 0x0000000000000008 },     { MSR_PAT, 0x0200000000000000 },
		{ MSR_SYSENTER_EIP, 1ull << 62 },    { MSR_KERNEL_GS_BASE, 1ull << 62 },
	};
	uint64_t value;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EVENT = 0;
		ck_assert_int_eq(msr_exit(cases[i].msr, true, cases[i].bad), RESUMED);
		ck_assert_uint_eq(EVENT, INJECTED_GP);
	}
	ck_assert(ext_msr_write(0, MSR_PAT, 0x0007040600070406));
	ck_assert_uint_eq(fake.reg[REG(pat)], 0x0007040600070406);
	ck_assert(ext_msr_write(0, MSR_FMASK, 0xFFFFFFFF00047700));
	ck_assert_uint_eq(fake.reg[REG(fmask)], 0x47700);
	ck_assert(ext_msr_write(0, MSR_GS_BASE, 0xFFFF888000000000));
	ck_assert(ext_msr_read(0, MSR_GS_BASE, &value));
	ck_assert_uint_eq(value, 0xFFFF888000000000);
	ck_assert_uint_eq(ext_reg_read(0, EXT_REG_gs_base), value);
	/* in neither place */
	ck_assert(!ext_msr_write(0, 0x6E0, 0));
}
END_TEST

START_TEST(what_can_exit)
{
	ck_assert(ext_msr_intercept(MSR_LSTAR, EXT_MSR_READ | EXT_MSR_WRITE));
	ck_assert(ext_msr_intercept(MSR_SYSENTER_EIP, EXT_MSR_WRITE));
	ck_assert(ext_msr_intercept(MSR_TSC, EXT_MSR_READ));
	ck_assert_str_eq(fake.text, "");
	ck_assert(!ext_msr_intercept(MSR_TSC, EXT_MSR_WRITE));
	ck_assert_ptr_nonnull(strstr(fake.text, "MSR 0x10 cannot be intercepted for writing"));
	ck_assert(!ext_msr_intercept(0x6E0, EXT_MSR_READ));
	ck_assert_ptr_nonnull(strstr(fake.text, "MSR 0x6e0 cannot be intercepted for reading"));
	ck_assert(!ext_msr_intercept(MSR_LSTAR, 0));
}
END_TEST

/* Linux executes what it did with nothing watched, whatever a hook that is not its says. */
START_TEST(memory_hook)
{
	with_hooks();
	/* nobody has asked for it */
	ck_assert_int_eq(fault_exit(0x7008, EXT_WRITE), EXITED);
	ck_assert_ptr_nonnull(strstr(fake.text, "unexpected exit"));
	ck_assert(watch_memory() && watch_begin(0));
	ck_assert_uint_eq(fake.view, 1);
	for (unsigned int access = EXT_READ; access <= EXT_EXECUTE; access <<= 1) {
		hooked.mine = access == EXT_WRITE;
		ck_assert_int_eq(fault_exit(0x7008, access), RESUMED);
		ck_assert_uint_eq(hooked.memory.gpa, 0x7008);
		ck_assert_uint_eq(hooked.memory.access, access);
		ck_assert(STEPPED);
		ck_assert_uint_eq(fake.view, 0);
		ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
		ck_assert(!STEPPED);
		ck_assert_uint_eq(fake.view, 1);
	}
	hooked.mine = hooked.again = true;
	ck_assert_int_eq(fault_exit(0x7008, EXT_WRITE), RESUMED);
	ck_assert(!STEPPED);
	hooked.again = false;
	hooked.fault = EXT_FAULT_GP;
	EVENT = 0;
	ck_assert_int_eq(fault_exit(0x7008, EXT_WRITE), RESUMED);
	ck_assert(!STEPPED);
	ck_assert_uint_eq(EVENT, INJECTED_GP);
	/* in the delivery of an interrupt, that is delivered again instead */
	EVENT = 0;
	INTERRUPTED = 0x80000030;
	ck_assert_int_eq(fault_exit(0x7008, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(EVENT, 0x80000030);
	ck_assert_uint_eq(fake.view, 0);
	/* also by the hook of all exits, which has no instruction to go on behind */
	hooked.every_exit = true;
	for (hooked.fault = 0; hooked.fault <= EXT_FAULT_GP; hooked.fault += EXT_FAULT_GP) {
		EVENT = 0;
		ck_assert_int_eq(fault_exit(0x7008, EXT_WRITE), RESUMED);
		ck_assert_uint_eq(EVENT, 0x80000030);
		ck_assert_uint_eq(fake.view, 0); /* else it would fault again */
	}
	hooked.again = true;
	fake.view = 1;
	ck_assert_int_eq(fault_exit(0x7008, EXT_WRITE), RESUMED);
	ck_assert_uint_eq(fake.view, 1);
	hooked.again = false;
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

START_TEST(what_is_watched)
{
	ck_assert(ext_watch(0x8000, 0x1000, EXT_WRITE));
	ck_assert_uint_eq(fake.view_set.flags, MK2_NESTED_R | MK2_NESTED_X);
	ck_assert(ext_watch(0x8000, 0x1000, EXT_EXECUTE));
	ck_assert_uint_eq(fake.view_set.flags, MK2_NESTED_R | MK2_NESTED_W);
	ck_assert(ext_watch(0x8000, 0x1000, EXT_READ)); /* and this fake has no pages of X alone */
	ck_assert_uint_eq(fake.view_set.flags, 0);
	ck_assert(ext_watch(0x8000, 0x201000, EXT_WRITE));
	ck_assert_uint_eq(fake.view_set.gpa, 0x208000);
	ck_assert_uint_eq(fake.view_set.size, 0x1000);
	ck_assert(ext_unwatch(0x8000, 0x1000));
	ck_assert_uint_eq(fake.view_set.flags, MK2_NESTED_RWX);
	ck_assert_str_eq(fake.text, "");
	ck_assert(!ext_watch(0x8000, 0, EXT_WRITE));
	fake.view_status = MK1_INVALID_PERM_DENIED;
	ck_assert(!ext_watch(0x8000, 0x1000, EXT_WRITE));
	ck_assert_ptr_nonnull(strstr(fake.text, "it is the hypervisor's"));
	ck_assert(!ext_unwatch(0x8000, 0x1000));
	memory = false;
	ck_assert(!watch_memory());
	ck_assert_ptr_nonnull(strstr(fake.text, "memory cannot be watched"));
}
END_TEST

START_TEST(port_hook)
{
	const uint8_t *map;

	with_hooks();
	ck_assert(ext_watch_io(0x70, 2));
	map = fake.memory[2];
	ck_assert_uint_eq(map[0x70 / 8], 3);
	ck_assert(watch_begin(0));
	fake.gpr[BF_RAX] = 0xAABBCCDDEEFF0011;
	ck_assert_int_eq(io_exit(0x70, false), RESUMED);
	ck_assert_uint_eq(hooked.value, 0x11);
	ck_assert_uint_eq(hooked.io.port, 0x70);
	ck_assert_uint_eq(hooked.io.size, 1);
	ck_assert(STEPPED);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	hooked.mine = true;
	ck_assert_int_eq(io_exit(0x71, false), RESUMED_NEXT);
	ck_assert(!STEPPED);
	ck_assert_int_eq(io_exit(0x71, true), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 0xAABBCCDDEEFF0078);
	EVENT = 0;
	hooked.fault = EXT_FAULT_GP;
	ck_assert_int_eq(io_exit(0x71, true), RESUMED);
	ck_assert_uint_eq(EVENT, INJECTED_GP);
	ck_assert(!ext_watch_io(0, 0));
	ck_assert(!ext_watch_io(0x10000, 1));
	ck_assert(!ext_watch_io(0xFFFF, 2));
	ck_assert(ext_watch_io(0xFFFF, 1));
	ck_assert_uint_eq(map[0x1FFF], 0x80);
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

/* Linux executes what nobody has answered, with nothing watched. */
START_TEST(cr_hook)
{
	with_hooks();
	fake.code_bytes = 1;
	ck_assert(ext_watch_cr(0x19));
	ck_assert(watch_begin(0));
	ck_assert(EXITS_OF_CR0);
	ck_assert_int_eq(cr_exit(0, 0x80040033), RESUMED);
	ck_assert_uint_eq(hooked.cr.number, 0);
	ck_assert_uint_eq(hooked.cr.old, 0x80050033);
	ck_assert_uint_eq(hooked.cr.value, 0x80040033);
	ck_assert(STEPPED);
	ck_assert(!EXITS_OF_CR0);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	ck_assert(!STEPPED);
	ck_assert(EXITS_OF_CR0);
	/* what changes nothing is no write; of CR3 it is one */
	ck_assert_int_eq(cr_exit(0, 0x80050033), RESUMED);
	ck_assert_uint_eq(hooked.crs, 1);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	fake.reg[REG(cr3)] = 0x1000;
	ck_assert_int_eq(cr_exit(3, 0x1000), RESUMED);
	ck_assert_uint_eq(hooked.crs, 2);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	hooked.mine = true;
	ck_assert_int_eq(cr_exit(0, 0x80040033), RESUMED_NEXT);
	ck_assert(!STEPPED);
	hooked.fault = EXT_FAULT_GP;
	EVENT = 0;
	ck_assert_int_eq(cr_exit(0, 0x80040033), RESUMED);
	ck_assert_uint_eq(EVENT, INJECTED_GP);
	ck_assert(!STEPPED);
	ck_assert(!ext_watch_cr(0));
	ck_assert(!ext_watch_cr(0x4));
	ck_assert_ptr_nonnull(strstr(fake.text, "CR by the mask 0x4 cannot be watched"));
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

/* Linux runs on this PP, and what is watched may change. */
static void run_live(void)
{
	with_hooks();
	fake.code_bytes = 1;
	fake.vsid = (uint16_t)MK1_INVALID_ID;
	ck_assert(ext_watch_live());
	ck_assert(live_begin());
	ck_assert(fake.attached);
	fake.vsid = 0;
	live_has(0);
	ck_assert(watch_begin(0));
}

/* Before Linux runs nobody is told; then each other PP is, and this one has it already. */
START_TEST(live_changes)
{
	run_live();
	has_vs = false;
	fake.vsid = (uint16_t)MK1_INVALID_ID;
	ck_assert(ext_watch_exceptions(1u << VECTOR_NM));
	ck_assert_uint_eq(fake.recalls, 0);
	fake.vsid = 0;
	live_has(0);
	ck_assert(!EXITS_OF_CR0);
	ck_assert(ext_watch_cr(0x1));
	ck_assert(EXITS_OF_CR0);
	ck_assert_uint_eq(fake.recalls, 2);
	ck_assert(ext_watch_exceptions(1u << VECTOR_UD));
	ck_assert_uint_eq(EXITING_EXCEPTIONS & (1u << VECTOR_UD), 1u << VECTOR_UD);
	ck_assert_uint_eq(fake.recalls, 4);
	ck_assert(ext_watch(0x8000, 0x1000, EXT_WRITE) && ext_unwatch(0x8000, 0x1000));
	ck_assert_uint_eq(fake.view, 1);
	ck_assert_uint_eq(fake.recalls, 8);
	ck_assert(ext_msr_intercept(MSR_LSTAR, EXT_MSR_WRITE));
	ck_assert_uint_eq(fake.recalls, 10);
	ck_assert(ext_watch_dr(0x80) && ext_watch_io(0x80, 1));
	ck_assert(DRS_EXIT && IO_EXITS);
	ck_assert_uint_eq(fake.recalls, 14);
	ck_assert_uint_eq(fake.hooks_applied, 7);
	ck_assert_str_eq(fake.text, "");
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

/* Another PP has changed something: in that exit this one has it, and Linux goes on. */
START_TEST(live_recall)
{
	run_live();
	access_watch(0x1, 0);
	ck_assert(watch_ports(0x80, 1));
	ck_assert(!EXITS_OF_CR0 && !IO_EXITS);
	ck_assert_int_eq(exit_with(RECALLED), RESUMED);
	ck_assert(EXITS_OF_CR0 && IO_EXITS);
	ck_assert_uint_eq(hooked.exits, 0);
	/* a step is over with it, and done again */
	ck_assert(watch_memory());
	ck_assert_int_eq(fault_exit(0x7008, EXT_WRITE), RESUMED);
	ck_assert(STEPPED && !EXITS_OF_CR0 && !IO_EXITS);
	ck_assert_int_eq(exit_with(RECALLED), RESUMED);
	ck_assert(!STEPPED && EXITS_OF_CR0 && IO_EXITS);
	ck_assert_uint_eq(fake.view, 1);
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

START_TEST(live_refusals)
{
	with_hooks();
	fake.vsid = 0;
	ck_assert(!ext_watch_live());
	ck_assert_ptr_nonnull(strstr(fake.text, "ext_watch_live is for ext_start"));
	ck_assert(!ext_watch_io(0x80, 1));
	ck_assert_ptr_nonnull(strstr(fake.text, "Linux runs already"));
	ck_assert(!ext_watch_cr(1));
	/* nobody has asked for it: the exit is one like any other */
	ck_assert_int_eq(exit_with(RECALLED), EXITED);
	ck_assert_uint_eq(fake.recalls, 0);
	run_live();
	fake.text[0] = 0;
	fake.recall_status = MK2_FAILURE_BUSY;
	fake.busy_recalls = 100;
	ck_assert(!ext_watch(0x8000, 0x1000, EXT_WRITE));
	ck_assert_ptr_nonnull(strstr(fake.text, "PP 2 sees it later: its Linux is in the handler"));
	/* it takes as long as others give a PP, and no longer than the watchdog does */
	ck_assert_uint_eq(100 - fake.busy_recalls, 11);
	ck_assert_uint_eq(fake.more_ns, 2000000000);
	fake.text[0] = 0;
	fake.busy_recalls = 3;
	ck_assert(ext_watch(0x8000, 0x1000, EXT_WRITE));
	ck_assert_str_eq(fake.text, "");
	fake.recall_status = MK1_INVALID_PERM_DENIED;
	ck_assert(!ext_watch(0x8000, 0x1000, EXT_WRITE));
	ck_assert_ptr_nonnull(strstr(fake.text, "later: the right \"linux\" is missing"));
	fake.recall_status = MK1_FAILURE_UNKNOWN;
	ck_assert(!ext_watch(0x8000, 0x1000, EXT_WRITE));
	ck_assert_ptr_nonnull(strstr(fake.text, "PP 2 sees it later: it cannot be recalled"));
	fake.fail_at = fake.calls + 1;
	ck_assert(!live_begin());
	ck_assert_ptr_nonnull(strstr(fake.text, "Linux cannot be recalled"));
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

START_TEST(dr_hook)
{
	with_hooks();
	fake.code_bytes = 1;
	ck_assert(ext_watch_dr(0x80));
	ck_assert(watch_begin(0));
	ck_assert(DRS_EXIT);
	ck_assert_int_eq(dr_exit(7, true, 0x400), RESUMED);
	ck_assert_uint_eq(hooked.value, 0x400);
	ck_assert_uint_eq(hooked.dr.number, 7);
	ck_assert(hooked.dr.write);
	ck_assert(STEPPED && !DRS_EXIT);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	ck_assert(DRS_EXIT);
	hooked.mine = true;
	ck_assert_int_eq(dr_exit(5, false, 0), RESUMED_NEXT);
	ck_assert_uint_eq(hooked.dr.number, 7);
	ck_assert(!hooked.dr.write);
	ck_assert_uint_eq(fake.gpr[BF_RSI], 0x1122334455667788);
	/* nobody wants to know of these, and DR5 is #UD */
	ck_assert_int_eq(dr_exit(3, true, 0), RESUMED);
	ck_assert(STEPPED);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	fake.reg[REG(cr4)] |= CR4_DE;
	ck_assert_int_eq(dr_exit(5, false, 0), RESUMED);
	ck_assert(STEPPED);
	ck_assert_int_eq(exit_with(STEPPED_EXIT), RESUMED);
	ck_assert_uint_eq(hooked.drs, 2);
	ck_assert(!ext_watch_dr(0x10));
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

START_TEST(hypercall_hook)
{
	with_hooks();
	fake.gpr[BF_RAX] = 0x100;
	fake.gpr[BF_RCX] = 1;
	fake.gpr[BF_RDX] = 2;
	EVENT = 0;
	ck_assert_int_eq(exit_with(HYPERCALL_EXIT), RESUMED);
	ck_assert_uint_eq(EVENT, INJECTED_UD);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 0x100);
	ck_assert_uint_eq(fake.gpr[BF_RCX], 1);
	ck_assert_uint_eq(hooked.value, 2);
	hooked.mine = true;
	ck_assert_int_eq(exit_with(HYPERCALL_EXIT), RESUMED_NEXT);
	ck_assert_uint_eq(fake.gpr[BF_RAX], 0x101);
	ck_assert_uint_eq(fake.gpr[BF_RCX], 0);
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

/* An exception of the extension's own, unless something else is to be delivered. */
START_TEST(exception_of_the_extension)
{
	const uint32_t other = 0x80000300; /* an exception */
	struct ext_exception x = { .vector = VECTOR_PF, .error_code = 0x15, .address = 0x7000 };
	struct ext_exit e = { 0 };
	static const uint8_t not_these[] = { VECTOR_NMI, VECTOR_BP, VECTOR_DF, VECTOR_MC, 32, 255 };

	fake.reg[REG(cr0)] = CR0_PE;
	fake.reg[REG(rflags)] = 0x202;
	fake.reg[REG(cr2)] = 0;
	EVENT = 0;
	INTERRUPTED = 0x80000030;
	ck_assert(ext_inject_exception(&e, &x) && !e.again);
	ck_assert_uint_eq(EVENT, 0);
	ck_assert_uint_eq(fake.reg[REG(cr2)], 0);
	INTERRUPTED = 0;
	ck_assert_ptr_null(ext_inject_exception(&e, &x));
	ck_assert(e.again);
	e.again = false;
	ck_assert_uint_eq((uint32_t)EVENT, other | 0x800 | VECTOR_PF);
	ck_assert_uint_eq(ERROR_CODE, 0x15);
	ck_assert_uint_eq(fake.reg[REG(cr2)], 0x7000);
	ck_assert_uint_eq(fake.reg[REG(rflags)], 0x202 | RFLAGS_RF);
	x.vector = VECTOR_GP;
	ck_assert(ext_inject_exception(&e, &x) && !e.again);
	ck_assert_uint_eq((uint32_t)EVENT, other | 0x800 | VECTOR_PF);
	EVENT = 0;
	fake.reg[REG(cr0)] = 0; /* real mode */
	ck_assert_ptr_null(ext_inject_exception(&e, &x));
	ck_assert(e.again);
	e.again = false;
	ck_assert_uint_eq((uint32_t)EVENT, other | VECTOR_GP);
	EVENT = 0;
	for (unsigned int i = 0; i < sizeof(not_these); i++) {
		x.vector = not_these[i];
		ck_assert(ext_inject_exception(&e, &x) && !e.again);
	}
	x = (struct ext_exception){ .vector = VECTOR_GP, .error_code = 0x10000 };
	ck_assert(ext_inject_exception(&e, &x) && !e.again);
	ck_assert_uint_eq(EVENT, 0);
}
END_TEST

/* So is an interrupt, which Linux takes only if it has them on. */
START_TEST(interrupt_of_the_extension)
{
	struct ext_exit e = { 0 };

	fake.reg[REG(rflags)] = 0x202;
	SHADOW = EVENT = 0;
	INTERRUPTED = 0x80000030;
	ck_assert_ptr_nonnull(ext_inject_interrupt(&e, 0x20));
	INTERRUPTED = 0;
	ck_assert_ptr_nonnull(ext_inject_interrupt(&e, 31));
	fake.reg[REG(rflags)] = 0x2;
	ck_assert_ptr_nonnull(ext_inject_interrupt(&e, 0x20));
	fake.reg[REG(rflags)] = 0x202;
	SHADOW = 1;
	ck_assert_ptr_nonnull(ext_inject_interrupt(&e, 0x20));
	ck_assert_uint_eq(EVENT, 0);
	SHADOW = 0;
	fake.reg[REG(rflags)] = 0x302;
	ck_assert_ptr_nonnull(ext_inject_interrupt(&e, 0x20));
	ck_assert_uint_eq(EVENT, 0);
	fake.reg[REG(rflags)] = 0x202;
	ck_assert_ptr_null(ext_inject_interrupt(&e, 0xF2));
	ck_assert(!e.again);
	ck_assert_uint_eq(EVENT, 0x800000F2);
	ck_assert_uint_eq(fake.reg[REG(rflags)], 0x202);
	ck_assert_ptr_nonnull(ext_inject_interrupt(&e, 0xF3));
	ck_assert_uint_eq(EVENT, 0x800000F2);
}
END_TEST

/* What the fault, with error code 6 at 0x123000, leads to after an interrupted event. */
static void expect_delivered(uint8_t vector, uint64_t interrupted, uint64_t event)
{
	INTERRUPTED = interrupted;
	EVENT = 0;
	fake.reg[REG(rflags)] = 0x202;
	ck_assert_int_eq(exception_exit(vector, 6, 0x123000), RESUMED);
	ck_assert_uint_eq((uint32_t)EVENT, event);
	ck_assert_uint_eq(fake.reg[REG(rflags)], 0x202 | RFLAGS_RF);
	ck_assert_uint_eq(hooked.exception.vector, vector);
}

START_TEST(exception_hook)
{
	const uint32_t other = 0x80000300; /* an exception */

	with_hooks();
	ck_assert(ext_watch_exceptions(1u << VECTOR_PF | 1u << VECTOR_UD | 1u << VECTOR_NP));
	ck_assert(watch_begin(0));
	expect_delivered(VECTOR_PF, 0, other | 0x800 | VECTOR_PF);
	ck_assert_uint_eq(ERROR_CODE, 6);
	ck_assert_uint_eq(fake.reg[REG(cr2)], 0x123000);
	ck_assert(hooked.exception.has_error_code);
	ck_assert_uint_eq(hooked.exception.error_code, 6);
	ck_assert_uint_eq(hooked.exception.address, 0x123000);
	expect_delivered(VECTOR_UD, 0, other | VECTOR_UD);
	/* after an interrupt, a benign exception, a contributory one and #PF */
	expect_delivered(VECTOR_PF, 0x80000030, other | 0x800 | VECTOR_PF);
	expect_delivered(VECTOR_PF, other | VECTOR_UD, other | 0x800 | VECTOR_PF);
	expect_delivered(VECTOR_PF, other | VECTOR_NP, other | 0x800 | VECTOR_PF);
	expect_delivered(VECTOR_NP, other | VECTOR_NP, other | 0x800 | VECTOR_DF);
	ck_assert_uint_eq(ERROR_CODE, 0);
	expect_delivered(VECTOR_PF, other | VECTOR_PF, other | 0x800 | VECTOR_DF);
	expect_delivered(VECTOR_UD, other | VECTOR_PF, other | VECTOR_UD);
	INTERRUPTED = other | VECTOR_DF;
	ck_assert_int_eq(exception_exit(VECTOR_PF, 6, 0x123000), EXITED);
	/* a hook's: the instruction is executed again, and what was being delivered, delivered */
	hooked.mine = true;
	hooked.fault = EXT_FAULT_GP;
	INTERRUPTED = 0x80000030;
	EVENT = 0;
	ck_assert_int_eq(exception_exit(VECTOR_PF, 6, 0x123000), RESUMED);
	ck_assert_uint_eq(EVENT, 0x80000030);
	INTERRUPTED = 0;
	EVENT = 0;
	ck_assert_int_eq(exception_exit(VECTOR_PF, 6, 0x123000), RESUMED);
	ck_assert_uint_eq(EVENT, INJECTED_GP);
	hooked.fault = 0;
	EVENT = 0;
	ck_assert_int_eq(exception_exit(VECTOR_PF, 6, 0x123000), RESUMED);
	ck_assert_uint_eq(EVENT, 0);
	ck_assert_int_eq(exception_exit(VECTOR_NM, 0, 0), EXITED); /* nobody's */
	ck_assert(!ext_watch_exceptions(1u << VECTOR_MC));
	ck_assert_ptr_nonnull(strstr(fake.text, "exceptions by the mask 0x40000 cannot be"));
	hooks = &none;
	hooks_see_all = false;
}
END_TEST

static const struct {
	uint8_t bytes[12];
	uint8_t n;
	bool mode64, good;
	struct access_insn insn;
} insns[] = {
	/* mov %r9, %cr4; with prefixes; with a REX that does not count, and one too short */
	{ { 0x41, 0x0F, 0x22, 0xE1 }, 4, true, true, { .gpr = 9, .length = 4 } },
	{ { 0x66, 0xF0, 0x41, 0x0F, 0x22, 0xE1 }, 6, true, true, { .gpr = 9, .length = 6 } },
	{ { 0x41, 0x66, 0x0F, 0x22, 0xE1 }, 5, true, true, { .gpr = 1, .length = 5 } },
	{ { 0x41 }, 1, true, false, { 0 } },
	{ { 0x41, 0x0F, 0x22 }, 3, true, false, { 0 } },
	{ { 0x41, 0x0F, 0x22, 0xE1 }, 4, false, false, { 0 } }, /* inc %ecx */
	{ { 0x0F, 0x21, 0xF8 }, 3, false, true, { .length = 3 } }, /* mov %dr7, %eax */
	{ { 0x0F, 0xA2 }, 2, true, false, { 0 } }, /* cpuid */
	{ { 0x0F, 0x06 }, 2, true, true, { .kind = ACCESS_CLTS, .length = 2 } },
	/* lmsw %r10w; smsw %eax */
	{ { 0x41, 0x0F, 0x01, 0xF2 },
	  4,
	  true,
	  true,
	  { .kind = ACCESS_LMSW, .gpr = 10, .length = 4 } },
	{ { 0x0F, 0x01, 0xE0 }, 3, true, false, { 0 } },
	/* lmsw 0x10(%rip); lmsw %gs:-8(%r12,%r9,4); lmsw 0x12345678; lmsw (%eax) */
	{ { 0x0F, 0x01, 0x35, 0x10, 0, 0, 0 },
	  7,
	  true,
	  true,
	  { .kind = ACCESS_LMSW_MEMORY,
	    .gpr = 5,
	    .length = 7,
	    .base = ACCESS_RIP,
	    .index = ACCESS_NO_GPR,
	    .displacement = 0x10 } },
	{ { 0x65, 0x43, 0x0F, 0x01, 0x74, 0x8C, 0xF8 },
	  7,
	  true,
	  true,
	  { .kind = ACCESS_LMSW_MEMORY,
	    .gpr = 12,
	    .length = 7,
	    .segment = 0x65,
	    .base = 12,
	    .index = 9,
	    .scale = 2,
	    .displacement = -8 } },
	{ { 0x0F, 0x01, 0x34, 0x25, 0x78, 0x56, 0x34, 0x12 },
	  8,
	  true,
	  true,
	  { .kind = ACCESS_LMSW_MEMORY,
	    .gpr = 4,
	    .length = 8,
	    .base = ACCESS_NO_GPR,
	    .index = ACCESS_NO_GPR,
	    .displacement = 0x12345678 } },
	{ { 0x67, 0x0F, 0x01, 0x30 },
	  4,
	  true,
	  true,
	  { .kind = ACCESS_LMSW_MEMORY,
	    .length = 4,
	    .base = 0,
	    .index = ACCESS_NO_GPR,
	    .short_address = true } },
	{ { 0x0F, 0x01, 0x35, 0x10, 0, 0 }, 6, true, false, { 0 } },
};

START_TEST(instructions)
{
	for (size_t i = 0; i < sizeof(insns) / sizeof(insns[0]); i++) {
		const struct access_insn *want = &insns[i].insn;
		uint8_t *bytes = malloc(insns[i].n); /* overruns are seen */
		struct access_insn got;
		bool good;

		ck_assert_ptr_nonnull(bytes);
		memcpy(bytes, insns[i].bytes, insns[i].n);
		good = access_decode(bytes, insns[i].n, insns[i].mode64, &got);
		free(bytes);
		ck_assert_msg(good == insns[i].good, "instruction %zu", i);
		if (!good)
			continue;
		ck_assert_int_eq(got.kind, want->kind);
		ck_assert_uint_eq(got.gpr, want->gpr);
		ck_assert_uint_eq(got.length, want->length);
		ck_assert_uint_eq(got.segment, want->segment);
		ck_assert_uint_eq(got.base, want->base);
		ck_assert_uint_eq(got.index, want->index);
		ck_assert_uint_eq(got.scale, want->scale);
		ck_assert(got.short_address == want->short_address);
		ck_assert_int_eq(got.displacement, want->displacement);
	}
}
END_TEST

static inline void add_frame_tests(TCase *tc)
{
	tcase_add_test(tc, cpuid_hook);
	tcase_add_test(tc, msr_hooks);
	tcase_add_test(tc, msrs_of_the_vs);
	tcase_add_test(tc, what_can_exit);
	tcase_add_test(tc, memory_hook);
	tcase_add_test(tc, what_is_watched);
	tcase_add_test(tc, port_hook);
	tcase_add_test(tc, cr_hook);
	tcase_add_test(tc, live_changes);
	tcase_add_test(tc, live_recall);
	tcase_add_test(tc, live_refusals);
	tcase_add_test(tc, dr_hook);
	tcase_add_test(tc, hypercall_hook);
	tcase_add_test(tc, exception_hook);
	tcase_add_test(tc, exception_of_the_extension);
	tcase_add_test(tc, interrupt_of_the_extension);
	tcase_add_test(tc, instructions);
}

#endif
