// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs, as platform.h wants them, by the MP services of the firmware (Platform Initialization
 * specification vol. 2 §13.4), of which gnu-efi has no header. Only the processor that boots has
 * the firmware's services. CPUs are numbered as the MP services do it.
 */
#include "efi.h"

#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <bsl/bits.h>

#include "../core/arch.h"
#include "../core/platform.h"
#include "../core/x86/hw.h"
#include "fault.h"

/* --- MP services ------------------------------------------------------------------------------ */

#define MP_SERVICES_GUID \
	{ 0x3FDDA605, 0xA76E, 0x4F46, { 0xAD, 0x29, 0x12, 0xF4, 0x53, 0x1B, 0x3D, 0x08 } }

#define PROCESSOR_IS_BSP 0x1
#define PROCESSOR_IS_ENABLED 0x2

struct processor_information {
	uint64_t id; /* of its local APIC */
	uint32_t status; /* PROCESSOR_* */
	uint32_t location[3];
	uint32_t extended_location[6];
};

struct mp_services;
typedef VOID(EFIAPI *mp_procedure)(VOID *arg);

struct mp_services {
	EFI_STATUS(EFIAPI *get_number)
	(struct mp_services *mp, UINTN *count, UINTN *enabled);
	EFI_STATUS(EFIAPI *get_information)
	(struct mp_services *mp, UINTN cpu, struct processor_information *information);
	EFI_STATUS(EFIAPI *start_all)
	(struct mp_services *mp, mp_procedure procedure, BOOLEAN one_by_one, EFI_EVENT event,
	 UINTN timeout_us, VOID *arg, UINTN **failed);
	EFI_STATUS(EFIAPI *start_one)
	(struct mp_services *mp, mp_procedure procedure, UINTN cpu, EFI_EVENT event,
	 UINTN timeout_us, VOID *arg, BOOLEAN *finished);
	VOID *switch_bsp;
	VOID *enable;
	EFI_STATUS(EFIAPI *who_am_i)(struct mp_services *mp, UINTN *cpu);
};

#define END_OF_LIST (~(UINTN)0)

/* For a CPU without a hypervisor. */
#define PATIENCE_US 10000000

#define CALIBRATION_US 20000

static struct mp_services *mp;
static uint64_t *apic_ids; /* of each CPU, ~0: it is not enabled */
static uint32_t *nmis; /* of ours, to each CPU */
static uint32_t nr_cpus; /* that the firmware counts */
static uint32_t nr_online; /* that are enabled */
static uint32_t boot_cpu;
static uint32_t tsc_khz;
static bool lost; /* a CPU has halted in the microkernel */

static const char *list_cpus(void)
{
	struct processor_information information;
	UINTN count, enabled;
	uint32_t i;

	if (EFI_ERROR(mp->get_number(mp, &count, &enabled)) || !count || count > UINT32_MAX)
		return "the firmware does not say which CPUs there are";
	nr_cpus = (uint32_t)count;
	apic_ids = bf_os_alloc(nr_cpus * sizeof(*apic_ids));
	nmis = bf_os_alloc(nr_cpus * sizeof(*nmis));
	if (!apic_ids || !nmis)
		return "not enough free memory";
	for (i = 0; i < nr_cpus; i++) {
		if (EFI_ERROR(mp->get_information(mp, i, &information)))
			return "the firmware does not say which CPUs there are";
		apic_ids[i] = ~0ULL;
		if (information.status & PROCESSOR_IS_BSP)
			boot_cpu = i;
		else if (!(information.status & PROCESSOR_IS_ENABLED))
			continue;
		apic_ids[i] = information.id;
		nr_online++;
	}
	return NULL;
}

const char *efi_cpus_init(void)
{
	EFI_GUID guid = MP_SERVICES_GUID;
	uint64_t began;

	efi_fault_init();
	began = bf_hw_cycles();
	BS->Stall(CALIBRATION_US);
	tsc_khz = (uint32_t)((bf_hw_cycles() - began) / (CALIBRATION_US / 1000));
	if (!tsc_khz)
		return "the TSC of the CPU does not count";
	if (EFI_ERROR(BS->LocateProtocol(&guid, NULL, (VOID **)&mp)))
		return "the firmware offers no MP services, which start functions on all CPUs";
	return list_cpus();
}

