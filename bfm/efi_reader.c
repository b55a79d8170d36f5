// SPDX-License-Identifier: GPL-2.0-only
/* A bareflank.conf that somebody has written, as words of bfm start: see efi.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "efi.h"

/* Of a line: an option with its value. What there is besides: "start", "--", and NULL. */
#define WORDS_OF_LINE 2
#define MORE_WORDS 3

struct reader {
	const char *path;
	struct efi_words *words;
	char *exts[BF_MAX_EXTS]; /* the words that name them */
	unsigned int nr_exts, line, seen;
};

static int fail_line(const struct reader *r, const char *wrong, const char *word)
{
	fail_message("efi", "docs/uefi.md has all options", "%s, line %u: %s%s%s", r->path, r->line,
		     wrong, *word ? ": " : "", word);
	return EXIT_USAGE;
}

static int fail_memory(void)
{
	fail_error("efi", BF_ERR_NO_MEMORY, "");
	return EXIT_FAILED;
}

/* A word more; NULL: not enough memory. */
__attribute__((format(printf, 2, 3))) static char *add(struct reader *r, const char *format, ...)
{
	struct efi_words *w = r->words;
	va_list args;
	char *word;
	int length;

	va_start(args, format);
	length = vasprintf(&word, format, args);
	va_end(args);
	if (length < 0)
		return NULL;
	w->argv[w->argc++] = word;
	return word;
}

/* --- options: each function takes its value --------------------------------------------------- */

/* bfm start has an option of this name. */
static int take_number(struct reader *r, const char *key, const char *value)
{
	return add(r, "--%s", key) && add(r, "%s", value) ? EXIT_OK : fail_memory();
}

/* A file that is beside the configuration, or has been installed. For free(). */
static char *file_of(const struct reader *r, const char *name)
{
	const char *slash = strrchr(r->path, '/');
	char *path = NULL;

	if (asprintf(&path, "%.*s%s", slash ? (int)(slash - r->path + 1) : 0, r->path, name) < 0)
		return NULL;
	if (access(path, F_OK)) {
		free(path);
		path = NULL;
		if (asprintf(&path, "%s/%s", image_directory(), name) < 0)
			return NULL;
	}
	return path;
}

static int take_file(struct reader *r, const char *value, char **path)
{
	if (strchr(value, '\\') || strchr(value, '/'))
		return fail_line(r, "only a file beside this one can be installed", value);
	*path = file_of(r, value);
	return *path ? EXIT_OK : fail_memory();
}

static int take_microkernel(struct reader *r, const char *key, const char *value)
{
	char *path = NULL;
	int code = take_file(r, value, &path);

	if (!code)
		code = take_number(r, key, path);
	free(path);
	return code;
}

static int take_extension(struct reader *r, const char *key, const char *value)
{
	(void)key;
	if (r->nr_exts == BF_MAX_EXTS)
		return fail_line(r, "there are too many extensions", "");
	return take_file(r, value, &r->exts[r->nr_exts++]);
}

/* Of the extension in a line before, by its number. */
static int take_arg(struct reader *r, const char *key, const char *value)
{
	bool is_arg = !strcmp(key, "arg");

	if (!r->nr_exts)
		return fail_line(r, "no extension comes before this", "");
	return add(r, "--%s", key) && add(r, "%u%s%s", r->nr_exts, is_arg ? ":" : "=", value) ?
		       EXIT_OK :
		       fail_memory();
}

static int keep(char **word, const char *value)
{
	*word = strdup(value);
	return *word ? EXIT_OK : fail_memory();
}

static int take_next(struct reader *r, const char *key, const char *value)
{
	(void)key;
	return keep(&r->words->next, value);
}

static int take_options(struct reader *r, const char *key, const char *value)
{
	(void)key;
	return keep(&r->words->options, value);
}

