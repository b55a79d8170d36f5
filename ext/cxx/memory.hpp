/* SPDX-License-Identifier: MIT */
/*
 * Linux's memory as values: ext/libext/memory.h. In the hooks of the frame, on the PP whose Linux
 * it is about.
 *
 *	const Memory memory(e->vsid);
 *
 *	if (const auto name = memory.string<16>(mk1::Gla{task + offset}))
 *		log(Level::info, name.value);
 *	else
 *		log(Level::warning, "no name: ", name.why());
 */
#ifndef EXT_CXX_MEMORY_HPP
#define EXT_CXX_MEMORY_HPP

#include <ext/cxx/mk2.hpp>
#include <ext/libext/memory.h>

namespace bareflank::ext {

/* How a copy went; true: all of it was copied. */
struct [[nodiscard]] Copied {
	enum ext_mem_status status;
	size_t done; /* bytes before the first that the status is about */

	explicit operator bool() const { return status == EXT_MEM_OK; }
	const char *why() const { return ext_mem_why(status); }
};

/* What was read, which is valid if this is true. */
template <typename T>
struct [[nodiscard]] Read {
	enum ext_mem_status status;
	T value;

	explicit operator bool() const { return status == EXT_MEM_OK; }
	const char *why() const { return ext_mem_why(status); }
};

/* Up to N bytes. */
template <typename T, size_t N>
class Bytes {
public:
	const T *data() const { return bytes_; }
	size_t size() const { return size_; }
	const T *begin() const { return bytes_; }
	const T *end() const { return bytes_ + size_; }

private:
	friend class Memory;
	T bytes_[N] = {};
	size_t size_ = 0;
};

class Memory {
public:
	explicit Memory(uint64_t vsid) : vsid_(vsid) {}

	/* Where the address space that is the current one on this PP has gva. */
	Read<mk2::Gpa> translate(mk1::Gla gva, unsigned int access = EXT_MEM_ANY) const
	{
		uint64_t gpa = 0;
		const auto status = ext_mem_translate(vsid_, number(gva), access, &gpa);

		return {status, mk2::Gpa{gpa}};
	}

	/* size bytes, over the ends of pages; rights are not looked at. */
	Copied read_bytes(mk1::Gla gva, void *data, size_t size) const
	{
		size_t done = 0;
		const auto status = ext_mem_read(vsid_, number(gva), data, size, &done);

		return {status, done};
	}

	/*
	 * The same in the address space of this CR3, as another process has it, or the kernel while
	 * it still has a program's page tables (page-table isolation).
	 */
	Copied read_bytes_as(uint64_t cr3, mk1::Gla gva, void *data, size_t size) const
	{
		size_t done = 0;
		const auto status =
			ext_mem_read_as(vsid_, cr3, number(gva), data, size, &done);

		return {status, done};
	}

	/* An object as it lies in Linux's memory: a number, or a structure of those. */
	template <typename T>
	Read<T> read(mk1::Gla gva) const
	{
		static_assert(__is_trivially_copyable(T), "what bytes alone make up");
		Read<T> result{};

		result.status = read_bytes(gva, &result.value, sizeof(T)).status;
		return result;
	}

	/*
	 * access is EXT_MEM_ANY for read-only pages, too. Accessed and dirty bits are set as the
	 * kernel's writes set them.
	 */
	Copied write_bytes(mk1::Gla gva, const void *data, size_t size,
			   unsigned int access = 0) const
	{
		size_t done = 0;
		const auto status = ext_mem_write(vsid_, number(gva), data, size, access, &done);

		return {status, done};
	}

	template <typename T>
	Copied write(mk1::Gla gva, const T &value, unsigned int access = 0) const
	{
		static_assert(__is_trivially_copyable(T), "what bytes alone make up");
		return write_bytes(gva, &value, sizeof(T), access);
	}

	/* A string of up to N - 1 characters; a longer one is EXT_MEM_NO_END. data() has a NUL. */
	template <size_t N>
	Read<Bytes<char, N>> string(mk1::Gla gva) const
	{
		Read<Bytes<char, N>> result{};

		result.status = ext_mem_string(vsid_, number(gva), result.value.bytes_, N,
					       &result.value.size_);
		return result;
	}

	/* The bytes at the instruction pointer, fewer before a page that cannot be read. */
	Read<Bytes<uint8_t, EXT_MEM_CODE_MAX>> code() const
	{
		Read<Bytes<uint8_t, EXT_MEM_CODE_MAX>> result{};

		result.status = ext_mem_code(vsid_, result.value.bytes_, &result.value.size_);
		return result;
	}

	/* The same by guest-physical address, of any PP's Linux. */
	static Copied read_phys(mk2::Gpa gpa, void *data, size_t size)
	{
		size_t done = 0;
		const auto status =
			ext_mem_read_phys(static_cast<uint64_t>(gpa), data, size, &done);

		return {status, done};
	}

	static Copied write_phys(mk2::Gpa gpa, const void *data, size_t size)
	{
		size_t done = 0;
		const auto status =
			ext_mem_write_phys(static_cast<uint64_t>(gpa), data, size, &done);

		return {status, done};
	}

private:
	static uint64_t number(mk1::Gla gva) { return static_cast<uint64_t>(gva); }

	uint64_t vsid_;
};

} // namespace bareflank::ext

#endif
