// SPDX-License-Identifier: GPL-2.0-only
/* bfm start: options, images, and the call that starts the hypervisor. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <bsl/bits.h>

#include "bfm.h"

#define MAX_SERIAL_PORT 0xFFF8 /* eight registers */

static const struct option long_options[] = { { "microkernel", required_argument, NULL, 'm' },
					      { "pool", required_argument, NULL, 'p' },
					      { "huge", required_argument, NULL, 'g' },
					      { "serial", required_argument, NULL, 's' },
					      { "watchdog", required_argument, NULL, 'w' },
					      { "repeats", required_argument, NULL, 'r' },
					      { "allow", required_argument, NULL, 'a' },
					      { "arg", required_argument, NULL, 'A' },
					      { "channel", required_argument, NULL, 'c' },
					      { "no-wait", no_argument, NULL, 'n' },
					      { "keep-cpus", no_argument, NULL, 'k' },
					      COMMON_OPTIONS };

/* How long a start watches what it has started, and how often it looks. */
#define WATCH_MS 1000
#define POLL_MS 20

/* Milliseconds, or with the suffix s seconds. */
static bool take_watchdog(uint64_t *ns)
{
	char text[32];
	size_t length = strlen(optarg);
	uint64_t unit = 1000000, number;

	if (!strcmp(optarg, "off")) {
		*ns = BF_WATCHDOG_OFF;
		return true;
	}
	if (length >= sizeof(text))
		return false;
	memcpy(text, optarg, length + 1);
	if (length > 2 && !strcmp(text + length - 2, "ms")) {
		text[length - 2] = '\0';
	} else if (length > 1 && text[length - 1] == 's') {
		unit *= 1000;
		text[length - 1] = '\0';
	}
	if (!parse_number(text, BF_WATCHDOG_MAX_NS / unit, &number))
		return false;
	*ns = number * unit;
	return *ns >= BF_WATCHDOG_MIN_NS;
}

static bool take_repeats(uint64_t *repeats)
{
	if (!strcmp(optarg, "off")) {
		*repeats = BF_REPEATS_OFF;
		return true;
	}
	return parse_number(optarg, BF_REPEATS_MAX, repeats) && *repeats >= BF_REPEATS_MIN;
}

/* Reports an option's value that is not valid. */
static void refuse_value(int option)
{
	switch (option) {
	case 's':
		fail_message("start", "give an I/O port, like 0x2f8", "not a serial port: %s",
			     optarg);
		break;
	case 'w':
		fail_message("start", "give a time from 100ms to 1000s, like 2s, or off",
			     "not a time: %s", optarg);
		break;
	case 'a':
		fail_message("start", "give one for each extension at most",
			     "too many lists of rights: %s", optarg);
		break;
	case 'c':
		fail_message("start", "give a size from 16K to 4M, like 256K",
			     "not a size of channels: %s", optarg);
		break;
	case 'r':
		fail_message("start", "give a number from 100 to 1000000000, or off",
			     "not a number of exits: %s", optarg);
		break;
	default:
		fail_message("start", "give a size, like 32M or 512K", "not a size: %s", optarg);
	}
}

/* Values that are about an extension, until the extensions are known. */
struct kept {
	struct allow allow;
	const char **args; /* there is room for all words of the command line */
	uint32_t nr_args;
};

static bool take_value(int option, struct start_options *options, struct kept *kept)
{
	uint64_t value;

	switch (option) {
	case 'm':
		options->microkernel = optarg;
		return true;
	case 'p':
		return parse_size(optarg, &value) &&
		       bsl_align_up(value, BF_PAGE_SIZE, &options->pool_size);
	case 'g':
		return parse_size(optarg, &value) &&
		       bsl_align_up(value, BF_PAGE_SIZE, &options->huge_size);
	case 'c':
		return parse_size(optarg, &options->channel_size) &&
		       options->channel_size >= BF_CHANNEL_MIN &&
		       options->channel_size <= BF_CHANNEL_MAX;
	case 'w':
		return take_watchdog(&options->watchdog_ns);
	case 'r':
		return take_repeats(&options->repeats);
	case 'a':
		return allow_keep(&kept->allow, optarg);
	case 'A':
		kept->args[kept->nr_args++] = optarg;
		return true;
	case 'n':
		options->no_wait = true;
		return true;
	case 'k':
		options->keep_cpus = true;
		return true;
	default:
		if (!parse_number(optarg, MAX_SERIAL_PORT, &value) || !value)
			return false;
		options->serial_port = (uint16_t)value;
		return true;
	}
}

