# SPDX-License-Identifier: GPL-2.0-only
# bareflank.efi has started the hypervisor before Linux, which is a guest since its first
# instruction. On the kernel's command line: KEEP_ROUNDS: how often CPUs go and come; UNUSED: how
# many CPUs of the machine Linux does not use.
. ./tap.sh

# Those that Linux does not use are guests, too.
is_adopted()
{
	[ "$(count_state guest)" = $(($(cpus) + ${UNUSED:-0})) ] || { bfm status; return 1; }
}

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
	rmmod bareflank && cpus_go_and_come && "$bin/firmware" exits &&
		insmod /lib/modules/bareflank.ko
}

# All but the first one, by INIT, which a guest does not get.
cpus_go_and_come()
{
	for round in $(seq "${KEEP_ROUNDS:-1}"); do
		for file in $others; do
			echo 0 >"$file" && echo 1 >"$file" || { echo "round $round"; return 1; }
		done
	done
}

# set_last 0|1: the last CPU goes or comes, if there are several
set_last()
{
	[ "$present" = 1 ] || echo "$1" >"/sys/devices/system/cpu/cpu$((present - 1))/online"
}

# Even the lightest one.
sleep_is_refused()
{
	echo freezer >/sys/power/pm_test
	! echo freeze >/sys/power/state && dmesg | grep -F "cannot suspend: $(sentence MK_FIRMWARE)"
}

# Each CPU that is online shows what it has, and what is executed there exits to nobody.
is_bare()
{
	for cpu in $(sed -n 's/^processor.*: //p' /proc/cpuinfo); do
		amd=$("$bin/cpuid" 0x80000001 0 "$cpu" | cut -d' ' -f3)
		intel=$("$bin/cpuid" 1 0 "$cpu" | cut -d' ' -f3)
		[ $((0x$amd & 0x4 | 0x$intel & 0x20)) != 0 ] ||
			{ echo "CPU $cpu: $amd, $intel"; return 1; }
	done
	! "$bin/firmware" exits
}

# What a stop does not change. QEMU has one PAT for guest and host, so that the former's is lost.
lasting_state()
{
	snapshot "$1" || return 1
	[ "$VM_MACHINE" != qemu-svm ] || sed -i '/ pat /d' "$1"
}

same_lasting_state()
{
	lasting_state /tmp/state.now && diff "$1" /tmp/state.now
}

says_of_memory()
{
	"$bin/firmware" reserved && ! "$bin/firmware" hidden
}

comes_again()
{
	rmmod bareflank && insmod /lib/modules/bareflank.ko && state_is stopped
}

caller=/sys/kernel/debug/caller
present=$(cpus)
others=$(grep -ls 1 /sys/devices/system/cpu/cpu[1-9]*/online)
insmod /lib/modules/caller.ko

plan 39
t "booted by ${VM_LOADER:-the firmware}" [ "${BOOTED_BY:-}" = "${VM_LOADER:-}" ]
t "the firmware's table names the hypervisor" "$bin/firmware" table
t "the microkernel has said that it runs" sh -c "$bin/firmware dump | grep '^microkernel: '"
t "no VMX and no SVM" hides_virtualisation
t "what is executed on each CPU exits there" "$bin/firmware" exits
t "Linux uses XSAVE" grep -qw xsave /proc/cpuinfo
t "the hypervisor's memory is reserved" "$bin/firmware" reserved
t "and each page of it is the decoy" "$bin/firmware" hidden
t "no CPU leaves if the extension is asked" asks_to_leave 0x4B534C46 0xbf000000400000ff
t "nor by the microkernel" asks_to_leave 0x706F747346426B6D 0
t "the module has adopted it" state_is running
t "and knows each CPU as a guest" is_adopted
t "bfm dump has what the microkernel said" sh -c "bfm dump | grep '^microkernel: '"
t "exits are counted by reason" counts_exits
t "and traced" traces_exits
if [ "$(cpus)" = 1 ]; then
	skip "CPUs go offline and come back" "there is one only"
else
	t "CPUs go offline and come back" cpus_go_and_come
fi
t "their local APICs are in the mode that was wanted" apics_are_as_wanted
t "a late launch is refused" gives 1 "$(sentence STARTED_BEFORE)" bfm start
t "sleep, too, and says why" sleep_is_refused
t "the module goes, and the hypervisor stays" goes_and_comes
t "adopted again" is_adopted
t "what is executed on each CPU still exits" "$bin/firmware" exits
t "state before" lasting_state /tmp/state.before
t "one CPU goes" set_last 0
t "stop" stop
t "it has stopped" state_is stopped
t "the CPUs are bare" is_bare
t "the one that was offline comes" set_last 1
t "and is bare, too" is_bare
t "the same state on every CPU" same_lasting_state /tmp/state.before
t "the memory stays reserved, and hides nothing" says_of_memory
t "CPUs go offline and come back, bare" cpus_go_and_come
t "the module goes and comes, and nobody is there" comes_again
t "a late launch" start
t "every CPU is a guest" all_guests
t "CPUs go offline and come back in it" cpus_go_and_come
t "it stops, too" stop
t "the same state on every CPU again" same_lasting_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