static int take_guard(struct reader *r, const char *key, const char *value)
{
	(void)key;
	r->words->no_guard = !strcmp(value, "off");
	return r->words->no_guard || !strcmp(value, "on") ?
		       EXIT_OK :
		       fail_line(r, "neither on nor off", value);
}

static const struct {
	const char *name;
	int (*take)(struct reader *r, const char *key, const char *value);
	bool often;
} keys[] = {
	{ "extension", take_extension, true }, { "arg", take_arg, true },
	{ "allow", take_arg, true },           { "microkernel", take_microkernel, false },
	{ "pool", take_number, false },        { "huge", take_number, false },
	{ "channel", take_number, false },     { "serial", take_number, false },
	{ "watchdog", take_number, false },    { "repeats", take_number, false },
	{ "next", take_next, false },          { "options", take_options, false },
	{ "guard", take_guard, false },
};

/* --- lines ------------------------------------------------------------------------------------ */

static int take_pair(struct reader *r, const char *key, const char *value)
{
	size_t i = 0;

	while (i < sizeof(keys) / sizeof(keys[0]) && strcmp(key, keys[i].name) != 0)
		i++;
	if (i == sizeof(keys) / sizeof(keys[0]))
		return fail_line(r, "there is no such option", key);
	if (!*value)
		return fail_line(r, "this option has no value", key);
	if (r->seen & 1U << i && !keys[i].often)
		return fail_line(r, "this option is there already", key);
	r->seen |= 1U << i;
	return keys[i].take(r, key, value);
}

/* Without the blanks at both ends. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strlen(text);
	while (length && strchr(" \t\r", text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

static int take_line(struct reader *r, char *line)
{
	char *equals;

	line = trim(line);
	if (!*line || *line == '#')
		return EXIT_OK;
	equals = strchr(line, '=');
	if (!equals)
		return fail_line(r, "this line is not of the form OPTION = VALUE", line);
	*equals = '\0';
	return take_pair(r, trim(line), trim(equals + 1));
}

static int take_lines(struct reader *r, char *text)
{
	int code = EXIT_OK;
	char *line;

	while (!code && (line = strsep(&text, "\n"))) {
		r->line++;
		code = take_line(r, line);
	}
	return code;
}

static size_t count_lines(const char *text)
{
	size_t n = 1;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

/* The extensions come last, whatever their names begin with. */
static int take_all(struct reader *r, char *text)
{
	int code;

	if (!add(r, "start"))
		return fail_memory();
	code = take_lines(r, text);
	if (!code && !add(r, "--"))
		code = fail_memory();
	for (unsigned int i = 0; i < r->nr_exts; i++) {
		if (!code && !add(r, "%s", r->exts[i]))
			code = fail_memory();
		free(r->exts[i]);
	}
	return code;
}

static int check_all(const struct reader *r)
{
	if (!r->words->options || r->words->next)
		return EXIT_OK;
	fail_message("efi", "add a line: next = FILE",
		     "%s: options are there for next, which is not", r->path);
	return EXIT_USAGE;
}

int efi_words_read(const char *path, struct efi_words *words)
{
	struct reader r = { .path = path, .words = words };
	uint64_t size = 0;
	char *text = image_read(path, &size);
	int code;

	*words = (struct efi_words){ 0 };
	if (!text) {
		fail_message("efi", "name a file like bareflank.conf: docs/uefi.md", "%s: %s", path,
			     strerror(errno));
		return EXIT_USAGE;
	}
	text[size] = '\0';
	words->argv = calloc(WORDS_OF_LINE * count_lines(text) + MORE_WORDS, sizeof(char *));
	if (!words->argv)
		code = fail_memory();
	else if (strlen(text) != size)
		code = fail_line(&r, "it is no text", "");
	else
		code = take_all(&r, text);
	free(text);
	return code ? code : check_all(&r);
}

void efi_words_free(struct efi_words *words)
{
	for (int i = 0; i < words->argc; i++)
		free(words->argv[i]);
	free(words->argv);
	free(words->next);
	free(words->options);
}
