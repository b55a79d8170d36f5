// SPDX-License-Identifier: GPL-2.0-only
/*
 * The switch between Linux and root mode, with its privileged instructions written down as they
 * fault.
 */
#include <check.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <asm/prctl.h>

#include <abi/cpu_state.h>
#include <abi/hw/x86.h>

uint64_t bf_switch_enter(struct bf_switch_page *page, uint64_t cr3, uint64_t entry);
void bf_switch_leave(struct bf_switch_page *page);

enum what { NOTHING, LIDT, WRITE_CR, WRMSR };

/* What was executed, in this order: the number of a control register or MSR, and the value. */
static struct {
	enum what what;
	uint32_t number;
	uint64_t value;
} steps[64];
static int nr_steps;

static struct bf_switch_page page __attribute__((aligned(4096)));
static unsigned long fs_base;
static sigjmp_buf end;

static void step(enum what what, uint32_t number, uint64_t value)
{
	ck_assert_int_lt(nr_steps, 64);
	steps[nr_steps].what = what;
	steps[nr_steps].number = number;
	steps[nr_steps++].value = value;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	greg_t *gregs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *insn = (const uint8_t *)gregs[REG_RIP];
	long ignored;

	/* The way back loads FS; nothing of C works before it is what the process had. */
	__asm__ volatile("syscall"
			 : "=a"(ignored)
			 : "a"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(fs_base)
			 : "rcx", "r11", "memory");
	(void)number;
	(void)info;
	if (insn[0] == 0x48 && insn[1] == 0xCF) /* IRETQ: the way ends here */
		siglongjmp(end, 1);
	ck_assert_uint_eq(insn[0], 0x0F);
	switch (insn[1]) {
	case 0x00: /* LLDT */
	case 0x01: /* LGDT, LIDT */
		if (insn[1] && (insn[2] >> 3 & 7) == 3)
			step(LIDT, 0, 0);
		gregs[REG_RIP] += insn[2] >> 6 == 1 ? 4 : 7;
		break;
	case 0x22: /* MOV to CR from RAX or RSI */
		step(WRITE_CR, insn[2] >> 3 & 7,
		     (uint64_t)gregs[(insn[2] & 7) == 6 ? REG_RSI : REG_RAX]);
		gregs[REG_RIP] += 3;
		break;
	case 0x30:
		step(WRMSR, (uint32_t)gregs[REG_RCX],
		     (uint64_t)gregs[REG_RDX] << 32 | (uint32_t)gregs[REG_RAX]);
		gregs[REG_RIP] += 2;
		break;
	default:
		ck_assert_uint_eq(insn[1], 0x32); /* RDMSR */
		gregs[REG_RAX] = 0;
		gregs[REG_RDX] = 0;
		gregs[REG_RIP] += 2;
		break;
	}
}

static void setup(void)
{
	static uint8_t alt_stack[0x40000];
	stack_t stack = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };

	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base);
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	memset(&page, 0, sizeof(page));
	page.cpu.cr3 = 0x1000;
	nr_steps = 0;
}

static void enter(void)
{
	if (!sigsetjmp(end, 1))
		(void)bf_switch_enter(&page, 0x2000, 0x3000);
}

static void leave(void)
{
	if (!sigsetjmp(end, 1))
		bf_switch_leave(&page);
}

/* The first such step from the given one on, or -1. */
static int find(int from, enum what what, uint32_t number)
{
	for (int i = from; i < nr_steps; i++) {
		if (steps[i].what == what && steps[i].number == number)
			return i;
	}
	return -1;
}

static const uint32_t running[] = { MSR_DEBUGCTL, MSR_PERF_GLOBAL_CTRL, MSR_RTIT_CTL, MSR_LBR_CTL };

static uint64_t *captured(int i)
{
	uint64_t *const members[] = { &page.cpu.debugctl, &page.cpu.perf_global_ctrl,
				      &page.cpu.rtit_ctl, &page.cpu.lbr_ctl };

	return members[i];
}

/* An NMI after bf_cpu_quiesce may have let it go on: only with another IDT is it off for good. */
START_TEST(stops_what_was_in_use)
{
	int idt, cr3;

	*captured(_i) = 0x8000000000000001;
	enter();
	idt = find(0, LIDT, 0);
	cr3 = find(0, WRITE_CR, 3);
	ck_assert_int_ge(idt, 0);
	ck_assert_int_gt(cr3, idt);
	ck_assert_uint_eq(steps[cr3].value, 0x2000);
	for (int i = 0; i < 4; i++) {
		int found = find(0, WRMSR, running[i]);

		if (i != _i) {
			ck_assert_int_lt(found, 0); /* the CPU may not have it */
			continue;
		}
		ck_assert_int_gt(found, idt);
		ck_assert_int_lt(found, cr3);
		ck_assert_uint_eq(steps[found].value, 0);
	}
}
END_TEST

/* With Linux's page tables, and its IDT. */
START_TEST(lets_it_go_on)
{
	int idt, cr3;

	*captured(_i) = 0x8000000000000001;
	leave();
	cr3 = find(0, WRITE_CR, 3);
	ck_assert_int_ge(cr3, 0);
	ck_assert_uint_eq(steps[cr3].value, 0x1000);
	idt = find(cr3, LIDT, 0);
	ck_assert_int_gt(idt, cr3);
	for (int i = 0; i < 4; i++) {
		int found = find(0, WRMSR, running[i]);

		if (i != _i) {
			ck_assert_int_lt(found, 0);
			continue;
		}
		ck_assert_int_gt(found, idt);
		ck_assert_uint_eq(steps[found].value, 0x8000000000000001);
	}
}
END_TEST

/* Counters last: what they count may depend on all the others. */
START_TEST(in_order)
{
	int counters;

	for (int i = 0; i < 4; i++)
		*captured(i) = 1;
	leave();
	counters = find(0, WRMSR, MSR_PERF_GLOBAL_CTRL);
	ck_assert_int_gt(counters, find(0, WRMSR, MSR_DEBUGCTL));
	ck_assert_int_gt(counters, find(0, WRMSR, MSR_RTIT_CTL));
	ck_assert_int_gt(counters, find(0, WRMSR, MSR_LBR_CTL));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("switch");
	TCase *tests = tcase_create("switch");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_loop_test(tests, stops_what_was_in_use, 0, 4);
	tcase_add_loop_test(tests, lets_it_go_on, 0, 4);
	tcase_add_test(tests, in_order);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
