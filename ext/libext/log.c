// SPDX-License-Identifier: MIT
#include <bsl/format.h>
#include <bsl/spinlock.h>
#include <bsl/string.h>
#include <ext/libext/arg.h>
#include <ext/libext/log.h>

#define NR_LEVELS (EXT_DEBUG + 1)

/* EXT_INFO is what most lines are, and has no word. */
static const char *const names[NR_LEVELS] = { "error", "warning", "info", "debug" };
static enum ext_level chosen = EXT_INFO;

bool ext_log_choose(enum ext_level level)
{
	if ((unsigned int)level >= NR_LEVELS)
		return false;
	__atomic_store_n(&chosen, level, __ATOMIC_RELAXED);
	return true;
}

static bool is_same(const char *a, const char *b)
{
	size_t length = bsl_strlen(a);

	return length == bsl_strlen(b) && !bsl_memcmp(a, b, length);
}

bool ext_log_choose_by(const char *argument)
{
	const char *word = ext_arg(argument);

	if (!word)
		return true;
	for (unsigned int i = 0; i < NR_LEVELS; i++) {
		if (is_same(word, names[i]))
			return ext_log_choose((enum ext_level)i);
	}
	ext_print("argument %s: none of error, warning, info, debug: %.100s\n", argument, word);
	return false;
}

bool ext_log_says(enum ext_level level)
{
	return level <= __atomic_load_n(&chosen, __ATOMIC_RELAXED);
}

/* One call of the microkernel a line, so that those of several PPs do not mix. */
static void say(enum ext_level level, const char *fmt, __builtin_va_list args)
{
	char text[EXT_PRINT_SIZE];
	bool named = level != EXT_INFO && (unsigned int)level < NR_LEVELS;
	size_t room = sizeof(text) - 1, length;

	length = bsl_format(text, room, "%s: PP %u: %s%s", ext_name, (unsigned int)mk1_tls_ppid(),
			    named ? names[level] : "", named ? ": " : "");
	length += bsl_vformat(text + length, room - length, fmt, args);
	text[length] = '\n';
	(void)mk1_debug_write_str((uint64_t)text, length + 1);
}

void ext_log(enum ext_level level, const char *fmt, ...)
{
	__builtin_va_list args;

	if (!ext_log_says(level))
		return;
	__builtin_va_start(args, fmt);
	say(level, fmt, args);
	__builtin_va_end(args);
}

bool ext_ratelimit_passes(struct ext_ratelimit *limit)
{
	uint64_t now = __builtin_ia32_rdtsc(), missed = 0;
	bool passes;

	bsl_spin_lock(&limit->lock);
	if (now - limit->begin >= EXT_LOG_INTERVAL) {
		limit->begin = now;
		limit->passed = 0;
		missed = limit->missed;
		limit->missed = 0;
	}
	passes = limit->passed < EXT_LOG_BURST;
	if (passes)
		limit->passed++;
	else
		limit->missed++;
	bsl_spin_unlock(&limit->lock);
	if (missed)
		ext_log(EXT_WARNING, "%llu lines like the next one were left out",
			(unsigned long long)missed);
	return passes;
}

void ext_fail(const char *fmt, ...)
{
	__builtin_va_list args;

	__builtin_va_start(args, fmt);
	say(EXT_ERROR, fmt, args);
	__builtin_va_end(args);
	ext_exit();
}
