# SPDX-License-Identifier: GPL-2.0-only
# KVM has the hardware: the start is refused until KVM lets go of it.
. ./tap.sh

module=$(kvm_module)

refused()
{
	gives 1 "$("$bin/rawctl" sentence VIRT_BUSY)" bfm start
}

plan 7
t "KVM loads" modprobe $module
kvm_holds
t "a virtual machine exists" grep -q ready /tmp/kvmhold
t "start is refused" refused
t "bfm check says why" gives 1 "$("$bin/rawctl" sentence VIRT_BUSY)" bfm check
kill $kvm_holder
wait $kvm_holder
t "KVM goes" rmmod $module
t "start and stop" cycles 1
t "no complaint of the kernel" dmesg_clean
