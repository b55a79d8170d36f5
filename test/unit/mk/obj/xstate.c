// SPDX-License-Identifier: GPL-2.0-only
/* obj/xstate.c and its calls: the extended state of VSs that have one of their own. */
#include <string.h>

#include "../mk2.h"
#include "../suites.h"

#define FEATURES 0x2E7ULL
#define SIZE 2696U
#define MXCSR 24
#define TSC_AUX 464
#define XSTATE_BV 512

/* XSAVE with all that is exchanged, and more: tiles, which are not. Before the machine starts. */
static void has_xsave(uint64_t features)
{
	static const struct {
		unsigned int i;
		uint32_t size, offset, flags;
	} components[] = { { 2, 256, 576, 0 },       { 5, 64, 1088, 0 }, { 6, 512, 1152, 0 },
			   { 7, 1024, 1664, 0 },     { 9, 8, 2688, 0 },  { 17, 64, 2752, 2 },
			   { 18, 8192, 2816, 2 | 4 } };

	cpuid_set(0xD, 0, (uint32_t)features, 0, 0, 0);
	cpuid_set(0xD, 1, 8, 0, 0, 0);
	for (unsigned int i = 0; i < sizeof(components) / sizeof(components[0]); i++)
		cpuid_set(0xD, components[i].i, components[i].size, components[i].offset,
			  components[i].flags, 0);
	cpuid_set(0x80000001, 0, 0, 0, m.vendor == BF_VENDOR_AMD ? 1U << 2 : 0,
		  1U << 26 | 1U << 27);
	for (unsigned int i = 0; i < MACHINE_PPS; i++) {
		m.cpus[i].xcr0_known = features;
		m.cpus[i].mxcsr_mask = 0x2FFFF;
		msr_set(&m.cpus[i], MSR_XSS, 0);
	}
}

/* What is in the CPU: a pattern, and the MSRs. */
static void fill(uint8_t pattern, uint32_t tsc_aux)
{
	const uint32_t mxcsr = 0x1F80 | pattern % 0x40;

	memset(cpu->xstate, pattern, sizeof(cpu->xstate));
	memcpy(cpu->xstate + MXCSR, &mxcsr, 4);
	memset(cpu->xstate + TSC_AUX, 0, 48);
	cpu->xinuse = cpu->xcr0_known;
	msr_set(cpu, MSR_TSC_AUX, tsc_aux);
}

static bool holds(uint8_t pattern, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (cpu->xstate[i] != pattern)
			return false;
	}
	return true;
}

/* AVX, AVX-512 and PKRU; there is a hole in between. */
static bool extended(uint8_t pattern)
{
	return holds(pattern, 576, 832) && holds(pattern, 1088, SIZE);
}

static uint32_t mxcsr(void)
{
	uint32_t value;

	memcpy(&value, cpu->xstate + MXCSR, 4);
	return value;
}

static void expect_pattern(uint8_t pattern, uint32_t tsc_aux)
{
	ck_assert(holds(pattern, 0, MXCSR));
	ck_assert_uint_eq(mxcsr(), 0x1F80 | pattern % 0x40);
	ck_assert(holds(pattern, 32, 416));
	ck_assert(extended(pattern));
	ck_assert_uint_eq(msr_get(cpu, MSR_TSC_AUX), tsc_aux);
}

static void expect_reset(bool with_extended)
{
	ck_assert_uint_eq(cpu->xstate[0], 0x7F);
	ck_assert_uint_eq(cpu->xstate[1], 0x03);
	ck_assert_uint_eq(mxcsr(), 0x1F80);
	ck_assert(holds(0, 32, 416));
	ck_assert(!with_extended || extended(0));
	ck_assert_uint_eq(msr_get(cpu, MSR_TSC_AUX), 0);
}

static uint16_t xcr0_reg(void)
{
	return intel() ? MK1_INTEL_xcr0 : MK1_AMD_xcr0;
}

