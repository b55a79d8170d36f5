// SPDX-License-Identifier: GPL-2.0-only
/*
 * ext/linux/emulate.c: what ext_emulate does to registers, memory and the device, and what it
 * leaves to the CPU, on a memory that is mapped one to one.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <abi/mk1.h>
#include <bsl/compiler.h>
#include <ext/libext/libext.h>
#include <ext/linux/emulate.c>

#define UNUSED __attribute__((unused))
#define RAM 0x10000ULL
#define DEVICE 0x80000ULL
#define MISSING 0x90000ULL /* no page */
#define UPPER 0xFFFF800000000000ULL /* no page either */
#define TAGGED 0x5A00000000010000ULL

static struct {
	bool amd, follows, busy;
	uint64_t reg[256]; /* enum ext_reg */
	uint8_t ram[0x1000], device[0x1000];
	uint8_t code[15];
	size_t length;
	unsigned int cpl, injected, after_insn, writes;
	struct ext_exception exception;
	bool changes; /* somebody else is faster than a locked write */
} m;

bool linux_is_on_amd(void)
{
	return m.amd;
}

bool follow_is_one(void)
{
	return m.follows;
}

bool inject_is_busy(UNUSED uint64_t vsid)
{
	return m.busy;
}

void inject_after_insn(UNUSED uint64_t vsid)
{
	m.after_insn++;
}

const char *ext_inject_exception(struct ext_exit *e, const struct ext_exception *x)
{
	m.injected++;
	m.exception = *x;
	e->again = true;
	return NULL;
}

uint64_t ext_reg_read(UNUSED uint64_t vsid, enum ext_reg reg)
{
	return m.reg[reg];
}

bool ext_reg_write(UNUSED uint64_t vsid, enum ext_reg reg, uint64_t value)
{
	m.reg[reg] = value;
	return true;
}

unsigned int ext_cpl(UNUSED uint64_t vsid)
{
	return m.cpl;
}

/* Segments: flat, of 64-bit mode. */
uint64_t vs_get(UNUSED uint64_t vsid, uint64_t reg)
{
	if (reg == (m.amd ? MK1_AMD_cs_attrib : MK1_INTEL_cs_attrib))
		return m.amd ? 0x29B : 0x209B;
	return 0;
}

void give_up(UNUSED const char *what, UNUSED uint64_t vsid, UNUSED uint64_t detail)
{
	abort();
}

enum paging_status memory_walk(UNUSED uint64_t vsid, uint64_t la, unsigned int access,
			       uint64_t *gpa, uint32_t *error, enum ext_mem_status *status)
{
	ck_assert_msg(la >> 47 == 0 || la >> 47 == 0x1FFFF, "not canonical");
	*status = EXT_MEM_OK;
	*gpa = la;
	*error = (access & PAGING_WRITE ? 2 : 0) | (access & PAGING_USER ? 4 : 0);
	return la == MISSING || la >> 63 ? PAGING_FAULT : PAGING_OK;
}

static bool is_ram(uint64_t gpa, size_t bytes)
{
	return gpa >= RAM && gpa + bytes <= RAM + sizeof(m.ram);
}

enum ext_mem_status ext_mem_read_phys(uint64_t gpa, void *to, size_t bytes, UNUSED size_t *done)
{
	if (!is_ram(gpa, bytes))
		return EXT_MEM_NOT_RAM;
	memcpy(to, m.ram + (gpa - RAM), bytes);
	return EXT_MEM_OK;
}

enum ext_mem_status ext_mem_write_phys(uint64_t gpa, const void *from, size_t bytes,
				       UNUSED size_t *done)
{
	if (!is_ram(gpa, bytes))
		return EXT_MEM_NOT_RAM;
	memcpy(m.ram + (gpa - RAM), from, bytes);
	return EXT_MEM_OK;
}

enum ext_mem_status ext_mem_code(UNUSED uint64_t vsid, uint8_t code[EXT_MEM_CODE_MAX],
				 size_t *count)
{
	memcpy(code, m.code, m.length);
	*count = m.length;
	return EXT_MEM_OK;
}

const char *ext_mem_why(UNUSED enum ext_mem_status status)
{
	return "memory";
}

