// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension, which at one place does one thing that an extension must not do. Which
 * is written into the image after the word MISBEHAVE: by test/kselftest/misbehave.sh, two words,
 * place and case. Cases are the instructions of insn_cases.h and the functions below.
 *
 *   start, bootstrap (on PP 0), last (bootstrap on the last PP to come), first (exit), later (in
 *   the exit of a CPUID with TRIGGER in EAX), stop (in the exit that asks for it)
 *   all: in the exit of that CPUID on every CPU, and not before all of them are there
 *   fail-start, fail-last, fail-later: in the fail callback, after a fault at that place
 *   locked: each exit takes a lock of the extension's own; with TRIGGER it faults while it has it
 *   unregistered: the callback that the case names by its letter is not registered
 *   sweep: every instruction of insn_cases.h, one after the other, at TRIGGER; the fail callback
 *   checks the vector and lets Linux execute its CPUID again
 */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <bsl/paging.h>

#include "test/ext/insn_cases.h"
#include "test/ext/lib/hooks.h"
#include "test/ext/lib/verify.h"

#define TRIGGER 0x4000DEAD
#define RELEASE (TRIGGER + 1)

/* Not static: insn_cases.h names them. The plan is writable: the compiler cannot know it. */
extern volatile char misbehave_plan[64];
volatile char misbehave_plan[64] = "MISBEHAVE:- -";
extern const uint64_t misbehave_constant;
const uint64_t misbehave_constant = 0x9090909090909090; /* NOPs */

#define PLACE (misbehave_plan + 10)

/* The word at the start of text, which a blank or the end of the text ends. */
static bool word_is(const volatile char *text, const char *word)
{
	while (*word && *text == *word) {
		text++;
		word++;
	}
	return !*word && (!*text || *text == ' ');
}

static bool place_is(const char *place)
{
	return word_is(PLACE, place);
}

static const volatile char *wanted(void)
{
	const volatile char *text = PLACE;

	while (*text && *text++ != ' ')
		;
	return text;
}

/* --- instructions ----------------------------------------------------------------------------- */

#define CASE_FUNCTION(name, code, amd, intel) \
	__attribute__((naked)) static void case_##name(void) \
	{ \
		__asm__(code "\n\tret"); \
	}
INSN_CASES(CASE_FUNCTION)

#define CASE_VECTOR(name, code, amd, intel) \
	static uint64_t vector_##name(void) \
	{ \
		return is_svm ? amd : intel; \
	}
INSN_CASES(CASE_VECTOR)

static const struct instruction {
	const char *name;
	void (*execute)(void);
	uint64_t (*vector)(void);
} instructions[] = {
#define CASE_ROW(name, code, amd, intel) { #name, case_##name, vector_##name },
	INSN_CASES(CASE_ROW)
};

#define NR_INSTRUCTIONS (sizeof(instructions) / sizeof(instructions[0]))

static bool do_instruction(void)
{
	for (unsigned int i = 0; i < NR_INSTRUCTIONS; i++) {
		if (!word_is(wanted(), instructions[i].name))
			continue;
		instructions[i].execute();
		return true;
	}
	return false;
}

static void harmless(void)
{
	for (unsigned int i = 0; i < NR_INSTRUCTIONS; i++) {
		if (instructions[i].vector() == NONE)
			instructions[i].execute();
	}
}

static unsigned int swept; /* instructions that have been executed */

/* Comes back when all of them have. */
static void sweep(void)
{
	if (swept == NR_INSTRUCTIONS)
		return;
	instructions[swept].execute();
	if (!VERIFY(instructions[swept].vector() == NONE))
		ext_print("misbehave: %s did not fault\n", instructions[swept].name);
	swept++;
	mk1_vs_run_current(MK1_HANDLE);
	ext_exit();
}

static void in_sweep(uint64_t error_and_vector)
{
	const struct instruction *in = &instructions[swept];
	uint64_t vector = (uint32_t)error_and_vector;

	if (!VERIFY(insn_expected(in->vector(), vector)))
		ext_print("misbehave: %s: vector %llu\n", in->name, (unsigned long long)vector);
	swept++;
	mk1_vs_run_current(MK1_HANDLE);
	ext_exit();
}

/* --- calls ------------------------------------------------------------------------------------ */

static void call_exit(void)
{
	ext_exit();
}

static void call_wait(void)
{
	mk1_control_wait();
}

static uint32_t divisor;

/* After a division by zero, it works the second time. */
static void call_again(void)
{
	divisor = 1;
	mk1_control_again();
}

