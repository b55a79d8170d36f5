# SPDX-License-Identifier: GPL-2.0-only
# An extension that only runs guests (test/ext/beside.c) beside the default one, which knows Mk#1
# only: it gets the hypercalls that are for it and the exits of its guest, may do what it is
# allowed, and when it fails, it ends alone. A module (test/kselftest/caller) makes the hypercalls.
. ./tap.sh

beside=/sys/kernel/debug/caller/beside
rights=guests,hypercalls,debug
answers=4265736900000000
unsupported=dead000000040001
denied=dead000000010002

# The operations of test/kselftest/caller/beside.h.
info=0 make=1 run=2 fault=3 loop=4 fault_in_exit=5 loop_in_exit=6 try_denied=7 map=8 across=9
once=4000 ever=4100

# call OPERATION RDX ANSWER: what comes back begins so.
call()
{
	echo "$1 $2" >$beside || return 1
	said=$(cat $beside)
	echo "$said"
	case $said in "$3"*) ;; *) echo "expected: $3"; false ;; esac
}

start_both()
{
	start default $exts/beside --allow "2=$rights" && all_guests
}

# The same with a first one that may not do all, either: what it may is decided with each call.
start_limited()
{
	start default $exts/beside --allow "2=$rights" \
		--allow default=linux,memory,rdmsr,wrmsr,debug && all_guests
}

# And with calls and MSRs that differ from its rights.
start_with()
{
	start default $exts/beside --allow "2=$rights,$1" && all_guests
}

# The log, which goes over all starts, has a line for each call that was not refused.
not_refused()
{
	bfm dump >/tmp/dump
	sed -n 's/.*beside: call \([0-9]*\) gives.*/\1/p' /tmp/dump | tr '\n' ' ' >/tmp/calls
	cat /tmp/calls
	[ "$(cat /tmp/calls)" = "$1" ]
}

counter()
{
	cat /sys/kernel/debug/caller/counter
}

# It counts once, and halts.
runs()
{
	before=$(counter)
	call $run $once "$answers 1 " || return 1
	echo "$before, then $(counter)"
	[ "$(counter)" = $((before + 1)) ]
}

runs_everywhere()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		on_cpu $cpu runs || return 1
		cpu=$((cpu + 1))
	done
	taskset -cp 0 $$ >/dev/null
}

# A guest counts on the last CPU from now on, until its extension has ended. Not through t.
counts()
{
	taskset -c $(($(cpus) - 1)) sh -c "echo $run $ever >$beside" &
	counting=$!
}

is_counting()
{
	before=$(counter) n=0
	while [ "$(counter)" = "$before" ]; do
		n=$((n + 1))
		[ $n -lt 600 ] || return 1
		sleep 0.05
	done
}

# Its process has its answer, and nothing runs any more.
counts_no_more()
{
	n=0
	while kill -0 $counting 2>/dev/null; do
		n=$((n + 1))
		[ $n -lt 600 ] || return 1
		sleep 0.05
	done
	before=$(counter)
	sleep 0.3
	echo "$before, then $(counter)"
	[ "$(counter)" = "$before" ]
}

# The kernel log has such a line, or gets it.
log_has()
{
	n=0
	until dmesg | grep -q "$1"; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.05
	done
}

# ended_by ERROR [CALLBACK]: Linux goes on with the first extension, and bfm says what has become of
# the second.
ended_by()
{
	state_is running && all_guests && says "$1" || return 1
	cat /tmp/status
	grep -q '^ended *extension 2 has failed, and its guests with it$' /tmp/status || return 1
	grep -q "^last failure: CPU [0-9]*, extension 2, .*beside, in ${2:-vmexit}\$" /tmp/status ||
		return 1
	bfm dump >/tmp/dump
	tail -n 30 /tmp/dump
	log_has "bareflank: extension 2 has ended, and its guests: CPU [0-9]*: $sentence " ||
		return 1
	grep -q '^ext 1 has ended, and its guests$' /tmp/dump &&
		grep -q '^last failure: CPU [0-9]*, extension 2,' /tmp/dump
}

# The first one still answers, on every CPU: so it gives them back when asked to.
stops()
{
	said=$(stop 2>&1) || { echo "$said"; return 1; }
	echo "$said"
	[ -z "$said" ] || case $said in *"did not give"*) return 1 ;; esac
	no_guests
}

refused_once()
{
	bfm dump >/tmp/dump
	for number in 3.0 3.1 4.2 5.0 6.3 6.4 6.9 7.0 7.1 8.0 8.2; do
		lines=$(grep -c "^ext 1: has no right to call $number of Mk#1\$" /tmp/dump)
		[ "$lines" = 1 ] || { echo "$number: $lines lines"; return 1; }
	done
	grep -q '^ext 1: has no right to call 8.0 of Mk#2$' /tmp/dump
}