static void on_read(UNUSED void *ctx, uint64_t offset, void *data, unsigned int bytes)
{
	memcpy(data, m.device + offset, bytes);
}

static bool on_write(UNUSED void *ctx, uint64_t offset, const void *data, const void *expected,
		     unsigned int bytes)
{
	m.writes++;
	if (expected && (m.changes || memcmp(m.device + offset, expected, bytes)))
		return false;
	memcpy(m.device + offset, data, bytes);
	return true;
}

static const struct ext_device device = {
	.gpa = DEVICE, .size = 0x1000, .read = on_read, .write = on_write
};
static struct ext_exit e;

static void set_up(int amd)
{
	memset(&m, 0, sizeof(m));
	m.amd = amd;
	m.reg[EXT_REG_rip] = 0x4000;
	m.reg[EXT_REG_rflags] = 0x202;
	m.reg[EXT_REG_cr0] = CR0_PE | CR0_PG;
	m.reg[EXT_REG_cr4] = CR4_PAE;
	m.reg[EXT_REG_efer] = EFER_LME | EFER_LMA;
	m.reg[EXT_REG_rbx] = DEVICE;
	for (unsigned int i = 0; i < sizeof(m.device); i++)
		m.device[i] = (uint8_t)(i + 1);
}

static const char *emulate(const char *code, size_t length)
{
	memcpy(m.code, code, length);
	m.length = length;
	e = (struct ext_exit){ .reason = m.amd ? SVM_EXIT_NPF : VMX_EXIT_EPT_VIOLATION };
	return ext_emulate(&e, &device);
}
#define EMULATE(code) emulate(code, sizeof(code) - 1)
#define MOV_EAX_RBX "\x8B\x03"
#define REP_MOVSB "\xF3\xA4"
#define XCHG_RBX_EAX "\x87\x03"

/* The CPU, or the memory that is there: nothing has changed. */
static void expect_refusal(const char *why)
{
	ck_assert_ptr_nonnull(why);
	ck_assert(!e.again);
	ck_assert_uint_eq(m.reg[EXT_REG_rip], 0x4000);
	ck_assert_uint_eq(m.injected + m.after_insn + m.writes, 0);
}

START_TEST(an_instruction)
{
	set_up(_i);
	ck_assert_ptr_null(EMULATE(MOV_EAX_RBX));
	ck_assert(e.again);
	ck_assert_uint_eq(m.reg[EXT_REG_rax], 0x04030201);
	ck_assert_uint_eq(m.reg[EXT_REG_rip], 0x4002);
	ck_assert_uint_eq(m.after_insn, 1);
}
END_TEST

/* So many iterations as complete; what a fault interrupts is met with again. */
START_TEST(a_string)
{
	set_up(_i);
	m.reg[EXT_REG_rsi] = DEVICE;
	m.reg[EXT_REG_rdi] = RAM + 16;
	m.reg[EXT_REG_rcx] = 100;
	ck_assert_ptr_null(EMULATE(REP_MOVSB));
	ck_assert_uint_eq(m.reg[EXT_REG_rcx], 100 - ITERATIONS);
	ck_assert_uint_eq(m.reg[EXT_REG_rip], 0x4000);
	ck_assert_uint_eq(m.after_insn, 0);
	ck_assert_int_eq(memcmp(m.ram + 16, m.device, ITERATIONS), 0);
	m.reg[EXT_REG_rdi] = MISSING;
	ck_assert_ptr_null(EMULATE(REP_MOVSB));
	ck_assert_uint_eq(m.injected, 1);
	ck_assert_uint_eq(m.exception.vector, VECTOR_PF);
	ck_assert_uint_eq(m.exception.error_code, 2);
	ck_assert_uint_eq(m.exception.address, MISSING);
	ck_assert_uint_eq(m.reg[EXT_REG_rcx], 100 - ITERATIONS);
}
END_TEST

/* A locked write of which another PP was first is done again. */
START_TEST(another_is_first)
{
	set_up(_i);
	m.changes = true;
	m.reg[EXT_REG_rax] = 7;
	ck_assert_ptr_null(EMULATE(XCHG_RBX_EAX));
	ck_assert(e.again);
	ck_assert_uint_eq(m.writes, 1);
	ck_assert_uint_eq(m.reg[EXT_REG_rax], 7);
	ck_assert_uint_eq(m.reg[EXT_REG_rip], 0x4000);
	m.changes = false;
	ck_assert_ptr_null(EMULATE(XCHG_RBX_EAX));
	ck_assert_uint_eq(m.reg[EXT_REG_rax], 0x04030201);
	ck_assert_uint_eq(m.device[0], 7);
}
END_TEST

