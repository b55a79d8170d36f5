# SPDX-License-Identifier: GPL-2.0-only
# An extension that misbehaves takes nothing with it: Linux goes on, on bare CPUs, bfm says what
# happened, and the next start works. Places and cases: test/ext/misbehave.c; what must come of
# them: docs/abi/callbacks.md.
. ./tap.sh
. ./bad.sh

verdict=0x4000f00d

# outcome PLACE CASE ERROR|OK [VECTOR]
outcome()
{
	place=$1 name=$2
	shift 2
	case $place,$1 in
	*,OK) does_no_harm "$place" "$name" ;;
	*later,*) fails_later "$place" "$name" "$(text "$@")" ;;
	*) fails_start "$place" "$name" "$(text "$@")" ;;
	esac && good_again
}

# faults NAME [VECTOR]: an instruction at every place
faults()
{
	said_fault="$fault${2:+ (vector $2)}"
	for place in start bootstrap last first; do
		fails_start $place "$1" "$said_fault" || return 1
	done
	fails_later later "$1" "$said_fault" && good_again
}

# Every instruction in an exit, one after the other: what it raises, and that the fail callback can
# go on with Linux.
sweep()
{
	image sweep - && start /tmp/bad && pull && all_guests && set -- $("$bin/cpuid" $verdict) &&
		stop && good_again || { bfm dump | tail -n 40; bfm stop; return 1; }
	echo "passed 0x$1, failed 0x$2"
	[ $((0x$1)) -gt 100 ] && [ $((0x$2)) = 0 ] || { bfm dump | grep -A 1 '^verify'; return 1; }
}

# place:case:outcome[:vector]
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

# All of it takes 4 CPUs and 4 minutes; with one CPU bootstrap and last are the same place.
instructions=$("$bin/insn-cases" | tr ' ' :)
[ "$last" != 0 ] || {
	calls=$(echo $calls | tr ' ' '\n' | grep -v ^bootstrap:)
	instructions=$(echo "$instructions" | grep -E '^(ud2|recursion|read_kernel):')
}
! is_slow || {
	calls=$(echo "$calls" | grep -E '^(fail-)?later:|_and_promote|launch_silently|:runs')
	instructions=$(echo "$instructions" | grep '^recursion:')
}
fault=$(text EXT_FAULT)

set -- $calls
count=$#
set -- $instructions
plan $((1 + count + $# + 9))
snapshot /tmp/state.before
modprobe cpuid
from=
t "every instruction in an exit" sweep
for row in $calls; do
	t "$(echo "$row" | tr : ' ')" outcome $(echo "$row" | tr : ' ')
done
for name in $instructions; do
	t "${name%:*}" faults $(echo "$name" | tr : ' ')
done
t "_start refuses" outcome unregistered n EXT_EXIT
t "no bootstrap callback" outcome unregistered b EXT_NO_BOOTSTRAP
t "no vmexit callback" outcome unregistered v EXT_NO_VMEXIT
t "exit in place of the stop" fails_stop exit "$(text EXT_EXIT)"
t "a fault in place of the stop" fails_stop ud2 "$(text EXT_FAULT 6)"
from=kernel
t "a CPU given back without being asked" outcome later promote EXT_PROMOTED
t "the same in the fail callback" outcome fail-later promote EXT_PROMOTED
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
