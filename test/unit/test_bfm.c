/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands, against a device of this test's own. */
#include <check.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <abi/features.h>
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>

#include "bfm/bfm.h"

#define FD 1000

const char *const config_libdir = "/nonexistent";
const char *const config_version = "test";

/* --- the device: config.c and device.c of bfm are not linked --------------------------------- */

static struct {
	int open_errno;
	int call_errno; /* of start, stop, dump and check; status always answers */
	uint32_t error;
	uint32_t image;
	uint64_t detail;
	struct bf_ioctl_status status;
	struct bf_cpu_status *cpus;
	struct bf_ioctl_check check;
	struct bf_register_value values[2];
	struct bf_ioctl_start started; /* what start was given */
	const char *text; /* of the ring */
	uint64_t text_position; /* of its first byte */
	unsigned int polls_to_run; /* status answers "running" so often */
} device;

int device_open(void)
{
	errno = device.open_errno;
	return errno ? -1 : FD;
}

void device_close(int fd)
{
	ck_assert_int_eq(fd, FD);
}

static int answer_status(struct bf_ioctl_status *call)
{
	struct bf_ioctl_status in = *call;
	uint32_t room = in.nr_cpus < device.status.nr_cpus ? in.nr_cpus : device.status.nr_cpus;

	*call = device.status;
	call->size = in.size;
	if (in.cpus)
		memcpy((void *)(uintptr_t)in.cpus, device.cpus, room * sizeof(*device.cpus));
	if (device.polls_to_run) {
		device.polls_to_run--;
		call->state = BF_STATE_RUNNING;
	}
	return 0;
}

static int answer_dump(struct bf_ioctl_dump *call)
{
	uint64_t end = device.text_position + strlen(device.text);

	if (call->position < device.text_position)
		call->position = device.text_position;
	/* At most three bytes at once, so that the caller has to come again. */
	call->length = end - call->position < 3 ? end - call->position : 3;
	memcpy((void *)(uintptr_t)call->data, device.text + (call->position - device.text_position),
	       call->length);
	return 0;
}

int device_call(int fd, unsigned long request, void *argument)
{
	struct bf_ioctl_start *start = argument;
	struct bf_ioctl_stop *stop = argument;

	ck_assert_int_eq(fd, FD);
	ck_assert_uint_eq(*(uint32_t *)argument, _IOC_SIZE(request));
	if (request == BF_IOC_STATUS)
		return answer_status(argument);
	if (request == BF_IOC_START) {
		device.started = *start;
		start->error = device.error;
		start->image = device.image;
		start->detail = device.detail;
	} else if (request == BF_IOC_STOP) {
		stop->error = device.error;
		stop->detail = device.detail;
	} else if (request == BF_IOC_DUMP && !device.call_errno) {
		return answer_dump(argument);
	} else if (request == BF_IOC_CHECK) {
		struct bf_ioctl_check *call = argument;
		uint64_t values = call->values;

		if (values && device.check.nr_values) {
			ck_assert_uint_ge(call->nr_values, 2);
			memcpy((void *)(uintptr_t)values, device.values, sizeof(device.values));
		}
		*call = device.check;
	}
	errno = device.call_errno;
	return errno ? -1 : 0;
}

/* --- running a command ----------------------------------------------------------------------- */

static char *out, *err;
static size_t out_size, err_size;

static void setup(void)
{
	memset(&device, 0, sizeof(device));
	device.text = "";
	device.cpus = calloc(BF_MAX_PPS, sizeof(*device.cpus));
	unsetenv("BAREFLANK_LIBDIR");
}

static void teardown(void)
{
	free(device.cpus);
	free(out);
	free(err);
	out = err = NULL;
}