START_TEST(what_is_refused)
{
	set_up(_i);
	m.follows = true;
	expect_refusal(EMULATE(MOV_EAX_RBX));
	set_up(_i);
	m.busy = true;
	expect_refusal(EMULATE(MOV_EAX_RBX));
	set_up(_i);
	m.reg[EXT_REG_rbx] = RAM;
	expect_refusal(EMULATE(MOV_EAX_RBX)); /* not the device */
	m.reg[EXT_REG_rbx] = DEVICE - 2;
	expect_refusal(EMULATE(MOV_EAX_RBX)); /* and what is beside it */
	expect_refusal(EMULATE("\x0F\x01\xD9")); /* VMMCALL */
	expect_refusal(EMULATE("\x8B")); /* half of one */
	m.reg[EXT_REG_rsi] = DEVICE;
	m.reg[EXT_REG_rdi] = 0x70000; /* other devices */
	expect_refusal(EMULATE("\xA4"));
	e = (struct ext_exit){ .reason = m.amd ? SVM_EXIT_CPUID : VMX_EXIT_CPUID };
	expect_refusal(ext_emulate(&e, &device));
}
END_TEST

/* Bits of addresses that a CPU may ignore: #GP is the emulator's where nothing does. */
START_TEST(tags)
{
	static const struct {
		uint64_t cr3, cr4, efer;
	} cases[] = { { .cr3 = CR3_LAM_U48 },
		      { .cr3 = CR3_LAM_U57 },
		      { .cr4 = CR4_LAM_SUP },
		      { .efer = EFER_UAIE } };

	set_up(_i);
	m.reg[EXT_REG_rsi] = DEVICE;
	m.reg[EXT_REG_rdi] = TAGGED;
	ck_assert_ptr_null(EMULATE("\xA4"));
	ck_assert_uint_eq(m.exception.vector, VECTOR_GP);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set_up(_i);
		m.reg[EXT_REG_rsi] = DEVICE;
		m.reg[EXT_REG_rdi] = TAGGED;
		m.reg[EXT_REG_cr3] |= cases[i].cr3;
		m.reg[EXT_REG_cr4] |= cases[i].cr4;
		m.reg[EXT_REG_efer] |= cases[i].efer;
		expect_refusal(EMULATE("\xA4"));
		/* Without a tag nothing is else. */
		ck_assert_ptr_null(EMULATE(MOV_EAX_RBX));
	}
}
END_TEST

/* With LASS, the wrong half of the address space is #GP, whatever is in the tables. */
START_TEST(halves)
{
	for (unsigned int cpl = 0; cpl <= 3; cpl += 3) {
		for (int lass = 0; lass < 2; lass++) {
			uint64_t wrong = cpl ? UPPER : MISSING;

			set_up(_i);
			m.cpl = cpl;
			m.reg[EXT_REG_cr4] |= lass ? CR4_LASS : 0;
			m.reg[EXT_REG_rsi] = DEVICE;
			m.reg[EXT_REG_rdi] = wrong;
			if (lass) {
				expect_refusal(EMULATE("\xA4"));
			} else {
				ck_assert_ptr_null(EMULATE("\xA4"));
				ck_assert_uint_eq(m.exception.address, wrong);
			}
			m.injected = 0;
			m.reg[EXT_REG_rdi] = cpl ? MISSING : UPPER;
			ck_assert_ptr_null(EMULATE("\xA4"));
			ck_assert_uint_eq(m.injected, 1);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ext_emulate");
	TCase *tc = tcase_create("ext_emulate");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, an_instruction, 0, 2);
	tcase_add_loop_test(tc, a_string, 0, 2);
	tcase_add_loop_test(tc, another_is_first, 0, 2);
	tcase_add_loop_test(tc, what_is_refused, 0, 2);
	tcase_add_loop_test(tc, tags, 0, 2);
	tcase_add_loop_test(tc, halves, 0, 2);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
