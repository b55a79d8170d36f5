// SPDX-License-Identifier: GPL-2.0-only
/*
 * ext/linux/hook.c and watch.c, on views in memory of a page frame each: what is shown and allowed
 * where, and that what was refused leaves nothing behind.
 */
#include <check.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <abi/mk1.h>
#include <abi/mk2.h>
#include <bsl/compiler.h>

/* The calls of Mk#2 are what this replaces. */
#include <ext/libext/libext.h>
#define LIBEXT_MK2_SYS_H

#define NR_FRAMES 2048
#define NR_VIEWS 3
#define ADDRESS 0xFFFFFFFF81000000ULL /* of frame 0 */
#define VSID 3
#define UNSET 0x80

static struct {
	bool amd, is_follower, no_step, no_view, unreadable;
	uint8_t rights[NR_VIEWS][NR_FRAMES]; /* UNSET: as the rest */
	const uint8_t *content[NR_VIEWS][NR_FRAMES];
	unsigned int calls, fail_at; /* this call about views fails; 0: none */
	unsigned int called; /* on_hook */
	unsigned int tells; /* live_tell */
	unsigned int calls_before_tell;
	bool split_at_tell; /* the second one: frame 1 has an entry, and its own content */
	bool not_told;
	uint64_t rip, jump, reg, view;
	char text[256]; /* the last message */
	jmp_buf gave_up;
} m;

static uint8_t ram[NR_FRAMES][0x1000];

static uint64_t view_status(void)
{
	return ++m.calls == m.fail_at ? MK2_FAILURE_NO_MEMORY : MK1_SUCCESS;
}

static uint64_t mk2_vm_view_rest(uint64_t h, uint64_t view, uint64_t flags, uint64_t *generation)
{
	ck_assert(h == MK2_HANDLE && view < NR_VIEWS && flags);
	*generation = 1;
	return view_status();
}

static uint64_t mk2_vm_view_set(uint64_t h, uint64_t view, uint64_t gpa, uint64_t size,
				uint64_t flags, uint64_t *generation)
{
	uint64_t status = view_status();

	ck_assert(h == MK2_HANDLE && view < NR_VIEWS && (gpa + size) / 0x1000 <= NR_FRAMES);
	*generation = 1;
	for (uint64_t f = gpa / 0x1000; !status && f < (gpa + size) / 0x1000; f++) {
		m.rights[view][f] = (uint8_t)flags;
		m.content[view][f] = NULL;
	}
	return status;
}

static uint64_t mk2_vm_view_clear(uint64_t h, uint64_t view, uint64_t gpa, uint64_t size,
				  uint64_t *generation)
{
	return mk2_vm_view_set(h, view, gpa, size, UNSET, generation);
}

static uint64_t mk2_vm_view_show(uint64_t h, uint64_t view, uint64_t gpa, uint64_t flags,
				 uint64_t va, uint64_t *generation)
{
	uint64_t status = mk2_vm_view_set(h, view, gpa, 0x1000, flags, generation);

	if (!status)
		m.content[view][gpa / 0x1000] = (const uint8_t *)va;
	return status;
}

static uint16_t tls_vsid(void)
{
	return VSID;
}

#define mk1_tls_vsid tls_vsid
#include <ext/linux/hook.c>
#include <ext/linux/watch.c>

/* --- what these two use ----------------------------------------------------------------------- */

const char ext_name[] = "test";

uint64_t ext_print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(m.text, sizeof(m.text), format, args);
	va_end(args);
	return MK1_SUCCESS;
}

bool linux_is_on_amd(void)
{
	return m.amd;
}

bool cpu_is_amd(void)
{
	return m.amd;
}

bool linux_open_handle(void)
{
	return true;
}

bool linux_is_open(void)
{
	return true;
}

bool follow_is_one(void)
{
	return m.is_follower;
}

bool follow_wants_io(uint32_t first, uint32_t count)
{
	return first && count;
}

bool watch_ports(uint32_t first, uint32_t count)
{
	return first && count;
}

void follow_wants_registers(unsigned int crs, unsigned int drs, uint32_t vectors)
{
	ck_assert_uint_ne(crs | drs | vectors, 0);
}

void access_watch(unsigned int crs, unsigned int drs)
{
	ck_assert_uint_ne(crs | drs, 0);
}

void exception_watch(uint32_t vectors)
{
	ck_assert_uint_ne(vectors, 0);
}

uint32_t exception_able(void)
{
	return 1u << 6;
}

bool vmx_can_step(uint64_t vsid)
{
	ck_assert_uint_eq(vsid, VSID);
	return !m.no_step;
}

