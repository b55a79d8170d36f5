# SPDX-License-Identifier: GPL-2.0-only
# Random system calls on every CPU at once, from _start, bootstrap and exits: each is answered as it
# should be, and Linux, the microkernel and its pools are as before. test/ext/fuzz.c does it; a
# FUZZ_SEED on the kernel's command line chooses the seed.
. ./tap.sh

leaf=0x4000f022
total=100000
is_slow && total=10000
seed=$(printf %08d "${FUZZ_SEED:-1}")
batch=50 # as in fuzz.c
each=$((total / $(cpus) / batch)) # batches on each CPU

calls()
{
	sum=$("$bin/cpuid-all" $leaf 0 $each)
	echo "$sum calls"
	[ "$sum" = $((each * batch * $(cpus))) ]
}

measure()
{
	"$bin/cpuid" $leaf 2 0
}

clean()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		"$bin/cpuid" $leaf 1 $cpu || return 1
		cpu=$((cpu + 1))
	done
}

plan 14
snapshot /tmp/state.before
t "an image with seed $seed" patched fuzz FUZZ-SEED "$seed" /tmp/fuzz
t "start, with calls in _start and bootstrap" start --watchdog 100s /tmp/fuzz
t "the pools" measure
t "calls so far: all answered well" verified
is_slow || load_begins
t "$total calls" calls
if is_slow; then
	skip "the load never computed wrongly" "no load: this machine is slow"
else
	load_ends
	t "the load never computed wrongly" load_verdict
fi
t "all is given back" clean
t "the pools again" measure
t "all was answered well, and the pools are as before" verified
t "every CPU is a guest" all_guests
t "stop" stop
t "the same state on every CPU" same_state /tmp/state.before
t "start and stop again" cycles 1
t "no complaint of the kernel" dmesg_clean
