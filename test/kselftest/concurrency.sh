# SPDX-License-Identifier: GPL-2.0-only
# All that can happen to the hypervisor from outside, at once and under load: every command of bfm,
# bfm killed, stopped and interrupted, CPUs that go and come, suspend, and the module unloaded and
# loaded. Each ends in one of the ways that it may, and nothing is left of any of it. FUZZ_SEED on
# the kernel's command line chooses when; SOAK_CYCLES makes it longer.
. ./tap.sh

rounds=$((8 * (1 + ${SOAK_CYCLES:-0} / 100)))
is_slow && rounds=$((4 * (1 + ${SOAK_CYCLES:-0} / 10)))
seed=${FUZZ_SEED:-1}
others=$(ls -d /sys/devices/system/cpu/cpu[1-9]*/online 2>/dev/null)

for error in RUNNING NOT_RUNNING HOTPLUG; do
	"$bin/rawctl" sentence $error
done >/tmp/sentences

# ended STATUS COMMAND: whether bfm's command may end so. What it said is in /tmp/said.AGENT. The
# module may just be away, and who is told no is told one of the reasons that there can be.
ended()
{
	echo "$2-$1" >>/tmp/ends
	case $1-$2 in
	0-* | 3-* | 5-status | 129-* | 130-* | 137-* | 143-*) return ;;
	1-*) grep -qFf /tmp/sentences /tmp/said.$agent && return ;;
	esac
	{ echo "bfm $2 -> $1"; cat /tmp/said.$agent; } >>/tmp/odd
}

# A number below $1
below()
{
	echo $((RANDOM % $1))
}

# One of the arguments
one_of()
{
	shift "$(below $#)"
	echo "$1"
}

do_command()
{
	command=$(one_of "start --no-wait" "start --no-wait" stop stop status check dump)
	bfm $command >/tmp/said.$agent 2>&1
	ended $? "${command% *}"
}

# SIGHUP, SIGINT, SIGKILL, SIGTERM or SIGSTOP
do_interrupt()
{
	command=$(one_of start stop status)
	"$bin/interrupt" "$(one_of 1 2 9 15 19)" $((RANDOM * 5)) bfm "$command" \
		>/tmp/said.$agent 2>&1
	ended $? "$command"
}

do_follow()
{
	"$bin/interrupt" "$(one_of 2 9 15)" $((RANDOM * 10)) bfm dump --follow \
		>/tmp/said.$agent 2>&1
	ended $? dump
}

do_hotplug()
{
	[ -n "$others" ] || return
	file=$(one_of $others)
	echo 0 >"$file"
	usleep $((RANDOM * 2))
	echo 1 >"$file"
}

do_suspend()
{
	can_suspend && suspend
}

# While somebody has it open, it stays. Most of the time it is there.
do_module()
{
	usleep $((RANDOM * 20))
	tries=0
	until rmmod bareflank; do
		tries=$((tries + 1))
		[ $tries -lt 50 ] || return
		usleep $((RANDOM * 2))
	done
	usleep $((RANDOM * 5))
	insmod /lib/modules/bareflank.ko && echo module-0 >>/tmp/ends
}

# agent NUMBER DO: does it again and again
agent()
{
	agent=$1
	RANDOM=$((seed % 10000 + $1))
	round=0
	while [ $round -lt $rounds ]; do
		round=$((round + 1))
		$2 2>/dev/null
	done
	echo "agent $1, $2: $round" >>/tmp/done
}

all_at_once()
{
	number=0 pids=
	for what in do_command do_command do_interrupt do_interrupt do_follow do_hotplug \
		do_suspend do_module; do
		number=$((number + 1))
		agent $number $what &
		pids="$pids $!"
	done
	wait $pids
	cat /tmp/done
	[ ! -e /tmp/odd ] || { cat /tmp/odd; return 1; }
	[ "$(wc -l </tmp/done)" = $number ]
}

# What may end in more than one way has done so.
many_ends()
{
	sort /tmp/ends | uniq -c
	for end in start-0 start-1 stop-0 stop-1 module-0; do
		grep -qx -- $end /tmp/ends || { echo "no $end"; return 1; }
	done
}

come_back()
{
	for file in $others; do
		[ "$(cat "$file")" = 1 ] || echo 1 >"$file" || return 1
	done
}

# The last one may have been a stop, or not.
stopped()
{
	bfm stop >/dev/null 2>&1
	! bfm status | grep -q '^state *running$' && no_guests
}

plan 13
snapshot /tmp/state.before
t "warm up" cycles 3
set -- $(memory)
free=$1 slab=$2 vmalloc=$3
if is_slow; then
	load_begins --cpu 1
else
	load_begins
fi
t "everything at once, $rounds times, with seed $seed" all_at_once
load_ends
if [ -n "${SOAK_CYCLES:-}" ]; then
	t "each has worked, and each was refused" many_ends
else
	skip "each has worked, and each was refused" "not within $rounds rounds"
fi
t "the load never computed wrongly" load_verdict
load
t "every CPU comes online" come_back
t "it stops" stopped
t "start and stop" cycles 2
set -- $(memory)
t "free memory is as it was" less_than $((free - $1)) $((4096 + rounds * 16))
t "slab memory is as it was" less_than $(($2 - slab)) $((1536 + rounds * 8))
t "vmalloc memory is as it was" less_than $(($3 - vmalloc)) $((512 + rounds * 4))
t "the same state on every CPU" same_state /tmp/state.before
t "/dev/bareflank is there" [ -c /dev/bareflank ]
t "no complaint of the kernel" dmesg_clean
