// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm_fuzz DEVICE SEED SECONDS [qemu|still]: everything that a user without rights can do to KVM's
 * interface. For so many seconds of CPU time, processes live for a moment and are killed at any:
 * each has threads that share virtual machines, give them regions, registers and code, run them,
 * make requests of all numbers with arguments of all kinds, and take files and memory away from
 * each other. Any answer will do, but no error that only a kernel should see; and the kernel must
 * survive. Ends with 0 if guests have run and each process could be killed. qemu: guests do not do
 * what ends QEMU with any hypervisor (docs/testing.md): they write no CR8, have EFER.LME only with
 * paging, set no breakpoints, and do not run into their page tables. still: they do not run at all,
 * for an emulator that has no way out of those that loop.
 *
 * kvm_fuzz DEVICE all: as many VMs and vCPUs as there can be; prints how many that is.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <abi/hw/x86.h>

#include "hostile.h"

#define NOBODY 65534
#define WORKERS 2
#define MAX_THREADS 3
#define NR_VMS 3
#define NR_VCPUS 6
#define RAM_PAGES 256ul
#define RAM_SIZE (RAM_PAGES * PAGE)
#define RUN_SIZE (2ul * PAGE)
#define DEVICE_GPA 0xC0000000ul /* where guests find nothing */
#define KICK_NS 3000000 /* how long a guest runs at most */
#define LARGEST_ERRNO 133
#define NR_REASONS 64
#define WAIT_SECONDS 120 /* for a process that has been killed, on a machine with other work */

/* What all processes count. */
static struct counts {
	uint64_t calls, good, lives, runs, interrupted, bad;
	uint64_t cpu_ns; /* of all threads */
	uint64_t reasons[NR_REASONS];
} *counts;

static const char *device_name;

/* What the threads of a process share, without any care. */
static int device;
static volatile int vms[NR_VMS], vcpus[NR_VCPUS];
static uint8_t *runs; /* of each vCPU; always mapped */
static uint8_t *ram, *target; /* the same memory: to write to, and to be taken away */
static uint8_t *anonymous; /* of which nothing is read here */

static void add_to(uint64_t *count, uint64_t n)
{
	__atomic_fetch_add(count, n, __ATOMIC_RELAXED);
}

static void add(uint64_t *count)
{
	add_to(count, 1);
}

static uint64_t pick(const uint64_t *values, size_t count)
{
	return values[next() % count];
}

#define PICK(...) pick((const uint64_t[]){ __VA_ARGS__ }, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8)