static int apply(const struct kept *kept, struct start_options *options)
{
	int code = allow_apply(&kept->allow, options);

	for (uint32_t i = 0; i < kept->nr_args && code < 0; i++)
		code = arg_apply(kept->args[i], options);
	return code;
}

static int parse(int argc, char **argv, struct start_options *options, struct kept *kept)
{
	int c;

	memset(options, 0, sizeof(*options));
	while ((c = next_option(argc, argv, &start_command)) != -1) {
		if (c == OPTION_HELP) {
			allow_help(stdout);
			return EXIT_OK;
		}
		if (c == '?')
			return EXIT_USAGE;
		if (!take_value(c, options, kept)) {
			refuse_value(c);
			return EXIT_USAGE;
		}
	}
	options->exts = argv + optind;
	options->nr_exts = (uint32_t)(argc - optind);
	if (options->nr_exts > BF_MAX_EXTS) {
		char detail[64];

		snprintf(detail, sizeof(detail), "%u, at most %u", options->nr_exts, BF_MAX_EXTS);
		fail_error("start", BF_ERR_TOO_MANY_EXTS, detail);
		return EXIT_USAGE;
	}
	return apply(kept, options);
}

int start_parse(int argc, char **argv, struct start_options *options)
{
	struct kept kept = { .args = calloc((size_t)argc, sizeof(*kept.args)) };
	int code;

	if (!kept.args) {
		fail_error("start", BF_ERR_NO_MEMORY, "");
		return EXIT_FAILED;
	}
	code = parse(argc, argv, options, &kept);
	free(kept.args);
	return code;
}

const char *image_directory(void)
{
	const char *dir = getenv("BAREFLANK_LIBDIR");

	return dir && *dir ? dir : config_libdir;
}

