// SPDX-License-Identifier: GPL-2.0-only
/*
 * bfm complete WORD...: what the last word could become, one a line, for the completion of shells
 * (bfm/completion). The others are those before it on the command line, without "bfm". Some shells
 * pass what is before and behind a "=" as words of their own.
 */
#include <dirent.h>
#include <getopt.h>
#include <string.h>

#include "bfm.h"

static void offer(const char *before, size_t length, const char *name)
{
	printf("%.*s%s\n", (int)length, before, name);
}

static void offer_options(const struct command *command)
{
	for (const struct option *o = command->options; o->name; o++)
		offer("--", 2, o->name);
}

/* Installed images, by their names: those that a shell would not find as files here. */
static void offer_images(bool microkernel)
{
	DIR *dir = opendir(image_directory());
	const struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		/* .a, .o and .ld, for who builds extensions, and what is hidden */
		if (strchr(entry->d_name, '.') ||
		    (!microkernel && !strcmp(entry->d_name, "microkernel")))
			continue;
		offer("", 0, entry->d_name);
	}
	closedir(dir);
}

/* Finds the list of rights that the last word is, or ends with; false: it is none. */
static bool rights_of(int argc, char **argv, const char **rights)
{
	const char *last = argv[argc - 1];

	*rights = last;
	if (argc > 1 && !strcmp(argv[argc - 2], "--allow")) {
		const char *equals = strrchr(last, '=');

		*rights = equals ? equals + 1 : "";
		return equals;
	}
	if (argc > 2 && !strcmp(argv[argc - 3], "--allow") && !strcmp(last, "=")) {
		*rights = "";
		return true;
	}
	return argc > 3 && !strcmp(argv[argc - 4], "--allow") && !strcmp(argv[argc - 2], "=");
}

/* After the last comma, and after a "-". */
static void offer_rights(const char *last, const char *list)
{
	const char *comma = strrchr(list, ',');
	const char *word = comma ? comma + 1 : list;
	bool inside = last <= list && list <= last + strlen(last); /* else last is "=" */

	if (*word == '-')
		word++;
	for (size_t i = 0; allow_name(i); i++) {
		if (!*allow_name(i))
			continue;
		offer(inside ? last : list, (size_t)(word - (inside ? last : list)), allow_name(i));
	}
}

/* The option whose value the last word is, or is going to be; "": none. */
static const char *option_of(int argc, char **argv)
{
	const char *before = argc > 1 ? argv[argc - 2] : "";

	if (argc > 2 && !strcmp(before, "="))
		return argv[argc - 3];
	return before;
}

static bool offer_new(int argc, char **argv)
{
	const char *option = option_of(argc, argv);

	if (strcmp(option, "--lang") != 0 && strcmp(option, "--template") != 0)
		return false;
	for (size_t i = 0; new_name(option, i); i++)
		offer("", 0, new_name(option, i));
	return true;
}

/* The values of an option that has few of them; false: it is none of those. */
static bool offer_values(const struct command *command, const char *option)
{
	static const struct {
		const struct command *command;
		const char *option, *values;
	} options[] = { { &top_command, "--sort", "rate\ntotal\nname" },
			{ &dump_command, "--level", "error\nwarning\ninfo\ndebug" },
			{ &dump_command, "--stamps", "auto\nalways\nnever" },
			{ &dump_command, "--color", "auto\nalways\nnever" } };

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (command == options[i].command && !strcmp(option, options[i].option)) {
			puts(options[i].values);
			return true;
		}
	}
	return false;
}

/* Where the words of bfm start begin in those of bfm efi: behind "--"; 0: nowhere yet. */
static int start_of(int argc, char **argv)
{
	for (int i = 0; i < argc - 1; i++)
		if (!strcmp(argv[i], "--"))
			return i + 1;
	return 0;
}

static void offer_words(const struct command *command, int argc, char **argv)
{
	const char *last = argv[argc - 1], *rights;

	if (argc > 1 && offer_values(command, option_of(argc, argv)))
		return;
	if (command == &start_command && rights_of(argc, argv, &rights))
		offer_rights(last, rights);
	else if (command == &new_command && offer_new(argc, argv))
		return;
	else if (*last == '-')
		offer_options(command);
	else if (command == &efi_command && argc == 1)
		puts("install\nimage\nremove\nconfirm\nretry");
	else if (command == &start_command || command == &sign_command ||
		 command == &check_command || command == &read_command || command == &call_command)
		offer_images(command == &sign_command);
}

int complete(const struct command *command, int argc, char **argv)
{
	int begin = command == &efi_command ? start_of(argc, argv) : 0;

	offer_words(begin ? &start_command : command, argc - begin, argv + begin);
	return EXIT_OK;
}
