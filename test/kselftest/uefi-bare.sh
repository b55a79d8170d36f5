# SPDX-License-Identifier: GPL-2.0-only
# bareflank.efi could not start the hypervisor, and Linux has booted without it. With Secure Boot,
# Linux takes only what is signed.
signed=/kselftest/signed
module=$signed/bareflank.ko
. ./tap.sh

lockdown=/sys/kernel/security/lockdown
[ -e $lockdown ] || mount -t securityfs securityfs /sys/kernel/security

# A late launch tells, where the CPU can.
is_bare()
{
	if grep -qw svm /proc/cpuinfo; then
		start --microkernel $signed/microkernel $signed/default && stop
	else
		gives 1 "$("$bin/rawctl" sentence NO_VIRT)" bfm start
	fi
}

plan 4
t "booted by UEFI" test -d /sys/firmware/efi
if grep -qF '[none]' $lockdown; then
	t "no table of a hypervisor's" gives 1 "no table of a hypervisor's" "$bin/firmware" table
else
	skip "no table of a hypervisor's" "the kernel is locked down, and /dev/mem with it"
fi
t "no hypervisor is there" is_bare
t "no complaint of the kernel" dmesg_clean