static uint64_t attach(uint64_t vsid)
{
	return SYS2(vs_xsave_attach, HANDLE2, vsid);
}

/* Each has a VP of its own, of the same number. */
static void set_active(uint64_t vsid)
{
	ck_assert_uint_eq(SYS(vs_set_active, HANDLE, vsid ? 1 : 0, vsid, vsid), MK1_SUCCESS);
}

/* Linux's VS, 0, is active, with XCR0 0x602E7 in the CPU; VSs 1 and 2 of VM 1 are attached. */
static void with_two(int i)
{
	machine_of(i);
	has_xsave(0x602E7);
	m.cpus[0].xcr0 = 0x602E7;
	m.switch_pages[0]->cpu.xcr0 = 0x602E7;
	open_and_launch();
	for (uint64_t vsid = 1; vsid <= 2; vsid++) {
		ck_assert_uint_eq(make_vs(1, 0), vsid);
		ck_assert_uint_eq(attach(0x10000 | vsid), MK1_SUCCESS);
		ck_assert_uint_eq(regs.reg[0], FEATURES);
		ck_assert_uint_eq(regs.reg[1], SIZE);
		ck_assert_uint_eq(reg_read((uint16_t)vsid, xcr0_reg()), 1);
	}
}

START_TEST(attach_arguments)
{
	unsigned int pages;

	with_vm(_i);
	ck_assert_uint_eq(make_vs(0, 0), 1);
	ck_assert_uint_eq(make_vs(1, 0), 2);
	ck_assert_uint_eq(make_vs(1, 1), 3);
	ck_assert_uint_eq(attach(0), MK1_INVALID_INPUT_REG(1)); /* Linux */
	ck_assert_uint_eq(attach(1), MK1_INVALID_INPUT_REG(1)); /* of Linux's VM */
	ck_assert_uint_eq(attach(3), MK1_INVALID_INPUT_REG(1)); /* another PP's */
	ck_assert_uint_eq(attach(4), MK1_INVALID_INPUT_REG(1));
	ck_assert_uint_eq(attach(0xFFFF), MK1_INVALID_INPUT_REG(1));
	pages = free_pages();
	drain_pool(1);
	ck_assert_uint_eq(attach(2), MK2_FAILURE_NO_MEMORY);
	ck_assert_ptr_null(vs_find(2)->xstate);
	ck_assert_uint_eq(free_pages(), 1);
	ck_assert_uint_gt(pages, 2);
	drain_pool(0);
	ck_assert_uint_eq(attach(2), MK2_FAILURE_NO_MEMORY);
	ck_assert_uint_eq(free_pages(), 0);
}
END_TEST

/* Once is enough, and the memory goes with the VS. */
START_TEST(attach_takes_two_pages)
{
	unsigned int pages;

	with_vm(_i);
	ck_assert_uint_eq(make_vs(1, 0), 1);
	pages = free_pages();
	ck_assert_uint_eq(attach(1), MK1_SUCCESS);
	ck_assert_uint_eq(attach(1), MK1_SUCCESS);
	ck_assert_uint_eq(free_pages(), pages - 2);
	ck_assert_uint_eq(SYS(vs_destroy_vs, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_gt(free_pages(), pages);
}
END_TEST

/* Before Linux has run: the VS for it is not to be one that was attached. */
START_TEST(attached_is_not_for_linux)
{
	machine_of(_i);
	start();
	ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_SUCCESS);
	ck_assert_uint_eq(make_vm(), 1);
	ck_assert_uint_eq(make_vs(1, 0), 0);
	ck_assert_uint_eq(attach(0), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_init_as_root, HANDLE, 0), MK1_INVALID_INPUT_REG(1));
	ck_assert(!vs_find(0)->root);
}
END_TEST

