# SPDX-License-Identifier: GPL-2.0-only
# An extension that runs a guest again and again, which exits at the same instruction each time,
# loses its CPU, with Linux's interrupts on or off, and with one CPU: Linux goes on, bfm says what
# happened, and the next start works. Places and cases: test/ext/misbehave.c.
. ./tap.sh
. ./bad.sh

stalled=$(text EXT_STALLED)
options="--watchdog 500ms"
from=

# With from=off, the kernel pulls the trigger, with interrupts off.
pull()
{
	case $1 in
	off) taskset -c "$last" sh -c "echo $trigger >/sys/kernel/debug/caller/call" ;;
	*) "$bin/cpuid" $trigger 0 "$last" ${1:+"$1"} ;;
	esac
}

# The line of the ring that names the exit and the instruction.
names()
{
	bfm dump | tail -n 20 >/tmp/dump
	grep -q "^pp [0-9]*: vs [0-9]* does not get on: exit $1 (0x[0-9a-f]*) at .*$2" /tmp/dump &&
		return
	cat /tmp/dump
	return 1
}

# contained_start CASE
contained_start()
{
	fails_start first "$1" "$stalled" && names CPUID "code 0f a2"
}

# contained CASE EXIT [CODE]
contained()
{
	fails_later later "$1" "$stalled" && names "$2" "$3"
}

shown()
{
	start --repeats 100 &&
		bfm status | grep -q '^repeats *100 exits without progress$' && stop &&
		start --repeats off && bfm status | grep -q '^repeats *off$' && stop &&
		start && bfm status | grep -q '^repeats *10000 exits without progress$' && stop
}

# The same CPUID again and again, with the same registers, but behind each other.
not_too_early()
{
	start $options --repeats 100 && "$bin/cpuid-all" 0 0 20000 >/dev/null &&
		all_guests && stop
}

nested=NPF
! grep -qw vmx /proc/cpuinfo || nested=EPT_VIOLATION

plan 13
insmod /lib/modules/caller.ko
snapshot /tmp/state.before
t "the number is shown" shown
t "wrong numbers are refused" gives 2 "not a number of exits: 99" bfm start --repeats 99
t "what makes progress goes on" not_too_early
t "no advance in the first exit" contained_start stall
t "no advance in the first exit, but results" contained_start stall_with_results
t "no advance later" contained stall CPUID "code 0f a2"
from=off
t "no advance with interrupts off" contained stall CPUID "code 0f a2"
t "no advance with interrupts off, but results" contained stall_with_results CPUID "code 0f a2"
t "nested faults" contained stall_in_nested_faults $nested
options="--watchdog off --repeats 20000"
t "without a time" contained stall CPUID "code 0f a2"
t "the next start" good_again
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
