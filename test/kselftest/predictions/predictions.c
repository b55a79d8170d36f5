// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looks, at the end of each request to a vCPU of bareflank_kvm's, whether Linux has an IBPB to do
 * before this CPU is user space's again (x86_ibpb_exit_to_user): /sys/module/predictions/parameters
 * has how often it had, and how often not.
 */
#include <asm/nospec-branch.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/percpu.h>

static unsigned int due, not_due; /* the test runs its client on one CPU */
module_param(due, uint, 0444);
module_param(not_due, uint, 0444);

static int at_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (this_cpu_read(x86_ibpb_exit_to_user))
		due++;
	else
		not_due++;
#endif
	return 0;
}

static struct kretprobe probe = { .kp.symbol_name = "bareflank_kvm:vcpu_ioctl",
				  .handler = at_return };

static int __init predictions_init(void)
{
	return register_kretprobe(&probe);
}

static void __exit predictions_exit(void)
{
	unregister_kretprobe(&probe);
}

module_init(predictions_init);
module_exit(predictions_exit);
MODULE_DESCRIPTION("Who is owed a barrier, for the tests of Bareflank in C");
MODULE_LICENSE("GPL");
