# SPDX-License-Identifier: GPL-2.0-only
# A mapping that an extension takes away is gone on a CPU, too, that stays in its extension, and
# what makes that CPU forget it is nothing that Linux notices: test/ext/shootdown.c.
. ./tap.sh

target=0x40005001 shooter=0x40005002 verdict=0x4000f00d
rounds=20
is_slow && rounds=5

shoot()
{
	"$bin/cpuid" $target 0 "$1" >/dev/null &
	"$bin/cpuid" $shooter 0 "$2" >/dev/null && wait
}

# From the first CPU to the last, and back.
rounds()
{
	round=0
	while [ $round -lt $rounds ]; do
		round=$((round + 1))
		shoot $(($(cpus) - 1)) 0 && shoot 0 $(($(cpus) - 1)) || return 1
	done
}

# Six in each direction.
checks()
{
	set -- $("$bin/cpuid" $verdict 0 0)
	echo "passed $1, failed $2"
	[ $((0x$1)) = $((12 * rounds)) ] && [ $((0x$2)) = 0 ] && return
	bfm dump | grep verify
	return 1
}

plan 6
snapshot /tmp/state.before
# The one CPU waits for a process on the other one, which a busy host may hold up.
t "start" start --watchdog 10s /kselftest/ext/shootdown
t "$rounds times to and fro" rounds
t "all checks held" checks
t "stop" stop
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel, about NMIs neither" \
	sh -c ". ./tap.sh; dmesg_clean && ! dmesg | grep -i nmi.*reason"