bool watch_memory(void)
{
	return !m.no_view;
}

bool watch_can(uint64_t vsid)
{
	return vsid == VSID;
}

bool access_can(uint64_t vsid)
{
	return vsid == VSID;
}

uint64_t live_vsid(void)
{
	return MK1_INVALID_ID;
}

bool live_may(const char *what)
{
	return what;
}

/* What every PP has by then: breakpoints exit before one is shown. */
bool live_tell(void)
{
	if (!m.tells++)
		m.calls_before_tell = m.calls;
	if (m.tells == 2)
		m.split_at_tell = m.rights[WATCHED_VIEW][1] == MK2_NESTED_RWX &&
				  !m.content[WATCHED_VIEW][1];
	return !m.not_told;
}

void watch_again(uint64_t vsid)
{
	watch_in_view(vsid, WATCHED_VIEW);
}

void watch_in_view(uint64_t vsid, uint64_t view)
{
	ck_assert_uint_eq(vsid, VSID);
	m.view = view;
}

uint64_t vs_get(uint64_t vsid, uint64_t reg)
{
	ck_assert(vsid == VSID && reg);
	return m.reg;
}

void vs_set(uint64_t vsid, uint64_t reg, uint64_t value)
{
	ck_assert(vsid == VSID && reg);
	m.reg = value;
}

uint64_t ext_reg_read(uint64_t vsid, enum ext_reg reg)
{
	ck_assert(vsid == VSID && reg == EXT_REG_rip);
	return m.rip;
}

/* As it does not return, neither does this. */
void give_up(const char *what, uint64_t vsid, uint64_t detail)
{
	ck_assert(what && vsid == VSID && detail);
	longjmp(m.gave_up, 1);
}

enum ext_mem_status ext_mem_translate(uint64_t vsid, uint64_t gva, unsigned int access,
				      uint64_t *gpa)
{
	ck_assert(vsid == VSID && access == EXT_MEM_ANY);
	*gpa = gva - ADDRESS;
	return *gpa < sizeof(ram) ? EXT_MEM_OK : EXT_MEM_NOT_PRESENT;
}

enum ext_mem_status ext_mem_read_phys(uint64_t gpa, void *data, size_t size, size_t *done)
{
	ck_assert(!done && gpa + size <= sizeof(ram));
	if (m.unreadable)
		return EXT_MEM_HIDDEN;
	memcpy(data, (uint8_t *)ram + gpa, size);
	return EXT_MEM_OK;
}

const char *ext_mem_why(enum ext_mem_status status)
{
	return status == EXT_MEM_HIDDEN ? "hidden" : "not present";
}

static void on_hook(struct ext_exit *e)
{
	ck_assert_uint_eq(e->vsid, VSID);
	m.called++;
	m.rip += m.jump;
}

static void on_other_hook(struct ext_exit *e)
{
	ck_abort_msg("VS 0x%llx", (unsigned long long)e->vsid);
}

/* Each test is a process of its own: hook.c keeps what it has. */
static void set_up(int amd)
{
	m.amd = amd;
	memset(m.rights, UNSET, sizeof(m.rights));
	memset(ram, 0x90, sizeof(ram));
}

/* What one finds there who executes this byte; 0: nobody executes it unwatched. */
static uint8_t executed(uint64_t offset)
{
	unsigned int view = m.amd ? COPY_VIEW : WATCHED_VIEW;
	const uint8_t *content = m.content[view][offset / 0x1000];

	return content ? content[offset % 0x1000] : 0;
}

static bool is_untouched(uint64_t frame)
{
	for (unsigned int view = 0; view < NR_VIEWS; view++) {
		if (m.rights[view][frame] != UNSET || m.content[view][frame])
			return false;
	}
	return true;
}

/* --- hooks ------------------------------------------------------------------------------------ */

START_TEST(hook_is_shown_to_who_executes)
{
	set_up(_i);
	ck_assert(ext_hook(VSID, ADDRESS + 0x1234, on_hook));
	ck_assert_uint_eq(executed(0x1234), INT3);
	ck_assert_uint_eq(executed(0x1235), 0x90);
	ck_assert_uint_eq(ram[1][0x234], 0x90);
	ck_assert_uint_eq(m.rights[WATCHED_VIEW][1], m.amd ? MK2_NESTED_R : MK2_NESTED_X);
	ck_assert_uint_eq(m.view, WATCHED_VIEW);
	ck_assert(is_untouched(0) && is_untouched(2));
}
END_TEST

