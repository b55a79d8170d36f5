/* SPDX-License-Identifier: MIT */
/*
 * Decoder for instructions: ext/libext/insn.h, with values for what it finds.
 *
 *	if (const auto insn = Insn::at(e->vsid); !insn)
 *		log(Level::warning, "no instruction: ", insn.why());
 *	else if (const auto access = insn.value.access())
 *		log(Level::info, access.value.write ? "writes " : "reads ", access.value.size);
 */
#ifndef EXT_CXX_INSN_HPP
#define EXT_CXX_INSN_HPP

#include <ext/cxx/types.hpp>
#include <ext/libext/insn.h>

namespace bareflank::ext {

/* What was decoded, which is valid if this is true. */
template <typename T>
struct [[nodiscard]] Decoded {
	enum insn_status status;
	T value;

	explicit operator bool() const { return status == INSN_OK; }
	const char *why() const { return ext_insn_why(status); }
};

/* What an instruction has, which is valid if this is true: not each one has it. */
template <typename T>
struct [[nodiscard]] Has {
	bool has;
	T value;

	explicit operator bool() const { return has; }
};

/* The default operand and address size: CS.L and CS.D of the code segment. */
enum class InsnMode : unsigned int {
	bits_16 = INSN_16,
	bits_32 = INSN_32,
	bits_64 = INSN_64,
};

/* What an instruction does, with the members of struct insn. */
struct Operation : insn {
	enum insn_op operation() const { return static_cast<enum insn_op>(op); }

	/* Whether it uses what was in its destination before, and whether it changes it. */
	bool reads_destination() const { return insn_reads_dst(operation()); }
	bool writes_destination() const { return insn_writes_dst(operation()); }

	/* Whether the operand is in memory. */
	bool destination_in_memory() const { return insn_in_memory(&dst); }
	bool source_in_memory() const { return insn_in_memory(&src); }
};

/* An instruction as it is encoded, with the members of struct ext_insn by ->. */
class Insn {
public:
	/* The one that size bytes begin with. */
	static Decoded<Insn> decode(const uint8_t *bytes, size_t size, InsnMode mode)
	{
		Decoded<Insn> result{};

		result.status = ext_insn_decode(bytes, size, static_cast<enum insn_mode>(mode),
						&result.value.insn_);
		return result;
	}

	/* The one at Linux's RIP, in a hook, on the PP that exited. */
	static Decoded<Insn> at(uint64_t vsid)
	{
		Decoded<Insn> result{};

		result.status = ext_insn_at(vsid, &result.value.insn_);
		return result;
	}

	const ext_insn *operator->() const { return &insn_; }

	/*
	 * The offset in its segment of the address that is in it, with these general registers, and
	 * with the instruction's own rip.
	 */
	Has<uint64_t> offset(const uint64_t (&gpr)[16], uint64_t rip) const
	{
		Has<uint64_t> result{};

		result.has = ext_insn_offset(&insn_, gpr, rip, &result.value);
		return result;
	}

	/* The linear address that is in the instruction at RIP, which is this one. */
	Has<mk1::Gla> address(uint64_t vsid) const
	{
		uint64_t la = 0;
		const bool has = ext_insn_address(vsid, &insn_, &la);

		return {has, mk1::Gla{la}};
	}

	/* What it does with its memory operand. */
	Has<insn_access> access() const
	{
		Has<insn_access> result{};

		result.has = ext_insn_access(&insn_, &result.value);
		return result;
	}

	/* What it does as a whole. */
	Decoded<Operation> operation() const
	{
		Decoded<Operation> result{};

		result.status = insn_operation(&insn_, &result.value);
		return result;
	}

private:
	ext_insn insn_{};
};

} // namespace bareflank::ext

#endif
