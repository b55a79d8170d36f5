// SPDX-License-Identifier: GPL-2.0-only
/*
 * What only the kernel can see of its CPUs, and do to them, in /sys/kernel/debug/cpustate/:
 *
 * state  the registers of every online CPU that a hypervisor has to carry, one "CPU NAME VALUE" per
 *        line, so that diff compares two moments. Left out is what differs from moment to moment on
 *        a bare CPU, too (CR2, CR3, DR6, the user's segments and FS base).
 * nmi    takes a number: so often every online CPU gets an NMI. EIO: one did not arrive.
 * cpuid  takes a number: the CPU executes this leaf of CPUID in its NMI handler.
 * panic  takes the number of a CPU: it gets an NMI, in whose handler it panics.
 */
#include <asm/apic.h>
#include <asm/desc.h>
#include <asm/msr.h>
#include <asm/nmi.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include <driver/linux/compat.h>

static const struct {
	const char *name;
	u32 msr;
} msrs[] = {
	{ "apic_base", 0x1B },      { "sysenter_cs", 0x174 },
	{ "sysenter_esp", 0x175 },  { "sysenter_eip", 0x176 },
	{ "debugctl", 0x1D9 },      { "pat", 0x277 },
	{ "mtrr_def_type", 0x2FF }, { "efer", 0xC0000080 },
	{ "star", 0xC0000081 },     { "lstar", 0xC0000082 },
	{ "cstar", 0xC0000083 },    { "fmask", 0xC0000084 },
	{ "gs_base", 0xC0000101 },  { "kernel_gs_base", 0xC0000102 },
	{ "tsc_aux", 0xC0000103 },
};

struct table {
	u16 limit;
	u64 base;
} __packed;

struct state {
	u64 msr[ARRAY_SIZE(msrs)];
	u64 cr0, cr4, cr8, dr7, xcr0;
	struct table gdtr, idtr;
	u64 gdt[GDT_ENTRIES];
	u16 cs, tr, ldtr;
	u32 cs_rights;
	u64 rflags;
};

static u32 access_rights(u16 selector)
{
	u32 rights = 0;

	asm("lar %1, %0" : "+r"(rights) : "r"((u32)selector) : "cc");
	return rights;
}

/* On the CPU itself, interrupts off. */
static void read_state(void *arg)
{
	struct state *state = arg;
	u64 size;
	u32 low, high;

	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		if (bf_compat_rdmsr_safe(msrs[i].msr, &state->msr[i]))
			state->msr[i] = ~0ULL;
	asm volatile("mov %%cr0, %0" : "=r"(state->cr0));
	asm volatile("mov %%cr4, %0" : "=r"(state->cr4));
	asm volatile("mov %%cr8, %0" : "=r"(state->cr8));
	asm volatile("mov %%dr7, %0" : "=r"(state->dr7));
	if (state->cr4 & X86_CR4_OSXSAVE) {
		asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
		state->xcr0 = (u64)high << 32 | low;
	}
	asm volatile("sgdt %0" : "=m"(state->gdtr));
	asm volatile("sidt %0" : "=m"(state->idtr));
	asm volatile("str %0" : "=r"(state->tr));
	asm volatile("sldt %0" : "=r"(state->ldtr));
	asm volatile("mov %%cs, %0" : "=r"(state->cs));
	asm volatile("pushfq; popq %0" : "=r"(state->rflags));
	state->cs_rights = access_rights(state->cs);
	size = min_t(u64, state->gdtr.limit + 1, sizeof(state->gdt));
	memcpy(state->gdt, (void *)(unsigned long)state->gdtr.base, size);
}

static void show(struct seq_file *out, unsigned int cpu, const char *name, u64 value)
{
	seq_printf(out, "%u %s 0x%llx\n", cpu, name, value);
}

static void show_state(struct seq_file *out, unsigned int cpu, const struct state *state)
{
	char name[16];

	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		show(out, cpu, msrs[i].name, state->msr[i]);
	show(out, cpu, "cr0", state->cr0);
	/*
	 * On Intel the module says by VMXE that VMX is in use, which is so while the hypervisor
	 * runs.
	 */
	show(out, cpu, "cr4", state->cr4 & ~(u64)X86_CR4_VMXE);
	show(out, cpu, "cr8", state->cr8);
	show(out, cpu, "dr7", state->dr7);
	show(out, cpu, "xcr0", state->xcr0);
	show(out, cpu, "gdtr_base", state->gdtr.base);
	show(out, cpu, "gdtr_limit", state->gdtr.limit);
	show(out, cpu, "idtr_base", state->idtr.base);
	show(out, cpu, "idtr_limit", state->idtr.limit);
	/* Not SS: in the kernel it is null or not, by how Linux got there. */
	show(out, cpu, "cs", state->cs);
	show(out, cpu, "tr", state->tr);
	show(out, cpu, "ldtr", state->ldtr);
	show(out, cpu, "cs_rights", state->cs_rights);
	/* Interrupt flag, direction, I/O privilege, nested task, alignment check. */
	show(out, cpu, "rflags",
	     state->rflags & (X86_EFLAGS_IF | X86_EFLAGS_DF | X86_EFLAGS_IOPL | X86_EFLAGS_NT |
			      X86_EFLAGS_AC));
	for (size_t i = 0; i < GDT_ENTRIES; i++) {
		/* The TLS entries belong to the task. */
		if (i >= GDT_ENTRY_TLS_MIN && i <= GDT_ENTRY_TLS_MAX)
			continue;
		snprintf(name, sizeof(name), "gdt%zu", i);
		show(out, cpu, name, state->gdt[i]);
	}
}

