# SPDX-License-Identifier: GPL-2.0-only
# KVM's interface in the hands of a user who has no rights but to open it, and means no good: guests
# of any code, requests of any kind, from threads that are in each other's way, and processes that
# are killed. FUZZ_SEED and KVM_FUZZ_SECONDS (of CPU time) are from the kernel's command line.
. ./tap.sh

device=/dev/kvm
seed=${FUZZ_SEED:-1}
seconds=${KVM_FUZZ_SECONDS:-20}
# QEMU has guests that end it. Bochs has no way out of guests that loop with interrupts off:
# docs/testing.md.
case $VM_MACHINE in
qemu-*) spare=qemu ;;
bochs-*) spare=still ;;
esac

begin()
{
	insmod /lib/modules/bareflank_kvm.ko && chmod 666 $device && start guests
}

fuzz()
{
	"$bin/kvm_fuzz" $device "$1" "$2" $spare >/tmp/fuzz 2>&1
	fuzz_status=$?
	while read -r line; do
		echo "$line"
		echo "<0>kvm_fuzz: $line" >/dev/kmsg
	done </tmp/fuzz
	return $fuzz_status
}

# Each VM and each vCPU that there was can be had.
all_there()
{
	[ "$("$bin/kvm_fuzz" $device all | tee /tmp/all)" = "$all" ] || { cat /tmp/all; return 1; }
}

# Tables for more memory than all of the guests before had, at once.
many_tables()
{
	timeout -s KILL 60 "$bin/kvm_client" $device sparse
}

# What the hypervisor holds, in bytes.
held()
{
	bfm status --json | sed -n 's/.*"memory": \([0-9]*\).*/\1/p'
}

still_as_large()
{
	now=$(held)
	echo "$began_with bytes, then $now"
	[ "$now" = "$began_with" ]
}

nobody_has_guests()
{
	bfm status --json >/tmp/guests
	cat /tmp/guests
	grep -q '"guests": \[\]' /tmp/guests
}

plan 14
t "begin" begin
all=$("$bin/kvm_fuzz" $device all)
fuzz "$seed" 2 >/dev/null
many_tables >/dev/null
began_with=$(held)
set -- $(memory)
free=$1 slab=$2 vmalloc=$3
t "$seconds seconds, seed $((seed + 1))" fuzz $((seed + 1)) "$seconds"
t "every CPU is a guest" all_guests || bfm dump | tail -n 20
t "nobody has guests" nobody_has_guests
t "all VMs and vCPUs are there" all_there
t "a guest needs many tables" many_tables
t "for which there was memory, as before" still_as_large
set -- $(memory)
t "free memory is as it was" less_than $((free - $1)) $((4096 + quarantine))
t "slab memory is as it was" less_than $(($2 - slab)) $((2048 + quarantine))
t "vmalloc memory is as it was" less_than $(($3 - vmalloc)) 256
t "stop" stop
t "start and stop" cycles 1
t "the module goes" rmmod bareflank_kvm
t "no complaint of the kernel" dmesg_clean
