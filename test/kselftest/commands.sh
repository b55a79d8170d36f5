# SPDX-License-Identifier: GPL-2.0-only
# Several bfm at once, and bfm killed at any moment: a start and a stop are done as a whole or not
# at all, and one after the other.
. ./tap.sh
# shellcheck disable=SC2046 # several words

rounds=20
is_slow && rounds=6

# The hypervisor runs on all CPUs or on none, and is in no state between.
consistent()
{
	if bfm status | grep -q '^state *running$'; then
		all_guests
	else
		state_is stopped && no_guests
	fi
}

# Executes some rounds of an empty loop, fewer than MAX: spin MAX
spin()
{
	n=$((RANDOM % $1))
	while [ $n -gt 0 ]; do
		n=$((n - 1))
	done
}

# words COMMAND: the command line of a command, as fast as it can be
words()
{
	[ "$1" != start ] && echo "$1" || echo "start --no-wait"
}

# killed COMMAND MAX: bfm COMMAND, killed at some moment. It dies when what it asked for is done.
killed()
{
	bfm $(words "$1") >/dev/null 2>&1 &
	pid=$!
	spin "$2"
	kill -KILL $pid 2>/dev/null
	wait $pid
	consistent
}

# Later after a kill that came before the start, and earlier after one that did not: so both are
# seen, on any machine, and what lies between them.
kills()
{
	round=0 started=0 max=4000
	while [ $round -lt $rounds ] || [ $started = 0 ] || [ $started = $round ]; do
		[ $round -lt 200 ] || { echo "$started of $round were started"; return 1; }
		round=$((round + 1))
		killed start $max || { echo "in round $round"; return 1; }
		if bfm status | grep -q '^state *running$'; then
			started=$((started + 1))
			killed stop $max || { echo "in round $round"; return 1; }
			max=$((max / 2 + 1))
		else
			max=$((max * 2))
		fi
		bfm stop >/dev/null 2>&1
		state_is stopped || return 1
	done
}

# at_once COMMAND ERROR STATE: one of four succeeds, and the others are told why they do not.
at_once()
{
	pids='' successes=0
	rm -f /tmp/said.*
	for n in 1 2 3 4; do
		bfm $(words "$1") >/tmp/said.$n 2>&1 &
		pids="$pids $!"
	done
	for pid in $pids; do
		! wait "$pid" || successes=$((successes + 1))
	done
	cat /tmp/said.*
	refused=$(grep -lF "$("$bin/rawctl" sentence "$2")" /tmp/said.* | wc -l)
	[ $successes = 1 ] && [ "$refused" = 3 ] && state_is "$3" && consistent
}

# again_and_again COMMAND...: each is done, or refused as it should be.
again_and_again()
{
	round=0
	while [ $round -lt $rounds ]; do
		round=$((round + 1))
		for command; do
			bfm $(words "$command") >/dev/null
			case $command-$? in
			*-[01] | status-5) ;;
			*) return 1 ;;
			esac
		done
	done
}

all_at_once()
{
	pids=
	for commands in "start stop" "stop start" "status dump" "check status"; do
		# shellcheck disable=SC2086 # several words
		again_and_again $commands 2>/dev/null &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || return 1
	done
	consistent
}

snapshot /tmp/state.before
plan 9
t "bfm killed at any moment" kills
t "four starts at once" at_once start RUNNING running
t "four stops at once" at_once stop NOT_RUNNING stopped
t "all commands at once" all_at_once
bfm stop >/dev/null 2>&1
t "start" start
t "every CPU is a guest" all_guests
t "stop" stop
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
