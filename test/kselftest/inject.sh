# SPDX-License-Identifier: GPL-2.0-only
# The Nth instruction, allocation, page table, launch, call or NMI fails, while the hypervisor
# starts, stops, and follows CPUs and a suspend: each time everything is taken back, one sentence
# says why, and it works the next time. A few of each kind are tried, from a random one on, or with
# INJECT_STEP=N every Nth, and one at least.
. ./faults.sh

few=2 # of each kind and operation
! is_slow || few=1
kinds=${INJECT_KINDS:-vmcs,off,read,write,entry,pool,alloc,table,launch,call,nmi}
operations="start stop"
[ -z "$others" ] || { is_slow && [ -z "${INJECT_STEP:-}" ]; } ||
	operations="$operations offline online"
! can_suspend || operations="$operations resume"
operations=${INJECT_OPERATIONS:-$operations}
[ -n "${INJECT_SEED:-}" ] || INJECT_SEED=$(($(date +%s) % 100000))

next_random()
{
	INJECT_SEED=$(((INJECT_SEED * 1103515245 + 12345) % 2147483648))
}

set_others()
{
	for file in $others; do
		[ "$(cat "$file")" = "$1" ] || echo "$1" >"$file" || return 1
	done
}

# What comes before the operation, without faults.
before()
{
	case $1 in
	start) ;;
	online) start && set_others 0 ;;
	*) start ;;
	esac
}

operate()
{
	case $1 in
	start) start ;;
	stop) stop ;;
	resume) suspend ;;
	offline) set_others 0 ;;
	online) set_others 1 ;;
	esac
}

# From here on complaints count. The kernel's log forgets its oldest lines.
mark()
{
	echo "<7>inject: mark" >/dev/kmsg
}

# How often the module has said since that something failed.
complaints()
{
	dmesg | awk -v failed='(failed|stopped|halted|cannot)[A-Za-z ,]*:' '
		/inject: mark$/ { n = 0 }
		$0 ~ "bareflank: (not started|" failed "|CPU [0-9]+ )" { n++ }
		END { print n + 0 }'
}

# explained OPERATION STATUS: one sentence for one failure, and it is known. If the module has
# noticed it by itself, it comes a moment after the state has changed.
explained()
{
	n=0
	while said=$(complaints); [ "$said" = 0 ] && [ "$2" != 0 ] && [ $n -lt 100 ]; do
		usleep 50000
		n=$((n + 1))
	done
	[ "$said" -le 1 ] && { [ "$said" = 1 ] || [ "$2" = 0 ]; } &&
		! dmesg | grep -q 'bareflank: .*unknown error' && return 0
	echo "$1 ended with $2, and $said sentences:"
	dmesg | grep bareflank: | tail -n $((said + 2))
	return 1
}

# one KIND OPERATION NTH: that point fails
one()
{
	before "$2" >/tmp/inject.log 2>&1 || { echo "before $2"; cat /tmp/inject.log; return 1; }
	mark
	arm "$1" "$3"
	operate "$2" >/tmp/inject.log 2>&1
	status=$?
	[ "$1" = none ] || [ "$(points "$1")" -lt "$3" ] || reached=$((reached + 1))
	cat $parameters/fault >/tmp/points
	arm none 0
	bare_again && set_others 1 && explained "$2" $status &&
		same_state /tmp/state.before && return 0
	echo "after $1 $3 of $2"
	cat /tmp/inject.log
	bfm dump | tail -n 30
	return 1
}

# every KIND OPERATION POINTS
every()
{
	step=${INJECT_STEP:-$((($3 + few - 1) / few))}
	[ $step -le "$3" ] || step=$3
	next_random
	nth=$((INJECT_SEED / 65536 % step + 1)) reached=0
	while [ $nth -le "$3" ]; do
		one "$1" "$2" $nth || return 1
		nth=$((nth + step))
	done
	echo "inject: $2, $1: $3 points, $reached failed" >/dev/kmsg
}

# all_of OPERATION: every kind of which it has any
all_of()
{
	one none "$1" 0 || return 1
	cp /tmp/points /tmp/all_points
	for kind in $(echo $kinds | tr , ' '); do
		count=$(sed -n "s/^$kind //p" /tmp/all_points)
		[ "$count" = 0 ] || every $kind "$1" "$count" || return 1
	done
}

operations=$(echo $operations | tr , ' ')
set -- $operations
plan $(($# + 8))
t "the test build is in" swap_in
export BAREFLANK_LIBDIR=/tmp/faults
snapshot /tmp/state.before
t "start and stop without a fault" cycles 3
set -- $(memory)
free=$1 slab=$2 vmalloc=$3
echo "inject: seed $INJECT_SEED" >/dev/kmsg
for operation in $operations; do
	t "whatever fails in $operation is taken back" all_of $operation
done
t "start and stop afterwards" cycles 3
set -- $(memory)
t "free memory is as it was" less_than $((free - $1)) 8192
t "slab memory is as it was" less_than $(($2 - slab)) 2048
t "vmalloc memory is as it was" less_than $(($3 - vmalloc)) 512
t "the module is put back" swap_out
t "no complaint of the kernel" dmesg_clean
