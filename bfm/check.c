// SPDX-License-Identifier: GPL-2.0-only
/* bfm check: whether this machine is supported, and if not, why; or whether images are good. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "bfm.h"

static const struct option long_options[] = { { "report", no_argument, NULL, 'r' },
					      COMMON_OPTIONS };

/* More than the module has. */
#define MAX_VALUES 64

static const char *const items[BF_NR_CHECKS] = {
	[BF_CHECK_VENDOR] = "VT-x or AMD-V",
	[BF_CHECK_FIRMWARE] = "enabled by the firmware",
	[BF_CHECK_FREE] = "no other hypervisor",
	[BF_CHECK_NESTED] = "nested paging",
	[BF_CHECK_PAGING] = "4- or 5-level paging",
	[BF_CHECK_FEATURES] = "CPU features",
	[BF_CHECK_CPUS] = "CPUs alike",
	[BF_CHECK_LOCKDOWN] = "lockdown",
	[BF_CHECK_MEMORY] = "memory",
	[BF_CHECK_OUTER] = "outer hypervisor",
	[BF_CHECK_CONTROLS] = "VMX controls",
	[BF_CHECK_ADDRESSES] = "physical addresses",
};

/* Notes about an outer hypervisor that does not prevent a start. */
static const char *const outers[] = {
	[BF_OUTER_KVM] = "KVM; its hypercalls and MSRs are passed on",
	[BF_OUTER_VMWARE] = "VMware; its hypercalls are passed on",
	[BF_OUTER_OTHER] = "unknown; its hypercalls are passed on",
};

static void print_verdict(enum verdict verdict)
{
	static const struct {
		const char *colour;
		const char *word;
	} words[] = {
		[VERDICT_OK] = { "\033[32m", "ok" },
		[VERDICT_NOTE] = { "\033[33m", "note" },
		[VERDICT_NO] = { "\033[1;31m", "NO" },
		[VERDICT_UNKNOWN] = { "\033[2m", "unknown" },
	};
	bool colour = use_colour(stdout);

	printf("%s%-7s%s", colour ? words[verdict].colour : "", words[verdict].word,
	       colour ? "\033[0m" : "");
}

static void print_neighbours(void)
{
	const char *name;
	size_t i = 0;

	while ((name = local_neighbour("", &i))) {
		printf("%-24s ", "other hypervisors");
		print_verdict(VERDICT_NOTE);
		printf(" %s is loaded and takes VT-x or AMD-V while it runs a machine\n", name);
		printf("%-24s hint: stop its virtual machines and unload it; start none while the "
		       "hypervisor runs\n",
		       "");
	}
}

/* Prints all lines; returns whether nothing fatal is among them. outer: enum bf_outer, if known. */
static bool print_lines(const struct check_line *lines, uint32_t outer)
{
	bool possible = true;
	char detail[DETAIL_SIZE], hint[HINT_SIZE];

	for (unsigned int i = 0; i < BF_NR_CHECKS; i++) {
		const struct error_text *text = error_text(lines[i].error);

		printf("%-24s ", items[i]);
		print_verdict(lines[i].verdict);
		if (lines[i].error) {
			describe_detail(lines[i].error, lines[i].detail, detail, sizeof(detail));
			printf(" %s%s%s%s", text->sentence, *detail ? " (" : "", detail,
			       *detail ? ")" : "");
		}
		if (i == BF_CHECK_OUTER && !lines[i].error &&
		    outer < sizeof(outers) / sizeof(outers[0]) && outers[outer])
			printf(" %s", outers[outer]);
		putchar('\n');
		if (lines[i].error)
			printf("%-24s hint: %s\n", "",
			       hint_text("", lines[i].error, lines[i].detail, hint, sizeof(hint)));
		possible &= lines[i].verdict != VERDICT_NO;
	}
	print_neighbours();
	return possible;
}

