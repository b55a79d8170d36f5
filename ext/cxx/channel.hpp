/* SPDX-License-Identifier: MIT */
/*
 * What an extension has to do with programs of Linux: it emits records, and answers their requests.
 * ext/libext/channel.h, with parts (text.hpp) in place of a format.
 *
 *	static bool on_call(Request request, Reply &reply)
 *	{
 *		if (request != "count")
 *			return reply.refuse("unknown request");
 *		reply.print(count);
 *		return true;
 *	}
 *
 *	ext_on_call(answer<on_call>)		// in ext_start
 *	ext_on_call(hook<answer<on_call>>)	// with the C++ library: hook.hpp
 */
#ifndef EXT_CXX_CHANNEL_HPP
#define EXT_CXX_CHANNEL_HPP

#include <ext/cxx/mk2.hpp>
#include <ext/cxx/text.hpp>
#include <ext/libext/channel.h>

namespace bareflank::ext {

/* --- records --------------------------------------------------------------------------------- */

namespace detail {

template <typename T>
inline constexpr bool is_plain = __is_trivially_copyable(T);
template <typename T>
inline constexpr bool is_plain<T *> = false;

} // namespace detail

/* Adds a record: an object of up to MK2_EMIT_MAX bytes. Older ones may give way, see ext_emit. */
template <typename T>
mk1::Status emit(const T &record)
{
	static_assert(detail::is_plain<T>, "what bytes alone make up");
	static_assert(sizeof(T) <= MK2_EMIT_MAX, "larger than a record can be");
	return static_cast<mk1::Status>(ext_emit(&record, sizeof(T)));
}

/* The same, but no record gives way that has not been read: MK2_FAILURE_BUSY then. */
template <typename T>
mk1::Status emit_lossless(const T &record)
{
	static_assert(detail::is_plain<T>, "what bytes alone make up");
	static_assert(sizeof(T) <= MK2_EMIT_MAX, "larger than a record can be");
	return static_cast<mk1::Status>(ext_emit_lossless(&record, sizeof(T)));
}

/* A record of text, which bfm read shows in a line; an empty one is none. */
template <typename... T>
mk1::Status emit_text(const T &...parts)
{
	const Text text(parts...);

	return static_cast<mk1::Status>(text.size() ? ext_emit(text.c_str(), text.size()) :
						      MK1_SUCCESS);
}

/* --- requests -------------------------------------------------------------------------------- */

/* Bytes of a program's, behind which a NUL stands. */
class Request {
public:
	Request(const char *data, uint64_t size) : data_(data), size_(size) {}

	const char *data() const { return data_; }
	size_t size() const { return size_; }

	template <size_t N>
	friend bool operator==(Request r, const char (&text)[N])
	{
		return r.size_ == N - 1 && !bsl_memcmp(r.data_, text, N - 1);
	}
	template <size_t N>
	friend bool operator!=(Request r, const char (&text)[N]) { return !(r == text); }

	/* What follows this word, which may be nothing; false: it begins with another one. */
	Request after(const char *word) const
	{
		const size_t length = bsl_strlen(word);

		if (size_ < length || bsl_memcmp(data_, word, length))
			return {nullptr, 0};
		return {data_ + length, size_ - length};
	}
	explicit operator bool() const { return data_ != nullptr; }

private:
	const char *data_;
	size_t size_;
};

/* What goes back, up to BF_REQUEST_MAX bytes; what has no room is cut off. */
class Reply {
public:
	explicit Reply(ext_reply &reply) : reply_(reply) {}

	template <typename... T>
	void print(const T &...parts)
	{
		const Text text(parts...);

		push(text.c_str(), text.size());
	}

	/* Adds bytes as they are. */
	void push(const char *data, size_t size)
	{
		if (size > BF_REQUEST_MAX - reply_.size)
			size = BF_REQUEST_MAX - reply_.size;
		bsl_memcpy(reply_.data + reply_.size, data, size);
		reply_.size += size;
	}

	/* Says why, and returns false, as who refuses a request does. */
	template <typename... T>
	bool refuse(const T &...parts)
	{
		print(parts...);
		return false;
	}

private:
	ext_reply &reply_;
};

/* An ext_call_fn for a function of these types. */
template <bool (*Function)(Request, Reply &)>
bool answer(const char *request, uint64_t size, ext_reply *reply)
{
	Reply r(*reply);

	return Function(Request(request, size), r);
}

} // namespace bareflank::ext

#endif
