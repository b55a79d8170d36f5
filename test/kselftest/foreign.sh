# SPDX-License-Identifier: GPL-2.0-only
# Extensions that were made without anything of this project: test/ext/foreign.
. ./tap.sh
. ./verdict.sh

# bit LEAF REGISTER(1-4) BIT
bit()
{
	echo $((0x$("$bin/cpuid" "$1" 0 0 | cut -d' ' -f"$2") >> $3 & 1))
}

# Neither VMX nor SVM; everything else that CPUID tells is the CPU's own.
cpuid_filtered()
{
	for leaf in 0 2 4 7 0x80000000 0x80000008; do
		"$bin/cpuid" $leaf 0 0
	done >/tmp/leaves.guest
	diff /tmp/leaves.bare /tmp/leaves.guest &&
		[ "$(bit 1 3 5) $(bit 0x80000001 3 2) $(bit 1 3 27)" = "0 0 $osxsave" ]
}

osxsave=$(bit 1 3 27)
for leaf in 0 2 4 7 0x80000000 0x80000008; do
	"$bin/cpuid" $leaf 0 0
done >/tmp/leaves.bare

# The leaf that asks for the stop is the kernel's: they do not look who executes it.
process_cannot_stop()
{
	[ "$("$bin/cpuid" 0x400000ff 0xbf000000 0)" = "$stop_leaf" ] && all_guests
}

stop_leaf=$("$bin/cpuid" 0x400000ff 0xbf000000 0)
plan 32
snapshot /tmp/state.bare
for extension in gnu llvm least; do
	t "$extension: start" start "/kselftest/ext/foreign-$extension"
	t "$extension: every CPU is a guest" all_guests
	t "$extension: it finds what Mk#1 promises" good
	t "$extension: CPUID" cpuid_filtered
	t "$extension: a process cannot stop it" process_cannot_stop
	t "$extension: stop" stop
	t "$extension: the state of every CPU is what it was" same_state /tmp/state.bare
	t "$extension: start again" start "/kselftest/ext/foreign-$extension"
	t "$extension: it finds the same again" good
	t "$extension: stop again" stop
done
t "no CPU is a guest" no_guests
t "no complaint of the kernel" dmesg_clean