/* The installed file of this name, even if the current directory has one of this name. */
static void set_installed(char *path, const char *name)
{
	snprintf(path, MAX_PATH, "%s/%s", image_directory(), name);
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

void image_path(char *path, const char *name)
{
	if (!strchr(name, '/') && !is_file(name)) {
		set_installed(path, name);
		if (is_file(path))
			return;
	}
	snprintf(path, MAX_PATH, "%s", name);
}

/* Everything that one start needs; paths and files by image: 0 the microkernel, then extensions. */
struct images {
	char paths[1 + BF_MAX_EXTS][MAX_PATH];
	struct bf_file files[1 + BF_MAX_EXTS];
	struct bf_image_id ids[1 + BF_MAX_EXTS];
	uint32_t nr_exts;
};

static int load_image(struct images *images, unsigned int i, enum image_kind kind)
{
	struct bf_file *file = &images->files[i];
	int code = image_load("start", images->paths[i], kind, file);

	if (!code)
		image_identify(&images->ids[i], images->paths[i],
			       (const void *)(uintptr_t)file->data, file->size);
	return code;
}

static int load_images(const struct start_options *options, struct images *images)
{
	int code;

	images->nr_exts = options->nr_exts ? options->nr_exts : 1;
	if (options->microkernel)
		snprintf(images->paths[0], MAX_PATH, "%s", options->microkernel);
	else
		set_installed(images->paths[0], "microkernel");
	code = load_image(images, 0, IMAGE_MICROKERNEL);
	for (unsigned int i = 1; i <= images->nr_exts && !code; i++) {
		if (options->nr_exts)
			image_path(images->paths[i], options->exts[i - 1]);
		else
			set_installed(images->paths[i], "default");
		code = load_image(images, i, IMAGE_EXTENSION);
	}
	return code;
}

static void free_images(struct images *images)
{
	for (unsigned int i = 0; i <= BF_MAX_EXTS; i++)
		free((void *)(uintptr_t)images->files[i].data);
}

/* Whether the error is about what a file contains. */
static bool is_image_error(uint32_t error)
{
	return BF_ERROR_IS_IMAGE(error) && error != BF_ERR_TOO_MANY_EXTS;
}

/* The image that an error is about, or -1: a missing callback is missing from all images. */
static int image_at_fault(const struct bf_ioctl_start *call, const struct images *images)
{
	if (BF_ERROR_IS_MACHINE(call->error) || call->image > images->nr_exts)
		return -1;
	if (is_image_error(call->error) || call->image)
		return (int)call->image;
	if (BF_ERROR_IS_MICROKERNEL(call->error))
		return 0;
	if (BF_ERROR_IS_EXTENSION(call->error) && call->error < BF_ERR_VS_INVALID &&
	    images->nr_exts == 1)
		return 1;
	return -1;
}

/* Names the image and the CPU where the error is about one: see the groups of BF_ERRORS. */
static int fail_start(int fd, const struct bf_ioctl_start *call, const struct images *images,
		      int err)
{
	int image = image_at_fault(call, images);
	char what[MAX_PATH + 64] = "start";
	struct status status = { 0 };
	bool failed;
	size_t n;

	if (image >= 0)
		snprintf(what, sizeof(what), "start: %s", images->paths[image]);
	n = strlen(what);
	failed = !BF_ERROR_IS_MACHINE(call->error) && !BF_ERROR_IS_IMAGE(call->error) &&
		 status_read(fd, &status) && status.machine.error == call->error;
	if (failed)
		snprintf(what + n, sizeof(what) - n, ": CPU %u", status.machine.error_cpu);
	fail_call(what, err, call->error, call->detail);
	if (failed && failure_is_known(&status))
		failure_text(stderr, &status);
	status_free(&status);
	return is_image_error(call->error) ? EXIT_BAD_IMAGE : EXIT_FAILED;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* It has failed since: what bfm status says, too. */
static int report_failure(const struct status *status)
{
	const struct bf_ioctl_status *m = &status->machine;
	char what[64];

	report_text(stdout, status);
	fflush(stdout);
	snprintf(what, sizeof(what), "start: CPU %u", m->error_cpu);
	fail_detail(what, m->error, m->detail);
	return EXIT_FAILED;
}

static void print_started(const struct status *status, double ms)
{
	uint32_t cpus = status->machine.nr_cpus;

	printf("started on %u CPU%s in %.1f ms\n", cpus, cpus == 1 ? "" : "s", ms);
}

/*
 * Most extensions that fail do so with the first exits. Who stops it meanwhile knows that it had
 * started.
 */
static int watch(int fd, double began, double started, bool wait)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };

	for (;;) {
		struct status status;
		int code = EXIT_OK;
		bool done = true;

		if (!status_read(fd, &status))
			code = fail_call("status", errno, BF_ERR_OK, 0);
		else if (status.machine.error && status.machine.state != BF_STATE_STOPPED)
			code = report_failure(&status);
		else if (!wait || status.machine.state != BF_STATE_RUNNING ||
			 now_ms() - began >= WATCH_MS)
			print_started(&status, started - began);
		else
			done = false;
		status_free(&status);
		if (done)
			return code;
		nanosleep(&pause, NULL);
	}
}

static bool is_anything_denied(const struct start_options *options)
{
	uint64_t denied = 0;

	for (unsigned int i = 0; i < BF_MAX_EXTS; i++)
		denied |= options->denied[i];
	return denied;
}