# With all rights it is as ever: if it fails, all is over.
fails_with_all()
{
	start default $exts/beside && all_guests || return 1
	call $fault 0 $unsupported
	wait_for failed && says EXT_FAULT && no_guests
}

# Without the right to a route there is none, and so this extension does not start.
no_route()
{
	gives 1 "$exts/beside: CPU 0: $("$bin/rawctl" sentence EXT_EXIT)" \
		bfm start default $exts/beside --allow "2=guests,debug"
}

# The extension that treats Linux calls the other one (test/ext/across.c), and is called by it.
leaf=0x4000ac05
add=0 entry_faults=1 entry_loops=2 calls_back=3 ended=00800081

start_across()
{
	start $exts/across $exts/beside --allow "2=$rights,calls" && all_guests
}

# across COMMAND STATUS RESULT
across()
{
	said=$("$bin/cpuid" $leaf "$1" 0)
	echo "$said"
	case $said in "00000001 $2 $3 "*) ;; *) bfm dump | tail -n 20; false ;; esac
}

plan 50
insmod /lib/modules/caller.ko
snapshot /tmp/state.before
t "the bare CPU: nobody is there" call $info 0 nobody
t "it may not have what it needs" no_route
t "start" start_both
t "it answers" call $info 0 "$answers 1 "
t "calls without a right are refused" call $try_denied 0 "$answers 0 c"
t "again" call $try_denied 0 "$answers 0 c"
t "the log has each of them once" refused_once
t "a guest" call $make 0 "$answers 0 "
t "it has no memory but RAM" call $map fee00000 "$answers $denied "
t "it runs" runs
t "it runs on every CPU" runs_everywhere
t "Linux is none the wiser" same_state /tmp/state.before
if [ "$(cpus)" -gt 1 ]; then
	counts
	t "a guest counts on another CPU" is_counting
	t "its extension faults" call $fault 0 $unsupported
	t "the guest counts no more" counts_no_more
else
	t "its extension faults" call $fault 0 $unsupported
	skip "a guest counts on another CPU" "one CPU"
	skip "the guest counts no more" "one CPU"
fi
t "Linux and the first extension go on" ended_by EXT_FAULT
t "nobody answers for it" call $info 0 $unsupported
t "stop" stops
t "start again, with limits for both" start_limited
t "a guest" call $make 0 "$answers 0 "
t "a fault in an exit of the guest" call $fault_in_exit $once $unsupported
t "Linux and the first extension go on" ended_by EXT_FAULT
t "stop" stops
if [ "$(cpus)" -gt 1 ]; then
	t "start again" start_both
	call $make 0 "$answers 0 " >/dev/null
	counts
	is_counting
	t "a loop in ring 3" call $loop 0 $unsupported
	t "the guest on another CPU counts no more" counts_no_more
	t "Linux and the first extension go on" ended_by EXT_OVERDUE
	stop >/dev/null 2>&1
	start_both >/dev/null
	call $make 0 "$answers 0 " >/dev/null
	t "a loop in an exit of the guest" call $loop_in_exit $once $unsupported
	t "stop" stops
else
	for n in 1 2 3 4 5 6; do
		skip "a loop, $n" "one CPU: nobody watches"
	done
fi
t "start with a call and an MSR" start_with mem_alloc_page,rdmsr:0xc0000100-0xc0000103
t "these two are not refused" call $try_denied 0 "$answers 2 c"
t "nor others" not_refused "7 9 "
t "stop" stops
t "start without a call and an MSR" start_with memory,-mem_alloc_page,rdmsr,-rdmsr:0xc0000103
t "these two are refused" call $try_denied 0 "$answers 1 c"
t "nor others" not_refused "7 9 10 "
t "stop" stops
t "start two that call each other" start_across
t "the first calls the second" across $add 00000000 00000009
t "but not back" across $calls_back 00000000 00400001
t "the second calls the first" call $across 5 "$answers 0 e"
t "what both have seen" verified
t "the one that is called faults" across $entry_faults $ended 00000000
t "Linux and the first extension go on" ended_by EXT_FAULT entry
t "it cannot be called any more" across $add $ended 00000000
t "nor answers" call $info 0 $unsupported
t "stop" stops
t "with all rights its failure is that of all" fails_with_all
t "the same state on every CPU" same_state /tmp/state.before
rmmod caller
t "no complaint of the kernel" dmesg_clean
