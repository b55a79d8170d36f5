/* SPDX-License-Identifier: MIT */
/*
 * What an extension says, by levels, and how it ends when it cannot go on: ext/libext/log.h, with
 * parts (text.hpp) in place of a format.
 *
 *	log(Level::warning, "the IDT has moved to ", hex(base));
 *
 *	static RateLimit limit; // of what a guest can cause at any rate
 *	limit.log(Level::info, "PCI register ", hex(value));
 */
#ifndef EXT_CXX_LOG_HPP
#define EXT_CXX_LOG_HPP

#include <ext/cxx/text.hpp>
#include <ext/libext/log.h>

namespace bareflank::ext {

enum class Level : unsigned int {
	error = EXT_ERROR,
	warning = EXT_WARNING,
	info = EXT_INFO,
	debug = EXT_DEBUG,
};

/* Whether this level is said, for those who would have to work for what they say. */
inline bool says(Level level)
{
	return ext_log_says(static_cast<enum ext_level>(level));
}

/* Levels up to this one are said. ext_log_choose_by does that by an argument. */
inline void choose(Level level)
{
	(void)ext_log_choose(static_cast<enum ext_level>(level)); /* there is no other one */
}

/* A line of at most EXT_PRINT_SIZE - 1 bytes, with what libext begins it with. */
template <typename... T>
void log(Level level, const T &...parts)
{
	if (says(level))
		ext_log(static_cast<enum ext_level>(level), "%s", Text(parts...).c_str());
}

/* How many lines have passed of late: one for each place, static. */
class RateLimit {
public:
	constexpr RateLimit() = default;
	RateLimit(const RateLimit &) = delete;
	RateLimit &operator=(const RateLimit &) = delete;

	/* Whether one more may pass now: EXT_LOG_BURST in EXT_LOG_INTERVAL. */
	bool passes() { return ext_ratelimit_passes(&limit_); }

	template <typename... T>
	void log(Level level, const T &...parts)
	{
		if (says(level) && passes())
			ext::log(level, parts...);
	}

private:
	ext_ratelimit limit_{};
};

/*
 * Says why, as an error, and ends the extension's run: the start fails, or Linux gets its CPUs
 * back. bfm start and bfm status show the line. No destructor runs.
 */
template <typename... T>
[[noreturn]] void fail(const T &...parts)
{
	ext_fail("%s", Text(parts...).c_str());
}

} // namespace bareflank::ext

#endif
