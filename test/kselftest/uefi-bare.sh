# SPDX-License-Identifier: GPL-2.0-only
# bareflank.efi could not start the hypervisor, and Linux has booted without it.
. ./tap.sh

# A late launch tells, where the CPU can.
is_bare()
{
	if grep -qw svm /proc/cpuinfo; then
		start && stop
	else
		gives 1 "$("$bin/rawctl" sentence NO_VIRT)" bfm start
	fi
}

plan 4
t "booted by UEFI" test -d /sys/firmware/efi
t "no table of a hypervisor's" gives 1 "no table of a hypervisor's" "$bin/firmware" table
t "no hypervisor is there" is_bare
t "no complaint of the kernel" dmesg_clean
