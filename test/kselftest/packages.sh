# SPDX-License-Identifier: GPL-2.0-only
# What Debian packages install works: the modules by DKMS, bfm with the images it finds, the
# commands of the systemd unit, and what runs when packages are removed. /packages: test/packages.
. ./tap.sh

service=/packages/bareflank.service
microkernel=/usr/lib/bareflank/microkernel

# As DKMS installs them
install_modules()
{
	to=/lib/modules/$(uname -r)/updates/dkms
	mkdir -p "$to" && cp /lib/modules/bareflank*.ko "$to" && depmod && rmmod bareflank
}

# unit KEY: runs what the unit says for it, with the variables of its configuration
unit()
{
	command=$(sed -n "s/^$1=//p" $service)
	[ -n "$command" ] && (. /packages/bareflank && eval "$command")
}

configure()
{
	sed -i "s/^BFM_START_OPTIONS=.*/BFM_START_OPTIONS=\"$1\"/" /packages/bareflank
}

removed()
{
	sh -e "/packages/$1.prerm" remove
}

# updated SENTENCE: with a microkernel of a later release, whose handoff is another one, but the
# module of this one, what runs goes on until it is stopped; a start is refused.
updated()
{
	cp $microkernel /tmp/microkernel && cp "$images/mk.MK_VERSION" $microkernel &&
		all_guests && bfm dump | grep -q ^hello && bfm stop && no_guests || return 1
	bfm start 2>/tmp/refusal && return 1
	cat /tmp/refusal
	grep -qF "$1 (handoff 65535, and " /tmp/refusal
}

# What that says is done, with one release again: it starts.
mended()
{
	cp /tmp/microkernel $microkernel &&
		sh -exc "$(sed -n 's/.*one release, then: //p' /tmp/refusal)" &&
		unit ExecStart && all_guests
}

plan 21
t "no other images than those of packages" [ ! -e /usr/local/lib/bareflank ]
t "modprobe finds the modules" install_modules
t "the unit loads one" unit ExecStartPre
t "it is there" [ -c /dev/bareflank ]
t "the unit starts the hypervisor" unit ExecStart
t "every CPU is a guest" all_guests
t "the unit stops it" unit ExecStop
t "no CPU is a guest" no_guests
configure "--watchdog 1s hello"
t "with options of the configuration" unit ExecStart
t "which bfm gets" sh -c "bfm dump | grep ^hello"
t "an update of bfm lets it run" sh -e /packages/bareflank-bfm.prerm upgrade 2
t "so it does" state_is running
t "an update to another handoff lets it run, until it is stopped" updated \
	"$("$bin/rawctl" sentence MK_VERSION)"
t "and says how to start again" mended
t "a removal of bfm stops it" removed bareflank-bfm
t "so it has" state_is stopped
t "start for guests" start guests
t "with the module for them" modprobe bareflank_kvm
t "a removal of the modules unloads them" removed bareflank-dkms
t "and is the end of the hypervisor" sh -c "! grep bareflank /proc/modules"
t "no complaint of the kernel" dmesg_clean