static int start(const struct start_options *options, const struct images *images)
{
	struct bf_ioctl_start call = { .size = sizeof(call), .version = BF_IOCTL_VERSION };
	struct bf_file args[BF_MAX_EXTS];
	int fd = device_open();
	int code;
	double began;

	if (fd < 0)
		return fail_device("start", errno);
	call.microkernel = images->files[0];
	call.exts = (uintptr_t)&images->files[1];
	call.nr_exts = images->nr_exts;
	call.serial_port = options->serial_port;
	call.flags = options->keep_cpus ? BF_START_KEEP_CPUS : 0;
	call.pool_size = options->pool_size;
	call.huge_size = options->huge_size;
	call.watchdog_ns = options->watchdog_ns;
	call.repeats = options->repeats;
	call.channel_size = options->channel_size;
	call.image_ids = (uintptr_t)images->ids;
	if (is_anything_denied(options))
		call.denied = (uintptr_t)options->denied;
	call.grants = (uintptr_t)options->grants;
	call.nr_grants = options->nr_grants;
	for (unsigned int i = 0; i < BF_MAX_EXTS; i++)
		args[i] = (struct bf_file){ (uintptr_t)options->args[i], options->args_size[i] };
	call.args = (uintptr_t)args;
	began = now_ms();
	if (device_call(fd, BF_IOC_START, &call) < 0)
		code = fail_start(fd, &call, images, errno);
	else
		code = watch(fd, began, now_ms(), !options->no_wait);
	device_close(fd);
	return code;
}

static int run(int argc, char **argv)
{
	struct start_options options;
	struct images *images;
	int code = start_parse(argc, argv, &options);

	if (code >= 0)
		return code;
	images = calloc(1, sizeof(*images));
	if (!images) {
		fail_error("start", BF_ERR_NO_MEMORY, "");
		return EXIT_FAILED;
	}
	code = load_images(&options, images);
	if (!code)
		code = start(&options, images);
	free_images(images);
	free(images);
	return code;
}

const struct command start_command = {
	.name = "start",
	.summary = "Start the hypervisor under the running system",
	.arguments = "[--microkernel FILE] [--pool SIZE] [--huge SIZE] [--serial PORT]\n"
		     "           [--watchdog TIME] [--repeats N] [--channel SIZE]\n"
		     "           [--allow EXTENSION=RIGHT,...]\n"
		     "           [--arg [EXTENSION:]KEY=VALUE]... [--keep-cpus] [--no-wait]\n"
		     "           [EXTENSION...]",
	.help = "An EXTENSION is an ELF file, or the name of an installed extension. By default\n"
		"the installed default extension runs.\n\n"
		"  --microkernel FILE  use this microkernel instead of the installed one\n"
		"  --pool SIZE         memory for pages, like 32M\n"
		"  --huge SIZE         memory for physically contiguous allocations\n"
		"  --serial PORT       also write debug output to the serial port at this I/O\n"
		"                      port, like 0x2f8; Linux must not use it\n"
		"  --watchdog TIME     how long a callback of an extension may take, like 2s, or\n"
		"                      off; default: 500ms. Until the first exit of its CPU it\n"
		"                      may take ten times as long\n"
		"  --repeats N         how often an extension may run a guest that does not get\n"
		"                      on, or off; default: 10000\n"
		"  --channel SIZE      memory for what each extension emits (bfm read), from 16K\n"
		"                      to 4M; default: 64K\n"
		"  --allow EXTENSION=RIGHT,...\n"
		"                      what this extension may do, named as here, by its file's\n"
		"                      name, or by its number from 1 on; \"all,-wrmsr\" is all\n"
		"                      but one. Others may do all. Single calls and MSRs can be\n"
		"                      named, too.\n"
		"                      If one without \"linux\" fails, it ends alone, with its\n"
		"                      guests\n"
		"  --arg [EXTENSION:]KEY=VALUE\n"
		"                      an argument for this extension, named as for --allow; if\n"
		"                      there is one, it need not be named. As often as wanted:\n"
		"                      up to 4096 bytes for each extension\n"
		"  --keep-cpus         CPUs that go offline stay in the hypervisor, and those\n"
		"                      that a crash kernel starts, too\n"
		"  --no-wait           do not wait whether it fails within the first second\n"
		"  --help              show this text\n\n"
		"Installed images are in PREFIX/lib/bareflank, or in the directory that\n"
		"BAREFLANK_LIBDIR names.\n",
	.examples = "  bfm start                       Linux as a guest, and nothing else\n"
		    "  bfm start msr-trace ./mine      two extensions with hooks\n"
		    "  bfm start default guests --allow guests=all,-linux\n"
		    "                                  guests beside Linux, harmless to it\n"
		    "  bfm start ./mine --arg leaf=0x40000000 --arg verbose=yes\n"
		    "                                  one that knows these arguments\n",
	.options = long_options,
	.run = run,
};
