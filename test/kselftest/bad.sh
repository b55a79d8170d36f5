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

# What comes of each place and case, for misbehave and soak.
# place:case:outcome[:vector]
# shellcheck disable=SC2034
calls="
start:exit:EXT_EXIT bootstrap:exit:EXT_EXIT last:exit:EXT_EXIT first:exit:EXT_EXIT
later:exit:EXT_EXIT
fail-start:exit:EXT_FAULT:0 fail-last:exit:EXT_FAULT:0 fail-later:exit:EXT_FAULT:0
start:wait:EXT_NO_BOOTSTRAP bootstrap:wait:EXT_WAIT last:wait:EXT_WAIT first:wait:EXT_WAIT
later:wait:EXT_WAIT fail-start:wait:EXT_WAIT fail-last:wait:EXT_WAIT fail-later:wait:EXT_WAIT
start:again:EXT_AGAIN bootstrap:again:EXT_AGAIN last:again:EXT_AGAIN first:again:EXT_AGAIN
later:again:EXT_AGAIN fail-start:again:OK fail-last:again:OK fail-later:again:OK
start:return:EXT_FAULT:14 bootstrap:return:EXT_FAULT:14 last:return:EXT_FAULT:14
first:return:EXT_FAULT:14 later:return:EXT_FAULT:14 fail-start:return:EXT_FAIL_FAULT:14
fail-last:return:EXT_FAIL_FAULT:14 fail-later:return:EXT_FAIL_FAULT:14
start:runs:OK fail-start:runs:EXT_FAULT:0
start:set_active:OK bootstrap:set_active:OK last:set_active:OK
first:set_active_and_return:EXT_FAULT:14 later:set_active_and_return:EXT_FAULT:14
bootstrap:run_another:VS_INVALID last:run_another:VS_INVALID first:run_another:VS_INVALID
later:run_another:VS_INVALID fail-last:run_another:VS_INVALID fail-later:run_another:VS_INVALID
first:change_and_run_another:VS_INVALID later:change_and_run_another:VS_INVALID
first:run_current:OK later:run_current:OK fail-later:run_current:OK fail-later:advance:OK
fail-last:launch:OK
bootstrap:launch_and_promote:EXT_PROMOTED last:launch_and_promote:EXT_PROMOTED
fail-last:launch_and_promote:EXT_PROMOTED first:promote:EXT_PROMOTED later:promote:OK
first:bad_state:VS_INVALID later:bad_state:VS_INVALID first:bad_event:VS_INVALID
later:bad_event:VS_INVALID fail-later:bad_event:VS_INVALID
first:scribble:EXT_FAULT:6 later:scribble:EXT_FAULT:6
start:harmless:OK bootstrap:harmless:OK last:harmless:OK first:harmless:OK later:harmless:OK
fail-later:ud2:EXT_FAIL_FAULT:6 fail-last:ud2:EXT_FAIL_FAULT:6 fail-start:ud2:EXT_FAIL_FAULT:6
fail-later:recursion:EXT_FAIL_FAULT:14 fail-last:recursion:EXT_FAIL_FAULT:14
fail-start:recursion:EXT_FAIL_FAULT:14
bootstrap:bad_calls:OK first:bad_calls:OK
"
if grep -qw vmx /proc/cpuinfo; then
	calls="$calls later:bad_activity:VS_INVALID later:bad_vpid:VS_INVALID"
else
	calls="$calls bootstrap:launch_silently:MK_SELFTEST last:launch_silently:MK_SELFTEST"
fi