/* Each of three has its own, whatever comes after what; what is not exchanged stays in the CPU. */
START_TEST(everybody_has_his_own)
{
	with_two(_i);
	fill(0x11, 0x1001);
	msr_set(cpu, MSR_XSS, 0x1800);
	set_active(1);
	ck_assert(holds(0x11, SIZE, 0x1000));
	expect_reset(true);
	ck_assert_uint_eq(msr_get(cpu, MSR_XSS), 0);
	ck_assert_uint_eq(cpu->xcr0, 1);
	fill(0x22, 0x2002);
	set_active(2);
	ck_assert(holds(0x22, SIZE, 0x1000));
	expect_reset(true);
	ck_assert_uint_eq(msr_get(cpu, MSR_XSS), 0);
	ck_assert_uint_eq(reg_write(2, xcr0_reg(), 7), MK1_SUCCESS);
	fill(0x33, 0x3003);
	msr_set(cpu, MSR_XSS, 0x800); /* by an extension that lets it */
	set_active(1);
	expect_pattern(0x22, 0x2002);
	ck_assert_uint_eq(msr_get(cpu, MSR_XSS), 0);
	ck_assert_uint_eq(cpu->xcr0, 1);
	set_active(0);
	expect_pattern(0x11, 0x1001);
	ck_assert_uint_eq(msr_get(cpu, MSR_XSS), 0x1800);
	ck_assert_uint_eq(cpu->xcr0, 0x602E7);
	fill(0x14, 0x1004);
	set_active(2);
	expect_pattern(0x33, 0x3003);
	ck_assert_uint_eq(cpu->xcr0, 7);
	set_active(0);
	expect_pattern(0x14, 0x1004);
	ck_assert_uint_eq(cpu->xcr0, 0x602E7);
}
END_TEST

/* On AMD the addresses of x87 are not restored: there is something else than the other's. */
START_TEST(no_addresses_are_left)
{
	with_two(0);
	cpu->amd_x87 = true;
	fill(0x11, 0);
	set_active(1);
	ck_assert(!holds(0x11, 8, 9));
	fill(0x22, 0);
	set_active(0);
	ck_assert(!holds(0x22, 8, 9));
	ck_assert_uint_eq(cpu->count[INSN_FORGET_X87], 2);
}
END_TEST

/* Components that are as after reset are that for the other, too. */
START_TEST(what_is_not_in_use)
{
	with_two(_i);
	fill(0x11, 0);
	set_active(1);
	fill(0x22, 0);
	cpu->xinuse = 3;
	memset(cpu->xstate + 576, 0, SIZE - 576);
	set_active(0);
	expect_pattern(0x11, 0);
	ck_assert_uint_eq(cpu->xinuse, 0x602E7 & ~0x60000ULL);
	set_active(1);
	ck_assert_uint_eq(cpu->xinuse, 3);
	ck_assert(holds(0x22, 32, 416));
	ck_assert(extended(0));
}
END_TEST

/* VSs without a state of their own share what is in the CPU, and pay nothing. */
START_TEST(others_share)
{
	unsigned int saves, xsetbvs, msrs;

	with_two(_i);
	ck_assert_uint_eq(make_vs(1, 0), 3);
	ck_assert_uint_eq(reg_write(3, xcr0_reg(), 0x602E7), MK1_SUCCESS);
	fill(0x11, 5);
	saves = cpu->count[INSN_XSAVE] + cpu->count[INSN_XRSTOR];
	xsetbvs = cpu->count[INSN_XSETBV];
	msrs = cpu->count[INSN_RDMSR];
	set_active(3);
	set_active(0);
	set_active(3);
	ck_assert_uint_eq(cpu->count[INSN_XSAVE] + cpu->count[INSN_XRSTOR], saves);
	ck_assert_uint_eq(cpu->count[INSN_XSETBV], xsetbvs);
	if (!_i)
		ck_assert_uint_eq(cpu->count[INSN_RDMSR], msrs);
	set_active(1);
	expect_reset(true);
	set_active(3);
	expect_pattern(0x11, 5);
}
END_TEST

