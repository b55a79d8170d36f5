// SPDX-License-Identifier: GPL-2.0-only
/*
 * guest_cost DEVICE: what exits of a guest cost through KVM's interface, in TSC ticks, which are
 * instructions on the machines that `make bench` uses. The same for every implementation of it. The
 * least of many: without interrupts. Prints "cpuid N", "fault N" and "user N".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define CODE 0x1000ul
#define RAM_SIZE 0x100000ul
#define ROUNDS 200

/*
 * The guest measures from RDTSC to RDTSC, and gives the least difference to a port: 0x10 between
 * them is nothing, 0x11 a CPUID, 0x12 the first access to a page. Then it only writes to 0x20.
 */
#define MEASURE(port, rounds, what) \
	"mov $" #rounds ", %bp\n or $-1, %esi\n" \
	"1: rdtsc\n mov %eax, %edi\n xor %eax, %eax\n" what "rdtsc\n sub %edi, %eax\n" \
	"cmp %esi, %eax\n jae 2f\n mov %eax, %esi\n" \
	"2: dec %bp\n jnz 1b\n" \
	"mov %esi, %eax\n out %eax, $" #port "\n"

/* Of 128 pages, each a segment further. */
#define FIRST_ACCESSES \
	"mov $0x2000, %ax\n mov %ax, %ds\n mov $128, %bp\n or $-1, %esi\n" \
	"1: rdtsc\n mov %eax, %edi\n xor %eax, %eax\n mov %al, 0\n rdtsc\n sub %edi, %eax\n" \
	"cmp %esi, %eax\n jae 2f\n mov %eax, %esi\n" \
	"2: mov %ds, %ax\n add $0x100, %ax\n mov %ax, %ds\n dec %bp\n jnz 1b\n" \
	"mov %esi, %eax\n out %eax, $0x12\n"

// clang-format off
__asm__(".pushsection .rodata\n.code16\nguest_begin:\n"
	"cli\n"
	MEASURE(0x10, 200, "")
	MEASURE(0x11, 200, "cpuid\n")
	FIRST_ACCESSES
	"1: out %al, $0x20\n jmp 1b\n"
	"guest_end:\n.code64\n.popsection");
// clang-format on
extern const uint8_t guest_begin[], guest_end[];

static int vcpu;
static struct kvm_run *run;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* The next value that the guest writes, which has to be to this port. */
static uint32_t written_to(uint16_t port)
{
	uint32_t value;

	while (ioctl(vcpu, KVM_RUN, 0)) {
		if (errno != EINTR)
			die("KVM_RUN");
	}
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != port) {
		fprintf(stderr, "exit %u, port 0x%x\n", run->exit_reason, run->io.port);
		exit(1);
	}
	memcpy(&value, (uint8_t *)run + run->io.data_offset, sizeof(value));
	return value;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* From the process to the guest, two of its instructions, and back. */
static uint64_t user_cost(void)
{
	uint64_t best = UINT64_MAX, empty = UINT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t t0 = rdtsc();
		uint64_t t1 = rdtsc();
		uint64_t t2;

		if (ioctl(vcpu, KVM_RUN, 0))
			die("KVM_RUN");
		t2 = rdtsc();
		empty = least(empty, t1 - t0);
		best = least(best, t2 - t1);
	}
	return best - empty;
}

static void make_guest(const char *name)
{
	int device = open(name, O_RDWR | O_CLOEXEC);
	int vm = device < 0 ? -1 : ioctl(device, KVM_CREATE_VM, 0);
	/* All of it is there, in pages of 4 KiB. */
	void *ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE,
						      .userspace_addr = (uintptr_t)ram };
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	if (vm < 0 || ram == MAP_FAILED)
		die(name);
	memcpy((uint8_t *)ram + CODE, guest_begin, (size_t)(guest_end - guest_begin));
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) ||
	    ioctl(vcpu, KVM_GET_SREGS, &sregs))
		die("a vCPU");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		die("registers");
	run = mmap(NULL, (size_t)ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		   MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("mmap of the vCPU");
}

int main(int argc, char **argv)
{
	uint32_t empty;

	if (argc != 2)
		return 2;
	make_guest(argv[1]);
	empty = written_to(0x10);
	printf("cpuid %u\n", written_to(0x11) - empty);
	printf("fault %u\n", written_to(0x12) - empty);
	written_to(0x20);
	printf("user %llu\n", (unsigned long long)user_cost());
	return 0;
}
