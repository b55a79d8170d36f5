# SPDX-License-Identifier: GPL-2.0-only
# A CPU faults in the microkernel again when nothing is left that it could run: it halts, and Linux
# gets the others back. The last test of its machine, which is to be rebooted then.
. ./faults.sh

last=$(($(cpus) - 1))

# Nothing that the test needs is to be on the CPU that halts; the console needs its interrupts.
keep_off()
{
	others=$(printf %x $(((1 << last) - 1)))
	for pid in /proc/[0-9]*; do
		taskset -p "$others" "${pid#/proc/}" >/dev/null 2>&1
	done
	for irq in /proc/irq/[0-9]*; do
		echo "$others" 2>/dev/null >"$irq/smp_affinity"
	done
	true
}

# The process that does it never ends.
halt_last()
{
	taskset "$(printf %x $((1 << last)))" sh -c "echo halt >$parameters/provoke" \
		>/dev/null 2>&1 &
	wait_for failed
}

one_is_halted()
{
	[ "$(count_state halted) $(count_state bare)" = "1 $last" ] || { bfm status; return 1; }
}

dump_tells()
{
	bfm dump | tail -n 60 >/tmp/dump
	grep -q 'exception 14' /tmp/dump &&
		grep -q "nothing is left to run: CPU $last is halted" /tmp/dump && return 0
	cat /tmp/dump
	return 1
}

log_tells()
{
	dmesg | grep -qE "bareflank: halted, .*reboot soon: CPU $last: the microkernel faulted"
}

refuses_to_unload()
{
	! rmmod bareflank && [ -c /dev/bareflank ]
}

# Linux reports the CPU soon, rightly, but the test is to end before that.
echo 300 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout

plan 9
t "the test build is in" swap_in
export BAREFLANK_LIBDIR=/tmp/faults
keep_off
t "start" start
t "a CPU halts" halt_last
t "the others are bare" one_is_halted
t "the status says why" says MK_FAULT
t "bfm dump has the report" dump_tells
t "the kernel log says what to do" log_tells
t "no other start" gives 1 "$("$bin/rawctl" sentence CPU_HALTED)" bfm start
t "the module stays" refuses_to_unload
