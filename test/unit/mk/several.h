/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests share of two extensions: the first one treats Linux, the second one has both
 * handles, a VM of its own, and such rights as a test gives it.
 */
#ifndef TEST_MK_SEVERAL_H
#define TEST_MK_SEVERAL_H

#include <abi/loader.h>

#include "microkernel/run/ended.h"
#include "mk2.h"

#define EXT_ROUTE (MK1_EXT_CODE_BASE + 0x1400)
#define EXT_HANDLER (MK1_EXT_CODE_BASE + 0x1500)

#define CALL_FIRST 0x7700000000ULL
#define CALL_LAST (CALL_FIRST + 9)
#define CALL_RIP 0x1000
#define CALL_LENGTH 3

/* What an extension needs that only runs guests. */
#define GUEST_RIGHTS (BF_RIGHT_guests | BF_RIGHT_hypercalls | BF_RIGHT_debug)

static inline uint16_t ext_id(void)
{
	return host_pp->ext->id;
}

/* _start of both, up to the bootstrap callback of the first. */
static inline void start_two(int vendor, uint64_t rights)
{
	machine_defaults(vendor ? BF_VENDOR_INTEL : BF_VENDOR_AMD);
	m.nr_exts = 2;
	machine_init();
	m.handoff->denied[1] = BF_ALL_RIGHTS & ~rights;
	enter(0);
	for (unsigned int i = 0; i < 2; i++) {
		ck_assert_uint_eq(ended.rip, EXT_ENTRY);
		ck_assert_uint_eq(ext_id(), i);
		ck_assert_uint_eq(SYS(handle_open_handle, MK1_SPEC_ID), MK1_SUCCESS);
		ck_assert_uint_eq(SYS(handle_open_handle, MK2_SPEC_ID), MK1_SUCCESS);
		if (!i) {
			SYS(callback_register_bootstrap, HANDLE, EXT_BOOTSTRAP);
			SYS(callback_register_vmexit, HANDLE, EXT_VMEXIT);
		} else if (rights & BF_RIGHT_hypercalls) {
			ck_assert_uint_eq(
				SYS2(hypercall_route, HANDLE2, CALL_FIRST, CALL_LAST, EXT_ROUTE),
				MK1_SUCCESS);
		}
		SYS(control_wait);
	}
	ck_assert_uint_eq(ended.rip, EXT_BOOTSTRAP);
	ck_assert_uint_eq(ext_id(), 0);
}

/* Linux is a guest, and its first exit behind it. */
static inline void launch_two(int vendor, uint64_t rights)
{
	start_two(vendor, rights);
	(void)launch();
	guest_exit(cpuid_reason());
	ck_assert_uint_eq(ended.rip, EXT_VMEXIT);
	SYS(vs_run_current, HANDLE);
	ck_assert_int_eq(ended.end, END_GUEST);
}

static inline uint64_t rip_of_linux(void)
{
	uint64_t rip;

	ck_assert_uint_eq(mk.vendor->vs_read(host_pp->root_vs, mk.vendor->rip, &rip), MK1_SUCCESS);
	return rip;
}

/* The active VS is at a hypercall with this number, in this privilege level. */
static inline void hypercall(uint64_t number, unsigned int cpl)
{
	abi_gprs()[BF_RAX] = number;
	if (intel()) {
		put_field(VMCS_rip, CALL_RIP);
		put_field(VMCS_ss_attrib, 0x93 | cpl << 5);
		put_field(VMCS_vmexit_instruction_length, CALL_LENGTH);
		guest_exit(VMX_EXIT_VMCALL);
		return;
	}
	vmcb()->rax = number;
	vmcb()->rip = CALL_RIP;
	vmcb()->cpl = (uint8_t)cpl;
	vmcb()->nrip = CALL_RIP + CALL_LENGTH;
	guest_exit(SVM_EXIT_VMMCALL);
}

static inline uint64_t hypercall_reason(void)
{
	return intel() ? VMX_EXIT_VMCALL : SVM_EXIT_VMMCALL;
}

/* The exit is in the callback fn of this extension. */
static inline void expect_exit(uint16_t ext, uint64_t fn, uint64_t reason)
{
	ck_assert_int_eq(ended.end, END_RING3);
	ck_assert_uint_eq(ext_id(), ext);
	ck_assert_uint_eq(ended.rip, fn);
	ck_assert_uint_eq(ended.arg0, host_pp->vsid);
	ck_assert_uint_eq(ended.arg1, reason);
}

static inline void expect_linux(void)
{
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_ptr_eq(host_pp->vs, host_pp->root_vs);
	ck_assert(!host_pp->fallback);
	ck_assert_uint_eq(status_of(host_pp->handoff.ppid)->state, BF_PP_GUEST);
}

/* By the active extension, in any callback: a VM with a handler and a VS that is attached. */
static inline uint16_t make_guest(uint16_t *vmid)
{
	uint16_t vsid;

	*vmid = make_vm();
	ck_assert_uint_eq(SYS2(vm_set_handler, HANDLE2, *vmid, EXT_HANDLER), MK1_SUCCESS);
	vsid = make_vs(*vmid, (uint16_t)host_pp->handoff.ppid);
	ck_assert_uint_eq(SYS2(vs_nested_attach, HANDLE2, vsid), MK1_SUCCESS);
	return vsid;
}

/* Out of a hypercall into a guest, with Linux behind the instruction. */
static inline void run_guest(uint16_t vmid, uint16_t vsid)
{
	SYS(vs_advance_ip_and_run, HANDLE, vmid, vs_find(vsid)->vpid, vsid);
	ck_assert_int_eq(ended.end, END_GUEST);
	ck_assert_uint_eq(host_pp->vsid, vsid);
	put_event_to_inject(0);
}

#endif
