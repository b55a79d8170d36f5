// SPDX-License-Identifier: GPL-2.0-only
/* Has the name of VirtualBox's module, and nothing else. */
#include <linux/module.h>

MODULE_DESCRIPTION("Dummy for a test");
MODULE_LICENSE("GPL");
