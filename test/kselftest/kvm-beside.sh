# SPDX-License-Identifier: GPL-2.0-only
# Guests through KVM's interface of an extension that has no right to Linux, beside the default one:
# they are as with that right. When it fails (make-fragile), they end, and Linux goes on; what they
# had of Linux's memory comes back with the stop. So it is with one that loops.
. ./tap.sh
. ./kvmclient.sh

cases="real_io real_mmio protected long_mode sse migration two_cpus string_io_64 mmio_write tsc
	events sync_regs"
rights=guests,physical,memory,donations,rdmsr,wrmsr,hypercalls,debug

start_beside()
{
	start default "$1" --allow "2=$rights" && all_guests
}

# A guest's RDMSR, which the fragile extension does not survive: the client is told. On the last
# CPU, which can go offline.
last=$(($(cpus) - 1))
fails()
{
	on_cpu $last transcript msrs /tmp
	tail -n 3 /tmp/msrs
	grep -q "KVM_RUN: Input/output error" /tmp/msrs
}

has_ended()
{
	bfm status | tee /tmp/status
	grep -q "^ended .*extension 2" /tmp/status
}

# What the status has about it, and nothing about the CPUs.
told()
{
	bfm status >/tmp/status
	grep -A 1 '^ended' /tmp/status
	sed -n '/^last failure/,$p' /tmp/status
}

# It is what it was.
tells()
{
	told >/tmp/told.now
	diff "/tmp/told" /tmp/told.now && grep -q "^last failure: CPU $last, extension 2," /tmp/told
}

# The last CPU goes offline, or comes back.
last_cpu()
{
	echo "$1" >/sys/devices/system/cpu/cpu$last/online && all_guests && tells
}

# Nor does anybody answer for it there.
nobody_there()
{
	gives 1 "No such device" taskset -c $last "$bin/kvm_client" $device reset
}

gives_nothing()
{
	told
	[ -z "$(told)" ]
}

# rmmod would take away what gives the memory back.
module_stays()
{
	gives 1 "can't unload" rmmod bareflank_kvm
}

# How many pages of processes are pinned, with what each CPU has not added up yet.
pinned()
{
	echo 1 >/proc/sys/vm/stat_refresh
	awk '/^nr_foll_pin_acquired/ { n += $2 } /^nr_foll_pin_released/ { n -= $2 }
	     END { print n + 0 }' /proc/vmstat
}

stays_pinned()
{
	echo "$pins pages before, then $(pinned)"
	[ "$(pinned)" -gt "$pins" ]
}

# guests_in_status FLAG VALUE: the number of VMs for which that is so, and their memory in bytes
guests_in_status()
{
	bfm status --json | grep '"pid"' >/tmp/guests
	cat /tmp/guests >&2
	grep "\"$1\": $2" /tmp/guests | sed 's/.*"pinned": \([0-9]*\).*/\1/' |
		awk '{ n++; bytes += $1 } END { print n + 0, bytes + 0 }'
}

# All have ended: that of the client which lives, and that of the one which has gone.
have_ended()
{
	[ "$(guests_in_status ended false)" = "0 0" ] &&
		[ "$(guests_in_status pinned_until_stop false)" = "1 4096" ] &&
		[ "$(guests_in_status pinned_until_stop true)" != "0 0" ]
}

# Afterwards: what Linux has counted.
are_listed()
{
	set -- "$(guests_in_status pinned_until_stop true)"
	echo "$1; $pins pages before, then $(pinned)"
	bfm status | tee /tmp/status
	[ "${1% *}" -gt 0 ] && [ "${1#* }" = $((($(pinned) - pins) * 4096)) ] &&
		[ "$(guests_in_status ended true)" = "$1" ] &&
		[ "$(grep -c 'ended, pinned until the stop$' /tmp/status)" = "${1% *}" ]
}

are_listed_no_more()
{
	[ "$(guests_in_status ended true)" = "0 0" ]
}

unpinned()
{
	n=0
	until [ "$(pinned)" = "$pins" ] || [ $n -ge 300 ]; do
		n=$((n + 1))
		sleep 0.1
	done
	echo "$pins pages before, then $(pinned)"
	[ "$(pinned)" = "$pins" ]
}

again()
{
	start_beside $exts/fragile-fault || return 1
	spin_begins
	fails && ended_clients 1
	all_ended=$?
	spin_ends
	stop && return $all_ended
}

comes_back()
{
	again || return 1
	before=$(memory)
	again && again || return 1
	after=$(memory)
	less_than $((${before%% *} - ${after%% *})) $((1024 + quarantine))
}

plan $((37 + $(echo $cases | wc -w)))
t "the module" insmod /lib/modules/bareflank_kvm.ko
t "start" start_beside guests
for case in $cases; do
	t "a guest: $case" as_written "$case"
done
t "stop" stop
pins=$(pinned)
t "start one that will fail" start_beside $exts/fragile-fault
t "a guest: real_mmio" as_written real_mmio
spin_begins
t "it fails, and its guest ends" fails
t "so do those on all CPUs" ended_clients 1
t "the status has them" have_ended
spin_ends
t "Linux goes on" all_guests
t "the status says so" has_ended
told >/tmp/told
if [ $last != 0 ]; then
	t "and when its CPU has gone" last_cpu 0
	t "and when that has come back" last_cpu 1
else
	skip "and when its CPU has gone" "one CPU"
	skip "and when that has come back" "one CPU"
fi
if can_suspend; then
	t "suspend" suspend
	t "and after that" tells
else
	skip "suspend" "this kernel or machine cannot"
	skip "and after that" "no suspend"
fi
t "nobody answers on that CPU" nobody_there
t "no guests any more" gives 1 "No such device" "$bin/kvm_client" $device reset
t "the module is in use" module_stays
t "what they had stays pinned" stays_pinned
t "and the status has all of it" are_listed
t "stop" stop
t "and comes back with that" unpinned
t "the status has none of it" are_listed_no_more
t "the status still says so" tells
t "again and again: nothing is lost" comes_back
if [ "$(cpus)" -gt 1 ]; then
	load_begins --cpu "$(cpus)"
	t "start one that will loop" start_beside $exts/fragile-loop
	spin_begins
	t "it is stopped, and its guest ends" fails
	t "so do those on all CPUs" ended_clients 1
	spin_ends
	t "Linux goes on" all_guests
	t "it does not answer any more" gives 1 "No such device" "$bin/kvm_client" $device reset
	t "stop" stop
	load_ends
	t "the load never computed wrongly" load_verdict
else
	for what in start stopped others goes-on answer stop verdict; do
		skip "one that loops: $what" "nobody watches the only CPU"
	done
fi
t "start both again" start_beside guests
t "all is forgotten with that" gives_nothing
t "a guest: real_io" as_written real_io
t "stop" stop
t "the module goes" rmmod bareflank_kvm
t "no complaint of the kernel" dmesg_clean
