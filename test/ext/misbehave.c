/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The default extension, which at one place does one thing that an extension must not do. Which
 * is written into the image behind the word MISBEHAVE: by test/kselftest/misbehave.sh, two letters,
 * place and deed.
 */
#include <abi/mk1_regs_amd.h>
#include <abi/mk1_regs_intel.h>
#include <ext/libext/libext.h>

#define PLACE_START 's' /* in ext_start */
#define PLACE_BOOTSTRAP 'b' /* on the last PP to come */
#define PLACE_FIRST 'f' /* in the first exit */
#define PLACE_TRIGGER 't' /* in the exit of a CPUID with TRIGGER in EAX */
#define PLACE_FAIL 'c' /* in the fail callback, after a fault at the trigger */
#define PLACE_STOP 'p' /* in the exit that asks for the stop */
#define PLACE_REGISTER 'r' /* a callback is not registered */

#define TRIGGER 0x4000DEAD

static const volatile char plan[16] = "MISBEHAVE:--";

#define PLACE plan[10]
#define DEED plan[11]

static int in_start(uint64_t specs);
static void in_bootstrap(uint64_t ppid);
static void in_vmexit(uint64_t vsid, uint64_t reason);
static void in_fail(uint64_t error_and_vector, uint64_t address);
static bool registers(char which);

#define AROUND_START in_start
#define AROUND_BOOTSTRAP in_bootstrap
#define AROUND_VMEXIT in_vmexit
#define AROUND_FAIL in_fail
#define AROUND_REGISTER registers
#include "around.h"

static uint64_t overflow(uint64_t depth)
{
	volatile uint64_t frame[64];

	if (depth == UINT64_MAX)
		return 0;
	frame[0] = depth;
	return overflow(frame[0] + 1) + frame[0];
}

/* Bad calls are answered with an error and change nothing. */
static void bad_calls(void)
{
	static const uint64_t pointers[] = { 0, 0xFFF, 0xFFFF800000000000, 0x80000000000,
					     0xFFFFFFFFFFFFFFFF, 0x800000000000, 0x600000000000,
					     0x328000000000 - 8 };
	uint64_t out;

	for (uint64_t op = 0; op < 20; op++) {
		for (uint64_t idx = 0x40; idx < 0x10000; idx += 0xF0F) {
			uint64_t rax = MK1_RAX(op, idx);

			__asm__ volatile("syscall" : "+a"(rax) : : MK1_CLOBBERS);
			if (rax == MK1_SUCCESS)
				ext_exit();
		}
	}
	for (unsigned int i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
		mk1_debug_write_str(pointers[i], 0xFFFFFFFF);
		if (mk1_mem_free_page(MK1_HANDLE, pointers[i]) == MK1_SUCCESS ||
		    mk1_mem_free_huge(MK1_HANDLE, pointers[i]) == MK1_SUCCESS ||
		    mk1_callback_register_vmexit(MK1_HANDLE, pointers[i]) == MK1_SUCCESS ||
		    mk1_vs_read(MK1_HANDLE, 0x7FFF, 1, &out) == MK1_SUCCESS ||
		    mk1_vs_read(0x77, 0, 1, &out) == MK1_SUCCESS ||
		    mk1_vp_destroy_vp(MK1_HANDLE, 0xFFFF) == MK1_SUCCESS ||
		    mk1_intrinsic_wrmsr(MK1_HANDLE, 0xC0000082, pointers[i]) == MK1_SUCCESS)
			ext_exit();
	}
}

/* CR0.NW without CR0.CD, which VMRUN refuses; no paging, which VM entry does. */
static void bad_state(void)
{
	uint64_t vsid = mk1_tls_vsid();
	uint64_t reg = is_svm ? MK1_AMD_cr0 : MK1_INTEL_cr0;
	uint64_t value = is_svm ? vs_get(vsid, reg) | CR0_NW : 0;

	if (mk1_vs_write(MK1_HANDLE, vsid, reg, value) == MK1_SUCCESS)
		mk1_vs_run_current(MK1_HANDLE);
	ext_exit();
}

static void misbehave(char deed)
{
	switch (deed) {
	case 'e':
		ext_exit();
	case 'r': /* return, with nobody to return to */
		__asm__ volatile("mov %%fs:0, %%rax; add $0x1000, %%rax; xor %%esp, %%esp; ret"
				 : : : "rax", "memory");
		break;
	case 'u':
		__asm__ volatile("ud2");
		break;
	case 'n':
		__asm__ volatile("movq $1, 0" : : : "memory");
		break;
	case 'o':
		(void)overflow(0);
		break;
	case 'k': /* the microkernel's image */
		__asm__ volatile("mov (%0), %%rax" : : "r"(0xFFFF800000000000) : "rax", "memory");
		break;
	case 'm': /* its own text */
		*(volatile char *)(uint64_t)ext_start = 0;
		break;
	case 'j': /* its own data, as code */
		((void (*)(void))(uint64_t)plan)();
		break;
	case 'c':
		__asm__ volatile("cli");
		break;
	case 'i':
		__asm__ volatile("in $0x80, %%al" : : : "rax");
		break;
	case 'h':
		__asm__ volatile("hlt");
		break;
	case 'x':
		__asm__ volatile("pxor %xmm0, %xmm0");
		break;
	case 'd':
		__asm__ volatile("rdmsr" : : "c"(0xC0000080) : "rax", "rdx");
		break;
	case 'v':
		__asm__ volatile("vmmcall");
		break;
	case 'w':
		mk1_control_wait();
		break;
	case 'a':
		mk1_control_again();
		break;
	case 'p':
		mk1_vs_promote(MK1_HANDLE, mk1_tls_vsid());
		break;
	case 's':
		bad_state();
		break;
	case 'y':
		bad_calls();
		break;
	default:
		ext_print("misbehave: no deed %c\n", deed);
		ext_exit();
	}
}

static void in_bootstrap(uint64_t ppid)
{
	if (PLACE == PLACE_BOOTSTRAP && ppid + 1 == mk1_tls_online_pps())
		misbehave(DEED);
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	bool stop = (uint32_t)mk1_rax() == MK1_CPUID_LEAF && (uint32_t)mk1_rcx() == MK1_CPUID_STOP;

	(void)vsid;
	(void)reason;
	if (PLACE == PLACE_FIRST ||
	    (PLACE == PLACE_TRIGGER && (uint32_t)mk1_rax() == TRIGGER) ||
	    (PLACE == PLACE_STOP && stop))
		misbehave(DEED);
	if (PLACE == PLACE_FAIL && (uint32_t)mk1_rax() == TRIGGER)
		misbehave('u');
}

static void in_fail(uint64_t error_and_vector, uint64_t address)
{
	(void)error_and_vector;
	(void)address;
	misbehave(DEED);
	ext_exit();
}

static bool registers(char which)
{
	return which == 'f' ? PLACE == PLACE_FAIL : !(PLACE == PLACE_REGISTER && DEED == which);
}

static int in_start(uint64_t specs)
{
	(void)specs;
	if (PLACE == PLACE_START)
		misbehave(DEED);
	return PLACE == PLACE_REGISTER && DEED == 'n';
}
