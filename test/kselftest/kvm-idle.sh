# SPDX-License-Identifier: GPL-2.0-only
# KVM is loaded but has no VM, so the hardware is free: the start succeeds, and KVM finds itself
# refused until the stop. While it has a VM it is the start that is refused.
. ./tap.sh

module=$(kvm_module)

# Newer kernels take the hardware as soon as the module is loaded, unless told not to; a kvm that
# another test has left behind was not told.
load_kvm()
{
	rmmod kvm 2>/dev/null
	modprobe kvm enable_virt_at_load=0
	modprobe $module
}

# Kernels from 6.3 on look at CPUID first, and say EIO; older ones at EFER or CR4, and say EBUSY.
no_vm()
{
	gives 1 "Device or resource busy" "$bin/kvmhold" 1 ||
		gives 1 "Input/output error" "$bin/kvmhold" 1
}

# With its defaults, which from 6.12 on is to take the hardware at once: there it does not load.
load_refused()
{
	rmmod kvm
	if modprobe $module 2>/tmp/said; then
		no_vm && rmmod $module
	else
		cat /tmp/said
		grep -qE 'Device or resource busy|Input/output error|not supported' /tmp/said
	fi
}

# modprobe is silent about what it finds loaded.
load_plain()
{
	rmmod kvm 2>/dev/null
	modprobe $module && [ -c /dev/kvm ]
}

plan 19
t "KVM loads" load_kvm
t "start" start
t "no virtual machine can be made" no_vm
t "nor at a second attempt" no_vm
t "every CPU is still a guest" all_guests
t "stop" stop
kvm_holds
t "a virtual machine can be made" grep -q ready /tmp/kvmhold
t "start is refused" gives 1 "$("$bin/rawctl" sentence VIRT_BUSY)" bfm start
kill $kvm_holder
wait $kvm_holder
t "start and stop without it" cycles 1
t "KVM goes" rmmod $module
t "start without KVM" start
t "KVM comes, and gets nothing" load_refused
t "every CPU is a guest all the same" all_guests
t "stop without KVM" stop
t "KVM comes" load_plain
kvm_holds
t "a virtual machine can be made again" grep -q ready /tmp/kvmhold
kill $kvm_holder
wait $kvm_holder
t "KVM goes again" rmmod $module
t "start and stop" cycles 1
t "no complaint of the kernel" dmesg_clean
