# SPDX-License-Identifier: GPL-2.0-only
# A callback that does not come to its end is ended by another CPU: Linux goes on, all CPUs become
# bare, bfm says what happened, and the next start works. Places and cases: test/ext/misbehave.c.
. ./tap.sh
. ./bad.sh

overdue=$(text EXT_OVERDUE)
options="--watchdog 500ms"

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
	image locked - && start $options /tmp/bad || return 1
	pull >/dev/null
	wait_for failed && shows failed "$(text EXT_FAULT 6)" && good_again && return
	bfm stop
	return 1
}

# About a second, which is long, but not too long.
long_callback()
{
	image later long && start --watchdog 100s /tmp/bad && pull >/dev/null && all_guests &&
		stop && good_again
}

shown()
{
	start --watchdog 1500ms &&
		bfm status | grep -q '^watchdog *1500 ms per callback$' && stop &&
		start --watchdog off && bfm status | grep -q '^watchdog *off$' && stop &&
		start && bfm status | grep -q '^watchdog *5000 ms per callback$' && stop
}

plan 17
snapshot /tmp/state.before
t "the time is shown" shown
t "wrong times are refused" gives 2 "not a time: 1ms" bfm start --watchdog 1ms
for place in start bootstrap last first; do
	t "a loop in $place" contained_start $place loop
done
t "a loop of syscalls in bootstrap" contained_start last loop_syscalls
t "a loop in the fail callback of bootstrap" contained_start fail-last loop
t "a loop in an exit" contained later loop
t "a loop of syscalls in an exit" contained later loop_syscalls
t "a loop in the fail callback" contained fail-later loop
t "a loop of faults that are not mended" contained fail-later loop_again
t "a loop in place of the stop" fails_stop loop "$overdue"
t "a lock whose owner has failed" lock_left_behind
if is_slow; then
	skip "a long callback that may be long" "emulated time is slow"
else
	t "a long callback that may be long" long_callback
fi
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
