# SPDX-License-Identifier: GPL-2.0-only
# The example extensions in C++, with its library and without, in Rust and in C: each does the main
# job.
wrappers=rust-wrappers
. ./wrappers.sh

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

# --- the crate's wrappers of libext: test/ext/rust

reads_banner()
{
	answers "$(cat /proc/version)" read "$(symbol linux_banner)"
}

finds_the_same()
{
	bfm call rust-wrappers same "$(symbol linux_banner)" | grep '^true at 0x[0-9a-f]*$'
}

# What is written is what Linux has: the host's name, behind that of the system (uname -s).
sets_hostname()
{
	at=$(printf '%x' $((0x$(symbol init_uts_ns) + 65)))
	answers "$(hostname)" read "$at" && answers written name "$at" written-by-rust &&
		gives 0 written-by-rust hostname
}

levels()
{
	answers "" levels && said 'error: level -1$' 1 && said 'warning: level 0x00ab$' 1 &&
		said 'level that' 0
}

cuts_off()
{
	answers "$(yes abab | head -n 1024 | tr -d '\n')" long
}

# And one that is too large is refused, with the name of its status.
emits()
{
	answers "INVALID_INPUT_REG2 (status 0xdead000000040003)" emit &&
		bfm read rust-wrappers >/tmp/read && cat /tmp/read &&
		[ "$(tr '\n' ' ' </tmp/read)" = "oooo record 0x00ab oooo " ]
}

names_exit()
{
	"$bin/cpuid" 0 0 0 && answers CPUID exit
}

# A hidden breakpoint, where the CPU can have one (test/kselftest/hooks.sh), and what is watched.
hooks()
{
	at=$(symbol __x64_sys_sethostname)
	if bfm start "$exts/rust-wrappers" --arg "at=0x$at" --arg watch=yes >/tmp/refusal 2>&1; then
		hostname one && hostname two && answers 2 count && said 'called with 0x' 2
	else
		cat /tmp/refusal
		grep 'this CPU has no monitor trap flag' /tmp/refusal &&
			touch /tmp/unwatchable &&
			bfm start "$exts/rust-wrappers"
	fi
}

instructions()
{
	decodes 8b448bf8 "4 bytes, MOV Register Memory, r4, at 0x6ff8" &&
		decodes f0480fb10f "5 bytes, CMPXCHG Memory Register, rwl8, at 0x7000" &&
		decodes 8305100000007f "7 bytes, ADD Memory Immediate, rw4, at 0x17" &&
		decodes 0fa2 "2 bytes" &&
		gives 1 "none that the decoder knows" bfm call rust-wrappers decode 06 &&
		gives 1 "more bytes are needed" bfm call rust-wrappers decode 48
}

# An interrupt for Linux can end each turn.
own_vm()
{
	n=0
	while said=$(bfm call rust-wrappers vm) && [ "$said" = more ]; do
		n=$((n + 1))
		[ $n -lt 1000 ] || break
	done
	echo "after $n interrupts: $said"
	[ "$said" = 'done' ] || { bfm dump | tail -n 20; return 1; }
}

modprobe msr
use_registers >/tmp/registers || exit 1
snapshot /tmp/state.bare
plain >/tmp/plain.bare

plan 105
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
t "rust-wrappers: a hook, where there can be one" hooks
t "rust-wrappers: a string of Linux's" reads_banner
t "rust-wrappers: the same by its physical address" finds_the_same
t "rust-wrappers: what cannot be read says why" \
	gives 1 "the page tables map nothing there, after 0" bfm call rust-wrappers read 10
t "rust-wrappers: writing to Linux's memory" sets_hostname
t "rust-wrappers: at most ten lines of a burst" eval 'answers "" burst && said "burst " 10'
t "rust-wrappers: levels" levels
t "rust-wrappers: a reply is cut off where it has no room" \
	cuts_off
t "rust-wrappers: records" emits
t "rust-wrappers: an exit by its name" names_exit
t "rust-wrappers: a hypercall of a program's" \
	gives 0 "0x5a0003 0x99" "$bin/hypercall" 0x52555354 0x99
t "rust-wrappers: exceptions" exceptions
if [ -e /tmp/unwatchable ]; then
	skip "rust-wrappers: control and debug registers" "nothing can be watched here"
else
	t "rust-wrappers: control and debug registers" registers
fi
t "rust-wrappers: what instructions do" instructions
t "rust-wrappers: an address by Linux's registers" answers true address
t "rust-wrappers: instructions of a guest are emulated" answers true emulator
t "rust-wrappers: a VM of its own" own_vm
t "rust-wrappers: VMs come and go, and what is refused" answers true vms
t "rust-wrappers: it ends when it cannot go on" gives 1 "" bfm call rust-wrappers fail
t "rust-wrappers: and that is in the report" \
	eval 'wait_for failed && gives 1 "error: asked to, by VS" bfm status'
t "the state of every CPU is what it was" same_state /tmp/state.bare
t "no complaint of the kernel" dmesg_clean
