# SPDX-License-Identifier: GPL-2.0-only
# What the kernel "debug" has found in all that ran before on this machine: nothing.
. ./tap.sh

leaks=/sys/kernel/debug/kmemleak

# Twice: what one scan sees for the first time may just be on its way.
no_leaks()
{
	rmmod bareflank || return 1
	sleep 6 # younger objects are not reported
	echo scan >$leaks && echo scan >$leaks || return 1
	[ -z "$(cat $leaks)" ] || { cat $leaks; return 1; }
}

no_reports()
{
	! dmesg | grep -E -A 40 -e 'KASAN|UBSAN|BUG:|BUG [a-z]|WARNING:|Oops|Call Trace' \
		-e 'possible (circular|recursive|irq)|inconsistent lock|suspicious RCU' \
		-e 'ODEBUG|list_(add|del) corruption|sleeping function|hung_task|blocked for more'
}

# Lockdep turns itself off with its first report.
lockdep_on()
{
	grep -q '^ *debug_locks: *1$' /proc/lockdep_stats || { cat /proc/lockdep_stats; return 1; }
}

plan 4
t "the kernel looks for leaks" [ -e $leaks ]
t "lockdep is still on" lockdep_on
t "no leak" no_leaks
t "no report" no_reports