static bool one_in(unsigned int n)
{
	return next() % n == 0;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static bool still;

/* A request, with what comes back looked at. */
static int request(int fd, unsigned long command, uint64_t argument)
{
	int result;

	if (still && command == KVM_RUN) {
		errno = EINTR;
		return -1;
	}
	result = ioctl(fd, command, argument);
	add(&counts->calls);
	if (result >= 0) {
		add(&counts->good);
	} else if (errno <= 0 || errno > LARGEST_ERRNO) {
		fprintf(stderr, "request 0x%lx: error %d\n", command, errno);
		add(&counts->bad);
	}
	return result;
}

static uint64_t address_of(const volatile void *at)
{
	return (uintptr_t)at;
}

/* --- values ----------------------------------------------------------------------------------- */

static uint64_t any_value(void)
{
	switch (next() % 8) {
	case 0:
		return next();
	case 1:
		return 1ull << next() % 64;
	case 2:
		return (1ull << next() % 64) - 1;
	case 3:
		return PICK(0xFFFFFFFFFFFFFFFF, 0x8000000000000000, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFF,
			    0x80000000, 0xFFFF, 0xFEE00900, 0xFEC00000);
	case 4:
		return address_of(target) + next() % RAM_SIZE;
	case 5:
		return DEVICE_GPA + next() % PAGE;
	default:
		return next() % 16;
	}
}

static void fill(uint8_t *data, size_t size)
{
	unsigned int kind = (unsigned int)(next() % 4);

	memset(data, 0, size);
	for (size_t i = 0; kind && i < size; i += 8) {
		uint64_t value = any_value();
		size_t n = size - i < 8 ? size - i : 8;

		if (kind == 1 || one_in(kind == 2 ? 4 : 16))
			memcpy(data + i, &value, n);
	}
}

/* A few changes to what was good. */
static void change(uint8_t *data, size_t size)
{
	for (uint64_t n = next() % 4; n; n--) {
		uint64_t value = any_value();
		size_t at = next() % size;

		if (one_in(2))
			data[at] ^= (uint8_t)(1 << next() % 8);
		else
			memcpy(data + at, &value, size - at < 8 ? size - at : 8);
	}
}

/* --- guests ----------------------------------------------------------------------------------- */

#define CODE(...) \
	{ \
		sizeof((uint8_t[]){ __VA_ARGS__ }), \
		{ \
			__VA_ARGS__ \
		} \
	}

/* Instructions that exit, change the mode, or end the guest; in 16, 32 or 64 bits. */
static const struct {
	uint8_t size, bytes[15];
} pieces[] = {
	CODE(0xE6, 0x80), /* OUT, IN */
	CODE(0xE4, 0x60),
	CODE(0xED),
	CODE(0x66, 0xEF),
	CODE(0xF3, 0x6C), /* INS, OUTS */
	CODE(0x6F),
	CODE(0xF3, 0x6E),
	CODE(0x0F, 0xA2), /* CPUID */
	CODE(0x0F, 0x32), /* RDMSR, WRMSR */
	CODE(0x0F, 0x30),
	CODE(0xB9, 0x80, 0x00, 0x00, 0xC0), /* ECX: EFER */
	CODE(0x0F, 0x20, 0xC0), /* CR0, CR3, CR4, CR8 */
	CODE(0x0F, 0x22, 0xC0),
	CODE(0x0F, 0x22, 0xD8),
	CODE(0x0F, 0x22, 0xE0),
	CODE(0x44, 0x0F, 0x22, 0xC0),
	CODE(0x0F, 0x23, 0xF8), /* DR7 */
	CODE(0x0F, 0x01, 0xF0), /* LMSW */
	CODE(0x0F, 0x01, 0x16, 0x00, 0x20), /* LGDT, LIDT */
	CODE(0x0F, 0x01, 0x1E, 0x00, 0x20),
	CODE(0x0F, 0x00, 0xD8), /* LTR */
	CODE(0x0F, 0x01, 0xC1), /* VMCALL, VMMCALL, VMRUN, VMXOFF */
	CODE(0x0F, 0x01, 0xD9),
	CODE(0x0F, 0x01, 0xD8),
	CODE(0x0F, 0x01, 0xC4),
	CODE(0x0F, 0x01, 0xD1), /* XSETBV, MONITOR, MWAIT, RDTSCP, STGI */
	CODE(0x0F, 0x01, 0xC8),
	CODE(0x0F, 0x01, 0xC9),
	CODE(0x0F, 0x01, 0xF9),
	CODE(0x0F, 0x01, 0xDC),
	CODE(0x0F, 0x08), /* INVD, WBINVD, INVLPG, RDPMC */
	CODE(0x0F, 0x09),
	CODE(0x0F, 0x01, 0x38),
	CODE(0x0F, 0x33),
	CODE(0xF4), /* HLT */
	CODE(0xFA, 0xEB, 0xFE), /* CLI, and on the spot */
	CODE(0xFB, 0x90),
	CODE(0x9D), /* POPF, IRET, INT */
	CODE(0xCF),
	CODE(0xCD, 0x0D),
	CODE(0xCC),
	CODE(0x0F, 0x0B), /* UD2 */
	CODE(0x0F, 0x05), /* SYSCALL, SYSENTER, SYSRET */
	CODE(0x0F, 0x34),
	CODE(0x0F, 0x07),
	CODE(0x8A, 0x03), /* [EBX] is a device */
	CODE(0x88, 0x03),
	CODE(0x01, 0x03),
	CODE(0xF0, 0x0F, 0xB1, 0x0B),
	CODE(0x87, 0x03),
	CODE(0x0F, 0xB6, 0x03),
	CODE(0x0F, 0x6F, 0x03), /* not emulated */
	CODE(0xF3, 0xA4), /* MOVS, STOS */
	CODE(0xAB),
	CODE(0xFF, 0x33), /* PUSH, POP, CALL */
	CODE(0x8F, 0x03),
	CODE(0xFF, 0x13),
	CODE(0xEA, 0x00, 0x10, 0x00, 0x00), /* far */
	CODE(0x9A, 0x00, 0x10, 0x08, 0x00),
	CODE(0xDB, 0xE3), /* FNINIT, MOVAPS, FXSAVE, XSAVE */
	CODE(0x0F, 0x28, 0x00),
	CODE(0x0F, 0xAE, 0x03),
	CODE(0x0F, 0xAE, 0x20),
	CODE(0xFE, 0x06, 0x00, 0x10), /* changes code */
	CODE(0x40),
	CODE(0xE2, 0xF0), /* LOOP */
};

#define NR_PIECES (sizeof(pieces) / sizeof(pieces[0]))

static bool spare_qemu;

/*
 * MOV to CR8, to CR0, which is CR8 behind a prefix, and to debug registers becomes MOV from there;
 * WRMSR becomes RDMSR.
 */
static void spare_in_code(uint8_t *at, size_t size)
{
	for (size_t i = 0; i + 2 < size; i++) {
		if (at[i] == 0x0F && at[i + 1] == 0x22 && !(at[i + 2] & 0x38))
			at[i + 1] = 0x20;
		else if (at[i] == 0x0F && at[i + 1] == 0x23)
			at[i + 1] = 0x21;
		else if (at[i] == 0x0F && at[i + 1] == 0x30)
			at[i + 1] = 0x32;
	}
}

/* EFER.LME only with the paging that it is for: guests cannot end that, without MOV to CR0. */
static uint64_t spared_efer(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return cr0 & CR0_PG && cr4 & CR4_PAE ? efer : efer & ~(uint64_t)EFER_LME;
}

/* What a request gives a guest; false: nothing of that kind. */
static bool spare_in_argument(unsigned long command, uint8_t *data, size_t size)
{
	struct kvm_sregs *sregs = (struct kvm_sregs *)data;
	struct kvm_sregs2 *sregs2 = (struct kvm_sregs2 *)data;

	switch (command) {
	case KVM_SET_SREGS:
		sregs->efer = spared_efer(sregs->cr0, sregs->cr4, sregs->efer);
		return true;
	case KVM_SET_SREGS2:
		sregs2->efer = spared_efer(sregs2->cr0, sregs2->cr4, sregs2->efer);
		return true;
	case KVM_SET_DEBUGREGS:
		((struct kvm_debugregs *)data)->dr7 &= ~0xFFull;
		return true;
	case KVM_SET_MSRS:
		for (size_t at = sizeof(struct kvm_msrs); at + 16 <= size; at += 16) {
			struct kvm_msr_entry *entry = (struct kvm_msr_entry *)(data + at);

			if (entry->index == MSR_EFER)
				entry->index++;
		}
		return true;
	default:
		return false;
	}
}

static void write_code(uint8_t *to, size_t size)
{
	uint8_t at[1024];
	size_t done = 0;

	while (done + 32 < size) {
		size_t i = next() % NR_PIECES;

		if (one_in(6)) {
			at[done++] = (uint8_t)next();
			continue;
		}
		memcpy(at + done, pieces[i].bytes, pieces[i].size);
		done += pieces[i].size;
	}
	memset(at + done, 0xF4, 8); /* HLT */
	done += 8;
	if (spare_qemu)
		spare_in_code(at, done);
	memcpy(to, at, done);
}

static void put(uint64_t gpa, uint64_t value)
{
	memcpy(ram + gpa, &value, sizeof(value));
}

/*
 * The first 2 MiB and those of the device, one to one; and a GDT. For QEMU, whoever runs on beyond
 * all code halts before he comes to the tables.
 */
static void write_tables(void)
{
	if (spare_qemu)
		memset(ram + 0xF000, 0xF4, PAGE);
	put(0x10000, 0x11007);
	put(0x11000, 0x12007);
	put(0x11000 + 3 * 8, 0x13007);
	put(0x12000, 0x87);
	put(0x13000, DEVICE_GPA | 0x87);
	put(0x5008, 0x00AF9B000000FFFF);
	put(0x5010, 0x00CF93000000FFFF);
}

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool is_64)
{
	return (struct kvm_segment){ .limit = 0xFFFFFFFF,
				     .selector = selector,
				     .type = type,
				     .present = 1,
				     .db = !is_64,
				     .s = 1,
				     .l = is_64,
				     .g = 1 };
}

