// SPDX-License-Identifier: GPL-2.0-only
#include "obj/xstate.h"

#include <bsl/bits.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/restore.h"
#include "mem/mem.h"
#include "mk.h"
#include "pp.h"

#define LEAF 0xD /* of CPUID */
#define LEGACY (XCR0_X87 | XCR0_SSE) /* with FXSAVE, too */
#define EXCHANGED (LEGACY | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)
#define FIRST_EXTENDED 2
#define LAST_EXTENDED 9
#define FCW_RESET 0x37F
#define MXCSR_RESET 0x1F80
#define MXCSR_MASK_DEFAULT 0xFFBF /* where FXSAVE says 0: SDM vol. 1 §11.6.6 */

BF_ASSERT_OFFSET(struct xstate_head, mxcsr, 24);
BF_ASSERT_OFFSET(struct xstate_head, tsc_aux, MK2_XSAVE_TSC_AUX);
BF_ASSERT_OFFSET(struct xstate_head, xstate_bv, MK2_XSAVE_LEGACY);
BF_ASSERT_OFFSET(struct xstate, xss, MK2_XSAVE_MAX);
BF_STATIC_ASSERT(sizeof(struct xstate) == BF_PAGE_SIZE, "a page of struct xstate");

#define HEADER_END sizeof(struct xstate_head)

static struct {
	uint64_t features;
	uint64_t size;
	uint32_t mxcsr_mask;
	bool has_xsave, has_xss, has_tsc_aux;
} cpus;

/* --- what the CPUs have ----------------------------------------------------------------------- */

/* Those that an area has room for, and that XFD cannot disable; *size grows with them. */
static uint64_t usable_features(uint64_t features, uint64_t *size)
{
	uint64_t usable = features & LEGACY;

	for (uint32_t i = FIRST_EXTENDED; i <= LAST_EXTENDED; i++) {
		struct cpuid_regs r = cpuid(LEAF, i);
		uint64_t end = (uint64_t)r.ebx + r.eax;

		if (!(features & BSL_BIT(i)) || r.ebx < HEADER_END || end > MK2_XSAVE_MAX ||
		    r.ecx & CPUID_D_N_ECX_XFD)
			continue;
		usable |= BSL_BIT(i);
		*size = end > *size ? end : *size;
	}
	/* No XCR0 has part of AVX-512, or any of it without AVX (SDM vol. 1 §13.3). */
	if ((usable & XCR0_AVX512) != XCR0_AVX512 || !(usable & XCR0_AVX))
		usable &= ~(uint64_t)XCR0_AVX512;
	return usable;
}

static bool probe_tsc_aux(void)
{
	bool has_rdpid = cpuid(0, 0).eax >= 7 && cpuid(7, 0).ecx & CPUID_7_ECX_RDPID;
	uint64_t value;

	return (has_rdpid || cpuid(0x80000001, 0).edx & CPUID_80000001_EDX_RDTSCP) &&
	       rdmsr_safe(MSR_TSC_AUX, &value);
}

void xstate_probe(void)
{
	static struct xstate now;
	struct cpuid_regs r = { 0 };

	cpus.has_xsave = mk.host_cr4 & CR4_OSXSAVE;
	if (cpus.has_xsave)
		r = cpuid(LEAF, 0);
	cpus.size = cpus.has_xsave ? HEADER_END : MK2_XSAVE_LEGACY;
	cpus.features =
		usable_features(LEGACY | (((uint64_t)r.edx << 32 | r.eax) & EXCHANGED), &cpus.size);
	cpus.has_xss = cpus.has_xsave && cpuid(LEAF, 1).eax & CPUID_D_1_EAX_XSAVES;
	cpus.has_tsc_aux = probe_tsc_aux();
	fxsave64(&now);
	cpus.mxcsr_mask = now.head.mxcsr_mask ? now.head.mxcsr_mask : MXCSR_MASK_DEFAULT;
}

uint64_t xstate_features(void)
{
	return cpus.features;
}

uint64_t xstate_size(void)
{
	return cpus.size;
}

