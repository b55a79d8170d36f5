# SPDX-License-Identifier: GPL-2.0-only
# A module of Linux that calls an extension: on the bare CPU, with an extension that answers
# nothing, when the extension has just failed, and after the stop. None of it is a fault of the
# kernel's.
. ./tap.sh

call=/sys/kernel/debug/caller/call
trigger=0x4000dead # of test/ext/misbehave.c
unsupported=0xdead000000040001

# says_to_caller LEAF WHAT: what the module hears, and what the CPU executed before
says_to_caller()
{
	echo "$1" >$call || return 1
	[ "$(cat $call)" = "$2" ] || { echo "$(cat $call) in place of $2"; return 1; }
}

# says_to_program RAX WHAT: what a program hears, with 0x99 in RDX
says_to_program()
{
	gives 0 "$2" "$bin/hypercall" "$1" 0x99
}

# hook EXTENSION...: an extension answers calls by the frame's hook.
hook()
{
	t "$*: start" start "$@"
	t "$*: the module's call is answered" says_to_caller 0 0x5a0000
	t "$*: so is a program's, which the hook can tell" says_to_program 0x4b534c46 \
		"0x5a0003 0x99"
	t "$*: another one is not, and has its registers" says_to_program 0x4b534c47 \
		"nobody 0x4b534c47 0x77"
	t "$*: every CPU is a guest" all_guests
	t "$*: stop" stop
}

plan 25
insmod /lib/modules/caller.ko
patched misbehave MISBEHAVE "later exit" /tmp/misbehave
t "the bare CPU: nobody is there" says_to_caller 0 nobody
t "start" start
t "an extension without calls: nobody is there" says_to_caller 0 nobody
t "every CPU is a guest" all_guests
t "stop" stop
t "after the stop: nobody is there" says_to_caller 0 nobody
t "start an extension that fails" start /tmp/misbehave
t "as soon as it has failed: the call is not supported" says_to_caller $trigger $unsupported
t "it has failed" wait_for failed
t "afterwards: nobody is there" says_to_caller 0 nobody
t "a program's call: nobody is there" says_to_program 0x4b534c46 "nobody 0x4b534c46 0x77"
hook "$exts/hypercalls"
hook hello "$exts/hypercalls"
t "after the stop: nobody is there" says_to_caller 0 nobody
t "no complaint of the kernel" dmesg_clean