/* Real mode, protected mode, or 64-bit mode. */
static void set_mode(struct kvm_sregs *sregs, unsigned int mode)
{
	sregs->cs.base = 0;
	sregs->cs.selector = 0;
	if (!mode)
		return;
	sregs->cs = segment(8, 11, mode == 2);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = segment(16, 3, false);
	sregs->gdt.base = 0x5000;
	sregs->gdt.limit = 23;
	sregs->idt.base = 0x6000;
	sregs->idt.limit = 0xFFF;
	sregs->cr0 = 0x31;
	if (mode == 1)
		return;
	sregs->cr3 = 0x10000;
	sregs->cr4 = 0x620;
	sregs->cr0 = 0x80000031;
	sregs->efer = 0x500;
}

/* Code, and registers to begin it with. */
static void begin_guest(int vcpu)
{
	struct kvm_regs regs = { .rip = 0x1000,
				 .rsp = 0x8000,
				 .rflags = 2,
				 .rbx = DEVICE_GPA,
				 .rcx = next() % 4,
				 .rax = any_value(),
				 .rdx = any_value(),
				 .rsi = one_in(2) ? DEVICE_GPA : 0x3000,
				 .rdi = one_in(2) ? DEVICE_GPA : 0x4000 };
	unsigned int mode = (unsigned int)(next() % 3);
	struct kvm_sregs sregs;

	write_tables();
	write_code(ram + 0x1000, 64 + next() % 512);
	if (request(vcpu, KVM_GET_SREGS, address_of(&sregs)))
		return;
	set_mode(&sregs, mode);
	if (!mode)
		sregs.ds.base = one_in(2) ? DEVICE_GPA : 0;
	if (one_in(4))
		change((uint8_t *)&sregs, sizeof(sregs));
	if (spare_qemu)
		spare_in_argument(KVM_SET_SREGS, (uint8_t *)&sregs, sizeof(sregs));
	request(vcpu, KVM_SET_SREGS, address_of(&sregs));
	if (one_in(4))
		change((uint8_t *)&regs, sizeof(regs));
	request(vcpu, KVM_SET_REGS, address_of(&regs));
}

