# SPDX-License-Identifier: GPL-2.0-only
# The process that runs a guest is owed a barrier against what the guest has trained to predict
# branches, where Linux has that mitigation (VMSCAPE). Linux started with setcpuid=686, which is
# X86_FEATURE_IBPB_EXIT_TO_USER, has it on any CPU.
. ./tap.sh

device=/dev/kvm
counts=/sys/module/predictions/parameters

begin()
{
	insmod /lib/modules/bareflank_kvm.ko && start guests && insmod /lib/modules/predictions.ko
}

# As many runs as the client has exits; before the first one nothing is due.
owed()
{
	taskset 1 "$bin/kvm_client" $device real_io || return 1
	grep . $counts/due $counts/not_due
	[ "$(cat $counts/due)" -ge 6 ] && [ "$(cat $counts/not_due)" -ge 2 ]
}

if ! grep -qw setcpuid=686 /proc/cmdline; then
	plan 1
	skip "a barrier before the process goes on" "Linux has it on CPUs that need it"
	exit
fi
plan 6
t "begin" begin
t "a process that runs a guest is owed a barrier" owed
rmmod predictions
t "stop" stop
t "the module goes" rmmod bareflank_kvm
t "start and stop" cycles 1
t "no complaint of the kernel" dmesg_clean