/* XSETBV only where an XCR0 lacks something of what is exchanged. */
START_TEST(as_few_xsetbv_as_possible)
{
	unsigned int n;

	with_two(_i);
	ck_assert_uint_eq(reg_write(1, xcr0_reg(), FEATURES), MK1_SUCCESS);
	n = cpu->count[INSN_XSETBV];
	set_active(1);
	ck_assert_uint_eq(cpu->count[INSN_XSETBV], n + 1);
	set_active(0);
	ck_assert_uint_eq(cpu->count[INSN_XSETBV], n + 2);
	ck_assert_uint_eq(reg_write(1, xcr0_reg(), 1), MK1_SUCCESS);
	n = cpu->count[INSN_XSETBV];
	set_active(1);
	ck_assert_uint_eq(cpu->count[INSN_XSETBV], n + 1);
	set_active(0);
	ck_assert_uint_eq(cpu->count[INSN_XSETBV], n + 2);
}
END_TEST

/* It begins with the state after reset, also where it is in the CPU already. */
START_TEST(attach_while_active)
{
	machine_of(_i);
	has_xsave(0x602E7);
	m.cpus[0].xcr0 = 0x602E7;
	m.switch_pages[0]->cpu.xcr0 = 0x602E7;
	open_and_launch();
	ck_assert_uint_eq(make_vs(1, 0), 1);
	fill(0x11, 0x1001);
	ck_assert_uint_eq(reg_write(1, xcr0_reg(), 7), MK1_SUCCESS);
	set_active(1);
	expect_pattern(0x11, 0x1001);
	ck_assert_uint_eq(attach(1), MK1_SUCCESS);
	expect_reset(true);
	ck_assert_uint_eq(cpu->xcr0, 1);
	set_active(0);
	expect_pattern(0x11, 0x1001);
	ck_assert_uint_eq(cpu->xcr0, 0x602E7);
}
END_TEST

