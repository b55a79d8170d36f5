# SPDX-License-Identifier: GPL-2.0-only
# Linux changes its own code while the hypervisor comes, runs and goes: tracers on all functions,
# probes in the module, static keys, a live patch.
. ./tap.sh

tracing=/sys/kernel/tracing
[ -e $tracing/tracing_on ] || mount -t tracefs tracefs $tracing

set_tracer()
{
	echo "$1" >$tracing/current_tracer
}

# traced TRACER: starts and stops with it, and it has seen the module's functions
traced()
{
	echo ':mod:bareflank' >$tracing/set_ftrace_filter || return 1
	set_tracer "$1" && cycles 1 && set_tracer nop
	result=$?
	echo >$tracing/set_ftrace_filter
	[ $result = 0 ] && set_tracer "$1" && cycles 1 && set_tracer nop
}

# Tracers come and go until the file appears.
flip_tracers()
{
	while [ ! -e /tmp/flip.stop ]; do
		set_tracer function && set_tracer nop || return 1
		echo 1 >/proc/sys/kernel/sched_schedstats # a static key in the scheduler
		echo 0 >/proc/sys/kernel/sched_schedstats
	done
}

probes()
{
	for function in bf_launch bf_leave bf_cpu_capture bf_cpu_quiesce bf_cpu_enter \
		bf_cpu_request_stop bf_cpu_force_stop bf_hw_cpuid; do
		echo "p:$function $function" >>$tracing/kprobe_events || return 1
		echo "r:${function}_end $function" >>$tracing/kprobe_events || return 1
	done
	echo 1 >$tracing/events/kprobes/enable && cycles 1 || return 1
	for function in bf_launch bf_leave bf_cpu_enter_end bf_cpu_request_stop_end; do
		grep -q " $function: " $tracing/trace || { echo "no $function"; return 1; }
	done
	echo 0 >$tracing/events/kprobes/enable && echo >$tracing/kprobe_events
}

# no_probe FUNCTION: Linux has it on its list of where no probe may be, and refuses one. A
# breakpoint there would find neither Linux's IDT nor its page table.
no_probe()
{
	address=0x$(awk -v symbol="$1" '$3 == symbol { print $1 }' /proc/kallsyms)
	awk -v address="$address" '{ split($1, range, "-") }
		(range[1] "") <= (address "") && (address "") < (range[2] "") { found = 1 }
		END { exit !found }' /sys/kernel/debug/kprobes/blacklist &&
		gives 1 "Invalid argument" sh -c "echo 'p:forbidden $1+4' >>$tracing/kprobe_events"
}

patch()
{
	insmod /lib/modules/livepatch.ko && n=0 || return 1
	until [ "$(cat /sys/kernel/livepatch/livepatch/transition)" = 0 ]; do
		n=$((n + 1))
		[ $n -lt 600 ] || return 1
		sleep 0.1
	done
	grep -qx patched /proc/uptime
}

unpatch()
{
	echo 0 >/sys/kernel/livepatch/livepatch/enabled && n=0 || return 1
	while [ -e /sys/kernel/livepatch/livepatch ]; do
		n=$((n + 1))
		[ $n -lt 600 ] || return 1
		sleep 0.1
	done
	rmmod livepatch && ! grep -qx patched /proc/uptime
}

plan 14
snapshot /tmp/state.before
t "starts and stops while all functions are traced" traced function
t "and while their returns are, too" traced function_graph
rm -f /tmp/flip.stop
flip_tracers &
flipper=$!
t "starts and stops while tracers and static keys come and go" cycles 2
touch /tmp/flip.stop
wait $flipper
t "every change of code succeeded" test $? = 0
set_tracer nop
t "probes in the module, around the switch" probes
t "no probe in the switch itself" no_probe bf_switch_enter
t "nor in its other half" no_probe bf_switch_leave
t "a live patch on bare CPUs" patch
t "start" start
t "the patch goes under the hypervisor" unpatch
t "a live patch under it" patch
t "stop" stop
t "the patch goes, and every CPU's state is the same" \
	eval 'unpatch && same_state /tmp/state.before'
t "no complaint of the kernel" dmesg_clean