uint32_t efi_cpus_online(void)
{
	return nr_online;
}

/* --- platform.h ------------------------------------------------------------------------------- */

/* What the firmware has disabled, it does not tell the operating system of. */
uint32_t bf_os_cpus(uint32_t *cpus, uint32_t max, uint32_t *online)
{
	uint32_t i, count = 0;

	for (i = 0; i < nr_cpus; i++) {
		if (apic_ids[i] == ~0ULL)
			continue;
		if (count < max)
			cpus[count] = i;
		count++;
	}
	*online = count;
	return count;
}

uint64_t bf_os_apic_id(uint32_t cpu)
{
	return apic_ids[cpu];
}

static uint32_t this_cpu(void)
{
	UINTN cpu;

	return EFI_ERROR(mp->who_am_i(mp, &cpu)) ? boot_cpu : (uint32_t)cpu;
}

struct job {
	void (*on_one)(void *arg);
	void (*on_all)(void *arg, uint32_t cpu, uint32_t count);
	void *arg;
	uint32_t count;
	uint32_t done; /* CPUs that have run it */
};

/* Exits within which an NMI that is on its way arrives, in a guest, too. */
#define NMI_EXITS 1000

/*
 * Once all are done, nobody sends NMIs any more; and those that have been sent are to come while
 * they are ignored.
 */
static void await_others(struct job *job, uint32_t cpu)
{
	uint32_t i;

	__atomic_fetch_add(&job->done, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&job->done, __ATOMIC_ACQUIRE) < job->count)
		bf_hw_pause();
	for (i = 0; i < NMI_EXITS && __atomic_load_n(&nmis[cpu], __ATOMIC_ACQUIRE); i++)
		bf_cpu_provoke_exit();
	nmis[cpu] = 0;
}

static VOID EFIAPI run(VOID *data)
{
	struct job *job = data;
	uint32_t cpu = this_cpu();
	uint64_t flags = efi_interrupts_off();
	struct efi_quiet saved;

	efi_quiet_begin(&saved);
	if (job->on_one)
		job->on_one(job->arg);
	if (job->on_all)
		job->on_all(job->arg, cpu, job->count);
	await_others(job, cpu);
	efi_quiet_end(&saved);
	efi_interrupts_restore(flags);
}

enum bf_error bf_os_on_cpu(uint32_t cpu, void (*fn)(void *), void *arg)
{
	struct job job = { .on_one = fn, .arg = arg, .count = 1 };
	EFI_STATUS status;

	if (cpu >= nr_cpus || apic_ids[cpu] == ~0ULL)
		return BF_ERR_HOTPLUG;
	if (cpu == this_cpu()) {
		run(&job);
		return BF_ERR_OK;
	}
	status = mp->start_one(mp, run, cpu, NULL, PATIENCE_US, &job, NULL);
	return EFI_ERROR(status) ? BF_ERR_CPU_STUCK : BF_ERR_OK;
}

/* Whether all others answer; if not, *stuck is one that does not. */
static bool all_answer(uint64_t patience_us, uint32_t *stuck)
{
	struct job nothing = { .count = 1 }; /* nobody waits for the others */
	UINTN *failed = NULL;
	EFI_STATUS status = mp->start_all(mp, run, FALSE, NULL, patience_us, &nothing, &failed);

	*stuck = boot_cpu;
	if (failed) {
		*stuck = *failed == END_OF_LIST ? boot_cpu : (uint32_t)*failed;
		FreePool(failed);
	}
	return !EFI_ERROR(status);
}

/*
 * On the others, and here. All have run it when this comes back; that the firmware has noticed that
 * may take the next tick of its timer, and it waits for that before it uses them again.
 */