/* Runs it with the words of line; its output is in out and err afterwards. */
static int run(const struct command *command, const char *line)
{
	FILE *real_out = stdout, *real_err = stderr;
	char *words = strdup(line), *argv[16] = { NULL };
	int argc = 0, code;

	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	free(out);
	free(err);
	stdout = open_memstream(&out, &out_size);
	stderr = open_memstream(&err, &err_size);
	optind = 0;
	code = command->run(argc, argv);
	fclose(stdout);
	fclose(stderr);
	stdout = real_out;
	stderr = real_err;
	free(words);
	return code;
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* A failure says what and what to do, each in a line. */
static void assert_failure(const char *what, const char *sentence)
{
	ck_assert_msg(!strncmp(err, "bfm: ", 5) && !strncmp(err + 5, what, strlen(what)), "%s",
		      err);
	ck_assert_msg(strstr(err, sentence) != NULL, "%s", err);
	ck_assert_msg(strstr(err, "\nhint: ") != NULL && lines(err) == 2, "%s", err);
	ck_assert_msg(!strchr(err, '\033'), "colour without a terminal");
}

/* --- numbers and options --------------------------------------------------------------------- */

START_TEST(sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = { { "1", 1 },
		     { "4096", 4096 },
		     { "0x1000", 4096 },
		     { "32M", 32 << 20 },
		     { "32m", 32 << 20 },
		     { "1k", 1024 },
		     { "2G", 2ULL << 30 },
		     { "1T", 1ULL << 40 },
		     { "5MiB", 5 << 20 },
		     { "5KB", 5 << 10 },
		     { "0x10K", 0x4000 },
		     { "18446744073709551615", UINT64_MAX },
		     { "16777215T", 16777215ULL << 40 } };
	static const char *const bad[] = { "",
					   "0",
					   "0M",
					   "-1",
					   "+1",
					   " 1",
					   "1 ",
					   "M",
					   "1X",
					   "1MM",
					   "1Mi",
					   "1.5M",
					   "0x",
					   "0x0x1",
					   "0x-1",
					   "1iB",
					   "16777216T",
					   "18446744073709551616",
					   "99999999999999999999999K",
					   "1M\n" };
	uint64_t bytes;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(parse_size(good[i].text, &bytes), "%s", good[i].text);
		ck_assert_uint_eq(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!parse_size(bad[i], &bytes), "%s", bad[i]);
}
END_TEST

START_TEST(numbers)
{
	uint64_t n;

	ck_assert(parse_number("0x2f8", 0xFFFF, &n) && n == 0x2F8);
	ck_assert(parse_number("010", 0xFFFF, &n) && n == 10);
	ck_assert(parse_number("65535", 0xFFFF, &n) && !parse_number("65536", 0xFFFF, &n));
	ck_assert(!parse_number("1K", 0xFFFF, &n) && !parse_number("", 0xFFFF, &n));
}
END_TEST

START_TEST(start_options)
{
	char *argv[] = { "start",	"a",	      "--pool", "32M",
			 "--huge=5000", "--serial",   "0x2f8",	"--microkernel",
			 "mk",		"--watchdog", "2s",	"b",
			 NULL };
	struct start_options options;

	optind = 0;
	ck_assert_int_eq(start_parse(12, argv, &options), -1);
	ck_assert_str_eq(options.microkernel, "mk");
	ck_assert_uint_eq(options.pool_size, 32 << 20);
	ck_assert_uint_eq(options.huge_size, 8192);
	ck_assert_uint_eq(options.serial_port, 0x2F8);
	ck_assert_uint_eq(options.watchdog_ns, 2000000000);
	ck_assert_uint_eq(options.nr_exts, 2);
	ck_assert_str_eq(options.exts[0], "a");
	ck_assert_str_eq(options.exts[1], "b");
}
END_TEST

START_TEST(watchdog_times)
{
	static const struct {
		char *text;
		uint64_t ns;
	} times[] = { { "100ms", 100000000 }, { "100", 100000000 }, { "1000s", 1000000000000 },
		      { "750", 750000000 },   { "1s", 1000000000 }, { "off", BF_WATCHDOG_OFF } };

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char *argv[] = { "start", "--watchdog", times[i].text, NULL };
		struct start_options options;

		optind = 0;
		ck_assert_int_eq(start_parse(3, argv, &options), -1);
		ck_assert_uint_eq(options.watchdog_ns, times[i].ns);
	}
}
END_TEST

