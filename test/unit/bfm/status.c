// SPDX-License-Identifier: GPL-2.0-only
/* status.c, exits.c */
#include "commands.h"

#include <ctype.h>

#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>

/* A JSON value (RFC 8259): returns the address after it, or NULL. */
static const char *skip_value(const char *p);

static const char *skip_blanks(const char *p)
{
	return p ? p + strspn(p, " \n\t\r") : NULL;
}

static const char *skip_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < ' ')
			return NULL;
		if (*p == '\\' && !*++p)
			return NULL;
	}
	return p + 1;
}

static const char *skip_members(const char *p, char end, bool named)
{
	p = skip_blanks(p + 1);
	if (*p == end)
		return p + 1;
	for (;;) {
		if (named) {
			p = skip_blanks(skip_string(p));
			if (!p || *p++ != ':')
				return NULL;
		}
		p = skip_blanks(skip_value(skip_blanks(p)));
		if (!p)
			return NULL;
		if (*p == end)
			return p + 1;
		if (*p++ != ',')
			return NULL;
		p = skip_blanks(p);
	}
}

static const char *skip_value(const char *p)
{
	if (*p == '{')
		return skip_members(p, '}', true);
	if (*p == '[')
		return skip_members(p, ']', false);
	if (*p == '"')
		return skip_string(p);
	if (!strncmp(p, "null", 4) || !strncmp(p, "true", 4))
		return p + 4;
	if (!strncmp(p, "false", 5))
		return p + 5;
	if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
		return NULL;
	p += strspn(p, "0123456789");
	if (*p == '.')
		p = isdigit((unsigned char)p[1]) ? p + 1 + strspn(p + 1, "0123456789") : NULL;
	return p;
}

void assert_json(const char *text)
{
	const char *end = skip_blanks(skip_value(text));

	ck_assert_msg(end && !*end, "%s", text);
}

static void set_running(enum bf_vendor vendor)
{
	device.status.version = BF_IOCTL_VERSION;
	device.status.state = BF_STATE_RUNNING;
	device.status.vendor = vendor;
	device.status.nr_cpus = 2;
	device.status.memory = 3 << 20;
	device.status.start_ns = 12300000;
	device.status.start_paused_ns = 234567;
	device.status.watchdog_ns = 500000000;
	device.status.repeats = 10000;
	for (uint32_t i = 0; i < 2; i++) {
		device.cpus[i].cpu = 4 * i;
		device.cpus[i].ppid = i;
		device.cpus[i].pp.state = BF_PP_GUEST;
		device.cpus[i].pp.exits = 105;
		device.cpus[i]
			.pp.exit_count[vendor == BF_VENDOR_AMD ? SVM_EXIT_CPUID : VMX_EXIT_CPUID] =
			100;
		device.cpus[i].pp.exit_count[vendor == BF_VENDOR_AMD ? BF_EXIT_SLOT_NPF :
								       VMX_EXIT_EPT_VIOLATION] = 5;
	}
}

START_TEST(status_of_a_running_machine)
{
	set_running(BF_VENDOR_AMD);
	ck_assert_int_eq(run(&status_command, "status"), EXIT_OK);
	ck_assert_str_eq(out, "state       running\n"
			      "vendor      AMD\n"
			      "CPUs        2\n"
			      "memory      3.0 MiB\n"
			      "watchdog    500 ms per callback, 5000 ms before the first exit; "
			      "other CPUs watch\n"
			      "repeats     10000 exits without progress\n"
			      "last start  12.3 ms, of which 0.235 ms with interrupts off\n"
			      "\n"
			      "CPU   PP  state            exits\n"
			      "  0    0  guest             105\n"
			      "  4    1  guest             105\n"
			      "\n"
			      "exits by reason:\n"
			      "  CPUID                           200\n"
			      "  NPF                              10\n");
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_OK);
	assert_json(out);
	assert_has(out, "\"exits\": {\"CPUID\": 200, \"NPF\": 10}");
	assert_has(out, "\"state\": \"running\"");
	assert_has(out, "\"error\": null");
	assert_has(out, "\"start_ns\": 12300000");
	assert_has(out, "\"start_paused_ns\": 234567");
	assert_has(out, "\"watchdog_ns\": 500000000");
	assert_has(out, "\"repeats\": 10000");
	assert_has(out, "{\"cpu\": 4, \"ppid\": 1, \"state\": \"guest\", \"exits\": 105, "
			"\"reasons\": {\"CPUID\": 100, \"NPF\": 5}, \"error\": null}");
	/* one that the firmware has started, and Linux does not know */
	device.cpus[1].cpu = BF_NO_CPU;
	ck_assert_int_eq(run(&status_command, "status"), EXIT_OK);
	assert_has(out, "\n  ?    1  guest             105\n");
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_OK);
	assert_json(out);
	assert_has(out, "{\"cpu\": null, \"ppid\": 1,");
}
END_TEST