static __thread timer_t kick;

/* A signal for this thread in a moment: a guest that runs for long leaves. 0: none. */
static void kick_in(long ns)
{
	const struct itimerspec when = { .it_value.tv_nsec = ns };

	timer_settime(kick, 0, &when, NULL);
}

static int run_once(int vcpu)
{
	int result, error;

	kick_in(KICK_NS);
	result = request(vcpu, KVM_RUN, 0);
	error = errno;
	kick_in(0);
	errno = error;
	return result;
}

/* With the registers that user space gives a guest here. */
static void fill_run(size_t i)
{
	_Alignas(uint64_t) uint8_t filled[RUN_SIZE];
	size_t size = one_in(2) ? sizeof(struct kvm_run) : RUN_SIZE;

	fill(filled, size);
	if (spare_qemu)
		((struct kvm_run *)filled)->s.regs.sregs.efer &= ~(uint64_t)EFER_LME;
	memcpy(runs + i * RUN_SIZE, filled, size);
}

static void run_guest(size_t i)
{
	struct kvm_run *run = (struct kvm_run *)(runs + i * RUN_SIZE);
	int result;

	if (still)
		return;
	run->immediate_exit = one_in(16);
	run->request_interrupt_window = one_in(8);
	run->cr8 = one_in(32) ? next() : next() % 16;
	for (unsigned int n = 0; n < 12; n++) {
		result = run_once(vcpus[i]);
		add(&counts->runs);
		if (result) {
			if (errno == EINTR)
				add(&counts->interrupted);
			return;
		}
		add(&counts->reasons[run->exit_reason % NR_REASONS]);
		if (run->exit_reason != KVM_EXIT_IO && run->exit_reason != KVM_EXIT_MMIO)
			return;
		if (one_in(4))
			fill((uint8_t *)run + (one_in(2) ? PAGE : 0), 256);
	}
}

/* --- requests --------------------------------------------------------------------------------- */

#define ANY_SIZE 0 /* in a few pages */

