# SPDX-License-Identifier: GPL-2.0-only
# The example extensions in C++, with its library and without, in Rust and in C: each does the main
# job.
. ./tap.sh

extensions="cxx-example rust-example hello msr-trace cpuid-table"

# hidden LEAF REGISTER(1-4) BIT: it is 0 on every CPU
hidden()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		value=$("$bin/cpuid" "$1" 0 $cpu | cut -d' ' -f"$2")
		echo "CPU $cpu: $value"
		[ $((0x$value >> $3 & 1)) = 0 ] || return 1
		cpu=$((cpu + 1))
	done
}

# What the examples have no reason to change, as a process sees it.
plain()
{
	for leaf in 0 2 4 6 7 0x40000000 0x80000000 0x80000005 0x80000008; do
		echo "$leaf $("$bin/cpuid" $leaf 0 0)"
	done
	# OSXSAVE: the CPU's own answer in root mode is another one
	echo "osxsave $((0x$("$bin/cpuid" 1 0 0 | cut -d' ' -f3) >> 27 & 1))"
	# SVME shows on AMD that SVM is in use
	echo "efer $(($("$bin/msr" 0 0xc0000080) & ~0x1000))"
}

same_plain()
{
	plain >/tmp/plain.now
	diff /tmp/plain.bare /tmp/plain.now
}

# The loader's leaf from user space is like any other leaf that the CPU lacks.
stop_unprivileged()
{
	"$bin/cpuid" 0x400000ff 0xbf000000 0
	all_guests
}

is_amd()
{
	[ "$(bfm status | awk '$1 == "vendor" { print $2 }')" = AMD ]
}

svm_leaf_empty()
{
	! is_amd || gives 0 "00000000 00000000 00000000 00000000" "$bin/cpuid" 0x8000000a
}

# VM_HSAVE_PA: there is 0, and nothing else can be written; VMX_BASIC
no_capability_msr()
{
	if is_amd; then
		gives 0 0x0 "$bin/msr" 0 0xc0010117 && gives 1 EIO "$bin/msr" 0 0xc0010117 0x1000
	else
		gives 1 EIO "$bin/msr" 0 0x480
	fi
}

modprobe msr
snapshot /tmp/state.bare
plain >/tmp/plain.bare

plan 66
for extension in $extensions; do
	t "$extension: start" start "$extension"
	t "$extension: every CPU is a guest" all_guests
	t "$extension: CPUID hides VMX" hidden 1 3 5
	t "$extension: CPUID hides SVM" hidden 0x80000001 3 2
	t "$extension: the SVM leaf is empty" svm_leaf_empty
	t "$extension: all else is the CPU's" same_plain
	t "$extension: a process cannot stop it" stop_unprivileged
	t "$extension: the MSRs of VMX and SVM do not exist" no_capability_msr
	t "$extension: stop" stop
	t "$extension: no CPU is a guest" no_guests
	t "$extension: the state of every CPU is what it was" same_state /tmp/state.bare
	t "$extension: start again" start "$extension"
	t "$extension: stop again" stop
done
t "no complaint of the kernel" dmesg_clean
