// SPDX-License-Identifier: MIT
/* Memory and ports of Linux that are watched: views by Mk#2, and the permission map of ports. */
#include <abi/hw/svm.h>
#include <abi/hw/vmx.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/access.h>
#include <ext/linux/exception.h>
#include <ext/linux/hooks.h>
#include <ext/linux/linux.h>
#include <ext/linux/step.h>
#include <ext/linux/watched.h>

#define UNWATCHED 0

/* Of the first extension; written in ext_start and in the first bootstrap, then only read. */
static bool memory;
static uint8_t *ports;
static uint64_t ports_spa;
static uint64_t all_ports_pass; /* the map that a new VS has */

/* --- memory ----------------------------------------------------------------------------------- */

bool watches_memory(void)
{
	return memory;
}

/* The view is there, whether or not anything is watched yet. */
bool watch_memory(void)
{
	uint64_t generation, status;

	if (memory)
		return true;
	status = mk2_vm_view_rest(MK2_HANDLE, WATCHED_VIEW, MK2_NESTED_RWX, &generation);
	memory = status == MK1_SUCCESS;
	hooks_see_all |= memory;
	if (!memory)
		ext_print("%s: memory cannot be watched: no nested paging, no memory, or no right "
			  "(0x%llx)\n",
			  ext_name, (unsigned long long)status);
	return memory;
}

/* --- ports ------------------------------------------------------------------------------------ */

/* AMD: a bit a port, and one page more (APM vol. 2 §15.10.1). Intel: two pages (§27.6.4). */
static bool make_map(void)
{
	uint64_t va, status;

	if (ports)
		return true;
	status = mk1_mem_alloc_huge(MK1_HANDLE, SVM_IOPM_SIZE, &va, &ports_spa);
	if (status != MK1_SUCCESS) {
		ext_print("%s: no memory for the map of ports (0x%llx)\n", ext_name,
			  (unsigned long long)status);
		return false;
	}
	ports = (uint8_t *)va;
	hooks_see_all = true;
	return true;
}

bool watch_ports(uint32_t first, uint32_t count)
{
	if (!make_map())
		return false;
	for (uint32_t port = first; port < first + count; port++)
		ports[port / 8] |= (uint8_t)(1u << (port % 8));
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
	if (!ports)
		return;
	if (linux_is_on_amd())
		vs_set(vsid, MK1_AMD_iopm_base_pa, on ? ports_spa : all_ports_pass);
	else
		set_io_bitmaps(vsid, on);
}

void watch_lift(uint64_t vsid)
{
	if (memory)
		watch_in_view(vsid, UNWATCHED);
	watch_io(vsid, false);
	access_set(vsid, false);
}

void watch_again(uint64_t vsid)
{
	if (memory)
		watch_in_view(vsid, WATCHED_VIEW);
	watch_io(vsid, true);
	access_set(vsid, true);
}

static void begin_io(uint64_t vsid)
{
	if (linux_is_on_amd()) {
		all_ports_pass = vs_get(vsid, MK1_AMD_iopm_base_pa);
		vs_set(vsid, MK1_AMD_intercept_instruction1,
		       vs_get(vsid, MK1_AMD_intercept_instruction1) | SVM_INSTR1_IOIO);
		return;
	}
	vs_set(vsid, MK1_INTEL_address_of_io_bitmap_a, ports_spa);
	vs_set(vsid, MK1_INTEL_address_of_io_bitmap_b, ports_spa + BF_PAGE_SIZE);
}

/* A VS has been made anew each time. */
bool watch_begin(uint64_t vsid)
{
	exception_begin(vsid);
	if (!memory && !ports && !access_is_watched())
		return true;
	if (!linux_is_on_amd() && !vmx_can_step(vsid)) {
		ext_print("%s: nothing can be watched: this CPU has no monitor trap flag\n",
			  ext_name);
		return false;
	}
	if (!access_begin(vsid))
		return false;
	if (ports)
		begin_io(vsid);
	watch_again(vsid);
	return true;
}