/* With nobody to return to. */
static void call_return(void)
{
	uint64_t top = place_is("fail-start") || place_is("fail-last") || place_is("fail-later") ?
			       MK1_EXT_FAIL_STACK_BASE :
			       MK1_EXT_STACK_BASE;

	top += mk1_tls_ppid() * (uint64_t)MK1_EXT_STACK_STRIDE + MK1_EXT_STACK_SIZE;
	__asm__ volatile("mov %0, %%rsp\n\tret" : : "r"(top) : "memory");
}

static void expect(uint64_t status, uint64_t wanted)
{
	if (status != wanted) {
		ext_print("misbehave: 0x%llx, not 0x%llx\n", (unsigned long long)status,
			  (unsigned long long)wanted);
		ext_exit();
	}
}

static uint64_t another_vs(uint64_t *vpid)
{
	uint64_t vsid;

	expect(mk1_vp_create_vp(MK1_HANDLE, MK1_ROOT_VMID, vpid), MK1_SUCCESS);
	expect(mk1_vs_create_vs(MK1_HANDLE, *vpid, mk1_tls_ppid(), &vsid), MK1_SUCCESS);
	return vsid;
}

/* Before anything may run: all of these are refused. */
static void call_runs(void)
{
	uint64_t vpid, vsid = another_vs(&vpid);

	expect(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
	expect(mk1_vs_run(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_FAILURE_UNKNOWN);
	expect(mk1_vs_run_current(MK1_HANDLE), MK1_FAILURE_UNKNOWN);
	expect(mk1_vs_advance_ip_and_run(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid),
	       MK1_FAILURE_UNKNOWN);
	expect(mk1_vs_advance_ip_and_run_current(MK1_HANDLE), MK1_FAILURE_UNKNOWN);
	expect(mk1_vs_promote(MK1_HANDLE, vsid), MK1_INVALID_INPUT_REG(1)); /* not Linux */
}

/* Another VS is active, and nothing runs it. */
static void call_set_active(void)
{
	uint64_t vpid, vsid = another_vs(&vpid);

	expect(mk1_vs_set_active(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
}

static void set_active_and_return(void)
{
	call_set_active();
	call_return();
}

static uint64_t table_register(void)
{
	return is_svm ? MK1_AMD_n_cr3 : MK1_INTEL_ept_pointer;
}

static uint64_t event_register(void)
{
	return is_svm ? MK1_AMD_eventinj : MK1_INTEL_vmentry_interrupt_information_field;
}

/* CR0.NW without CR0.CD, which VMRUN refuses; CR0 = 0, which VM entry refuses in 64-bit mode. */
static void spoil(uint64_t vsid)
{
	if (is_svm)
		vs_set(vsid, MK1_AMD_cr0, vs_get(vsid, MK1_AMD_cr0) | CR0_NW);
	else
		vs_set(vsid, MK1_INTEL_cr0, 0);
}

/*
 * It is about to take an event, a #UD: else an NMI that waits for Linux would be a reason to leave
 * it at once.
 */
static void run_another(void)
{
	uint64_t vpid, vsid = another_vs(&vpid);

	spoil(vsid);
	vs_set(vsid, event_register(), 0x80000306);
	expect(mk1_vs_run(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid), MK1_SUCCESS);
}

/* Linux's state is half-changed when the other VS fails. */
static void change_and_run_another(void)
{
	uint64_t vsid = mk1_tls_vsid();

	vs_set(vsid, is_svm ? MK1_AMD_rip : MK1_INTEL_rip, 0);
	expect(mk1_vs_destroy_vs(MK1_HANDLE, vsid), MK1_INVALID_INPUT_REG(1));
	run_another();
}

static void call_run_current(void)
{
	expect(mk1_vs_run_current(MK1_HANDLE), MK1_SUCCESS);
}

static void call_advance(void)
{
	expect(mk1_vs_advance_ip_and_run_current(MK1_HANDLE), MK1_SUCCESS);
}

static void call_promote(void)
{
	mk1_vs_promote(MK1_HANDLE, mk1_tls_vsid());
}

static void make_root_vs(uint64_t *vpid, uint64_t *vsid)
{
	*vsid = another_vs(vpid);
	expect(mk1_vs_init_as_root(MK1_HANDLE, *vsid), MK1_SUCCESS);
}

static void launch_and_promote(void)
{
	uint64_t vpid, vsid;

	make_root_vs(&vpid, &vsid);
	mk1_vs_promote(MK1_HANDLE, vsid);
}

/* Nothing exits but what the CPU and the microkernel insist on. */
static void launch_silently(void)
{
	uint64_t vpid, vsid;

	make_root_vs(&vpid, &vsid);
	mk1_vs_run(MK1_HANDLE, MK1_ROOT_VMID, vpid, vsid);
}

static void launch(void)
{
	linux_bootstrap(mk1_tls_ppid());
}

/* Bad calls are answered with an error and change nothing. */
static void bad_calls(void)
{
	static const uint64_t pointers[] = { 0,
					     0xFFF,
					     0xFFFF800000000000,
					     0x80000000000,
					     0xFFFFFFFFFFFFFFFF,
					     0x800000000000,
					     0x600000000000,
					     0x328000000000 - 8 };
	uint64_t out;

	for (uint64_t op = 0; op < 20; op++) {
		for (uint64_t idx = 0x40; idx < 0x10000; idx += 0xF0F) {
			uint64_t rax = MK1_RAX(op, idx);

			__asm__ volatile("syscall" : "+a"(rax) : : MK1_CLOBBERS);
			if (rax == MK1_SUCCESS)
				ext_exit();
		}
	}
	for (unsigned int i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
		mk1_debug_write_str(pointers[i], 0xFFFFFFFF);
		if (mk1_mem_free_page(MK1_HANDLE, pointers[i]) == MK1_SUCCESS ||
		    mk1_mem_free_huge(MK1_HANDLE, pointers[i]) == MK1_SUCCESS ||
		    mk1_callback_register_vmexit(MK1_HANDLE, pointers[i]) == MK1_SUCCESS ||
		    mk1_vs_read(MK1_HANDLE, 0x7FFF, 1, &out) == MK1_SUCCESS ||
		    mk1_vs_read(0x77, 0, 1, &out) == MK1_SUCCESS ||
		    mk1_vp_destroy_vp(MK1_HANDLE, 0xFFFF) == MK1_SUCCESS ||
		    mk1_intrinsic_wrmsr(MK1_HANDLE, 0xC0000082, pointers[i]) == MK1_SUCCESS)
			ext_exit();
	}
}

static void run_with(uint64_t reg, uint64_t value)
{
	vs_set(mk1_tls_vsid(), reg, value);
	call_run_current();
}

static void bad_state(void)
{
	spoil(mk1_tls_vsid());
	call_run_current();
}

/* An event of type 1, which is reserved. */
static void bad_event(void)
{
	run_with(event_register(), 0x80000100);
}

/* VMX only: an activity state that does not exist. */
static void bad_activity(void)
{
	run_with(MK1_INTEL_activity_state, 7);
}

/* VMX only: the tag 0, which is root mode's. */
static void bad_vpid(void)
{
	uint64_t vsid = mk1_tls_vsid();
	uint64_t reg = MK1_INTEL_secondary_proc_based_vm_execution_ctls;

	vs_set(vsid, reg, vs_get(vsid, reg) | 1 << 5);
	run_with(MK1_INTEL_virtual_processor_identifier, 0);
}

/* A division by zero that `again` makes good. */
static void fault(void)
{
	__asm__ volatile("xor %%edx, %%edx\n\tdivl %0" : : "m"(divisor) : "eax", "edx", "cc");
}

/* All of Linux's general registers are lost when the fault comes. */
static void scribble(void)
{
	for (uint64_t offset = 0; offset < BF_GPR_BYTES; offset += sizeof(uint64_t))
		__asm__ volatile("mov %0, %%fs:%c2(%1)"
				 :
				 : "r"(0xBADBADBADBADBAD), "r"(offset), "i"(MK1_TLS_GPRS)
				 : "memory");
	__builtin_trap();
}

/* --- without end ------------------------------------------------------------------------------ */

static void loop(void)
{
	for (;;)
		__asm__ volatile("");
}

static void loop_syscalls(void)
{
	for (;;)
		(void)mk1_handle_close_handle(~0ULL);
}

static bool mends_nothing;

/* In the fail callback. */
static void loop_again(void)
{
	mends_nothing = true;
	divisor = 0;
	mk1_control_again();
}

/* From now on, no exit on this PP is answered; with results, the registers of a CPUID are. */
static uint64_t stalled_pp = ~0ULL;
static bool with_results;

static void stall(void)
{
	stalled_pp = mk1_tls_ppid();
	call_run_current();
}

static void stall_with_results(void)
{
	with_results = true;
	stall();
}

/* Nothing is mapped any more. */
static void stall_in_nested_faults(void)
{
	uint64_t table, spa;

	expect(mk1_mem_alloc_page(MK1_HANDLE, &table, &spa), MK1_SUCCESS);
	vs_set(mk1_tls_vsid(), table_register(),
	       is_svm ? spa : spa | VMX_EPTP_WB | VMX_EPTP_4_LEVELS);
	stall();
}

static void stall_again(void)
{
	uint32_t a = (uint32_t)mk1_rax(), b, c = (uint32_t)mk1_rcx(), d;

	if (with_results) {
		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		mk1_set_rax(a);
		mk1_set_rbx(b);
		mk1_set_rcx(c);
		mk1_set_rdx(d);
	}
	call_run_current();
}

/* The third word of the plan, in thousands of ticks. */
static uint64_t ticks(void)
{
	const volatile char *text = wanted();
	uint64_t value = 0;

	while (*text && *text++ != ' ')
		;
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value * 1000;
}

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void take_long(void)
{
	uint64_t began = tsc();

	ext_print("misbehave: this takes long\n");
	while (tsc() - began < ticks())
		;
}

static bool released; /* by an exit with RELEASE on another PP */

/* Not for ever: who is to release it may be waiting for this CPU, too. */
static void hold(void)
{
	uint64_t began = tsc();

	ext_print("misbehave: this takes long\n");
	while (!__atomic_load_n(&released, __ATOMIC_RELAXED) && tsc() - began < ticks())
		__asm__ volatile("pause");
}

#define SECOND 1000000000

static void take_long_and_say_so(void)
{
	expect(ext_more_time(11ULL * SECOND), MK1_INVALID_INPUT_REG(0));
	expect(ext_more_time(4ULL * SECOND), MK1_SUCCESS);
	expect(ext_more_time(7ULL * SECOND), MK1_INVALID_INPUT_REG(0));
	take_long();
}

/* --- in Linux's NMI handler ------------------------------------------------------------------- */

#define GIB_COUNT 4
#define LEAF (is_svm ? BSL_PTE_P | BSL_PTE_W | BSL_PTE_U | BSL_PTE_PS | BSL_PTE_NX : 0xB3ULL)
#define TABLE (is_svm ? BSL_PTE_P | BSL_PTE_W | BSL_PTE_U : 7ULL)

static uint64_t linux_table; /* while a table is in force with which nothing executes; else 0 */

static uint64_t *new_table(uint64_t *spa)
{
	uint64_t va;

	expect(mk1_mem_alloc_page(MK1_HANDLE, &va, spa), MK1_SUCCESS);
	return (uint64_t *)va;
}

/*
 * From now on Linux reads and writes as before, but each instruction is an exit. This callback goes
 * on until an NMI waits, which is then delivered first: the exit is that of its handler.
 */
static void exit_in_the_nmi_handler(void)
{
	uint64_t vsid = mk1_tls_vsid(), top_spa, middle_spa, spa;
	uint64_t *top = new_table(&top_spa), *middle = new_table(&middle_spa);

	top[0] = middle_spa | TABLE;
	for (uint64_t gib = 0; gib < GIB_COUNT; gib++) {
		uint64_t *bottom = new_table(&spa);

		middle[gib] = spa | TABLE;
		for (uint64_t i = 0; i < 512; i++)
			bottom[i] = gib << 30 | i << 21 | LEAF;
	}
	linux_table = vs_get(vsid, table_register());
	vs_set(vsid, table_register(),
	       is_svm ? top_spa : top_spa | VMX_EPTP_WB | VMX_EPTP_4_LEVELS);
	take_long();
	call_run_current();
}

/* Another NMI comes meanwhile. */
static void in_the_nmi_handler(uint64_t vsid)
{
	VERIFY(vs_get(vsid, is_svm ? MK1_AMD_rip : MK1_INTEL_rip) >> 63);
	take_long();
	vs_set(vsid, table_register(), linux_table);
	linux_table = 0;
	call_run_current();
}

static const struct {
	const char *name;
	void (*execute)(void);
} calls[] = {
	{ "harmless", harmless },
	{ "exit", call_exit },
	{ "wait", call_wait },
	{ "again", call_again },
	{ "return", call_return },
	{ "runs", call_runs },
	{ "set_active", call_set_active },
	{ "set_active_and_return", set_active_and_return },
	{ "run_another", run_another },
	{ "change_and_run_another", change_and_run_another },
	{ "run_current", call_run_current },
	{ "advance", call_advance },
	{ "promote", call_promote },
	{ "launch", launch },
	{ "launch_and_promote", launch_and_promote },
	{ "launch_silently", launch_silently },
	{ "bad_calls", bad_calls },
	{ "bad_state", bad_state },
	{ "bad_event", bad_event },
	{ "bad_activity", bad_activity },
	{ "bad_vpid", bad_vpid },
	{ "scribble", scribble },
	{ "loop", loop },
	{ "loop_syscalls", loop_syscalls },
	{ "loop_again", loop_again },
	{ "long", take_long },
	{ "hold", hold },
	{ "more", take_long_and_say_so },
	{ "exit_in_the_nmi_handler", exit_in_the_nmi_handler },
	{ "stall", stall },
	{ "stall_with_results", stall_with_results },
	{ "stall_in_nested_faults", stall_in_nested_faults },
};

/* Once: Linux may execute an instruction again, and a CPU may come in again. */
static void misbehave(void)
{
	static uint32_t done;

	if (__atomic_exchange_n(&done, 1, __ATOMIC_RELAXED))
		return;
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (!word_is(wanted(), calls[i].name))
			continue;
		calls[i].execute();
		return;
	}
	if (!do_instruction()) {
		ext_print("misbehave: no such case\n");
		ext_exit();
	}
}

/* --- places ----------------------------------------------------------------------------------- */

static void in_bootstrap(uint64_t ppid)
{
	bool last = ppid + 1 == mk1_tls_online_pps();

	if ((place_is("bootstrap") && ppid == 0) || (place_is("last") && last))
		misbehave();
	if (place_is("fail-last") && last)
		fault();
}

/* A lock that is taken in each exit, and kept by one that fails. */
static void take_and_fail(bool trigger)
{
	static bool locked;

	while (__atomic_test_and_set(&locked, __ATOMIC_ACQUIRE))
		__asm__ volatile("pause");
	if (trigger)
		__builtin_trap();
	__atomic_clear(&locked, __ATOMIC_RELEASE);
}

static void meet_and_misbehave(void)
{
	static unsigned int count;

	__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	while (__atomic_load_n(&count, __ATOMIC_RELAXED) < mk1_tls_online_pps())
		__asm__ volatile("pause");
	loop();
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	bool stopping = (uint32_t)mk1_rax() == MK1_CPUID_LEAF &&
			(uint32_t)mk1_rcx() == MK1_CPUID_STOP;
	bool trigger = (uint32_t)mk1_rax() == TRIGGER;

	/* The entry of another VS that the CPU refused: it is as it was. */
	if (reason ==
	    (is_svm ? SVM_EXIT_INVALID : VMX_EXIT_ENTRY_FAILED | VMX_EXIT_ENTRY_GUEST_STATE))
		mk1_vs_run_current(MK1_HANDLE);
	if ((uint32_t)mk1_rax() == RELEASE)
		__atomic_store_n(&released, true, __ATOMIC_RELAXED);
	if (mk1_tls_ppid() == stalled_pp)
		stall_again();
	if (linux_table && reason == (is_svm ? SVM_EXIT_NPF : VMX_EXIT_EPT_VIOLATION))
		in_the_nmi_handler(vsid);
	verify_answer();
	if (place_is("first") || (place_is("later") && trigger) || (place_is("stop") && stopping))
		misbehave();
	if (place_is("all") && trigger)
		meet_and_misbehave();
	if (place_is("locked"))
		take_and_fail(trigger);
	if (place_is("sweep") && trigger)
		sweep();
	if (place_is("fail-later") && trigger && !divisor)
		fault();
}

static void in_fail(uint64_t error_and_vector, uint64_t address)
{
	(void)address;
	if (place_is("sweep"))
		in_sweep(error_and_vector);
	if (mends_nothing)
		mk1_control_again();
	divisor = 1; /* Linux executes its CPUID again */
	misbehave();
	ext_exit();
}

static bool registers(char which)
{
	if (which == 'f')
		return place_is("sweep") || place_is("fail-last") || place_is("fail-later");
	return !(place_is("unregistered") && *wanted() == which);
}

static int in_start(uint64_t specs)
{
	uint64_t handle;

	(void)specs;
	expect(mk1_handle_open_handle(MK1_SPEC_ID, &handle), MK1_SUCCESS);
	is_svm = !insn_intel();
	if (place_is("start"))
		misbehave();
	if (place_is("fail-start")) {
		expect(mk1_callback_register_fail(MK1_HANDLE, (uint64_t)in_fail), MK1_SUCCESS);
		fault();
	}
	expect(mk1_handle_close_handle(MK1_HANDLE), MK1_SUCCESS);
	return place_is("unregistered") && *wanted() == 'n';
}

const struct ext_hooks ext_hooks = {
	.start = in_start,
	.bootstrap = in_bootstrap,
	.vmexit = in_vmexit,
	.fail = in_fail,
	.registers = registers,
};
