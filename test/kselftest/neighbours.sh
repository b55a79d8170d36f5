# SPDX-License-Identifier: GPL-2.0-only
# Others who want the CPUs: bfm check names VirtualBox and VMware (test/kselftest/neighbours has
# modules of their names), and a copy of our own module under another name is refused.
. ./tap.sh

# named MODULE TEXT: bfm check says so, and does not when it has gone; a start is possible.
named()
{
	insmod "/lib/modules/$1.ko" && gives 0 "$2" bfm check && cycles 1 && rmmod "$1" &&
		! bfm check | grep -qF "$2"
}

# The copy is told why, in the kernel log; nothing of the first one is lost. busybox ends with the
# errno.
twin_refused()
{
	gives 16 "Device or resource busy" insmod /lib/modules/twinflank.ko || return 1
	dmesg | tail -n 3 | grep -F "another copy of this module is loaded" && [ -c /dev/bareflank ]
}

# Once the first one has gone, the other is as good.
twin_alone()
{
	rmmod bareflank && insmod /lib/modules/twinflank.ko && cycles 1 || return 1
	gives 16 "Device or resource busy" insmod /lib/modules/bareflank.ko && cycles 1 &&
		rmmod twinflank
	result=$?
	load
	return $result
}

plan 10
snapshot /tmp/state.before
t "VirtualBox" named vboxdrv "VirtualBox (vboxdrv)"
t "VMware" named vmmon "VMware (vmmon)"
t "a second copy of the module, while stopped" twin_refused
t "start" start
t "a second copy of the module, while running" twin_refused
t "every CPU is still a guest" all_guests
t "stop" stop
t "the copy alone" twin_alone
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