static int check_by_module(int fd, bool report)
{
	struct bf_register_value values[MAX_VALUES];
	struct bf_ioctl_check call = { .size = sizeof(call),
				       .nr_values = MAX_VALUES,
				       .values = (uintptr_t)values };
	struct check_line lines[BF_NR_CHECKS];
	bool possible;

	if (device_call(fd, BF_IOC_CHECK, &call) < 0)
		return fail_call("check", errno, BF_ERR_OK, 0);
	if (report) {
		machine_print(stdout, "");
		machine_print_values(stdout, values,
				     call.nr_values < MAX_VALUES ? call.nr_values : MAX_VALUES);
		putchar('\n');
	}
	for (unsigned int i = 0; i < BF_NR_CHECKS; i++) {
		const struct bf_check_result *r = &call.results[i];

		lines[i].error = r->error;
		lines[i].detail = r->detail;
		lines[i].verdict = !r->error ? VERDICT_OK : r->fatal ? VERDICT_NO : VERDICT_NOTE;
	}
	possible = print_lines(lines, call.outer);
	printf("\n%s\n",
	       possible ? "This machine is supported." : "This machine is not supported as it is.");
	return possible ? EXIT_OK : EXIT_FAILED;
}

static int check_locally(int err, bool report)
{
	struct cpuid_facts cpu = cpuid_read();
	struct check_line lines[BF_NR_CHECKS];
	bool possible;

	local_check("", &cpu, lines);
	if (report) {
		machine_print(stdout, "");
		putchar('\n');
	}
	possible = print_lines(lines, BF_OUTER_NONE);
	printf("\n%s\n",
	       possible ? "No problem found so far; with the module loaded, bfm checks the rest." :
			  "This machine is not supported as it is.");
	fflush(stdout);
	fail_device("check", err);
	return possible ? EXIT_NO_DEVICE : EXIT_FAILED;
}

/* As the module will check them. Returns what the first bad one deserves. */
static int check_images(int count, char **names)
{
	char path[MAX_PATH];
	int code = EXIT_OK;

	for (int i = 0; i < count; i++) {
		struct bf_file file = { 0 };
		int result;

		image_path(path, names[i]);
		result = image_load("check", path, IMAGE_EXTENSION, &file);
		free((void *)(uintptr_t)file.data);
		if (result == EXIT_OK)
			printf("%s: a valid extension\n", path);
		else if (code == EXIT_OK)
			code = result;
	}
	return code;
}

static int run(int argc, char **argv)
{
	bool report = false;
	int c, code, fd;

	while ((c = next_option(argc, argv, &check_command)) != -1) {
		if (c != 'r')
			return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
		report = true;
	}
	if (optind < argc && !report)
		return check_images(argc - optind, argv + optind);
	code = finish_options(argc, argv, &check_command);
	if (code >= 0)
		return code;
	fd = device_open();
	if (fd < 0)
		return check_locally(errno, report);
	code = check_by_module(fd, report);
	device_close(fd);
	return code;
}

const struct command check_command = {
	.name = "check",
	.summary = "Check this machine, or images of extensions",
	.arguments = "[--report | EXTENSION...]",
	.help = "Checks whether this machine is supported. Without the module, only what\n"
		"user space can see is checked, and the exit code is 3 at best. With an\n"
		"EXTENSION, a file or the name of an installed one, checks instead that it is\n"
		"a valid image.\n"
		"Exit codes: 0 supported, or valid; 1 not supported; 4 an image is invalid.\n\n"
		"  --report  also print, for a bug report, the CPU, microcode, kernel, outer\n"
		"            hypervisor and registers, but nothing that identifies the machine\n"
		"  --help    show this text\n",
	.examples = "  bfm check                   can the hypervisor run here?\n"
		    "  bfm check --report >report  for a bug report\n"
		    "  bfm check build/mine        is this an extension that start accepts?\n",
	.options = long_options,
	.run = run,
};
