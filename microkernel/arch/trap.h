/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions and interrupts in root mode, and the jumps between the rings. */
#ifndef MK_TRAP_H
#define MK_TRAP_H

#define TRAP_RIP 0x88
#define TRAP_RFLAGS 0x98
#define TRAP_RSP 0xA0

#define KEPT_AT 8
#define KEPT_STACK 1024 /* bytes */

#ifndef __ASSEMBLER__

#include <abi/cpu_state.h>
#include <abi/hw/x86.h>
#include <abi/layout.h>
#include <abi/types.h>
#include <bsl/compiler.h>

struct trap_frame {
	uint64_t gpr[BF_NR_GPRS];
	uint64_t vector;
	uint64_t error_code;
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t ss;
};

BF_ASSERT_OFFSET(struct trap_frame, rip, TRAP_RIP);
BF_ASSERT_OFFSET(struct trap_frame, rflags, TRAP_RFLAGS);
BF_ASSERT_OFFSET(struct trap_frame, rsp, TRAP_RSP);

/* What mk_syscall leaves on the stack. */
struct syscall_frame {
	uint64_t reg[6]; /* REG0..REG5: RDI, RSI, RDX, R10, R8, R9 */
	uint64_t rip;
	uint64_t rflags;
	uint64_t rsp;
};

void mk_enter(void);
void mk_syscall(void);
void mk_syscall_overdue(void); /* see watchdog.h */
extern const uint8_t trap_stubs[];

__noreturn void enter_ring3(uint64_t arg0, uint64_t arg1, uint64_t rsp, uint64_t rip);
__noreturn void resume_ring3(const uint64_t *gpr, uint64_t rip, uint64_t rflags, uint64_t rsp);

/*
 * The stack of ring 0 with what has called call_ring3, kept while ring 3 makes calls: they begin at
 * its top.
 */
struct kept_stack {
	uint64_t rsp;
	uint8_t stack[KEPT_STACK];
};

BF_ASSERT_OFFSET(struct kept_stack, stack, KEPT_AT);

/*
 * Enters ring 3 with all registers as in gpr, in the order of enum bf_gpr, and comes back by
 * return_to_kept, with its status.
 */
uint64_t call_ring3(struct kept_stack *kept, const uint64_t *gpr, uint64_t rip, uint64_t rsp);
__noreturn void return_to_kept(struct kept_stack *kept, uint64_t status);

/* The caller's registers as they are when this returns; cs and ss stay. */
void save_registers(struct trap_frame *frame);

/* The CPU stands still, but for what NMIs and machine checks do. */
__noreturn void halt(void);

/*
 * Halts if *word is value, until an NMI or a machine check. The NMI may come at any time from the
 * look at the word on: its handler goes on behind the HLT (end_wait), which would miss it.
 */
void wait_for_nmi(const uint32_t *word, uint32_t value);
extern const uint8_t wait_for_nmi_end[];

/* Takes the interrupt that the local APIC has ready, if any: is_discarded says that it is one. */
void take_interrupt(void);
extern const uint8_t take_interrupt_end[];

static inline bool is_discarded(const struct trap_frame *frame)
{
	return frame->vector > VECTOR_LAST_EXCEPTION && frame->rip >= (uint64_t)take_interrupt &&
	       frame->rip <= (uint64_t)take_interrupt_end;
}

static inline void end_wait(struct trap_frame *frame)
{
	uint64_t begin = (uint64_t)wait_for_nmi, end = (uint64_t)wait_for_nmi_end;

	if (frame->rip >= begin && frame->rip < end)
		frame->rip = end;
}

/*
 * An NMI that has interrupted ring 3 goes on at fn, on the PP's stack. Not in the handler itself:
 * the next NMI would take its stack away. IRETQ leaves that, and unblocks NMIs.
 */
static inline void leave_ring3(struct trap_frame *frame, void (*fn)(void) __noreturn)
{
	frame->rip = (uint64_t)fn;
	frame->cs = BF_SEL_KERNEL_CS;
	frame->rflags = RFLAGS_FIXED;
	frame->rsp = BF_PP_STACK_TOP - sizeof(uint64_t); /* as after a call */
	frame->ss = BF_SEL_KERNEL_SS;
}

/* What entry.S calls. */
__noreturn void mk_main(void);
void trap_dispatch(struct trap_frame *frame);
uint64_t syscall_dispatch(struct syscall_frame *frame, uint64_t rax);

#endif /* __ASSEMBLER__ */
#endif
