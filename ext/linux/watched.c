// SPDX-License-Identifier: MIT
/* Memory and ports of Linux that are watched: views by Mk#2, and the permission map of ports. */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <bsl/spinlock.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/access.h>
#include <ext/linux/exception.h>
#include <ext/linux/hooks.h>
#include <ext/linux/linux.h>
#include <ext/linux/step.h>
#include <ext/linux/watched.h>

#define UNWATCHED 0

/* Of the first extension: there once, they stay. */
static bool memory;
static uint8_t *ports;
static uint64_t ports_spa;
static struct bsl_spinlock lock; /* of making them */

/* Of this PP, whose VS has the map of ports. */
static __thread struct {
	bool ports;
	uint64_t all_ports_pass; /* AMD: the map that it had when it was new */
} here;

/* --- memory ----------------------------------------------------------------------------------- */

bool watches_memory(void)
{
	return __atomic_load_n(&memory, __ATOMIC_ACQUIRE);
}

/* The view is there, whether or not anything is watched yet. */
bool watch_memory(void)
{
	uint64_t generation, status;

	if (watches_memory())
		return true;
	status = mk2_vm_view_rest(MK2_HANDLE, WATCHED_VIEW, MK2_NESTED_RWX, &generation);
	if (status == MK1_SUCCESS) {
		hooks_see_all_now();
		__atomic_store_n(&memory, true, __ATOMIC_RELEASE);
		return true;
	}
	ext_print("%s: memory cannot be watched: no nested paging, no memory, or no right "
		  "(0x%llx)\n",
		  ext_name, (unsigned long long)status);
	return false;
}

/* --- ports ------------------------------------------------------------------------------------ */

/* AMD: a bit a port, and one page more (APM vol. 2 §15.10.1). Intel: two pages (§27.6.4). */
static bool make_map(void)
{
	uint64_t va, status = MK1_SUCCESS;

	bsl_spin_lock(&lock);
	if (!ports)
		status = mk1_mem_alloc_huge(MK1_HANDLE, SVM_IOPM_SIZE, &va, &ports_spa);
	if (!ports && status == MK1_SUCCESS) {
		hooks_see_all_now();
		__atomic_store_n(&ports, (uint8_t *)va, __ATOMIC_RELEASE);
	}
	bsl_spin_unlock(&lock);
	if (status != MK1_SUCCESS)
		ext_print("%s: no memory for the map of ports (0x%llx)\n", ext_name,
			  (unsigned long long)status);
	return status == MK1_SUCCESS;
}

bool watch_ports(uint32_t first, uint32_t count)
{
	if (!make_map())
		return false;
	for (uint32_t port = first; port < first + count; port++)
		(void)__atomic_fetch_or(&ports[port / 8], (uint8_t)(1u << (port % 8)),
					__ATOMIC_RELAXED);
	return true;
}

/* --- one instruction -------------------------------------------------------------------------- */

void watch_in_view(uint64_t vsid, uint64_t view)
{
	uint64_t status = mk2_vs_view(MK2_HANDLE, vsid, view);

	if (status != MK1_SUCCESS)
		give_up("the microkernel does not change the view", vsid, status);
}

static void set_io_bitmaps(uint64_t vsid, bool on)
{
	uint64_t primary = vs_get(vsid, MK1_INTEL_primary_proc_based_vm_execution_ctls);

	vs_set(vsid, MK1_INTEL_primary_proc_based_vm_execution_ctls,
	       on ? primary | VMX_PRIMARY_IO_BITMAPS : primary & ~(uint64_t)VMX_PRIMARY_IO_BITMAPS);
}

static void watch_io(uint64_t vsid, bool on)
{
	if (!here.ports)
		return;
	if (linux_is_on_amd())
		vs_set(vsid, MK1_AMD_iopm_base_pa, on ? ports_spa : here.all_ports_pass);
	else
		set_io_bitmaps(vsid, on);
}

void watch_lift(uint64_t vsid)
{
	if (watches_memory())
		watch_in_view(vsid, UNWATCHED);
	watch_io(vsid, false);
	access_set(vsid, false);
}

void watch_again(uint64_t vsid)
{
	if (watches_memory())
		watch_in_view(vsid, WATCHED_VIEW);
	watch_io(vsid, true);
	access_set(vsid, true);
}

static void begin_io(uint64_t vsid)
{
	if (!__atomic_load_n(&ports, __ATOMIC_ACQUIRE) || here.ports)
		return;
	here.ports = true;
	if (linux_is_on_amd()) {
		here.all_ports_pass = vs_get(vsid, MK1_AMD_iopm_base_pa);
		vs_set(vsid, MK1_AMD_intercept_instruction1,
		       vs_get(vsid, MK1_AMD_intercept_instruction1) | SVM_INSTR1_IOIO);
		return;
	}
	vs_set(vsid, MK1_INTEL_address_of_io_bitmap_a, ports_spa);
	vs_set(vsid, MK1_INTEL_address_of_io_bitmap_b, ports_spa + BF_PAGE_SIZE);
}

bool watch_can(uint64_t vsid)
{
	if (!linux_is_on_amd() && !vmx_can_step(vsid)) {
		ext_print("%s: nothing can be watched: this CPU has no monitor trap flag\n",
			  ext_name);
		return false;
	}
	return true;
}

/* A VS has been made anew each time. */
bool watch_begin(uint64_t vsid)
{
	here.ports = false;
	exception_begin(vsid);
	if (!watches_memory() && !__atomic_load_n(&ports, __ATOMIC_ACQUIRE) && !access_is_watched())
		return true;
	if (!watch_can(vsid) || (access_is_watched() && !access_can(vsid)))
		return false;
	begin_io(vsid);
	watch_again(vsid);
	return true;
}

/*
 * On AMD a write to the VMCB makes the CPU read the maps of ports and MSRs again, which others may
 * have changed (APM vol. 2 §15.15).
 */
void watch_apply(uint64_t vsid)
{
	exception_begin(vsid);
	begin_io(vsid);
	watch_again(vsid);
	if (linux_is_on_amd())
		vs_set(vsid, MK1_AMD_vmcb_clean_bits, 0);
}
