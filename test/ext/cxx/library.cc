// SPDX-License-Identifier: GPL-2.0-only
/*
 * C++ with its library, on all PPs at the same time. By CPUID leaf 0x4F0000C0, EAX and EBX are how
 * many checks there were and how many of them failed; ECX says of what:
 *
 *	1	all below, with the registers of SSE and x87 overwritten
 *	2	what the start has found: constructors, exceptions before there is a VS
 *	3	an exception that nobody catches, with work for destructors on its way
 *	4	the same of something that is no std::exception
 *	5	an exception that leaves a function that must not throw
 *	6	a null pointer, after SSE was used
 *
 * --arg throw=yes: the start throws.
 */
#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <typeinfo>
#include <unordered_map>
#include <variant>
#include <vector>

#include <ext/cxx/hook.hpp>
#include <ext/libext/arg.h>
#include <ext/libext/frame.h>
#include <ext/libext/heap.h>

const char ext_name[] = "library";

namespace test {

constexpr uint32_t leaf_of_this = 0x4F0000C0;

struct Count {
	uint32_t done = 0, failed = 0;

	void operator()(bool holds, const char *what)
	{
		done++;
		if (holds)
			return;
		failed++;
		ext_print("%s: PP %u: %s\n", ext_name, unsigned{mk1_tls_ppid()}, what);
	}
};

struct Shape {
	virtual ~Shape() = default;
	virtual int corners() const = 0;
};
struct Square : Shape {
	int corners() const override { return 4; }
};
struct Circle : Shape {
	int corners() const override { return 0; }
};

struct Refused : std::runtime_error {
	using std::runtime_error::runtime_error;
};

/* Made before ext_start, in this order. */
std::string first = "made";
std::vector<std::string> made = {first, "by", "constructors", "before the start of the extension"};

/* One on each PP: its address is another one everywhere. */
thread_local uint64_t mine;

/* Counts its objects. */
struct Tracked {
	static inline std::atomic<int> alive{0};

