// SPDX-License-Identifier: GPL-2.0-only
/* bfm read: the records that an extension emits. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bfm.h"
#include "lib/bareflank.h"

static const struct option long_options[] = {
	{ "follow", no_argument, NULL, 'f' },      { "raw", no_argument, NULL, 'r' },
	{ "hex", no_argument, NULL, 'x' },         { "json", no_argument, NULL, 'j' },
	{ "count", required_argument, NULL, 'n' }, COMMON_OPTIONS
};

#define BYTES_A_LINE 16

struct form {
	bool follow;
	int kind; /* the option; 0: text */
	uint64_t count; /* records to read at most */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void print_hex(const struct bareflank_record *r)
{
	const uint8_t *data = r->data;

	printf("record %" PRIu64 ", PP %u, %u bytes\n", r->number, r->pp, r->size);
	for (uint32_t at = 0; at < r->size; at += BYTES_A_LINE) {
		printf("%04x ", at);
		for (uint32_t i = at; i < at + BYTES_A_LINE; i++) {
			if (i < r->size)
				printf(" %02x", data[i]);
			else
				fputs("   ", stdout);
		}
		fputs("  ", stdout);
		for (uint32_t i = at; i < at + BYTES_A_LINE && i < r->size; i++)
			putchar(data[i] >= ' ' && data[i] < 127 ? data[i] : '.');
		putchar('\n');
	}
}

/* An object a line. Bytes are in hexadecimal, and text, as far as they are, in addition. */
static void print_json(const struct bareflank_record *r)
{
	char text[BAREFLANK_RECORD_MAX + 1];

	memcpy(text, r->data, r->size);
	text[r->size] = '\0';
	printf("{\"number\": %" PRIu64 ", \"tsc\": %" PRIu64 ", \"pp\": %u, \"text\": ", r->number,
	       r->tsc, r->pp);
	json_string(stdout, text);
	fputs(", \"hex\": \"", stdout);
	for (uint32_t i = 0; i < r->size; i++)
		printf("%02x", ((const uint8_t *)r->data)[i]);
	fputs("\"}\n", stdout);
}

static void print_text(const struct bareflank_record *r)
{
	struct escape escape = { .terminal = isatty(STDOUT_FILENO), .colours = use_colour(stdout) };
	char text[BAREFLANK_RECORD_MAX + ESCAPE_SEQUENCE], rest[2 * ESCAPE_SEQUENCE];
	size_t length = escape_text(&escape, r->data, r->size, text);

	fwrite(text, 1, length, stdout);
	fwrite(rest, 1, escape_end(&escape, rest), stdout);
	if (((const char *)r->data)[r->size - 1] != '\n')
		putchar('\n');
}

static void print_record(const struct bareflank_record *r, int kind)
{
	if (kind == 'r')
		fwrite(r->data, 1, r->size, stdout);
	else if (kind == 'x')
		print_hex(r);
	else if (kind == 'j')
		print_json(r);
	else
		print_text(r);
}

static int fail(struct bareflank *b, int err)
{
	const char *hint = err == ESRCH  ? error_text(BF_ERR_NOT_RUNNING)->hint :
			   err == EEXIST ? "name it by its number: bfm status" :
					   error_text(BF_ERR_NO_EXT)->hint;

	fail_message("read", hint, "%s", bareflank_error(b));
	return EXIT_FAILED;
}

/* How many records between the first one that was printed and the last are missing. */
static void print_missed(struct bareflank *b, int ext, uint64_t *told)
{
	struct bareflank_counts counts;

	if (bareflank_counts(b, ext, &counts) < 0 || counts.missed <= *told)
		return;
	fflush(stdout);
	fprintf(stderr, "bfm: read: %" PRIu64 " records are missing\n", counts.missed - *told);
	*told = counts.missed;
}

static int read_all(struct bareflank *b, const char *name, const struct form *form)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	struct bareflank_record record;
	struct bareflank_counts counts;
	uint64_t told = 0, n;
	int result = 1, ext = bareflank_find(b, name);

	if (ext < 0)
		return fail(b, errno);
	if (form->follow) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
	}
	for (n = 0; n < form->count && !interrupted; n++) {
		/* What there is at once; then what is waited for, before which all is written. */
		result = bareflank_read(b, ext, &record, 0);
		if (!result && form->follow && !fflush(stdout))
			result = bareflank_read(b, ext, &record, -1);
		if (result <= 0)
			break;
		print_missed(b, ext, &told);
		print_record(&record, form->kind);
		if (ferror(stdout))
			break;
	}
	if (result < 0 && !interrupted)
		return fail(b, errno);
	if (!bareflank_counts(b, ext, &counts) && counts.dropped) {
		fflush(stdout);
		fprintf(stderr, "bfm: read: %" PRIu64 " of %" PRIu64 " records were dropped\n",
			counts.dropped, counts.emitted);
	}
	return EXIT_OK;
}

static int parse(int argc, char **argv, struct form *form)
{
	int c;

	while ((c = next_option(argc, argv, &read_command)) != -1) {
		if (c == 'f') {
			form->follow = true;
		} else if (c == 'n') {
			if (!parse_number(optarg, UINT64_MAX, &form->count) || !form->count) {
				fail_message("read", "give a number, like 10",
					     "not a number of records: %s", optarg);
				return EXIT_USAGE;
			}
		} else if (c == 'r' || c == 'x' || c == 'j') {
			if (form->kind && form->kind != c) {
				fail_message("read", "give one of --raw, --hex and --json",
					     "these forms exclude each other");
				return EXIT_USAGE;
			}
			form->kind = c;
		} else {
			return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
		}
	}
	if (optind == argc) {
		fail_message("read", "bfm status names them", "which extension is not said");
		return EXIT_USAGE;
	}
	optind++;
	return finish_options(argc, argv, &read_command);
}

static int run(int argc, char **argv)
{
	struct form form = { .count = UINT64_MAX };
	int code = parse(argc, argv, &form);
	struct bareflank *b;

	if (code >= 0)
		return code;
	b = bareflank_open();
	if (!b)
		return fail_device("read", errno);
	code = read_all(b, argv[optind - 1], &form);
	bareflank_close(b);
	return code;
}

const struct command read_command = {
	.name = "read",
	.summary = "Print the records that an extension emits",
	.arguments = "EXTENSION [--follow] [--raw|--hex|--json] [--count N]",
	.help = "EXTENSION is the name of its file, or its number in the start. Each record is a\n"
		"line of text, unless said otherwise. They can be read until the next start. At\n"
		"the end it says how many were dropped, as there was no room for them, and on the\n"
		"way how many are missing.\n\n"
		"  --follow   keep printing new records, until interrupted or until the\n"
		"             hypervisor stops\n"
		"  --raw      only the bytes, as they are\n"
		"  --hex      bytes in hexadecimal\n"
		"  --json     an object a line\n"
		"  --count N  end after N records\n"
		"  --help     show this text\n",
	.examples = "  bfm read my_extension             what there is\n"
		    "  bfm read 1 --follow --json | jq    what comes, for other programs\n",
	.options = long_options,
	.run = run,
};
