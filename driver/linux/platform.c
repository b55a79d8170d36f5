// SPDX-License-Identifier: GPL-2.0-only
/* Linux implementation of platform.h, and of what x86/hw.h takes from the system. */
#include <asm/apic.h>
#include <asm/asm.h>
#include <asm/tsc.h>
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/delay.h>
#include <linux/ioport.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/wait.h>

#include <bsl/fault.h>

#include "../core/platform.h"
#include "../core/x86/hw.h"
#include "bareflank.h"
#include "compat.h"

/* For a CPU without a hypervisor. */
#define PATIENCE_NS (10 * NSEC_PER_SEC)

/* Not a compound page: nothing but this module uses its struct pages. */
void *bf_os_alloc_pages(unsigned int order, uint64_t *spa)
{
	gfp_t flags = GFP_KERNEL | __GFP_NOWARN;
	struct page *page;

	/* Large blocks are optional: callers fall back to smaller ones. */
	if (order > PAGE_ALLOC_COSTLY_ORDER)
		flags |= __GFP_NORETRY;
	page = FAULT_POINT(alloc) ? NULL : alloc_pages(flags, order);
	if (!page)
		return NULL;
	*spa = page_to_phys(page);
	return page_address(page);
}

void bf_os_free_pages(void *va, unsigned int order)
{
	free_pages((unsigned long)va, order);
}

void *bf_os_va(uint64_t spa)
{
	return phys_to_virt(spa);
}

void *bf_os_map(uint64_t spa, uint64_t size)
{
	return FAULT_POINT(alloc) ? NULL : memremap(spa, size, MEMREMAP_WB);
}

void bf_os_unmap(void *va)
{
	memunmap(va);
}

uint64_t bf_os_apic_id(uint32_t cpu)
{
	return (u32)apic->cpu_present_to_apicid((int)cpu);
}

bool bf_os_cpu_of(uint64_t apic_id, uint32_t *cpu, bool *online)
{
	unsigned int each;

	for_each_present_cpu(each) {
		if (bf_os_apic_id(each) != apic_id)
			continue;
		*cpu = each;
		*online = cpu_online(each);
		return true;
	}
	return false;
}

void *bf_os_alloc(size_t size)
{
	return FAULT_POINT(alloc) ? NULL : kvzalloc(size, GFP_KERNEL);
}

void bf_os_free(void *memory)
{
	kvfree(memory);
}

uint32_t bf_os_cpus(uint32_t *cpus, uint32_t max, uint32_t *online)
{
	uint32_t count = 0;
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		if (count < max)
			cpus[count] = cpu;
		count++;
	}
	*online = count;
	for_each_present_cpu(cpu) {
		if (cpu_online(cpu))
			continue;
		if (count < max)
			cpus[count] = cpu;
		count++;
	}
	return count;
}

/* --- other CPUs ------------------------------------------------------------------------------- */

/*
 * A CPU that an extension keeps runs nothing of Linux's. Whoever waits for it in a cross call, or
 * in stop_machine, cannot be killed, and the CPUs that wait are lost as well. So all that are
 * wanted have to answer first. With bf_lock() held.
 */
static struct cpumask unanswered;
static struct cpumask lost; /* those that never will */
static DECLARE_COMPLETION(answered); /* of which even PREEMPT_RT's interrupts may wake the waiter */

void bf_os_lose_cpu(uint32_t cpu)
{
	cpumask_set_cpu(cpu, &lost);
}

bool bf_cpu_is_lost(unsigned int cpu)
{
	return cpumask_test_cpu((int)cpu, &lost);
}

static void answer(void *unused)
{
	if (cpumask_test_and_clear_cpu(smp_processor_id(), &unanswered) &&
	    cpumask_empty(&unanswered))
		complete(&answered);
}

/* What a CPU has not come to in one call is still there in the next one. */
static DEFINE_PER_CPU(call_single_data_t, question);

