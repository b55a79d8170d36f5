/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the loader and the operating system under it: a port to another one
 * implements these functions, and those in x86/hw.h that may fault.
 *
 * Everything may be called with sleeping allowed, unless noted.
 */
#ifndef BF_CORE_PLATFORM_H
#define BF_CORE_PLATFORM_H

#include <abi/errors.h>
#include <abi/handoff.h>
#include <abi/types.h>

struct bf_loader;

/* The largest block that bf_os_alloc_pages has: 4 KiB << order. */
#define BF_OS_MAX_ORDER 10

/*
 * 2^order physically contiguous pages, aligned to their size, not zeroed, mapped read-write and
 * staying where they are. *spa is their physical address. NULL: none free.
 */
void *bf_os_alloc_pages(unsigned int order, uint64_t *spa);
void bf_os_free_pages(void *va, unsigned int order);

/* The address at which the system has mapped a page from bf_os_alloc_pages. Any context. */
void *bf_os_va(uint64_t spa);

/* The ID of the local APIC of a CPU that can run. */
uint64_t bf_os_apic_id(uint32_t cpu);

/*
 * Memory that is not the system's, mapped read-write as RAM, or NULL; and the CPU with this local
 * APIC. For bf_loader_adopt only, as any port may have it.
 */
void *bf_os_map(uint64_t spa, uint64_t size);
void bf_os_unmap(void *va);
bool bf_os_cpu_of(uint64_t apic_id, uint32_t *cpu, bool *online);

/* Zeroed memory for the loader's own records, or NULL. */
void *bf_os_alloc(size_t size);
void bf_os_free(void *memory);

/*
 * Writes the numbers of at most max CPUs that can ever run to cpus, those online first, and how
 * many are online to *online. Returns how many there are. CPUs must not come or go meanwhile and
 * until the caller is done with the list.
 */
uint32_t bf_os_cpus(uint32_t *cpus, uint32_t max, uint32_t *online);

/*
 * Runs fn(arg) on a CPU with interrupts off and waits for it. HOTPLUG: the CPU is not online.
 * CPU_STUCK: it does not answer. Also callable on that CPU itself with interrupts off.
 */
enum bf_error bf_os_on_cpu(uint32_t cpu, void (*fn)(void *), void *arg);

/*
 * Runs fn(arg, cpu, count) on all count CPUs that are online at the same time, with interrupts off,
 * and waits for them. Nothing else runs meanwhile. CPUs may come or go for a moment before that and
 * after it.
 * CPU_STUCK: one of them, *stuck, has not answered for patience_ns, or the caller is to die; then
 * fn runs nowhere.
 */
enum bf_error bf_os_on_all(void (*fn)(void *arg, uint32_t cpu, uint32_t count), void *arg,
			   uint64_t patience_ns, uint32_t *stuck);

/*
 * This CPU never answers again, although it is online: nobody waits for it any more. bf_os_on_all
 * then cannot stop all CPUs: each of the others runs fn when it comes to it, with count 1.
 */
void bf_os_lose_cpu(uint32_t cpu);

/* Between these, nobody reads what the status tells of the CPUs. */
void bf_os_hide_status(void);
void bf_os_show_status(void);

/*
 * Marks virtualisation on this CPU as in use, or as free, in the way in which the system does that,
 * so that other hypervisors leave it alone. Interrupts are off.
 */
void bf_os_mark_virt(enum bf_vendor vendor, bool in_use);

/* Calls fn for every range of RAM, ascending, until it returns false. */
void bf_os_ram(bool (*fn)(void *arg, uint64_t spa, uint64_t size), void *arg);

/* The end of the highest range of physical addresses in which RAM or a device lies. */
uint64_t bf_os_memory_end(void);

/* Bytes of memory that could be allocated now, about. */
uint64_t bf_os_free_memory(void);

/*
 * Whether the system forbids even its administrator to run code in the kernel, unless it is signed.
 * The caller of bf_loader_start then checks the signatures of images.
 */
bool bf_os_locked_down(void);

uint64_t bf_os_now_ns(void); /* any context */
uint32_t bf_os_tsc_khz(void); /* ticks of the TSC in a millisecond */

/*
 * CPUs are about to enter: from now on each one that is online calls bf_watchdog_tick, unless the
 * watchdog is off. May sleep.
 */
void bf_os_watch(struct bf_loader *loader);

/*
 * Sends an NMI to another CPU. If the system takes it there, it ignores it. Any context, interrupts
 * off.
 */
void bf_os_send_nmi(uint32_t cpu);

/*
 * Sends an INIT to another CPU, which is offline, or not known to the system: to its local APIC; or
 * a start-up IPI, whose vector nobody uses; or an NMI. Any context.
 */
void bf_os_send_init(uint64_t apic_id);
void bf_os_send_startup(uint64_t apic_id);
void bf_os_send_nmi_offline(uint64_t apic_id);

/*
 * This CPU gets the system's NMI, of any sender, that came while the CPU was not the system's. Any
 * context, interrupts off.
 */
void bf_os_pass_nmi(void);

#endif
