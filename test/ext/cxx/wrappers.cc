// SPDX-License-Identifier: GPL-2.0-only
/*
 * ext/cxx's classes for watching, memory, log and channel, by what they do to Linux. Requests:
 *
 *	read ADDRESS        the string there
 *	same ADDRESS        whether eight bytes there are those at its physical address
 *	name ADDRESS NAME   writes the string to what UTS namespace has at ADDRESS
 *	watch ADDRESS       writes to this physical page are counted from now on
 *	count               how many there were
 *	forget              they are not watched any more
 *	burst               20 lines from one place
 *	levels              a line of each level
 *	long                more than a reply has room for
 *	emit                two records
 *	fail                ends the run
 *
 * Where nothing can be watched, it takes watch=no to start. For test/kselftest/cxx.sh.
 */
#include <atomic>
#include <charconv>
#include <string>

#include <ext/cxx/channel.hpp>
#include <ext/cxx/hook.hpp>
#include <ext/cxx/lock.hpp>
#include <ext/cxx/log.hpp>
#include <ext/cxx/memory.hpp>
#include <ext/cxx/watch.hpp>
#include <ext/libext/arg.h>

const char ext_name[] = "wrappers";

namespace {

using namespace bareflank;
using namespace bareflank::ext;

Spinlock lock;
Watch watched;
uint64_t writes; // with lock

/* Of the request's context: requests come in exits of Linux's. */
uint64_t vsid()
{
	return mk1_tls_vsid();
}

/* A number in hexadecimal, without 0x; behind is what follows it and a blank. */
bool parse(Request text, uint64_t &value, std::string &behind)
{
	const char *const end = text.data() + text.size();
	const auto [at, error] = std::from_chars(text.data(), end, value, 16);

	if (error != std::errc{})
		return false;
	behind.assign(at == end ? end : at + 1, end);
	return true;
}

bool read(uint64_t address, const std::string &, Reply &reply)
{
	const auto text = Memory(vsid()).string<400>(mk1::Gla{address});

	if (!text)
		return reply.refuse(text.why());
	reply.push(text.value.data(), text.value.size());
	return true;
}

bool same(uint64_t address, const std::string &, Reply &reply)
{
	const Memory memory(vsid());
	const auto here = memory.read<uint64_t>(mk1::Gla{address});
	const auto gpa = memory.translate(mk1::Gla{address});
	uint64_t there = 0;

	if (!here || !gpa)
		return reply.refuse(here ? gpa.why() : here.why());
	if (const auto copied = Memory::read_phys(gpa.value, &there, sizeof(there)); !copied)
		return reply.refuse(copied.why(), " after ", copied.done);
	reply.print(here.value == there, " at ", hex(static_cast<uint64_t>(gpa.value), 16));
	return true;
}

bool name(uint64_t address, const std::string &text, Reply &reply)
{
	const auto copied =
		Memory(vsid()).write_bytes(mk1::Gla{address}, text.c_str(), text.size() + 1);

	reply.print(copied ? "written" : copied.why());
	return bool(copied);
}

bool watch(uint64_t address, const std::string &, Reply &reply)
{
	const Locked locked(lock);

	watched = Watch(mk2::Gpa{address}, BF_PAGE_SIZE, Access::write);
	reply.print("watched: ", bool(watched), ", ", watched.contains(address + BF_PAGE_SIZE - 1),
		    ", ", watched.contains(address + BF_PAGE_SIZE));
	return bool(watched);
}

bool on_fault(struct ext_exit *, const struct ext_fault *fault)
{
	const Locked locked(lock);

	if (!watched.contains(fault->gpa))
		return false;
	writes += has(fault->access, Access::write);
	return true;
}

bool simple(Request request, Reply &reply)
{
	if (request == "count") {
		const Locked locked(lock);
		reply.print(writes);
	} else if (request == "forget") {
		const Locked locked(lock);
		watched = Watch();
		reply.print("watched: ", bool(watched));
	} else if (request == "burst") {
		static RateLimit limit;
		for (int i = 0; i < 20; i++)
			limit.log(Level::info, "burst ", i);
	} else if (request == "levels") {
		log(Level::error, "level ", -1, ' ', true);
		log(Level::warning, "level ", std::string("of a string"));
		log(Level::debug, "level that is not said");
	} else if (request == "long") {
		for (int i = 0; i < BF_REQUEST_MAX; i++)
			reply.print("ab");
	} else if (request == "emit") {
		const uint32_t word = 0x6f6f6f6f;
		if (emit(word) != mk1::Status::success ||
		    emit_text("record ", hex(0xAB, 4)) != mk1::Status::success ||
		    emit_text() != mk1::Status::success ||
		    emit_lossless(word) != mk1::Status::success)
			return reply.refuse("not emitted");
	} else if (request == "fail") {
		fail("asked to, by VS ", hex(vsid()));
	} else {
		return reply.refuse("unknown request");
	}
	return true;
}

bool on_call(Request request, Reply &reply)
{
	static constexpr struct {
		const char *word;
		bool (*function)(uint64_t, const std::string &, Reply &);
	} requests[] = {{"read ", read}, {"same ", same}, {"name ", name}, {"watch ", watch}};
	uint64_t address;
	std::string behind;

	for (const auto &[word, function] : requests) {
		if (const auto rest = request.after(word); rest && parse(rest, address, behind))
			return function(address, behind, reply);
	}
	return simple(request, reply);
}

} // namespace

int ext_start(uint64_t specs)
{
	static const ext_ops plain = {}, watching = {.nested_fault = hook<on_fault>};
	bool may_watch;

	if (!ext_args_load() || !ext_arg_bool("watch", true, &may_watch))
		return 1;
	return ext_run_linux(specs, may_watch ? &watching : &plain) ||
	       !ext_on_call(hook<answer<on_call>>);
}