static bool run_with_others(struct job *job)
{
	uint64_t waited_us = 0;
	EFI_EVENT idle;

	if (EFI_ERROR(BS->CreateEvent(0, TPL_CALLBACK, NULL, NULL, &idle)))
		return false;
	if (EFI_ERROR(mp->start_all(mp, run, FALSE, idle, 0, job, NULL))) {
		BS->CloseEvent(idle);
		return false;
	}
	run(job);
	for (; BS->CheckEvent(idle) != EFI_SUCCESS && waited_us < PATIENCE_US; waited_us += 100)
		BS->Stall(100);
	BS->CloseEvent(idle);
	return true;
}

enum bf_error bf_os_on_all(void (*fn)(void *arg, uint32_t cpu, uint32_t count), void *arg,
			   uint64_t patience_ns, uint32_t *stuck)
{
	struct job job = { .on_all = fn, .arg = arg, .count = nr_online };

	*stuck = boot_cpu;
	if (lost)
		return BF_ERR_CPU_STUCK;
	if (nr_online == 1) {
		run(&job);
		return BF_ERR_OK;
	}
	if (!all_answer(patience_ns / 1000, stuck) || !run_with_others(&job))
		return BF_ERR_CPU_STUCK;
	return BF_ERR_OK;
}

void bf_os_lose_cpu(uint32_t cpu)
{
	(void)cpu;
	lost = true;
}

static volatile uint32_t *xapic(uint64_t base, uint32_t offset)
{
	return (volatile uint32_t *)(uintptr_t)((base & ~(uint64_t)BF_PAGE_MASK) + offset);
}

static void send_ipi(uint64_t apic_id, uint32_t command)
{
	uint64_t base;

	if (!bf_os_rdmsr(MSR_APIC_BASE, &base) || !(base & APIC_BASE_EN))
		return;
	if (base & APIC_BASE_EXTD) {
		(void)bf_os_wrmsr(MSR_X2APIC_ICR, apic_id << 32 | command);
		return;
	}
	*xapic(base, XAPIC_ICR_HIGH) = (uint32_t)apic_id << 24;
	*xapic(base, XAPIC_ICR_LOW) = command;
	while (*xapic(base, XAPIC_ICR_LOW) & ICR_PENDING)
		bf_hw_pause();
}

void bf_os_send_nmi(uint32_t cpu)
{
	__atomic_fetch_add(&nmis[cpu], 1, __ATOMIC_ACQ_REL);
	send_ipi(apic_ids[cpu], ICR_NMI);
}

void bf_os_send_init(uint64_t apic_id)
{
	send_ipi(apic_id, ICR_MODE_INIT | ICR_ASSERT | ICR_LEVEL_TRIGGERED);
}

void bf_os_send_startup(uint64_t apic_id)
{
	send_ipi(apic_id, ICR_MODE_STARTUP);
}

void bf_os_send_nmi_offline(uint64_t apic_id)
{
	send_ipi(apic_id, ICR_NMI);
}

/* Whoever sent it, the firmware's handler would end everything. */
void bf_os_pass_nmi(void)
{
}

/*
 * CPUs that wait in the rendezvous watch the one that enters. After that, nothing of this program
 * runs any more.
 */
void bf_os_watch(struct bf_loader *loader)
{
	(void)loader;
}

uint64_t bf_os_now_ns(void)
{
	uint64_t cycles = bf_hw_cycles();

	return cycles / tsc_khz * 1000000 + cycles % tsc_khz * 1000000 / tsc_khz;
}

uint32_t bf_os_tsc_khz(void)
{
	return tsc_khz;
}

/* Nobody reads it but this program. */
void bf_os_hide_status(void)
{
}

void bf_os_show_status(void)
{
}

/* There is no other hypervisor that could ask. */
void bf_os_mark_virt(enum bf_vendor vendor, bool in_use)
{
	(void)vendor, (void)in_use;
}

/* Secure Boot is main.c's: under it, nothing is started. */
bool bf_os_locked_down(void)
{
	return false;
}
