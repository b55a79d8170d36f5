# SPDX-License-Identifier: GPL-2.0-only
# Guests behind nested tables of the microkernel's, by Mk#2: test/ext/mk2.c makes the calls, and
# test/kselftest/src/mk2.c and mk2_own.c, whose memory is theirs, say which.
. ./tap.sh

# Both checked: the process, and the extension itself.
mk2()
{
	"$bin/mk2" "$@" && verified
}

own()
{
	"$bin/mk2_own" "$@" && verified
}

# With two CPUs: what one does to a guest on the other.
on_two()
{
	if [ "$(cpus)" -gt 1 ]; then
		t "$@"
	else
		skip "$1" "one CPU"
	fi
}

# How many pages of the pool are in use, as the last VM has left it.
pool()
{
	bfm dump | sed -n 's/.*page pool: \([0-9]*\) of .*/\1/p' | tail -n 1
}

# Ten VMs later it is the same.
same_pool()
{
	own own && mk2 again || return 1
	before=$(pool)
	own own && mk2 again || return 1
	echo "$before, then $(pool)"
	[ -n "$before" ] && [ "$(pool)" = "$before" ]
}

# How many exits by NMIs there were.
nmi_exits()
{
	bfm status --json | grep -oE '"(NMI|EXCEPTION_NMI)": [0-9]+' |
		awk '{ n += $2 } END { print n + 0 }'
}

# It is the kick that ends the run, not the next interrupt.
kick()
{
	before=$(nmi_exits)
	mk2 kick || return 1
	echo "exits by NMIs: $before, then $(nmi_exits)"
	[ "$(nmi_exits)" -gt "$before" ]
}

last=$(($(cpus) - 1))
again()
{
	bfm stop >/dev/null 2>&1
	start /kselftest/ext/mk2
}

# The last CPU is not there at the start.
comes()
{
	stop && echo 0 >/sys/devices/system/cpu/cpu$last/online && again && own comes
}

plan 24
echo 4 >/proc/sys/vm/nr_hugepages
snapshot /tmp/state.before
t "start" start /kselftest/ext/mk2
t "a guest reads, writes and executes" mk2 run
t "what is unmapped is not there" mk2 unmap
t "what is protected is not written to, nor executed" mk2 protect
t "dirty pages" mk2 dirty
t "what is mapped, and how" mk2 query
t "pages of 2 MiB" mk2 large
t "no memory of the hypervisor's, nor of another VM" mk2 refused
t "handles, and the table that is the microkernel's" mk2 handles
t "lists of registers" mk2 lists
t "memory of a VM's own, which Linux does not see" own own
t "nobody else gets it, nor a VM what is others'" own refused
on_two "a flush reaches a guest on another CPU" mk2 flush
on_two "a guest on another CPU is kicked" kick
t "VMs leave nothing behind" same_pool
on_two "a CPU comes in while a VM owns memory: it is intact, and hidden there, too" comes
on_two "a CPU goes and comes back: zeros before, and hidden meanwhile" own goes
on_two "and after a stop it is Linux's: start" again
on_two "and after a stop it is Linux's" "$bin/mk2_own" goes-left
t "start again" again
t "one is there at a stop: what it owns is zeros then" "$bin/mk2_own" left
t "no guests are left" no_guests
t "the same state on every CPU" same_state /tmp/state.before
t "no complaint of the kernel" dmesg_clean
