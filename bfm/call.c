// SPDX-License-Identifier: GPL-2.0-only
/* bfm call: a request to an extension, and its reply. */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "bfm.h"
#include "lib/bareflank.h"

static const struct option long_options[] = { COMMON_OPTIONS };

/* The request: the words with blanks between them, or what comes on stdin. Returns an exit code. */
static int get_request(int count, char **words, char *request, size_t *size)
{
	size_t used = 0;

	if (count == 1 && !strcmp(words[0], "-")) {
		used = fread(request, 1, BAREFLANK_REQUEST_MAX + 1, stdin);
		if (ferror(stdin)) {
			fail_message("call", "see what it is connected to", "cannot read stdin: %s",
				     strerror(errno));
			return EXIT_FAILED;
		}
	} else {
		for (int i = 0; i < count && used <= BAREFLANK_REQUEST_MAX; i++)
			used += (size_t)snprintf(request + used, BAREFLANK_REQUEST_MAX + 2 - used,
						 "%s%s", i ? " " : "", words[i]);
	}
	if (used > BAREFLANK_REQUEST_MAX) {
		fail_error("call", BF_ERR_REQUEST_SIZE, "");
		return EXIT_USAGE;
	}
	*size = used;
	return EXIT_OK;
}

static int fail(struct bareflank *b, int err)
{
	uint32_t error = bareflank_error_number(b);

	if (err == EEXIST)
		fail_message("call", "name it by its number: bfm status", "%s", bareflank_error(b));
	else
		return fail_call("call", err, error, 0);
	return EXIT_FAILED;
}

static void print_reply(const char *reply, size_t size, FILE *file)
{
	fwrite(reply, 1, size, file);
	if (size && reply[size - 1] != '\n' && isatty(fileno(file)))
		putc('\n', file);
}

static int call(struct bareflank *b, const char *name, const char *request, size_t size)
{
	char reply[BAREFLANK_REQUEST_MAX];
	size_t reply_size = sizeof(reply);
	int result, ext = bareflank_find(b, name);

	if (ext < 0)
		return fail(b, errno);
	result = bareflank_call(b, ext, request, size, reply, &reply_size);
	if (result < 0)
		return fail(b, errno);
	if (result) {
		fail_message(name, "see the documentation of this extension", "%.*s",
			     reply_size ? (int)reply_size : 7, reply_size ? reply : "refused");
		return EXIT_FAILED;
	}
	print_reply(reply, reply_size, stdout);
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	char request[BAREFLANK_REQUEST_MAX + 2];
	struct bareflank *b;
	int c, code;
	size_t size;

	while ((c = next_option(argc, argv, &call_command)) != -1)
		return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
	if (argc - optind < 2) {
		fail_message("call", "bfm call --help", "an extension and a request are needed");
		return EXIT_USAGE;
	}
	code = get_request(argc - optind - 1, argv + optind + 1, request, &size);
	if (code)
		return code;
	b = bareflank_open();
	if (!b)
		return fail_device("call", errno);
	code = call(b, argv[optind], request, size);
	bareflank_close(b);
	return code;
}

const struct command call_command = {
	.name = "call",
	.summary = "Send a request to an extension and print its reply",
	.arguments = "EXTENSION REQUEST...",
	.help = "EXTENSION is the name of its file, or its number in the start. What requests\n"
		"there are is the extension's to say. Words are joined by blanks; a single -\n"
		"stands for what comes on stdin; behind -- words may begin with a dash. Requests\n"
		"and replies have at most 4096 bytes. If the extension refuses it, that is a\n"
		"failure, with its reason.\n\n"
		"  --help  show this text\n",
	.examples = "  bfm call my_extension reset counters\n"
		    "  bfm call 2 - <request.bin >reply.bin\n",
	.options = long_options,
	.run = run,
};
