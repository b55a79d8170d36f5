# SPDX-License-Identifier: GPL-2.0-only
# What is watched changes while Linux runs (ext_watch_live of ext/libext/watch.h): whatever another
# CPU is doing, it is seen from the moment on at which the function returns, each time;
# test/ext/live.c.
. ./tap.sh

last=$(($(cpus) - 1))
times=200
is_slow && times=20

# spins KIND CPU: the program does that there. Not in a subshell, as t would be.
spins()
{
	rm -f /tmp/spin /tmp/ended
	{ taskset -c "$2" "$bin/spin" "$1" >/tmp/spin 2>&1; echo $? >/tmp/ended; } &
	until_true test -s /tmp/spin
	read -r gpa pid </tmp/spin
}

ends()
{
	kill -TERM "$pid" && until_true test -s /tmp/ended && [ "$(cat /tmp/ended)" = 0 ]
}

# until_true COMMAND...: within a minute
until_true()
{
	n=0
	until "$@" || [ $n -ge 1200 ]; do
		n=$((n + 1))
		sleep 0.05
	done
	"$@"
}

result()
{
	bfm call live result
}

# seen HITS: at once, always, and so often at least
seen()
{
	n=0
	until [ "$(result | sed 's/.* \([0-9]*\) times/\1/')" -ge "$1" ] || [ $n -ge 1200 ]; do
		n=$((n + 1))
		sleep 0.05
	done
	result
	result | grep -q '^done at once, always, '
}

# watch KIND [GVA]: from the first CPU
watch()
{
	on_cpu 0 bfm call live "$1 $(printf %x $last) $gpa $2"
}

unwatch()
{
	bfm call live "unwatch $gpa"
}

# of_memory NAME COMMAND...: Bochs, with several CPUs, reports a fault in a step wrongly
# (docs/testing.md), and an access of a program's may be one.
of_memory()
{
	if [ "$VM_MACHINE" = bochs-vmx ] && [ $last != 0 ]; then
		skip "$1" "a step may fault"
	else
		t "$@"
	fi
}

# kind KIND [GVA]
kind()
{
	how=t
	[ "$1" != store ] || how=of_memory
	spins "$1" $last
	$how "$1: the first CPU has it watched" watch "$1" "$2"
	$how "$1: the last CPU is seen at once, and always" seen 100
	$how "$1: and not any more" unwatch
	t "$1: the program ends" ends
}

# Each CPU has a page watched, and ends that, over and over, while others do.
all_at_once()
{
	cpu=0 pids=
	while [ $cpu -le $last ]; do
		taskset -c $cpu "$bin/spin" watch $times &
		pids="$pids $!"
		cpu=$((cpu + 1))
	done
	for pid in $pids; do
		wait "$pid" || return 1
	done
}

# The same while each CPU gets NMIs. One that comes with a recall's becomes one with it, which is
# EIO (docs/launch-and-stop.md, NMIs): so these only disturb.
with_nmis()
{
	all_at_once &
	watchers=$! lost=0
	while kill -0 $watchers 2>/dev/null; do
		echo 50 >$probe/nmi || lost=$((lost + 1))
	done 2>/dev/null
	echo "$lost times not all"
	wait $watchers
}

# The last CPU is not there as it is watched, and comes.
comes_later()
{
	echo 0 >/sys/devices/system/cpu/cpu$last/online && watch ud &&
		echo 1 >/sys/devices/system/cpu/cpu$last/online
}

# What it executes is seen; what is counted is in another program.
all_of_it()
{
	"$bin/spin" ud >/tmp/ud &
	seen 100
	status=$?
	kill $!
	return $status
}

# Who may not recall a PP says so.
is_denied()
{
	! watch port && bfm dump | grep 'live: .*: PP 0 sees it later: the right "linux" is missing'
}

wakes()
{
	kill -USR1 "$pid" && seen 1 && result | grep -q ' 1 times'
}

# On emulated CPUs of Intel's without the monitor trap flag nothing can be watched, which is said.
if bfm start "$exts/live" 2>/tmp/refusal; then
	stop >/dev/null
elif grep -q 'live: nothing can be watched: this CPU has no monitor trap flag' /tmp/refusal; then
	plan 2
	t "nothing can be watched here" no_guests
	t "no complaint of the kernel" dmesg_clean
	exit 0
fi

snapshot /tmp/state.bare
hook=$(symbol __x64_sys_getppid)

plan 53
t "start" start "$exts/live"
t "every CPU is a guest" all_guests
kind store
kind port
kind cr
kind call "$hook"
kind ud
spins sleep $last
of_memory "an idle CPU: the first one has it watched" watch store
of_memory "an idle CPU: it wakes up, and is seen once" wakes
t "an idle CPU: the program ends" ends
of_memory "all CPUs at once" all_at_once
of_memory "all CPUs at once, with NMIs" with_nmis
t "NMIs reach every CPU" sh -c "echo 200 >$probe/nmi"
t "every CPU is a guest still" all_guests
t "stop" stop
t "start, behind another one" start hello "$exts/live"
kind store
kind port
t "stop" stop
t "start, with a right less" start hello "$exts/live" --allow "2=all,-pp_recall"
spins store $last
t "a right less: that is said" is_denied
t "a right less: every CPU is a guest" all_guests
t "a right less: the program ends" ends
t "stop" stop
# A CPU that comes anew has a DR7 without what others have left there.
t "the same state on every CPU" same_state /tmp/state.bare
if [ $last != 0 ]; then
	t "start" start "$exts/live"
	spins sleep 0
	t "an offline CPU has something watched" comes_later
	t "an offline CPU: all is seen when it is back" on_cpu $last all_of_it
	t "an offline CPU: every CPU is a guest" all_guests
	t "an offline CPU: the program ends" ends
	t "stop" stop
else
	skip "start" "there is one CPU"
	for what in "has something watched" "all is seen" "every CPU is a guest" "the end"; do
		skip "an offline CPU: $what" "there is one CPU"
	done
	skip "stop" "there is one CPU"
fi
t "no complaint of the kernel" dmesg_clean
