// SPDX-License-Identifier: GPL-2.0-only
/* call/syscall.c: dispatch, and the handle. */
#include <string.h>

#include <abi/ext_calls.h>

#include "../machine.h"
#include "../suites.h"

static uint64_t raw(uint64_t rax)
{
	memset(&regs, 0, sizeof(regs));
	return syscall_run(rax);
}

START_TEST(unknown_calls)
{
	const uint64_t good = MK1_handle_close_handle;

	enter(0);
	ck_assert_uint_eq(raw(good), MK1_FAILURE_INVALID_HANDLE);
	ck_assert_uint_eq(raw(good ^ 1ULL << 63), MK1_FAILURE_UNSUPPORTED); /* the magic */
	ck_assert_uint_eq(raw(good | 1ULL << 32), MK1_FAILURE_UNSUPPORTED); /* a flag */
	ck_assert_uint_eq(raw(MK1_RAX(9, 0)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK1_RAX(0xFFFF, 0)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK1_RAX(0, 3)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK1_RAX(6, 15)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK1_RAX(6, 16)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(MK1_RAX(6, 0xFFFF)), MK1_FAILURE_UNSUPPORTED);
	ck_assert_uint_eq(raw(BF_CALL_MORE_TIME), MK1_SUCCESS);
	ck_assert_uint_eq(raw(BF_CALL_MORE_TIME + 1), MK1_FAILURE_UNSUPPORTED);
}
END_TEST

/* Every call that takes a handle, by the list; nothing else in its registers is looked at. */
START_TEST(every_call_wants_the_handle)
{
	static const struct {
		uint64_t rax;
		const char *name, *args;
	} calls[] = {
#define CALL(op, idx, name, in, out, args, results, errors) \
	{ MK1_RAX(MK1_OP_##op, idx), #name, args },
		MK1_SYSCALLS(CALL)
	};
	unsigned int n = 0;

	enter(0);
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strncmp(calls[i].args, "h:64", 4))
			continue;
		n++;
		for (unsigned int open = 0; open < 2; open++) {
			open_handles(m.pps[0]->ext, open);
			memset(&regs, 0xFF, sizeof(regs));
			regs.reg[0] = open ? MK1_HANDLE + 1 : MK1_HANDLE;
			ck_assert_msg(syscall_run(calls[i].rax) == MK1_FAILURE_INVALID_HANDLE, "%s",
				      calls[i].name);
			ck_assert_uint_eq(regs.reg[1], ~0ULL);
		}
	}
	ck_assert_uint_eq(n, 33);
}
END_TEST

TCase *call_syscall_tests(void)
{
	TCase *tc = tcase_create("call_syscall");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, machine_amd, NULL);
	tcase_add_test(tc, unknown_calls);
	tcase_add_test(tc, every_call_wants_the_handle);
	return tc;
}
