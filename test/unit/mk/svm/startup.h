/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests share of CPUs that stay in the hypervisor, on AMD. */
#ifndef TEST_MK_SVM_STARTUP_H
#define TEST_MK_SVM_STARTUP_H

#include "microkernel/svm/startup.h"

#include "svm.h"

#define ICR(command, id) ((uint64_t)(0x100 + (id)) << 32 | (command))

enum { INIT = 0xC500, DEASSERT = 0x8500, STARTUP = 0x4600, OTHERS = 3 << 18 };

static inline void one_runs(void)
{
	machine_of(0);
	machine_has_x2apics();
	m.handoff->flags = BF_HANDOFF_KEEP_CPUS;
	start_and_launch();
}

/* PPs 0 and 1 run Linux, in x2APIC mode. */
static inline void two_run(void)
{
	one_runs();
	on_pp(1);
	enter(1);
	(void)launch();
	on_pp(0);
	machine_waits = NULL;
	machine_interrupts = 0;
}

/* This PP's Linux writes to the ICR. */
static inline void send_from(uint32_t ppid, uint64_t icr)
{
	on_pp(ppid);
	msr_set(cpu, MSR_X2APIC_ICR, 0);
	vmcb()->exitinfo1 = SVM_EXITINFO1_WRITE;
	vmcb()->nrip = vmcb()->rip + 2;
	abi_gprs()[BF_RCX] = MSR_X2APIC_ICR;
	vmcb()->rax = (uint32_t)icr;
	abi_gprs()[BF_RDX] = icr >> 32;
	guest_exit(SVM_EXIT_MSR);
}

static inline void send(uint64_t icr)
{
	send_from(0, icr);
}

/* What PP 0 has sent: the NMI that fetches another PP. */
static inline bool has_fetched(uint32_t ppid)
{
	return msr_get(&m.cpus[0], MSR_X2APIC_ICR) == ICR(ICR_NMI, ppid);
}

static inline void kick_arrives(void)
{
	struct trap_frame frame = { .vector = VECTOR_NMI, .cs = BF_SEL_KERNEL_CS };

	trap_dispatch(&frame);
}

static inline void nmi_exit(void)
{
	on_pp(1);
	cpu->on_stgi = NULL;
	RUN(kick_arrives());
	guest_exit(SVM_EXIT_NMI);
}

#endif
