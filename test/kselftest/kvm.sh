# SPDX-License-Identifier: GPL-2.0-only
# Guests through KVM's interface: a client that knows nothing of us, its guests beside a Linux that
# goes on, and what is left of them. Its transcript is the one that is written down, and where KVM
# itself runs in the emulator, KVM's.
. ./tap.sh
. ./kvmclient.sh

cases="reset refusals real_io real_mmio regions loop sigmask irq protected mode_switch
	long_mode sse migration two_cpus delete sparse pages_4k
	string_io string_io_64 emulation mmio_write
	msrs tsc events exception debug sregs2 sync_regs irq_kept rights cpu_time 32_bit"
ours=faults # where KVM differs from a CPU

# What Bochs cannot do: docs/testing.md.
case $VM_MACHINE in bochs-*) ;; *) cases="$cases cli" ;; esac
[ "$VM_MACHINE" = bochs-svm ] || cases="$cases triple"
[ "$VM_MACHINE" = bochs-vmx ] || cases="$cases nmi_masked"

# Huge pages, if this kernel has them.
echo 4 >/proc/sys/vm/nr_hugepages
free_hugepages()
{
	awk '/^HugePages_Free/ { print $2 }' /proc/meminfo
}
hugepages=$(free_hugepages)
[ "${hugepages:-0}" -lt 3 ] || cases="$cases pages_2m pages_shared"

# What KVM makes of it, on the bare machine. In QEMU's SVM it does not end every case.
ask_kvm()
{
	mkdir /tmp/kvm
	modprobe "$(kvm_module)" || return 1
	for case in $cases; do
		[ $case != pages_shared ] || continue # VMs of KVM's can share memory
		timeout -s KILL 20 "$bin/kvm_client" $device "$case" >/tmp/kvm/"$case" 2>&1 ||
			rm /tmp/kvm/"$case"
	done
	rmmod "$(kvm_module)" kvm
}

# KVM has answered for most of them.
kvm_answered()
{
	ls /tmp/kvm
	[ "$(ls /tmp/kvm | wc -l)" -ge 10 ]
}

no_device()
{
	gives 1 "No such device" "$bin/kvm_client" $device reset
}

# What the hypervisor holds, in bytes.
held()
{
	bfm status --json | sed -n 's/.*"memory": \([0-9]*\).*/\1/p'
}

has_grown()
{
	now=$(held)
	echo "$began_with bytes, then $now"
	[ "$now" -gt "$began_with" ]
}

# How many faults there were of guests that had no page.
faults()
{
	bfm status --json | grep -oE '"(NPF|EPT_VIOLATION)": [0-9]+' |
		awk '{ n += $2 } END { print n + 0 }'
}

# faults_of CASE: by this case
faults_of()
{
	now=$(faults)
	transcript "$1" /tmp
	echo $(($(faults) - now))
}

# 4 MiB come at two faults instead of a thousand; and no huge page stays behind.
few_faults()
{
	small=$(faults_of pages_4k)
	large=$(faults_of pages_2m)
	echo "with pages of 4 KiB: $small faults, of 2 MiB: $large"
	echo "huge pages: $hugepages, then $(free_hugepages)"
	[ "$small" -ge 1024 ] && [ "$large" -lt 50 ] && [ "$(free_hugepages)" = "$hugepages" ]
}

# Whether guests get them in one piece: not on CPUs of Intel's that they could stop by that.
are_large()
{
	grep -q '^Not affected' /sys/devices/system/cpu/vulnerabilities/itlb_multihit
}

# Linux gets its ticks, and its processes their turns, on every CPU.
linux_goes_on()
{
	kill -0 $spinner || { cat /tmp/spin; return 1; }
	timeout 120 stress-ng --cpu "$(cpus)" --cpu-ops 20 --verify --temp-path /tmp
}

hundredths()
{
	read -r up _ </proc/uptime
	echo "${up%.*}${up#*.}"
}

loc()
{
	awk -v cpus="$(cpus)" '$1 == "LOC:" { for (i = 2; i < 2 + cpus; i++) print $i }' \
		/proc/interrupts
}

