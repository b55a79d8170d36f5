// SPDX-License-Identifier: MIT
/* Exceptions of Linux's, of which the hooks hear before Linux does. */
#include <abi/hw/svm.h>
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <ext/linux/exception.h>
#include <ext/linux/hooks.h>
#include <ext/linux/linux.h>

/* Of all PPs: what is in it stays there. */
static uint32_t watched;

/*
 * Faults only, whose delivery is known to be repeatable. #GP exits on AMD for the microkernel's own
 * purposes.
 */
uint32_t exception_able(void)
{
	uint32_t able = 1u << VECTOR_DE | 1u << VECTOR_BR | 1u << VECTOR_UD | 1u << VECTOR_NM |
			1u << VECTOR_TS | 1u << VECTOR_NP | 1u << VECTOR_SS | 1u << VECTOR_PF |
			1u << VECTOR_MF | 1u << VECTOR_AC | 1u << VECTOR_XM;

	return linux_is_on_amd() ? able : able | 1u << VECTOR_GP;
}

void exception_watch(uint32_t vectors)
{
	(void)__atomic_fetch_or(&watched, vectors & exception_able(), __ATOMIC_RELEASE);
}

bool exception_is_watched(uint64_t vector)
{
	return vector < 32 && __atomic_load_n(&watched, __ATOMIC_ACQUIRE) >> vector & 1;
}

void exception_begin(uint64_t vsid)
{
	uint64_t reg = linux_is_on_amd() ? MK1_AMD_intercept_exception : MK1_INTEL_exception_bitmap;
	uint32_t vectors = __atomic_load_n(&watched, __ATOMIC_ACQUIRE);

	if (vectors)
		vs_set(vsid, reg, vs_get(vsid, reg) | vectors);
}

static bool is_contributory(uint64_t vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP) ||
	       vector == VECTOR_CP;
}

enum exception_pair exception_combine(uint64_t first, uint64_t second)
{
	bool worse = is_contributory(second) ||
		     (second == VECTOR_PF && (first == VECTOR_PF || first == VECTOR_DF));

	if (!worse)
		return EXCEPTION_SECOND;
	if (first == VECTOR_DF)
		return EXCEPTION_SHUTDOWN;
	return is_contributory(first) || first == VECTOR_PF ? EXCEPTION_DOUBLE_FAULT :
							      EXCEPTION_SECOND;
}

bool exception_is_answered(struct ext_exit *e, const struct ext_exception *exception,
			   bool delivering)
{
	if (!hook_exception(e, exception))
		return false;
	if (delivering)
		e->fault = 0;
	if (!e->fault && !e->step)
		e->again = true;
	return true;
}
