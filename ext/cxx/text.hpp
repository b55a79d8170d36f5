/* SPDX-License-Identifier: MIT */
/*
 * A line of text out of its parts, each by its type: what log.hpp and channel.hpp take.
 *
 *	Text("CR3 ", hex(cr3), ", ", count, " times")
 *
 * Parts are characters, texts with a NUL, what has data() and size(), bool, whole numbers, and hex
 * of one. What has no room is cut off.
 */
#ifndef EXT_CXX_TEXT_HPP
#define EXT_CXX_TEXT_HPP

#include <bsl/format.h>
#include <bsl/string.h>
#include <ext/libext/libext.h>

namespace bareflank::ext {

/* A number in hexadecimal, after 0x, with so many digits at least. */
struct Hex {
	uint64_t value;
	int digits;
};

constexpr Hex hex(uint64_t value, int digits = 1)
{
	return {value, digits};
}

class Text {
public:
	template <typename... T>
	constexpr explicit Text(const T &...parts) { (add(parts), ...); }

	const char *c_str() const { return bytes_; }
	const char *data() const { return bytes_; }
	size_t size() const { return size_; }

	void add(char c) { add(&c, 1); }
	void add(bool value) { add(value ? "true" : "false"); }
	void add(int value) { add(static_cast<long long>(value)); }
	void add(long value) { add(static_cast<long long>(value)); }
	void add(long long value) { format("%lld", value); }
	void add(unsigned int value) { add(static_cast<unsigned long long>(value)); }
	void add(unsigned long value) { add(static_cast<unsigned long long>(value)); }
	void add(unsigned long long value) { format("%llu", value); }
	void add(Hex number)
	{
		format("0x%0*llx", number.digits, static_cast<unsigned long long>(number.value));
	}
	void add(const char *text) { add(text, bsl_strlen(text)); }
	template <typename S>
	auto add(const S &text) -> decltype(text.data(), text.size(), void())
	{
		add(text.data(), text.size());
	}
	void add(const char *text, size_t size)
	{
		if (size > sizeof(bytes_) - 1 - size_)
			size = sizeof(bytes_) - 1 - size_;
		bsl_memcpy(bytes_ + size_, text, size);
		size_ += size;
		bytes_[size_] = '\0';
	}

private:
	template <typename... T>
	void format(const char *how, T... what)
	{
		size_ += bsl_format(bytes_ + size_, sizeof(bytes_) - size_, how, what...);
	}

	char bytes_[EXT_PRINT_SIZE] = {};
	size_t size_ = 0;
};

} // namespace bareflank::ext

#endif