static int cpustate_show(struct seq_file *out, void *unused)
{
	struct state *state = kzalloc(sizeof(*state), GFP_KERNEL);
	unsigned int cpu;

	if (!state)
		return -ENOMEM;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		memset(state, 0, sizeof(*state));
		if (!smp_call_function_single(cpu, read_state, state, 1))
			show_state(out, cpu, state);
	}
	cpus_read_unlock();
	kfree(state);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(cpustate);

#define NMI_TIMEOUT_US 5000000

static DEFINE_MUTEX(nmi_lock);
static DEFINE_PER_CPU(bool, nmi_expected);
static DEFINE_PER_CPU(bool, panic_expected);

static u32 cpuid_leaf; /* to be executed by the next NMI */

/* The kernel's own has moved between headers. */
static void execute_cpuid(u32 leaf)
{
	u32 ecx = 0;

	asm volatile("cpuid" : "+a"(leaf), "+c"(ecx) : : "ebx", "edx");
}

static int on_nmi(unsigned int type, struct pt_regs *regs)
{
	if (this_cpu_read(panic_expected))
		panic("cpustate: in the handler of an NMI");
	if (!this_cpu_read(nmi_expected))
		return NMI_DONE;
	if (cpuid_leaf)
		execute_cpuid(cpuid_leaf);
	cpuid_leaf = 0;
	this_cpu_write(nmi_expected, false);
	return NMI_HANDLED;
}

/* On a busy host that takes longer than Linux's own watchdogs bear, unless others may run. */
static bool nmi_arrived(unsigned int cpu, bool others_run)
{
	unsigned int us;

	for (us = 0; us < NMI_TIMEOUT_US; us += 2) {
		if (!READ_ONCE(per_cpu(nmi_expected, cpu)))
			return true;
		udelay(2);
		if (others_run)
			cond_resched();
	}
	pr_err("cpustate: an NMI did not reach CPU %u\n", cpu);
	return false;
}

/* One to every CPU, all under way at the same time. */
static bool send_nmis(void)
{
	unsigned int cpu;
	bool arrived = true;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		WRITE_ONCE(per_cpu(nmi_expected, cpu), true);
		apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	}
	for_each_online_cpu(cpu)
		arrived &= nmi_arrived(cpu, true);
	cpus_read_unlock();
	return arrived;
}

static int nmi_set(void *data, u64 count)
{
	bool arrived = true;
	u64 i;

	mutex_lock(&nmi_lock);
	for (i = 0; i < count && arrived && !signal_pending(current); i++) {
		arrived = send_nmis();
		cond_resched();
	}
	mutex_unlock(&nmi_lock);
	return arrived ? 0 : -EIO;
}
DEFINE_DEBUGFS_ATTRIBUTE(nmi_fops, NULL, nmi_set, "%llu\n");

static int cpuid_set(void *data, u64 leaf)
{
	unsigned int cpu;
	bool arrived;

	mutex_lock(&nmi_lock);
	cpu = get_cpu();
	cpuid_leaf = leaf;
	this_cpu_write(nmi_expected, true);
	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	arrived = nmi_arrived(cpu, false);
	put_cpu();
	mutex_unlock(&nmi_lock);
	return arrived ? 0 : -EIO;
}
DEFINE_DEBUGFS_ATTRIBUTE(cpuid_fops, NULL, cpuid_set, "%llu\n");

static int panic_set(void *data, u64 cpu)
{
	if (cpu >= nr_cpu_ids || !cpu_online(cpu))
		return -EINVAL;
	WRITE_ONCE(per_cpu(panic_expected, cpu), true);
	apic->send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(panic_fops, NULL, panic_set, "%llu\n");

static struct dentry *directory;

static int __init cpustate_init(void)
{
	int result = register_nmi_handler(NMI_LOCAL, on_nmi, 0, "cpustate");

	if (result)
		return result;
	directory = debugfs_create_dir("cpustate", NULL);
	debugfs_create_file("state", 0400, directory, NULL, &cpustate_fops);
	debugfs_create_file_unsafe("nmi", 0200, directory, NULL, &nmi_fops);
	debugfs_create_file_unsafe("cpuid", 0200, directory, NULL, &cpuid_fops);
	debugfs_create_file_unsafe("panic", 0200, directory, NULL, &panic_fops);
	return 0;
}

static void __exit cpustate_exit(void)
{
	debugfs_remove_recursive(directory);
	unregister_nmi_handler(NMI_LOCAL, "cpustate");
}

module_init(cpustate_init);
module_exit(cpustate_exit);
MODULE_DESCRIPTION("The registers of every CPU, and NMIs, for the tests of Bareflank in C");
MODULE_LICENSE("GPL");