/* Linux runs on others, too: their breakpoints exit before there is one, and then all see it. */
START_TEST(others_are_told)
{
	uint64_t before;

	set_up(_i);
	ck_assert(ext_hook(VSID, ADDRESS + 0x1234, on_hook));
	ck_assert_uint_eq(m.tells, m.amd ? 2 : 3);
	ck_assert_uint_eq(m.calls_before_tell, 0);
	/* on Intel, its page has become a small one before another is in its place */
	ck_assert(m.amd || m.split_at_tell);
	before = m.reg;
	m.reg = 0;
	m.view = 0;
	hook_apply(VSID); /* on one of them */
	ck_assert_uint_eq(m.reg, before);
	/* as they exit already, once is enough; and of what is there, nobody is told again */
	ck_assert(ext_hook(VSID, ADDRESS + 0x1236, on_hook));
	ck_assert_uint_eq(m.tells, m.amd ? 3 : 4);
	ck_assert(ext_hook(VSID, ADDRESS + 0x1236, on_hook));
	ck_assert_uint_eq(m.tells, m.amd ? 3 : 4);
	ck_assert(!ext_hook(VSID, ADDRESS + 0x1236, on_other_hook));
	ck_assert_ptr_nonnull(strstr(m.text, "another function is called there"));
}
END_TEST

START_TEST(others_cannot_be_told)
{
	set_up(_i);
	m.not_told = true;
	ck_assert(!ext_hook(VSID, ADDRESS + 0x1234, on_hook));
	ck_assert_ptr_nonnull(strstr(m.text, "a PP cannot be told"));
	ck_assert(is_untouched(1));
	m.not_told = false;
	ck_assert(ext_hook(VSID, ADDRESS + 0x1234, on_hook));
}
END_TEST

START_TEST(same_address_twice)
{
	unsigned int calls;

	set_up(_i);
	ck_assert(ext_hook(VSID, ADDRESS + 0x1234, on_hook));
	calls = m.calls;
	ck_assert(ext_hook(VSID, ADDRESS + 0x1234, on_hook)); /* by the next PP */
	ck_assert_uint_eq(m.calls, calls);
	ck_assert_uint_eq(nr_hooked, 1);
}
END_TEST

START_TEST(refused)
{
	set_up(_i);
	m.is_follower = true;
	ck_assert(!ext_hook(VSID, ADDRESS, on_hook));
	ck_assert(strstr(m.text, "the first extension's"));
	m.is_follower = false;
	m.no_view = true;
	ck_assert(!ext_hook(VSID, ADDRESS, on_hook));
	m.no_view = false;
	ck_assert(!ext_hook(VSID, ADDRESS + sizeof(ram), on_hook));
	ck_assert(strstr(m.text, "not present"));
	m.unreadable = true;
	ck_assert(!ext_hook(VSID, ADDRESS, on_hook));
	ck_assert(strstr(m.text, "hidden"));
	m.unreadable = false;
	m.no_step = true;
	ck_assert_int_eq(ext_hook(VSID, ADDRESS, on_hook), m.amd);
}
END_TEST

/* Each call about views fails once: then nothing is left, and the next attempt is a whole one. */
START_TEST(refused_half_way)
{
	unsigned int fail_at = 1;

	set_up(_i);
	while (m.calls = 0, m.fail_at = fail_at, !ext_hook(VSID, ADDRESS + 0x1234, on_hook)) {
		ck_assert(is_untouched(1));
		ck_assert_uint_eq(nr_hooked, 0);
		ck_assert_uint_eq(nr_pages, 0);
		fail_at++;
	}
	ck_assert_uint_eq(fail_at, m.amd ? 4 : 3);
	ck_assert_uint_eq(executed(0x1234), INT3);
}
END_TEST

/* A second hook of a page is refused: the first one stays, alone. */
START_TEST(second_refused_half_way)
{
	unsigned int fail_at = 1;

	set_up(_i);
	ck_assert(ext_hook(VSID, ADDRESS + 0x1234, on_hook));
	while (m.calls = 0, m.fail_at = fail_at, !ext_hook(VSID, ADDRESS + 0x1238, on_hook)) {
		ck_assert_uint_eq(nr_hooked, 1);
		ck_assert_uint_eq(nr_pages, 1);
		ck_assert_uint_eq(executed(0x1234), INT3);
		ck_assert_uint_eq(executed(0x1238), 0x90);
		fail_at++;
	}
	ck_assert_uint_eq(fail_at, m.amd ? 4 : 2);
	ck_assert_uint_eq(executed(0x1238), INT3);
}
END_TEST

