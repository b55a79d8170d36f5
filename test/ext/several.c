// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default extension in parts, one image for each: which part is written after the word SEVERAL
 * by test/kselftest/several.sh.
 *
 *   b  bootstraps the PPs
 *   v  answers the exits
 *   n  would like both, when others have them
 *   q  wants nothing
 *   f  as b, but faults there
 *
 * The one for the exits tries what it must not reach of the others', for a CPUID with EAX =
 * SEVERAL_LEAF; ECX is the command, with a number of a page above it.
 */
#include "test/ext/lib/hooks.h"
#include "test/ext/lib/verify.h"

#define SEVERAL_LEAF 0x4000F5EF
#define SEVERAL_PAGE 0 /* a page of the other extension's */
#define SEVERAL_DIRECT 1 /* what it has mapped */
#define SEVERAL_FAULT 2

#define ROM 0xF0000 /* the firmware's: nobody writes there, and it is not the hypervisor's */

static const volatile char plan[16] = "SEVERAL:-";
#define PART plan[8]

/* Where an extension has something in its direct map, by its number from 0 on. */
static uint64_t direct_spa(uint64_t extid)
{
	return ROM + extid * BF_PAGE_SIZE;
}

static uint32_t starts; /* of this extension: the others have their own at the same address */

/* The fault that is expected next, and whether the page can be had. */
static volatile uint64_t expected_fault;
static volatile bool is_curable;

/* No handle is open yet, whatever the extensions before have opened. */
static int in_start(uint64_t specs)
{
	uint64_t id;

	(void)specs;
	VERIFY(!starts++);
	VERIFY_STATUS(mk1_vm_create_vm(MK1_HANDLE, &id), MK1_FAILURE_INVALID_HANDLE);
	return 0;
}

static mk1_bootstrap_fn in_bootstrap;
static mk1_vmexit_fn in_vmexit;

/* Whoever comes first has the callback; the first extension leaves one to the second. */
static void register_in_vain(char which)
{
	if (mk1_tls_extid() == 0 || PART == 'q')
		return;
	if (which == 'b')
		VERIFY_STATUS(mk1_register_bootstrap(MK1_HANDLE, in_bootstrap),
			      MK1_FAILURE_UNKNOWN);
	else if (PART == 'n')
		VERIFY_STATUS(mk1_register_vmexit(MK1_HANDLE, in_vmexit), MK1_FAILURE_UNKNOWN);
}

static bool registers(char which)
{
	uint64_t va, spa;

	if (which == 'f') {
		VERIFY_STATUS(mk1_mem_alloc_page(MK1_HANDLE, &va, &spa), MK1_SUCCESS);
		VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, MK1_ROOT_VMID,
						direct_spa(mk1_tls_extid()), &va),
			      MK1_SUCCESS);
		ext_print("several: %c is extension %u and has page 0x%llx\n", PART,
			  mk1_tls_extid() + 1u, (unsigned long long)(spa >> BF_PAGE_SHIFT));
		/* Nobody asks the others for their verdict. */
		if (PART != 'v' && verify_failed)
			ext_exit();
		return true;
	}
	if (which == PART || (which == 'b' && PART == 'f'))
		return true;
	register_in_vain(which);
	return false;
}

static void in_bootstrap(uint64_t ppid)
{
	(void)ppid;
	if (PART == 'f')
		__asm__ volatile("ud2");
}

static uint64_t look(uint64_t va)
{
	return *(const volatile uint64_t *)va;
}

/* It is not mapped for this extension, and this cannot be changed: it ends in the fail callback. */
static void try_page(uint64_t va)
{
	VERIFY_STATUS(mk1_mem_free_page(MK1_HANDLE, va), MK1_INVALID_INPUT_REG(1));
	VERIFY_STATUS(mk1_mem_free_huge(MK1_HANDLE, va), MK1_INVALID_INPUT_REG(1));
	VERIFY_STATUS(mk1_debug_write_str(va, 1), MK1_INVALID_INPUT_REG(0));
	expected_fault = va;
	is_curable = false;
	look(va);
	VERIFY(false);
}

/* The direct map has what this extension has mapped, and not what the first one has. */
static void try_direct(void)
{
	uint64_t own = MK1_DIRECT_MAP_BASE + direct_spa(mk1_tls_extid());
	uint64_t other = MK1_DIRECT_MAP_BASE + direct_spa(!mk1_tls_extid());

	look(own);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, other),
		      MK1_INVALID_INPUT_REG(2));
	expected_fault = other;
	is_curable = true;
	look(other);
	VERIFY(!expected_fault);
	VERIFY_STATUS(mk1_vm_unmap_direct(MK1_HANDLE, MK1_ROOT_VMID, other), MK1_SUCCESS);
}

static void in_vmexit(uint64_t vsid, uint64_t reason)
{
	uint32_t command = (uint32_t)mk1_rcx();

	(void)reason;
	verify_answer();
	if ((uint32_t)mk1_rax() != SEVERAL_LEAF)
		return;
	VERIFY(PART == 'v' && starts == 1);
	switch (command & 0xFF) {
	case SEVERAL_PAGE:
		try_page(MK1_PAGE_POOL_BASE + ((uint64_t)(command >> 8) << BF_PAGE_SHIFT));
		break;
	case SEVERAL_DIRECT:
		try_direct();
		break;
	case SEVERAL_FAULT:
		__asm__ volatile("ud2");
		break;
	default:
		break;
	}
	resume_next(vsid);
}

static void in_fail(uint64_t error_and_vector, uint64_t address)
{
	uint64_t va, spa = address - MK1_DIRECT_MAP_BASE;

	ext_print("several: extension %u: vector %u at 0x%llx\n", mk1_tls_extid() + 1u,
		  (unsigned int)(uint32_t)error_and_vector, (unsigned long long)address);
	if (!address || address != expected_fault)
		ext_exit();
	expected_fault = 0;
	VERIFY(PART == 'v');
	if (!is_curable)
		resume_next(mk1_tls_vsid());
	VERIFY_STATUS(mk1_vm_map_direct(MK1_HANDLE, mk1_tls_vmid(), spa, &va), MK1_SUCCESS);
	mk1_control_again();
	ext_exit();
}

const struct ext_hooks ext_hooks = {
	.start = in_start,
	.bootstrap = in_bootstrap,
	.vmexit = in_vmexit,
	.fail = in_fail,
	.registers = registers,
};
