// SPDX-License-Identifier: GPL-2.0-only
/* The commands, and the help that names them. */
#include <string.h>

#include "bfm.h"

static const struct command *const commands[] = { &start_command, &stop_command,  &status_command,
						  &stats_command, &top_command,   &trace_command,
						  &dump_command,  &check_command, &sign_command,
						  &new_command,   &read_command,  &call_command,
						  &efi_command };

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *file)
{
	fputs("usage: bfm COMMAND [OPTION...] [ARGUMENT...]\n\n"
	      "Starts, stops and watches the Bareflank hypervisor on this machine.\n\n",
	      file);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(file, "  %-7s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n  --help     show this text; bfm COMMAND --help describes one command\n"
	      "  --version  show the version\n\n"
	      "Exit codes: 0 success; 1 failure; 2 wrong command line; 3 the module is not\n"
	      "loaded, or access to it is denied; 4 an image is invalid; 5 (status) the\n"
	      "hypervisor is not running.\n",
	      file);
}

/* A command, or what looks like an option. */
static int fail_command(const char *word)
{
	const char *names[NR_COMMANDS], *meant;
	char hint[64] = "bfm --help";

	for (size_t i = 0; i < NR_COMMANDS; i++)
		names[i] = commands[i]->name;
	meant = suggest(word, strlen(word), names, NR_COMMANDS);
	if (meant)
		snprintf(hint, sizeof(hint), "did you mean bfm %s? See bfm --help", meant);
	fail_message(word, hint, "unknown %s", *word == '-' ? "option" : "command");
	fputs("usage: bfm COMMAND [OPTION...] [ARGUMENT...]\n", stderr);
	return EXIT_USAGE;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (!strcmp(name, commands[i]->name))
			return commands[i];
	}
	return NULL;
}

/* For shells, which know of it: nobody else needs it. */
static int run_complete(int argc, char **argv)
{
	if (argc < 2) {
		for (size_t i = 0; i < NR_COMMANDS; i++)
			puts(commands[i]->name);
		puts("--help\n--version");
		return EXIT_OK;
	}
	return find_command(argv[0]) ? complete(find_command(argv[0]), argc - 1, argv + 1) :
				       EXIT_OK;
}

static int run(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("bfm %s, module interface %u\n", config_version, BF_IOCTL_VERSION);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "complete"))
		return run_complete(argc - 2, argv + 2);
	if (find_command(argv[1]))
		return find_command(argv[1])->run(argc - 1, argv + 1);
	return fail_command(argv[1]);
}

int main(int argc, char **argv)
{
	int code = run(argc, argv);

	/* A full disk behind stdout must not look like success. */
	if ((fflush(stdout) || ferror(stdout)) && code == EXIT_OK) {
		fail_message("output", "free some space or write elsewhere", "cannot be written");
		return EXIT_FAILED;
	}
	return code;
}