/* Until all have answered; an answer to an earlier question may come in between. */
static void wait_for_answers(unsigned long patience)
{
	long left = (long)patience;

	while (left > 0 && !cpumask_empty(&unanswered)) {
		unsigned long jiffies_left = (unsigned long)left;

		if (bf_may_be_killed())
			left = wait_for_completion_killable_timeout(&answered, jiffies_left);
		else
			left = (long)wait_for_completion_timeout(&answered, jiffies_left);
	}
}

static enum bf_error await_answers(const struct cpumask *cpus, u64 patience_ns, u32 *stuck)
{
	unsigned int cpu;

	if (FAULT_POINT(call)) {
		*stuck = cpumask_first(cpus);
		return BF_ERR_CPU_STUCK;
	}
	reinit_completion(&answered);
	cpumask_andnot(&unanswered, cpus, &lost);
	/* Busy: it is to answer an earlier question, and to find itself in the mask then. */
	smp_mb();
	for_each_cpu(cpu, cpus) {
		if (!bf_cpu_is_lost(cpu))
			smp_call_function_single_async((int)cpu, per_cpu_ptr(&question, cpu));
	}
	wait_for_answers(nsecs_to_jiffies(patience_ns));
	cpu = cpumask_first(&unanswered);
	if (cpu >= nr_cpu_ids)
		return BF_ERR_OK;
	*stuck = cpu;
	return BF_ERR_CPU_STUCK;
}

void bf_platform_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		INIT_CSD(per_cpu_ptr(&question, cpu), answer, NULL);
}

void bf_platform_fini(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		while (READ_ONCE(per_cpu(question, cpu).node.u_flags) & CSD_FLAG_LOCK)
			msleep(10);
}

static enum bf_error call(u32 cpu, void (*fn)(void *), void *arg)
{
	enum bf_error error;
	u32 stuck;

	if (!cpu_online(cpu))
		return BF_ERR_HOTPLUG;
	if (bf_cpu_is_lost(cpu))
		return BF_ERR_CPU_STUCK;
	error = await_answers(cpumask_of(cpu), PATIENCE_NS, &stuck);
	if (!error && smp_call_function_single((int)cpu, fn, arg, 1))
		error = BF_ERR_HOTPLUG;
	return error;
}

enum bf_error bf_os_on_cpu(uint32_t cpu, void (*fn)(void *), void *arg)
{
	/* Callers on the CPU itself may have interrupts off, where a cross call is not allowed. */
	if (cpu == get_cpu()) {
		unsigned long flags;

		local_irq_save(flags);
		fn(arg);
		local_irq_restore(flags);
		put_cpu();
		return BF_ERR_OK;
	}
	put_cpu();
	return call(cpu, fn, arg);
}

struct job {
	void (*fn)(void *arg, uint32_t cpu, uint32_t count);
	void *arg;
};

/* The function returns when all CPUs have changed sides: from then on this may do anything. */
static void run(const struct job *job, u32 count)
{
	u32 cpu = raw_smp_processor_id();
	bool before = bf_event_inside(cpu);

	job->fn(job->arg, cpu, count);
	bf_event_cpu(cpu, before);
}

static int run_here(void *data)
{
	run(data, num_online_cpus());
	return 0;
}

static void run_alone(void *data)
{
	run(data, 1);
}

/* stop_machine waits for every CPU. */
static void run_without_lost(struct job *job)
{
	static struct cpumask others;

	cpumask_andnot(&others, cpu_online_mask, &lost);
	on_each_cpu_mask(&others, run_alone, job, true);
}

/*
 * stop_machine takes the lock on CPU hotplug itself, and the variant that does not is not exported.
 * Taken twice, the lock would deadlock if a writer came in between.
 */
enum bf_error bf_os_on_all(void (*fn)(void *arg, uint32_t cpu, uint32_t count), void *arg,
			   uint64_t patience_ns, uint32_t *stuck)
{
	struct job job = { fn, arg };
	enum bf_error error = await_answers(cpu_online_mask, patience_ns, stuck);

	if (error)
		return error;
	if (!cpumask_empty(&lost)) {
		run_without_lost(&job);
		return BF_ERR_OK;
	}
	cpus_read_unlock();
	stop_machine(run_here, &job, cpu_online_mask);
	cpus_read_lock();
	return BF_ERR_OK;
}

