# SPDX-License-Identifier: GPL-2.0-only
# What of Linux's is watched (ext/libext/watch.h), by the examples page-guard, in C and in Rust,
# and io-trace: a program that uses a page in every way finds what it finds without, and each access
# is a line.
. ./tap.sh

# begin [PROGRAM [ARGUMENT]]: it waits, and says where its page is. No subshell, as t would be.
begin()
{
	rm -f /tmp/go /tmp/guarded /tmp/ended
	mkfifo /tmp/go
	{ "$bin/${1:-guarded}" ${2:+"$2"} </tmp/go >/tmp/guarded 2>&1; echo $? >/tmp/ended; } &
	exec 3>/tmp/go
	await -s /tmp/guarded
	gpa=$(head -n 1 /tmp/guarded)
}

# await -s|-f FILE: within a minute
await()
{
	n=0
	until test "$1" "$2" || [ $n -ge 1200 ]; do
		n=$((n + 1))
		sleep 0.05
	done
	test "$1" "$2"
}

# work: it does what it does, and keeps its page.
work()
{
	echo go >&3
	n=0
	until grep -q '^done$' /tmp/guarded || [ -s /tmp/ended ] || [ $n -ge 1200 ]; do
		n=$((n + 1))
		sleep 0.05
	done
	cat /tmp/guarded
	grep -q '^done$' /tmp/guarded
}

end()
{
	exec 3>&-
	await -s /tmp/ended && [ "$(cat /tmp/ended)" = 0 ]
}

same()
{
	sed 1d /tmp/guarded | diff /tmp/expected -
}

# lines NAME COUNT PATTERN: at least so many lines have it.
lines()
{
	said_by "$1: PP " >/tmp/said
	tail -n 5 /tmp/said
	[ "$(grep -c "$3" /tmp/said)" -ge "$2" ]
}

# guard NAME ACCESS COUNT PATTERN [COUNT PATTERN]...
guard()
{
	guard=$1
	access=$2
	shift 2
	begin
	t "$guard $access: start" start "$guard" --arg start="$gpa" --arg access="$access"
	t "$guard $access: every CPU is a guest" all_guests
	t "$guard $access: the program does its work" work
	t "$guard $access: it found the same" same
	while [ $# -ge 2 ]; do
		t "$guard $access: at least $1 lines with $2" lines "$guard" "$1" "$2"
		shift 2
	done
	exec 3>&-
	t "$guard $access: the program ends" end
	t "$guard $access: every CPU is a guest still" all_guests
	t "$guard $access: stop" stop
}

# of_device WORD: how many of that the device of test/ext/device.c says, on all CPUs
of_device()
{
	said_by "device: PP " | awk -v word="$1" '{ for (i = 2; i <= NF; i++)
		if ($i ~ "^" word) n += $(i - 1) } END { print n + 0 }'
}

# counted WORD COUNT: it says at least so many.
counted()
{
	n=$(of_device "$1")
	echo "$n $1"
	[ "$n" -ge "$2" ]
}

# How many of the interrupts that it injects Linux has counted, on all CPUs.
pins()
{
	awk '$1 == "PIN:" { for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i } END { print n + 0 }' \
		/proc/interrupts
}

# Each has arrived.
interrupted()
{
	had=$(of_device interrupts)
	echo "$had injected, $(($(pins) - pins)) taken"
	[ "$had" -ge 400 ] && [ $(($(pins) - pins)) = "$had" ]
}

# device EXT: a page behind which there is a device of the extension's. Bochs has no CR2 for #PF:
# docs/testing.md.
device()
{
	faults=
	[ "$VM_MACHINE" != bochs-svm ] || faults=nofaults
	pins=$(pins)
	begin device "$faults"
	t "$1: a device: start" start "$exts/$1" --arg gpa="$gpa"
	t "$1: a device: every CPU is a guest" all_guests
	t "$1: a device: the program finds what it is to find" work
	t "$1: a device: stop" stop
	echo stopped >&3
	exec 3>&-
	t "$1: a device: nothing is in the memory behind it" end
	t "$1: a device: instructions were emulated" counted emulated 1000
	t "$1: a device: its interrupts have arrived" interrupted
	if [ -n "$faults" ]; then
		skip "$1: a device: its own page fault was injected" "no CR2 here"
	else
		t "$1: a device: its own page fault was injected" counted injected 1
	fi
	t "$1: a device: what is not emulated is said" lines device 1 \
		"refused, the last: the emulator"
}