START_TEST(wrong_command_lines)
{
	static const struct {
		const struct command *command;
		const char *line;
	} wrong[] = { { &start_command, "start --frob" },
		      { &start_command, "start --pool" },
		      { &start_command, "start --pool 0" },
		      { &start_command, "start --huge 1Z" },
		      { &start_command, "start -x" },
		      { &start_command, "start --serial 0" },
		      { &start_command, "start --serial 65529" },
		      { &start_command, "start --watchdog 99ms" },
		      { &start_command, "start --watchdog 1001s" },
		      { &start_command, "start --watchdog s" },
		      { &start_command, "start --watchdog ms" },
		      { &start_command, "start --watchdog 0" },
		      { &start_command, "start --watchdog never" },
		      { &start_command, "start --watchdog 1000000000000000000000000000000000s" },
		      { &start_command, "start 1 2 3 4 5 6 7 8 9" },
		      { &stop_command, "stop now" },
		      { &stop_command, "stop --now" },
		      { &status_command, "status --jason" },
		      { &status_command, "status x" },
		      { &dump_command, "dump --follow x" },
		      { &check_command, "check --all" } };
	static const struct command *const all[] = { &start_command, &stop_command, &status_command,
						     &dump_command, &check_command };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(run(wrong[i].command, wrong[i].line) == EXIT_USAGE, "%s",
			      wrong[i].line);
		ck_assert_str_eq(out, "");
		ck_assert_msg(!strncmp(err, "bfm: ", 5) && strstr(err, "hint: "), "%s: %s",
			      wrong[i].line, err);
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		char line[32];

		snprintf(line, sizeof(line), "%s --help", all[i]->name);
		ck_assert_int_eq(run(all[i], line), EXIT_OK);
		ck_assert_str_eq(err, "");
		ck_assert_msg(!strncmp(out, "usage: bfm ", 11), "%s", out);
	}
}
END_TEST

START_TEST(device_missing)
{
	static const struct command *const all[] = { &stop_command, &status_command,
						     &dump_command };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		device.open_errno = ENOENT;
		ck_assert_int_eq(run(all[i], all[i]->name), EXIT_NO_DEVICE);
		assert_failure(all[i]->name, "not loaded");
		device.open_errno = EACCES;
		ck_assert_int_eq(run(all[i], all[i]->name), EXIT_NO_DEVICE);
		assert_failure(all[i]->name, "no permission");
	}
}
END_TEST

/* --- start and stop -------------------------------------------------------------------------- */

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

	/* An installed extension by its name; a microkernel in its place is refused. */
	ck_assert_int_eq(run(&start_command, "start other other"), EXIT_OK);
	ck_assert_uint_eq(device.started.nr_exts, 2);
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
	device.open_errno = ENOENT;
	ck_assert_int_eq(run(&start_command, "start"), EXIT_NO_DEVICE);
	assert_failure("start", "not loaded");

	remove_image("microkernel");
	remove_image("default");
	remove_image("other");
	rmdir(libdir);
}
END_TEST

