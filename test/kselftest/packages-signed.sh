# SPDX-License-Identifier: GPL-2.0-only
# Under Secure Boot, as far as a kernel can tell: it takes the modules that DKMS has signed, and the
# images that bareflank-mok has, once the firmware has the key.
. ./tap.sh

images=/usr/lib/bareflank
lockdown=/sys/kernel/security/lockdown
[ -e $lockdown ] || mount -t securityfs securityfs /sys/kernel/security

unsigned()
{
	head -c -1 $images/default >/tmp/default
	gives 4 "$("$bin/rawctl" sentence IMAGE_UNSIGNED)" bfm start /tmp/default
}

plan 9
t "the kernel insists on signatures" \
	sh -c "echo 1 >/sys/module/module/parameters/sig_enforce && echo integrity >$lockdown"
t "the module is unloaded" rmmod bareflank
t "and taken again" insmod /lib/modules/bareflank.ko
t "the module for guests" insmod /lib/modules/bareflank_kvm.ko
t "start" start
t "every CPU is a guest" all_guests
t "stop" stop
t "an image without its signature is refused" unsigned
t "no complaint of the kernel" dmesg_clean