# Timer interrupts per second, of the CPU that gets the fewest.
least_ticks()
{
	loc >/tmp/loc
	began=$(hundredths)
	sleep 2
	took=$(($(hundredths) - began))
	loc | awk -v took=$took 'NR == FNR { before[FNR] = $1; next }
		{ n = ($1 - before[FNR]) * 100 / took; if (FNR == 1 || n < least) least = n }
		END { print int(least) }' /tmp/loc -
}

# As many as when only Linux keeps the CPUs busy, but for what the host loses of either.
ticks_come()
{
	for attempt in 1 2 3 4 5; do
		ticks=$(least_ticks)
		echo "$busy_ticks ticks a second without guests, $ticks with them"
		[ $((4 * ticks)) -lt $((3 * busy_ticks)) ] || return 0
	done
	return 1
}

# Hundredths of a second until every CPU has answered so many calls and NMIs.
answers_take()
{
	began=$(hundredths)
	for round in 1 2 3 4 5 6 7 8; do
		cat $probe/state >/dev/null && echo 50 >$probe/nmi || return 1
	done
	echo $(($(hundredths) - began))
}

# As above: a host that is busy can hold a CPU back for seconds.
interrupts_arrive()
{
	for attempt in 1 2 3 4 5; do
		answers=$(answers_take) || return 1
		echo "took $answers hundredths of a second, $busy_answers without guests"
		[ $answers -gt $((4 * busy_answers + 200)) ] || return 0
	done
	return 1
}

# The status names who has them, and what they do.
guests_are_shown()
{
	bfm status --json | grep "\"pid\": $spinner, " >/tmp/guests
	bfm status | sed -n '/^guests of process/,/^$/p' | tee /tmp/table
	cat /tmp/guests
	[ "$(wc -l </tmp/guests)" = 1 ] || return 1
	for what in '"process": "kvm_client", "ended": false, ' \
		"\"vcpus\": $(cpus), \"pinned\": [1-9][0-9]*, " \
		'"interrupts": [1-9][0-9]*, "module": [1-9][0-9]*, "user": 0}'; do
		grep -q "$what" /tmp/guests || return 1
	done
	grep -q "^  kvm_client  *$spinner  *$(cpus) " /tmp/table
}

no_guests_are_shown()
{
	bfm status --json >/tmp/guests
	cat /tmp/guests
	grep -q '"guests": \[\]' /tmp/guests
}

# A CPU goes offline while its thread is in the guest, and comes back.
cpu_goes_and_comes()
{
	echo 0 >/sys/devices/system/cpu/cpu1/online && linux_goes_on &&
		echo 1 >/sys/devices/system/cpu/cpu1/online && linux_goes_on && all_guests
}

suspend_refused()
{
	! suspend && state_is running && all_guests && kill -0 $spinner
}

stop_refused()
{
	gives 1 "process $spinner" bfm stop && state_is running && all_guests &&
		dmesg | tail -n 3 | grep -F "process $spinner (kvm_client) has guests"
}

# Guests that loop on every CPU, and a stop by force: in time at least once, should something else
# have the host's CPUs. Not to be called through t.
stop_by_force()
{
	for attempt in 1 2 3 4 5; do
		[ $attempt = 1 ] || spin_ends
		start guests >/tmp/stopped 2>&1 && spin_begins
		began=$(hundredths)
		stop --force >>/tmp/stopped 2>&1
		stop_status=$?
		took=$(($(hundredths) - began))
		[ $took -ge 100 ] || break
	done
}

stopped_in_time()
{
	cat /tmp/stopped
	echo "status $stop_status, $took hundredths of a second"
	[ $stop_status = 0 ] && [ $took -lt 100 ] && state_is stopped && no_guests &&
		ended_clients 1
}

# What has ended is shown as such, with what it still holds.
ended_are_shown()
{
	bfm status --json | grep "\"pid\": $spinner, " | tee /tmp/guests
	grep -q '"ended": true' /tmp/guests && grep -q '"pinned": [1-9]' /tmp/guests
}

# Other guests run under the next start; of those that have ended, nothing does.
next_start()
{
	start guests || return 1
	kill -USR1 $spinner
	ended_clients 2 && grep '^  another VM: ok$' /tmp/spin && as_written real_io &&
		ended_are_shown
}

# No guest is left that could end with it.
next_stop()
{
	stop && ended_are_shown && kill -0 $spinner
}

