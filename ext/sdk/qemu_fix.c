// SPDX-License-Identifier: MIT
/*
 * Preloaded into a QEMU that emulates SVM, of which it replaces three functions (QEMU 10.0; newer
 * ones had the same when this was written):
 *
 * Any CPU that loads the x87 state calls cpu_clear_ignne(), which clears IGNNE# among flags of CPU
 * 0's. That changes others of them meanwhile with its own thread, and without a lock: GIF, NMI
 * blocking, and whether nested paging is on. What VMRUN, #VMEXIT, STGI or CLGI have just done there
 * may be undone. Only FPU errors as of DOS need IGNNE#.
 *
 * A VMRUN that injects an interrupt delivers it by do_interrupt_x86_hardirq(), and leaves its
 * vector where the CPU's loop looks for an exception once it is asked to look up: the interrupt
 * comes twice, the second time whatever IF is.
 *
 * Linux changes its code while other CPUs run it: it puts an INT3 there, and later what is to stay.
 * A CPU that looks for that code just then may translate the INT3 and not see it go: a write makes
 * QEMU forget translations before it is made, and does not where none is known. Then the CPU finds
 * a breakpoint that is not there, over and over. So what an INT3 was translated to is forgotten as
 * soon as it is executed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WEAK __attribute__((weak))

/* QEMU's CPUState, with which its X86CPU begins. */
struct cpu;
extern __thread struct cpu *current_cpu WEAK;
void do_interrupt_all(struct cpu *cpu, int vector, int is_int, int error_code, uint64_t next_rip,
		      int is_hw) WEAK;
bool bql_locked(void) WEAK;
_Noreturn void cpu_loop_exit_noexc(struct cpu *cpu) WEAK;
/* The translation with an address of the host's; and the end of one, on both pages it is of. */
void *tcg_tb_lookup(uintptr_t address) WEAK;
void tb_phys_invalidate(void *translation, uint64_t page) WEAK;
_Noreturn void raise_interrupt(void *env, int vector, int length) WEAK;

#define BREAKPOINT 3 /* #BP */
#define ANY_PAGE UINT64_MAX

static void clear_ignne(void)
{
}

/* VMRUN is executed without QEMU's big lock; the other caller holds it, and has no fault. */
static void deliver(void *env, int vector, int is_hw)
{
	(void)env;
	do_interrupt_all(current_cpu, vector, 0, 0, 0, is_hw);
	if (!bql_locked())
		cpu_loop_exit_noexc(current_cpu);
}

/* Called by a translation of INT n or INT3. */
static void interrupt(void *env, int vector, int length)
{
	void *translation = tcg_tb_lookup((uintptr_t)__builtin_return_address(0) - 1);

	if (vector == BREAKPOINT && translation)
		tb_phys_invalidate(translation, ANY_PAGE);
	raise_interrupt(env, vector, length);
}

/* Has the function jump to another one. */
static bool replace(const char *name, void (*by)(void))
{
	struct {
		uint8_t mov[2]; /* MOV RAX, address */
		void (*address)(void);
		uint8_t jmp[2]; /* JMP RAX */
	} __attribute__((packed)) code = { { 0x48, 0xB8 }, by, { 0xFF, 0xE0 } };
	uintptr_t size = (uintptr_t)sysconf(_SC_PAGESIZE);
	uint8_t *function = dlsym(RTLD_DEFAULT, name);
	uint8_t *page = (uint8_t *)((uintptr_t)function & -size);

	if (!function || mprotect(page, 2 * size, PROT_READ | PROT_WRITE))
		return false;
	memcpy(function, &code, sizeof(code));
	if (mprotect(page, 2 * size, PROT_READ | PROT_EXEC)) {
		perror("qemu_fix: this host allows no change of code; run QEMU without it");
		exit(1);
	}
	return true;
}

__attribute__((constructor)) static void fix_qemu(void)
{
	if (!do_interrupt_all || !bql_locked || !cpu_loop_exit_noexc || !tcg_tb_lookup ||
	    !tb_phys_invalidate || !raise_interrupt || !replace("cpu_clear_ignne", clear_ignne) ||
	    !replace("do_interrupt_x86_hardirq", (void (*)(void))deliver) ||
	    !replace("helper_raise_interrupt", (void (*)(void))interrupt))
		fputs("qemu_fix: this QEMU has other functions; it may be mended in part or not\n",
		      stderr);
}
