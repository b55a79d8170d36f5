# SPDX-License-Identifier: GPL-2.0-only
# Guests of an extension that do nothing but loop, with and without interrupts, beside Linux under
# load; and guests that the CPU refuses: test/ext/foreign/loop.c.
. ./tap.sh

loop=0x4000f100
seen=0x4000f101
refused=0x4000f102

# kinds of guests
plain=0
interrupts_on=1
interrupts_off=2
high_cr8=3
never_on=4
stubborn=0x100

# what is refused
state=0
controls=1
twice=2

# A process on every CPU that is in its guest whenever it has the CPU. Not to be called through t.
loops_begin()
{
	loopers=
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		"$bin/cpuid" $loop "$1" $cpu &
		loopers="$loopers $!"
		cpu=$((cpu + 1))
	done
	sleep 1
}

loops_end()
{
	kill $loopers
	wait $loopers
} 2>/dev/null

# local timer interrupts of a CPU
ticks()
{
	awk -v column=$(($1 + 2)) '$1 == "LOC:" { print $column }' /proc/interrupts
}

# Every CPU has its ticks, whatever time this machine has been given for them.
ticks_go_on()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		before=$(ticks $cpu)
		n=0
		until [ "$(ticks $cpu)" -gt $((before + 3)) ]; do
			n=$((n + 1))
			[ $n -lt 100 ] || {
				echo "CPU $cpu: $before, then $(ticks $cpu)"
				return 1
			}
			sleep 0.1
		done
		cpu=$((cpu + 1))
	done
}

# Every guest has run, and has had exits for Linux, and no others.
guests_looped()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		set -- $("$bin/cpuid" $seen 0 $cpu)
		echo "CPU $cpu: $((0x$1)) exits for Linux, $((0x$4)) rounds;" \
			"$((0x$2)) other exits or failures ($3)"
		[ $((0x$1)) -gt 1 ] && [ $((0x$2)) = 0 ] && [ $((0x$4)) -gt 0 ] || {
			bfm dump | grep -A 1 'foreign: '
			return 1
		}
		cpu=$((cpu + 1))
	done
}

# mended WHAT: on every CPU the refused entry came to the extension, and it could mend the guest.
mended()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		set -- "$1" $("$bin/cpuid" $refused "$1" $cpu)
		echo "CPU $cpu: $((0x$2)) of $((0x$4)) checks failed, line $((0x$3))"
		[ $((0x$2)) = 0 ] && [ $((0x$4)) -gt 0 ] || {
			bfm dump | tail -n 40
			return 1
		}
		cpu=$((cpu + 1))
	done
}

# The same VS again, and nothing changed: the CPU is Linux's again, without the extension.
fails_the_second_time()
{
	"$bin/cpuid" $refused $twice 0
	wait_for failed && says VS_INVALID
}

plan 25
snapshot /tmp/state.bare
load_begins
t "start" start /kselftest/ext/foreign-loop
for kind in plain interrupts_on interrupts_off high_cr8 never_on; do
	# In Bochs an entry with IF clear masks interrupts that are to exit, until the guest changes
	# IF.
	if [ $kind = never_on ] && is_slow; then
		for what in "Linux has its ticks" "NMIs reach every CPU" "the guests run"; do
			skip "$kind: $what" "not in Bochs"
		done
		continue
	fi
	eval "loops_begin \$$kind"
	t "$kind: Linux has its ticks" ticks_go_on
	t "$kind: NMIs reach every CPU" sh -c "echo 20 >$probe/nmi"
	loops_end
	t "$kind: the guests run" guests_looped
done
loops_begin $((stubborn | plain))
t "a guest that goes on first: Linux has its ticks" ticks_go_on
t "a guest that goes on first: NMIs reach every CPU" sh -c "echo 20 >$probe/nmi"
loops_end
load_ends
t "no verification of the load failed" load_verdict
t "a guest state that the CPU refuses comes back, and can be mended" mended $state
t "so do controls that it refuses" mended $controls
t "every CPU is a guest" all_guests
t "the same state for the second time is a failure" fails_the_second_time
bfm stop >/dev/null
t "start again, and stop" cycles 1
t "no complaint of the kernel" dmesg_clean