/* Its XCR0 is limited to what is exchanged, and a guest cannot write it by itself. */
START_TEST(xcr0_is_limited)
{
	with_two(_i);
	for (unsigned int active = 0; active < 2; active++) {
		if (active)
			set_active(1);
		ck_assert_uint_eq(reg_write(1, xcr0_reg(), FEATURES), MK1_SUCCESS);
		ck_assert_uint_eq(reg_write(1, xcr0_reg(), 0x602E7), MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(reg_write(1, xcr0_reg(), 0x60001), MK1_INVALID_INPUT_REG(3));
		ck_assert_uint_eq(reg_write(1, xcr0_reg(), ~0ULL), MK1_INVALID_INPUT_REG(3));
		cpu->xcr0_known = 0x600E7;
		ck_assert_uint_eq(reg_write(1, xcr0_reg(), FEATURES), MK1_INVALID_INPUT_REG(3));
		cpu->xcr0_known = 0x602E7;
		ck_assert_uint_eq(reg_read(1, xcr0_reg()), FEATURES);
	}
	ck_assert_uint_eq(cpu->xcr0, FEATURES);
	if (_i)
		return;
	ck_assert_uint_ne(vmcb()->instruction2 & SVM_INSTR2_XSETBV, 0);
	ck_assert_uint_eq(reg_write(1, MK1_AMD_intercept_instruction2, 0), MK1_SUCCESS);
	ck_assert_uint_ne(vmcb()->instruction2 & SVM_INSTR2_XSETBV, 0);
}
END_TEST

/* It takes its state along to another PP. */
START_TEST(migrated)
{
	machine_of(_i);
	has_xsave(0x2E7);
	for (unsigned int i = 0; i < 2; i++) {
		m.cpus[i].xcr0 = 0x2E7;
		m.switch_pages[i]->cpu.xcr0 = 0x2E7;
	}
	open_and_launch();
	ck_assert_uint_eq(make_vs(1, 0), 1);
	ck_assert_uint_eq(attach(1), MK1_SUCCESS);
	set_active(1);
	fill(0x22, 0x2002);
	set_active(0);
	ck_assert_uint_eq(SYS(vs_clear, HANDLE, 1), MK1_SUCCESS);
	ck_assert_uint_eq(SYS(vs_migrate, HANDLE, 1, 1), MK1_SUCCESS);
	ck_assert_uint_eq(attach(1), MK1_INVALID_INPUT_REG(1));
	on_pp(1);
	enter(1);
	fill(0x11, 0x1001);
	set_active(1);
	expect_pattern(0x22, 0x2002);
}
END_TEST

/* --- read and write --------------------------------------------------------------------------- */

static uint8_t *ext_data(void)
{
	return mmu_user(EXT_DATA, true, false);
}

static uint64_t read_area(uint64_t vsid, uint64_t va, uint64_t size)
{
	return SYS2(vs_xsave_read, HANDLE2, vsid, va, size);
}

static uint64_t write_area(uint64_t vsid, uint64_t va, uint64_t size)
{
	return SYS2(vs_xsave_write, HANDLE2, vsid, va, size);
}

static void put(size_t offset, uint64_t value)
{
	memcpy(ext_data() + offset, &value, sizeof(value));
}

static uint64_t get(size_t offset)
{
	uint64_t value;

	memcpy(&value, ext_data() + offset, sizeof(value));
	return value;
}

START_TEST(copy_arguments)
{
	with_two(_i % 2);
	ck_assert_uint_eq(make_vs(1, 0), 3);
	ck_assert_uint_eq(make_vs(1, 1), 4);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t (*call)(uint64_t, uint64_t, uint64_t) = i ? write_area : read_area;

		ck_assert_uint_eq(call(1, EXT_DATA, SIZE), MK1_SUCCESS);
		ck_assert_uint_eq(call(0, EXT_DATA, 512), MK1_INVALID_INPUT_REG(1));
		ck_assert_uint_eq(call(3, EXT_DATA, 512), MK1_INVALID_INPUT_REG(1));
		ck_assert_uint_eq(call(4, EXT_DATA, 512), MK1_INVALID_INPUT_REG(1));
		ck_assert_uint_eq(call(5, EXT_DATA, 512), MK1_INVALID_INPUT_REG(1));
		ck_assert_uint_eq(call(1, EXT_DATA + 4, 512), MK1_INVALID_INPUT_REG(2));
		ck_assert_uint_eq(call(1, 0, 512), MK1_INVALID_INPUT_REG(2));
		ck_assert_uint_eq(call(1, BF_MK_BASE, 512), MK1_INVALID_INPUT_REG(2));
		ck_assert_uint_eq(call(1, EXT_DATA + PAGE - 504, 512), MK1_INVALID_INPUT_REG(2));
		ck_assert_uint_eq(call(1, -512ULL, SIZE), MK1_INVALID_INPUT_REG(2));
		for (uint64_t size = 0; size < 0x1100; size += 8) {
			if (size != 512 && size != SIZE)
				ck_assert_uint_eq(call(1, EXT_DATA, size),
						  MK1_INVALID_INPUT_REG(3));
		}
		ck_assert_uint_eq(call(1, EXT_DATA, ~0ULL), MK1_INVALID_INPUT_REG(3));
	}
	ck_assert_uint_eq(read_area(1, EXT_RODATA, 512), MK1_INVALID_INPUT_REG(2));
}
END_TEST

