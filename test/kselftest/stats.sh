# SPDX-License-Identifier: GPL-2.0-only
# Seeing inside: what bfm stats and bfm top count is what has been done.
. ./tap.sh

# cpuids CPU N: executes so many on that CPU, at least
cpuids()
{
	n=0
	while [ $n -lt "$2" ]; do
		on_cpu "$1" "$bin/cpuid" 0 >/dev/null || return 1
		n=$((n + 1))
	done
}

# sum METRIC [LABEL...]: of the samples in /tmp/metrics that have all of these labels
sum()
{
	awk -v wanted="$*" '
		BEGIN { n = split(wanted, word, " ") }
		index($1, "bareflank_" word[1]) == 1 {
			for (i = 2; i <= n; i++)
				if (!index($1, word[i])) next
			sum += $NF
		}
		END { printf "%d\n", sum }' /tmp/metrics
}

# total METRIC [LABEL...]: of now
total()
{
	bfm stats --openmetrics >/tmp/metrics && sum "$@"
}

# grows LEAST METRIC LABEL COMMAND...: the command makes it grow by so much, at least
grows()
{
	least=$1 metric=$2 labels=$3
	shift 3
	before=$(total "$metric" "$labels")
	"$@" || return 1
	after=$(total "$metric" "$labels")
	echo "$metric $labels: $before, $after"
	[ $((after - before)) -ge "$least" ]
}

# All exits are some reason's; and those that an extension was asked about are some of them.
adds_up()
{
	bfm stats --openmetrics >/tmp/metrics
	all=$(sum exits_total)
	asked=$(sum extension_exits_total)
	echo "$all exits, asked about $asked"
	[ "$all" -ge "$asked" ] && [ "$asked" -gt 0 ] && tail -n 1 /tmp/metrics | grep -qx '# EOF'
}

has()
{
	text=$1
	shift
	"$@" >/tmp/out
	status=$?
	cat /tmp/out
	[ $status = 0 ] && grep -q "$text" /tmp/out
}

# While CPUIDs are executed, they are what the rates show.
rates()
{
	while :; do "$bin/cpuid" 0 >/dev/null; done &
	load=$!
	bfm top --once --interval 1s >/tmp/top
	bfm stats --json --interval 500ms --count 2 >/tmp/stats
	kill $load
	cat /tmp/top /tmp/stats
	[ "$(wc -l </tmp/stats)" = 2 ] && grep -q '^  CPUID *[0-9.]*[1-9]' /tmp/top &&
		! grep -q '"name": "CPUID", "exits": [0-9]*, "per_second": 0\.0' /tmp/stats &&
		grep -q "^bareflank runs on $(cpus) of $(cpus) CPUs" /tmp/top
}

# traces FILE: what bfm trace says of it, and of each CPU a line
traces()
{
	grep -c '"ph":"X"' "$1"
	[ "$(tail -n 1 "$1")" = ']}' ] && [ "$(grep -c '"name":"thread_name"' "$1")" = "$(cpus)" ]
}

# Each CPUID that the CPU executes meanwhile is in the trace, with the extension that was asked.
trace_cpuids()
{
	bfm trace --time 2s /tmp/trace.json &
	trace=$!
	until [ "$(grep -c '"name":"CPUID"' /tmp/trace.json)" -ge 1 ]; do
		"$bin/cpuid" 0 >/dev/null
	done
	n=0
	while [ $n -lt "$(cpus)" ]; do
		cpuids $n 3
		n=$((n + 1))
	done
	wait $trace || return 1
	sed -n 1,12p /tmp/trace.json
	traces /tmp/trace.json &&
		grep '"name":"CPUID"' /tmp/trace.json | grep -q '"cat":"Linux".*"asked":"hello"'
}

# counted: as many as told, and none of them in the trace that comes after
counted()
{
	while :; do "$bin/cpuid" 0 >/dev/null; done &
	load=$!
	bfm trace --count 20 --time 60s - >/tmp/trace.json
	status=$?
	kill $load
	[ $status = 0 ] && [ "$(grep -c '"ph":"X"' /tmp/trace.json)" = 20 ]
}

# A trace ends with the process that wants it: nothing is recorded after that.
ends_with_its_process()
{
	bfm trace --time 600s /tmp/trace.json &
	trace=$!
	until [ -s /tmp/trace.json ]; do
		cpuids 0 3
	done
	before=$("$bin/rawctl" records)
	cpuids 0 10
	during=$("$bin/rawctl" records)
	kill -KILL $trace
	wait $trace
	after=$("$bin/rawctl" records)
	cpuids 0 10
	now=$("$bin/rawctl" records)
	echo "$before, $during; $after, $now"
	[ "$before" -lt "$during" ] && [ "$after" = "$now" ]
}

# Each line has its time, later than those before, the CPU and who has said it.
stamped()
{
	bfm dump --stamps always >/tmp/dump
	bfm dump >/tmp/plain
	tail -n 3 /tmp/dump
	sed 's/^\[[^]]*\] //' /tmp/dump | diff - /tmp/plain || return 1
	stamp='^\[ *[0-9]*\.[0-9]\{6\} CPU [0-9]* *mk   \]'
	grep -q "$stamp pp [0-9]*: CPU [0-9]* is a guest\$" /tmp/dump &&
		awk '$2 ~ /^[0-9.]+$/ && $3 == "CPU" { n++; bad += $2 + 1 < last; last = $2 }
		     END { exit bad || !n }' /tmp/dump
}

last=$(($(cpus) - 1))
plan 19
t "start" start default
t "every CPU is a guest" all_guests
t "bfm dump knows when, where and who" stamped
t "CPUIDs are counted" grows 10 exits_total 'reason="CPUID"' cpuids 0 10
t "on the CPU that has executed them" grows 10 exits_total "cpu=\"$last\"" cpuids $last 10
t "for the extension that was asked" grows 10 extension_exits_total 'name="default"' cpuids 0 10
t "it adds up" adds_up
t "rates" rates
t "stop" stop
t "the counts stay" has '^  CPUID ' bfm stats
t "two extensions" start hello msr-trace
t "the first one is asked" grows 10 extension_exits_total 'extension="1"' cpuids 0 10
t "trace" trace_cpuids
t "a trace of so many exits" counted
t "a trace ends with its process" ends_with_its_process
t "every CPU is a guest after it" all_guests
t "stop again" stop
t "nothing to trace" gives 1 "is not running" bfm trace --time 10ms /tmp/trace.json
t "no complaint of the kernel" dmesg_clean