/* All that KVM has on x86, with those whose arguments have no fixed size. */
static const unsigned long requests[] = {
	KVM_GET_API_VERSION,
	KVM_CREATE_VM,
	KVM_GET_MSR_INDEX_LIST,
	KVM_CHECK_EXTENSION,
	KVM_GET_VCPU_MMAP_SIZE,
	KVM_GET_SUPPORTED_CPUID,
	KVM_GET_EMULATED_CPUID,
	KVM_GET_MSR_FEATURE_INDEX_LIST,
	KVM_CREATE_VCPU,
	KVM_GET_DIRTY_LOG,
	KVM_SET_NR_MMU_PAGES,
	KVM_GET_NR_MMU_PAGES,
	KVM_SET_USER_MEMORY_REGION,
	KVM_SET_TSS_ADDR,
	KVM_SET_IDENTITY_MAP_ADDR,
	KVM_CREATE_IRQCHIP,
	KVM_IRQ_LINE,
	KVM_GET_IRQCHIP,
	KVM_SET_IRQCHIP,
	KVM_CREATE_PIT,
	KVM_GET_PIT,
	KVM_SET_PIT,
	KVM_IRQ_LINE_STATUS,
	KVM_REGISTER_COALESCED_MMIO,
	KVM_UNREGISTER_COALESCED_MMIO,
	KVM_SET_GSI_ROUTING,
	KVM_REINJECT_CONTROL,
	KVM_IRQFD,
	KVM_CREATE_PIT2,
	KVM_SET_BOOT_CPU_ID,
	KVM_IOEVENTFD,
	KVM_XEN_HVM_CONFIG,
	KVM_SET_CLOCK,
	KVM_GET_CLOCK,
	KVM_GET_PIT2,
	KVM_SET_PIT2,
	KVM_SET_TSC_KHZ,
	KVM_GET_TSC_KHZ,
	KVM_SIGNAL_MSI,
	KVM_CREATE_DEVICE,
	KVM_SET_DEVICE_ATTR,
	KVM_GET_DEVICE_ATTR,
	KVM_HAS_DEVICE_ATTR,
	KVM_RUN,
	KVM_GET_REGS,
	KVM_SET_REGS,
	KVM_GET_SREGS,
	KVM_SET_SREGS,
	KVM_TRANSLATE,
	KVM_INTERRUPT,
	KVM_GET_MSRS,
	KVM_SET_MSRS,
	KVM_SET_CPUID,
	KVM_SET_SIGNAL_MASK,
	KVM_GET_FPU,
	KVM_SET_FPU,
	KVM_GET_LAPIC,
	KVM_SET_LAPIC,
	KVM_SET_CPUID2,
	KVM_GET_CPUID2,
	KVM_TPR_ACCESS_REPORTING,
	KVM_SET_VAPIC_ADDR,
	KVM_GET_MP_STATE,
	KVM_SET_MP_STATE,
	KVM_NMI,
	KVM_SET_GUEST_DEBUG,
	KVM_X86_SETUP_MCE,
	KVM_X86_GET_MCE_CAP_SUPPORTED,
	KVM_X86_SET_MCE,
	KVM_GET_VCPU_EVENTS,
	KVM_SET_VCPU_EVENTS,
	KVM_GET_DEBUGREGS,
	KVM_SET_DEBUGREGS,
	KVM_ENABLE_CAP,
	KVM_GET_XSAVE,
	KVM_SET_XSAVE,
	KVM_GET_XSAVE2,
	KVM_GET_XCRS,
	KVM_SET_XCRS,
	KVM_KVMCLOCK_CTRL,
	KVM_GET_REG_LIST,
	KVM_GET_ONE_REG,
	KVM_SET_ONE_REG,
	KVM_SMI,
	KVM_MEMORY_ENCRYPT_OP,
	KVM_HYPERV_EVENTFD,
	KVM_GET_NESTED_STATE,
	KVM_SET_NESTED_STATE,
	KVM_CLEAR_DIRTY_LOG,
	KVM_GET_SUPPORTED_HV_CPUID,
	KVM_X86_SET_MSR_FILTER,
	KVM_RESET_DIRTY_RINGS,
	KVM_XEN_HVM_GET_ATTR,
	KVM_XEN_HVM_SET_ATTR,
	KVM_GET_SREGS2,
	KVM_SET_SREGS2,
	KVM_GET_STATS_FD,
	/* newer than these headers: regions with a file, attributes, memory files, faults ahead */
	_IOC(_IOC_WRITE, KVMIO, 0x49, 160),
	_IOC(_IOC_WRITE, KVMIO, 0xD2, 32),
	_IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0xD4, 64),
	_IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0xD5, 64),
};

#define NR_REQUESTS (sizeof(requests) / sizeof(requests[0]))

static int any_file(void)
{
	switch (next() % 8) {
	case 0:
		return device;
	case 1:
	case 2:
		return vms[next() % NR_VMS];
	default:
		return vcpus[next() % NR_VCPUS];
	}
}

/* A count where lists have theirs, small enough to be taken for one, mostly. */
static void fill_argument(uint8_t *data, size_t size)
{
	uint32_t count = (uint32_t)(next() % 90);

	fill(data, size);
	if (one_in(3))
		memcpy(data, &count, sizeof(count));
}

static void any_request(void)
{
	_Alignas(uint64_t) uint8_t buffer[2 * PAGE];
	unsigned long command = requests[next() % NR_REQUESTS];
	uint64_t argument = address_of(buffer);
	int fd = any_file();

	fill_argument(buffer, one_in(4) ? sizeof(buffer) : 512);
	if (one_in(8))
		command = _IOC(next() % 4, one_in(8) ? next() % 256 : KVMIO, next() % 256,
			       one_in(2) ? _IOC_SIZE(command) : next() % 16384);
	if (one_in(8))
		argument = PICK(0, 1, 8, PAGE, 0xFFFF888000000000, 0xFFFFFFFF81000000,
				0xFFFFFFFFFFFFF000, 0x7FFFFFFFF000,
				address_of(target) + RAM_SIZE - 8, address_of(runs),
				address_of(requests), next());
	/* These leave a file behind each time; threads have their own way to make some. */
	if (command == KVM_CREATE_VM || command == KVM_CREATE_VCPU)
		argument = next();
	if (spare_qemu && spare_in_argument(command, buffer, sizeof(buffer)))
		argument = address_of(buffer);
	fd = request(fd, command, argument);
	if (fd > 2 &&
	    (command == KVM_CREATE_VM || command == KVM_CREATE_VCPU || command == KVM_GET_STATS_FD))
		close(fd);
}