/* The state of a VS that is active, and of one that is not. */
START_TEST(read)
{
	with_two(_i % 2);
	fill(0x11, 1);
	set_active(1);
	fill(0x22, 0x2002);
	if (_i < 2)
		set_active(0);
	memset(ext_data(), 0x77, PAGE);
	ck_assert_uint_eq(read_area(1, EXT_DATA, 512), MK1_SUCCESS);
	ck_assert_uint_eq(get(160), 0x2222222222222222);
	ck_assert_uint_eq(get(TSC_AUX), 0x2002);
	ck_assert_uint_eq(get(512), 0x7777777777777777);
	ck_assert_uint_eq(read_area(1, EXT_DATA, SIZE), MK1_SUCCESS);
	ck_assert_uint_eq(get(160), 0x2222222222222222);
	ck_assert_uint_eq(get(XSTATE_BV), FEATURES);
	ck_assert_uint_eq(get(XSTATE_BV + 8), 0);
	ck_assert_uint_eq(get(576), 0x2222222222222222);
	ck_assert_uint_eq(get(2688), 0x2222222222222222);
	ck_assert_uint_eq(get(2696), 0x7777777777777777);
	ck_assert_uint_eq(get(TSC_AUX), 0x2002);
	if (_i >= 2)
		expect_pattern(0x22, 0x2002);
	else
		expect_pattern(0x11, 1);
	ck_assert_uint_eq(cpu->xcr0, _i < 2 ? 0x602E7 : 1);
}
END_TEST

START_TEST(write)
{
	with_two(_i % 2);
	fill(0x11, 1);
	if (_i >= 2)
		set_active(1);
	memset(ext_data(), 0, PAGE);
	memset(ext_data() + 576, 0x33, SIZE - 576);
	put(MXCSR, 0x1FBF);
	put(160, 0x4444444444444444);
	put(TSC_AUX, 0x5005);
	put(XSTATE_BV, 0x206); /* no x87, no AVX-512: as after reset */
	ck_assert_uint_eq(write_area(1, EXT_DATA, SIZE), MK1_SUCCESS);
	ck_assert_uint_eq(cpu->xcr0, _i < 2 ? 0x602E7 : 1);
	set_active(1);
	ck_assert_uint_eq(mxcsr(), 0x1FBF);
	ck_assert_uint_eq(cpu->xstate[0], 0x7F);
	ck_assert(holds(0x44, 160, 168));
	ck_assert(holds(0x33, 576, 832));
	ck_assert(holds(0, 1088, 2688));
	ck_assert(holds(0x33, 2688, 2692));
	ck_assert_uint_eq(msr_get(cpu, MSR_TSC_AUX), 0x5005);
	/* x87 and SSE alone: the rest stays */
	if (_i < 2)
		set_active(0);
	put(0, 0x35F);
	put(MXCSR, 0x1F81);
	put(160, 0x6666666666666666);
	put(TSC_AUX, 6);
	ck_assert_uint_eq(write_area(1, EXT_DATA, 512), MK1_SUCCESS);
	set_active(1);
	ck_assert_uint_eq(cpu->xstate[0], 0x5F);
	ck_assert_uint_eq(mxcsr(), 0x1F81);
	ck_assert(holds(0x66, 160, 168));
	ck_assert(holds(0x33, 576, 832));
	ck_assert_uint_eq(cpu->xinuse & FEATURES, 0x207);
	ck_assert_uint_eq(msr_get(cpu, MSR_TSC_AUX), 6);
	set_active(0);
	expect_pattern(0x11, 1);
}
END_TEST

/* What XRSTOR, or a write of the MSR, would fault at. */
START_TEST(write_refuses)
{
	static const struct {
		size_t offset;
		uint64_t value;
		bool legacy; /* also where x87 and SSE are all that is written */
	} bad[] = {
		{ MXCSR, 0x1F80 | 1U << 18, true }, { MXCSR, 0x80001F80, true },
		{ TSC_AUX, 1ULL << 32, true },      { TSC_AUX, ~0ULL, true },
		{ XSTATE_BV, 0x60007, false },      { XSTATE_BV, 0xF, false },
		{ XSTATE_BV, ~0ULL, false },        { XSTATE_BV + 8, 1ULL << 63, false },
		{ XSTATE_BV + 8, 1, false },        { XSTATE_BV + 16, 1, false },
		{ XSTATE_BV + 56, 1, false },
	};

	with_two(_i % 2);
	set_active(1);
	fill(0x22, 0x2002);
	if (_i < 2)
		set_active(0);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(ext_data(), 0, PAGE);
		put(MXCSR, 0x1F80);
		put(bad[i].offset, bad[i].value);
		ck_assert_uint_eq(write_area(1, EXT_DATA, SIZE), MK1_INVALID_INPUT_REG(2));
		if (bad[i].legacy)
			ck_assert_uint_eq(write_area(1, EXT_DATA, 512), MK1_INVALID_INPUT_REG(2));
	}
	set_active(1);
	expect_pattern(0x22, 0x2002);
}
END_TEST

