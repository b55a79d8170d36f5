// SPDX-License-Identifier: MIT
/*
 * cpuid-table: a CPUID leaf of one's own, whose subleaves are functions in a table. C++ with its
 * library: strings, containers, functions as values, exceptions.
 *
 *	bfm start cpuid-table --arg base=0x4f000000
 *	cpuid -1 -l 0x4f000000 -s 1
 *
 * The four registers are 16 characters. Subleaf 0: how many CPUIDs there were; 1: the leaf that
 * Linux asks for most; one that the table does not have: "no", and its number. Of leaves the first
 * 256 are counted.
 */
#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <ext/cxx/hook.hpp>
#include <ext/cxx/lock.hpp>
#include <ext/libext/arg.h>
#include <ext/libext/frame.h>

const char ext_name[] = "cpuid-table";

namespace {

cpuid_regs text(const std::string &what)
{
	std::array<char, sizeof(cpuid_regs)> bytes{};
	cpuid_regs regs;

	std::copy_n(what.begin(), std::min(what.size(), bytes.size()), bytes.begin());
	std::memcpy(&regs, bytes.data(), sizeof(regs));
	return regs;
}

class Table {
public:
	Table()
	{
		answers_.emplace_back([this] {
			uint64_t all = 0;

			for (const auto &[leaf, count] : seen_)
				all += count;
			return text(std::to_string(all));
		});
		answers_.emplace_back([this] {
			const auto most = std::max_element(
				seen_.begin(), seen_.end(),
				[](auto &a, auto &b) { return a.second < b.second; });

			return text(most == seen_.end() ? "none" : std::to_string(most->first));
		});
	}

	bool load()
	{
		return ext_args_load() && ext_arg_u64("base", 0x4F000000, &base_);
	}

	bool cpuid(struct ext_exit *, uint32_t leaf, uint32_t subleaf, cpuid_regs *regs)
	{
		const bareflank::ext::Locked locked(lock_);

		if (leaf != base_) {
			// Any program can ask for any leaf: memory must not end by that.
			if (seen_.size() < most_leaves || seen_.count(leaf))
				seen_[leaf]++;
			return false;
		}
		try {
			*regs = answers_.at(subleaf)();
		} catch (const std::out_of_range &) {
			*regs = text("no " + std::to_string(subleaf));
		}
		return true;
	}

private:
	static constexpr size_t most_leaves = 256;

	bareflank::ext::Spinlock lock_;
	uint64_t base_ = 0;
	std::map<uint32_t, uint64_t> seen_; // how often Linux has asked for a leaf
	std::vector<std::function<cpuid_regs()>> answers_; // by subleaf
};

Table table;

} // namespace

int ext_start(uint64_t specs)
{
	static const ext_ops ops = {.cpuid = bareflank::ext::hook<&Table::cpuid, table>};

	return table.load() ? ext_run_linux(specs, &ops) : 1;
}
