# SPDX-License-Identifier: GPL-2.0-only
# The rules for VMs, VPs, VSs and memory, tried by test/ext/objects.c on every CPU.
. ./tap.sh

leaf=0x4000f0b1

# rules DESCRIPTION: the next group of them
rules()
{
	t "$1" follows $group
	group=$((group + 1))
}

# follows GROUP
follows()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		set -- "$1" $("$bin/cpuid" $leaf "$1" $cpu)
		echo "CPU $cpu: $((0x$3)) checks held, $((0x$2)) did not"
		[ "$2" = 00000000 ] && [ "$3" != 00000000 ] ||
			{ bfm dump | tail -n 40; return 1; }
		cpu=$((cpu + 1))
	done
}

refused()
{
	gives 1 "$("$bin/rawctl" sentence EXT_PROMOTED)" bfm start /kselftest/ext/promote
}

group=0
plan 17
snapshot /tmp/state.before
t "start" start /kselftest/ext/objects
rules "ids: the lowest first, and again when they are free"
rules "what has children stays, what is not there is refused"
rules "what is active stays"
rules "all VMs, VPs, VSs"
rules "all pages: what fails for want of one takes none"
rules "the huge pool: sizes, holes, neighbours"
rules "two VSs in turn, each with its own registers"
rules "direct maps: each VM has its own"
rules "another PP's VS"
t "every CPU is a guest" all_guests
t "stop" stop
t "the same state on every CPU" same_state /tmp/state.before
t "a CPU given back before it is a guest: refused" refused
t "no guests are left" no_guests
t "start and stop again" cycles 1
t "no complaint of the kernel" dmesg_clean
