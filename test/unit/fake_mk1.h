/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A microkernel for one PP and one VS, behind the C functions of libext: an extension's sources are
 * included after this header and run on the host. A call that does not return (run, promote, exit)
 * ends the callback with a long jump; fake.ended says which it was.
 */
#ifndef TEST_FAKE_MK1_H
#define TEST_FAKE_MK1_H

#include <check.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/cpu_state.h>
#include <abi/hw/svm.h>
#include <abi/layout.h>
#include <abi/mk1.h>
#include <abi/mk2.h>
#include <bsl/compiler.h>

/* libext's stubs and TLS accessors are what this replaces. */
#define LIBEXT_MK1_SYS_H
#define LIBEXT_MK1_TLS_H
#define LIBEXT_MK2_SYS_H

enum ended { RUNNING, RESUMED, RESUMED_NEXT, PROMOTED, EXITED, WAITING };

static struct {
	enum ended ended;
	jmp_buf back;
	uint64_t gpr[BF_NR_GPRS];
	uint64_t reg[256];
	bool advanced;
	bool active;
	bool flushed;
	unsigned int calls;
	unsigned int fail_at; /* this call fails; 0: none */
	uint64_t refused_reg; /* writes to it are refused; 0: none */
	uint64_t (*rdmsr)(uint32_t msr, bool *ok);
	uint32_t wrmsr_msr; /* the one MSR that takes writes */
	uint64_t wrmsr_value;
	char text[4096];
	void *memory[3];
	uint64_t view; /* that Linux uses */
	struct {
		uint64_t gpa, size, flags;
	} view_set; /* the last of these */
	uint64_t view_status; /* of the calls about views; 0: success */
	unsigned int recalls; /* of how many PPs, of 3 */
	uint64_t recall_status; /* of PP 2; 0: success */
	unsigned int busy_recalls; /* after so many it is not busy any more */
	uint64_t more_ns;
	bool attached;
	unsigned int hooks_applied;
	uint16_t vsid; /* the active VS */
	uint64_t bootstrap, vmexit, fail;
	uint8_t code[15]; /* of the instruction */
	size_t code_bytes;
	uint64_t word_at; /* what can be read of memory */
	uint16_t word;
} fake;

/* Where a register of the VS lives: in gpr, as on the real ABI page, or in reg. */
static uint64_t *fake_reg(uint64_t reg);

static inline bool fake_call(void)
{
	return ++fake.calls != fake.fail_at;
}

static inline uint64_t fake_status(void)
{
	return fake_call() ? MK1_SUCCESS : MK1_FAILURE_UNKNOWN;
}

static inline __noreturn void fake_end(enum ended ended)
{
	fake.ended = ended;
	longjmp(fake.back, 1);
}

#define UNUSED __attribute__((unused))

static inline uint64_t mk1_control_exit(void)
{
	fake_end(EXITED);
}

static inline uint64_t mk1_handle_open_handle(uint64_t spec, uint64_t *handle)
{
	ck_assert_uint_eq(spec, MK1_SPEC_ID);
	*handle = MK1_HANDLE;
	return fake_status();
}

static inline uint64_t mk1_debug_dump_vs(UNUSED uint64_t vsid)
{
	return MK1_SUCCESS;
}

static inline uint64_t mk1_callback_register_bootstrap(UNUSED uint64_t h, uint64_t fn)
{
	fake.bootstrap = fn;
	return fake_status();
}

static inline uint64_t mk1_callback_register_vmexit(UNUSED uint64_t h, uint64_t fn)
{
	fake.vmexit = fn;
	return fake_status();
}

static inline uint64_t mk1_callback_register_fail(UNUSED uint64_t h, uint64_t fn)
{
	fake.fail = fn;
	return fake_status();
}

static inline uint64_t mk1_vm_tlb_flush(UNUSED uint64_t h, uint64_t vmid)
{
	ck_assert_uint_eq(vmid, MK1_ROOT_VMID);
	ck_assert(fake.active);
	fake.flushed = true;
	return fake_status();
}

static inline uint64_t mk1_vp_create_vp(UNUSED uint64_t h, uint64_t vmid, uint64_t *vpid)
{
	ck_assert_uint_eq(vmid, MK1_ROOT_VMID);
	*vpid = 0;
	return fake_status();
}

static inline uint64_t mk1_vs_create_vs(UNUSED uint64_t h, UNUSED uint64_t vpid,
					UNUSED uint64_t ppid, uint64_t *vsid)
{
	*vsid = 0;
	return fake_status();
}

