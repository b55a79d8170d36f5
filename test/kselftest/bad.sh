# SPDX-License-Identifier: GPL-2.0-only
#
# For tests that start test/ext/misbehave. Sourced after tap.sh.
# shellcheck shell=sh

trigger=0x4000dead
last=$(($(cpus) - 1))

cp /kselftest/ext/misbehave /tmp/bad
offset=$(strings -t d -n 10 /tmp/bad | awk '$2 ~ /^MISBEHAVE:/ { print $1; exit }')

# image PLACE CASE
image()
{
	printf '%s %s\0' "$1" "$2" |
		dd of=/tmp/bad bs=64 seek=$((offset + 10)) oflag=seek_bytes conv=notrunc 2>/dev/null
}

# text ERROR [VECTOR]: what bfm says
text()
{
	echo "$("$bin/rawctl" sentence "$1")${2:+ (vector $2)}"
}

# shows STATE TEXT: what bfm status shows
shows()
{
	bfm status >/tmp/status
	grep -q "^state *$1\$" /tmp/status && grep -qF "$2" /tmp/status && return
	echo "expected: $1, $2"
	cat /tmp/status
	bfm dump | tail -n 20
	return 1
}

good_again()
{
	no_guests && start && all_guests && stop
}

# Options of bfm start
options=

# fails_start PLACE CASE TEXT: the start is refused with the error.
fails_start()
{
	image "$1" "$2" && gives 1 "$3" bfm start $options /tmp/bad && shows stopped "$3" && return
	bfm dump | tail -n 20
	bfm stop
	return 1
}

pull()
{
	"$bin/cpuid" $trigger 0 "$last" ${1:+"$1"}
}

# fails_later PLACE CASE TEXT: it starts, fails when triggered, on the last CPU, and all become
# bare. With from=kernel, the kernel pulls the trigger.
fails_later()
{
	image "$1" "$2" && start $options /tmp/bad || return 1
	pull $from >/dev/null && wait_for failed && shows failed "$3" && return
	bfm stop
	return 1
}

# does_no_harm PLACE CASE: all goes on.
does_no_harm()
{
	image "$1" "$2" && start /tmp/bad && pull && all_guests && stop && return
	bfm dump | tail -n 20
	bfm stop
	return 1
}

# fails_stop CASE TEXT: it starts, and misbehaves in place of giving a CPU back.
fails_stop()
{
	image stop "$1" && start $options /tmp/bad || return 1
	bfm stop
	shows stopped "$2" && good_again
}
