# SPDX-License-Identifier: GPL-2.0-only
# A kernel that takes signed modules only takes ours once it is signed, and why not is in its log.
. ./tap.sh

signed=/kselftest/signed

# refused MODULE REASON: by EKEYREJECTED, which is 129
refused()
{
	gives 129 "Key was rejected by service" insmod "$1" &&
		dmesg | grep "Loading of $2 is rejected"
}

plan 8
t "the kernel insists on signatures" \
	sh -c "echo 1 >/sys/module/module/parameters/sig_enforce"
t "what is loaded already works" cycles 1
t "and can go" rmmod bareflank
t "a module without a signature" refused /lib/modules/bareflank.ko "unsigned module"
t "one with a key that the kernel does not trust" refused $signed/bareflank.unknown \
	"module with unavailable key"
t "one that is signed" insmod $signed/bareflank.ko
t "it works" cycles 1
t "no complaint of the kernel" dmesg_clean
