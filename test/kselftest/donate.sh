# SPDX-License-Identifier: GPL-2.0-only
# Memory that Linux gives the hypervisor while it runs: test/ext/donate.c passes on what
# test/kselftest/src/donate.c, whose memory it is, asks for.
. ./tap.sh

# Both checked: the process, and the extension itself.
donate()
{
	"$bin/donate" "$1" && verified
}

# Nobody is to move the pages meanwhile.
echo 0 >/proc/sys/vm/compact_unevictable_allowed
echo 2 >/proc/sys/vm/nr_hugepages

plan 11
snapshot /tmp/state.before
t "start" start /kselftest/ext/donate
t "what is not Linux's to give" donate refused
t "pages: Linux loses them on every CPU, the pool grows, and they come back" donate pages
t "the same once more" donate pages
if [ "$(cat /proc/sys/vm/nr_hugepages)" -gt 0 ]; then
	t "a block of 2 MiB" donate large
else
	skip "a block of 2 MiB" "Linux has none"
fi
t "every CPU is a guest" all_guests
t "at a stop all is Linux's again" "$bin/donate" left
t "no guests are left" no_guests
t "the same state on every CPU" same_state /tmp/state.before
t "start and stop again" cycles 1
t "no complaint of the kernel" dmesg_clean
