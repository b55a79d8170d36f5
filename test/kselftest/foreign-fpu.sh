# SPDX-License-Identifier: GPL-2.0-only
# Linux and two guests with values of their own in the registers of the FPU, which an extension
# switches in ring 3: test/ext/foreign/fpu.c. Nobody may find those of another.
. ./tap.sh
. ./verdict.sh

switch=0x4000f0f0
faults=0x4000f0f1
turns=5
rounds=60

# hold MODE: Linux's registers hold while guests run, on every CPU, and the guests find theirs.
hold()
{
	"$bin/fpu" hold $switch $(($1 << 16 | turns)) $rounds >/tmp/fpu
	status=$?
	set -- $(cat /tmp/fpu)
	echo "$1 rounds, $2 with changed registers; $3 turns of guests, $4 with changed registers"
	[ $status = 0 ] && [ "$1" = $((3 * rounds * $(cpus))) ] && [ "$2" = 0 ] &&
		[ "$3" = $((2 * rounds * turns * $(cpus))) ] && [ "$4" = 0 ] && good
}

# The same with exits of the kernel's, which has the registers of a process loaded.
hold_in_kernel()
{
	"$bin/fpu" hold 0 0 $((rounds * 10)) >/tmp/fpu &
	holder=$!
	times=0
	wanted=$(printf '%08x %08x' $turns 0)
	while [ $times -lt 20 ] || kill -0 $holder 2>/dev/null; do
		times=$((times + 1))
		set -- ffffffff
		while [ "$1" = ffffffff ]; do
			cpu=$((times % $(cpus)))
			"$bin/cpuid" $switch $turns $cpu kernel >/tmp/answer || break 2
			set -- $(cat /tmp/answer)
		done
		[ "$1 $2" = "$wanted" ] || break
	done
	wait $holder
	status=$?
	cat /tmp/fpu /tmp/answer
	echo "$times times"
	[ $status = 0 ] && [ "$1 $2" = "$wanted" ] && good
}

bare_hold()
{
	"$bin/fpu" hold 0 0 $rounds
}

# In ring 3 of root mode the FPU raises what it raises in a process.
same_faults()
{
	set -- $("$bin/cpuid" $faults) "$("$bin/fpu" faults)"
	echo "$1 in an extension, $5 in a process, $bare_faults on a bare CPU"
	[ $((0x$1)) = "$bare_faults" ] && [ "$5" = "$bare_faults" ] &&
		[ $((bare_faults & 1)) = 1 ] && good
}

plan 13
modprobe cpuid
snapshot /tmp/state.bare
bare_faults=$("$bin/fpu" faults)
t "the registers hold on bare CPUs" bare_hold
t "start" start /kselftest/ext/foreign-fpu
t "every CPU is a guest" all_guests
t "XSAVE" hold 0
t "FXSAVE" hold 1
t "a guest without AVX in its XCR0" hold 2
t "XSAVE again" hold 0
t "exits of Linux's kernel" hold_in_kernel
t "exceptions of the FPU in ring 3" same_faults
t "the state of every CPU, as Linux sees it" same_state /tmp/state.bare
t "stop" stop
t "the registers hold afterwards" bare_hold
t "no complaint of the kernel" dmesg_clean
