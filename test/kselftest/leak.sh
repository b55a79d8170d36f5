# SPDX-License-Identifier: GPL-2.0-only
# Memory: what is taken comes back. A chunk of the page pool (64 KiB at least) that were lost in
# every cycle would show many times over.
. ./tap.sh

count=50
is_slow && count=15

plan 6
t "warm up" cycles 5
set -- $(memory)
free=$1 slab=$2 vmalloc=$3
t "$count starts and stops" cycles $count
set -- $(memory)
t "free memory is as it was" less_than $((free - $1)) $((count * 20 + quarantine))
t "slab memory is as it was" less_than $(($2 - slab)) $((count * 8 + quarantine))
t "vmalloc memory is as it was" less_than $(($3 - vmalloc)) $((count * 4))
t "no complaint of the kernel" dmesg_clean