START_TEST(status_of_a_failed_machine)
{
	set_running(BF_VENDOR_INTEL);
	device.status.state = BF_STATE_FAILED;
	device.status.error = BF_ERR_EXT_FAULT;
	device.status.error_cpu = 4;
	device.status.error_image = 2;
	device.status.detail = 14;
	device.cpus[1].pp.state = BF_PP_FAILED;
	device.cpus[1].pp.fallback = 1;
	device.cpus[1].pp.error = BF_ERR_EXT_FAULT;
	device.cpus[1].pp.image = 2;
	device.cpus[1].pp.detail = 14;
	device.cpus[1].pp.rip = MK1_EXT_CODE_BASE + 0x123;
	device.cpus[1].pp.address = UINT64_MAX;
	ck_assert_int_eq(run(&status_command, "status"), EXIT_FAILED);
	assert_has(out, "state       failed\n");
	assert_has(out, "last error  CPU 4, extension 2: the extension faulted (vector 14)\n"
			"hint        ");
	assert_has(out, "          the extension faulted (vector 14), extension 2\n");
	assert_has(out, "  4    1  fallback ");
	assert_has(out, "at 0x328000000123, address 0xffffffffffffffff\n");
	assert_has(out, "EPT_VIOLATION");
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_FAILED);
	assert_json(out);
	assert_has(out, "\"name\": \"EXT_FAULT\"");
	assert_has(out, "\"image\": 2, \"detail\": \"0xe\"");
	assert_has(out, "\"rip\": \"0x328000000123\"");
	/* Numbers from a newer module do no harm. */
	device.status.state = 17;
	device.status.error = 4711;
	device.status.vendor = 9;
	device.cpus[1].pp.state = 99;
	device.cpus[1].pp.error = UINT32_MAX;
	ck_assert_int_eq(run(&status_command, "status"), EXIT_FAILED);
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_FAILED);
	assert_json(out);
}
END_TEST

/* Two extensions that only run guests have failed, whatever becomes of the CPUs. */
START_TEST(status_without_an_extension)
{
	set_running(BF_VENDOR_AMD);
	device.ended[BF_MAX_EXTS - 1].report.error = BF_ERR_EXT_EXIT;
	device.ended[1].report.error = BF_ERR_EXT_FAULT;
	device.ended[1].report.cpu = 4;
	device.ended[1].detail = 14;
	ck_assert_int_eq(run(&status_command, "status"), EXIT_OK);
	assert_has(out, "state       running\n");
	assert_has(out, "\nended       extension 2 has failed, and its guests with it\n"
			"            CPU 4: the extension faulted (vector 14)\n"
			"ended       extension 8 has failed, and its guests with it\n"
			"            CPU 0: ");
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_OK);
	assert_json(out);
	assert_has(out, "\"ended\": [\n    {\"number\": ");
	assert_has(out, "\"image\": 2, \"detail\": \"0xe\", \"cpu\": 4},\n    {\"number\": ");
	assert_has(out, "\"image\": 8, \"detail\": \"0x0\", \"cpu\": 0}\n  ],\n");
	/* an error of a newer module */
	device.ended[1].report.error = UINT32_MAX;
	ck_assert_int_eq(run(&status_command, "status"), EXIT_OK);
	assert_has(out, "ended       extension 2 has failed, and its guests with it\n");
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_OK);
	assert_json(out);
	memset(device.ended, 0, sizeof(device.ended));
	ck_assert_int_eq(run(&status_command, "status"), EXIT_OK);
	ck_assert_ptr_null(strstr(out, "ended"));
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_OK);
	assert_has(out, "\"ended\": [],\n");
}
END_TEST

START_TEST(status_of_a_stopped_machine)
{
	device.status.vendor = BF_VENDOR_INTEL;
	ck_assert_int_eq(run(&status_command, "status"), EXIT_NOT_RUNNING);
	assert_has(out, "state       stopped\n");
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_NOT_RUNNING);
	assert_json(out);
	/* More CPUs than there is room for. */
	device.status.nr_cpus = 100000;
	device.cpus = realloc(device.cpus, BF_MAX_PPS * sizeof(*device.cpus));
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_NOT_RUNNING);
	assert_json(out);
}
END_TEST

