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

# total METRIC [LABEL...]: the sum of the samples that have all of these labels
total()
{
	bfm stats --openmetrics | awk -v wanted="$*" '
		BEGIN { n = split(wanted, word, " ") }
		index($1, "bareflank_" word[1]) == 1 {
			for (i = 2; i <= n; i++)
				if (!index($1, word[i])) next
			sum += $NF
		}
		END { printf "%d\n", sum }'
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
	bfm stats --json >/tmp/stats
	bfm stats --openmetrics >/tmp/metrics
	cat /tmp/stats
	[ "$(total exits_total)" -ge "$(total extension_exits_total)" ] &&
		[ "$(total extension_exits_total)" -gt 0 ] && tail -n 1 /tmp/metrics | grep -qx '# EOF'
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

last=$(($(cpus) - 1))
plan 13
t "start" start default
t "every CPU is a guest" all_guests
t "CPUIDs are counted" grows 10 exits_total 'reason="CPUID"' cpuids 0 10
t "on the CPU that has executed them" grows 10 exits_total "cpu=\"$last\"" cpuids $last 10
t "for the extension that was asked" grows 10 extension_exits_total 'name="default"' cpuids 0 10
t "it adds up" adds_up
t "rates" rates
t "stop" stop
t "the counts stay" has '^  CPUID ' bfm stats
t "two extensions" start hello msr-trace
t "the first one is asked" grows 10 extension_exits_total 'extension="1"' cpuids 0 10
t "stop again" stop
t "no complaint of the kernel" dmesg_clean
