/* SPDX-License-Identifier: MIT */
/*
 * An object that is made when it is needed, and not destroyed unless that is asked for: without the
 * C++ library, a global object can have neither a constructor that runs nor a destructor.
 *
 *	static Late<Vm> vm;
 *
 *	if (!vm && !vm.emplace(0x10000u))
 *		...
 */
#ifndef EXT_CXX_LATE_HPP
#define EXT_CXX_LATE_HPP

#include <abi/types.h>

namespace bareflank::ext::detail {

struct Place {
	void *at;
};

} // namespace bareflank::ext::detail

/* Without the header of the C++ library that has one. */
inline void *operator new(size_t, bareflank::ext::detail::Place place) noexcept { return place.at; }

namespace bareflank::ext {

template <typename T>
class Late {
public:
	constexpr Late() = default;
	Late(const Late &) = delete;
	Late &operator=(const Late &) = delete;

	/* Whether there is an object. */
	explicit operator bool() const { return object_ != nullptr; }

	/* Makes it, in place of the one that there is. */
	template <typename... A>
	T &emplace(const A &...arguments)
	{
		reset();
		object_ = new (detail::Place{bytes_}) T(arguments...);
		return *object_;
	}

	/* Destroys it, if there is one. */
	void reset()
	{
		if (object_)
			object_->~T();
		object_ = nullptr;
	}

	/* There has to be one. */
	T *operator->() { return object_; }
	const T *operator->() const { return object_; }
	T &operator*() { return *object_; }
	const T &operator*() const { return *object_; }

private:
	T *object_ = nullptr;
	alignas(T) unsigned char bytes_[sizeof(T)] = {};
};

} // namespace bareflank::ext

#endif
