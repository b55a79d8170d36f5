# SPDX-License-Identifier: GPL-2.0-only
# bareflank.efi has started the hypervisor before Linux, which is a guest since its first
# instruction.
. ./tap.sh

hides_virtualisation()
{
	! grep -qwE 'svm|vmx' /proc/cpuinfo
}

# The requests that a module makes at a stop, first of the extension, then of the microkernel.
asks_to_leave()
{
	echo $1 >$caller/number
	echo $2 >$caller/call || return 1
	cat $caller/call
	"$bin/firmware" exits
}

sentence()
{
	"$bin/rawctl" sentence "$1"
}

# how many there were, on all CPUs
cpuids()
{
	bfm status --json | sed -n 's/^  "exits": {.*"CPUID": \([0-9]*\).*/\1/p'
}

counts_exits()
{
	before=$(cpuids)
	"$bin/cpuid" 0 && "$bin/cpuid" 0
	after=$(cpuids)
	echo "$before, then $after"
	[ "$after" -ge $((before + 2)) ]
}

traces_exits()
{
	bfm trace --time 500ms /tmp/trace.json &
	while kill -0 $! 2>/dev/null; do
		"$bin/cpuid" 0 >/dev/null
	done
	wait $! && grep -q '"CPUID"' /tmp/trace.json
}

# Nor does a CPU leave while nobody is there who could send it back.
goes_and_comes()
{
	rmmod bareflank && cpus_go_and_come && insmod /lib/modules/bareflank.ko
}

# All but the first one, by INIT, which a guest does not get.
cpus_go_and_come()
{
	for cpu in /sys/devices/system/cpu/cpu[1-9]*; do
		[ -d "$cpu" ] || continue
		echo 0 >"$cpu/online" && echo 1 >"$cpu/online" || return 1
	done
	"$bin/firmware" exits
}

uses_x2apic()
{
	dmesg | grep -i "x2apic enabled"
}

caller=/sys/kernel/debug/caller
insmod /lib/modules/caller.ko

plan 23
t "booted by ${VM_LOADER:-the firmware}" [ "${BOOTED_BY:-}" = "${VM_LOADER:-}" ]
t "the firmware's table names the hypervisor" "$bin/firmware" table
t "the microkernel has said that it runs" sh -c "$bin/firmware dump | grep '^microkernel: '"
t "no VMX and no SVM" hides_virtualisation
t "what is executed on each CPU exits there" "$bin/firmware" exits
if [ -n "${X2APIC:-}" ]; then
	t "Linux uses the local APICs as x2APIC" uses_x2apic
else
	skip "Linux uses the local APICs as x2APIC" "it has been told nothing of it"
fi
t "Linux uses XSAVE" grep -qw xsave /proc/cpuinfo
t "the hypervisor's memory is reserved" "$bin/firmware" reserved
t "and each page of it is the decoy" "$bin/firmware" hidden
t "no CPU leaves if the extension is asked" asks_to_leave 0x4B534C46 0xbf000000400000ff
t "nor by the microkernel" asks_to_leave 0x706F747346426B6D 0
t "the module has adopted it" state_is running
t "and knows each CPU as a guest" all_guests
t "bfm dump has what the microkernel said" sh -c "bfm dump | grep '^microkernel: '"
t "exits are counted by reason" counts_exits
t "and traced" traces_exits
if [ "$(cpus)" = 1 ]; then
	skip "CPUs go offline and come back" "there is one only"
else
	t "CPUs go offline and come back" cpus_go_and_come
fi
t "a stop is refused" gives 1 "$(sentence STARTED_BEFORE)" bfm stop
t "a late launch, too" gives 1 "$(sentence STARTED_BEFORE)" bfm start
t "the module goes, and the hypervisor stays" goes_and_comes
t "adopted again" all_guests
t "what is executed on each CPU still exits" "$bin/firmware" exits
t "no complaint of the kernel" dmesg_clean
