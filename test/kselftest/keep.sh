# SPDX-License-Identifier: GPL-2.0-only
# CPUs that stay in the hypervisor while they are offline (bfm start --keep-cpus). KEEP_ROUNDS on
# the kernel's command line: how often all go and come.
. ./tap.sh
. ./kvmclient.sh

others=$(ls -d /sys/devices/system/cpu/cpu[1-9]*/online 2>/dev/null)
rounds=${KEEP_ROUNDS:-10}

set_all()
{
	for file in $others; do
		echo "$1" >"$file" || { echo "$file"; return 1; }
	done
}

# The exits of each CPU, which begin anew when it enters.
exits()
{
	bfm status | awk '$1 ~ /^[0-9]+$/ && $3 == "guest" { print $1, $4 }'
}

# own_exits: each CPU, asked on itself, exits.
own_exits()
{
	n=0
	while [ $n -lt "$(cpus)" ]; do
		before=$(exits | awk -v cpu=$n '$1 == cpu { print $2 }')
		on_cpu $n "$bin/cpuid" 0 >/dev/null || return 1
		after=$(exits | awk -v cpu=$n '$1 == cpu { print $2 }')
		[ -n "$before" ] && [ "$after" -gt "$before" ] ||
			{ echo "CPU $n: $before, then $after"; return 1; }
		n=$((n + 1))
	done
}

off_and_on()
{
	for round in $(seq "$rounds"); do
		set_all 0 && set_all 1 && own_exits || { echo "round $round"; return 1; }
	done
}

# none_less FILE: no CPU has fewer exits than in FILE.
none_less()
{
	exits >/tmp/exits.now
	awk 'NR == FNR { before[$1] = $2; next }
		$2 < before[$1] { print "CPU " $1 ": " before[$1] ", then " $2; bad = 1 }
		END { exit bad }' "$1" /tmp/exits.now
}

# None has left since the last start.
none_left()
{
	bfm dump | awk '/^microkernel: / { n = 0 } /leaves/ { n++ } END { exit n }'
}

# asks CPU: so often that not all of it is lost where exits come faster than they are written
asks()
{
	n=0
	while [ $n -lt 20 ]; do
		n=$((n + 1))
		on_cpu "$1" "$bin/cpuid" 0 >/dev/null || return 1
	done
}

# is_traced_on CPU: what asks did there
is_traced_on()
{
	grep -q "\"name\":\"CPUID\".*\"tid\":$1," /tmp/trace.json
}

# Nothing of a trace is in the file before there are some exits.
trace_begins()
{
	rm -f /tmp/trace.json
	bfm trace --time 600s /tmp/trace.json &
	trace=$!
	until [ -s /tmp/trace.json ]; do
		kill -0 $trace && asks 0 || return 1
	done
}

# It is looked at when it has ended: to search it costs more than to write it.
trace_ends()
{
	kill -INT $trace && wait $trace
}

# A trace begins while all but one are offline, and has what they do when they have come.
traces_who_comes()
{
	trace_begins && asks 0 && set_all 1 && asks 1 && trace_ends &&
		is_traced_on 0 && is_traced_on 1
}

# On Intel, a CPU that is to come waits for its start-up IPI before Linux sends INIT, which is not
# seen before the IPI then.
waits_before_init()
{
	trace_begins && set_all 0 && set_all 1 && trace_ends || return 1
	grep -oE '"name":"(INIT|SIPI)"[^}]*"tid":1,' /tmp/trace.json | head -n 2 | tee /tmp/starts
	sed -n 1p /tmp/starts | grep -q SIPI
}

plan 23
snapshot /tmp/state.before
t "start" start --keep-cpus
t "every CPU is a guest" own_exits
exits >/tmp/exits.before
t "all but one go and come, $rounds times" off_and_on
t "none has entered anew" none_less /tmp/exits.before
t "none has left" none_left
t "their local APICs are in the mode that was wanted" apics_are_as_wanted
t "they go" set_all 0
t "a trace without them has who comes" traces_who_comes
if bfm status | grep -q '^vendor *Intel'; then
	t "who comes has waited for that" waits_before_init
else
	skip "who comes has waited for that" "this is not Intel"
fi
t "the same state on every CPU" same_state /tmp/state.before
load_begins
t "they go and come under load" off_and_on
load_ends
t "the load never computed wrongly" load_verdict
t "stop" stop
t "start" start --keep-cpus
t "they go" set_all 0
t "stop without them" stop
t "they come" set_all 1
t "the module for guests" insmod /lib/modules/bareflank_kvm.ko
t "start" start --keep-cpus guests
t "a guest leaves a CPU that goes" as_written offline
t "stop" stop
t "the module goes" rmmod bareflank_kvm
t "no complaint of the kernel" dmesg_clean
