// SPDX-License-Identifier: GPL-2.0-only
/* bfm start --allow EXTENSION=LIST: what an extension may do. */
#include <stdlib.h>
#include <string.h>

#include <abi/mk2.h>

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

static const struct {
	uint32_t id; /* BF_GRANT_CALL_ID */
	const char *name;
} calls[] = {
#define CALL_OF_MK1(op, idx, name, in, out, args, results, errors) \
	{ BF_GRANT_CALL_ID(1, MK1_OP_##op, idx), #name },
#define CALL_OF_MK2(op, idx, name, in, out, args, results, errors) \
	{ BF_GRANT_CALL_ID(2, MK2_OP_##op, idx), #name },
	MK1_SYSCALLS(CALL_OF_MK1) MK2_SYSCALLS(CALL_OF_MK2)
};

#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

const char *allow_name(size_t n)
{
	static const char *const others[] = { "all", "none", "rdmsr:", "wrmsr:" };
	const size_t nr_others = sizeof(others) / sizeof(others[0]);

	if (n < NR_RIGHTS)
		return rights[n].name;
	if (n < NR_RIGHTS + nr_others)
		return others[n - NR_RIGHTS];
	n -= NR_RIGHTS + nr_others;
	if (n >= NR_CALLS)
		return NULL;
	return bf_grant_is_always(calls[n].id) ? "" : calls[n].name;
}

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
	fprintf(file, "Single calls and MSRs, which count more than these, wherever they stand:\n"
		      "  a call      by its name, like vs_promote (docs/abi)\n"
		      "  rdmsr:MSR   reading it, like rdmsr:0x10 or rdmsr:0xc0000080-0xc0000084\n"
		      "  wrmsr:MSR   writing it\n"
		      "With a \"-\" before it, each of all these is taken away.\n");
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

static bool is_call(const char *text, size_t length, struct bf_grant *grant)
{
	for (size_t i = 0; i < NR_CALLS; i++) {
		if (!is_word(text, length, calls[i].name))
			continue;
		grant->kind = BF_GRANT_CALL;
		grant->first = calls[i].id;
		grant->last = calls[i].id;
		return true;
	}
	return false;
}

/* rdmsr:FIRST, or rdmsr:FIRST-LAST, or the same of wrmsr. */
static bool is_msrs(const char *text, size_t length, struct bf_grant *grant)
{
	char copy[64], *dash;
	uint64_t first, last;

	if (length >= sizeof(copy) || length < 6 || text[5] != ':')
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	dash = strchr(copy, '-');
	if (dash)
		*dash++ = '\0';
	if (!parse_number(copy + 6, UINT32_MAX, &first) ||
	    !parse_number(dash ? dash : copy + 6, UINT32_MAX, &last) || first > last)
		return false;
	grant->kind = is_word(text, 5, "rdmsr") ? BF_GRANT_RDMSR : BF_GRANT_WRMSR;
	grant->first = (uint32_t)first;
	grant->last = (uint32_t)last;
	return grant->kind == BF_GRANT_RDMSR || is_word(text, 5, "wrmsr");
}

/* A word that stands for no right, but for one call or some MSRs. */
static bool take_grant(const char *text, size_t length, bool allow, uint8_t ext,
		       struct start_options *options)
{
	struct bf_grant grant = { .ext = ext, .allow = allow };

	if (!is_call(text, length, &grant) && !is_msrs(text, length, &grant)) {
		fail_message("start", HINT, "no right of an extension: %.*s", (int)length, text);
		return false;
	}
	if (grant.kind == BF_GRANT_CALL && bf_grant_is_always(grant.first)) {
		fail_message("start", "leave it out", "every extension has this call: %.*s",
			     (int)length, text);
		return false;
	}
	if (options->nr_grants == BF_MAX_GRANTS) {
		fail_message("start", "name rights, or ranges of MSRs",
			     "more than %u single calls and MSRs", BF_MAX_GRANTS);
		return false;
	}
	options->grants[options->nr_grants++] = grant;
	return true;
}

/* A list of words with commas between them. One that begins with "-" is taken away again. */
static bool parse_list(const char *list, uint8_t ext, struct start_options *options)
{
	uint64_t allowed = 0, right;

	for (;;) {
		size_t length = strcspn(list, ",");
		bool minus = *list == '-';

		if (find_right(list + minus, length - minus, &right))
			allowed = minus ? allowed & ~right : allowed | right;
		else if (!take_grant(list + minus, length - minus, !minus, ext, options))
			return false;
		if (!list[length])
			break;
		list += length + 1;
	}
	options->denied[ext] = BF_ALL_RIGHTS & ~allowed;
	return true;
}

#define NONE (-1)
#define SEVERAL (-2)

/* The only one whose word on the command line, or whose file's name, this is. */
static int find_word(const struct start_options *options, const char *text, size_t length,
		     bool name)
{
	int found = NONE;

	for (uint32_t i = 0; i < options->nr_exts; i++) {
		const char *word = options->exts[i], *slash = strrchr(word, '/');

		if (!is_word(text, length, name && slash ? slash + 1 : word))
			continue;
		if (found != NONE)
			return SEVERAL;
		found = (int)i;
	}
	return found;
}

int find_ext(const struct start_options *options, const char *text, size_t length)
{
	uint32_t count = options->nr_exts ? options->nr_exts : 1;
	int found;

	if (length == 1 && *text >= '1' && *text < '1' + (int)count)
		return *text - '1';
	if (!options->nr_exts && is_word(text, length, "default"))
		return 0;
	found = find_word(options, text, length, false);
	if (found == NONE)
		found = find_word(options, text, length, true);
	return found < 0 ? -1 : found;
}

static int apply(const char *value, struct start_options *options, uint32_t *named)
{
	const char *equals = strrchr(value, '=');
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
	if (!parse_list(equals + 1, (uint8_t)ext, options))
		return EXIT_USAGE;
	*named |= 1U << ext;
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
