# SPDX-License-Identifier: GPL-2.0-only
# The module's tracepoints: what happens is an event, once, with fields that others confirm; what
# nobody has asked for is none. perf can count them.
. ./tap.sh

tracing=/sys/kernel/tracing
[ -e $tracing/tracing_on ] || mount -t tracefs tracefs $tracing
[ -e /sys/kernel/debug/caller ] || insmod /lib/modules/caller.ko
events=$tracing/events/bareflank
channel=$exts/channel
last=$(($(cpus) - 1))
dec='[0-9][0-9]*' hex='[0-9a-f][0-9a-f]*'

there()
{
	set -- $events/*/
	names=
	for directory; do
		name=${directory%/}
		names="$names ${name##*/}"
	done
	echo "$names"
	[ "$names" = " call channel_read cpu_enter cpu_leave ended failure start stop" ]
}

# record COMMAND...: what it causes is in /tmp/events, a line each
record()
{
	echo >$tracing/trace
	echo 1 >$events/enable
	"$@"
	status=$?
	echo 0 >$events/enable
	grep -v '^#' $tracing/trace >/tmp/events
	cat /tmp/events
	return $status
}

# seen COUNT EVENT [PATTERN]: so many, all of them with these fields, as a pattern for whole lines
seen()
{
	all=$(grep -c ": $2: " /tmp/events)
	fitting=$(grep -cx ".*: $2: ${3-.*}" /tmp/events)
	echo "$2: $all, $fitting as they are to be"
	[ "$all" = "$1" ] && [ "$fitting" = "$1" ]
}

# Of each CPU one, that it has recorded itself.
on_each_cpu()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		[ "$(grep -c "\[0*$cpu\] .*: $1: cpu=$cpu pp=$dec" /tmp/events)" = 1 ] ||
			{ echo "$1, CPU $cpu"; return 1; }
		cpu=$((cpu + 1))
	done
	seen "$(cpus)" "$1"
}

started()
{
	record start $channel && on_each_cpu cpu_enter && seen 0 cpu_leave &&
		seen 1 start "cpus=$(cpus) bytes=$dec ns=$dec paused_ns=$dec" &&
		[ "$(sed -n 's/.*: start: .*bytes=\([0-9]*\).*/\1/p' /tmp/events)" -gt 1000000 ]
}

called()
{
	record bfm call channel echo hello &&
		seen 1 call "image=1 error=OK refused=0 request_size=10 reply_size=5 ns=$dec" &&
		record gives 1 "" bfm call channel nonsense &&
		seen 1 call "image=1 error=OK refused=1 request_size=8 reply_size=$dec ns=$dec"
}

# The extension has emitted a record, and one for each CPU.
read_once()
{
	record bfm read channel &&
		seen 1 channel_read \
			"image=1 bytes=$dec emitted=$(($(cpus) + 1)) dropped=0"
}

hotplug()
{
	onlined=/sys/devices/system/cpu/cpu$last/online
	record sh -c "echo 0 >$onlined && echo 1 >$onlined" &&
		seen 1 cpu_leave "cpu=$last pp=$dec exits=$dec failed=0" &&
		seen 1 cpu_enter "cpu=$last pp=$dec"
}

silent()
{
	echo >$tracing/trace
	bfm call channel echo hello
	! grep -v '^#' $tracing/trace
}

stopped()
{
	record stop && on_each_cpu cpu_leave && seen 0 cpu_enter && seen 0 failure &&
		seen 1 stop "ns=$dec paused_ns=$dec" &&
		seen "$(cpus)" cpu_leave "cpu=$dec pp=$dec exits=[1-9][0-9]* failed=0"
}

fault()
{
	start $exts/backtrace && "$bin/cpuid" 0x4000dead 0 "$last"
	wait_for failed
}

failed()
{
	record fault || return 1
	rip=$(bfm status | sed -n 's/^  #0 *0x0*\([0-9a-f]*\) .*/\1/p')
	seen 1 failure "error=EXT_FAULT cpu=$last image=1 detail=0xe rip=0x$rip" &&
		seen 0 stop && on_each_cpu cpu_leave && grep -q " cpu=$last .* failed=1" /tmp/events
}

# Nobody has entered when a start is undone.
not_started()
{
	patched backtrace BACKTRACE b /tmp/bootstrap && ! record bfm start /tmp/bootstrap &&
		seen 1 failure "error=EXT_FAULT cpu=$dec image=1 detail=0xe rip=0x[1-9a-f]$hex" &&
		seen 0 start && seen 0 stop && seen 0 cpu_enter && seen 0 cpu_leave
}

# Of two extensions, the one without a right to Linux ends alone: its operation 3 faults.
fault_alone()
{
	start default $exts/beside --allow "2=guests,hypercalls,debug" &&
		echo 3 0 >/sys/kernel/debug/caller/beside && n=0 || return 1
	until dmesg | grep -q "bareflank: extension 2 has ended"; do
		n=$((n + 1))
		[ $n -lt 600 ] || return 1
		sleep 0.1
	done
}

one_ends()
{
	record fault_alone &&
		seen 1 ended "error=EXT_FAULT cpu=$dec image=2 detail=0x$hex rip=0x3280$hex" &&
		seen 0 failure && seen 0 cpu_leave && seen 1 start
}

# counts WANTED EVENT COMMAND...: perf sees so many of them
counts()
{
	wanted=$1
	shift
	"$bin/perfcount" "$@" >/tmp/count
	status=$?
	cat /tmp/count
	[ $status = 0 ] && [ "$(tail -n 1 /tmp/count)" = "$1: $wanted" ]
}

plan 14
t "the events are there" there
t "a start, and each CPU that enters" started
t "a request, answered and refused" called
t "records that are read" read_once
if [ "$last" -gt 0 ]; then
	t "a CPU goes offline and comes back" hotplug
else
	skip "a CPU goes offline and comes back" "one CPU, which cannot go"
fi
t "nobody asks, nothing is recorded" silent
t "each CPU that leaves, and a stop" stopped
t "a failure" failed
t "a start that fails" not_started
t "an extension that ends alone" one_ends
t "and a stop" stopped
t "perf counts starts" counts 1 start bfm start --no-wait $channel
t "and CPUs that leave" counts "$(cpus)" cpu_leave bfm stop
t "no complaint of the kernel" dmesg_clean