/* What one request has given and another takes, with changes. */
static void give_back_changed(void)
{
	static const struct {
		unsigned long get, set;
		size_t size;
	} pairs[] = {
		{ KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs) },
		{ KVM_GET_SREGS, KVM_SET_SREGS, sizeof(struct kvm_sregs) },
		{ KVM_GET_SREGS2, KVM_SET_SREGS2, sizeof(struct kvm_sregs2) },
		{ KVM_GET_FPU, KVM_SET_FPU, sizeof(struct kvm_fpu) },
		{ KVM_GET_XSAVE, KVM_SET_XSAVE, sizeof(struct kvm_xsave) },
		{ KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs) },
		{ KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events) },
		{ KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs) },
		{ KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state) },
		{ KVM_GET_LAPIC, KVM_SET_LAPIC, sizeof(struct kvm_lapic_state) },
	};
	size_t i = next() % (sizeof(pairs) / sizeof(pairs[0]));
	_Alignas(uint64_t) uint8_t buffer[2 * PAGE] = { 0 };
	int fd = vcpus[next() % NR_VCPUS];

	if (request(fd, pairs[i].get, address_of(buffer)) < 0)
		return;
	change(buffer, pairs[i].size);
	if (spare_qemu)
		spare_in_argument(pairs[i].set, buffer, sizeof(buffer));
	request(fd, pairs[i].set, address_of(buffer));
}

static void set_cpuid(void)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[100];
	} cpuid = { .head.nent = 100 };

	if (one_in(8))
		cpuid.head.nent = (uint32_t)any_value();
	if (request(device, KVM_GET_SUPPORTED_CPUID, address_of(&cpuid)))
		return;
	if (one_in(2))
		change((uint8_t *)&cpuid, sizeof(cpuid));
	request(vcpus[next() % NR_VCPUS], KVM_SET_CPUID2, address_of(&cpuid));
}

static void set_region(void)
{
	uint64_t page = next() % RAM_PAGES;
	struct kvm_userspace_memory_region region = {
		.slot = (uint32_t)(next() % 4),
		.flags = (uint32_t)PICK(0, 0, 0, KVM_MEM_READONLY, KVM_MEM_LOG_DIRTY_PAGES, next()),
		.guest_phys_addr = PICK(0, 0x1000, 0x8000, 0x100000, 0x200000, DEVICE_GPA,
					1ull << 32, 1ull << 45, next() & ~0xFFFull),
		.memory_size = PICK(0, RAM_SIZE, PAGE, page * PAGE, 1ull << 40, next()),
		.userspace_addr = address_of(target),
	};

	if (one_in(4))
		region.userspace_addr = address_of(target) + page * PAGE;
	else if (one_in(2))
		region.userspace_addr = PICK(address_of(anonymous), address_of(runs),
					     address_of(requests) & ~0xFFFull, 0, 0x7FFFFFFFF000,
					     next() & ~0xFFFull);
	if (one_in(3)) {
		region.slot = 0;
		region.flags = 0;
		region.guest_phys_addr = 0;
		region.memory_size = RAM_SIZE;
		region.userspace_addr = address_of(target);
	}
	request(vms[next() % NR_VMS], KVM_SET_USER_MEMORY_REGION, address_of(&region));
}

/* --- files and memory ------------------------------------------------------------------------- */

/* A new file in place of whatever has this number. */
static void replace(volatile int *fd, int other)
{
	int old = *fd;

	if (other < 0)
		return;
	if (old >= 0 && one_in(2)) {
		dup2(other, old);
		close(other);
	} else {
		*fd = other;
		if (old >= 0)
			close(old);
	}
}

static void new_vcpu(size_t i)
{
	int fd = request(vms[next() % NR_VMS], KVM_CREATE_VCPU, one_in(8) ? next() : next() % 64);

	if (fd < 0)
		return;
	mmap(runs + i * RUN_SIZE, RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	replace(&vcpus[i], fd);
}

static void new_vm(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE,
						      .userspace_addr = address_of(target) };
	int fd = request(device, KVM_CREATE_VM, 0);

	if (fd < 0)
		return;
	request(fd, KVM_SET_USER_MEMORY_REGION, address_of(&region));
	replace(&vms[next() % NR_VMS], fd);
}

/* What else there is to do to a file. */
static void other_calls(void)
{
	int fd = any_file();
	size_t size = (1 + next() % 4) * PAGE;
	uint8_t buffer[64];
	void *map = mmap(NULL, size, next() % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
			 one_in(4) ? MAP_PRIVATE : MAP_SHARED, fd, (off_t)(next() % 4 * PAGE));

	if (map != MAP_FAILED) {
		madvise(map, size, MADV_POPULATE_READ);
		madvise(map, size, MADV_POPULATE_WRITE);
		munmap(map, size);
	}
	if (read(fd, buffer, sizeof(buffer)) >= 0 || write(fd, buffer, sizeof(buffer)) >= 0) {
		fprintf(stderr, "a file can be read or written\n");
		add(&counts->bad);
	}
}

