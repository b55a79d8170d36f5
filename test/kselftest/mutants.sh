# SPDX-License-Identifier: GPL-2.0-only
# Images with random mistakes are refused, or contained. MUTANTS on the kernel's command line says
# how many, and FUZZ_SEED which.
. ./tap.sh

count=${MUTANTS:-300}
[ -n "${MUTANTS:-}" ] || ! is_slow || count=60

# What the kernel has complained of: the log may be too short for all that this logs.
taint()
{
	cat /proc/sys/kernel/tainted
}

plan 10
dmesg -n 1 # each failed start has a line
t "warm up" cycles 3
set -- $(memory) $(taint)
free=$1 slab=$2 vmalloc=$3 taint=$4
t "$count mutants" "$bin/mutants" "${FUZZ_SEED:-1}" "$count" /kselftest/stripped/microkernel \
	/kselftest/stripped/default $exts/futile
say_output
set -- $(memory)
t "free memory is as it was" less_than $((free - $1)) $((4096 + quarantine))
t "slab memory is as it was" less_than $(($2 - slab)) $((2048 + quarantine))
t "vmalloc memory is as it was" less_than $(($3 - vmalloc)) 256
t "the kernel is not tainted" [ "$(taint)" = "$taint" ]
t "start" start
t "every CPU is a guest" all_guests
t "stop" stop
t "no complaint of the kernel" dmesg_clean
