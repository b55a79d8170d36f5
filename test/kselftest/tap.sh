# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced by every test. A test says `plan N` first and then makes N calls of t or skip.
# shellcheck shell=sh

bin=/kselftest/bin # programs and files made on the host
exts=/kselftest/ext # test/ext
images=/kselftest/images # what make-images spoilt
probe=/sys/kernel/debug/cpustate # test/kselftest/cpustate
lib=/usr/local/lib/bareflank # where bfm looks
output=/tmp/t.output # of the last t
number=0

plan()
{
	echo "1..$1"
}

# t DESCRIPTION COMMAND [ARGUMENT...]: ok if the command succeeds; else what it printed is shown.
t()
{
	description=$1
	shift
	number=$((number + 1))
	# No pipe: a process that is left behind when the command has failed would keep it open.
	if ("$@") >"$output" 2>&1; then
		echo "ok $number $description"
		return 0
	fi
	echo "not ok $number $description"
	say_output
	return 1
}

# What the last t printed, each line whole.
say_output()
{
	awk '{ print "# " $0 }' "$output"
}

# skip DESCRIPTION REASON
skip()
{
	number=$((number + 1))
	echo "ok $number $1 # SKIP $2"
}

# gives STATUS TEXT COMMAND...: the command ends with STATUS, and TEXT (a fixed string) is in its
# output.
gives()
{
	wanted=$1 text=$2
	shift 2
	said=$("$@" 2>&1)
	status=$?
	echo "$* -> $status"
	echo "$said"
	[ "$status" = "$wanted" ] && case $said in *"$text"*) ;; *) false ;; esac
}

load()
{
	[ -c /dev/bareflank ] || insmod "${module:-/lib/modules/bareflank.ko}"
}

# The tests look themselves whether something fails later, and so many start that seconds count.
# KEEP_CPUS on the kernel's command line: with CPUs that stay in the hypervisor.
start()
{
	bfm start --no-wait ${KEEP_CPUS:+--keep-cpus} "$@" || { bfm dump | tail -n 20; return 1; }
}

stop()
{
	bfm stop "$@"
}

# state_is running|stopped|failed
state_is()
{
	bfm status | grep -q "^state *$1\$" || { bfm status; return 1; }
}

cpus()
{
	grep -c ^processor /proc/cpuinfo
}

# on_cpu CPU COMMAND...: all of it there. A subshell, as that of t, has the $$ of another one.
on_cpu()
{
	self=$(exec sh -c 'echo $PPID') cpu=$1
	shift
	taskset -cp "$cpu" "$self" >/dev/null || return 1
	"$@"
	status=$?
	taskset -cp "0-$(($(cpus) - 1))" "$self" >/dev/null
	return $status
}

# wait_for running|stopped|failed: within a minute, which is for machines that hardly get CPU time
wait_for()
{
	n=0
	until bfm status | grep -q "^state *$1\$"; do
		n=$((n + 1))
		[ $n -lt 1200 ] || { state_is "$1"; return; }
		sleep 0.05
	done
}

# says ERROR: the status has the sentence of that error of abi/errors.h.
says()
{
	sentence=$("$bin/rawctl" sentence "$1")
	bfm status >/tmp/status
	grep -qF "$sentence" /tmp/status && return 0
	echo "expected: $sentence"
	cat /tmp/status
	bfm dump | tail -n 20
	return 1
}

# said_by BEGINNING: the lines that begin so (with "": all) since the last start, at which the
# microkernel has a line of its own.
said_by()
{
	bfm dump 2>/dev/null | awk -v beginning="$1" '
		index($0, "microkernel: ") == 1 && / PPs, / { n = 0 }
		beginning == "" || index($0, beginning) == 1 { line[n++] = $0 }
		END { for (i = 0; i < n; i++) print line[i] }'
}

