// SPDX-License-Identifier: GPL-2.0-only
/*
 * ext/cxx's classes for watching, memory, log, channel and the decoder, by what they do to Linux.
 * Requests:
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
 *	seen                how often control and debug registers were accessed
 *	decode BYTES        what the instruction does, in 64-bit mode, with n * 0x1000 in register n
 *	address             whether an address is that which Linux's registers make it
 *
 * Hypercalls with RAX = HYPERCALL are answered, and UD2 with a mark behind it does nothing. Where
 * nothing can be watched, it takes watch=no to start. For test/kselftest/cxx.sh.
 */
#include <atomic>
#include <charconv>
#include <string>

#include <ext/cxx/channel.hpp>
#include <ext/cxx/hook.hpp>
#include <ext/cxx/insn.hpp>
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
std::atomic<uint64_t> cr_writes, dr_reads, dr_writes;

constexpr uint64_t hypercall_of_ours = 0x43585858;
constexpr uint8_t mark[] = {0x0F, 0x0B, 0x0F, 0x1F, 0x40, 0x2A}; // UD2, NOP

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
	uint64_t there = 0, as = 0;

	if (const auto copied = memory.read_bytes_as(ext_reg_read(vsid(), EXT_REG_cr3),
						     mk1::Gla{address}, &as, sizeof(as));
	    !copied || as != here.value)
		return reply.refuse(copied.why(), " by CR3");
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

bool on_cr(struct ext_exit *, const struct ext_cr *cr)
{
	if (!is(*cr, Cr::cr4) || is(*cr, Cr::cr0 | Cr::cr3 | Cr::cr8) || cr->old == cr->value)
		fail("not CR4, or not changed: ", cr->number);
	cr_writes++;
	return false;
}

bool on_dr(struct ext_exit *, const struct ext_dr *dr, uint64_t *)
{
	(dr->write ? dr_writes : dr_reads)++;
	return false;
}

bool on_hypercall(struct ext_exit *e, struct ext_hypercall *call)
{
	const bool mine = call->rax == hypercall_of_ours;

	call->rax = 0x5A0000 | ext_cpl(e->vsid);
	call->rcx = call->rdx;
	return mine;
}

bool on_exception(struct ext_exit *e, const struct ext_exception *raised)
{
	const auto code = Memory(e->vsid).code();

	if (!code || code.value.size() < sizeof(mark) ||
	    bsl_memcmp(code.value.data(), mark, sizeof(mark)) || !is(*raised, Vector::ud) ||
	    raised->has_error_code)
		return false;
	const auto insn = Insn::at(e->vsid);
	if (!insn)
		fail("UD2: ", insn.why());
	return ext_reg_write(e->vsid, EXT_REG_rip,
			     ext_reg_read(e->vsid, EXT_REG_rip) + insn.value->length);
}

/* Numbers in hexadecimal without 0x, of one byte each. */
std::string parse_bytes(Request text)
{
	std::string bytes;

	for (size_t i = 0; i + 2 <= text.size(); i += 2) {
		uint8_t byte = 0;
		std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
		bytes.push_back(static_cast<char>(byte));
	}
	return bytes;
}

bool decode(Request text, Reply &reply)
{
	const std::string bytes = parse_bytes(text);
	const auto insn = Insn::decode(reinterpret_cast<const uint8_t *>(bytes.data()),
				       bytes.size(), InsnMode::bits_64);
	uint64_t gpr[16];

	if (!insn)
		return reply.refuse(insn.why());
	for (uint64_t n = 0; n < 16; n++)
		gpr[n] = n * 0x1000;
	reply.print(insn.value->length + 0u, " bytes");
	if (const auto operation = insn.value.operation()) {
		reply.print(operation.value.operation() == INSN_MOV ? ", copies" : ", computes");
		reply.print(operation.value.destination_in_memory() ? " to memory" :
			    operation.value.source_in_memory() ? " from memory" : "");
		reply.print(operation.value.reads_destination() ? " after it was read" : "");
	}
	if (const auto access = insn.value.access())
		reply.print(", ", access.value.read ? "r" : "", access.value.write ? "w" : "",
			    access.value.lock ? "l" : "", access.value.size + 0u);
	if (const auto offset = insn.value.offset(gpr, 0))
		reply.print(", at ", hex(offset.value));
	return true;
}

/* mov 0x10(%rax), %rbx */
bool address()
{
	static constexpr uint8_t code[] = {0x48, 0x8B, 0x58, 0x10};
	const auto insn = Insn::decode(code, sizeof(code), InsnMode::bits_64);
	const auto la = insn.value.address(vsid());

	return insn && la && la.value == mk1::Gla{mk1_rax() + 0x10};
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
	} else if (request == "seen") {
		reply.print(cr_writes.load(), ' ', dr_reads.load(), ' ', dr_writes.load());
	} else if (request == "address") {
		reply.print(address());
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
	if (const auto bytes = request.after("decode "))
		return decode(bytes, reply);
	return simple(request, reply);
}

} // namespace

int ext_start(uint64_t specs)
{
	static ext_ops ops = {
		.cr = hook<on_cr>,
		.dr = hook<on_dr>,
		.hypercall = hook<on_hypercall>,
		.exception = hook<on_exception>,
	};
	bool may_watch;

	if (!ext_args_load() || !ext_arg_bool("watch", true, &may_watch))
		return 1;
	if (may_watch)
		ops.nested_fault = hook<on_fault>;
	if (ext_run_linux(specs, &ops) || !watch_exceptions(Vector::ud))
		return 1;
	if (may_watch && (!watch_cr(Cr::cr4) || !watch_dr(Dr::dr0 | Dr::dr1 | Dr::dr2 | Dr::dr3 |
							  Dr::dr6 | Dr::dr7)))
		return 1;
	return !ext_on_call(hook<answer<on_call>>);
}
