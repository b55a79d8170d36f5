# SPDX-License-Identifier: GPL-2.0-only
# Linux's memory by ext/libext/memory.h, and the examples that look into Linux, or change what it
# sees, by what they find.
. ./tap.sh

sysenter_eip=0x176
lstar=0xc0000082

# as_kernel LEAF: the kernel executes CPUID, on CPU 0
as_kernel()
{
	"$bin/cpuid" "$1" 0 0 kernel >/dev/null
}

# --- memory.h

everywhere()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		"$bin/say" $cpu || { bfm dump | tail -n 20; return 1; }
		cpu=$((cpu + 1))
	done
}

memory_h()
{
	t "memory: start" start "$exts/memory"
	t "memory: on each CPU" everywhere
	t "memory: stop" stop
	t "memory: nobody listens" gives 1 "now: over the end of a page" "$bin/say" 0
}

# --- cpuid-filter

# filtered LEAF SUBLEAF REGISTER...: CPUID gives these; - is what it was without the filter
filtered()
{
	now=$("$bin/cpuid" "$1" "$2" 0)
	bare=$(sed -n "s/^$1 $2: //p" /tmp/bare)
	echo "$1 $2: $bare, then $now"
	shift 2
	set -- "$@" $bare $now
	for wanted in "$1" "$2" "$3" "$4"; do
		[ "$wanted" != - ] || wanted=$5
		[ "$9" = "$wanted" ] || return 1
		shift
	done
}

remember_bare()
{
	for leaf in "0x80000002 0" "0x80000003 0" "0xb 0" "0xb 1"; do
		echo "$leaf: $("$bin/cpuid" $leaf 0)"
	done >/tmp/bare
}

refused()
{
	text=$1
	shift
	gives 1 "it had said: $text" bfm start "$@" && no_guests
}

cpuid_filter()
{
	t "cpuid-filter: start" start cpuid-filter --arg leaf=0x80000002 \
		--arg set-eax=0x74736554 --arg clear-ecx=0xffffff00 --arg or-ecx=0x5500 \
		--arg or-edx=0xffffffff
	t "cpuid-filter: the leaf" filtered 0x80000002 0 74736554 - \
		"$(awk '/^0x80000002 0/ { print "000055" substr($5, 7) }' /tmp/bare)" ffffffff
	t "cpuid-filter: no other leaf" filtered 0x80000003 0 - - - -
	t "cpuid-filter: stop" stop
	t "cpuid-filter: the leaf is the CPU's again" filtered 0x80000002 0 - - - -
	t "cpuid-filter: of one subleaf: start" start cpuid-filter --arg leaf=0xb \
		--arg subleaf=1 --arg set-ebx=0x12345678
	t "cpuid-filter: this subleaf" filtered 0xb 1 - 12345678 - "$("$bin/cpuid" 0xb 1 0 |
		cut -d ' ' -f 4)"
	t "cpuid-filter: no other subleaf" filtered 0xb 0 - - - "$("$bin/cpuid" 0xb 0 0 |
		cut -d ' ' -f 4)"
	t "cpuid-filter: stop" stop
	t "cpuid-filter: which leaf?" refused "cpuid-filter: PP 0: error: which leaf?" \
		cpuid-filter --arg set-eax=1
	t "cpuid-filter: too many bits" refused \
		"cpuid-filter: PP 0: error: or-edx=0x100000000: it has more than 32 bits" \
		cpuid-filter --arg leaf=1 --arg or-edx=0x100000000
	t "cpuid-filter: nothing to do" refused \
		"cpuid-filter: PP 0: error: nothing to change" cpuid-filter --arg leaf=1
}

# --- exit-stats

# Of CPUIDs that it has counted on CPU 0.
counted()
{
	as_kernel 0x4f000001
	said_by exit-stats: | sed -n 's/^exit-stats: PP 0: \([0-9]*\) CPUID$/\1/p' | tail -n 1
}

