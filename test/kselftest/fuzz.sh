# SPDX-License-Identifier: GPL-2.0-only
# Malformed requests leave the driver working.
. ./tap.sh

calls=20000
is_slow && calls=2000

plan 6
t "$calls bad requests while stopped" "$bin/fuzz" 1 $calls
t "start" start
t "$calls bad requests, some of which stop it" "$bin/fuzz" 2 $calls
bfm stop >/dev/null 2>&1
t "start again" start
t "stop" stop
t "no complaint of the kernel" dmesg_clean