/* A CPU that takes less than the one before: the guest is reset, and nothing faults. */
START_TEST(cpu_refuses)
{
	with_two(_i);
	memset(ext_data(), 0, PAGE);
	put(MXCSR, 0x2FF80);
	put(160, 0x4444444444444444);
	put(TSC_AUX, 7);
	ck_assert_uint_eq(write_area(1, EXT_DATA, 512), MK1_SUCCESS);
	cpu->mxcsr_mask = 0xFFFF;
	set_active(1);
	ck_assert_uint_eq(mxcsr(), 0x1F80);
	ck_assert(holds(0, 160, 416));
	ck_assert_uint_eq(msr_get(cpu, MSR_TSC_AUX), 7);
}
END_TEST

/* --- what CPUs have --------------------------------------------------------------------------- */

START_TEST(without_xsave)
{
	machine_of(_i % 2);
	if (_i < 2) {
		machine_without_cr4(CR4_OSXSAVE);
		m.switch_pages[0]->cpu.cr4 &= ~(uint64_t)CR4_OSXSAVE;
		m.switch_pages[0]->cpu.xcr0 = 0;
		m.cpus[0].xcr0 = 0;
	} else {
		/* with it, but with nothing in addition */
		has_xsave(3);
		m.cpus[0].xcr0 = 3;
		m.switch_pages[0]->cpu.xcr0 = 3;
	}
	m.cpus[0].mxcsr_mask = 0;
	open_and_launch();
	ck_assert_uint_eq(make_vs(1, 0), 1);
	ck_assert_uint_eq(attach(1), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], 3);
	ck_assert_uint_eq(regs.reg[1], _i < 2 ? 512 : 576);
	fill(0x11, 0);
	set_active(1);
	expect_reset(false);
	ck_assert(holds(0x11, 576, SIZE));
	fill(0x22, 0);
	memset(ext_data(), 0, PAGE);
	put(MXCSR, 0x1F80 | 1U << 6); /* DAZ, which a mask of 0 says is not there */
	ck_assert_uint_eq(write_area(1, EXT_DATA, 512), MK1_INVALID_INPUT_REG(2));
	put(MXCSR, 0x1F81);
	ck_assert_uint_eq(write_area(1, EXT_DATA, 512), MK1_SUCCESS);
	ck_assert_uint_eq(mxcsr(), 0x1F81);
	put(MXCSR, 0x1F82);
	ck_assert_uint_eq(write_area(1, EXT_DATA, _i < 2 ? 512 : 576), MK1_SUCCESS);
	ck_assert_uint_eq(mxcsr(), 0x1F82);
	ck_assert_uint_eq(read_area(1, EXT_DATA, 512), MK1_SUCCESS);
	set_active(0);
	ck_assert(holds(0x11, 32, 416));
	ck_assert_uint_eq(cpu->count[INSN_XSAVE] != 0, _i >= 2);
	if (_i < 2)
		ck_assert_uint_eq(reg_write(1, xcr0_reg(), 3), MK1_INVALID_INPUT_REG(3));
}
END_TEST