START_TEST(too_many)
{
	set_up(_i);
	for (uint64_t n = 0; n < MAX_PAGES; n++)
		ck_assert(ext_hook(VSID, ADDRESS + n * 0x1000, on_hook));
	ck_assert(!ext_hook(VSID, ADDRESS + MAX_PAGES * 0x1000, on_hook));
	ck_assert(strstr(m.text, "8 pages"));
	ck_assert(is_untouched(MAX_PAGES));
	for (uint64_t n = MAX_PAGES; n < MAX_HOOKS; n++)
		ck_assert(ext_hook(VSID, ADDRESS + n, on_hook));
	ck_assert(!ext_hook(VSID, ADDRESS + MAX_HOOKS, on_hook));
	ck_assert(strstr(m.text, "16 already"));
}
END_TEST

START_TEST(breakpoints)
{
	struct ext_exit e = { .vsid = VSID };

	set_up(_i);
	ck_assert(ext_hook(VSID, ADDRESS + 0x1234, on_hook));
	m.rip = ADDRESS + 0x1235;
	ck_assert(!hooked_breakpoint(&e)); /* nobody's */
	m.rip = ADDRESS + 0x1234;
	ck_assert(hooked_breakpoint(&e) && e.step && !e.again && m.called == 1);
	ram[1][0x234] = INT3; /* Linux has one, too */
	ck_assert(!hooked_breakpoint(&e) && m.called == 2);
	e = (struct ext_exit){ .vsid = VSID };
	m.jump = 0x10;
	ck_assert(hooked_breakpoint(&e) && e.again && !e.step);
}
END_TEST

/* A write to the page is stepped; afterwards the copy has it, and the hook. */
START_TEST(written_page)
{
	struct ext_fault fault = { .gpa = 0x1300, .access = EXT_WRITE };
	struct ext_exit e = { .vsid = VSID };

	set_up(_i);
	ck_assert(ext_hook(VSID, ADDRESS + 0x1234, on_hook));
	ck_assert(hooked_fault(&e, &fault) && e.step);
	ram[1][0x300] = 0xF4;
	ck_assert_uint_eq(executed(0x1300), 0x90);
	hooked_stepped();
	ck_assert_uint_eq(executed(0x1300), 0xF4);
	ck_assert_uint_eq(executed(0x1234), INT3);
	hooked_stepped(); /* nothing has been written */
	fault.gpa = 0x5000;
	ck_assert(!hooked_fault(&e, &fault)); /* not our page */
	fault.gpa = 0x1300;
	ck_assert(hooked_fault(&e, &fault));
	m.unreadable = true;
	if (!setjmp(m.gave_up)) {
		hooked_stepped();
		ck_abort_msg("a page that cannot be read any more is none to go on with");
	}
}
END_TEST

/* --- watching --------------------------------------------------------------------------------- */

START_TEST(watch_is_all_or_nothing)
{
	set_up(_i);
	m.fail_at = 3;
	ck_assert(!ext_watch(0x4000, 3 * MK2_NESTED_MAX_PAGES * 0x1000ULL, EXT_WRITE));
	ck_assert(strstr(m.text, "the page pool is exhausted"));
	for (unsigned int frame = 0; frame < NR_FRAMES; frame++)
		ck_assert_msg(is_untouched(frame), "frame %u", frame);
	m.calls = m.fail_at = 0;
	ck_assert(ext_watch(0x4000, 3 * MK2_NESTED_MAX_PAGES * 0x1000ULL, EXT_WRITE));
	for (unsigned int frame = 4; frame < 4 + 3 * MK2_NESTED_MAX_PAGES; frame++)
		ck_assert_uint_eq(m.rights[WATCHED_VIEW][frame], MK2_NESTED_R | MK2_NESTED_X);
	ck_assert(ext_unwatch(0x4000, 3 * MK2_NESTED_MAX_PAGES * 0x1000ULL));
	ck_assert(is_untouched(4) && is_untouched(3 + 3 * MK2_NESTED_MAX_PAGES));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ext_hook");
	TCase *tc = tcase_create("ext_hook");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tc, hook_is_shown_to_who_executes, 0, 2);
	tcase_add_loop_test(tc, others_are_told, 0, 2);
	tcase_add_loop_test(tc, others_cannot_be_told, 0, 2);
	tcase_add_loop_test(tc, same_address_twice, 0, 2);
	tcase_add_loop_test(tc, refused, 0, 2);
	tcase_add_loop_test(tc, refused_half_way, 0, 2);
	tcase_add_loop_test(tc, second_refused_half_way, 0, 2);
	tcase_add_loop_test(tc, too_many, 0, 2);
	tcase_add_loop_test(tc, breakpoints, 0, 2);
	tcase_add_loop_test(tc, written_page, 0, 2);
	tcase_add_loop_test(tc, watch_is_all_or_nothing, 0, 2);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