# Whatever comes at the same time as such a stop: clients that begin, a start, another stop.
forced_races()
{
	for round in 1 2 3 4 5 6; do
		start guests || return 1
		"$bin/kvm_client" $device $spin >/tmp/spin &
		client=$!
		"$bin/kvm_client" $device real_io regions real_io >/tmp/other 2>&1 &
		other=$!
		sleep "$(printf "0.%03d" $((round * 13)))"
		bfm stop --force >/tmp/one 2>&1 &
		one=$!
		bfm start --no-wait guests >/tmp/two 2>&1 &
		two=$!
		bfm stop --force >/tmp/three 2>&1
		wait $one
		wait $two
		kill -KILL $client $other 2>/dev/null
		wait $client $other
		bfm stop --force >/tmp/four 2>&1
		state_is stopped && no_guests && continue
		cat /tmp/one /tmp/two /tmp/three /tmp/four
		return 1
	done
	bfm status --json | grep -q '"guests": \[\]'
}

forced_and_nothing_left()
{
	forced_races || return 1
	before=$(memory)
	forced_races || return 1
	after=$(memory)
	less_than $((${before%% *} - ${after%% *})) $((1024 + quarantine))
}

# Guests that are killed at any moment, again and again.
killed_clients()
{
	for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		"$bin/kvm_client" $device $spin >/dev/null &
		client=$!
		"$bin/kvm_client" $device long_mode regions >/dev/null &
		other=$!
		sleep "$(printf "0.%03d" $((round * 7)))"
		kill -KILL $client $other
		wait $client $other
	done
	transcript real_io /tmp
}

# Twice as much killing as before takes no more memory, but for what a kernel keeps by itself.
nothing_left()
{
	killed_clients || return 1
	before=$(memory)
	killed_clients && killed_clients || return 1
	after=$(memory)
	less_than $((${before%% *} - ${after%% *})) $((1024 + quarantine))
}

plan $((26 + $(echo $cases $ours | wc -w)))
# Bochs is too slow for KVM on top of it.
if [ "$VM_MACHINE" != qemu-svm ]; then
	skip "KVM's own transcript" "this machine is too slow"
elif ! find /lib/modules -name 'kvm*' | grep -q .; then
	skip "KVM's own transcript" "this kernel has no KVM"
else
	ask_kvm
	t "KVM's own transcript" kvm_answered
fi
t "the module" insmod /lib/modules/bareflank_kvm.ko
t "without the hypervisor: no device" no_device
start
t "with another extension: no device" no_device
stop
t "start" start guests
began_with=$(held)
for case in $cases $ours; do
	t "a guest: $case" as_written "$case"
done
t "the hypervisor has got more memory for tables" has_grown
if [ "${hugepages:-0}" -lt 3 ]; then
	skip "huge pages are mapped as such" "this kernel has none"
elif ! are_large; then
	skip "huge pages are mapped as such" "this CPU is subject to iTLB multihit"
else
	t "huge pages are mapped as such" few_faults
fi
snapshot /tmp/state
load_begins --cpu "$(cpus)"
busy_ticks=$(least_ticks)
busy_answers=$(answers_take)
load_ends
spin_begins
t "guests that loop on every CPU: Linux goes on" linux_goes_on
t "it gets its ticks" ticks_come
t "its IPIs and NMIs arrive" interrupts_arrive
t "the status shows them" guests_are_shown
if [ "$(cpus)" -gt 1 ]; then
	t "a CPU goes and comes" cpu_goes_and_comes
else
	skip "a CPU goes and comes" "there is one CPU"
fi
if can_suspend; then
	t "a suspend is refused" suspend_refused
else
	skip "a suspend is refused" "this kernel cannot suspend"
fi
t "a stop is refused, and names who has guests" stop_refused
t "the module is in use" gives 1 "can't unload" rmmod bareflank_kvm
spin_ends
t "clients are killed: nothing is left" nothing_left
t "the status shows none any more" no_guests_are_shown
t "every CPU is still a guest" all_guests
t "stop" stop
stop_by_force
t "a stop by force ends guests that loop on every CPU, in time" stopped_in_time
t "the status shows them as ended" ended_are_shown
t "start: other guests run" next_start
t "stop: those that have ended are none" next_stop
spin_ends
t "stops by force at any moment: nothing is left" forced_and_nothing_left
t "the module goes" rmmod bareflank_kvm
t "no complaint of the kernel" dmesg_clean
