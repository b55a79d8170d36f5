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

# faults PLACES NAME [VECTOR]: an instruction at these places
faults()
{
	said_fault="$fault${3:+ (vector $3)}"
	for place in $(echo "$1" | tr , ' '); do
		case $place in
		later) fails_later later "$2" "$said_fault" ;;
		*) fails_start "$place" "$2" "$said_fault" ;;
		esac || return 1
	done
	good_again
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

# All instructions are tried in an exit, by sweep. With PLACES=all they are in every place, which
# takes minutes.
places=start,bootstrap,last,first,later
instructions=$("$bin/insn-cases" | tr ' ' :)
[ "${PLACES:-}" = all ] ||
	instructions=$(echo "$instructions" | grep -E '^(ud2|recursion|read_kernel):')
# With one CPU, bootstrap and last are the same place.
[ "$last" != 0 ] || {
	calls=$(echo $calls | tr ' ' '\n' | grep -v ^bootstrap:)
	places=start,last,first,later
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
	t "${name%:*} in $places" faults $places $(echo "$name" | tr : ' ')
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
