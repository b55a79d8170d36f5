// SPDX-License-Identifier: GPL-2.0-only
#include "test/ext/lib/call.h"

struct call {
	uint64_t rax;
	unsigned int inputs, outputs;
	const char *args, *errors;
};

#define CALL_ENTRY(op, idx, name, in, out, args, results, errors) \
	{ MK1_RAX(MK1_OP_##op, idx), in, out, args, errors },
static const struct call calls[NR_CALLS] = { MK1_SYSCALLS(CALL_ENTRY) };

#define tested calls[call_test.call]

uint64_t out[6];
uint64_t call_next;

/* --- the call itself -------------------------------------------------------------------------- */

static const uint8_t reg_gpr[6] = { BF_RDI, BF_RSI, BF_RDX, BF_R10, BF_R8, BF_R9 };

/* SYSCALL with all registers as in gpr, in the order of enum bf_gpr; leaves them there. */
__attribute__((naked)) static noinline void syscall_with(uint64_t *gpr __attribute__((unused)))
{
	__asm__("push %rbx\n\tpush %rbp\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
		"push %rdi\n\t"
		"mov 0x00(%rdi), %rax\n\tmov 0x08(%rdi), %rbx\n\tmov 0x10(%rdi), %rcx\n\t"
		"mov 0x18(%rdi), %rdx\n\tmov 0x20(%rdi), %rbp\n\tmov 0x28(%rdi), %rsi\n\t"
		"mov 0x38(%rdi), %r8\n\tmov 0x40(%rdi), %r9\n\tmov 0x48(%rdi), %r10\n\t"
		"mov 0x50(%rdi), %r11\n\tmov 0x58(%rdi), %r12\n\tmov 0x60(%rdi), %r13\n\t"
		"mov 0x68(%rdi), %r14\n\tmov 0x70(%rdi), %r15\n\tmov 0x30(%rdi), %rdi\n\t"
		"syscall\n\t"
		"mov (%rsp), %rcx\n\t"
		"mov %rax, 0x00(%rcx)\n\tmov %rbx, 0x08(%rcx)\n\tmov %rdx, 0x18(%rcx)\n\t"
		"mov %rbp, 0x20(%rcx)\n\tmov %rsi, 0x28(%rcx)\n\tmov %rdi, 0x30(%rcx)\n\t"
		"mov %r8, 0x38(%rcx)\n\tmov %r9, 0x40(%rcx)\n\tmov %r10, 0x48(%rcx)\n\t"
		"mov %r12, 0x58(%rcx)\n\tmov %r13, 0x60(%rcx)\n\tmov %r14, 0x68(%rcx)\n\t"
		"mov %r15, 0x70(%rcx)\n\t"
		"pop %rdi\n\tpop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbp\n\t"
		"pop %rbx\n\t"
		"ret");
}

BF_STATIC_ASSERT(BF_GPR_RDI == 0x30 && BF_GPR_R15 == 0x70 && BF_GPR_R8 == 0x38, "order");

void read_abi_page(struct abi_page *page)
{
	const uint8_t *fs_base;

	__asm__("movq %%fs:0, %0" : "=r"(fs_base));
	bsl_memcpy(page->gpr, fs_base + MK1_TLS_GPRS, sizeof(page->gpr));
	bsl_memcpy(page->ids, fs_base + MK1_TLS_EXTID, sizeof(page->ids));
}

uint64_t make_call(uint64_t rax, const uint64_t *args, const char *file, int line)
{
	uint64_t before[BF_NR_GPRS], after[BF_NR_GPRS];
	struct abi_page page_before, page_after;
	unsigned int outputs;

	for (unsigned int i = 0; i < BF_NR_GPRS; i++)
		before[i] = 0xA5C3F00D87000000 | i << 8 | i;
	for (unsigned int i = 0; i < tested.inputs; i++)
		before[reg_gpr[i]] = args[i];
	before[BF_RAX] = rax;
	bsl_memcpy(after, before, sizeof(after));
	read_abi_page(&page_before);
	syscall_with(after);
	read_abi_page(&page_after);

	outputs = after[BF_RAX] == MK1_SUCCESS ? tested.outputs : 0;
	for (unsigned int i = 0; i < 6; i++) {
		out[i] = after[reg_gpr[i]];
		if (i < outputs)
			before[reg_gpr[i]] = out[i];
	}
	before[BF_RAX] = after[BF_RAX];
	verify(!bsl_memcmp(before, after, sizeof(before)), file, line, "registers are kept");
	if (after[BF_RAX] != MK1_SUCCESS)
		verify(!bsl_memcmp(&page_before, &page_after, sizeof(page_before)), file, line,
		       "a call that fails keeps the ABI page");
	return after[BF_RAX];
}

/* --- what it answers -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint64_t status;
} errors[] = { { "UNKNOWN", MK1_FAILURE_UNKNOWN },         { "HANDLE", MK1_FAILURE_INVALID_HANDLE },
	       { "UNSUPPORTED", MK1_FAILURE_UNSUPPORTED }, { "DENIED", MK1_INVALID_PERM_DENIED },
	       { "REG0", MK1_INVALID_INPUT_REG(0) },       { "REG1", MK1_INVALID_INPUT_REG(1) },
	       { "REG2", MK1_INVALID_INPUT_REG(2) },       { "REG3", MK1_INVALID_INPUT_REG(3) },
	       { "REG4", MK1_INVALID_INPUT_REG(4) },       { "REG5", MK1_INVALID_INPUT_REG(5) } };
#define NR_ERRORS (sizeof(errors) / sizeof(errors[0]))

static bool provoked[NR_ERRORS];

/* Whether word is one of the words of list, which single spaces separate. */
static bool has_word(const char *list, const char *word)
{
	while (*list) {
		size_t n = 0;

		while (word[n] && list[n] == word[n])
			n++;
		if (!word[n] && (!list[n] || list[n] == ' '))
			return true;
		while (*list && *list++ != ' ')
			;
	}
	return false;
}

bool gives(uint64_t wanted, const uint64_t *args, const char *file, int line)
{
	uint64_t status = make_call(tested.rax, args, file, line);

	for (unsigned int i = 0; i < NR_ERRORS; i++) {
		if (status == errors[i].status) {
			provoked[i] = true;
			verify(has_word(tested.errors, errors[i].name), file, line,
			       "abi/mk1.h lists the error");
		}
	}
	return verify_status(status, wanted, file, line, "the call");
}

/* Ids that stand for nothing: no test has so many VMs, VPs or VSs, unless it takes all of them. */
static const uint16_t absent_ids[] = { 15,  16,  17,  127,    128,    255,    256,   257,
				       511, 512, 513, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF };

void refuses_ids(unsigned int reg, const uint64_t *args, const char *file, int line)
{
	uint64_t with[6];

	bsl_memcpy(with, args, sizeof(with));
	for (unsigned int i = 0; i < sizeof(absent_ids) / sizeof(absent_ids[0]); i++) {
		with[reg] = absent_ids[i];
		gives(MK1_INVALID_INPUT_REG(reg), with, file, line);
		with[reg] |= HIGH16;
		gives(MK1_INVALID_INPUT_REG(reg), with, file, line);
	}
}

/* --- what is true of every call --------------------------------------------------------------- */

/* Arguments that are nothing: what is wrong with the handle comes first. */
#define NOTHING ~0ULL, ~0ULL, ~0ULL, ~0ULL, ~0ULL

void test_handles(void)
{
	static const uint64_t handles[] = { 1, 0xFFFF, 1ULL << 32, 1ULL << 63, MK1_INVALID_HANDLE };

	for (unsigned int i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		if (has_word(tested.errors, "HANDLE"))
			GIVES(MK1_FAILURE_INVALID_HANDLE, handles[i], NOTHING);
	}
}

/* A flag, another magic, an opcode or index with the same low byte: none of them is the call. */
static void test_number(void)
{
	static const uint64_t wrong[] = { 1ULL << 32, 1ULL << 47, 1ULL << 48, 1ULL << 63,
					  1ULL << 24, 1ULL << 31, 1ULL << 8,  1ULL << 15 };

	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		VERIFY(make_call(tested.rax ^ wrong[i], (const uint64_t[6]){ 0 }, __FILE__,
				 __LINE__) == MK1_FAILURE_UNSUPPORTED);
}

static void test_all_calls(void)
{
	test_handles();
	test_number();
}

/* Each error of the list has been seen, but what this machine may have no way to. */
static void test_errors(void)
{
	for (unsigned int i = 0; i < NR_ERRORS; i++) {
		if (has_word(tested.errors, errors[i].name) && !provoked[i] &&
		    !VERIFY(call_test.maybe && has_word(call_test.maybe, errors[i].name)))
			ext_print("verify: never seen: %s\n", errors[i].name);
	}
}

/* --- a VM, VP and VS in addition to Linux's --------------------------------------------------- */

struct second make_second(void)
{
	struct second s = { MK1_INVALID_ID, MK1_INVALID_ID, MK1_INVALID_ID };

	VERIFY_STATUS(mk1_vm_create_vm(MK1_HANDLE, &s.vmid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vp_create_vp(MK1_HANDLE, s.vmid, &s.vpid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vs_create_vs(MK1_HANDLE, s.vpid, mk1_tls_ppid(), &s.vsid), MK1_SUCCESS);
	return s;
}

void drop_second(struct second s)
{
	VERIFY_STATUS(mk1_vs_destroy_vs(MK1_HANDLE, s.vsid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vp_destroy_vp(MK1_HANDLE, s.vpid), MK1_SUCCESS);
	VERIFY_STATUS(mk1_vm_destroy_vm(MK1_HANDLE, s.vmid), MK1_SUCCESS);
}

bool other_pp(uint64_t *ppid)
{
	*ppid = (mk1_tls_ppid() + 1u) % mk1_tls_online_pps();
	return *ppid != mk1_tls_ppid();
}

bool is_active(uint64_t vmid, uint64_t vpid, uint64_t vsid)
{
	return mk1_tls_vmid() == vmid && mk1_tls_vpid() == vpid && mk1_tls_vsid() == vsid;
}

uint64_t read_reg(uint64_t vsid, uint64_t reg)
{
	uint64_t value = 0;

	VERIFY_STATUS(mk1_vs_read(MK1_HANDLE, vsid, reg, &value), MK1_SUCCESS);
	return value;
}

bool is_mapped(uint64_t va)
{
	return mk1_debug_write_str(va, 1) == MK1_SUCCESS;
}

uint64_t drain_pool(void)
{
	uint64_t last = 0, va, spa;

	while (mk1_mem_alloc_page(MK1_HANDLE, &va, &spa) == MK1_SUCCESS) {
		*(uint64_t *)va = last;
		last = va;
	}
	VERIFY(last);
	return last;
}

void refill_pool(uint64_t last)
{
	while (last) {
		uint64_t before = *(const uint64_t *)last;

		if (!VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, last), MK1_SUCCESS))
			break;
		last = before;
	}
}

/* --- the stages ------------------------------------------------------------------------------- */

static void run_hook(void (*hook)(void))
{
	if (hook)
		hook();
}

static int call_unopened(uint64_t specs)
{
	uint64_t handle;

	VERIFY(specs == (MK1_SPEC_MASK | MK2_SPEC_MASK));
	test_all_calls();
	if (has_word(tested.errors, "HANDLE"))
		GIVES(MK1_FAILURE_INVALID_HANDLE, MK1_HANDLE, NOTHING);
	run_hook(call_test.unopened);
	VERIFY_STATUS(mk1_handle_open_handle(MK1_SPEC_ID, &handle), MK1_SUCCESS);
	VERIFY_STATUS(mk1_handle_close_handle(handle), MK1_SUCCESS);
	if (has_word(tested.errors, "HANDLE"))
		GIVES(MK1_FAILURE_INVALID_HANDLE, MK1_HANDLE, NOTHING);
	return 0;
}

static int call_started(void)
{
	test_all_calls();
	run_hook(call_test.started);
	return 0;
}

static void call_bootstrap(uint64_t ppid)
{
	VERIFY(ppid == mk1_tls_ppid());
	test_all_calls();
	run_hook(call_test.bootstrap);
}

static void call_fault(uint64_t error_and_vector, uint64_t address)
{
	if (call_test.fault)
		call_test.fault(error_and_vector, address);
	ext_exit();
}

static bool call_registers(char which)
{
	(void)which;
	return !call_test.own_callbacks;
}

static void call_exit(uint64_t vsid, uint64_t reason)
{
	uint64_t step = mk1_rcx();

	(void)reason;
	if ((uint32_t)mk1_rax() != VERIFY_LEAF)
		return;
	if (step == STEP_VERDICT) {
		VERIFY(read_reg(vsid, REG(rip)) == call_next);
		test_errors();
		verify_answer();
	}
	if (step == STEP_END) {
		run_hook(call_test.end);
		UNREACHED("the end");
		return;
	}
	if (step == 0) {
		call_next = read_reg(vsid, REG(rip)) + CPUID_LENGTH;
		VERIFY(vsid == mk1_tls_vsid());
		test_all_calls();
	}
	run_hook(call_test.exit);
	mk1_set_rcx(STEP_VERDICT);
	mk1_vs_advance_ip_and_run_current(MK1_HANDLE);
	ext_exit();
}

const struct ext_hooks ext_hooks = {
	.start = call_unopened,
	.started = call_started,
	.bootstrap = call_bootstrap,
	.vmexit = call_exit,
	.fail = call_fault,
	.registers = call_registers,
};
