// SPDX-License-Identifier: GPL-2.0-only
#include "run/stall.h"

#include <abi/mk1.h>
#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "debug.h"
#include "mem/mem.h"
#include "mk.h"
#include "obj/ext.h"
#include "obj/objects.h"
#include "obj/peek.h"
#include "run/fail.h"
#include "vendor.h"

/* Laps that are longer are no loop: they end the series. */
#define LONGEST_LAP 64

#define INSN_MAX_LENGTH 15

static void end_series(struct pp *pp)
{
	pp->stall.vs = NULL;
	pp->stall.entered = false;
	pp->watched = false;
}

static void set_mark(struct pp *pp, const struct stall_exit *exit, unsigned int longest_lap)
{
	struct stall *s = &pp->stall;

	s->mark = *exit;
	bsl_memcpy(s->gpr, pp->exit_gpr, sizeof(s->gpr));
	s->exits = 0;
	s->since = rdtsc();
	s->in_guest = 0;
	s->lap = 0;
	s->longest_lap = longest_lap;
}

/* What an instruction that exits returns, which may be another value each time. */
static bool is_result(unsigned int gpr)
{
	return gpr == BF_RAX || gpr == BF_RBX || gpr == BF_RDX;
}

static bool is_mark(const struct pp *pp, const struct stall_exit *exit)
{
	const struct stall *s = &pp->stall;

	if (exit->reason != s->mark.reason || exit->info[0] != s->mark.info[0] ||
	    exit->info[1] != s->mark.info[1])
		return false;
	for (unsigned int i = 0; i < BF_NR_GPRS; i++) {
		if (pp->exit_gpr[i] != s->gpr[i] && !is_result(i))
			return false;
	}
	return true;
}

/*
 * The bytes at rip as Linux has them, in hex: whole instructions, and maybe more; "" where they
 * cannot be read.
 */
static void read_code(struct vs *vs, uint64_t rip, char text[3 * INSN_MAX_LENGTH + 1])
{
	static const char digits[] = "0123456789abcdef";
	uint64_t cr3, cr4, spa;
	const uint8_t *page = NULL;

	if (vs->root && mk.vendor->vs_read(vs, mk.vendor->cr3, &cr3) == MK1_SUCCESS &&
	    mk.vendor->vs_read(vs, mk.vendor->cr4, &cr4) == MK1_SUCCESS &&
	    peek_is_mapped(cr3, cr4, rip, &spa))
		page = peek_page(MK_TEMP_TABLE, spa & ~(uint64_t)BF_PAGE_MASK);
	for (uint64_t at = rip & BF_PAGE_MASK;
	     page && at < BF_PAGE_SIZE && at - (rip & BF_PAGE_MASK) < INSN_MAX_LENGTH; at++) {
		*text++ = ' ';
		*text++ = digits[page[at] >> 4];
		*text++ = digits[page[at] & 0xF];
	}
	*text = '\0';
}

static __noreturn void fail(struct pp *pp, struct vs *vs, const struct stall_exit *exit,
			    const char *name)
{
	char code[3 * INSN_MAX_LENGTH + 1];

	read_code(vs, exit->rip, code);
	mk_print("pp %u: vs %u does not get on: exit %s (0x%llx) at rip 0x%llx, code%s\n",
		 pp->handoff.ppid, vs->id, name, (unsigned long long)exit->reason,
		 (unsigned long long)exit->rip, *code ? code : " not readable");
	end_series(pp);
	ext_switch(pp, mk.vmexit_ext);
	pp_fail(BF_ERR_EXT_STALLED, exit->reason, exit->rip, 0);
}

static bool is_over(const struct stall *s)
{
	return s->exits >= mk.handoff->repeats &&
	       rdtsc() - s->since >= tsc_ticks(mk.handoff->watchdog_ns);
}

/* A guest that does not get on exits at once, whatever an emulator or another guest takes of it. */
static bool has_run(const struct stall *s)
{
	return s->in_guest / s->exits > tsc_ticks(STALL_LONGEST_ENTRY_NS);
}

void stall_exit(struct pp *pp, struct vs *vs, const struct stall_exit *exit, const char *name)
{
	struct stall *s = &pp->stall;
	bool entered = s->entered && vs == s->vs && exit->rip == s->mark.rip;

	s->entered = false;
	if (!mk.handoff->repeats || !name || (s->vs && !entered)) {
		end_series(pp);
		return;
	}
	s->exits++;
	s->lap++;
	s->in_guest += rdtsc() - s->entry;
	if (!s->vs) {
		s->vs = vs;
		set_mark(pp, exit, 1);
	} else if (is_mark(pp, exit)) {
		s->lap = 0;
		if (is_over(s) && has_run(s)) {
			end_series(pp);
			return;
		}
		if (is_over(s))
			fail(pp, vs, exit, name);
	} else if (s->lap == s->longest_lap) {
		if (s->lap == LONGEST_LAP) {
			end_series(pp);
			return;
		}
		set_mark(pp, exit, 2 * s->lap);
	}
	pp->entry_watched = true;
	pp->entry_dirty = true;
}

void stall_entry(struct pp *pp, const struct vs *vs, uint64_t rip, bool event)
{
	struct stall *s = &pp->stall;

	pp->entry_watched = false;
	s->entry = rdtsc();
	s->entered = vs == s->vs && rip == s->mark.rip && !event;
	if (!s->entered)
		end_series(pp);
}
