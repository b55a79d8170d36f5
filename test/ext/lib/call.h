/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test of one call of Mk#1: the default extension, and a test around it. The file of a test
 * defines call_test, and is linked with call.c.
 *
 * test/kselftest/src/run-verdict.c starts it, on one CPU after the other: no two PPs are in a test
 * at a time.
 *
 * For every call, call.c tests that it takes an open handle only, if it takes one, that its number
 * is exact, that each of its errors occurs in the test and no other, that registers that are not
 * results stay as they are, and that a call which fails changes neither these nor the ABI page.
 */
#ifndef TEST_EXT_CALL_H
#define TEST_EXT_CALL_H

#include <abi/layout.h>
#include <abi/mk2.h>
#include <bsl/string.h>

#include "test/ext/lib/hooks.h"
#include "test/ext/lib/verify.h"

#define STEP_VERDICT 0xFE
#define STEP_END 0xFF

/* CALL_vs_read and so on */
#define CALL_NUMBER(op, idx, name, in, out, args, results, errors) CALL_##name,
enum call_number { MK1_SYSCALLS(CALL_NUMBER) NR_CALLS };
#undef CALL_NUMBER

struct call_test {
	enum call_number call;
	void (*unopened)(void); /* in ext_start, before anything else */
	void (*started)(void); /* in ext_start, when the default extension is done with it */
	void (*bootstrap)(void); /* on every PP, before it becomes a guest */
	/*
	 * In the exit of CPUID with VERIFY_LEAF in EAX and a step in ECX, which is 0 at the
	 * start of a test. When this returns, the guest goes on with the next instruction,
	 * which is a CPUID again, and that asks for the verdict.
	 */
	void (*exit)(void);
	void (*end)(void); /* in the exit with STEP_END: it need not come back */
	mk1_fail_fn *fault; /* the fail callback */
	bool own_callbacks; /* the test registers the three callbacks itself, in started */
	/* Errors of the list that not every machine has a way to provoke; NULL: none. */
	const char *maybe;
};

extern const struct call_test call_test;

/* A register that both vendors have. */
#define REG(name) (is_svm ? (uint64_t)MK1_AMD_##name : (uint64_t)MK1_INTEL_##name)

/* A place that is reached only if what is before it did not do what it should. */
#define UNREACHED(what) ((void)verify(false, __FILE__, __LINE__, what))

/* What the upper bits of an argument of 16 or 32 bits may be. */
#define HIGH16 0xFEDCBA9876540000
#define HIGH32 0xFEDCBA9800000000

/* REG0 to REG5 after the last call. */
extern uint64_t out[6];

/* Where the guest goes on, after the instruction that began the test. */
extern uint64_t call_next;

#define CPUID_LENGTH 2

/* The registers and ids in the ABI page, and the little after them. */
struct abi_page {
	uint64_t gpr[BF_NR_GPRS];
	uint16_t ids[8];
};

void read_abi_page(struct abi_page *page);

/* Makes the call and looks at what it left of all registers; returns its status. */
uint64_t make_call(uint64_t rax, const uint64_t *args, const char *file, int line);

/* The call, with these REG0.., answers with the status. Its results are in out[] then. */
#define GIVES(wanted, ...) gives(wanted, (const uint64_t[6]){ __VA_ARGS__ }, __FILE__, __LINE__)
bool gives(uint64_t wanted, const uint64_t *args, const char *file, int line);

/* In REGn of these REG0.., each id that stands for nothing is refused, whatever is above it. */
#define REFUSES_IDS(n, ...) refuses_ids(n, (const uint64_t[6]){ __VA_ARGS__ }, __FILE__, __LINE__)
void refuses_ids(unsigned int reg, const uint64_t *args, const char *file, int line);

/* The call refuses each handle that is none, if it takes one. */
void test_handles(void);

/* Whoever runs the test finds text (an extended regular expression) as a line of the debug ring. */
#define EXPECT_PRINTED(...) ext_print("call: expect " __VA_ARGS__)

/* --- a VM, VP and VS in addition to Linux's --------------------------------------------------- */

struct second {
	uint64_t vmid, vpid, vsid;
};

struct second make_second(void);
void drop_second(struct second s);

/* Another PP than this one, if there is one. */
bool other_pp(uint64_t *ppid);

/* What is active, by its ids. */
bool is_active(uint64_t vmid, uint64_t vpid, uint64_t vsid);

uint64_t read_reg(uint64_t vsid, uint64_t reg);

/* Whether ring 3 has the page: the text in it is printed, which is none when it begins with NUL. */
bool is_mapped(uint64_t va);

/* Takes every page of the pool, each with the address of the one before it; and gives them back. */
uint64_t drain_pool(void);
void refill_pool(uint64_t last);

#endif
