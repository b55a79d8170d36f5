/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks of an extension, the same on both vendors. Whoever includes this has defined msr_exit,
 * fault_exit, io_exit, exit_with, CPUID_EXIT, EVENT, INJECTED_GP, REG(name); STEPPED, whether Linux
 * executes one instruction, STEPPED_EXIT, by which that ends, and INTERRUPTED, the event that an
 * exit interrupted.
 */
#ifndef TEST_FRAME_TESTS_H
#define TEST_FRAME_TESTS_H

static struct {
	unsigned int exits, cpuids, reads, writes, outs;
	struct ext_fault memory;
	struct ext_io io;
	bool mine, again;
	uint8_t fault;
	uint64_t value;
} hooked;

static bool ends(struct ext_exit *e)
{
	e->fault = hooked.fault;
	e->again = hooked.again;
	return hooked.mine;
}

static bool on_exit_hook(UNUSED struct ext_exit *e)
{
	hooked.exits++;
	return false;
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

static inline void add_frame_tests(TCase *tc)
{
	tcase_add_test(tc, cpuid_hook);
	tcase_add_test(tc, msr_hooks);
	tcase_add_test(tc, msrs_of_the_vs);
	tcase_add_test(tc, what_can_exit);
	tcase_add_test(tc, memory_hook);
	tcase_add_test(tc, what_is_watched);
	tcase_add_test(tc, port_hook);
}

#endif