static void disturb_memory(void)
{
	uint8_t *at = (one_in(2) ? target : anonymous) + next() % RAM_PAGES * PAGE;

	switch (next() % 5) {
	case 0:
		madvise(at, PAGE, MADV_DONTNEED);
		break;
	case 1:
		mprotect(at, PAGE, PROT_NONE);
		break;
	case 2:
		mprotect(at, PAGE, PROT_READ);
		break;
	case 3:
		mprotect(target, RAM_SIZE, PROT_READ | PROT_WRITE);
		mprotect(anonymous, RAM_SIZE, PROT_READ | PROT_WRITE);
		break;
	default:
		munmap(anonymous + next() % RAM_PAGES * PAGE, PAGE);
		break;
	}
}

/* Another process has the files, too, but they are not for it. */
static void by_another_process(void)
{
	pid_t pid = fork();

	if (!pid) {
		struct kvm_regs regs;

		_exit(request(vcpus[next() % NR_VCPUS], KVM_GET_REGS, address_of(&regs)) == 0);
	}
	if (pid > 0) {
		int status = 0;

		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFEXITED(status) && WEXITSTATUS(status)) {
			fprintf(stderr, "another process reads registers\n");
			add(&counts->bad);
		}
	}
}

static void move(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(next() % 8, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* Mostly with a vCPU of its own, so that threads do more than wait for each other. */
static void step(size_t own)
{
	size_t i = one_in(8) ? next() % NR_VCPUS : own;

	switch (next() % 32) {
	case 0:
		new_vm();
		break;
	case 1:
	case 2:
		new_vcpu(i);
		break;
	case 3:
	case 4:
		set_region();
		break;
	case 5:
		set_cpuid();
		break;
	case 6:
	case 7:
		give_back_changed();
		break;
	case 8:
		other_calls();
		break;
	case 9:
		disturb_memory();
		break;
	case 10:
		fill_run(i);
		break;
	case 11:
		write_code(ram + 0x1000 + next() % 0x400, 128);
		break;
	case 12:
		move();
		break;
	case 13:
		if (one_in(8))
			by_another_process();
		break;
	case 14:
		if (one_in(8))
			replace(one_in(2) ? &vms[next() % NR_VMS] : &vcpus[i], dup(device));
		break;
	case 15:
	case 16:
	case 17:
	case 18:
	case 19:
		any_request();
		break;
	case 20:
	case 21:
	case 22:
	case 23:
	case 24:
		run_guest(i);
		break;
	default:
		begin_guest(vcpus[i]);
		run_guest(i);
		break;
	}
}

/* --- processes -------------------------------------------------------------------------------- */

static void on_kick(int signal)
{
	(void)signal;
}

static void make_kick(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &kick))
		die("a timer");
}

/* Of this thread. */
static uint64_t cpu_time_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct thread {
	pthread_t id;
	uint64_t seed;
	uint64_t steps;
	size_t vcpu;
};

static void *take_steps(void *argument)
{
	const struct thread *thread = argument;
	uint64_t before = 0, now;

	seed = thread->seed;
	make_kick();
	for (uint64_t n = 0; n < thread->steps; n++) {
		step(thread->vcpu);
		now = cpu_time_ns();
		add_to(&counts->cpu_ns, now - before);
		before = now;
	}
	return NULL;
}

static struct thread new_thread(size_t i)
{
	return (struct thread){ .seed = next(), .steps = 50 + next() % 1000, .vcpu = i };
}

static void *map(int fd, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static void live(uint64_t from)
{
	struct thread threads[MAX_THREADS];
	size_t count = 1 + from % MAX_THREADS;
	int memory = memfd_create("ram", MFD_CLOEXEC);

	seed = from;
	signal(SIGUSR2, on_kick);
	if (memory < 0 || ftruncate(memory, (off_t)RAM_SIZE))
		die("memory");
	ram = map(memory, RAM_SIZE);
	target = map(memory, RAM_SIZE);
	anonymous = map(-1, RAM_SIZE);
	runs = map(-1, NR_VCPUS * RUN_SIZE);
	device = open(device_name, O_RDWR | O_CLOEXEC);
	if (device < 0) {
		add(&counts->bad); /* nothing that a guest does may end the hypervisor */
		die(device_name);
	}
	if (one_in(8)) {
		const struct rlimit few = { 16 * PAGE, 16 * PAGE };

		setrlimit(RLIMIT_MEMLOCK, &few);
	}
	for (size_t i = 0; i < NR_VMS; i++)
		vms[i] = -1;
	for (size_t i = 0; i < NR_VCPUS; i++)
		vcpus[i] = -1;
	for (size_t i = 0; i < NR_VMS; i++)
		new_vm();
	for (size_t i = 0; i < NR_VCPUS; i++)
		new_vcpu(i);
	for (size_t i = 1; i < count; i++) {
		threads[i] = new_thread(i);
		if (pthread_create(&threads[i].id, NULL, take_steps, &threads[i]))
			die("a thread");
	}
	threads[0] = new_thread(0);
	take_steps(&threads[0]);
	/* Some end with all of it under way. */
	for (size_t i = 1; i < count && from & 1; i++)
		pthread_join(threads[i].id, NULL);
	add(&counts->lives);
	_exit(0);
}

/* From here on nothing of this process's has any rights. */
static void become_nobody(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY) || !geteuid())
		die("to become nobody");
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The CPU time of all steps. */
static double cpu_seconds(void)
{
	return (double)__atomic_load_n(&counts->cpu_ns, __ATOMIC_RELAXED) / 1e9;
}

