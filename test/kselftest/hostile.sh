# SPDX-License-Identifier: GPL-2.0-only
# Requests in memory that comes late, goes or changes while they are read, and processes that do
# everything at once: the module serves on, and nothing is lost. A FUZZ_SEED on the kernel's command
# line chooses the seed.
. ./tap.sh

seed=${FUZZ_SEED:-1}
mk=/kselftest/stripped/microkernel ext=/kselftest/stripped/default
steps=60 starts=40
is_slow && steps=15 starts=10

plan 12
t "warm up" cycles 3
set -- $(memory)
free=$1 slab=$2 vmalloc=$3
t "requests that wait for their memory keep nobody from working" "$bin/slow" stuck $mk $ext
t "an image that changes behind its copy" "$bin/slow" change $mk $ext
t "$starts starts with images that change all the time" "$bin/slow" flip $starts $mk $ext
t "sequences of requests, hotplug and kills" "$bin/sequence" "$seed" $steps $mk $ext
set -- $(memory)
t "free memory is as it was" less_than $((free - $1)) $((4096 + quarantine))
t "slab memory is as it was" less_than $(($2 - slab)) $((2048 + quarantine))
t "vmalloc memory is as it was" less_than $(($3 - vmalloc)) 256
t "start" start
t "every CPU is a guest" all_guests
t "stop" stop
t "no complaint of the kernel" dmesg_clean
