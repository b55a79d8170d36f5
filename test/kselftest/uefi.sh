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

caller=/sys/kernel/debug/caller
insmod /lib/modules/caller.ko

plan 14
t "the firmware's table names the hypervisor" "$bin/firmware" table
t "the microkernel has said that it runs" sh -c "$bin/firmware dump | grep '^microkernel: '"
t "no VMX and no SVM" hides_virtualisation
t "what is executed on each CPU exits there" "$bin/firmware" exits
t "Linux uses XSAVE" grep -qw xsave /proc/cpuinfo
t "the hypervisor's memory is reserved" "$bin/firmware" reserved
t "and each page of it is the decoy" "$bin/firmware" hidden
t "no CPU leaves if the extension is asked" asks_to_leave 0x4B534C46 0xbf000000400000ff
t "nor by the microkernel" asks_to_leave 0x706F747346426B6D 0
t "bfm status says what runs" says STARTED_BEFORE
t "bfm check, too" gives 1 "$("$bin/rawctl" sentence STARTED_BEFORE)" bfm check
t "a late launch is refused" gives 1 "$("$bin/rawctl" sentence STARTED_BEFORE)" bfm start
t "what is executed on each CPU still exits" "$bin/firmware" exits
t "no complaint of the kernel" dmesg_clean
