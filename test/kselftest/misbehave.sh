# SPDX-License-Identifier: GPL-2.0-only
# An extension that misbehaves takes nothing with it: Linux goes on, on bare CPUs, bfm says what
# happened, and the next start works. Places and deeds: test/ext/misbehave.c.
. ./tap.sh

trigger=0x4000dead

# image PLACE DEED
image()
{
	offset=$(strings -t d -n 10 /kselftest/ext/misbehave | awk '$2 ~ /^MISBEHAVE:/ { print $1; exit }')
	cp /kselftest/ext/misbehave /tmp/bad && printf %s "$1$2" |
		dd of=/tmp/bad bs=1 seek=$((offset + 10)) conv=notrunc 2>/dev/null
}

says()
{
	sentence=$("$bin/rawctl" sentence "$1")
	bfm status >/tmp/status
	grep -qF "$sentence" /tmp/status || { echo "expected: $sentence"; cat /tmp/status; bfm dump | tail -n 20; return 1; }
}

wait_for()
{
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		bfm status | grep -q "^state *$1\$" && return 0
		sleep 0.25
	done
	state_is "$1"
}

good_again()
{
	no_guests && start && all_guests && stop
}

# fails_start PLACE DEED ERROR: the start is refused with the error.
fails_start()
{
	image "$1" "$2" && refused "$3" && state_is stopped && says "$3" && good_again
}

refused()
{
	sentence=$("$bin/rawctl" sentence "$1")
	gives 1 "$sentence" bfm start /tmp/bad || { bfm dump | tail -n 20; bfm stop; return 1; }
}

# fails_later PLACE DEED ERROR [kernel]: it starts, fails when triggered, on the last CPU, and all become
# bare.
fails_later()
{
	image "$1" "$2" && start /tmp/bad || return 1
	"$bin/cpuid" $trigger 0 $(($(cpus) - 1)) ${4:+"$4"} >/dev/null
	wait_for failed && says "$3" && good_again && return
	bfm stop
	return 1
}

# Giving Linux' CPU back is allowed where the code is mapped that does it, in the kernel.
harmless_later()
{
	image "$1" "$2" && start /tmp/bad && "$bin/cpuid" $trigger 0 $(($(cpus) - 1)) && all_guests &&
		stop && return
	bfm stop
	return 1
}

# fails_stop DEED ERROR: it starts, and does its deed in place of giving a CPU back.
fails_stop()
{
	image p "$1" && start /tmp/bad || return 1
	bfm stop
	says "$2" && good_again
}

harmless()
{
	image "$1" y && start /tmp/bad && all_guests && stop && good_again
}

deeds="e:EXT_EXIT r:EXT_FAULT u:EXT_FAULT n:EXT_FAULT o:EXT_FAULT k:EXT_FAULT m:EXT_FAULT j:EXT_FAULT
	c:EXT_FAULT i:EXT_FAULT h:EXT_FAULT x:EXT_FAULT d:EXT_FAULT v:EXT_FAULT a:EXT_AGAIN"
faults="e:EXT_FAULT u:EXT_FAIL_FAULT n:EXT_FAIL_FAULT o:EXT_FAIL_FAULT r:EXT_FAIL_FAULT w:EXT_WAIT"
is_bochs && deeds="e:EXT_EXIT u:EXT_FAULT o:EXT_FAULT" faults="u:EXT_FAIL_FAULT"

set -- $deeds
count=$#
set -- $faults
plan $((4 * count + $# + 14))
snapshot /tmp/state.before
for deed in $deeds; do
	t "in _start: ${deed%:*}" fails_start s "${deed%:*}" "${deed#*:}"
	t "in bootstrap: ${deed%:*}" fails_start b "${deed%:*}" "${deed#*:}"
	t "in the first exit: ${deed%:*}" fails_start f "${deed%:*}" "${deed#*:}"
	t "in a later exit: ${deed%:*}" fails_later t "${deed%:*}" "${deed#*:}"
done
for deed in $faults; do
	t "in the fail callback: ${deed%:*}" fails_later c "${deed%:*}" "${deed#*:}"
done
t "_start refuses" fails_start r n EXT_EXIT
t "no bootstrap callback" fails_start r b EXT_NO_BOOTSTRAP
t "no vmexit callback" fails_start r v EXT_NO_VMEXIT
t "wait in bootstrap" fails_start b w EXT_WAIT
t "wait in an exit" fails_later t w EXT_WAIT
t "a state that no CPU runs" fails_later t s VS_INVALID
modprobe cpuid
t "a CPU given back without being asked" fails_later t p EXT_PROMOTED kernel
t "a CPU given back in user mode: refused" harmless_later t p
t "exit in place of the stop" fails_stop e EXT_EXIT
t "a fault in place of the stop" fails_stop u EXT_FAULT
t "bad system calls in bootstrap" harmless b
t "bad system calls in an exit" harmless f
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
