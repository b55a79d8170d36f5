# SPDX-License-Identifier: GPL-2.0-only
# What Linux does with its CPUs, the hypervisor follows: offline and online, suspend, unloading.
. ./tap.sh

first=/sys/devices/system/cpu/cpu0/online
others=$(ls -d /sys/devices/system/cpu/cpu[1-9]*/online 2>/dev/null)

set_all()
{
	for file in $others; do
		echo "$1" >"$file" || { echo "$file"; return 1; }
	done
}

off_and_on()
{
	for round in 1 2 3; do
		set_all 0 || return 1
		all_guests || return 1
		set_all 1 || return 1
		all_guests || return 1
	done
}

# Where Linux allows it: up to kernel 6.4, with cpu0_hotplug on the command line.
first_off_and_on()
{
	echo 0 >$first && all_guests && stop && start && all_guests && echo 1 >$first && all_guests
}

unload()
{
	rmmod bareflank && [ ! -e /dev/bareflank ]
}

# hotplug DESCRIPTION COMMAND...
hotplug()
{
	if [ -n "$others" ]; then
		t "$@"
	else
		skip "$1" "one CPU, which cannot go"
	fi
}

plan 20
snapshot /tmp/state.before
t "start" start
load_begins
hotplug "every CPU but the first goes and comes back, under load" off_and_on
load_ends
t "the load never computed wrongly" load_verdict
t "every CPU is a guest" all_guests
t "the same state on every CPU" same_state /tmp/state.before
if [ -e $first ]; then
	t "the first CPU goes and comes back" first_off_and_on
else
	skip "the first CPU goes and comes back" "this kernel keeps it"
fi
hotplug "CPUs go" set_all 0
t "stop with one CPU" stop
t "start with one CPU" start
hotplug "CPUs that were offline at the start come" set_all 1
t "every CPU is a guest now" all_guests
t "the same state on every CPU again" same_state /tmp/state.before
if can_suspend; then
	t "suspend to RAM, as far as the firmware" suspend
	t "every CPU is a guest after it" all_guests
	t "the same state on every CPU after it" same_state /tmp/state.before
else
	skip "suspend to RAM, as far as the firmware" "this kernel or machine cannot"
	skip "every CPU is a guest after it" "no suspend"
	skip "the same state on every CPU after it" "no suspend"
fi
t "unload while running" unload
t "load again" load
t "start and stop again" cycles 1
t "the same state on every CPU at the end" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
