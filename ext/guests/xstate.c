// SPDX-License-Identifier: MIT
/* The extended state of guests: the calls of Mk#2. */
#include <abi/hw/x86.h>
#include <bsl/bits.h>
#include <bsl/string.h>
#include <ext/guests/rules.h>
#include <ext/guests/xstate.h>
#include <ext/libext/libext.h>
#include <ext/libext/mk2_sys.h>
#include <ext/linux/cpuid.h>

#define LEAF 0xD /* of CPUID */
#define FIRST_EXTENDED 2
#define PKRU 9
#define HEADER_END 576

struct rules_xsave guest_xsave;

static uint64_t exchanged;
static uint32_t area_size;

/* What a VS gets, which is the same for all: it need not be run to find out. */
static bool ask(uint64_t vmid)
{
	uint64_t vpid, vsid, size;
	bool done = false;

	if (mk1_vp_create_vp(MK1_HANDLE, vmid, &vpid) != MK1_SUCCESS)
		return false;
	if (mk1_vs_create_vs(MK1_HANDLE, vpid, mk1_tls_ppid(), &vsid) == MK1_SUCCESS) {
		done = mk2_vs_xsave_attach(MK2_HANDLE, vsid, &exchanged, &size) == MK1_SUCCESS &&
		       size <= GUESTS_MAX_XSAVE;
		area_size = (uint32_t)size;
		mk1_vs_destroy_vs(MK1_HANDLE, vsid);
	}
	mk1_vp_destroy_vp(MK1_HANDLE, vpid);
	return done;
}

/* What Linux uses: its XCR0 is in the CPU, as that of nobody else. */
static uint64_t linux_features(void)
{
	uint32_t low, high;

	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low & XCR0_SSE ? (uint64_t)high << 32 | low : 0; /* not as after reset */
}

/* Guests have nothing that Linux does not use; the same on all CPUs. */
static void limit(uint64_t features)
{
	uint32_t size = HEADER_END;

	for (uint32_t i = FIRST_EXTENDED; i < 64; i++) {
		struct cpuid_regs r;

		if (!(features & BSL_BIT(i)))
			continue;
		r = cpuid(LEAF, i);
		size = r.ebx + r.eax > size ? r.ebx + r.eax : size;
	}
	guest_xsave.size = size;
	guest_xsave.features = features;
}

bool xstate_start(void)
{
	uint64_t vmid;
	bool done;

	if (mk1_vm_create_vm(MK1_HANDLE, &vmid) != MK1_SUCCESS)
		return false;
	done = ask(vmid);
	mk1_vm_destroy_vm(MK1_HANDLE, vmid);
	limit(exchanged & linux_features());
	return done;
}

bool xstate_attach(uint64_t vsid)
{
	uint64_t features, size;

	return mk2_vs_xsave_attach(MK2_HANDLE, vsid, &features, &size) == MK1_SUCCESS;
}

uint32_t xstate_size(void)
{
	return area_size;
}

bool xstate_read(uint64_t vsid, void *area, uint64_t size)
{
	return mk2_vs_xsave_read(MK2_HANDLE, vsid, (uint64_t)area, size) == MK1_SUCCESS;
}

bool xstate_write(uint64_t vsid, const void *area, uint64_t size)
{
	return mk2_vs_xsave_write(MK2_HANDLE, vsid, (uint64_t)area, size) == MK1_SUCCESS;
}

bool xstate_pkru(uint64_t vsid, uint8_t *area, uint32_t *pkru)
{
	uint64_t in_use;

	*pkru = 0;
	if (!(exchanged & XCR0_PKRU))
		return true;
	if (!xstate_read(vsid, area, area_size))
		return false;
	bsl_memcpy(&in_use, area + MK2_XSAVE_LEGACY, sizeof(in_use));
	if (in_use & XCR0_PKRU)
		bsl_memcpy(pkru, area + cpuid(LEAF, PKRU).ebx, sizeof(*pkru));
	return true;
}