/* Components that a page has no room for, or that XFD disables, stay in the CPU. */
START_TEST(odd_components)
{
	static const struct {
		unsigned int i;
		uint32_t size, offset, flags;
		uint64_t features;
		uint64_t bytes;
	} cases[] = {
		{ 2, 256, 576, 4, 0x203, 2696 }, /* no AVX: no AVX-512, either */
		{ 7, 1024, 4000, 0, 0x207, 2696 }, /* part of AVX-512 */
		{ 9, 8, 500, 0, 0xE7, 2688 }, /* in the header */
		{ 9, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0xE7, 2688 },
		{ 9, 8, 4024, 0, 0x2E7, 4032 },
		{ 9, 8, 4025, 0, 0xE7, 2688 },
	};

	machine_of(_i % 2);
	has_xsave(0x602E7);
	cpuid_set(0xD, cases[_i].i, cases[_i].size, cases[_i].offset, cases[_i].flags, 0);
	open_and_launch();
	ck_assert_uint_eq(make_vs(1, 0), 1);
	ck_assert_uint_eq(attach(1), MK1_SUCCESS);
	ck_assert_uint_eq(regs.reg[0], cases[_i].features);
	ck_assert_uint_eq(regs.reg[1], cases[_i].bytes);
}
END_TEST

/* --- failures --------------------------------------------------------------------------------- */

/*
 * Whatever ends the extension in a guest (a fault, the watchdog, a fault of the microkernel): Linux
 * gets its registers back.
 */
START_TEST(extension_fails)
{
	static const uint64_t rip = EXT_VMEXIT + 0x10;
	struct trap_frame frame = {
		.vector = VECTOR_UD, .rip = rip, .cs = BF_SEL_USER_CS, .ss = BF_SEL_USER_SS
	};

	with_two(_i % 2);
	fill(0x11, 0x1001);
	msr_set(cpu, MSR_XSS, 0x1800);
	ck_assert_uint_eq(SYS(vs_run, HANDLE, 1, 1, 1), NOT_RETURNED);
	ck_assert_int_eq(ended.end, END_GUEST);
	fill(0x22, 0x2002);
	guest_exit(cpuid_reason());
	ck_assert_int_eq(ended.end, END_RING3);
	if (_i < 2)
		RUN(pp_fail_fault(BF_ERR_EXT_FAULT, &frame, 0));
	else if (_i < 4)
		RUN(pp_fail_callback(BF_ERR_EXT_OVERDUE, &frame));
	else
		RUN(pp_fail_fault(BF_ERR_MK_FAULT, &frame, 0));
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(host_pp->vs->id, 0);
	expect_pattern(0x11, 0x1001);
	ck_assert_uint_eq(msr_get(cpu, MSR_XSS), 0x1800);
	ck_assert_uint_eq(cpu->xcr0, 0x602E7);
}
END_TEST

TCase *obj_xstate_tests(void)
{
	TCase *tc = tcase_create("obj_xstate");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, attach_arguments, 0, 2);
	tcase_add_loop_test(tc, attach_takes_two_pages, 0, 2);
	tcase_add_loop_test(tc, attached_is_not_for_linux, 0, 2);
	tcase_add_loop_test(tc, everybody_has_his_own, 0, 2);
	tcase_add_test(tc, no_addresses_are_left);
	tcase_add_loop_test(tc, what_is_not_in_use, 0, 2);
	tcase_add_loop_test(tc, others_share, 0, 2);
	tcase_add_loop_test(tc, as_few_xsetbv_as_possible, 0, 2);
	tcase_add_loop_test(tc, attach_while_active, 0, 2);
	tcase_add_loop_test(tc, xcr0_is_limited, 0, 2);
	tcase_add_loop_test(tc, migrated, 0, 2);
	tcase_add_loop_test(tc, copy_arguments, 0, 2);
	tcase_add_loop_test(tc, read, 0, 4);
	tcase_add_loop_test(tc, write, 0, 4);
	tcase_add_loop_test(tc, write_refuses, 0, 4);
	tcase_add_loop_test(tc, cpu_refuses, 0, 2);
	tcase_add_loop_test(tc, without_xsave, 0, 4);
	tcase_add_loop_test(tc, odd_components, 0, 6);
	tcase_add_loop_test(tc, extension_fails, 0, 6);
	return tc;
}
