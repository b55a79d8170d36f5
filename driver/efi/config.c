// SPDX-License-Identifier: GPL-2.0-only
/* The parser of bareflank.conf: see config.h. */
#include "config.h"

#include <abi/args.h>
#include <abi/channel.h>
#include <abi/loader.h>
#include <bsl/bits.h>
#include <bsl/string.h>

#define MAX_SERIAL_PORT 0xFFF8 /* eight registers */

struct parser {
	struct efi_config *config;
	struct efi_config_error *error;
	uint32_t seen; /* the keys that there were, by their index */
};

/* --- values ----------------------------------------------------------------------------------- */

static bool is_same(const char *a, const char *b)
{
	size_t length = bsl_strlen(a);

	return length == bsl_strlen(b) && !bsl_memcmp(a, b, length);
}

static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	return c >= 'A' && c <= 'F' ? (unsigned int)(c - 'A') + 10 : ~0U;
}

/* Decimal, or hexadecimal with 0x; *end is what comes behind it. */
static bool take_digits(const char *text, uint64_t *number, const char **end)
{
	unsigned int base = 10;
	const char *begin;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	begin = text;
	for (*number = 0; digit_of(*text) < base; text++) {
		unsigned int digit = digit_of(*text);

		if (*number > (UINT64_MAX - digit) / base)
			return false;
		*number = *number * base + digit;
	}
	*end = text;
	return text != begin;
}

static bool take_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
	const char *end;

	return take_digits(text, number, &end) && !*end && *number >= least && *number <= most;
}

/* A number, and K, M or G. */
static bool take_size(const char *text, uint64_t *bytes)
{
	unsigned int shift = 0;
	const char *end;

	if (!take_digits(text, bytes, &end))
		return false;
	if (*end) {
		shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
		if (!shift || end[1] || *bytes > UINT64_MAX >> shift)
			return false;
	}
	*bytes <<= shift;
	return *bytes != 0;
}

/* Whole pages. */
static bool take_pages(const char *text, uint64_t *bytes)
{
	return take_size(text, bytes) && bsl_align_up(*bytes, BF_PAGE_SIZE, bytes);
}

/* --- keys: each function takes its value, or returns what is wrong with it -------------------- */

/* The extension that the line is about: the last one before it. */
static bool last_ext(const struct parser *p, uint32_t *ext)
{
	if (!p->config->start.nr_exts)
		return false;
	*ext = p->config->start.nr_exts - 1;
	return true;
}

static const char *take_extension(struct parser *p, const char *value)
{
	struct efi_config *config = p->config;

	if (config->start.nr_exts == BF_MAX_EXTS)
		return "there are too many extensions";
	config->exts[config->start.nr_exts++] = value;
	return NULL;
}

static const char *take_arg(struct parser *p, const char *value)
{
	struct bf_source *source;
	size_t bytes = bsl_strlen(value) + 1;
	uint32_t ext;
	char *args;

	if (!last_ext(p, &ext))
		return "no extension comes before this";
	if (!bf_arg_key(value))
		return "not an argument like leaf=0x40000000";
	args = p->config->args[ext];
	source = &p->config->start.args[ext];
	if (bf_arg_find(args, source->size, value, bf_arg_key(value)))
		return "this argument is there already";
	if (bytes > MK2_ARGS_MAX - source->size)
		return "the arguments of this extension take too many bytes";
	bsl_memcpy(args + source->size, value, bytes);
	source->data = args;
	source->size += bytes;
	return NULL;
}

static const struct {
	const char *name;
	uint64_t rights;
} rights[] = {
#define RIGHT(bit, name, what) { #name, BF_RIGHT_##name },
	BF_RIGHTS(RIGHT){ "all", BF_ALL_RIGHTS },
	{ "none", 0 },
};

/* One word of a list; false: it is no right. */
static bool find_right(const char *word, size_t length, uint64_t *allowed)
{
	unsigned int i;

	for (i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		if (bsl_strlen(rights[i].name) == length &&
		    !bsl_memcmp(rights[i].name, word, length)) {
			*allowed |= rights[i].rights;
			return true;
		}
	}
	return false;
}

static const char *take_allow(struct parser *p, const char *value)
{
	uint64_t allowed = 0;
	uint32_t ext;

	if (!last_ext(p, &ext))
		return "no extension comes before this";
	for (;;) {
		size_t length = 0;

		while (value[length] && value[length] != ',')
			length++;
		if (!find_right(value, length, &allowed))
			return "not a list of rights, like guests,hypercalls";
		if (!value[length])
			break;
		value += length + 1;
	}
	p->config->start.denied[ext] = BF_ALL_RIGHTS & ~allowed;
	return NULL;
}

static const char *take_microkernel(struct parser *p, const char *value)
{
	p->config->microkernel = value;
	return NULL;
}

static const char *take_pool(struct parser *p, const char *value)
{
	return take_pages(value, &p->config->start.pool_size) ? NULL : "not a size";
}

static const char *take_huge(struct parser *p, const char *value)
{
	return take_pages(value, &p->config->start.huge_size) ? NULL : "not a size";
}

static const char *take_channel(struct parser *p, const char *value)
{
	uint64_t *size = &p->config->start.channel_size;

	return take_size(value, size) && *size >= BF_CHANNEL_MIN && *size <= BF_CHANNEL_MAX ?
		       NULL :
		       "not a size of channels from 16K to 4M";
}

