# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests of the test build (make faults), which takes the place of the module and the
# microkernel in this test.
# shellcheck shell=sh
. ./tap.sh

parameters=/sys/module/bareflank/parameters
others=$(ls -d /sys/devices/system/cpu/cpu[1-9]*/online 2>/dev/null)

swap_in()
{
	mkdir -p /tmp/faults && cp $lib/default /kselftest/faults/microkernel /tmp/faults &&
		rmmod bareflank && insmod /kselftest/faults/bareflank.ko || return 1
	export BAREFLANK_LIBDIR=/tmp/faults
}

swap_out()
{
	unset BAREFLANK_LIBDIR
	rmmod bareflank && load
}

# arm KIND NTH
arm()
{
	echo "$1 $2" >$parameters/fault
}

# points KIND: how many there have been since the last arm
points()
{
	sed -n "s/^$1 //p" $parameters/fault
}

# Ends whatever runs: what failed is taken back by the module, what did not stop is asked again.
bare_again()
{
	n=0
	until bfm status | grep -qE '^state *(stopped|failed)$'; do
		bfm stop >/dev/null 2>&1
		n=$((n + 1))
		[ $n -lt 100 ] || { bfm status; return 1; }
	done
	no_guests
}
