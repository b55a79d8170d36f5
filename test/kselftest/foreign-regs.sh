# SPDX-License-Identifier: GPL-2.0-only
# What extensions made for the original rely on in ids, registers and arguments:
# test/ext/foreign/regs.cc.
. ./tap.sh

# EAX things looked at, EBX of these wrong, ECX line of the first, EDX exits
verdict=0x4000f00d

# good: every CPU has looked and found nothing wrong
good()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		set -- $("$bin/cpuid" $verdict 0 $cpu)
		echo "CPU $cpu: $((0x$1)) looked at, $((0x$2)) wrong, line $((0x$3)), $((0x$4)) exits"
		[ $((0x$1)) -gt 0 ] && [ $((0x$2)) = 0 ] && [ $((0x$4)) -gt 0 ] || {
			bfm dump | grep -A 3 'foreign: '
			return 1
		}
		cpu=$((cpu + 1))
	done
}

plan 9
snapshot /tmp/state.bare
t "start" start /kselftest/ext/foreign-regs
t "every CPU is a guest" all_guests
t "it finds what extensions rely on" good
t "stop" stop
t "the state of every CPU is what it was" same_state /tmp/state.bare
t "start again" start /kselftest/ext/foreign-regs
t "it finds the same again" good
t "stop again" stop
t "no complaint of the kernel" dmesg_clean
