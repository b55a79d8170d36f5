# SPDX-License-Identifier: GPL-2.0-only
# NMIs hit every CPU while the hypervisor comes, runs and goes: none is lost, none hits code that is
# not prepared for it.
. ./tap.sh

count=20
is_slow && count=5

# The module sends an NMI to every CPU and waits for it to arrive there, over and over.
storm()
{
	while [ ! -e /tmp/nmi.stop ]; do
		echo 200 >$probe/nmi || return 1
		echo x >>/tmp/nmi.rounds
	done
}

plan 6
snapshot /tmp/state.before
t "NMIs reach every bare CPU" sh -c "echo 1000 >$probe/nmi"
storm &
storm=$!
t "$count starts and stops" cycles $count
touch /tmp/nmi.stop
wait $storm
t "no NMI was lost" test $? = 0
t "start" start
t "NMIs reach every CPU that is a guest" sh -c "echo 1000 >$probe/nmi"
bfm stop >/dev/null
t "no complaint of the kernel" dmesg_clean
