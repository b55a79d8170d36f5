# SPDX-License-Identifier: GPL-2.0-only
# Control and debug registers of Linux's that are watched (ext/libext/watch.h), by the example
# register-trace: Linux and its programs find what they find without, each access is a line, and
# what is kept stays.
. ./tap.sh

# lines COUNT PATTERN: at least so many lines have it.
lines()
{
	said_by "register-trace: PP " >/tmp/said
	tail -n 5 /tmp/said
	[ "$(grep -c "$2" /tmp/said)" -ge "$1" ]
}

tampers()
{
	insmod /lib/modules/tamper.ko what="$1" && rmmod tamper
}

# programs: they find what they find without.
programs()
{
	everywhere >/tmp/found && diff /tmp/expected /tmp/found
}

# many: processes come and go on every CPU.
many()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		n=0
		while [ $n -lt 20 ]; do
			on_cpu $cpu true | cat || return 1
			n=$((n + 1))
		done
		cpu=$((cpu + 1))
	done
}

has()
{
	grep -q "^flags.* $1\( \|$\)" /proc/cpuinfo
}

# With CR4.CET, nothing clears CR0.WP (SDM vol. 3 §2.5): #GP.
has_cet()
{
	cr4=$(awk '$1 == 0 && $2 == "cr4" { print $3 }' /tmp/state.bare)
	[ $((cr4 >> 23 & 1)) = 1 ]
}

# Where CR4 has the bit.
tamper_line()
{
	if has "$1"; then
		t "CR4.$1 is cleared" tampers "$1"
		t "CR4.$1: two lines with what was written" lines 2 "CR4: .* by RIP 0xffffffff"
	else
		skip "CR4.$1 is cleared" "this CPU has none"
		skip "CR4.$1: two lines with what was written" "this CPU has none"
	fi
}

# everywhere: programs work, and each CPU has in DR7 what Linux leaves there.
everywhere()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		on_cpu $cpu "$bin/debugregs" || return 1
		cpu=$((cpu + 1))
	done
}

everywhere >/tmp/expected || exit 1
# On emulated CPUs of Intel's without the monitor trap flag nothing can be watched, which is said.
if bfm start register-trace 2>/tmp/refusal; then
	stop >/dev/null
elif grep -q 'register-trace: nothing can be watched: this CPU has no monitor' /tmp/refusal; then
	plan 2
	t "nothing can be watched here" no_guests
	t "no complaint of the kernel" dmesg_clean
	exit 0
fi

plan 32
snapshot /tmp/state.bare
t "start" start register-trace --arg cr=0x111 --arg dr=0xcf
t "every CPU is a guest" all_guests
t "programs find what they found" programs
t "CR4: a line each time" lines 20 "CR4: "
t "DR0: a line" lines 1 "DR0: 0x"
t "DR7: a line" lines 1 "DR7: 0x"
t "DR6: a line" lines 1 "DR6"
wp_lines=0
if has_cet; then
	skip "CR0.WP is cleared" "Linux uses CET"
	skip "CR0.WP: two lines" "Linux uses CET"
else
	wp_lines=2
	t "CR0.WP is cleared" tampers wp
	t "CR0.WP: two lines" lines $wp_lines "CR0: "
fi
tamper_line smep
tamper_line smap
t "CR0.TS by LMSW and CLTS" tampers task-switched
t "CR0.TS: four lines more" lines $((wp_lines + 4)) "CR0: "
# In QEMU, a reserved bit makes a guest's entry fail afterwards.
case $VM_MACHINE in
qemu-svm)
	skip "a reserved bit gives #GP" "not in QEMU"
	skip "a reserved bit: a line" "not in QEMU"
	;;
*)
	t "a reserved bit gives #GP" \
		gives 14 "Bad address" insmod /lib/modules/tamper.ko what=reserved
	# AMD's #GP comes before the exit (APM vol. 2, table 15-7).
	if grep -q AMD /proc/cpuinfo; then
		skip "a reserved bit: a line" "the exception comes first"
	else
		t "a reserved bit: a line" lines 1 "CR4: 0x.*, then 0x4[0-9a-f]*, by"
	fi
	;;
esac
t "every CPU is a guest still" all_guests
t "stop" stop
t "start, behind another one" start hello register-trace --arg register-trace:cr=0x19 \
	--arg register-trace:keep-cr0=0x10000
t "every CPU is a guest" all_guests
t "CR0.WP is kept" gives 1 "not permitted" insmod /lib/modules/tamper.ko what=wp
t "CR0.WP is kept: a line" lines 1 "CR0: .*: kept, by RIP"
t "processes come and go" many
t "programs find what they found" programs
t "stop" stop
t "CR3 was written on each CPU" lines "$(cpus)" "CR3 was written [0-9][0-9]* times"
t "CR2 cannot be watched" gives 1 "CR by the mask 0x4 cannot be watched" \
	bfm start register-trace --arg cr=4
t "DR4 cannot be watched" gives 1 "DR by the mask 0x10 cannot be watched" \
	bfm start register-trace --arg dr=0x10
t "the same state on every CPU" same_state /tmp/state.bare
t "no complaint of the kernel" dmesg_clean
t "no guest is left" no_guests