# A program that executes at least so many CPUIDs there is counted.
counts()
{
	first=$(counted)
	n=0
	while [ $n -lt 20 ]; do
		"$bin/cpuid" 0 0 0 >/dev/null
		n=$((n + 1))
	done
	second=$(counted)
	echo "$first, then $second"
	[ "$first" -ge 1 ] && [ "$second" -ge $((first + 21)) ]
}

every_pp_is_there()
{
	as_kernel 0x4f000001
	[ "$(said_by exit-stats: | grep -c 'PP [0-9]*: [0-9]* exits$')" -ge "$(cpus)" ]
}

# Of user space the leaf is one like others.
not_asked()
{
	before=$(said_by exit-stats: | wc -l)
	"$bin/cpuid" 0x4f000001 0 0
	[ "$(said_by exit-stats: | wc -l)" = "$before" ]
}

by_itself()
{
	n=0
	while [ $n -lt 20 ]; do
		"$bin/cpuid" 0 0 0 >/dev/null
		n=$((n + 1))
	done
	[ "$(said_by exit-stats: | grep -c 'PP 0: [0-9]*0 exits$')" -ge 2 ]
}

exit_stats()
{
	t "exit-stats: start" start exit-stats
	t "exit-stats: each PP" every_pp_is_there
	t "exit-stats: CPUIDs" counts
	t "exit-stats: a program cannot ask" not_asked
	t "exit-stats: stop" stop
	t "exit-stats: every 10: start" start exit-stats --arg every=10
	t "exit-stats: every 10" by_itself
	t "exit-stats: every 10: stop" stop
}

# --- vmi