static inline uint64_t mk1_vs_init_as_root(UNUSED uint64_t h, UNUSED uint64_t vsid)
{
	return fake_status();
}

static inline uint64_t mk1_vs_read(UNUSED uint64_t h, uint64_t vsid, uint64_t reg, uint64_t *value)
{
	ck_assert_uint_eq(vsid, 0);
	*value = *fake_reg(reg);
	return fake_status();
}

static inline uint64_t mk1_vs_write(UNUSED uint64_t h, uint64_t vsid, uint64_t reg, uint64_t value)
{
	ck_assert_uint_eq(vsid, 0);
	if (!fake_call() || reg == fake.refused_reg)
		return MK1_INVALID_INPUT_REG(3);
	*fake_reg(reg) = value;
	return MK1_SUCCESS;
}

static inline uint64_t mk1_vs_run_current(UNUSED uint64_t h)
{
	ck_assert(fake.active);
	if (!fake_call())
		return MK1_FAILURE_UNKNOWN;
	fake_end(RESUMED);
}

static inline uint64_t mk1_vs_advance_ip_and_run_current(UNUSED uint64_t h)
{
	ck_assert(fake.active && !fake.advanced);
	if (!fake_call())
		return MK1_FAILURE_UNKNOWN;
	fake_end(RESUMED_NEXT);
}

static inline uint64_t mk1_vs_set_active(UNUSED uint64_t h, UNUSED uint64_t vmid,
					 UNUSED uint64_t vpid, UNUSED uint64_t vsid)
{
	fake.active = true;
	return fake_status();
}

static inline uint64_t mk1_vs_advance_ip_and_set_active(UNUSED uint64_t h, UNUSED uint64_t vmid,
							UNUSED uint64_t vpid, UNUSED uint64_t vsid)
{
	if (!fake_call())
		return MK1_FAILURE_UNKNOWN;
	fake.advanced = true;
	return MK1_SUCCESS;
}

static inline uint64_t mk1_vs_promote(UNUSED uint64_t h, UNUSED uint64_t vsid)
{
	if (!fake_call())
		return MK1_FAILURE_UNKNOWN;
	fake_end(PROMOTED);
}

static inline uint64_t mk1_intrinsic_rdmsr(UNUSED uint64_t h, uint64_t msr, uint64_t *value)
{
	bool ok = fake_call() && fake.rdmsr;

	if (ok)
		*value = fake.rdmsr((uint32_t)msr, &ok);
	return ok ? MK1_SUCCESS : MK1_INVALID_PERM_DENIED;
}

static inline uint64_t mk1_intrinsic_wrmsr(UNUSED uint64_t h, uint64_t msr, uint64_t value)
{
	if (!fake_call() || !fake.wrmsr_msr || (uint32_t)msr != fake.wrmsr_msr)
		return MK1_INVALID_PERM_DENIED;
	fake.wrmsr_value = value;
	return MK1_SUCCESS;
}

static inline uint64_t fake_alloc(size_t i, uint64_t size, uint64_t *va, uint64_t *spa)
{
	free(fake.memory[i]);
	fake.memory[i] = calloc(1, size); /* of its exact size: overruns are seen */
	ck_assert_ptr_nonnull(fake.memory[i]);
	*va = (uint64_t)fake.memory[i];
	*spa = 0x123000;
	return fake_status();
}

static inline uint64_t mk1_mem_alloc_page(UNUSED uint64_t h, uint64_t *va, uint64_t *spa)
{
	return fake_alloc(0, BF_PAGE_SIZE, va, spa);
}

static inline uint64_t mk1_mem_alloc_huge(UNUSED uint64_t h, uint64_t bytes, uint64_t *va,
					  uint64_t *spa)
{
	return fake_alloc(bytes == SVM_IOPM_SIZE ? 2 : 1, bytes, va, spa);
}

/* --- views, by Mk#2 --------------------------------------------------------------------------- */

static inline uint64_t fake_view_status(void)
{
	return fake.view_status ? fake.view_status : MK1_SUCCESS;
}

static inline uint64_t mk2_vm_view_rest(UNUSED uint64_t h, UNUSED uint64_t view, uint64_t flags,
					uint64_t *generation)
{
	ck_assert_uint_eq(flags, MK2_NESTED_RWX);
	*generation = 1;
	return fake_view_status();
}

