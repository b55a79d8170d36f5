// SPDX-License-Identifier: GPL-2.0-only
/* arch/icr.c: what a write to the interrupt command register asks for, and of whom. */
#include "microkernel/arch/icr.h"
#include "../suites.h"

#define DEST(id) ((uint64_t)(id) << 56)
#define DEST_X2(id) ((uint64_t)(id) << 32)

enum { INIT = 0x4500, INIT_LEVEL = 0xC500, DEASSERT = 0x8500, STARTUP = 0x4600, LOGICAL = 0x800 };
enum { SELF = 1 << 18, ALL = 2 << 18, OTHERS = 3 << 18 };

static const struct {
	uint64_t icr;
	enum icr_kind kind;
} kinds[] = {
	{ 0x40FD, ICR_OTHER }, { 0x4400, ICR_OTHER },     { 0x4200, ICR_OTHER },
	{ 0x0700, ICR_OTHER }, { INIT, ICR_INIT },        { INIT_LEVEL, ICR_INIT },
	{ 0x0500, ICR_INIT },  { DEASSERT, ICR_NOTHING }, { STARTUP | 0x99, ICR_STARTUP },
};

START_TEST(tells_what_is_asked_for)
{
	struct icr_request r = icr_decode(kinds[_i].icr | DEST(7), false);

	ck_assert_int_eq(r.kind, kinds[_i].kind);
	ck_assert_uint_eq(r.vector, kinds[_i].icr & 0xFF);
	ck_assert_uint_eq(r.dest, 7);
	r = icr_decode(kinds[_i].icr | DEST_X2(0x12345), true);
	ck_assert_int_eq(r.kind, kinds[_i].kind);
	ck_assert_uint_eq(r.dest, 0x12345);
}
END_TEST

#define FLAT(id, ldr) { id, (uint32_t)(ldr) << 24, 0xFFFFFFFF }
#define CLUSTER(id, ldr) { id, (uint32_t)(ldr) << 24, 0x0FFFFFFF }

static const struct {
	uint64_t icr;
	struct apic_place place;
	bool x2apic;
	bool meant; /* of a request of ID 2 */
} places[] = {
	{ INIT | DEST(3), FLAT(3, 0), false, true },
	{ INIT | DEST(3), FLAT(4, 0xFF), false, false },
	{ INIT | DEST(0xFF), FLAT(4, 0), false, true },
	{ INIT | SELF | DEST(3), FLAT(2, 0), false, true },
	{ INIT | SELF | DEST(3), FLAT(3, 0), false, false },
	{ INIT | ALL, FLAT(2, 0), false, true },
	{ INIT | ALL, FLAT(3, 0), false, true },
	{ INIT | OTHERS, FLAT(2, 0), false, false },
	{ INIT | OTHERS, FLAT(3, 0), false, true },
	{ INIT | LOGICAL | DEST(0x06), FLAT(9, 0x04), false, true },
	{ INIT | LOGICAL | DEST(0x06), FLAT(6, 0x08), false, false },
	{ INIT | LOGICAL | DEST(0xFF), FLAT(9, 0), false, true },
	{ INIT | LOGICAL | DEST(0x23), CLUSTER(9, 0x22), false, true },
	{ INIT | LOGICAL | DEST(0x23), CLUSTER(9, 0x24), false, false },
	{ INIT | LOGICAL | DEST(0x23), CLUSTER(9, 0x32), false, false },
	{ INIT | LOGICAL | DEST(0xF2), CLUSTER(9, 0x32), false, true },
	{ INIT | DEST_X2(0x103), { 0x103, 0, 0 }, true, true },
	{ INIT | DEST_X2(0xFF), { 0x103, 0, 0 }, true, false },
	{ INIT | DEST_X2(0xFFFFFFFF), { 0x103, 0, 0 }, true, true },
	{ INIT | LOGICAL | DEST_X2(0x100008), { 0x103, 0, 0 }, true, true },
	{ INIT | LOGICAL | DEST_X2(0x100004), { 0x103, 0, 0 }, true, false },
	{ INIT | LOGICAL | DEST_X2(0x110008), { 0x103, 0, 0 }, true, false },
};

START_TEST(tells_of_whom)
{
	struct icr_request r = icr_decode(places[_i].icr, places[_i].x2apic);

	ck_assert_int_eq(icr_is_for(&r, &places[_i].place, 2), places[_i].meant);
}
END_TEST

TCase *arch_icr_tests(void)
{
	TCase *tc = tcase_create("arch_icr");

	tcase_add_loop_test(tc, tells_what_is_asked_for, 0, sizeof(kinds) / sizeof(kinds[0]));
	tcase_add_loop_test(tc, tells_of_whom, 0, sizeof(places) / sizeof(places[0]));
	return tc;
}
