# SPDX-License-Identifier: GPL-2.0-only
# What the guest sees: no VMX, no SVM, and everything else as on the bare CPU; what it may not do.
. ./tap.sh

bit()
{
	[ $((0x$1 >> $2 & 1)) = "$3" ]
}

# cpuid_bit LEAF REGISTER(1-4) BIT VALUE: so it is on every CPU
cpuid_bit()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		value=$("$bin/cpuid" "$1" 0 $cpu | cut -d' ' -f"$2")
		echo "CPU $cpu: $value"
		bit "$value" "$3" "$4" || return 1
		cpu=$((cpu + 1))
	done
}

# Leaves of which nothing is hidden, all registers.
plain_leaves()
{
	for leaf in 0 2 4 6 7 0xa 0x14 0x16 0x40000000 0x80000000 0x80000002 0x80000003 \
		0x80000004 0x80000005 0x80000006 0x80000007 0x80000008; do
		echo "$leaf $("$bin/cpuid" $leaf 0 0)"
	done
}

# QEMU lets every process execute INVD; the hypervisor, like a real CPU, does not.
case $VM_MACHINE in
qemu-svm | nested-svm) left_out=invd ;;
*) left_out=none ;;
esac

# All are executed. What a KVM below makes of hypercalls and of SVM's instructions, which it does
# not hide from processes where SVM is off, is its own matter.
unprivileged()
{
	"$bin/insns" "$left_out" | case $("$bin/cpuid" 0x40000000) in
	????????" 4b4d564b "*) grep -vE '^(vmm?call|vmrun|vmload|vmsave|stgi|clgi|invlpga)' ;;
	*) cat ;;
	esac
}

same_output()
{
	file=$1
	shift
	"$@" >/tmp/output.now
	diff "$file" /tmp/output.now
}

panic_writes()
{
	"$bin/msr" 0 0xc0010117 0 && "$bin/msr" 0 0xc0010117
}

clears_svme()
{
	"$bin/msr" 0 0xc0000080 $((efer)) && "$bin/msr" 0 0xc0000080
}

svm=0
osxsave=$("$bin/cpuid" 1 | cut -d' ' -f3)
osxsave=$((0x$osxsave >> 27 & 1))
modprobe msr

efer=$("$bin/msr" 0 0xc0000080)
unprivileged >/tmp/insns.bare
plain_leaves >/tmp/leaves.bare

plan 21
t "instructions on the bare CPU" test -s /tmp/insns.bare
t "start" start
t "vendor is known" test "$(bfm status | awk '$1 == "vendor" { print $2 }')" != none
[ "$(bfm status | awk '$1 == "vendor" { print $2 }')" = AMD ] && svm=1
t "CPUID hides VMX" cpuid_bit 1 3 5 0
t "CPUID hides SVM" cpuid_bit 0x80000001 3 2 0
t "CPUID hides SKINIT" cpuid_bit 0x80000001 3 12 0
t "OSXSAVE is what Linux set" cpuid_bit 1 3 27 $osxsave
t "all other leaves are the CPU's" same_output /tmp/leaves.bare plain_leaves
t "unprivileged instructions end as on the bare CPU" same_output /tmp/insns.bare unprivileged
t "no CPU was stopped by them" all_guests
# On AMD, SVME (bit 12) shows that SVM is in use.
running_efer=$(printf '0x%x' $((svm ? efer | 0x1000 : efer)))
t "EFER is what it was" gives 0 "$running_efer" "$bin/msr" 0 0xc0000080
if [ $svm = 1 ]; then
	t "the SVM leaf is empty" gives 0 "00000000 00000000 00000000 00000000" \
		"$bin/cpuid" 0x8000000a
	t "VM_CR: SVM is locked off" gives 0 0x18 "$bin/msr" 0 0xc0010114
	t "VM_CR cannot be written" gives 1 EIO "$bin/msr" 0 0xc0010114 0
	t "VM_HSAVE_PA: 0 can be written, as a panic does" gives 0 0x0 panic_writes
	t "VM_HSAVE_PA: nothing else can be written" gives 1 EIO "$bin/msr" 0 0xc0010117 0x1000
	t "EFER: SVME stays set" gives 0 "$running_efer" clears_svme
else
	feature=$("$bin/msr" 0 0x3a)
	t "FEATURE_CONTROL: VMX is locked off" test $((feature & 7)) = 1
	t "FEATURE_CONTROL cannot be written" gives 1 EIO "$bin/msr" 0 0x3a 5
	t "VMX_BASIC does not exist" gives 1 EIO "$bin/msr" 0 0x480
	t "VMX_VMFUNC does not exist" gives 1 EIO "$bin/msr" 0 0x491
	t "VMX_BASIC cannot be written" gives 1 EIO "$bin/msr" 0 0x480 0
	t "EFER: SVME cannot be set" gives 1 EIO "$bin/msr" 0 0xc0000080 $((efer | 0x1000))
fi
t "EFER: a reserved bit cannot be set" gives 1 EIO "$bin/msr" 0 0xc0000080 $((efer | 0x200))
t "every CPU is still a guest" all_guests
t "stop" stop
t "no complaint of the kernel" dmesg_clean
