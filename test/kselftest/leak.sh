# SPDX-License-Identifier: GPL-2.0-only
# Memory: what is taken comes back. A chunk of the page pool (64 KiB at least) that were lost in
# every cycle would show many times over.
. ./tap.sh

count=50
is_slow && count=15

# The lists of free pages that every CPU keeps are not in MemFree: each may hold 2 MiB and more.
measure()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	awk '$1 == "count:" { free += 4 * $2 }
	     $1 == "MemFree:" || $1 == "Cached:" || $1 == "Buffers:" { free += $2 }
	     $1 == "SUnreclaim:" { slab = $2 }
	     $1 == "VmallocUsed:" { vmalloc = $2 }
	     END { print free, slab, vmalloc }' /proc/zoneinfo /proc/meminfo
}

# less_than NUMBER LIMIT
less_than()
{
	echo "$1 KiB, limit $2"
	[ "$1" -lt "$2" ]
}

plan 6
t "warm up" cycles 5
set -- $(measure)
free=$1 slab=$2 vmalloc=$3
t "$count starts and stops" cycles $count
set -- $(measure)
t "free memory is as it was" less_than $((free - $1)) $((count * 20))
t "slab memory is as it was" less_than $(($2 - slab)) $((count * 8))
t "vmalloc memory is as it was" less_than $(($3 - vmalloc)) $((count * 4))
t "no complaint of the kernel" dmesg_clean
