# SPDX-License-Identifier: GPL-2.0-only
# Linux changes its own code while all CPUs run it, as with each static key, tracer and livepatch:
# INT3 first, then the rest, with an IPI to all CPUs between.
. ./tap.sh

key=/proc/sys/kernel/sched_schedstats
changes=300
is_slow && changes=100
changes=${PATCHING_CHANGES:-$changes}

# In the scheduler, which the load is never out of. An even number leaves it as it was.
change_code()
{
	n=0
	while [ $n -lt "$changes" ]; do
		echo $(((n + 1) % 2)) >$key || return 1
		n=$((n + 1))
	done
}

plan 8
cat $key >/tmp/key.before
load_begins --switch "$(cpus)"
t "$changes changes without the hypervisor" change_code
t "start" start
t "$changes changes as a guest" change_code
t "every CPU is still a guest" all_guests
t "stop" stop
load_ends
t "the load went well" load_verdict
t "Linux's own setting is as before" cmp /tmp/key.before $key
t "no complaint of the kernel" dmesg_clean
