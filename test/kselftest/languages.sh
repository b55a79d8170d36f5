# SPDX-License-Identifier: GPL-2.0-only
# The example extensions in C++, with its library and without, in Rust and in C: each does the main
# job.
. ./tap.sh

extensions="cxx-example rust-example hello msr-trace cpuid-table rust-msr-trace"

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

# A write of what is there is a line of the example in Rust.
eip_is_traced()
{
	old=$("$bin/msr" 0 0x176)
	"$bin/msr" 0 0x176 "$old" && gives 0 "$old" "$bin/msr" 0 0x176 || return 1
	bfm dump |
		grep "rust-msr-trace: PP 0: SYSENTER_EIP: $old, then $old, by RIP 0xf.*, 1 times"
}

# What a panic leaves: the file with its line, and the message.
panics()
{
	start rust-msr-trace --arg panic-at=0x176 || return 1
	"$bin/msr" 0 0x176 "$("$bin/msr" 0 0x176)"
	wait_for failed || return 1
	bfm status >/tmp/status
	cat /tmp/status
	grep -q 'it had said: PP 0: panicked at .*src/lib.rs:[0-9]*:[0-9]*' /tmp/status &&
		grep -q 'it had said: .*MSR 0x176 was written' /tmp/status
}

modprobe msr
snapshot /tmp/state.bare
plain >/tmp/plain.bare

plan 85
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
t "rust-msr-trace: start" start rust-msr-trace
t "rust-msr-trace: a write is a line" eip_is_traced
t "rust-msr-trace: stop" stop
t "rust-msr-trace: an argument that it does not know" \
	gives 1 "it had said: argument" bfm start rust-msr-trace --arg panic=0
t "rust-msr-trace: a panic is in the report, with file and line" panics
t "the state of every CPU is what it was" same_state /tmp/state.bare
t "no complaint of the kernel" dmesg_clean
