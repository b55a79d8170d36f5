# SPDX-License-Identifier: GPL-2.0-only
# A VM of an extension's own beside Linux: the example second-vm by what its guest computes, and
# each mode and exit of ext/libext/vm.h by test/ext/vm.c.
. ./tap.sh

# Bochs's SVM does not leave a guest with RFLAGS.IF = 0 for an interrupt, and ends with a triple
# fault.
safe=
[ "$VM_MACHINE" != bochs-svm ] || safe=safe

# turn TEXT: turns of the guest until one does not end with an interrupt for Linux, and ends so
turn()
{
	n=0
	while said=$(bfm call second-vm run); do
		case $said in
		preempted*) ;;
		*) break ;;
		esac
		n=$((n + 1))
		[ $n -lt 1000 ] || break
	done
	echo "after $n preempted: $said"
	case $said in *"$1"*) ;; *) false ;; esac
}

# on each CPU a round, which ends where it began
on_every_cpu()
{
	cpu=0
	while [ $cpu -lt "$(cpus)" ]; do
		on_cpu $cpu turn "halted, RAX = 5000050000" || return 1
		cpu=$((cpu + 1))
	done
}

# The guest's lines: one for each round
lines()
{
	bfm read second-vm >/tmp/read
	cat /tmp/read
	[ "$(grep -cx 'hello from the second VM' /tmp/read)" = "$1" ]
}

# Without an end, each turn is over with the next interrupt, and Linux has had its own time.
looping()
{
	bfm call second-vm load loop || return
	before=$(awk '/^ctxt/ { print $2 }' /proc/stat)
	n=0
	while [ $n -lt 50 ]; do
		said=$(bfm call second-vm run) && [ "$said" = "preempted at 0x1000" ] ||
			{ echo "$said"; return 1; }
		n=$((n + 1))
	done
	after=$(awk '/^ctxt/ { print $2 }' /proc/stat)
	echo "$((after - before)) context switches"
	[ $((after - before)) -ge 50 ]
}

crashing()
{
	bfm call second-vm load crash || return
	turn "triple fault" && gives 1 "the guest has ended" bfm call second-vm run && all_guests
}

# The CPU on which the guest has had its last turn goes, and another one goes on with it.
without_its_cpu()
{
	online=/sys/devices/system/cpu/cpu$(($(cpus) - 1))/online
	on_cpu $(($(cpus) - 1)) turn "halted, RAX = 6" && echo 0 >"$online" || return 1
	turn "halted, RAX = 6"
	status=$?
	echo 1 >"$online"
	return $status
}

# rounds COUNT: starts, turns and stops
rounds()
{
	round=0
	while [ $round -lt "$1" ]; do
		round=$((round + 1))
		start second-vm && turn "halted, RAX = 5000050000" && stop || return 1
	done
}

# Each program of the test extension, up to its last exit.
programs()
{
	bfm call vm begin $safe && goes_on go
}

# goes_on REQUEST: until it is done
goes_on()
{
	n=0
	while said=$(bfm call vm "$1") && [ "$said" = more ]; do
		n=$((n + 1))
		[ $n -lt 1000 ] || break
	done
	echo "after $n interrupts: $said"
	[ "$said" = 'done' ] || { bfm dump | tail -n 20; return 1; }
}

# verdict: what the extension has checked so far was as it should be
held()
{
	said=$(bfm call vm verdict)
	echo "$said"
	case $said in
	"0 held"*) false ;;
	*" 0 did not") ;;
	*) bfm dump | tail -n 40; false ;;
	esac
}

# many: so many VMs have room that it can be seen whether they go
many()
{
	said=$(bfm call vm many) && echo "$said at a time" && [ "$said" -ge 4 ] && held
}

plan 39
# As a CPU is that has been offline: what debuggers have left in DR7 is gone.
last=/sys/devices/system/cpu/cpu$(($(cpus) - 1))/online
[ "$(cpus)" = 1 ] || { echo 0 >"$last" && echo 1 >"$last"; }
snapshot /tmp/state.before
t "start" start second-vm
t "a round on every CPU" on_every_cpu
t "what the guest prints" lines "$(cpus)"
t "it is in the log, too" gives 0 "second-vm: guest: hello from the second VM" bfm dump
if [ -z $safe ]; then
	t "a guest without an end" looping
else
	skip "a guest without an end" "Bochs does not leave it"
fi
t "every CPU is a guest" all_guests
if [ -z $safe ]; then
	t "a triple fault" crashing
else
	skip "a triple fault" "Bochs ends with it"
fi
t "another program after it" gives 0 "loaded" bfm call second-vm load sum
t "it computes the same" turn "halted, RAX = 5000050000"
t "another request" gives 1 "run, or load sum" bfm call second-vm walk
t "stop in the middle of a program" stop
t "start, with an argument" start second-vm --arg count=3
t "it computes by that" turn "halted, RAX = 6"
if [ "$(cpus)" -gt 1 ]; then
	t "its CPU goes offline" without_its_cpu
else
	skip "its CPU goes offline" "there is only one"
fi
t "every CPU is a guest again" all_guests
t "stop" stop
t "beside another one" start default second-vm --arg second-vm:count=4
t "beside another one: it computes" turn "halted, RAX = 10"
t "beside another one: stop" stop
t "every mode and exit: start" start $exts/vm
t "every mode and exit" programs
t "every mode and exit, once more" on_cpu $(($(cpus) - 1)) programs
t "all of it was as it should be" held
t "a loop with interrupts on" gives 0 "" bfm call vm loop
t "a loop of exits" gives 0 "" bfm call vm busy
t "what is refused" gives 0 "" bfm call vm misuse
t "it was refused" held
t "VMs come and go" many
t "in C++: each exit" goes_on c++
t "in C++: on another CPU" on_cpu $(($(cpus) - 1)) goes_on c++
t "in C++: VMs come and go" gives 0 "" bfm call vm c++ many
t "in C++: all of it was as it should be" held
t "every CPU is a guest still" all_guests
t "a VM that is there at the stop" gives 0 "" bfm call vm begin
t "every mode and exit: stop" stop
t "starts, turns and stops" rounds 5
t "no CPU is a guest" no_guests
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