/* Names are what processes say of themselves. */
START_TEST(status_of_guests)
{
	static const struct bf_guest_status guests[] = {
		{ .pid = 1234,
		  .name = "vmm",
		  .nr_vcpus = 2,
		  .pinned = 5 << 19,
		  .exits = { 100, 20, 3, 4000000000 } },
		{ .pid = 7, .flags = BF_GUEST_ENDED, .name = "a\033[1m\"\303", .pinned = 4096 },
		{ .pid = 4194304, .name = "fifteen letters" },
		{ .pid = 8,
		  .flags = BF_GUEST_ENDED | BF_GUEST_ABANDONED,
		  .name = "left",
		  .pinned = 1 << 20 },
	};

	set_running(BF_VENDOR_AMD);
	memcpy(device.guests, guests, sizeof(guests));
	device.status.nr_guests = 4;
	ck_assert_int_eq(run(&status_command, "status"), EXIT_OK);
	assert_has(out,
		   "\nguests of process         vCPUs     pinned    answered  interrupts"
		   "      module        user\n"
		   "  vmm                1234     2    2.5 MiB         100          20           3"
		   "  4000000000\n"
		   "  a?[1m\"?               7     0    0.0 MiB           0           0           0"
		   "           0  ended\n"
		   "  fifteen letters 4194304     0    0.0 MiB           0           0           0"
		   "           0\n"
		   "  left                  8     0    1.0 MiB           0           0           0"
		   "           0  ended, pinned until the stop\n\n");
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_OK);
	assert_json(out);
	assert_has(out, "{\"pid\": 1234, \"process\": \"vmm\", \"ended\": false, \"vcpus\": 2, "
			"\"pinned\": 2621440, \"pinned_until_stop\": false, "
			"\"exits\": {\"answered\": 100, \"interrupts\": 20, \"module\": 3, "
			"\"user\": 4000000000}}");
	assert_has(out, "\"process\": \"a\\u001b[1m\\\"\\ufffd\", \"ended\": true");
	assert_has(out, "\"ended\": true, \"vcpus\": 0, \"pinned\": 1048576, "
			"\"pinned_until_stop\": true, ");
	device.status.nr_guests = BF_MAX_GUESTS + 3;
	ck_assert_int_eq(run(&status_command, "status"), EXIT_OK);
	assert_has(out, "  and 3 more\n");
	ck_assert_int_eq(run(&status_command, "status --json"), EXIT_OK);
	assert_json(out);
}
END_TEST

START_TEST(every_exit_has_one_name)
{
	char names[BF_NR_EXIT_SLOTS][32];

	for (int vendor = BF_VENDOR_NONE; vendor <= BF_VENDOR_INTEL; vendor++) {
		for (unsigned int i = 0; i < BF_NR_EXIT_SLOTS; i++) {
			exit_name((enum bf_vendor)vendor, i, names[i]);
			ck_assert_uint_lt(strlen(names[i]), 23);
			for (unsigned int k = 0; k < i; k++)
				ck_assert_str_ne(names[i], names[k]);
		}
	}
	ck_assert_str_eq(exit_name(BF_VENDOR_AMD, 0x1F, names[0]), "CR15_WRITE");
	ck_assert_str_eq(exit_name(BF_VENDOR_AMD, 0x4E, names[0]), "EXCEPTION_14");
	ck_assert_str_eq(exit_name(BF_VENDOR_AMD, 0x7C, names[0]), "MSR");
	ck_assert_str_eq(exit_name(BF_VENDOR_AMD, 0x81, names[0]), "VMMCALL");
	ck_assert_str_eq(exit_name(BF_VENDOR_AMD, 0x8D, names[0]), "XSETBV");
	ck_assert_str_eq(exit_name(BF_VENDOR_INTEL, 55, names[0]), "XSETBV");
	ck_assert_str_eq(exit_name(BF_VENDOR_INTEL, 35, names[0]), "EXIT_35");
}
END_TEST

TCase *status_tests(void)
{
	TCase *tc = commands_case("status");

	tcase_add_test(tc, status_of_a_running_machine);
	tcase_add_test(tc, status_of_a_failed_machine);
	tcase_add_test(tc, status_without_an_extension);
	tcase_add_test(tc, status_of_a_stopped_machine);
	tcase_add_test(tc, status_of_guests);
	tcase_add_test(tc, every_exit_has_one_name);
	return tc;
}