static inline uint64_t mk2_vm_view_set(UNUSED uint64_t h, UNUSED uint64_t view, uint64_t gpa,
				       uint64_t size, uint64_t flags, uint64_t *generation)
{
	fake.view_set.gpa = gpa;
	fake.view_set.size = size;
	fake.view_set.flags = flags;
	*generation = 1;
	return flags == MK2_NESTED_X ? MK1_FAILURE_UNSUPPORTED : fake_view_status();
}

static inline uint64_t mk2_vm_view_clear(UNUSED uint64_t h, UNUSED uint64_t view, uint64_t gpa,
					 uint64_t size, uint64_t *generation)
{
	fake.view_set.gpa = gpa;
	fake.view_set.size = size;
	fake.view_set.flags = MK2_NESTED_RWX;
	*generation = 1;
	return fake_view_status();
}

static inline uint64_t mk2_vs_view(UNUSED uint64_t h, uint64_t vsid, uint64_t view)
{
	ck_assert_uint_eq(vsid, 0);
	fake.view = view;
	return fake_view_status();
}

#define FAKE_GPR(name, index) \
	static inline uint64_t mk1_##name(void) \
	{ \
		return fake.gpr[index]; \
	} \
	static inline void mk1_set_##name(uint64_t value) \
	{ \
		fake.gpr[index] = value; \
	}

FAKE_GPR(rax, BF_RAX)
FAKE_GPR(rbx, BF_RBX)
FAKE_GPR(rcx, BF_RCX)
FAKE_GPR(rdx, BF_RDX)

static inline uint16_t mk1_tls_vsid(void)
{
	return fake.vsid;
}

static inline uint16_t mk1_tls_vmid(void)
{
	return MK1_ROOT_VMID;
}

static inline uint16_t mk1_tls_vpid(void)
{
	return 0;
}

static inline uint64_t mk2_pp_recall_attach(UNUSED uint64_t h)
{
	fake.attached = true;
	return fake_status();
}

static inline uint64_t mk2_pp_recall(UNUSED uint64_t h, uint64_t ppid)
{
	if (fake.recall_status == MK1_INVALID_PERM_DENIED)
		return fake.recall_status;
	if (ppid >= 3)
		return MK1_INVALID_INPUT_REG(1);
	fake.recalls++;
	if (ppid == 2 && fake.recall_status == MK2_FAILURE_BUSY && !--fake.busy_recalls)
		fake.recall_status = MK1_SUCCESS;
	return ppid == 2 ? fake.recall_status : MK1_SUCCESS;
}

uint64_t ext_more_time(uint64_t ns)
{
	fake.more_ns += ns;
	return MK1_SUCCESS;
}

static inline uint16_t mk1_tls_ppid(void)
{
	return 0;
}

uint64_t ext_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

