// SPDX-License-Identifier: GPL-2.0-only
/* start.c, stop.c */
#include "commands.h"

#include <errno.h>
#include <unistd.h>

static char libdir[] = "/tmp/test_bfm.XXXXXX";

/* The smallest image: one page of text at base. */
static void write_image(const char *name, uint64_t base)
{
	struct {
		uint8_t ident[16];
		uint16_t type, machine;
		uint32_t version;
		uint64_t entry, phoff, shoff;
		uint32_t flags;
		uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
		uint32_t p_type, p_flags;
		uint64_t offset, va, pa, filesz, memsz, align;
	} image = { .ident = "\177ELF\2\1\1",
		    .type = 2,
		    .machine = 62,
		    .version = 1,
		    .entry = base,
		    .phoff = 64,
		    .ehsize = 64,
		    .phentsize = 56,
		    .phnum = 1,
		    .p_type = 1,
		    .p_flags = 5,
		    .va = base,
		    .filesz = 64,
		    .memsz = 64 };
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", libdir, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(&image, sizeof(image), 1, file), 1);
	fclose(file);
}

static void remove_image(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", libdir, name);
	unlink(path);
}

/* For a second, unless it fails, is stopped, or is not to be waited for. */
static void watches_what_it_started(void)
{
	const struct bf_ioctl_status works = { .nr_cpus = 4, .state = BF_STATE_RUNNING };
	const unsigned int enough = 1000;

	device.status = works;
	device.polls_to_run = enough;
	ck_assert_int_eq(run(&start_command, "start"), EXIT_OK);
	ck_assert_msg(!strncmp(out, "started on 4 CPUs in ", 21), "%s", out);
	ck_assert_uint_lt(device.polls_to_run, enough - 10);
	device.polls_to_run = enough;
	ck_assert_int_eq(run(&start_command, "start --no-wait"), EXIT_OK);
	ck_assert_uint_eq(device.polls_to_run, enough - 1);
	device.polls_to_run = 0;
	device.status.state = BF_STATE_STOPPED;
	device.status.error = BF_ERR_EXT_STOP_REFUSED; /* that is who stopped it to know */
	ck_assert_int_eq(run(&start_command, "start"), EXIT_OK);
	device.status.state = BF_STATE_FAILED;
	device.status.error = BF_ERR_EXT_FAULT;
	device.status.detail = 14;
	device.status.error_cpu = 3;
	ck_assert_int_eq(run(&start_command, "start"), EXIT_FAILED);
	assert_failure("start: CPU 3: the extension faulted (vector 14)", "");
	assert_has(out, "state       failed\n");
	ck_assert_ptr_null(strstr(out, "started"));
}

