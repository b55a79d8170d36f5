# SPDX-License-Identifier: GPL-2.0-only
# A callback that does not come to its end is ended by another CPU: Linux goes on, all CPUs become
# bare, bfm says what happened, and the next start works. Nobody waits for a CPU that an extension
# keeps. Places and cases: test/ext/misbehave.c.
. ./tap.sh
. ./bad.sh

# The CPU that is kept flushes no TLB. So whoever has run there lately may have to wait for it: none
# of us, but those who pull the trigger.
taskset -pc 0-$((last - 1)) $$ >/dev/null

overdue=$(text EXT_OVERDUE)
stuck=$("$bin/rawctl" sentence CPU_STUCK)
khz=$(awk '/^cpu MHz/ { printf "%d", $4 * 1000; exit }' /proc/cpuinfo)

# contained_start PLACE CASE: the start is undone.
contained_start()
{
	fails_start "$1" "$2" "$overdue" && good_again
}

# contained PLACE CASE: it starts, and ends on the last CPU when triggered.
contained()
{
	fails_later "$1" "$2" "$overdue" && good_again
}

# Another CPU spins on a lock of the extension's whose owner has failed.
lock_left_behind()
{
	image locked - && start /tmp/bad || return 1
	pull >/dev/null
	wait_for failed && shows failed "$(text EXT_FAULT 6)" && good_again && return
	bfm stop
	return 1
}

# Two seconds, which is too long for one that does not ask for them.
long_callback()
{
	image later "long $((2 * khz))" && start /tmp/bad || return 1
	pull >/dev/null
	wait_for failed && shows failed "$overdue" &&
		image later "more $((2 * khz))" && start /tmp/bad && pull >/dev/null &&
		all_guests && stop && good_again
}

# Pulls the trigger, and waits until the extension has the CPU.
callback_begins()
{
	n=0
	pull >/dev/null &
	puller=$!
	until bfm dump 2>/dev/null | tail -n 1 | grep -q 'misbehave: this takes long'; do
		usleep 50000
		n=$((n + 1))
		[ $n -lt 200 ] || return 1
	done
}

# A stop waits until the watchdog has ended the callback, and is done then, if it is the first.
stop_of_a_callback()
{
	image later "long $((60 * khz))" && start --watchdog 3s /tmp/bad &&
		callback_begins || return 1
	bfm stop
	wait $puller
	says EXT_OVERDUE && no_guests && good_again
}

# Without the watchdog it says which CPU does not answer, and nothing changes until that does.
stop_of_a_cpu_that_is_kept()
{
	image later "hold $((12 * khz))" && start --watchdog off /tmp/bad && callback_begins &&
		gives 1 "$stuck (CPU $last)" bfm stop && state_is running && all_guests &&
		! rmmod bareflank 2>/dev/null && bfm dump >/dev/null
	result=$?
	"$bin/cpuid" $((trigger + 1)) 0 0 >/dev/null
	wait $puller
	[ $result = 0 ] && stop && no_guests && good_again && return
	bfm stop
	return 1
}

# The trigger is pulled all the time. On a busy host a second may be too short even for that.
reported_by_the_start()
{
	image later exit || return 1
	rm -f /tmp/pulled
	until [ -e /tmp/pulled ]; do pull >/dev/null; done &
	puller=$!
	n=0
	until gives 1 "start: CPU $last: $(text EXT_EXIT)" bfm start /tmp/bad; do
		wait_for failed && n=$((n + 1)) && [ $n -lt 5 ] || break
	done
	: >/tmp/pulled
	wait $puller
	shows failed "$(text EXT_EXIT)" && [ $n -lt 5 ]
}

# No CPU is left that could notice; NMIs from outside do.
everywhere_at_once()
{
	echo "vm: NMIs, please" >/dev/console
	image all - && start --watchdog 1s /tmp/bad || return 1
	for cpu in $(seq 0 "$last"); do
		"$bin/cpuid" $trigger 0 "$cpu" >/dev/null &
	done
	wait_for failed && shows failed "$overdue" && good_again
}

# How many in this run.
count_long_ones()
{
	bfm dump | awk '/^microkernel: / { n = 0 }
			/^misbehave: this takes long/ { n++ }
			END { print n }'
}

all_checks_held()
{
	set -- $("$bin/cpuid" 0x4000f00d 0 "$last")
	[ $((0x$2)) = 0 ]
}

# NMIs arrive in an exit of the first instruction of Linux's NMI handler: it does not get another
# one before it is prepared for that.
first_of_the_nmi_handler()
{
	image later "exit_in_the_nmi_handler $((12 * khz / 10))" &&
		start --watchdog 2s /tmp/bad || return 1
	pull >/dev/null && [ "$(count_long_ones)" = 2 ] && all_checks_held && all_guests && stop &&
		good_again && return
	bfm status
	bfm dump | tail -n 20
	bfm stop
	return 1
}

# In an exit of Linux's NMI handler.
in_the_nmi_handler()
{
	image later loop && start /tmp/bad || return 1
	echo $((trigger)) >$probe/cpuid &
	wait_for failed && wait $! && shows failed "$overdue" && good_again
}

shown()
{
	start --watchdog 1500ms &&
		bfm status | grep -q '^watchdog *1500 ms per callback, 15000 ms before' && stop &&
		start --watchdog off &&
		bfm status | grep -q '^watchdog *off, 5000 ms before' && stop &&
		start && bfm status | grep -q '^watchdog *500 ms per callback, 5000 ms before' &&
		stop
}

plan 23
snapshot /tmp/state.before
t "the time is shown" shown
t "wrong times are refused" gives 2 "not a time: 1ms" bfm start --watchdog 1ms
options="--watchdog 100ms" # times ten, before the first exit
for place in start bootstrap last first; do
	t "a loop in $place" contained_start $place loop
done
t "a loop of syscalls in bootstrap" contained_start last loop_syscalls
t "a loop in the fail callback of bootstrap" contained_start fail-last loop
options=
t "a loop in an exit" contained later loop
t "a loop of syscalls in an exit" contained later loop_syscalls
t "a loop in the fail callback" contained fail-later loop
t "a loop of faults that are not mended" contained fail-later loop_again
t "a loop in place of the stop" fails_stop loop "$overdue"
t "a lock whose owner has failed" lock_left_behind
t "a long callback that has asked for time, and one that has not" long_callback
t "a stop during a callback" stop_of_a_callback
t "a stop without a watchdog" stop_of_a_cpu_that_is_kept
t "a failure within the first second" reported_by_the_start
t "a loop in an exit of the NMI handler" in_the_nmi_handler
t "an exit in the first instructions of the NMI handler" first_of_the_nmi_handler
case $VM_MACHINE in
qemu-*) t "a loop on all CPUs at once" everywhere_at_once ;;
*) skip "a loop on all CPUs at once" "no NMIs from outside here" ;;
esac
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