void bf_os_mark_virt(enum bf_vendor vendor, bool in_use)
{
	if (vendor == BF_VENDOR_INTEL)
		bf_compat_mark_vmx(in_use);
}

struct ram_walk {
	bool (*fn)(void *arg, uint64_t spa, uint64_t size);
	void *arg;
};

static int visit_ram(struct resource *resource, void *arg)
{
	struct ram_walk *walk = arg;

	return walk->fn(walk->arg, resource->start, resource_size(resource)) ? 0 : 1;
}

void bf_os_ram(bool (*fn)(void *arg, uint64_t spa, uint64_t size), void *arg)
{
	struct ram_walk walk = { fn, arg };

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1, &walk,
			    visit_ram);
}

static void extend(u64 *end, const struct resource *resource)
{
	if (resource->end >= *end)
		*end = resource->end + 1;
}

static int visit_busy(struct resource *resource, void *end)
{
	extend(end, resource);
	return 0;
}

/*
 * Busy resources are RAM and devices that have a driver. BARs of a PCI device without one count as
 * well, since programs can map them; windows of bridges and host bridges do not.
 */
uint64_t bf_os_memory_end(void)
{
	struct pci_dev *device = NULL;
	u64 end = 0;
	int i;

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_MEM | IORESOURCE_BUSY, 0, -1, &end,
			    visit_busy);
	for_each_pci_dev(device) {
		for (i = 0; i < PCI_BRIDGE_RESOURCES; i++) {
			const struct resource *bar = &device->resource[i];

			if ((bar->flags & IORESOURCE_MEM) && bar->parent)
				extend(&end, bar);
		}
	}
	return end;
}

uint64_t bf_os_free_memory(void)
{
	long pages = si_mem_available();

	return pages > 0 ? (uint64_t)pages << PAGE_SHIFT : 0;
}

/* A hypervisor can do what raw MSR access can, so it is under the same restriction. */
bool bf_os_locked_down(void)
{
	return security_locked_down(LOCKDOWN_MSR) != 0;
}

uint64_t bf_os_now_ns(void)
{
	return ktime_get_ns();
}

/* Where Linux does not know, limits become longer rather than shorter. */
uint32_t bf_os_tsc_khz(void)
{
	return tsc_khz ?: 6000000;
}

bool bf_os_rdmsr(uint32_t msr, uint64_t *value)
{
	*value = 0;
	return bf_compat_rdmsr_safe(msr, value) == 0;
}

bool bf_os_wrmsr(uint32_t msr, uint64_t value)
{
	return bf_compat_wrmsr_safe(msr, value) == 0;
}

/* The instruction goes through the exception table: on a bare CPU it is #UD. */
bool bf_os_hypercall(enum bf_vendor vendor, uint64_t *rax)
{
	/* What Hyper-V takes for number and arguments of a call of its own: there is no 0. */
	unsigned long rcx = 0, rdx = 0;
	bool answered = true;

	if (vendor == BF_VENDOR_INTEL)
		asm volatile("1: vmcall\n\t"
			     "jmp 3f\n"
			     "2: movb $0, %0\n"
			     "3:\n\t" _ASM_EXTABLE(1b, 2b)
			     : "+m"(answered), "+a"(*rax), "+c"(rcx), "+d"(rdx)
			     :
			     : "memory", "cc");
	else
		asm volatile("1: vmmcall\n\t"
			     "jmp 3f\n"
			     "2: movb $0, %0\n"
			     "3:\n\t" _ASM_EXTABLE(1b, 2b)
			     : "+m"(answered), "+a"(*rax), "+c"(rcx), "+d"(rdx)
			     :
			     : "memory", "cc");
	return answered;
}