START_TEST(stopping)
{
	device.status.stop_ns = 2500000;
	ck_assert_int_eq(run(&stop_command, "stop"), EXIT_OK);
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

/* --- dump ------------------------------------------------------------------------------------ */

/* What comes out, whichever pieces the text comes in. */
static void assert_escaped(bool terminal, bool colours, const char *in, const char *wanted)
{
	size_t length = strlen(in);

	for (size_t piece = 1; piece <= length; piece++) {
		struct escape e = { .terminal = terminal, .colours = colours };
		char out[1024];
		size_t n = 0;

		for (size_t at = 0; at < length; at += piece) {
			size_t rest = length - at;

			n += escape_text(&e, in + at, rest < piece ? rest : piece, out + n);
		}
		n += escape_end(&e, out + n);
		out[n] = '\0';
		ck_assert_str_eq(out, wanted);
	}
}

START_TEST(colours)
{
	static const char red[] = "a \033[1;31mred\033[0m b\n";
	static const char left_on[] = "\033[35mx\033[my\033[38:5:1mz";

	assert_escaped(true, true, red, red);
	assert_escaped(true, false, red, "a red b\n");
	assert_escaped(false, false, red, "a red b\n");
	assert_escaped(true, true, left_on, "\033[35mx\033[my\033[38:5:1mz\033[0m");
	assert_escaped(false, false, left_on, "xyz");
}
END_TEST

/* They do not reach a terminal; a file gets them as they are. */
START_TEST(other_sequences)
{
	static const char *const texts[][2] = {
		{ "\033[2Jx", "?[2Jx" },
		{ "\033]0;title\007", "?]0;title?" },
		{ "\033[31", "?[31" },
		{ "\033", "?" },
		{ "\033\033[31H", "??[31H" },
		{ "\033[1111111111111111111111111111111111111m",
		  "?[1111111111111111111111111111111111111m" },
		{ "\033m", "?m" },
		{ "\302\23331m \303\233 \r\b\177", "\302?31m \303\233 ???" },
		{ "\tplain\n", "\tplain\n" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_escaped(true, true, texts[i][0], texts[i][1]);
		assert_escaped(true, false, texts[i][0], texts[i][1]);
		assert_escaped(false, false, texts[i][0], texts[i][0]);
	}
}
END_TEST

START_TEST(dumping)
{
	device.text = "hello from ring 3\n";
	ck_assert_int_eq(run(&dump_command, "dump"), EXIT_OK);
	ck_assert_str_eq(out, device.text);
	ck_assert_str_eq(err, "");
	device.text_position = 1000;
	device.polls_to_run = 3;
	ck_assert_int_eq(run(&dump_command, "dump --follow"), EXIT_OK);
	ck_assert_str_eq(out, device.text);
	ck_assert_msg(strstr(err, "1000 bytes of older text have been overwritten"), "%s", err);
	ck_assert_uint_eq(device.polls_to_run, 0);
	device.call_errno = EIO;
	ck_assert_int_eq(run(&dump_command, "dump"), EXIT_FAILED);
	assert_failure("dump", "Input/output error");
}
END_TEST

/* --- status ---------------------------------------------------------------------------------- */

/* A JSON value (RFC 8259): returns the address behind it, or NULL. */
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
	if (!strncmp(p, "null", 4))
		return p + 4;
	if (!isdigit((unsigned char)*p) || (*p == '0' && isdigit((unsigned char)p[1])))
		return NULL;
	return p + strspn(p, "0123456789");
}

static void assert_json(const char *text)
{
	const char *end = skip_blanks(skip_value(text));

	ck_assert_msg(end && !*end, "%s", text);
}

static void assert_has(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in:\n%s", part, text);
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
			      "watchdog    500 ms per callback\n"
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
	assert_has(out, "{\"cpu\": 4, \"ppid\": 1, \"state\": \"guest\", \"exits\": 105, "
			"\"reasons\": {\"CPUID\": 100, \"NPF\": 5}, \"error\": null}");
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

START_TEST(every_error_has_texts)
{
#define NUMBER(number, name, errno_value, sentence, hint) number,
	static const uint32_t all[] = { BF_ERRORS(NUMBER) };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct error_text *text = error_text(all[i]);

		ck_assert_uint_eq(text->number, all[i]);
		ck_assert(*text->name && *text->sentence);
		ck_assert_msg(!all[i] || *text->hint, "%s has no hint", text->name);
	}
	ck_assert_str_eq(error_text(9999)->name, "UNKNOWN");
}
END_TEST

static const char *describe(uint32_t error, uint64_t detail)
{
	static char text[DETAIL_SIZE];

	describe_detail(error, detail, text, sizeof(text));
	return text;
}

START_TEST(details_in_words)
{
	uint64_t lass = BF_FEATURE_DETAIL(BF_REGISTER_CR4, 27);

	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 32)),
			 "CR4 bit 32, FRED: it replaces the IDT: boot with fred=off");
	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 29)),
			 "CR4 bit 29: not known to this version");
	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, BF_FEATURE_DETAIL(BF_REGISTER_XSS, 63)),
			 "IA32_XSS bit 63: not known to this version");
	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, lass | BF_FEATURE_NOT_IN_VMX),
			 "CR4 bit 27, LASS: this CPU's VMX does not allow it in a guest");
	ck_assert_str_eq(describe(BF_ERR_CPU_FEATURE, 0xFF05),
			 "a register bit 5: not known to this version");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, BF_CONTROL_DETAIL(0x48D, 5)),
			 "MSR 0x48d bit 5, virtual NMIs");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, BF_CONTROL_DETAIL(0x48B, 20)),
			 "MSR 0x48b bit 20, enable XSAVES/XRSTORS");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, BF_CONTROL_DETAIL(0x48B, 31)), "MSR 0x48b");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, 0x4002), "field 0x4002");
	ck_assert_str_eq(describe(BF_ERR_VMX_CONTROLS, 0), "");
	ck_assert_str_eq(describe(BF_ERR_CPUS_DIFFER, 3), "CPU 3");
	ck_assert_str_eq(describe(BF_ERR_CPUS_DIFFER,
				  BF_DIFFER_DETAIL(BF_DIFFER_CPUID(0x8000000A, 0, 3), 12)),
			 "CPU 12: CPUID 0x8000000a.0 EDX differs from the first CPU");
	ck_assert_str_eq(describe(BF_ERR_CPUS_DIFFER, BF_DIFFER_DETAIL(0x48B, 1)),
			 "CPU 1: MSR 0x48b differs from the first CPU");
}
END_TEST