# processes FILE: "PID NAME" of all processes that are not the kernel's own; these as "PID", as
# /proc adds to their names. PF_KTHREAD of the flags tells. Nothing is executed for it: each time
# that is done there are exits.
processes()
{
	for at in /proc/[0-9]*; do
		{ read -r stat <"$at/stat"; } 2>/dev/null || continue
		name=${stat#*(}
		set -- "$1" ${stat##*) }
		[ $(($8 & 0x200000)) = 0 ] && echo "${at#/proc/} ${name%)*}" || echo "${at#/proc/}"
	done >"$1"
}

# What /proc has before and after is in the list, and the list has nothing else but what came and
# went: sh and what it has started.
same_processes()
{
	processes /tmp/before
	as_kernel 0x4f000002
	processes /tmp/after
	said_by vmi: | sed -n 's/^vmi: \([0-9]* [^ ].*\)$/\1/p' | grep -v ' processes$' >/tmp/list
	awk '{ pid = $1; name = substr($0, length(pid) + 2) }
	     FILENAME == "/tmp/list" { listed[pid] = name; next }
	     FILENAME == "/tmp/before" { before[pid] = name; seen[pid]; next }
	     { seen[pid] }
	     (pid in before) && before[pid] == name {
		found++
		if (!(pid in listed) || (name != "" && listed[pid] != name)) {
			print "missing: " $0
			bad = 1
		}
	     }
	     END {
		for (pid in listed)
			if (pid != 0 && !(pid in seen) && listed[pid] !~ /^(cpuid|sh)$/) {
				print "invented: " pid " " listed[pid]
				bad = 1
			}
		print found " found"
		exit bad || found < 10
	     }' /tmp/list /tmp/before /tmp/after
}

total()
{
	said_by vmi: | tail -n 1 | grep -q "^vmi: $(wc -l </tmp/list) processes\$" &&
		grep -q '^0 swapper' /tmp/list && [ "$(grep -c ' sleep$' /tmp/list)" -ge 8 ]
}

# An address that is none ends the walk, with the reason.
lost()
{
	as_kernel 0x4f000002
	said_by vmi: | tee /tmp/new
	grep -q "vmi: PP 0: error: 0x[0-9a-f]*: $1" /tmp/new && all_guests
}

vmi()
{
	init_task=0x$(symbol init_task)
	set -- $("$bin/btf" task_struct tasks pid comm)
	set -- --arg vmi:tasks="$1" --arg vmi:pid="$2" --arg vmi:comm="$3"
	sleepers_begin
	t "vmi: start" start vmi "$@" --arg init_task="$init_task"
	t "vmi: the same processes as in /proc" same_processes
	t "vmi: all of them" total
	t "vmi: stop" stop
	t "vmi: behind another extension: start" start rootkit-watch vmi \
		"$@" --arg vmi:init_task="$init_task"
	t "vmi: behind another extension: the same processes" same_processes
	t "vmi: behind another extension: stop" stop
	t "vmi: before another extension: start" start vmi rootkit-watch \
		"$@" --arg vmi:init_task="$init_task"
	t "vmi: before another extension: LSTAR" tampers lstar LSTAR
	t "vmi: before another extension: stop" stop
	kill $sleepers
	t "vmi: nothing is mapped there: start" start vmi "$@" --arg init_task=0xfffff00000000000
	t "vmi: it says why it ends" lost "the page tables map nothing there"
	t "vmi: stop" stop
}

# --- rootkit-watch

said()
{
	said_by rootkit-watch: | tee /tmp/new
	[ "$(grep -v ': debug: ' /tmp/new | wc -l)" = "$1" ]
}

# does WHAT: the module that does what rootkits do
does()
{
	insmod /lib/modules/tamper.ko what="$1" && rmmod tamper
}

# tampers WHAT NAME: the module does, and these two lines are new: it is not as it was, and it is
# again.
tampers()
{
	before=$(said_by rootkit-watch: | grep -c ': warning: ')
	does "$1" && "$bin/cpuid" 0 0 0
	said_by rootkit-watch: | tail -n "+$((before + 1))" | tee /tmp/new
	sed -n 1p /tmp/new |
		grep -q "rootkit-watch: PP 0: warning: $2 was 0x.*, is 0x.*, at RIP 0xffffffff" &&
		grep -q "rootkit-watch: PP 0: warning: $2 was 0x.*, is 0x" /tmp/new &&
		[ "$(wc -l </tmp/new)" = 2 ]
}

has()
{
	grep -qw "$1" /proc/cpuinfo
}

bit_of_cr4()
{
	if has "$1"; then
		t "rootkit-watch: CR4.$2" tampers "$1" "CR4\.$2"
	else
		skip "rootkit-watch: CR4.$2" "this CPU does not have it"
	fi
}

# Whether CR0 and CR4 are watched here: Intel's CPUs without the monitor trap flag cannot.
watches()
{
	! bfm start io-trace 2>&1 | grep -q 'this CPU has no monitor trap flag' && stop
}

# With CR4.CET, nothing clears CR0.WP.
has_cet()
{
	cr4=$(awk '$1 == 0 && $2 == "cr4" { print $3 }' /tmp/state.bare)
	[ $((cr4 >> 23 & 1)) = 1 ]
}

# at_once NAME COMMAND...: what nothing looks at in between.
at_once()
{
	name=$1
	shift
	if [ $watches = no ] || has_cet; then
		skip "rootkit-watch: $name, at once" "nothing can be watched here, or be cleared"
	else
		t "rootkit-watch: $name, at once" "$@"
	fi
}

# The last gate changes, and back: a line for each, by the module, between those for CR0.WP.
gate()
{
	before=$(said_by rootkit-watch: | wc -l)
	does gate
	said_by rootkit-watch: | tail -n "+$((before + 1))" | tee /tmp/new
	[ "$(grep -c 'the IDT is written to, .*ff[0-9a-f], at RIP 0xffffffff' /tmp/new)" = 2 ] &&
		[ "$(grep -c 'CR0.WP was' /tmp/new)" = 2 ] && [ "$(wc -l </tmp/new)" = 4 ]
}

# A value goes there and comes back: a line for each.
sysenter()
{
	old=$("$bin/msr" 0 $sysenter_eip)
	"$bin/msr" 0 $sysenter_eip 0xffffffff81234560 && "$bin/msr" 0 $sysenter_eip "$old" || return
	said_by rootkit-watch: | tail -n 2 | tee /tmp/new
	sed -n 1p /tmp/new | grep -q "SYSENTER_EIP was $old, is 0xffffffff81234560" &&
		sed -n 2p /tmp/new | grep -q "SYSENTER_EIP was 0xffffffff81234560, is $old"
}

# What it was already is no change.
same_lstar()
{
	before=$(said_by rootkit-watch: | wc -l)
	"$bin/msr" 0 $lstar "$("$bin/msr" 0 $lstar)" &&
		[ "$(said_by rootkit-watch: | wc -l)" = "$before" ]
}

exits()
{
	n=0
	while [ $n -lt "$1" ]; do
		"$bin/cpuid" 0 0 0 >/dev/null
		n=$((n + 1))
	done
}

# A probe puts a breakpoint, or a call, into the code of a function.
probes()
{
	[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing || return
	before=$(said_by rootkit-watch: | wc -l)
	exits 4
	[ "$(said_by rootkit-watch: | wc -l)" = "$before" ] || return 1
	echo "p:bf $1" >/sys/kernel/tracing/kprobe_events &&
		echo 1 >/sys/kernel/tracing/events/kprobes/bf/enable || return 1
	exits 4
	said_by rootkit-watch: | tail -n "+$((before + 1))" | tee /tmp/new
	echo 0 >/sys/kernel/tracing/events/kprobes/bf/enable
	echo >/sys/kernel/tracing/kprobe_events
	line=$(printf '0x%x' $((0x$(symbol "$1") & ~63)))
	grep -q "rootkit-watch: PP [0-9]*: code has changed in the 64 bytes at $line\$" /tmp/new
}

rootkit_watch()
{
	function=do_sys_openat2
	page=$((0x$(symbol $function) & ~4095))
	watches=no
	watches >/dev/null && watches=yes
	t "rootkit-watch: start" start rootkit-watch --arg text="$(printf 0x%x $page)" \
		--arg text-end="$(printf 0x%x $((page + 8192)))"
	exits 8
	t "rootkit-watch: Linux does nothing of it" said 0
	t "rootkit-watch: a module that does nothing" does nothing
	t "rootkit-watch: nor is that anything" said 0
	t "rootkit-watch: CR0.WP" tampers wp "CR0\.WP"
	at_once "CR0.WP" tampers fast-wp "CR0\.WP"
	at_once "a gate of the IDT" gate
	bit_of_cr4 smep SMEP
	bit_of_cr4 smap SMAP
	bit_of_cr4 umip UMIP
	t "rootkit-watch: the IDT" tampers idt "IDT limit"
	t "rootkit-watch: the GDT" tampers gdt "GDT limit"
	t "rootkit-watch: LSTAR" tampers lstar LSTAR
	t "rootkit-watch: SYSENTER_EIP" sysenter
	t "rootkit-watch: LSTAR, the same value" same_lstar
	t "rootkit-watch: a probe" probes $function
	t "rootkit-watch: stop" stop
	t "rootkit-watch: no code is there" refused \
		"rootkit-watch: PP 0: error: text=0xfffff00000000000: the page tables map nothing" \
		rootkit-watch --arg text=0xfffff00000000000 --arg text-end=0xfffff00000001000
}

plan 57
modprobe msr
modprobe cpuid
remember_bare
snapshot /tmp/state.bare
memory_h
cpuid_filter
exit_stats
vmi
rootkit_watch
t "the same state on every CPU" same_state /tmp/state.bare
t "no complaint of the kernel" dmesg_clean
