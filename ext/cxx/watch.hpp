/* SPDX-License-Identifier: MIT */
/*
 * What of Linux's exits beside what always does, memory, ports, control and debug registers, and
 * exceptions: ext/libext/watch.h. Memory is watched as long as its object exists; a global one is a
 * Late<Watch> (late.hpp).
 *
 *	static Late<Watch> guarded;
 *
 *	int ext_start(uint64_t specs)
 *	{
 *		if (ext_run_linux(specs, &ops))
 *			return 1;
 *		guarded.emplace(mk2::Gpa{start}, size, Access::write | Access::execute);
 *		return *guarded ? 0 : 1;
 *	}
 */
#ifndef EXT_CXX_WATCH_HPP
#define EXT_CXX_WATCH_HPP

#include <abi/hw/x86.h>
#include <ext/cxx/mk2.hpp>
#include <ext/libext/watch.h>

namespace bareflank::ext {

enum class Access : unsigned int {
	none = 0,
	read = EXT_READ,
	write = EXT_WRITE,
	execute = EXT_EXECUTE,
};

constexpr Access operator|(Access a, Access b)
{
	return static_cast<Access>(static_cast<unsigned int>(a) | static_cast<unsigned int>(b));
}

/* Whether what the CPU did is, or has, an access of this kind. */
constexpr bool has(unsigned int access, Access kind)
{
	return (access & static_cast<unsigned int>(kind)) != 0;
}

class [[nodiscard]] Watch {
public:
	constexpr Watch() = default;

	/*
	 * These accesses to whole pages lead to the nested_fault hook: ext_watch. If that fails,
	 * after a message, the object is false.
	 */
	Watch(mk2::Gpa gpa, uint64_t size, Access access)
	{
		if (ext_watch(static_cast<uint64_t>(gpa), size,
			      static_cast<unsigned int>(access))) {
			gpa_ = static_cast<uint64_t>(gpa);
			size_ = size;
		}
	}
	~Watch() { reset(); }
	Watch(Watch &&other) noexcept : gpa_(other.gpa_), size_(other.size_) { other.size_ = 0; }
	Watch &operator=(Watch &&other) noexcept
	{
		if (this != &other) {
			reset();
			gpa_ = other.gpa_;
			size_ = other.size_;
			other.size_ = 0;
		}
		return *this;
	}
	Watch(const Watch &) = delete;
	Watch &operator=(const Watch &) = delete;

	/* Whether it watches anything. */
	explicit operator bool() const { return size_ != 0; }

	/* Whether it watches this address. */
	bool contains(uint64_t gpa) const { return gpa >= gpa_ && gpa - gpa_ < size_; }

	/* Watches no more; other PPs may still exit. */
	void reset()
	{
		if (size_)
			(void)ext_unwatch(gpa_, size_); /* it has said why not */
		size_ = 0;
	}

private:
	uint64_t gpa_ = 0;
	uint64_t size_ = 0; /* 0: it watches nothing */
};

/* IN and OUT of these ports lead to the io hook. In ext_start, after ext_run_linux. */
[[nodiscard]] inline bool watch_io(uint16_t first, uint16_t last)
{
	return first <= last && ext_watch_io(first, uint32_t{last} - first + 1);
}

/* Those that can be watched. Sets of them are put together by |. */
enum class Cr : unsigned int {
	cr0 = 1u << 0,
	cr3 = 1u << 3,
	cr4 = 1u << 4,
	cr8 = 1u << 8,
};

enum class Dr : unsigned int {
	dr0 = 1u << 0,
	dr1 = 1u << 1,
	dr2 = 1u << 2,
	dr3 = 1u << 3,
	dr6 = 1u << 6,
	dr7 = 1u << 7,
};

enum class Vector : uint32_t {
	de = EXCEPTION_BIT(VECTOR_DE),
	br = EXCEPTION_BIT(VECTOR_BR),
	ud = EXCEPTION_BIT(VECTOR_UD),
	nm = EXCEPTION_BIT(VECTOR_NM),
	ts = EXCEPTION_BIT(VECTOR_TS),
	np = EXCEPTION_BIT(VECTOR_NP),
	ss = EXCEPTION_BIT(VECTOR_SS),
	gp = EXCEPTION_BIT(VECTOR_GP), /* on Intel only */
	pf = EXCEPTION_BIT(VECTOR_PF),
	mf = EXCEPTION_BIT(VECTOR_MF),
	ac = EXCEPTION_BIT(VECTOR_AC),
	xm = EXCEPTION_BIT(VECTOR_XM),
};

constexpr Cr operator|(Cr a, Cr b)
{
	return static_cast<Cr>(static_cast<unsigned int>(a) | static_cast<unsigned int>(b));
}

constexpr Dr operator|(Dr a, Dr b)
{
	return static_cast<Dr>(static_cast<unsigned int>(a) | static_cast<unsigned int>(b));
}

constexpr Vector operator|(Vector a, Vector b)
{
	return static_cast<Vector>(static_cast<uint32_t>(a) | static_cast<uint32_t>(b));
}

/* Whether what a hook was called for is, or is among, these. */
constexpr bool is(const ext_cr &access, Cr crs)
{
	return (static_cast<unsigned int>(crs) >> access.number & 1) != 0;
}

constexpr bool is(const ext_dr &access, Dr drs)
{
	return (static_cast<unsigned int>(drs) >> access.number & 1) != 0;
}

constexpr bool is(const ext_exception &raised, Vector vectors)
{
	return (static_cast<uint32_t>(vectors) >> raised.vector & 1) != 0;
}

/* Writes to these lead to the cr hook. In ext_start, after ext_run_linux. */
[[nodiscard]] inline bool watch_cr(Cr crs)
{
	return ext_watch_cr(static_cast<unsigned int>(crs));
}

/* The same about debug registers, reads too, and the dr hook. */
[[nodiscard]] inline bool watch_dr(Dr drs)
{
	return ext_watch_dr(static_cast<unsigned int>(drs));
}

/* The same about exceptions, and the exception hook. */
[[nodiscard]] inline bool watch_exceptions(Vector vectors)
{
	return ext_watch_exceptions(static_cast<uint32_t>(vectors));
}

} // namespace bareflank::ext

#endif