/* Whatever the driver can name, in a text that fits. */
START_TEST(every_feature_has_a_text)
{
#define FEATURE(reg, first, last, name, verdict, by) BF_FEATURE_DETAIL(BF_REGISTER_##reg, last),
	static const uint64_t all[] = { BF_FEATURES(FEATURE) };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *text = describe(BF_ERR_CPU_FEATURE, all[i]);

		ck_assert(!strstr(text, "not known"));
		ck_assert_uint_lt(strlen(text), DETAIL_SIZE - 1);
	}
}
END_TEST

/* --- check ----------------------------------------------------------------------------------- */

START_TEST(checking_by_the_module)
{
	device.check.results[BF_CHECK_NESTED].error = BF_ERR_NO_NESTED_PAGING;
	ck_assert_int_eq(run(&check_command, "check"), EXIT_OK);
	assert_has(out, "nested paging            note    the CPU has no nested paging\n");
	assert_has(out, "This machine is supported.");
	device.check.results[BF_CHECK_CPUS].error = BF_ERR_CPUS_DIFFER;
	device.check.results[BF_CHECK_CPUS].detail = 3;
	device.check.results[BF_CHECK_CPUS].fatal = 1;
	ck_assert_int_eq(run(&check_command, "check"), EXIT_FAILED);
	assert_has(out, "CPUs alike               NO      ");
	assert_has(out, "(CPU 3)\n");
	ck_assert_msg(!strchr(out, '\033'), "colour without a terminal");
	device.open_errno = ENOENT;
	ck_assert_int_ne(run(&check_command, "check"), EXIT_OK);
	assert_has(err, "not loaded");
}
END_TEST

/* It says what the machine is, but not which one. */
START_TEST(reporting_a_machine)
{
	char host[256] = "";

	device.values[0] = (struct bf_register_value){ 0, BF_REGISTER_CR4, 0x372EF8 };
	device.values[1] = (struct bf_register_value){ 0x48B, 0, 0x1FF00000000 };
	device.check.nr_values = 2;
	ck_assert_int_eq(run(&check_command, "check --report"), EXIT_OK);
	assert_has(out, "bfm test, module interface ");
	assert_has(out, "\nCPU ");
	assert_has(out, "\nmodel       family 0x");
	assert_has(out, "\nkernel ");
	assert_has(out, "\nouter ");
	assert_has(out, "\nCPUID 00000000.0  ");
	assert_has(out, "\nCR4               0000000000372ef8\n");
	assert_has(out, "\nMSR 0000048b      000001ff00000000\n");
	assert_has(out, "\nnested paging            ok");
	ck_assert_int_eq(gethostname(host, sizeof(host) - 1), 0);
	ck_assert_msg(strlen(host) < 4 || !strstr(out, host), "the name of the host");
	ck_assert_msg(!strchr(out, '\033'), "colour without a terminal");
	/* More than there is room for, and a register of a later version. */
	device.values[0].reg = BF_NR_FEATURE_REGISTERS;
	ck_assert_int_eq(run(&check_command, "check --report"), EXIT_OK);
	assert_has(out, "\n?                 0000000000372ef8\n");
	device.open_errno = ENOENT;
	ck_assert_int_ne(run(&check_command, "check --report"), EXIT_OK);
	assert_has(out, "\nCPUID 00000000.0  ");
	ck_assert(!strstr(out, "MSR "));
	ck_assert_int_ne(run(&check_command, "check"), EXIT_OK);
	ck_assert(!strstr(out, "CPUID "));
}
END_TEST

static char root[] = "/tmp/test_bfm_root.XXXXXX";

