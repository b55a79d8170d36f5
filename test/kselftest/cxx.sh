# SPDX-License-Identifier: GPL-2.0-only
# C++ with its library, on all CPUs at once: test/ext/cxx/library.cc. It works, Linux has its FPU
# registers, and what nobody catches is in the report, with type and functions. And the classes of
# ext/cxx, by test/ext/cxx/wrappers.cc.
wrappers=wrappers
. ./wrappers.sh

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

# --- wrappers

# Linux's own version, as memory has it.
reads_banner()
{
	answers "$(cat /proc/version)" read "$(symbol linux_banner)"
}

# An object at its linear address, and at the physical one.
finds_the_same()
{
	bfm call wrappers same "$(symbol linux_banner)" | grep '^true at 0x0000[0-9a-f]*[1-9a-f]'
}

# What is written is what Linux has: the host's name, behind that of the system (uname -s).
sets_hostname()
{
	at=$(printf '%x' $((0x$(symbol init_uts_ns) + 65)))
	answers "$(hostname)" read "$at" && answers written name "$at" written-by-c++ &&
		gives 0 written-by-c++ hostname
}

# Where nothing can be watched (test/kselftest/watch.sh), it says so, and is told not to.
start_wrappers()
{
	bfm start "$exts/cxx/wrappers" >/tmp/refusal 2>&1 && return
	cat /tmp/refusal
	grep 'nothing can be watched: this CPU has no monitor trap flag' /tmp/refusal &&
		touch /tmp/unwatchable &&
		start "$exts/cxx/wrappers" --arg watch=no
}

# A page of a program's, which writes to it when it is told to: each write is counted, and none when
# the object is gone.
watches()
{
	rm -f /tmp/go /tmp/guarded
	mkfifo /tmp/go
	"$bin/guarded" </tmp/go >/tmp/guarded 2>&1 &
	exec 4>/tmp/go
	until [ -s /tmp/guarded ]; do sleep 0.05; done
	page=$(head -n 1 /tmp/guarded)
	answers "watched: true, true, false" watch "${page#0x}" && counts
	status=$?
	exec 4>&-
	wait
	return $status
}

counts()
{
	"$bin/cpuid-all" 0 0 1 >/dev/null # a CPU finds out when it exits next
	answers 0 count && echo go >&4 || return 1
	until grep -q '^done$' /tmp/guarded; do sleep 0.05; done
	count=$(bfm call wrappers count)
	echo "$count writes"
	[ "$count" -ge 100 ] && answers "watched: false" forget && echo again >&4 &&
		answers "$count" count
}

levels()
{
	answers "" levels && said 'error: level -1 true$' 1 &&
		said 'warning: level of a string$' 1 && said 'level that' 0
}

cuts_off()
{
	answers "$(yes abab | head -n 1024 | tr -d '\n')" long
}

emits()
{
	answers "" emit && bfm read wrappers >/tmp/read && cat /tmp/read &&
		[ "$(tr '\n' ' ' </tmp/read)" = "oooo record 0x00ab oooo " ]
}

instructions()
{
	decodes 8b448bf8 "4 bytes, copies from memory, r4, at 0x6ff8" &&
		decodes f0480fb10f \
			"5 bytes, computes to memory after it was read, rwl8, at 0x7000" &&
		decodes 0fa2 "2 bytes" &&
		gives 1 "none that the decoder knows" bfm call wrappers decode 06 &&
		gives 1 "more bytes are needed" bfm call wrappers decode 48
}

plan 33
use_registers >/tmp/registers || exit 1
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
t "start of the wrappers" start_wrappers
t "a string of Linux's" reads_banner
t "the same by its physical address" finds_the_same
t "what cannot be read says why" gives 1 "the page tables map nothing there" \
	bfm call wrappers read 10
t "writing to Linux's memory" sets_hostname
if [ -e /tmp/unwatchable ]; then
	skip "an object that watches a page" "nothing can be watched here"
else
	t "an object that watches a page" watches
fi
t "at most ten lines of a burst" eval 'answers "" burst && said "burst " 10'
t "levels" levels
t "a reply is cut off where it has no room" cuts_off
t "records" emits
t "a request that it refuses" gives 1 "unknown request" bfm call wrappers other
t "a hypercall of a program's" gives 0 "0x5a0003 0x99" "$bin/hypercall" 0x43585858 0x99
t "exceptions" exceptions
if [ -e /tmp/unwatchable ]; then
	skip "control and debug registers" "nothing can be watched here"
else
	t "control and debug registers" registers
fi
t "what instructions do" instructions
t "an address by Linux's registers" answers true address
t "it ends when it cannot go on" gives 1 "" bfm call wrappers fail
t "and that is in the report" \
	eval 'wait_for failed && gives 1 "error: asked to, by VS 0x" bfm status'
t "the same state on every CPU" same_state /tmp/state.bare