	Tracked() { alive++; }
	Tracked(const Tracked &) { alive++; }
	~Tracked() { alive--; }
};

[[gnu::noinline]] void thrower(int depth, Count &count)
{
	const Tracked tracked;
	std::vector<std::string> work(static_cast<size_t>(depth) + 1, std::string(40, 'x'));

	count(work.back().size() == 40, "a vector of strings");
	if (depth == 0)
		throw Refused("at depth " + std::to_string(work.size()));
	thrower(depth - 1, count);
}

void exceptions(Count &count)
{
	thread_local int alive;
	bool caught = false;

	alive = 0;
	try {
		const std::unique_ptr<int, void (*)(int *)> guard(&alive, [](int *p) { ++*p; });

		thrower(5, count);
	} catch (const std::logic_error &) {
		count(false, "the handler of another type");
	} catch (const std::runtime_error &e) {
		caught = !std::strcmp(e.what(), "at depth 1") && typeid(e) == typeid(Refused);
	}
	count(caught, "an exception caught by its base");
	count(alive == 1, "a destructor when the stack is unwound");
	try {
		try {
			throw 7;
		} catch (...) {
			throw;
		}
	} catch (int value) {
		count(value == 7, "an int rethrown");
	}
	try {
		std::vector<int> v;
		v.at(1) = 0;
		count(false, "at() of an empty vector");
	} catch (const std::out_of_range &e) {
		count(std::strstr(e.what(), "vector::_M_range_check"), "what at() says");
	}
	try {
		::operator delete(::operator new(size_t{1} << 45));
		count(false, "more memory than there is");
	} catch (const std::bad_alloc &) {
		count(true, "bad_alloc");
	}
}

void rtti(Count &count)
{
	std::vector<std::unique_ptr<Shape>> shapes;

	shapes.push_back(std::make_unique<Square>());
	shapes.push_back(std::make_unique<Circle>());
	count(dynamic_cast<Square *>(shapes[0].get()), "dynamic_cast to what it is");
	count(!dynamic_cast<Square *>(shapes[1].get()), "dynamic_cast to what it is not");
	try {
		(void)dynamic_cast<Square &>(*shapes[1]);
		count(false, "dynamic_cast of a reference");
	} catch (const std::bad_cast &) {
		count(true, "bad_cast");
	}
	count(shapes[0]->corners() == 4, "a virtual function");
}

void containers(Count &count)
{
	std::map<std::string, std::vector<int>> squares;
	std::unordered_map<int, std::string> names;
	std::variant<int, std::string> either = std::string("text");
	std::optional<double> half;
	int sum = 0;
	std::function<void(int)> add = [&sum](int n) { sum += n; };

	for (int i = 0; i < 40; i++) {
		squares["n" + std::to_string(i % 8)].push_back(i * i);
		names[i] = std::string(static_cast<size_t>(i), 'n');
		add(i);
	}
	count(squares.size() == 8 && squares.at("n3").back() == 35 * 35, "a map");
	count(names.size() == 40 && names[39].size() == 39, "an unordered map");
	count(sum == 780, "a function with a capture");
	count(std::get<std::string>(either) == "text", "a variant");
	half = static_cast<double>(sum) / 1560;
	count(*half == 0.5, "floating point");
	std::vector<int> order;
	for (const auto &[name, numbers] : squares)
		order.insert(order.begin(), numbers.begin(), numbers.end());
	std::sort(order.begin(), order.end());
	count(order.size() == 40 && order.front() == 0 && order.back() == 39 * 39, "sort");
}

/* Blocks of all sizes, each with content of its own, given back in another order. */
void heap(Count &count)
{
	struct Block {
		uint8_t *at;
		size_t size;
		uint8_t fill;
	};
	std::vector<Block> blocks;
	bool whole = true;
	uint64_t random = mk1_tls_ppid() + 1;

	for (unsigned int i = 0; i < 100; i++) {
		random = random * 6364136223846793005 + 1442695040888963407;
		const size_t size = (random >> 40) % (i % 20 ? 600 : 9000) + 1;
		const size_t align = size_t{16} << (random >> 32) % 5;
		Block b = {static_cast<uint8_t *>(ext_alloc_aligned(align, size)), size,
			   static_cast<uint8_t>(random >> 50)};

		if (!b.at) {
			count(false, "a block of the heap");
			break;
		}
		whole = whole && reinterpret_cast<uint64_t>(b.at) % align == 0 &&
			ext_alloc_size(b.at) >= size;
		std::memset(b.at, b.fill, size);
		blocks.push_back(b);
		if (i % 3 == 2) {
			std::swap(blocks[(random >> 20) % blocks.size()], blocks.back());
			b = blocks.back();
			blocks.pop_back();
			whole = whole && std::all_of(b.at, b.at + b.size,
						     [&](uint8_t c) { return c == b.fill; });
			ext_free(b.at);
		}
	}
	for (const Block &b : blocks) {
		whole = whole &&
			std::all_of(b.at, b.at + b.size, [&](uint8_t c) { return c == b.fill; });
		ext_free(b.at);
	}
	count(whole, "blocks of the heap keep what is theirs");
}

/* One for all PPs, made by the first one that comes here. */
const std::string &shared_name()
{
	static const std::string name = [] { return std::string("made once ") + first; }();

	return name;
}

/* Without what the library and the compiler happen to use: all registers there are. */
void overwrite_fpu()
{
	static const uint32_t rounding_up = 0x5F80;
	static const uint64_t pattern = 0x5A5A5A5A5A5A5A5A;

	__asm__ volatile(
		"ldmxcsr %0\n"
		".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
		"movq %1, %%xmm\\n\n"
		".endr\n"
		"fldpi\nfldpi\nfldpi\n"
		"fstp %%st(0)\nfstp %%st(0)\nfstp %%st(0)\n"
		:
		: "m"(rounding_up), "m"(pattern)
		: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
		  "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

Count all()
{
	Count count;

	mine++;
	exceptions(count);
	rtti(count);
	containers(count);
	heap(count);
	count(shared_name() == "made once made", "a static object in a function");
	overwrite_fpu();
	return count;
}

Count at_start;

[[gnu::noinline]] void last_words()
{
	const Tracked tracked;

	throw Refused("nobody has asked");
}

[[gnu::noinline]] void promises() noexcept
{
	last_words();
}

[[gnu::noinline]] void on_its_way()
{
	const std::string work(50, 'y');

	last_words();
	__asm__ volatile("" : : "r"(work.data()) : "memory");
}

struct Hooks {
	bool cpuid(struct ext_exit *e, uint32_t leaf, uint32_t subleaf, cpuid_regs *regs)
	{
		if (leaf != leaf_of_this)
			return false;
		const Count count = answer(e, subleaf);

		regs->eax = count.done;
		regs->ebx = count.failed;
		return true;
	}

private:
	static Count answer(struct ext_exit *e, uint32_t subleaf)
	{
		switch (subleaf) {
		case 1:
			return all();
		case 2:
			return at_start;
		case 3:
			on_its_way();
			break;
		case 4:
			throw std::make_pair(1, e->vsid);
		case 5:
			promises();
			break;
		case 6:
			overwrite_fpu();
			*reinterpret_cast<volatile int *>(subleaf - 6) = 0;
			break;
		default:
			break;
		}
		return {};
	}
};

Hooks hooks;

} // namespace test

int ext_start(uint64_t specs)
{
	static const ext_ops ops = {
		.cpuid = bareflank::ext::hook<&test::Hooks::cpuid, test::hooks>};
	bool must_throw;

	test::at_start = test::all();
	test::at_start(test::made.size() == 4 && test::made[0] == test::first &&
			       test::made[3].size() == 33,
		       "global objects");
	test::at_start(test::Tracked::alive == 0, "all that was made on the way is gone");
	if (!ext_args_load() || !ext_arg_bool("throw", false, &must_throw))
		return 1;
	if (must_throw)
		test::on_its_way();
	return ext_run_linux(specs, &ops);
}
