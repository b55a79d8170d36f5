# SPDX-License-Identifier: GPL-2.0-only
# The machine sleeps, really, with the hypervisor running: to RAM and to idle. (lifecycle.sh goes
# only as far as the firmware, which every machine can.)
. ./tap.sh

alarm=/sys/class/rtc/rtc0/wakealarm
stats=/sys/power/suspend_stats

# to_ram: until the clock wakes it, and not before
to_ram()
{
	echo deep >/sys/power/mem_sleep && echo +3 >$alarm && echo mem >/sys/power/state &&
		[ -z "$(cat $alarm)" ]
}

# to_idle: until the ACPI timer wakes it
to_idle()
{
	insmod /lib/modules/acpitimer.ko && echo freeze >/sys/power/state && rmmod acpitimer
}

# slept TIMES: since the test began
slept()
{
	grep -H . $stats/* 2>/dev/null
	[ $(($(cat $stats/success) - before)) = "$1" ]
}

plan 11
before=$(cat $stats/success)
snapshot /tmp/state.before
t "start" start
load_begins
t "suspend to RAM" to_ram
t "it slept" slept 1
t "every CPU is a guest" all_guests
t "suspend to idle" to_idle
t "it slept again" slept 2
t "every CPU is a guest still" all_guests
load_ends
t "the load never computed wrongly" load_verdict
t "the same state on every CPU" same_state /tmp/state.before
t "stop" stop
t "no complaint of the kernel" dmesg_clean
