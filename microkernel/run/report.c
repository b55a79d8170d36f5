// SPDX-License-Identifier: GPL-2.0-only
#include "run/report.h"

#include <bsl/string.h>

#include "arch/intrinsics.h"
#include "arch/trap.h"
#include "debug.h"
#include "obj/ext.h"
#include "pp.h"
#include "run/exit_log.h"

#define PRINTED_EXITS 8
#define PRINTED_ADDRESSES 16
#define GPRS_PER_LINE 5

/* Of the linker: where the text of the microkernel begins and ends. */
extern const uint8_t __executable_start[], etext[];

/* The end of the stack of ring 0 that rsp belongs to, or whose guard page it has reached; or 0. */
static uint64_t stack_end(uint64_t rsp, uint64_t *begin)
{
	*begin = BF_PP_STACK;
	if (rsp >= BF_PP_STACK - BF_PAGE_SIZE && rsp < BF_PP_STACK_TOP)
		return BF_PP_STACK_TOP;
	for (unsigned int i = 0; i < BF_PP_IST_COUNT; i++) {
		*begin = BF_PP_IST_BASE + i * (uint64_t)BF_PP_IST_STRIDE;
		if (rsp >= *begin && rsp < *begin + BF_PAGE_SIZE)
			return *begin + BF_PAGE_SIZE;
	}
	return 0;
}

/* Copies what is on ring 0's stack; a guard page counts as zeros. Returns how many bytes. */
static uint32_t read_stack_0(uint8_t *to, uint64_t rsp)
{
	uint64_t begin, end = stack_end(rsp, &begin);
	uint64_t size = end - rsp < BF_REPORT_STACK ? end - rsp : BF_REPORT_STACK;
	uint64_t guard = rsp < begin ? begin - rsp : 0;

	if (!end)
		return 0;
	if (guard > size)
		guard = size;
	bsl_memset(to, 0, guard);
	bsl_memcpy(to + guard, (const void *)(rsp + guard), size - guard);
	return (uint32_t)size;
}

/* The same of ring 3's stack, which may end with any page. */
static uint32_t read_stack_3(struct pp *pp, uint8_t *to, uint64_t rsp)
{
	uint64_t first = BF_PAGE_SIZE - rsp % BF_PAGE_SIZE;

	if (first > BF_REPORT_STACK)
		first = BF_REPORT_STACK;
	if (!ext_read(pp, to, rsp, first))
		return 0;
	return ext_read(pp, to + first, rsp + first, BF_REPORT_STACK - first) ? BF_REPORT_STACK :
										(uint32_t)first;
}

void report_save(struct pp *pp, struct bf_report *r, enum bf_error error, uint64_t image,
		 const struct place *place)
{
	const struct trap_frame *f = place->frame;

	/* A fault that a fail callback gave up was one of the callback before. */
	r->callback = (uint8_t)(error == BF_ERR_EXT_FAULT && pp->phase == PHASE_FAIL ?
					pp->fail.phase :
					pp->phase);
	r->cpu = pp->handoff.cpu;
	r->image = (uint16_t)image;
	r->flags = place->flags;
	r->stack_size = 0;
	r->said[0] = '\0';
	if (error == BF_ERR_EXT_EXIT && pp->said.ext == pp->ext)
		bsl_memcpy(r->said, pp->said.text, sizeof(r->said));
	__atomic_store_n(&r->error, error, __ATOMIC_RELEASE);
	if (!f)
		return;
	bsl_memcpy(r->gpr, f->gpr, sizeof(r->gpr));
	r->vector = f->vector;
	r->error_code = f->error_code;
	r->rip = f->rip;
	r->cs = f->cs;
	r->rflags = f->rflags;
	r->rsp = f->rsp;
	r->address = place->address;
	r->cr0 = read_cr0();
	r->cr2 = read_cr2();
	r->cr3 = read_cr3();
	r->cr4 = read_cr4();
	r->stack_size = f->cs & 3 ? read_stack_3(pp, r->stack, f->rsp) :
				    read_stack_0(r->stack, f->rsp);
}

static void print_registers(const struct pp *pp, const struct trap_frame *f)
{
	static const char names[BF_NR_GPRS][4] = BF_GPR_NAMES;
	uint32_t ppid = pp->handoff.ppid;

	mk_print("pp %u: rip 0x%llx, cs 0x%llx, rsp 0x%llx, rflags 0x%llx\n", ppid,
		 (unsigned long long)f->rip, (unsigned long long)f->cs, (unsigned long long)f->rsp,
		 (unsigned long long)f->rflags);
	mk_print("pp %u: cr0 0x%llx, cr2 0x%llx, cr3 0x%llx, cr4 0x%llx\n", ppid,
		 (unsigned long long)read_cr0(), (unsigned long long)read_cr2(),
		 (unsigned long long)read_cr3(), (unsigned long long)read_cr4());
	for (unsigned int i = 0; i < BF_NR_GPRS; i += GPRS_PER_LINE)
		mk_print("pp %u: %s 0x%llx, %s 0x%llx, %s 0x%llx, %s 0x%llx, %s 0x%llx\n", ppid,
			 names[i], (unsigned long long)f->gpr[i], names[i + 1],
			 (unsigned long long)f->gpr[i + 1], names[i + 2],
			 (unsigned long long)f->gpr[i + 2], names[i + 3],
			 (unsigned long long)f->gpr[i + 3], names[i + 4],
			 (unsigned long long)f->gpr[i + 4]);
}

/*
 * What may be return addresses: there are no frame pointers, and bfm, which has the image, finds
 * out which of them are.
 */
static void print_addresses(const struct pp *pp, uint64_t rsp)
{
	uint64_t begin, end = stack_end(rsp, &begin);
	unsigned int count = 0;

	if (rsp < begin)
		rsp = begin;
	for (rsp &= ~7ULL; rsp < end && count < PRINTED_ADDRESSES; rsp += sizeof(uint64_t)) {
		uint64_t word = *(const uint64_t *)rsp;

		if (word < (uint64_t)__executable_start || word >= (uint64_t)etext)
			continue;
		mk_print("pp %u: on the stack: 0x%llx\n", pp->handoff.ppid,
			 (unsigned long long)word);
		count++;
	}
}

void report_print(const struct pp *pp, const struct place *place)
{
	const struct trap_frame *f = place->frame;

	if (place->flags & BF_REPORT_FAULT)
		mk_print(
			"microkernel: exception %llu, error code 0x%llx at rip 0x%llx, cr2 0x%llx, "
			"pp %u\n",
			(unsigned long long)f->vector, (unsigned long long)f->error_code,
			(unsigned long long)f->rip, (unsigned long long)place->address,
			pp->handoff.ppid);
	print_registers(pp, f);
	print_addresses(pp, f->rsp);
	(void)exit_log_dump(pp->handoff.ppid, PRINTED_EXITS);
}
