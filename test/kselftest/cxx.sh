# SPDX-License-Identifier: GPL-2.0-only
# C++ with its library, on all CPUs at once: test/ext/cxx/library.cc. It works, Linux has its FPU
# registers, and what nobody catches is in the report, with type and functions.
. ./tap.sh

leaf=0x4f0000c0
image=$exts/cxx/library
last=$(($(cpus) - 1))
rounds=6

# Counted by ext_start: checks and those that failed.
at_start()
{
	set -- $("$bin/cpuid" $leaf 2)
	echo "$1 checks, $2 failed"
	[ $((0x$1)) -gt 20 ] && [ $((0x$2)) = 0 ] && return 0
	bfm dump | tail -n 20
	return 1
}

# hold: two threads on every CPU call it, and those and others have the registers that they had.
hold()
{
	"$bin/fpu" hold $leaf 1 $rounds >/tmp/fpu
	status=$?
	set -- $(cat /tmp/fpu)
	echo "$1 rounds, $2 with changed registers; $3 checks, $4 failed"
	[ $status = 0 ] && [ "$1" = $((3 * rounds * $(cpus))) ] && [ "$2" = 0 ] &&
		[ "$3" -ge $((2 * rounds * $(cpus) * 20)) ] && [ "$4" = 0 ]
}

# has TEXT: bfm status shows that
has()
{
	grep -qF -- "$1" /tmp/status || { echo "expected: $1"; cat /tmp/status; return 1; }
}

# ends SUBLEAF TEXT...: a process on the last CPU meets it; the status has all of the texts.
ends()
{
	start "$image" || return 1
	"$bin/cpuid" $leaf "$1" $last >/dev/null
	wait_for failed || return 1
	bfm status >/tmp/status
	cat /tmp/status
	shift
	for text; do
		has "$text" || return 1
	done
}

# holds_when SUBLEAF: Linux's registers are what they were when the extension ends.
holds_when()
{
	start "$image" || return 1
	"$bin/fpu" hold $leaf "$1" 2 >/tmp/fpu
	set -- $(cat /tmp/fpu)
	echo "$1 rounds, $2 with changed registers"
	wait_for failed && [ "$1" = $((3 * 2 * $(cpus))) ] && [ "$2" = 0 ]
}

# One of the examples: what it counts, what it does not have.
table()
{
	"$bin/cpuid" 0x4f000000 0 0 && "$bin/cpuid" 0x4f000000 1 0 || return 1
	gives 0 "39206f6e 00000000 00000000 00000000" "$bin/cpuid" 0x4f000000 9 0 # "no 9"
}

plan 15
snapshot /tmp/state.bare
t "start" start "$image"
t "constructors, and exceptions before there is a guest" at_start
t "the library on all CPUs, and Linux's FPU registers" hold
t "stop" stop
t "an exception that nobody catches" ends 3 "CPU $last, extension 1, $image, in vmexit" \
	"it had said: library: uncaught test::Refused: nobody has asked" last_words \
	on_its_way library.cc: ext_cxx_enter
t "one that is none of the library's" ends 4 \
	"it had said: library: uncaught std::pair<int, unsigned long>"
t "one out of a function that promises none" ends 5 \
	"it had said: library: uncaught test::Refused: nobody has asked"
t "a fault" ends 6 "the extension faulted" "address 0x0" answer ext_cxx_enter
t "Linux's FPU registers after an exception" holds_when 3
t "Linux's FPU registers after a fault" holds_when 6
t "the start fails by an exception" gives 1 \
	"it had said: library: uncaught test::Refused: nobody has asked" \
	bfm start "$image" --arg throw=yes
t "start of cpuid-table with another leaf" start cpuid-table --arg base=0x4f000000
t "its answers" table
t "stop" stop
t "the same state on every CPU" same_state /tmp/state.bare