# symbol NAME: the address of one of the kernel's own, not of a module's, which may be another one
# later; in hexadecimal. To read /proc/kallsyms, or to look at each of its lines in a shell's way,
# takes an emulated CPU long.
symbol()
{
	[ -s /tmp/kallsyms ] || cp /proc/kallsyms /tmp/kallsyms
	grep -Fw "$1" /tmp/kallsyms | awk -v name="$1" '$3 == name { print $1; exit }'
}

# count_state guest|bare|failed|fallback: how many CPUs are in that state
count_state()
{
	bfm status | awk -v state="$1" '$1 ~ /^[0-9]+$/ && $3 == state { n++ } END { print n + 0 }'
}

# Every CPU that is online runs as a guest, and no other.
all_guests()
{
	[ "$(count_state guest)" = "$(cpus)" ] || { bfm status; return 1; }
}

no_guests()
{
	[ "$(count_state guest)$(count_state fallback)" = 00 ] || { bfm status; return 1; }
}

# apics_are_as_wanted: each CPU's local APIC is in the mode that X2APIC on the kernel's command line
# says: 1: x2APIC mode, otherwise not.
apics_are_as_wanted()
{
	snapshot /tmp/state.apics || return 1
	grep ' apic_base ' /tmp/state.apics >/tmp/apics
	[ -s /tmp/apics ] || return 1
	while read -r cpu _ base; do
		[ $((base >> 10 & 3)) = $((2 + ${X2APIC:-0})) ] || break
	done </tmp/apics
	[ -z "$cpu" ] || { echo "CPU $cpu: $base"; return 1; }
}

# The kernel has found nothing wrong.
dmesg_clean()
{
	! dmesg | grep -E -e 'WARNING: (CPU: |[^ ]+:[0-9]+ at )|BUG: |Oops|Call Trace' \
		-e 'rcu.*stall|unchecked MSR'
}

# snapshot FILE: the state of every CPU.
snapshot()
{
	[ -e $probe/state ] || insmod /lib/modules/cpustate.ko || return 1
	cat $probe/state >"$1"
	[ -s "$1" ]
}

# expected_state BARE: what Linux sees now. On AMD, EFER.SVME shows KVM that SVM is in use.
expected_state()
{
	if ! bfm status | grep -q '^state *running$' || ! grep -qw svm /proc/cpuinfo; then
		cat "$1"
		return
	fi
	while read -r cpu name value; do
		[ "$name" != efer ] || value=$(printf '0x%x' $((value | 0x1000)))
		echo "$cpu $name $value"
	done <"$1"
}

# same_state BEFORE: nothing else that Linux can see of any CPU has changed since.
same_state()
{
	expected_state "$1" >/tmp/state.expected && snapshot /tmp/state.now &&
		diff /tmp/state.expected /tmp/state.now
}

