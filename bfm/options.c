// SPDX-License-Identifier: GPL-2.0-only
/* Numbers, sizes and options of the command line. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bfm.h"

#define MAX_OPTIONS 32

/* Like strtoull(), but without its signs, blanks and octal numbers. */
static bool parse_digits(const char *text, uint64_t *number, char **end)
{
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;

	if (base == 16)
		text += 2;
	if (base == 16 ? !isxdigit((unsigned char)*text) : !isdigit((unsigned char)*text))
		return false;
	/* "0x0x1" would pass here otherwise. */
	if (base == 16 && (text[1] == 'x' || text[1] == 'X'))
		return false;
	errno = 0;
	*number = strtoull(text, end, base);
	return errno == 0;
}

bool parse_number(const char *text, uint64_t max, uint64_t *number)
{
	char *end;

	return parse_digits(text, number, &end) && *end == '\0' && *number <= max;
}

bool parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *unit = NULL;
	uint64_t number;
	char *end;

	if (!parse_digits(text, &number, &end))
		return false;
	if (*end)
		unit = strchr(units, toupper((unsigned char)*end));
	if (unit) {
		unsigned int shift = 10 * (unsigned int)(unit - units + 1);

		if (number > UINT64_MAX >> shift)
			return false;
		number <<= shift;
		end++;
		if (strcasecmp(end, "iB") && strcasecmp(end, "B") && *end)
			return false;
	} else if (*end) {
		return false;
	}
	*bytes = number;
	return number != 0;
}

void print_help(FILE *file, const struct command *command)
{
	fprintf(file, "usage: bfm %s%s%s\n\n%s.\n\n%s", command->name,
		*command->arguments ? " " : "", command->arguments, command->summary,
		command->help);
	fprintf(file, "\nExamples:\n%s", command->examples);
}

/* What may have been meant, if it is an option that is unknown. */
static const char *nearest_option(const char *word, const struct option *options)
{
	const char *names[MAX_OPTIONS];
	size_t count = 0;

	if (!options || strncmp(word, "--", 2) != 0)
		return NULL;
	while (count < MAX_OPTIONS && options[count].name) {
		names[count] = options[count].name;
		count++;
	}
	return suggest(word + 2, strcspn(word + 2, "="), names, count);
}

static void fail_usage(const struct command *command, const char *sentence, const char *word,
		       const struct option *options)
{
	const char *meant = nearest_option(word, options);
	char hint[96];

	snprintf(hint, sizeof(hint), "%s%s%sbfm %s --help", meant ? "did you mean --" : "",
		 meant ? meant : "", meant ? "? See " : "", command->name);
	fail_message(command->name, hint, "%s: %s", sentence, word);
	fprintf(stderr, "usage: bfm %s%s%s\n", command->name, *command->arguments ? " " : "",
		command->arguments);
}

int next_option(int argc, char **argv, const struct command *command)
{
	int c;

	opterr = 0;
	c = getopt_long(argc, argv, command->letters ? command->letters : ":h", command->options,
			NULL);
	if (c == 'h') {
		print_help(stdout, command);
		return OPTION_HELP;
	}
	if (c == ':') {
		fail_usage(command, "this option needs a value", argv[optind - 1], NULL);
		return '?';
	}
	if (c == '?') {
		char letter[] = { '-', (char)optopt, '\0' };

		fail_usage(command, "unknown option",
			   isprint(optopt) && optopt < 128 ? letter : argv[optind - 1],
			   command->options);
	}
	return c;
}

int finish_options(int argc, char **argv, const struct command *command)
{
	if (optind < argc) {
		fail_usage(command, "unexpected argument", argv[optind], NULL);
		return EXIT_USAGE;
	}
	return -1;
}
