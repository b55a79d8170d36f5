# SPDX-License-Identifier: GPL-2.0-only
#
# For tests that start an extension of test/ext/foreign. Sourced behind tap.sh.
# shellcheck shell=sh

# EAX things looked at, EBX of these wrong, ECX line of the first, EDX exits, or turns of guests
verdict=0x4000f00d

# good: every CPU has looked and found nothing wrong
good()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		set -- $("$bin/cpuid" $verdict 0 $cpu)
		echo "CPU $cpu: $((0x$1)) looked at, $((0x$2)) wrong, line $((0x$3)), EDX $((0x$4))"
		[ $((0x$1)) -gt 0 ] && [ $((0x$2)) = 0 ] && [ $((0x$4)) -gt 0 ] || {
			bfm dump | grep -E -A 3 '(foreign|fpu): '
			return 1
		}
		cpu=$((cpu + 1))
	done
}