# load_begins [STRESSOR...]: load, on every CPU unless stress-ng is told what, with its own
# verification, until load_ends. Not to be called through t, whose command runs in a shell of its
# own that cannot be waited for.
load_begins()
{
	[ $# != 0 ] || set -- --cpu "$(cpus)" --vm 1 --vm-bytes 24M --switch 1
	stress-ng "$@" --verify --timeout 3600 --temp-path /tmp >/tmp/stress.log 2>&1 &
	load_pid=$!
	sleep 1
}

# Ends the load; load_verdict tells whether it went well.
load_ends()
{
	kill -INT $load_pid
	wait $load_pid
	load_status=$?
}

load_verdict()
{
	cat /tmp/stress.log
	echo "status $load_status"
	[ $load_status = 0 ] || dmesg | grep -aE "^[^]]*] (traps: )?stress-ng" -A 1 | tail -n 8
	[ $load_status = 0 ] && grep -q 'successful run completed' /tmp/stress.log &&
		! grep -qE 'fail|verif' /tmp/stress.log
}

# cycles N: starts and stops N times
cycles()
{
	round=0
	while [ $round -lt "$1" ]; do
		round=$((round + 1))
		start || { echo "in round $round"; return 1; }
		bfm stop || { bfm dump | tail -n 20; echo "in round $round"; return 1; }
	done
}

# Whether this kernel and this machine can suspend to RAM.
can_suspend()
{
	[ -e /sys/power/pm_test ] && grep -q '\[deep\]' /sys/power/mem_sleep
}

# Suspends to RAM, as far as the firmware, and resumes at once.
suspend()
{
	echo 0 >/sys/module/suspend/parameters/pm_test_delay
	echo core >/sys/power/pm_test && echo mem >/sys/power/state
	# shellcheck disable=SC2320 # the result of the write is what is asked for
	suspend_result=$?
	echo none >/sys/power/pm_test
	return $suspend_result
}

# KASAN keeps what was freed for a while, a thirty-second of all memory. Of leaks there, kmemleak
# tells: debug.sh.
quarantine=0
[ ! -e /sys/kernel/debug/kmemleak ] || quarantine=65536

# What is free, the slabs that cannot be reclaimed, and vmalloc memory, in KiB.
# The lists of free pages that every CPU keeps are not in MemFree: each may hold 2 MiB and more.
memory()
{
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	awk '$1 == "count:" { free += 4 * $2 }
	     $1 == "MemFree:" || $1 == "Cached:" || $1 == "Buffers:" { free += $2 }
	     $1 == "SUnreclaim:" { slab = $2 }
	     $1 == "VmallocUsed:" { vmalloc = $2 }
	     END { print free, slab, vmalloc }' /proc/zoneinfo /proc/meminfo
}

# less_than NUMBER LIMIT
less_than()
{
	echo "$1 KiB, limit $2"
	[ "$1" -lt "$2" ]
}

# patched EXTENSION WORD PLAN FILE: a copy of the test extension with a plan written after the word
patched()
{
	offset=$(strings -t d -n 8 "/kselftest/ext/$1" |
		awk -v word="$2:" 'index($2, word) == 1 { print $1 + length(word); exit }')
	cp "/kselftest/ext/$1" "$4" && printf %s "$3" |
		dd of="$4" bs=1 seek="$offset" conv=notrunc 2>/dev/null
}

# What the extension has checked in ring 3 (test/ext/lib/verify.h) was as it should be.
verified()
{
	set -- $("$bin/cpuid" 0x4000f00d)
	echo "$((0x$1)) checks held, $((0x$2)) did not"
	[ $((0x$1)) != 0 ] && [ $((0x$2)) = 0 ] || { bfm dump | tail -n 60; return 1; }
}

# Processes that nothing but a test may end.
sleepers_begin()
{
	sleepers=
	for n in 1 2 3 4 5 6 7 8; do
		sleep 100000 &
		sleepers="$sleepers $!"
	done
}

sleepers_live()
{
	for pid in $sleepers; do
		grep -q sleep "/proc/$pid/cmdline" || return 1
	done
}

# The disk of a machine that keeps something from boot to boot; here once it has answered.
disk=/dev/sda
disk_begins()
{
	modprobe ata_piix
	modprobe sd_mod
	n=0
	until [ -b $disk ]; do
		n=$((n + 1))
		[ $n -lt 100 ] || return 1
		sleep 0.1
	done
}

# Machines on which a start takes many times as long as on the others.
is_slow()
{
	case $VM_MACHINE in bochs-*|nested-*) ;; *) false ;; esac
}

# KVM's module for this vendor
kvm_module()
{
	grep -qw svm /proc/cpuinfo && echo kvm-amd || echo kvm-intel
}

# KVM gets a virtual machine, which the process $kvm_holder keeps. Not to be called through t.
kvm_holds()
{
	: >/tmp/kvmhold
	"$bin/kvmhold" 1000 >/tmp/kvmhold &
	kvm_holder=$!
	n=0
	until grep -q ready /tmp/kvmhold || ! kill -0 $kvm_holder 2>/dev/null || [ $n -ge 200 ]; do
		sleep 0.3
		n=$((n + 1))
	done
}

load || exit 1
