# SPDX-License-Identifier: GPL-2.0-only
# Hidden breakpoints (ext/libext/hook.h), by the examples hidden-hook and syscall-trace: a function
# of the kernel is reported each time that it is called, does what it does, and looks as ever to who
# reads it; Linux changes its code meanwhile, with a breakpoint of its own. And system calls.
. ./tap.sh

tracing=/sys/kernel/tracing
function=__x64_sys_sethostname

# called: the lines that say so since the last start
called()
{
	said_by "hidden-hook: PP " | grep 'called from 0xffffffff'
}

count()
{
	called | tee /tmp/called
	[ "$(wc -l </tmp/called)" = "$1" ]
}

# names NAME: on each CPU
names()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		on_cpu $cpu hostname "$1$cpu" || return 1
		[ "$(hostname)" = "$1$cpu" ] || return 1
		cpu=$((cpu + 1))
	done
}

reads()
{
	gives 0 "$1" "$bin/kcore" "$at" 64
}

traced()
{
	grep "$function" $tracing/trace | head -n 3
	[ "$(grep -c "$function" $tracing/trace)" = "$1" ]
}

hooks()
{
	number_of_cpus=$(cpus)
	t "start" start hidden-hook --arg "at=0x$at"
	t "every CPU is a guest" all_guests
	t "the code reads as before" reads "$before"
	t "nobody has called it" count 0
	t "it does what it does" names first
	t "each call is a line" count "$number_of_cpus"
	echo $function >$tracing/set_ftrace_filter
	echo function >$tracing/current_tracer
	t "traced: it does what it does" names traced
	t "traced: the tracer sees each call" traced "$number_of_cpus"
	t "traced: so does the hook" count $((2 * number_of_cpus))
	echo nop >$tracing/current_tracer
	echo >$tracing/set_ftrace_filter
	t "not traced: the code reads as before" reads "$before"
	t "not traced: it does what it does" names last
	t "not traced: each call is a line" count $((3 * number_of_cpus))
	t "stop" stop
	t "the code reads as before" reads "$before"
	t "it is what it was" names bare
}

# syscalls COUNT: lines about sethostname, number 170, with the length of the name
syscalls()
{
	said_by "syscall-trace: PP " | tee /tmp/calls
	[ "$(wc -l </tmp/calls)" = "$1" ] &&
		[ "$(grep -c 'call 170 (0x[0-9a-f]*, 0x5, 0x' /tmp/calls)" = "$1" ]
}

# Where per-CPU data has the pointer to the task
current()
{
	for name in current_task pcpu_hot; do
		address=$(symbol $name)
		[ -z "$address" ] || { echo "0x$address"; return; }
	done
}

# A process that waits to call sethostname: of its calls each is a line, and none of others.
one_process()
{
	mkfifo /tmp/go
	sh -c 'read -r go </tmp/go && exec hostname local' &
	pid=$!
	set -- $("$bin/btf" task_struct pid comm)
	start syscall-trace --arg number=170 --arg pid=$pid --arg current="$(current)" \
		--arg pid-at="$1" --arg comm-at="$2" || return
	names others
	echo >/tmp/go
	wait $pid && syscalls 1 && grep -q "task $pid hostname" /tmp/calls
	status=$?
	! bfm dump | grep "^syscall-trace: .*no task" || status=1
	stop && return $status
}

# On emulated CPUs of Intel's without the monitor trap flag there is nothing to be hooked.
at=$(symbol $function)
before=$("$bin/kcore" "$at" 64)
if ! bfm start hidden-hook --arg "at=0x$at" 2>/tmp/refusal; then
	grep -q 'no hook at 0x.*: this CPU has no monitor trap flag' /tmp/refusal || exit 1
	plan 2
	t "there can be no hook here" no_guests
	t "no complaint of the kernel" dmesg_clean
	exit 0
fi
stop >/dev/null
plan 25
[ -e $tracing/tracing_on ] || mount -t tracefs tracefs $tracing
snapshot /tmp/state.bare
hooks
t "syscall-trace: start" start syscall-trace --arg number=170
t "syscall-trace: nobody has called it" syscalls 0
t "syscall-trace: it does what it does" names call
t "syscall-trace: each call is a line, with its arguments" syscalls "$(cpus)"
t "syscall-trace: every CPU is a guest" all_guests
t "syscall-trace: stop" stop
t "syscall-trace: of one process" one_process
t "without an address it does not start" \
	gives 1 "which function is not said" bfm start hidden-hook
t "the same state on every CPU" same_state /tmp/state.bare
t "no complaint of the kernel" dmesg_clean