uint64_t ext_print(const char *fmt, ...)
{
	size_t used = strlen(fake.text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(fake.text + used, sizeof(fake.text) - used, fmt, args);
	va_end(args);
	return MK1_SUCCESS;
}

static void fake_reset(void)
{
	free(fake.memory[0]);
	free(fake.memory[1]);
	free(fake.memory[2]);
	memset(&fake, 0, sizeof(fake));
	fake.active = true;
	fake.vsid = (uint16_t)MK1_INVALID_ID;
}

/* Runs a callback to its end. */
static inline enum ended fake_run(void (*callback)(uint64_t, uint64_t), uint64_t arg0,
				  uint64_t arg1)
{
	fake.ended = RUNNING;
	if (!setjmp(fake.back))
		callback(arg0, arg1);
	return fake.ended;
}

/* Other extensions: none. */
#define WITHOUT_FOLLOWERS \
	void follow_lead(UNUSED uint64_t specs) \
	{ \
	} \
	bool follow_prepare(void) \
	{ \
		return true; \
	} \
	void follow_ask_again(void) \
	{ \
	} \
	bool follow_is_one(void) \
	{ \
		return false; \
	} \
	bool follow_start(UNUSED uint64_t specs) \
	{ \
		abort(); \
	} \
	bool follow_wants_msr(UNUSED uint32_t msr, UNUSED unsigned int access) \
	{ \
		abort(); \
	} \
	bool follow_wants_io(UNUSED uint32_t first, UNUSED uint32_t count) \
	{ \
		abort(); \
	} \
	void follow_cpu_out(UNUSED uint64_t vsid) \
	{ \
	} \
	bool follow_fault(UNUSED struct ext_exit *e, UNUSED const struct ext_fault *fault) \
	{ \
		return false; \
	} \
	bool follow_io(UNUSED struct ext_exit *e, UNUSED const struct ext_io *io, \
		       UNUSED uint32_t *value) \
	{ \
		return false; \
	} \
	bool follow_cr(UNUSED struct ext_exit *e, UNUSED const struct ext_cr *cr) \
	{ \
		return false; \
	} \
	bool follow_dr(UNUSED struct ext_exit *e, UNUSED const struct ext_dr *dr, \
		       UNUSED uint64_t *value) \
	{ \
		return false; \
	} \
	bool follow_hypercall(UNUSED struct ext_exit *e, UNUSED struct ext_hypercall *call) \
	{ \
		return false; \
	} \
	bool follow_exception(UNUSED struct ext_exit *e, UNUSED const struct ext_exception *x) \
	{ \
		return false; \
	} \
	void follow_wants_registers(UNUSED unsigned int crs, UNUSED unsigned int drs, \
				    UNUSED uint32_t vectors) \
	{ \
		abort(); \
	} \
	bool follow_cpu_in(UNUSED uint64_t vsid) \
	{ \
		return true; \
	} \
	bool follow_exit(UNUSED struct ext_exit *e) \
	{ \
		return false; \
	} \
	bool follow_cpuid(UNUSED struct ext_exit *e, UNUSED uint32_t leaf, \
			  UNUSED uint32_t subleaf, UNUSED struct cpuid_regs *regs) \
	{ \
		return false; \
	} \
	bool follow_rdmsr(UNUSED struct ext_exit *e, UNUSED uint32_t msr, UNUSED uint64_t *value) \
	{ \
		return false; \
	} \
	bool follow_wrmsr(UNUSED struct ext_exit *e, UNUSED uint32_t msr, UNUSED uint64_t value) \
	{ \
		return false; \
	}

/* Linux's memory: the instruction, and one word that operands are in. */
#define WITH_CODE \
	enum ext_mem_status ext_mem_code(UNUSED uint64_t vsid, uint8_t code[EXT_MEM_CODE_MAX], \
					 size_t *count) \
	{ \
		memcpy(code, fake.code, fake.code_bytes); \
		*count = fake.code_bytes; \
		return fake.code_bytes ? EXT_MEM_OK : EXT_MEM_NOT_PRESENT; \
	} \
	enum ext_mem_status ext_mem_read(UNUSED uint64_t vsid, uint64_t gva, void *data, \
					 size_t size, UNUSED size_t *done) \
	{ \
		if (gva != fake.word_at || size != sizeof(fake.word)) \
			return EXT_MEM_NOT_PRESENT; \
		memcpy(data, &fake.word, size); \
		return EXT_MEM_OK; \
	} \
	const char *ext_mem_why(UNUSED enum ext_mem_status status) \
	{ \
		return "not mapped"; \
	}

/* Hidden breakpoints: none. */
#define WITHOUT_HOOKS \
	bool hooked_fault(UNUSED struct ext_exit *e, UNUSED const struct ext_fault *fault) \
	{ \
		return false; \
	} \
	bool hooked_breakpoint(UNUSED struct ext_exit *e) \
	{ \
		return false; \
	} \
	void hook_apply(UNUSED uint64_t vsid) \
	{ \
		fake.hooks_applied++; \
	} \
	void hooked_stepped(void) \
	{ \
	}

/* The other vendor's side, which is not in this program. */
#define WITHOUT(vendor) \
	bool vendor##_start(void) \
	{ \
		return false; \
	} \
	bool vendor##_setup(UNUSED uint64_t vsid) \
	{ \
		return false; \
	} \
	void vendor##_vmexit(UNUSED uint64_t vsid, UNUSED uint64_t reason) \
	{ \
		abort(); \
	} \
	void vendor##_step_reset(void) \
	{ \
	} \
	bool vendor##_intercept_msr(UNUSED uint32_t msr, UNUSED unsigned int access) \
	{ \
		abort(); \
	} \
	bool vendor##_read_msr(UNUSED uint64_t vsid, UNUSED uint32_t msr, UNUSED uint64_t *value) \
	{ \
		abort(); \
	} \
	bool vendor##_write_msr(UNUSED uint64_t vsid, UNUSED uint32_t msr, UNUSED uint64_t value) \
	{ \
		abort(); \
	}

#endif