/* false: it does not end within the time that there is for that. */
static bool await(pid_t pid)
{
	double until = seconds_now() + WAIT_SECONDS;
	pid_t ended;

	while (!(ended = waitpid(pid, NULL, WNOHANG)) && seconds_now() < until)
		usleep(1000);
	return ended == pid;
}

static pid_t begin_life(void)
{
	uint64_t from = next();
	pid_t pid = fork();

	if (!pid)
		live(from);
	if (pid < 0)
		die("fork");
	return pid;
}

static int fuzz(uint64_t from, double seconds)
{
	double until = seconds_now() + 20 * seconds;
	uint64_t killed = 0, begun = WORKERS;
	pid_t workers[WORKERS];
	bool good = true;

	seed = from;
	for (size_t i = 0; i < WORKERS; i++)
		workers[i] = begin_life();
	while (cpu_seconds() < seconds && seconds_now() < until && good && !counts->bad) {
		usleep((useconds_t)(next() % 200000));
		for (size_t i = 0; i < WORKERS && good; i++) {
			if (one_in(16) && !kill(workers[i], SIGKILL)) {
				killed++;
				good = await(workers[i]);
			} else if (!waitpid(workers[i], NULL, WNOHANG)) {
				continue;
			}
			workers[i] = begin_life();
			begun++;
		}
	}
	for (size_t i = 0; i < WORKERS; i++) {
		kill(workers[i], SIGKILL);
		good &= await(workers[i]);
	}
	printf("%.1f s of CPU time, %llu processes, of which %llu killed and %llu at their end\n",
	       cpu_seconds(), (unsigned long long)begun, (unsigned long long)killed,
	       (unsigned long long)counts->lives);
	printf("%llu requests, %llu of them good; %llu runs, %llu of them interrupted\nexits:",
	       (unsigned long long)counts->calls, (unsigned long long)counts->good,
	       (unsigned long long)counts->runs, (unsigned long long)counts->interrupted);
	for (unsigned int i = 0; i < NR_REASONS; i++) {
		if (counts->reasons[i])
			printf(" %u: %llu", i, (unsigned long long)counts->reasons[i]);
	}
	printf("\n");
	if (!good)
		printf("a process does not end\n");
	/* Most are, as long as there are VMs to make them of. */
	if (still)
		return good && !counts->bad && counts->good > counts->calls / 2 ? 0 : 1;
	return good && !counts->bad && counts->reasons[KVM_EXIT_IO] &&
			       counts->reasons[KVM_EXIT_MMIO] && counts->reasons[KVM_EXIT_HLT] &&
			       counts->interrupted ?
		       0 :
		       1;
}

/* Every VM and every vCPU that there can be. */
static int make_all(void)
{
	unsigned int nr_vms = 0, nr_vcpus = 0;
	int vm;

	device = open(device_name, O_RDWR | O_CLOEXEC);
	if (device < 0)
		die(device_name);
	while ((vm = ioctl(device, KVM_CREATE_VM, 0)) >= 0) {
		nr_vms++;
		for (unsigned long i = 0; i < 64 && ioctl(vm, KVM_CREATE_VCPU, i) >= 0; i++)
			nr_vcpus++;
	}
	printf("%u VMs, %u vCPUs: %s\n", nr_vms, nr_vcpus, strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	device_name = argv[1];
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (counts == MAP_FAILED)
		die("mmap");
	if (argc == 3)
		return strcmp(argv[2], "all") ? 2 : make_all();
	become_nobody();
	spare_qemu = argc == 5 && !strcmp(argv[4], "qemu");
	still = argc == 5 && !strcmp(argv[4], "still");
	printf("seed %s\n", argv[2]);
	return fuzz(strtoull(argv[2], NULL, 0), strtod(argv[3], NULL));
}
