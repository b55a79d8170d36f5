# SPDX-License-Identifier: GPL-2.0-only
# Malformed requests, from threads that disturb each other and from users without rights, leave the
# driver working. A FUZZ_SEED on the kernel's command line chooses the seed.
. ./tap.sh

seed=${FUZZ_SEED:-1}
calls=20000
is_slow && calls=2000

plan 13
t "warm up" cycles 1
set -- $(memory)
free=$1 slab=$2 vmalloc=$3
t "$calls bad requests while stopped" "$bin/fuzz" "$seed" $calls
t "start" start
t "$calls bad requests, some of which stop it" "$bin/fuzz" $((seed + 1)) $calls
for user in nobody powerless namespace; do
	if [ $user = namespace ] && [ ! -e /proc/self/ns/user ]; then
		skip "$user" "this kernel has no namespaces of users"
		continue
	fi
	t "$((calls / 10)) by a process that has the device and became $user" \
		"$bin/fuzz" $((seed + 2)) $((calls / 10)) $user
done
bfm stop >/dev/null 2>&1
t "start again" start
t "stop" stop
set -- $(memory)
t "free memory is as it was" less_than $((free - $1)) $((4096 + quarantine))
t "slab memory is as it was" less_than $(($2 - slab)) $((2048 + quarantine))
t "vmalloc memory is as it was" less_than $(($3 - vmalloc)) 256
t "no complaint of the kernel" dmesg_clean
