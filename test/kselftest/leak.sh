# SPDX-License-Identifier: GPL-2.0-only
# Memory: what is taken comes back. A chunk of the page pool (64 KiB at least) that were lost in
# every cycle would show many times over.
. ./tap.sh

count=50
is_slow && count=15

# measured: what COUNT starts and stops took, in KiB
measured()
{
	set -- $(memory)
	cycles $count || return 1
	set -- "$@" $(memory)
	taken="$(($1 - $4)) $(($5 - $2)) $(($6 - $3))"
	echo "free, slab, vmalloc: $taken KiB"
}

# Each CPU keeps slabs and stacks of its own for what is asked for next, which it has to be given
# first: with many CPUs, these cycles take a batch or more for each 16. What is lost is lost in all.
settled()
{
	for batch in $(seq $((1 + $(cpus) / 16))); do
		measured || return 1
		set -- $taken
		[ "$1" -lt $((count * 20 + quarantine)) ] &&
			[ "$2" -lt $((count * 8 + quarantine)) ] &&
			[ "$3" -lt $((count * 4)) ] && return
	done
	return 1
}

plan 3
t "warm up" cycles 5
t "$count starts and stops take no memory" settled
t "no complaint of the kernel" dmesg_clean