START_TEST(starting)
{
	char line[256];

	ck_assert_ptr_nonnull(mkdtemp(libdir));
	ck_assert_int_eq(run(&start_command, "start"), EXIT_BAD_IMAGE);
	assert_failure("start: /nonexistent/microkernel", "No such file");
	setenv("BAREFLANK_LIBDIR", libdir, 1);
	write_image("microkernel", BF_MK_BASE);
	write_image("default", MK1_EXT_CODE_BASE);
	write_image("other", MK1_EXT_CODE_BASE);

	device.status.nr_cpus = 4;
	ck_assert_int_eq(run(&start_command, "start --pool 1M --serial 0x3e8"), EXIT_OK);
	ck_assert_msg(!strncmp(out, "started on 4 CPUs in ", 21), "%s", out);
	ck_assert_uint_eq(device.started.version, BF_IOCTL_VERSION);
	ck_assert_uint_eq(device.started.nr_exts, 1);
	ck_assert_uint_eq(device.started.pool_size, 1 << 20);
	ck_assert_uint_eq(device.started.huge_size, 0);
	ck_assert_uint_eq(device.started.serial_port, 0x3E8);
	ck_assert_uint_eq(device.started.microkernel.size, 120);
	ck_assert_uint_ne(device.started.image_ids, 0);

	/* An installed extension by its name; a microkernel in its place is refused. */
	ck_assert_int_eq(run(&start_command, "start other other"), EXIT_OK);
	ck_assert_uint_eq(device.started.nr_exts, 2);
	ck_assert_uint_eq(device.args[0].size, 0);
	ck_assert_uint_eq(device.args[1].size, 0);
	ck_assert_int_eq(run(&start_command, "start other default --arg default:k=v --arg 2:n="),
			 EXIT_OK);
	ck_assert_uint_eq(device.args[0].size, 0);
	ck_assert_uint_eq(device.args[1].size, 7);
	ck_assert_mem_eq(device.arg_text[1], "k=v\0n=", 7);
	ck_assert_int_eq(run(&start_command, "start microkernel"), EXIT_BAD_IMAGE);
	assert_failure("start: ", "outside of the allowed address range");

	/* The driver's word: which image, which CPU. */
	device.call_errno = ENODEV;
	device.error = BF_ERR_NO_VIRT;
	ck_assert_int_eq(run(&start_command, "start"), EXIT_FAILED);
	assert_failure("start: this CPU offers neither", "");
	device.call_errno = EFAULT;
	device.error = device.status.error = BF_ERR_EXT_FAULT;
	device.detail = 14;
	device.image = 2;
	device.status.error_cpu = 3;
	ck_assert_int_eq(run(&start_command, "start default other"), EXIT_FAILED);
	snprintf(line, sizeof(line), "start: %s/other: CPU 3: the extension faulted (vector 14)",
		 libdir);
	assert_failure(line, "");
	device.report.error = BF_ERR_EXT_FAULT;
	ck_assert_int_eq(run(&start_command, "start default other"), EXIT_FAILED);
	assert_has(err, "\nlast failure: CPU 0, in no callback\n");
	device.report.error = BF_ERR_OK;
	device.image = 0; /* with two extensions nobody knows which; with one it is clear */
	ck_assert_int_eq(run(&start_command, "start default other"), EXIT_FAILED);
	assert_failure("start: CPU 3: the extension faulted", "");
	ck_assert_int_eq(run(&start_command, "start other"), EXIT_FAILED);
	assert_failure(line, "");
	device.error = BF_ERR_ELF_WX;
	device.image = 0;
	ck_assert_int_eq(run(&start_command, "start"), EXIT_BAD_IMAGE);
	snprintf(line, sizeof(line), "start: %s/microkernel: a segment", libdir);
	assert_failure(line, "writable and executable");
	device.error = device.status.error = BF_ERR_MK_POOL;
	ck_assert_int_eq(run(&start_command, "start"), EXIT_FAILED);
	snprintf(line, sizeof(line), "start: %s/microkernel: CPU 3: the micro", libdir);
	assert_failure(line, "");
	device.error = BF_ERR_ELF_WX;
	device.image = 77; /* nonsense is not believed */
	ck_assert_int_eq(run(&start_command, "start"), EXIT_BAD_IMAGE);
	device.error = BF_ERR_OK;
	device.call_errno = ENOTTY;
	ck_assert_int_eq(run(&start_command, "start"), EXIT_FAILED);
	assert_failure("start", "different versions");
	device.call_errno = E2BIG; /* of a module that is older */
	ck_assert_int_eq(run(&start_command, "start"), EXIT_FAILED);
	assert_failure("start", "different versions");
	assert_has(err, "hint: install one release, then: modprobe -r bareflank_kvm bareflank");
	device.open_errno = ENOENT;
	ck_assert_int_eq(run(&start_command, "start"), EXIT_NO_DEVICE);
	assert_failure("start", "not loaded");

	device.open_errno = device.call_errno = 0;
	watches_what_it_started();
	remove_image("microkernel");
	remove_image("default");
	remove_image("other");
	rmdir(libdir);
}
END_TEST

START_TEST(stopping)
{
	device.status.stop_ns = 2500000;
	ck_assert_int_eq(run(&stop_command, "stop --force"), EXIT_OK);
	ck_assert_uint_eq(device.stopped.flags, BF_STOP_FORCE);
	ck_assert_int_eq(run(&stop_command, "stop"), EXIT_OK);
	ck_assert_uint_eq(device.stopped.flags, 0);
	ck_assert_str_eq(out, "stopped in 2.5 ms\n");
	device.error = BF_ERR_EXT_STOP_REFUSED;
	ck_assert_int_eq(run(&stop_command, "stop"), EXIT_OK);
	assert_failure("stop", "did not give the CPU back");
	device.error = BF_ERR_NOT_RUNNING;
	device.call_errno = ESRCH;
	ck_assert_int_eq(run(&stop_command, "stop"), EXIT_FAILED);
	ck_assert_str_eq(out, "");
	assert_failure("stop", "not running");
}
END_TEST

TCase *start_tests(void)
{
	TCase *tc = commands_case("start");

	tcase_add_test(tc, starting);
	tcase_add_test(tc, stopping);
	return tc;
}