/* Makes the file and the directories above it. */
static void put_file(const char *path, const char *text)
{
	char full[256];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *p = full + sizeof(root); (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(full, 0700);
	}
	file = fopen(full, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

START_TEST(checking_without_the_module)
{
	struct cpuid_facts intel = { BF_VENDOR_INTEL, true, false };
	struct cpuid_facts amd = { BF_VENDOR_AMD, true, true };
	struct cpuid_facts none = { BF_VENDOR_NONE, false, false };
	struct check_line got[BF_NR_CHECKS];
	char command[128];
	size_t neighbour = 0;

	ck_assert_ptr_nonnull(mkdtemp(root));
	local_check(root, &none, got); /* no file at all */
	ck_assert_ptr_null(local_neighbour(root, &neighbour));
	ck_assert(!cpuinfo_value(root, "microcode", command, sizeof(command)));
	ck_assert_uint_eq(got[BF_CHECK_VENDOR].error, BF_ERR_NO_VIRT);
	ck_assert_int_eq(got[BF_CHECK_PAGING].verdict, VERDICT_OK);
	ck_assert_int_eq(got[BF_CHECK_LOCKDOWN].verdict, VERDICT_UNKNOWN);

	put_file("/proc/cpuinfo",
		 "processor\t: 0\nflags\t\t: fpu vmx_not la57x\nvmx flags\t: vnmi\n");
	local_check(root, &intel, got);
	ck_assert_uint_eq(got[BF_CHECK_FIRMWARE].error, BF_ERR_FW_DISABLED);
	ck_assert_int_eq(got[BF_CHECK_PAGING].verdict, VERDICT_OK);
	ck_assert_int_eq(got[BF_CHECK_NESTED].verdict, VERDICT_UNKNOWN);

	put_file("/proc/cpuinfo", "processor\t: 0\nmicrocodes\t: 1\nmicrocode\t: 0xd4\n"
				  "flags\t\t: fpu vmx la57 fred\nvmx flags\t: vnmi ept\n");
	ck_assert(cpuinfo_value(root, "microcode", command, sizeof(command)));
	ck_assert_str_eq(command, "0xd4");
	put_file("/sys/module/kvm_intel/refcnt", "0\n");
	put_file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	local_check(root, &intel, got);
	ck_assert_int_eq(got[BF_CHECK_VENDOR].verdict, VERDICT_OK);
	ck_assert_int_eq(got[BF_CHECK_FIRMWARE].verdict, VERDICT_UNKNOWN);
	ck_assert_int_eq(got[BF_CHECK_FREE].verdict, VERDICT_NOTE);
	ck_assert_int_eq(got[BF_CHECK_NESTED].verdict, VERDICT_OK);
	ck_assert_int_eq(got[BF_CHECK_PAGING].verdict, VERDICT_OK);
	ck_assert_uint_eq(got[BF_CHECK_FEATURES].error, BF_ERR_CPU_FEATURE);
	ck_assert_uint_eq(got[BF_CHECK_FEATURES].detail, BF_FEATURE_DETAIL(BF_REGISTER_CR4, 32));
	ck_assert_uint_eq(got[BF_CHECK_LOCKDOWN].error, BF_ERR_LOCKDOWN);

	put_file("/sys/module/kvm_intel/refcnt", "2\n");
	put_file("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	local_check(root, &amd, got);
	ck_assert_int_eq(got[BF_CHECK_FREE].verdict, VERDICT_NO);
	ck_assert_int_eq(got[BF_CHECK_LOCKDOWN].verdict, VERDICT_OK);
	ck_assert_uint_eq(got[BF_CHECK_FIRMWARE].error, BF_ERR_FW_DISABLED);
	put_file("/sys/module/kvm_intel/refcnt", "0\n");
	put_file("/sys/module/kvm/parameters/enable_virt_at_load", "Y\n");
	local_check(root, &amd, got);
	ck_assert_int_eq(got[BF_CHECK_FREE].verdict, VERDICT_NO);

	put_file("/sys/module/vmmon/refcnt", "0\n");
	put_file("/sys/module/vboxdrv/refcnt", "0\n");
	neighbour = 0;
	ck_assert_str_eq(local_neighbour(root, &neighbour), "VirtualBox (vboxdrv)");
	ck_assert_str_eq(local_neighbour(root, &neighbour), "VMware (vmmon)");
	ck_assert_ptr_null(local_neighbour(root, &neighbour));
	snprintf(command, sizeof(command), "rm -r %s", root);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bfm");
	TCase *tc = tcase_create("bfm");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, sizes);
	tcase_add_test(tc, numbers);
	tcase_add_test(tc, start_options);
	tcase_add_test(tc, watchdog_times);
	tcase_add_test(tc, wrong_command_lines);
	tcase_add_test(tc, device_missing);
	tcase_add_test(tc, starting);
	tcase_add_test(tc, stopping);
	tcase_add_test(tc, dumping);
	tcase_add_test(tc, colours);
	tcase_add_test(tc, other_sequences);
	tcase_add_test(tc, status_of_a_running_machine);
	tcase_add_test(tc, status_of_a_failed_machine);
	tcase_add_test(tc, status_of_a_stopped_machine);
	tcase_add_test(tc, every_exit_has_one_name);
	tcase_add_test(tc, every_error_has_texts);
	tcase_add_test(tc, details_in_words);
	tcase_add_test(tc, every_feature_has_a_text);
	tcase_add_test(tc, checking_by_the_module);
	tcase_add_test(tc, reporting_a_machine);
	tcase_add_test(tc, checking_without_the_module);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