static const char *take_serial(struct parser *p, const char *value)
{
	uint64_t port;

	if (!take_number(value, 1, MAX_SERIAL_PORT, &port))
		return "not a serial port, like 0x2f8";
	p->config->start.serial_port = (uint16_t)port;
	return NULL;
}

/* Milliseconds, or with the suffix s seconds. */
static const char *take_watchdog(struct parser *p, const char *value)
{
	uint64_t *ns = &p->config->start.watchdog_ns, unit = 1000000;
	const char *end;

	if (is_same(value, "off")) {
		*ns = BF_WATCHDOG_OFF;
		return NULL;
	}
	if (!take_digits(value, ns, &end))
		return "not a time from 100ms to 1000s, or off";
	if (is_same(end, "s"))
		unit *= 1000;
	else if (*end && !is_same(end, "ms"))
		return "not a time from 100ms to 1000s, or off";
	if (*ns < BF_WATCHDOG_MIN_NS / unit || *ns > BF_WATCHDOG_MAX_NS / unit || !*ns)
		return "not a time from 100ms to 1000s, or off";
	*ns *= unit;
	return NULL;
}

static const char *take_repeats(struct parser *p, const char *value)
{
	uint64_t *repeats = &p->config->start.repeats;

	if (is_same(value, "off"))
		*repeats = BF_REPEATS_OFF;
	else if (!take_number(value, BF_REPEATS_MIN, BF_REPEATS_MAX, repeats))
		return "not a number of exits from 100 to 1000000000, or off";
	return NULL;
}

static const char *take_next(struct parser *p, const char *value)
{
	p->config->next = value;
	return NULL;
}

static const char *take_options(struct parser *p, const char *value)
{
	p->config->options = value;
	return NULL;
}

static const char *take_guard(struct parser *p, const char *value)
{
	p->config->no_guard = is_same(value, "off");
	return p->config->no_guard || is_same(value, "on") ? NULL : "neither on nor off";
}

static const struct {
	const char *name;
	const char *(*take)(struct parser *p, const char *value);
	bool often;
} keys[] = {
	{ "extension", take_extension, true }, { "arg", take_arg, true },
	{ "allow", take_allow, true },         { "microkernel", take_microkernel, false },
	{ "pool", take_pool, false },          { "huge", take_huge, false },
	{ "channel", take_channel, false },    { "serial", take_serial, false },
	{ "watchdog", take_watchdog, false },  { "repeats", take_repeats, false },
	{ "next", take_next, false },          { "options", take_options, false },
	{ "guard", take_guard, false },
};

/* --- lines ------------------------------------------------------------------------------------ */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The text without blanks at both ends: it ends at end, where a NUL has room. */
static char *trim(char *text, char *end)
{
	while (text < end && is_blank(*text))
		text++;
	while (end > text && is_blank(end[-1]))
		end--;
	*end = '\0';
	return text;
}

static bool refuse(struct parser *p, const char *sentence, const char *word)
{
	p->error->sentence = sentence;
	p->error->word = word;
	return false;
}

static bool take_pair(struct parser *p, const char *key, const char *value)
{
	const char *sentence;
	unsigned int i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (is_same(key, keys[i].name))
			break;
	if (i == sizeof(keys) / sizeof(keys[0]))
		return refuse(p, "there is no such option", key);
	if (!*value)
		return refuse(p, "this option has no value", key);
	if (p->seen & 1U << i && !keys[i].often)
		return refuse(p, "this option is there already", key);
	p->seen |= 1U << i;
	sentence = keys[i].take(p, value);
	return !sentence || refuse(p, sentence, value);
}

/* The line ends at end, which is a line feed or the end of the text. */
static bool take_line(struct parser *p, char *line, char *end)
{
	char *at, *equals = NULL;

	if (end > line && end[-1] == '\r')
		end--;
	for (at = line; at < end; at++)
		if (!*at || (*at < ' ' && !is_blank(*at)) || *at > '~')
			return refuse(p, "only ASCII can be here", "");
	line = trim(line, end);
	if (!*line || *line == '#')
		return true;
	for (at = line; *at && !equals; at++)
		if (*at == '=')
			equals = at;
	if (!equals)
		return refuse(p, "this line is not of the form OPTION = VALUE", line);
	at = trim(equals + 1, equals + 1 + bsl_strlen(equals + 1));
	return take_pair(p, trim(line, equals), at);
}

bool efi_config_parse(struct efi_config *config, char *text, uint64_t size,
		      struct efi_config_error *error)
{
	struct parser p = { .config = config, .error = error };
	char *end = text + size;

	bsl_memset(config, 0, sizeof(*config));
	*error = (struct efi_config_error){ 0, NULL, "" };
	config->microkernel = "microkernel";
	config->options = "";
	while (text < end) {
		char *line = text;

		error->line++;
		while (text < end && *text != '\n')
			text++;
		if (!take_line(&p, line, text))
			return false;
		text++;
	}
	error->line = 0;
	if (*config->options && !config->next)
		return refuse(&p, "options are there for next, which is not", "");
	if (!config->start.nr_exts)
		(void)take_extension(&p, "default");
	return true;
}