/* --- between the CPU and memory --------------------------------------------------------------- */

/* With an XCR0 that has all that is exchanged; what it was is returned. */
static uint64_t open_xcr0(void)
{
	uint64_t old = cpus.has_xsave ? xgetbv0() : cpus.features;

	if (cpus.features & ~old)
		(void)xsetbv0_safe(old | cpus.features);
	return old;
}

static void close_xcr0(uint64_t old)
{
	if (cpus.features & ~old)
		(void)xsetbv0_safe(old);
}

static void save(struct xstate *x)
{
	if (cpus.has_xsave)
		xsave64(x, cpus.features);
	else
		fxsave64(x);
	x->head.tsc_aux = cpus.has_tsc_aux ? rdmsr(MSR_TSC_AUX) : 0;
}

static void reset(struct xstate *x)
{
	bsl_memset(x, 0, MK2_XSAVE_MAX);
	x->head.fcw = FCW_RESET;
	x->head.mxcsr = MXCSR_RESET;
}

static bool try_load(const struct xstate *x)
{
	forget_x87_addresses();
	return cpus.has_xsave ? xrstor64_safe(x, cpus.features) : fxrstor64_safe(x);
}

/* A CPU that has less than the one that has checked or saved it may refuse it. */
static void load(struct xstate *x)
{
	if (!try_load(x)) {
		uint64_t tsc_aux = x->head.tsc_aux;

		reset(x);
		x->head.tsc_aux = tsc_aux;
		(void)try_load(x);
	}
	if (cpus.has_tsc_aux)
		restore_msr(MSR_TSC_AUX, x->head.tsc_aux);
}

void xstate_leave(struct pp *pp)
{
	struct xstate *x = pp->xstate;
	uint64_t xcr0 = open_xcr0();

	save(x);
	load(x->others);
	if (cpus.has_xss)
		restore_msr(MSR_XSS, x->others->xss);
	pp->xstate = NULL;
	close_xcr0(xcr0);
}

void xstate_enter(struct pp *pp, struct xstate *x)
{
	uint64_t xcr0;

	if (pp->xstate)
		xstate_leave(pp);
	xcr0 = open_xcr0();
	save(x->others);
	if (cpus.has_xss) {
		(void)rdmsr_safe(MSR_XSS, &x->others->xss);
		restore_msr(MSR_XSS, 0);
	}
	pp->xstate = x;
	load(x);
	close_xcr0(xcr0);
}

void xstate_refresh(struct pp *pp, struct xstate *x)
{
	uint64_t xcr0;

	if (pp->xstate != x)
		return;
	xcr0 = open_xcr0();
	save(x);
	close_xcr0(xcr0);
}

void xstate_reload(struct pp *pp, struct xstate *x)
{
	uint64_t xcr0;

	if (pp->xstate != x)
		return;
	xcr0 = open_xcr0();
	load(x);
	close_xcr0(xcr0);
}

/* --- memory ----------------------------------------------------------------------------------- */

struct xstate *xstate_alloc(void)
{
	uint64_t own = pool_alloc();
	uint64_t others = own == MK_NO_PAGE ? MK_NO_PAGE : pool_alloc();
	struct xstate *x;

	if (others == MK_NO_PAGE) {
		if (own != MK_NO_PAGE)
			pool_free(own);
		return NULL;
	}
	x = phys_to_virt(own);
	x->others = phys_to_virt(others);
	reset(x);
	return x;
}

void xstate_free(struct xstate *x)
{
	if (!x)
		return;
	pool_free(virt_to_phys(x->others));
	pool_free(virt_to_phys(x));
}

bool xstate_is_good(const struct xstate_head *head, bool has_header)
{
	uint64_t others = 0;

	if (head->mxcsr & ~cpus.mxcsr_mask || head->tsc_aux >> 32)
		return false;
	for (unsigned int i = 0; has_header && i < 7; i++)
		others |= head->zeroes[i];
	return !has_header || (!others && !(head->xstate_bv & ~cpus.features));
}
