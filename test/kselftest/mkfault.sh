# SPDX-License-Identifier: GPL-2.0-only
# Errors of the microkernel itself, provoked by a hypercall that only the test build has: the CPU
# goes on in fallback, all are taken back, and everything works the next time.
. ./faults.sh

last=$(($(cpus) - 1))

# provoke NAME: on the last CPU
provoke()
{
	taskset "$(printf %x $((1 << last)))" sh -c "echo $1 >$parameters/provoke"
}

# survives NAME ERROR SENTENCE: what the microkernel has printed tells the error by this pattern
survives()
{
	start && provoke "$1" && wait_for failed && says "$2" && no_guests &&
		same_state /tmp/state.before || return 1
	bfm dump | tail -n 60 | grep -qE "$3" && return 0
	bfm dump | tail -n 60
	return 1
}

plan 14
t "the test build is in" swap_in
export BAREFLANK_LIBDIR=/tmp/faults
snapshot /tmp/state.before
t "a page fault" survives page MK_FAULT 'exception 14'
t "a general protection fault" survives gp MK_FAULT 'exception 13'
t "a stack overflow" survives stack MK_FAULT 'exception 8'
t "a failed assertion" survives assert MK_FAULT 'exception 6'
t "a divide error" survives divide MK_FAULT 'exception 0'
t "an invalid opcode" survives ud MK_FAULT 'exception 6'
t "a fault with a lock held" survives lock MK_FAULT 'exception 14'
t "once more: the lock is free" survives lock MK_FAULT 'exception 14'
if grep -qw svm /proc/cpuinfo; then
	t "a VMRUN that is refused" survives insn VS_INVALID 'VMRUN refused'
else
	t "a VMREAD that fails" survives insn MK_VMCS 'VMCS field 0x7ffe failed'
fi
t "start and stop afterwards" cycles 1
t "the same state on every CPU" same_state /tmp/state.before
t "the module is put back" swap_out
t "no complaint of the kernel" dmesg_clean