# u64 ADDRESS: what Linux has there
u64()
{
	"$bin/kcore" "$1" 8 | sed 's/../& /g' | awk '{ print "0x" $8 $7 $6 $5 $4 $3 $2 $1 }'
}

# The physical address of the IDT, a part of the kernel's image
idt()
{
	printf '0x%x' $((0x$(symbol idt_table) - 0xffffffff80000000 + $(u64 "$(symbol phys_base)")))
}

ticks()
{
	awk '$1 == "LOC:" { print $2 }' /proc/interrupts
}

# A program computes on CPU 0, through so many interrupts.
interrupted_often()
{
	n=0 first=$(ticks)
	until [ $(($(ticks) - first)) -ge "$1" ]; do
		n=$((n + 1))
		on_cpu 0 awk 'BEGIN { while (n++ < 20000) sum += n; exit sum != 200010000 }' &&
			[ $n -lt 500 ] || return 1
	done
}

same_signals()
{
	timeout 60 "$bin/exceptions" | diff /tmp/signals -
}

# An event whose delivery a nested fault interrupts is delivered again. Bochs' SVM does not say
# which that is, but which there was before.
guarded_delivery()
{
	name="page-guard r, of the IDT"
	if [ "$VM_MACHINE" = bochs-svm ]; then
		for what in "start" "programs compute" "a line each time" "signals" \
			"every CPU is a guest still" "stop"; do
			skip "$name: $what" "EXITINTINFO is stale here"
		done
		return
	fi
	"$bin/exceptions" >/tmp/signals
	t "$name: start" start page-guard --arg start="$(idt)" --arg access=r
	t "$name: programs compute" interrupted_often 50
	t "$name: a line each time" lines page-guard 50 "read by RIP.*CPL 3"
	t "$name: signals" same_signals
	t "$name: every CPU is a guest still" all_guests
	t "$name: stop" stop
}

# Linux asks the real-time clock, by ports.
asks_rtc()
{
	cat /sys/class/rtc/rtc0/date
}

# On emulated CPUs of Intel's without the monitor trap flag nothing can be watched, which is said.
if bfm start io-trace 2>/tmp/refusal; then
	stop >/dev/null
elif grep -q 'io-trace: nothing can be watched: this CPU has no monitor' /tmp/refusal; then
	plan 2
	t "nothing can be watched here" no_guests
	t "no complaint of the kernel" dmesg_clean
	exit 0
fi

plan 78
snapshot /tmp/state.bare
begin
t "bare: the program does its work" work
exec 3>&-
t "bare: the program ends" end
sed 1d /tmp/guarded >/tmp/expected
guard page-guard w 100 "written by RIP.*CPL 3" 1 "written by RIP.*CPL 0"
guard page-guard x 2 "executed by RIP.*CPL 3"
guard page-guard r 100 "written by RIP.*CPL 3" 100 "read by RIP.*CPL 3"
guard page-guard rwx 100 "written by RIP.*CPL 3" 1 "executed by RIP.*CPL 3"
# Its lines are longer: the debug ring has fewer of them, and the first ones have gone.
guard rust-page-guard rwx 30 "written by RIP 0x[0-9a-f]*, \[[0-9a-f][0-9a-f], .*CPL 3" \
	1 "executed by RIP.*CPL 3"
guarded_delivery
device device
device rust-wrappers
bare=$(asks_rtc)
t "io-trace: start" start io-trace
t "io-trace: the port says the same" gives 0 "$bare" asks_rtc
t "io-trace: what was written is a line" lines io-trace 1 "out 0x70, 1 bytes, 0x7, by RIP"
t "io-trace: and what was read" lines io-trace 1 "in 0x71, 1 bytes, by RIP"
t "io-trace: stop" stop
t "without a range page-guard does not start" \
	gives 1 "it had said: page-guard: which pages is not said" bfm start page-guard
t "the same state on every CPU" same_state /tmp/state.bare
t "no complaint of the kernel" dmesg_clean
