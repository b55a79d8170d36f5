// SPDX-License-Identifier: GPL-2.0-only
/* bfm start --allow EXTENSION=LIST: what an extension may do. */
#include <stdlib.h>
#include <string.h>

#include "bfm.h"

#define HINT "bfm start --help lists the rights"

static const struct {
	uint64_t right;
	const char *name;
	const char *what;
} rights[] = {
#define RIGHT(bit, name, what) { BF_RIGHT_##name, #name, what },
	BF_RIGHTS(RIGHT)
};

#define NR_RIGHTS (sizeof(rights) / sizeof(rights[0]))

bool allow_keep(struct allow *allow, const char *value)
{
	if (allow->count == BF_MAX_EXTS)
		return false;
	allow->values[allow->count++] = value;
	return true;
}

void allow_help(FILE *file)
{
	fprintf(file, "\nRights:\n");
	for (size_t i = 0; i < NR_RIGHTS; i++)
		fprintf(file, "  %-11s %s\n", rights[i].name, rights[i].what);
	fprintf(file, "  %-11s all of these\n  %-11s none of them\n", "all", "none");
}

/* Whether text, of some length, is this word. */
static bool is_word(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && !strncmp(text, word, length);
}

/* The rights that a word of the list stands for; false: it is none. */
static bool find_right(const char *text, size_t length, uint64_t *right)
{
	bool found = true;

	*right = 0;
	if (is_word(text, length, "all"))
		*right = BF_ALL_RIGHTS;
	else
		found = is_word(text, length, "none");
	for (size_t i = 0; i < NR_RIGHTS && !found; i++) {
		found = is_word(text, length, rights[i].name);
		if (found)
			*right = rights[i].right;
	}
	return found;
}

/* A list of words with commas between them. One that begins with "-" is taken away again. */
static bool parse_list(const char *list, uint64_t *allowed)
{
	*allowed = 0;
	for (;;) {
		size_t length = strcspn(list, ",");
		bool minus = *list == '-';
		uint64_t right;

		if (!find_right(list + minus, length - minus, &right)) {
			fail_message("start", HINT, "no right of an extension: %.*s", (int)length,
				     list);
			return false;
		}
		*allowed = minus ? *allowed & ~right : *allowed | right;
		if (!list[length])
			return true;
		list += length + 1;
	}
}

/*
 * The extension that text, of some length, names: its number, or the word of the command line, if
 * that is there once. -1: none.
 */
static int find_ext(const struct start_options *options, const char *text, size_t length)
{
	uint32_t count = options->nr_exts ? options->nr_exts : 1;
	int found = -1;

	if (length == 1 && *text >= '1' && *text < '1' + (int)count)
		return *text - '1';
	if (!options->nr_exts && is_word(text, length, "default"))
		return 0;
	for (uint32_t i = 0; i < options->nr_exts; i++) {
		if (!is_word(text, length, options->exts[i]))
			continue;
		if (found >= 0)
			return -1;
		found = (int)i;
	}
	return found;
}

static int apply(const char *value, struct start_options *options, uint32_t *named)
{
	const char *equals = strrchr(value, '=');
	uint64_t allowed;
	int ext;

	if (!equals) {
		fail_message("start", "give an extension and its rights, like guests=guests,debug",
			     "not a list of rights: %s", value);
		return EXIT_USAGE;
	}
	ext = find_ext(options, value, (size_t)(equals - value));
	if (ext < 0 || *named >> ext & 1) {
		fail_message("start", "name an extension of this command, or its number, once",
			     "not one of the extensions: %.*s", (int)(equals - value), value);
		return EXIT_USAGE;
	}
	if (!parse_list(equals + 1, &allowed))
		return EXIT_USAGE;
	*named |= 1U << ext;
	options->denied[ext] = BF_ALL_RIGHTS & ~allowed;
	return -1;
}

int allow_apply(const struct allow *allow, struct start_options *options)
{
	uint32_t named = 0;
	int code = -1;

	for (uint32_t i = 0; i < allow->count && code < 0; i++)
		code = apply(allow->values[i], options, &named);
	return code;
}
