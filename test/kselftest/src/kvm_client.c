// SPDX-License-Identifier: GPL-2.0-only
/*
 * kvm_client DEVICE [CASE...]: guests through KVM's interface, with nothing but its ioctls. Prints
 * what each guest does and what the interface answers; that is the same on every implementation of
 * it, so that two transcripts can be compared. Without a case, all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define RAM_SIZE 0x100000ul
#define RAM2_GPA 0x400000ul /* a second region */
#define RAM2_SIZE 0x4000ul
#define SPARSE_GPA 0x100000000ull
#define SIZE_2M 0x200000ul
#define DEVICE_GPA 0xC0000000ul /* where nothing is */
#define CODE 0x1000ul
#define STACK 0x8000ul
#define MAX_EXITS 200

static int device, vm, vcpu;
static struct kvm_run *run;
static uint8_t *ram, *ram2;
static size_t run_size;

static void die(const char *what)
{
	printf("cannot go on: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const char *outcome(int result)
{
	return result < 0 ? strerror(errno) : "ok";
}

/* --- code of guests: each between its labels -------------------------------------------------- */

#define GUEST(name, mode, text) \
	__asm__(".pushsection .rodata\n" mode "\n" #name "_begin:\n" text "\n" #name \
		"_end:\n.code64\n.popsection"); \
	extern const uint8_t name##_begin[], name##_end[]

GUEST(real_io, ".code16",
      "mov $0x3F8, %dx\n mov $0x41, %al\n out %al, %dx\n"
      "mov $0x1234, %ax\n mov $0x80, %dx\n out %ax, %dx\n"
      "mov $0x89ABCDEF, %eax\n out %eax, $0x84\n"
      "mov $0xFFFFFFFF, %eax\n in $0x60, %al\n mov %eax, %ebx\n"
      "mov $0xFFFFFFFF, %eax\n in $0x62, %ax\n mov %eax, %ecx\n"
      "in $0x64, %eax\n mov %eax, %esi\n"
      "hlt\n mov $0x77, %al\n out %al, $0x80\n hlt\n");

/* FS is at 3000:0, which the client has put at DEVICE_GPA; DS is at RAM. */
GUEST(real_mmio, ".code16",
      "mov %fs:0x10, %al\n mov %al, 0x2000\n"
      "mov %fs:0x20, %eax\n mov %eax, %ebx\n"
      "movzbl %fs:0x30, %ecx\n movsbl %fs:0x31, %edx\n"
      "movw $0xBEEF, %fs:0x40\n"
      "addl $5, %fs:0x50\n pushf\n pop %si\n and $0x8D5, %si\n"
      "mov %ebx, %fs:0x60\n"
      "lock orb $0x80, %fs:0x70\n"
      "xchg %cx, %fs:0x80\n"
      "mov $0x2100, %di\n mov $0x90, %bx\n movb $0x5A, 0x2100\n"
      "hlt\n");

GUEST(real_memory, ".code16", "1: mov %gs:0, %eax\n mov %eax, %ebx\n incl %gs:4\n hlt\n jmp 1b\n");

GUEST(loop_sti, ".code16", "sti\n 1: inc %ax\n jmp 1b\n");
GUEST(loop_cli, ".code16", "cli\n 1: inc %ax\n jmp 1b\n");

/* IVT entry 0x20 and 2 point to the handlers. */
GUEST(real_irq, ".code16",
      "mov $0, %ax\n mov %ax, %ds\n mov %ax, %ss\n mov $0x8000, %sp\n"
      "movw $0x1100, 0x80\n movw $0, 0x82\n"
      "movw $0x1180, 0x08\n movw $0, 0x0A\n"
      "cli\n mov $1, %al\n out %al, $0x10\n"
      "sti\n nop\n nop\n cli\n mov $2, %al\n out %al, $0x10\n hlt\n"
      "mov $3, %al\n out %al, $0x10\n hlt\n"
      ".org real_irq_begin + 0x100\n"
      "mov $0x20, %al\n out %al, $0x11\n iret\n"
      ".org real_irq_begin + 0x180\n"
      "mov $0x02, %al\n out %al, $0x12\n iret\n");

GUEST(real_triple, ".code16",
      "lidtw 0x1000 + idtr - real_triple_begin\n ud2\n idtr: .word 0, 0, 0\n");

/* From real mode into 64-bit mode by itself: tables at 0x10000, GDT below. */
GUEST(mode_switch, ".code16",
      "cli\n xor %ax, %ax\n mov %ax, %ds\n"
      "lgdtl 0x1000 + gdtr - mode_switch_begin\n"
      "mov $0x20, %eax\n mov %eax, %cr4\n"
      "mov $0x10000, %eax\n mov %eax, %cr3\n"
      "mov $0xC0000080, %ecx\n rdmsr\n or $0x100, %eax\n wrmsr\n"
      "mov $0x80000011, %eax\n mov %eax, %cr0\n"
      "ljmpl $8, $(0x1000 + in_64 - mode_switch_begin)\n"
      ".code64\n"
      "in_64: mov $0x123456789ABCDEF0, %rax\n mov %rax, 0x3000\n"
      "mov $0xC0000080, %ecx\n rdmsr\n out %eax, $0x20\n"
      "mov %cr4, %rax\n and $~0x40, %eax\n out %eax, $0x21\n"
      "mov %cr0, %rax\n and $0xDFFFFFFF, %eax\n out %eax, $0x22\n"
      "hlt\n"
      ".balign 8\n"
      "gdt: .quad 0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF\n"
      "gdtr: .word 23\n .long 0x1000 + gdt - mode_switch_begin\n");

/* Protected mode without paging, then PAE paging. */
GUEST(protected, ".code32",
      "mov $0x2000, %esp\n push $0x1234\n pop %eax\n out %eax, $0x30\n"
      "mov $0x20, %eax\n mov %eax, %cr4\n mov $0x10000, %eax\n mov %eax, %cr3\n"
      "mov %cr0, %eax\n or $0x80000000, %eax\n mov %eax, %cr0\n"
      "mov 0x3000, %eax\n out %eax, $0x31\n"
      "mov %cr0, %eax\n and $0x7FFFFFFF, %eax\n mov %eax, %cr0\n"
      "mov %cr4, %eax\n and $~0x40, %eax\n out %eax, $0x32\n hlt\n");

/* 64-bit mode from the start. IDT at 0x6000, with #UD, #GP and #PF at 0x1400. */
GUEST(long_mode, ".code64",
      "mov $0x1000000000000001, %rax\n add %rax, %rax\n mov %rax, 0x3000\n"
      "mov $0xC0000000, %ebx\n mov (%rbx), %rcx\n mov %rcx, 0x3008\n"
      "mov %eax, 8(%rbx)\n movb $0x7E, 16(%rbx)\n"
      "mov $0x3100, %edi\n lea 0x20(%rbx), %rsi\n mov $3, %ecx\n rep movsl\n"
      "mov $0x40000111, %eax\n cpuid\n out %eax, $0x40\n mov %ebx, %eax\n out %eax, $0x41\n"
      "mov $0xC0000102, %ecx\n mov $0x55667788, %eax\n mov $0x1122, %edx\n wrmsr\n"
      "swapgs\n mov $0xC0000101, %ecx\n rdmsr\n out %eax, $0x42\n mov %edx, %eax\n"
      "out %eax, $0x43\n swapgs\n"
      "mov $0xDEAD, %ecx\n rdmsr\n" /* #GP */
      "ud2\n"
      "mov $0x800000, %rax\n mov (%rax), %rax\n" /* #PF */
      "mov %cr4, %rax\n or $0x40000, %rax\n mov %rax, %cr4\n" /* OSXSAVE: #GP */
      "hlt\n"
      ".org long_mode_begin + 0x400\n"
      "push $0\n push $6\n jmp 3f\n" /* #UD */
      ".org long_mode_begin + 0x420\n"
      "push $13\n jmp 3f\n" /* #GP */
      ".org long_mode_begin + 0x440\n"
      "push $14\n" /* #PF */
      "3: push %rax\n push %rbx\n"
      "mov 16(%rsp), %rax\n out %eax, $0x48\n mov 24(%rsp), %rax\n out %eax, $0x49\n"
      "mov 32(%rsp), %rbx\n movzbl (%rbx), %eax\n"
      "cmp $0x48, %al\n jne 4f\n add $3, %rbx\n jmp 5f\n" /* a load by RAX */
      "4: cmpw $0x220F, (%rbx)\n jne 6f\n add $3, %rbx\n jmp 5f\n" /* MOV to CR4 */
      "6: add $2, %rbx\n" /* RDMSR, UD2 */
      "5: mov %rbx, 32(%rsp)\n pop %rbx\n pop %rax\n add $16, %rsp\n iretq\n");

GUEST(sse, ".code64",
      "mov %cr4, %rax\n or $0x600, %rax\n mov %rax, %cr4\n"
      "mov $0x1111222233334444, %rax\n movq %rax, %xmm0\n movq %rax, %xmm7\n"
      "fninit\n fld1\n"
      "1: hlt\n"
      "movq %xmm0, %rax\n out %eax, $0x50\n movq %xmm7, %rbx\n cmp %rax, %rbx\n jne 2f\n"
      "fld %st(0)\n fistpl 0x3000\n mov 0x3000, %eax\n out %eax, $0x51\n"
      "paddd %xmm0, %xmm0\n movq %xmm0, %xmm7\n jmp 1b\n"
      "2: ud2\n");

/* Two CPUs count, and then say so. */
GUEST(count, ".code64", "mov $20000, %ecx\n 1: lock incl 0x3000\n loop 1b\n hlt\n");

/* A word every 2 MiB, and their sum. */
GUEST(sparse, ".code64",
      "mov $0x100000000, %rbx\n mov $1536, %ecx\n"
      "1: mov %rcx, (%rbx)\n add $0x200000, %rbx\n loop 1b\n"
      "xor %edx, %edx\n mov $1536, %ecx\n"
      "2: sub $0x200000, %rbx\n add (%rbx), %rdx\n loop 2b\n"
      "mov %edx, %eax\n out %eax, $0x60\n hlt\n");

/*
 * A word in each page of 4 MiB, and their sum. What a device gives goes there, too: the extension
 * writes it. Behind it are 2 MiB that are read-only, and 2 MiB where the former can be read again.
 */
GUEST(pages, ".code64",
      "mov $0x100000000, %rbx\n mov $1024, %ecx\n"
      "1: mov %rcx, 8(%rbx)\n add $0x1000, %rbx\n loop 1b\n"
      "xor %edx, %edx\n mov $1024, %ecx\n"
      "2: sub $0x1000, %rbx\n add 8(%rbx), %rdx\n loop 2b\n"
      "mov %edx, %eax\n out %eax, $0x60\n"
      "mov $0xC0000020, %esi\n lea 0x345678(%rbx), %rdi\n mov $2, %ecx\n rep movsl\n"
      "mov 0x34567C(%rbx), %eax\n out %eax, $0x61\n"
      "mov 0x401238(%rbx), %eax\n out %eax, $0x62\n mov %eax, 0x402000(%rbx)\n"
      "mov 0x600008(%rbx), %eax\n out %eax, $0x63\n movl $0x77, 0x605008(%rbx)\n"
      "mov 0x6008(%rbx), %eax\n out %eax, $0x64\n"
      "hlt\n");

/* One page of a huge one that another VM has in part, and the page which that has. */
GUEST(first_page, ".code64", "mov $0x100000000, %rbx\n movl $0x11, (%rbx)\n hlt\n");
GUEST(other_page, ".code64",
      "mov $0x100000000, %rbx\n movl $0x22, 0x5000(%rbx)\n mov 0x5000(%rbx), %eax\n"
      "out %eax, $0x60\n movl $0x33, (%rbx)\n hlt\n");

/* Strings of all sizes, both directions, other address sizes and segments; none left to do. */
GUEST(string_io, ".code16",
      "cld\n mov $0x60, %dx\n mov $0x2000, %di\n mov $5, %cx\n rep insb\n"
      "mov $0x62, %dx\n mov $2, %cx\n rep insw\n insl\n"
      "mov $0x84, %dx\n mov $0x2000, %si\n mov $3, %cx\n rep outsb\n outsw\n outsl\n"
      "mov $0x85, %dx\n xor %si, %si\n mov $2, %cx\n rep outsb %gs:(%si), %dx\n"
      "std\n mov $0x2022, %di\n mov $0x64, %dx\n mov $2, %cx\n rep insw\n"
      "mov $0x2001, %si\n mov $2, %cx\n mov $0x86, %dx\n rep outsb\n cld\n"
      "xor %cx, %cx\n rep insb\n rep outsb\n"
      "mov $0x2030, %edi\n mov $0x66, %dx\n mov $0x12340002, %ecx\n rep insb\n"
      "mov $2, %ecx\n addr32 rep insb\n"
      "mov $0x2FFE, %di\n mov $3, %cx\n mov $0x68, %dx\n rep insw\n" /* two pages */
      "mov $0x2FFF, %si\n mov $0x87, %dx\n outsw\n hlt\n");

/* The same in 64-bit mode, where REX.W means nothing, and OUTS faults. */
GUEST(string_io_64, ".code64",
      "cld\n mov $0x3100, %edi\n mov $0x60, %edx\n mov $2, %ecx\n .byte 0xF3, 0x48, 0x6D\n"
      "mov $0x3100, %esi\n mov $0x84, %edx\n mov $2, %ecx\n rep outsl\n"
      "mov $0x800000, %esi\n rep outsb\n mov $1, %ecx\n rep outsb\n hlt\n");

/*
 * What KVM does not do as the CPU does: it reads the port before #PF, and in QEMU, MSRs that it
 * leaves to the CPU take any value.
 */
GUEST(faults, ".code64",
      "mov $0xC0000083, %ecx\n mov $0x8000, %edx\n wrmsr\n" /* CSTAR, not canonical: #GP */
      "cld\n mov $0x800000, %edi\n mov $0x60, %edx\n mov $1, %ecx\n rep insb\n hlt\n");

/* ES is at the device. */
GUEST(mmio_write, ".code16",
      "movw $0xBEEF, %es:0x40\n addl $5, %es:0x50\n"
      "mov $0x10, %di\n mov $3, %cx\n mov $0x5A, %al\n cld\n rep stosb\n"
      "xor %di, %di\n hlt\n");

/* No device has floating point registers. */
GUEST(emulation, ".code64", "mov $0xC0000000, %eax\n flds (%rax)\n hlt\n");

/* MSRs that the client has set, and those that it is to see. */
GUEST(msrs, ".code64",
      "mov $0xC0000082, %ecx\n rdmsr\n out %eax, $0x20\n mov %edx, %eax\n out %eax, $0x21\n"
      "mov $0xC0000081, %ecx\n rdmsr\n out %eax, $0x22\n mov %edx, %eax\n out %eax, $0x23\n"
      "mov $0x176, %ecx\n rdmsr\n out %eax, $0x24\n"
      "mov $0x277, %ecx\n rdmsr\n out %eax, $0x25\n"
      "mov $0x8B, %ecx\n rdmsr\n mov %edx, %eax\n out %eax, $0x26\n"
      "mov $0xC0000083, %ecx\n mov $0x11223344, %eax\n mov $0x5566, %edx\n wrmsr\n"
      "mov $0x174, %ecx\n mov $0x28, %eax\n xor %edx, %edx\n wrmsr\n"
      "mov $0x277, %ecx\n mov $2, %eax\n xor %edx, %edx\n wrmsr\n" /* no type: #GP */
      "mov $0x10, %ecx\n xor %eax, %eax\n mov $0x100000, %edx\n wrmsr\n hlt\n"
      "mov $0x3B, %ecx\n rdmsr\n add $0x100000, %edx\n wrmsr\n hlt\n"
      ".org msrs_begin + 0x420\n" /* #GP */
      "add $8, %rsp\n addq $2, (%rsp)\n push %rax\n mov $13, %eax\n out %eax, $0x48\n"
      "pop %rax\n iretq\n");

GUEST(debug, ".code64",
      "mov %db0, %rax\n out %eax, $0x20\n mov %db3, %rax\n out %eax, $0x21\n"
      "mov %db7, %rax\n out %eax, $0x22\n mov %db6, %rax\n out %eax, $0x23\n"
      "mov $0x12345678, %eax\n mov %rax, %db1\n mov $0x400, %eax\n mov %rax, %db7\n hlt\n");

GUEST(add_rbx, ".code64", "1: add $1, %rbx\n out %al, $0x10\n jmp 1b\n");

/* Until what is there has gone. */
GUEST(poll, ".code16", "sti\n 1: mov %gs:0, %al\n cmp $0x66, %al\n je 1b\n hlt\n");

/* --- a VM ------------------------------------------------------------------------------------- */

static int set_region(unsigned int slot, unsigned int flags, uint64_t gpa, uint64_t size,
		      const void *at)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)at,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void *allocate(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	return at;
}

static void make_vm(void)
{
	vm = ioctl(device, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM");
	ram = allocate(RAM_SIZE);
	ram2 = allocate(RAM2_SIZE);
	if (set_region(0, 0, 0, RAM_SIZE, ram))
		die("KVM_SET_USER_MEMORY_REGION");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0)
		die("KVM_CREATE_VCPU");
	run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("mmap of the vCPU");
}

static void end_vm(void)
{
	munmap(run, run_size);
	close(vcpu);
	close(vm);
	munmap(ram, RAM_SIZE);
	munmap(ram2, RAM2_SIZE);
}

static void get_sregs(struct kvm_sregs *sregs)
{
	if (ioctl(vcpu, KVM_GET_SREGS, sregs))
		die("KVM_GET_SREGS");
}

static void set_sregs(const struct kvm_sregs *sregs)
{
	if (ioctl(vcpu, KVM_SET_SREGS, sregs))
		die("KVM_SET_SREGS");
}

static struct kvm_regs get_regs(void)
{
	struct kvm_regs regs;

	if (ioctl(vcpu, KVM_GET_REGS, &regs))
		die("KVM_GET_REGS");
	return regs;
}

static void set_regs(uint64_t rip)
{
	struct kvm_regs regs = { .rip = rip, .rsp = STACK, .rflags = 2 };

	if (ioctl(vcpu, KVM_SET_REGS, &regs))
		die("KVM_SET_REGS");
}

static void load(const uint8_t *begin, const uint8_t *end)
{
	memcpy(ram + CODE, begin, (size_t)(end - begin));
}

#define LOAD(name) load(name##_begin, name##_end)

static void begin_real(void)
{
	struct kvm_sregs sregs;

	get_sregs(&sregs);
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	sregs.fs.base = DEVICE_GPA;
	sregs.gs.base = RAM2_GPA;
	set_sregs(&sregs);
	set_regs(CODE);
}

static struct kvm_segment flat(unsigned int selector, unsigned int type, bool code_64)
{
	return (struct kvm_segment){
		.limit = 0xFFFFFFFF,
		.selector = (uint16_t)selector,
		.type = (uint8_t)type,
		.present = 1,
		.db = !code_64,
		.s = 1,
		.l = code_64,
		.g = 1,
	};
}

static void put(uint64_t gpa, uint64_t value)
{
	memcpy(ram + gpa, &value, sizeof(value));
}

/* The first 2 MiB, and the 2 MiB of the device, one to one. */
static void make_tables(void)
{
	put(0x10000, 0x11003);
	put(0x11000, 0x12003);
	put(0x11000 + 3 * 8, 0x13003);
	put(0x12000, 0x83);
	put(0x13000, DEVICE_GPA | 0x83);
}

/* The same for PAE paging, whose highest level has no rights. */
static void make_pae_tables(void)
{
	put(0x10000, 0x12001);
	put(0x12000, 0x83);
}

static void put_gate(unsigned int vector, uint64_t handler)
{
	put(0x6000 + vector * 16,
	    (handler & 0xFFFF) | 8 << 16 | 0x8E0000000000ull | (handler >> 16 & 0xFFFF) << 48);
	put(0x6000 + vector * 16 + 8, 0);
}

static void begin_long(void)
{
	struct kvm_sregs sregs;

	make_tables();
	put(0x5008, 0x00AF9B000000FFFF);
	put(0x5010, 0x00CF93000000FFFF);
	put_gate(6, CODE + 0x400);
	put_gate(13, CODE + 0x420);
	put_gate(14, CODE + 0x440);
	get_sregs(&sregs);
	sregs.cs = flat(8, 11, true);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat(16, 3, false);
	sregs.gdt.base = 0x5000;
	sregs.gdt.limit = 23;
	sregs.idt.base = 0x6000;
	sregs.idt.limit = 0xFFF;
	sregs.cr3 = 0x10000;
	sregs.cr4 = 0x20;
	sregs.cr0 = 0x80000031;
	sregs.efer = 0x500;
	set_sregs(&sregs);
	set_regs(CODE);
}

static void begin_protected(void)
{
	struct kvm_sregs sregs;

	make_pae_tables();
	get_sregs(&sregs);
	sregs.cs = flat(8, 11, false);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat(16, 3, false);
	sregs.cr0 = 0x31;
	set_sregs(&sregs);
	set_regs(CODE);
}

/* --- exits ------------------------------------------------------------------------------------ */

/* What the devices answer: something of their own for each address. */
static uint64_t answer_of(uint64_t address, unsigned int size)
{
	uint64_t value = 0x8877665544332211ull ^ address * 0x0101;

	return size < 8 ? value & ((1ull << (8 * size)) - 1) : value;
}

static bool counting; /* what ports answer grows */
static unsigned int strings;

static void on_io(void)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	/* How many come together is not the same everywhere. */
	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		uint64_t value = 0;

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&value, data, run->io.size);
			printf("  out 0x%x, %u: 0x%llx\n", run->io.port, run->io.size,
			       (unsigned long long)value);
		} else {
			value = answer_of(run->io.port, run->io.size) + (counting ? strings++ : 0);
			memcpy(data, &value, run->io.size);
			printf("  in 0x%x, %u\n", run->io.port, run->io.size);
		}
	}
}

static void on_mmio(void)
{
	uint64_t value = 0;

	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, run->mmio.len);
		printf("  write 0x%llx, %u: 0x%llx\n", (unsigned long long)run->mmio.phys_addr,
		       run->mmio.len, (unsigned long long)value);
	} else {
		value = answer_of(run->mmio.phys_addr, run->mmio.len);
		memcpy(run->mmio.data, &value, run->mmio.len);
		printf("  read 0x%llx, %u\n", (unsigned long long)run->mmio.phys_addr,
		       run->mmio.len);
	}
}

/* What follows the bytes of the instruction says more, and is not the same everywhere. */
static void on_internal_error(void)
{
	printf("  internal error %u, flags %llx:", run->internal.suberror,
	       (unsigned long long)run->emulation_failure.flags);
	if (run->emulation_failure.flags & 1) {
		for (unsigned int i = 0; i < 2 && i < run->emulation_failure.insn_size; i++)
			printf(" %02x", run->emulation_failure.insn_bytes[i]);
	}
	printf("\n");
}

/* Runs until something else than a device is wanted; prints and returns what. */
static uint32_t go(void)
{
	for (unsigned int i = 0; i < MAX_EXITS; i++) {
		if (ioctl(vcpu, KVM_RUN, 0)) {
			int error = errno;

			printf("  KVM_RUN: %s, exit reason %u\n", strerror(error),
			       run->exit_reason);
			return run->exit_reason;
		}
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			on_io();
			break;
		case KVM_EXIT_MMIO:
			on_mmio();
			break;
		case KVM_EXIT_HLT:
			printf("  hlt, RIP 0x%llx\n", (unsigned long long)get_regs().rip);
			return KVM_EXIT_HLT;
		case KVM_EXIT_INTERNAL_ERROR:
			on_internal_error();
			return KVM_EXIT_INTERNAL_ERROR;
		case KVM_EXIT_FAIL_ENTRY:
			printf("  fail entry 0x%llx\n",
			       (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
			return KVM_EXIT_FAIL_ENTRY;
		default:
			printf("  exit reason %u\n", run->exit_reason);
			return run->exit_reason;
		}
	}
	printf("  too many exits\n");
	return 0;
}

static void print_regs(void)
{
	struct kvm_regs r = get_regs();

	printf("  rax %llx rbx %llx rcx %llx rdx %llx rsi %llx rdi %llx\n",
	       (unsigned long long)r.rax, (unsigned long long)r.rbx, (unsigned long long)r.rcx,
	       (unsigned long long)r.rdx, (unsigned long long)r.rsi, (unsigned long long)r.rdi);
}

static void print_memory(uint64_t gpa)
{
	uint64_t value;

	memcpy(&value, ram + gpa, sizeof(value));
	printf("  [0x%llx] = 0x%llx\n", (unsigned long long)gpa, (unsigned long long)value);
}

/* --- cases ------------------------------------------------------------------------------------ */

/* What the interface refuses, and how. */
static void case_refusals(void)
{
	struct kvm_sregs sregs;
	struct kvm_interrupt irq = { .irq = 256 };
	struct kvm_mp_state state = { .mp_state = 99 };
	const void *at = ram2;

#define SAY(what) printf("  %s: %s\n", #what, outcome(what))
	SAY(ioctl(device, KVM_GET_API_VERSION, 1));
	SAY(ioctl(device, _IO(KVMIO, 0xFE), 0));
	SAY(ioctl(vm, _IO(KVMIO, 0xFE), 0));
	SAY(ioctl(vcpu, KVM_RUN, 1));
	SAY(ioctl(vm, KVM_CREATE_VCPU, 0));
	SAY(set_region(1, 0, 0x800, 0x1000, at));
	SAY(set_region(1, 0, RAM2_GPA, 0x800, at));
	SAY(set_region(1, 0, RAM2_GPA, 0x1000, (const char *)at + 8));
	SAY(set_region(1, 0x80, RAM2_GPA, 0x1000, at));
	SAY(set_region(1, 0, 0x1000, 0x1000, at));
	SAY(set_region(1, 0, RAM2_GPA, 0, at));
	SAY(set_region(1, 0, RAM2_GPA, 0x2000, at));
	SAY(set_region(1, 0, RAM2_GPA, 0x1000, at));
	SAY(set_region(1, 0, RAM2_GPA + 0x10000, 0x2000, at));
	SAY(set_region(1, 0, 0, 0, at));
	SAY(ioctl(vcpu, KVM_INTERRUPT, &irq));
	SAY(ioctl(vcpu, KVM_SET_MP_STATE, &state));
	get_sregs(&sregs);
	sregs.cr0 = 0x80000000;
	SAY(ioctl(vcpu, KVM_SET_SREGS, &sregs));
	sregs.cr0 = 0x60000010;
	sregs.cr4 = 1ull << 40;
	SAY(ioctl(vcpu, KVM_SET_SREGS, &sregs));
	sregs.cr4 = 0;
	sregs.efer = 0x400;
	SAY(ioctl(vcpu, KVM_SET_SREGS, &sregs));
}

static void case_reset(void)
{
	struct kvm_sregs s;
	struct kvm_regs r = get_regs();
	struct kvm_mp_state state = { .mp_state = 99 };

	get_sregs(&s);
	/* Types are left out, of which the vendors have ideas of their own. */
	printf("  cs %x %llx %x %x%x%x, ds %x %llx %x\n", s.cs.selector,
	       (unsigned long long)s.cs.base, s.cs.limit, s.cs.s, s.cs.dpl, s.cs.present,
	       s.ds.selector, (unsigned long long)s.ds.base, s.ds.limit);
	printf("  cr0 %llx cr3 %llx cr4 %llx cr8 %llx efer %llx apic %llx\n",
	       (unsigned long long)s.cr0, (unsigned long long)s.cr3, (unsigned long long)s.cr4,
	       (unsigned long long)s.cr8, (unsigned long long)s.efer,
	       (unsigned long long)s.apic_base);
	printf("  rip %llx rflags %llx rax %llx rdx %llx\n", (unsigned long long)r.rip,
	       (unsigned long long)r.rflags, (unsigned long long)r.rax, (unsigned long long)r.rdx);
	printf("  KVM_GET_MP_STATE: %s", outcome(ioctl(vcpu, KVM_GET_MP_STATE, &state)));
	printf(", %u\n", state.mp_state);
}

static void case_real_io(void)
{
	LOAD(real_io);
	begin_real();
	go();
	print_regs();
	go();
}

static void case_real_mmio(void)
{
	LOAD(real_mmio);
	begin_real();
	go();
	print_regs();
	print_memory(0x2000);
}

static void case_regions(void)
{
	LOAD(real_memory);
	begin_real();
	ram2[0] = 0x44;
	printf("  no memory there\n");
	go();
	printf("  add: %s\n", outcome(set_region(1, 0, RAM2_GPA, RAM2_SIZE, ram2)));
	go();
	print_regs();
	ram2[0] = 0x55;
	go();
	print_regs();
	printf("  counted: %u\n", ram2[4]);
	printf("  delete: %s\n", outcome(set_region(1, 0, RAM2_GPA, 0, ram2)));
	go();
	printf("  add, read-only: %s\n",
	       outcome(set_region(1, KVM_MEM_READONLY, RAM2_GPA, RAM2_SIZE, ram2)));
	go();
	print_regs();
	printf("  counted: %u\n", ram2[4]);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void alarm_in(unsigned int ms)
{
	struct itimerval timer = { .it_value = { .tv_usec = (suseconds_t)ms * 1000 } };
	struct sigaction action = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* What a program of 32 bits gets: their system call has this way into a kernel of 64. */
static long ioctl_32(int file, unsigned long command, const void *argument)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(54), "b"(file), "c"(command), "d"(argument)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static void case_32_bit(void)
{
	static struct kvm_mp_state state = { .mp_state = 99 }; /* below 4 GiB */
	static struct kvm_enable_cap cap;

	printf("  device: %ld\n", ioctl_32(device, KVM_GET_API_VERSION, NULL));
	printf("  VM: %ld\n", ioctl_32(vm, KVM_ENABLE_CAP, &cap));
	printf("  vCPU: %ld", ioctl_32(vcpu, KVM_GET_MP_STATE, &state));
	printf(", %u\n", state.mp_state);
}

static void run_loop(void)
{
	uint64_t rip;

	begin_real();
	alarm_in(100);
	go();
	rip = get_regs().rip;
	printf("  in the loop: %d, IF %u\n", rip > CODE && rip < CODE + 4, run->if_flag);
}

static void case_loop(void)
{
	LOAD(loop_sti);
	run_loop();
	run->immediate_exit = 1;
	go();
	run->immediate_exit = 0;
}

/* The same with the guest's interrupts off: that does not keep Linux's away. */
static void case_cli(void)
{
	LOAD(loop_cli);
	run_loop();
}

/* SIGALRM is blocked but for the guest's time. */
static void case_sigmask(void)
{
	struct {
		struct kvm_signal_mask head;
		uint64_t set;
	} mask = { .head = { .len = 8 } };
	sigset_t set, pending;

	LOAD(loop_sti);
	begin_real();
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	printf("  KVM_SET_SIGNAL_MASK: %s\n", outcome(ioctl(vcpu, KVM_SET_SIGNAL_MASK, &mask)));
	alarm_in(50);
	go();
	sigpending(&pending);
	printf("  SIGALRM pending: %d\n", sigismember(&pending, SIGALRM));
	ioctl(vcpu, KVM_SET_SIGNAL_MASK, NULL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* A timer that counts CPU time goes on in the guest. */
static void case_cpu_time(void)
{
	struct itimerval timer = { .it_value = { .tv_usec = 100000 } };
	struct sigaction action = { .sa_handler = on_alarm };
	uint64_t rip;

	LOAD(loop_sti);
	begin_real();
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &timer, NULL);
	go();
	rip = get_regs().rip;
	printf("  in the loop: %d\n", rip > CODE && rip < CODE + 4);
}

static void protect(int rights)
{
	if (mprotect(ram2, RAM2_SIZE, rights))
		die("mprotect");
}

static void run_once(void)
{
	printf("  KVM_RUN: %s\n", outcome(ioctl(vcpu, KVM_RUN, 0)));
}

/* Memory that the process itself may only read, and then write, too. */
static void case_rights(void)
{
	ram2[0] = 0x42;
	protect(PROT_READ);
	printf("  region: %s\n", outcome(set_region(1, 0, RAM2_GPA, RAM2_SIZE, ram2)));
	LOAD(real_memory);
	begin_real();
	run_once();
	print_regs();
	run_once();
	protect(PROT_READ | PROT_WRITE);
	ram2[4] = 5;
	go();
	printf("  counted: %u\n", ram2[4]);
}

static void irq_comes(void)
{
	struct kvm_interrupt irq = { .irq = 0x20 };

	run->request_interrupt_window = 1;
	go();
	run->request_interrupt_window = 0;
	printf("  KVM_INTERRUPT: %s\n", outcome(ioctl(vcpu, KVM_INTERRUPT, &irq)));
}

/*
 * An interrupt whose delivery fails, since the guest's vectors are where the process has nothing:
 * whatever of the state is read and written meanwhile, it comes once.
 */
static void case_irq_kept(void)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	memcpy(ram2 + 0x80, (uint16_t[]){ 0x1100, 0 }, 4);
	printf("  region: %s\n", outcome(set_region(1, 0, RAM2_GPA, RAM2_SIZE, ram2)));
	LOAD(real_irq);
	begin_real();
	get_sregs(&sregs);
	sregs.idt.base = RAM2_GPA;
	set_sregs(&sregs);
	irq_comes();
	protect(PROT_NONE);
	run_once();
	for (unsigned int i = 0; i < 3; i++) {
		get_sregs(&sregs);
		printf("  vectors %llx\n", (unsigned long long)sregs.interrupt_bitmap[0]);
		regs = get_regs();
		if (i != 1 && ioctl(vcpu, KVM_SET_REGS, &regs))
			die("KVM_SET_REGS");
		if (i)
			set_sregs(&sregs);
		run_once();
	}
	protect(PROT_READ | PROT_WRITE);
	go();
}

static void set_online(unsigned int cpu, char online)
{
	char path[64];
	int file;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	file = open(path, O_WRONLY);
	if (file < 0 || write(file, &online, 1) != 1)
		die(path);
	close(file);
}

/* The CPU where the guest was goes offline. */
static void case_offline(void)
{
	unsigned int cpu = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN) - 1;
	cpu_set_t set;

	LOAD(real_io);
	begin_real();
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
	go();
	set_online(cpu, '0');
	print_regs();
	go();
	set_online(cpu, '1');
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
	print_regs();
	set_online(cpu, '0');
	end_vm(); /* which goes, too */
	make_vm();
	set_online(cpu, '1');
}

static void case_irq(void)
{
	struct kvm_interrupt irq = { .irq = 0x20 };

	LOAD(real_irq);
	begin_real();
	/* The first OUT exits with interrupts off. */
	if (ioctl(vcpu, KVM_RUN, 0) || run->exit_reason != KVM_EXIT_IO)
		printf("  KVM_RUN: exit reason %u\n", run->exit_reason);
	else
		on_io();
	printf("  ready %u, IF %u\n", run->ready_for_interrupt_injection, run->if_flag);
	run->request_interrupt_window = 1;
	go();
	printf("  ready %u, IF %u\n", run->ready_for_interrupt_injection, run->if_flag);
	run->request_interrupt_window = 0;
	printf("  KVM_INTERRUPT: %s\n", outcome(ioctl(vcpu, KVM_INTERRUPT, &irq)));
	go();
	printf("  KVM_NMI: %s\n", outcome(ioctl(vcpu, KVM_NMI)));
	go();
}

static void case_triple(void)
{
	LOAD(real_triple);
	begin_real();
	go();
}

static void case_mode_switch(void)
{
	LOAD(mode_switch);
	make_tables();
	begin_real();
	go();
	print_memory(0x3000);
}

static void case_protected(void)
{
	LOAD(protected);
	put(0x3000, 0xCAFE1234);
	begin_protected();
	go();
}

static void set_cpuid(void)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[100];
	} table = { .head = { .nent = 100 } };

	if (ioctl(device, KVM_GET_SUPPORTED_CPUID, &table))
		die("KVM_GET_SUPPORTED_CPUID");
	table.entries[table.head.nent++] = (struct kvm_cpuid_entry2){
		.function = 0x40000111, .eax = 0xAAAA, .ebx = 0xBBBB, .ecx = 0xCCCC, .edx = 0xDDDD
	};
	/* No XSAVE, whoever offers it. */
	for (unsigned int i = 0; i < table.head.nent; i++) {
		if (table.entries[i].function == 1)
			table.entries[i].ecx &= ~(1u << 26);
	}
	printf("  KVM_SET_CPUID2: %s\n", outcome(ioctl(vcpu, KVM_SET_CPUID2, &table)));
}

static void case_long_mode(void)
{
	set_cpuid();
	LOAD(long_mode);
	begin_long();
	go();
	print_memory(0x3000);
	print_memory(0x3008);
	print_memory(0x3100);
	print_memory(0x3108);
}

/* KVM_RUN with a pattern in the registers of SSE and x87 that must survive. */
static bool run_keeping(uint64_t pattern)
{
	uint64_t low = 0, high = 0;
	long result;
	long nr = 16; /* ioctl */

	__asm__ volatile("movq %[pattern], %%xmm3\n\tmovq %[pattern], %%xmm15\n\t"
			 "fninit\n\tfldpi\n\t"
			 "syscall\n\t"
			 "movq %%xmm3, %[low]\n\tmovq %%xmm15, %[high]\n\t"
			 "fldpi\n\tfcomip %%st(1), %%st\n\tfstp %%st(0)\n\t"
			 "je 1f\n\txor %[low], %[low]\n\t1:"
			 : "=a"(result), [low] "=&r"(low), [high] "=&r"(high)
			 : "0"(nr), "D"((long)vcpu), "S"(KVM_RUN), "d"(0L), [pattern] "r"(pattern)
			 : "rcx", "r11", "memory", "cc", "xmm3", "xmm15");
	return result == 0 && low == pattern && high == pattern;
}

static void case_sse(void)
{
	bool kept = true;

	LOAD(sse);
	begin_long();
	for (unsigned int i = 0; i < 8; i++) {
		do {
			kept = run_keeping(0x5A5A000000000000 + i) && kept;
			if (run->exit_reason == KVM_EXIT_IO)
				on_io();
		} while (run->exit_reason == KVM_EXIT_IO);
		printf("  exit reason %u\n", run->exit_reason);
	}
	printf("  the client's registers: %s\n", kept ? "kept" : "lost");
}

/* The same guest on one CPU after the other. */
static void case_migration(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	LOAD(sse);
	begin_long();
	for (long i = 0; i < 12; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET((size_t)(i % cpus), &set);
		sched_setaffinity(0, sizeof(set), &set);
		go();
	}
}

static int second; /* a vCPU, with its own kvm_run */
static struct kvm_run *second_run;

static void *run_second(void *argument)
{
	(void)argument;
	while (ioctl(second, KVM_RUN, 0) && errno == EINTR)
		;
	return NULL;
}

static void case_two_cpus(void)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	pthread_t thread;
	uint32_t sum;

	LOAD(count);
	begin_long();
	second = ioctl(vm, KVM_CREATE_VCPU, 1);
	if (second < 0)
		die("KVM_CREATE_VCPU");
	second_run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, second, 0);
	get_sregs(&sregs);
	regs = get_regs();
	if (second_run == MAP_FAILED || ioctl(second, KVM_SET_SREGS, &sregs) ||
	    ioctl(second, KVM_SET_REGS, &regs))
		die("the second vCPU");
	if (pthread_create(&thread, NULL, run_second, NULL))
		die("pthread_create");
	go();
	pthread_join(thread, NULL);
	memcpy(&sum, ram + 0x3000, sizeof(sum));
	printf("  second: exit reason %u; counted %u\n", second_run->exit_reason, sum);
	munmap(second_run, run_size);
	close(second);
}

static void *delete_region(void *argument)
{
	struct timespec time = { .tv_nsec = 50000000 };

	(void)argument;
	nanosleep(&time, NULL);
	if (set_region(1, 0, RAM2_GPA, 0, ram2))
		printf("  delete: %s\n", strerror(errno));
	return NULL;
}

/* The region goes while the guest reads it without an end. */
static void case_delete(void)
{
	pthread_t thread;

	LOAD(poll);
	begin_real();
	ram2[0] = 0x66;
	if (set_region(1, 0, RAM2_GPA, RAM2_SIZE, ram2) ||
	    pthread_create(&thread, NULL, delete_region, NULL))
		die("the region");
	go();
	pthread_join(thread, NULL);
}

/* Little memory, but in so many places that the tables take more than that. */
static void case_sparse(void)
{
	const uint64_t size = 3ull << 30;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED || set_region(1, 0, SPARSE_GPA, size, at))
		die("the region");
	(void)madvise(at, size, MADV_NOHUGEPAGE); /* refused by a kernel that has none */
	LOAD(sparse);
	begin_long();
	for (uint64_t i = 0; i < 3; i++) {
		put(0x11000 + (4 + i) * 8, (0x14000 + i * 0x1000) | 3);
		for (uint64_t n = 0; n < 512; n++)
			put(0x14000 + i * 0x1000 + n * 8,
			    (SPARSE_GPA + (i << 30) + (n << 21)) | 0x83);
	}
	go();
	printf("  delete: %s\n", outcome(set_region(1, 0, SPARSE_GPA, 0, NULL)));
	munmap(at, size);
}

/* KiB of this process's memory that are locked. */
static unsigned long locked(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	unsigned long value = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "VmLck: %lu", &value);
	if (file)
		fclose(file);
	return value;
}

/* The guest has 4 MiB, 2 MiB that are read-only, and 2 MiB that are not aligned as it sees them. */
static void run_pages(int flags)
{
	const uint64_t size = 3 * SIZE_2M;
	uint32_t *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);

	if (at == MAP_FAILED || set_region(1, 0, SPARSE_GPA, 2 * SIZE_2M, at) ||
	    set_region(2, KVM_MEM_READONLY, SPARSE_GPA + 2 * SIZE_2M, SIZE_2M,
		       (uint8_t *)at + 2 * SIZE_2M) ||
	    set_region(3, 0, SPARSE_GPA + 3 * SIZE_2M, SIZE_2M, (uint8_t *)at + 0x1000))
		die("the regions");
	at[(2 * SIZE_2M + 0x1238) / 4] = 0x12345;
	LOAD(pages);
	begin_long();
	put(0x11000 + 4 * 8, 0x14003);
	for (uint64_t n = 0; n < 4; n++)
		put(0x14000 + n * 8, (SPARSE_GPA + n * SIZE_2M) | 0x83);
	go();
	for (unsigned int slot = 0; slot <= 3; slot++)
		printf("  delete: %s\n", outcome(set_region(slot, 0, SPARSE_GPA, 0, NULL)));
	printf("  locked: %s\n", locked() ? "some" : "nothing");
	printf("  %x %x %x\n", at[0x1008 / 4], at[0x345678 / 4], at[0x6008 / 4]);
	munmap(at, size);
}

/* Not as with KVM, where VMs can share memory. */
static void case_pages_shared(void)
{
	uint32_t *at = mmap(NULL, SIZE_2M, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	int other[2];

	if (at == MAP_FAILED || set_region(1, 0, SPARSE_GPA, 0x1000, at))
		die("the region");
	LOAD(first_page);
	begin_long();
	put(0x11000 + 4 * 8, 0x14003);
	put(0x14000, SPARSE_GPA | 0x83);
	go();
	other[0] = vm;
	other[1] = vcpu;
	make_vm();
	if (set_region(1, 0, SPARSE_GPA, SIZE_2M, at))
		die("the region");
	LOAD(other_page);
	begin_long();
	put(0x11000 + 4 * 8, 0x14003);
	put(0x14000, SPARSE_GPA | 0x83);
	go();
	printf("  %x %x\n", at[0], at[0x5000 / 4]);
	close(other[1]);
	close(other[0]);
	munmap(at, SIZE_2M);
}

static void case_pages_2m(void)
{
	run_pages(MAP_PRIVATE | MAP_HUGETLB);
}

static void case_pages_4k(void)
{
	run_pages(MAP_SHARED);
}

/* Guests that only loop, one for each CPU, in threads. Returns how KVM_RUN has ended. */
static void *spin(void *argument)
{
	int fd = (int)(intptr_t)argument;
	int result;

	do
		result = ioctl(fd, KVM_RUN, 0);
	while (result && errno == EINTR);
	return (void *)(intptr_t)(result ? errno : 0);
}

/* What is left of the VM once somebody else has ended it. */
static void say_what_is_left(void)
{
	struct kvm_regs regs;
	int fd = ioctl(device, KVM_CREATE_VM, 0);

	printf("  run: %s\n", outcome(ioctl(vcpu, KVM_RUN, 0)));
	printf("  registers: %s\n", outcome(ioctl(vcpu, KVM_GET_REGS, &regs)));
	printf("  a region: %s\n", outcome(set_region(0, 0, 0, 0, ram)));
	printf("  another vCPU: %s\n", outcome(ioctl(vm, KVM_CREATE_VCPU, 60)));
	printf("  another VM: %s\n", outcome(fd));
	if (fd >= 0)
		close(fd);
}

#define MAX_SPINNERS 64

/* Until this process is killed, or the VM is ended; then once more at each SIGUSR1. */
static void spin_everywhere(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[MAX_SPINNERS];
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	sigset_t usr1;
	void *end;
	int signal;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	begin_real();
	get_sregs(&sregs);
	regs = get_regs();
	for (long i = 1; i < cpus && i < MAX_SPINNERS; i++) {
		int fd = ioctl(vm, KVM_CREATE_VCPU, i);

		if (fd < 0 || ioctl(fd, KVM_SET_SREGS, &sregs) || ioctl(fd, KVM_SET_REGS, &regs) ||
		    pthread_create(&threads[i], NULL, spin, (void *)(intptr_t)fd))
			die("another vCPU");
	}
	printf("  spinning\n");
	end = spin((void *)(intptr_t)vcpu);
	printf("  vCPU 0: %s\n", strerror((int)(intptr_t)end));
	for (long i = 1; i < cpus && i < MAX_SPINNERS; i++) {
		pthread_join(threads[i], &end);
		printf("  vCPU %ld: %s\n", i, strerror((int)(intptr_t)end));
	}
	do
		say_what_is_left();
	while (!sigwait(&usr1, &signal));
}

static void case_spin_sti(void)
{
	LOAD(loop_sti);
	spin_everywhere();
}

static void case_spin_cli(void)
{
	LOAD(loop_cli);
	spin_everywhere();
}

static void case_string_io(void)
{
	LOAD(string_io);
	begin_real();
	for (unsigned int i = 0; i < 2; i++)
		ram2[i] = (uint8_t)(0xA0 + i);
	if (set_region(1, 0, RAM2_GPA, RAM2_SIZE, ram2))
		die("the region");
	counting = true;
	strings = 0;
	go();
	counting = false;
	print_regs();
	for (uint64_t at = 0x2000; at < 0x2038; at += 8)
		print_memory(at);
	print_memory(0x2FF8);
	print_memory(0x3000);
}

static void case_string_io_64(void)
{
	set_cpuid();
	LOAD(long_mode); /* its handlers */
	LOAD(string_io_64);
	begin_long();
	go();
	print_regs();
	print_memory(0x3100);
}

static void case_faults(void)
{
	set_cpuid();
	LOAD(long_mode);
	LOAD(faults);
	begin_long();
	go();
	print_regs();
}

static void case_emulation(void)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = { 1 } };

	set_cpuid();
	LOAD(emulation);
	begin_long();
	printf("  KVM_ENABLE_CAP: %s\n", outcome(ioctl(vm, KVM_ENABLE_CAP, &cap)));
	go();
	printf("  RIP 0x%llx\n", (unsigned long long)get_regs().rip);
	cap.cap = 9999;
	printf("  another: %s\n", outcome(ioctl(vm, KVM_ENABLE_CAP, &cap)));
	printf("  of a vCPU: %s\n", outcome(ioctl(vcpu, KVM_ENABLE_CAP, &cap)));
}

/* Where the guest is when a device gets something. */
static void case_mmio_write(void)
{
	struct kvm_sregs sregs;

	LOAD(mmio_write);
	begin_real();
	get_sregs(&sregs);
	sregs.es.base = DEVICE_GPA;
	set_sregs(&sregs);
	do {
		struct kvm_regs regs;

		if (ioctl(vcpu, KVM_RUN, 0))
			die("KVM_RUN");
		regs = get_regs();
		/* KVM leaves the end of a string to the CPU. */
		printf("  exit reason %u, RIP 0x%llx, RCX %llu, RDI 0x%llx, ZF %d\n",
		       run->exit_reason, regs.rdi ? 0ull : (unsigned long long)regs.rip,
		       (unsigned long long)regs.rcx, (unsigned long long)regs.rdi,
		       (int)(regs.rflags >> 6 & 1));
		if (run->exit_reason == KVM_EXIT_MMIO)
			on_mmio();
	} while (run->exit_reason == KVM_EXIT_MMIO);
}

/* --- cases of a vCPU's state ------------------------------------------------------------------ */

#define MAX_MSRS 300

static struct {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[MAX_MSRS];
} msrs;

static void want_msr(uint32_t index, uint64_t value)
{
	msrs.entries[msrs.head.nmsrs++] = (struct kvm_msr_entry){ .index = index, .data = value };
}

static uint64_t get_msr(uint32_t index)
{
	msrs.head.nmsrs = 0;
	want_msr(index, 0);
	if (ioctl(vcpu, KVM_GET_MSRS, &msrs) != 1)
		die("KVM_GET_MSRS");
	return msrs.entries[0].data;
}

static void print_msrs(const char *what, unsigned long command)
{
	int result = ioctl(vcpu, command, &msrs);

	if (result < 0)
		printf("  %s: %s\n", what, strerror(errno));
	else
		printf("  %s: %d of %u\n", what, result, msrs.head.nmsrs);
}

/* The most usual ones: who saves a vCPU has to find them in the list. */
static void print_msr_list(void)
{
	static const uint32_t usual[] = { 0x10,       0x3B,       0x8B,      0x174,      0x175,
					  0x176,      0x1A0,      0x277,     0xC0000081, 0xC0000082,
					  0xC0000083, 0xC0000084, 0xC0000102 };
	struct {
		struct kvm_msr_list head;
		uint32_t indices[1000];
	} list = { .head = { .nmsrs = 1 } };
	unsigned int found = 0;

	printf("  list, no room: %s\n", outcome(ioctl(device, KVM_GET_MSR_INDEX_LIST, &list)));
	list.head.nmsrs = 1000;
	printf("  list: %s\n", outcome(ioctl(device, KVM_GET_MSR_INDEX_LIST, &list)));
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		for (uint32_t n = 0; n < list.head.nmsrs; n++)
			found += list.indices[n] == usual[i];
	}
	printf("  found: %u of %zu\n", found, sizeof(usual) / sizeof(usual[0]));
	/* Each of them can be read, and written back. */
	msrs.head.nmsrs = 0;
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		want_msr(usual[i], 0);
	print_msrs("KVM_GET_MSRS", KVM_GET_MSRS);
	print_msrs("KVM_SET_MSRS", KVM_SET_MSRS);
}

/* Time goes on meanwhile, and where CPUs differ, KVM makes up for that. */
static bool is_near(uint64_t value, uint64_t expected)
{
	return value - expected + (1ull << 36) < 1ull << 40;
}

static void case_msrs(void)
{
	set_cpuid();
	print_msr_list();
	msrs.head.nmsrs = 256;
	print_msrs("too many", KVM_SET_MSRS);
	msrs.head.nmsrs = 0;
	want_msr(0xC0000081, 0x0023001000000000); /* STAR */
	want_msr(0xC0000082, 0xFFFF800012345678); /* LSTAR */
	want_msr(0x176, 0x1234567); /* SYSENTER_EIP */
	want_msr(0x277, 0x0007040600070401); /* PAT */
	want_msr(0x8B, 0x99ull << 32); /* UCODE_REV */
	want_msr(0x1A0, 1); /* MISC_ENABLE */
	want_msr(0xC0000083, 1ull << 47); /* CSTAR, not canonical */
	want_msr(0xC0000084, 0x300); /* FMASK */
	print_msrs("KVM_SET_MSRS", KVM_SET_MSRS);
	msrs.head.nmsrs = 0;
	want_msr(0xC0000082, 0);
	want_msr(0xDEAD, 0);
	want_msr(0x176, 0);
	print_msrs("KVM_GET_MSRS", KVM_GET_MSRS);
	LOAD(msrs);
	begin_long();
	go();
	printf("  cstar %llx sysenter_cs %llx fmask %llx misc_enable %llx\n",
	       (unsigned long long)get_msr(0xC0000083), (unsigned long long)get_msr(0x174),
	       (unsigned long long)get_msr(0xC0000084), (unsigned long long)get_msr(0x1A0));
	printf("  the guest has set its TSC: %d, and TSC_ADJUST: %d\n",
	       is_near(get_msr(0x10), 1ull << 52), (int64_t)get_msr(0x3B) > 0);
	go();
	printf("  by TSC_ADJUST: %d\n", is_near(get_msr(0x10), 2ull << 52));
	msrs.head.nmsrs = 0;
	want_msr(0x10, 0x1000000000);
	print_msrs("KVM_SET_MSRS", KVM_SET_MSRS);
	printf("  TSC: %d\n", is_near(get_msr(0x10), 0x1000000000));
}

static void case_tsc(void)
{
	uint64_t offset = 1ull << 50;
	struct kvm_device_attr attr = { .group = KVM_VCPU_TSC_CTRL,
					.attr = KVM_VCPU_TSC_OFFSET,
					.addr = (uintptr_t)&offset };
	int khz = ioctl(vcpu, KVM_GET_TSC_KHZ);

	printf("  KVM_GET_TSC_KHZ: %d, of the VM: %d\n", khz > 0,
	       ioctl(vm, KVM_GET_TSC_KHZ) == khz);
	printf("  KVM_SET_TSC_KHZ: %s\n", outcome(ioctl(vcpu, KVM_SET_TSC_KHZ, khz)));
	printf("  half of it: %s\n", outcome(ioctl(vcpu, KVM_SET_TSC_KHZ, khz / 2)));
	printf("  KVM_HAS_DEVICE_ATTR: %s\n", outcome(ioctl(vcpu, KVM_HAS_DEVICE_ATTR, &attr)));
	printf("  KVM_SET_DEVICE_ATTR: %s\n", outcome(ioctl(vcpu, KVM_SET_DEVICE_ATTR, &attr)));
	offset = 0;
	printf("  KVM_GET_DEVICE_ATTR: %s", outcome(ioctl(vcpu, KVM_GET_DEVICE_ATTR, &attr)));
	printf(", %d\n", is_near(offset, 1ull << 50));
	attr.attr = 99;
	printf("  another: %s\n", outcome(ioctl(vcpu, KVM_HAS_DEVICE_ATTR, &attr)));
}

static struct kvm_vcpu_events get_events(void)
{
	struct kvm_vcpu_events events;

	if (ioctl(vcpu, KVM_GET_VCPU_EVENTS, &events))
		die("KVM_GET_VCPU_EVENTS");
	return events;
}

static void print_events(void)
{
	struct kvm_vcpu_events e = get_events();

	printf("  exception %u %u, interrupt %u %u, shadow %d, nmi %u %u, masked %u\n",
	       e.exception.injected, e.exception.injected ? e.exception.nr : 0,
	       e.interrupt.injected, e.interrupt.injected ? e.interrupt.nr : 0,
	       e.interrupt.shadow != 0, e.nmi.injected, e.nmi.pending, e.nmi.masked);
}

static void set_events(const struct kvm_vcpu_events *events)
{
	printf("  KVM_SET_VCPU_EVENTS: %s\n", outcome(ioctl(vcpu, KVM_SET_VCPU_EVENTS, events)));
}

static void case_events(void)
{
	struct kvm_interrupt irq = { .irq = 0x20 };
	struct kvm_vcpu_events events;

	LOAD(real_irq);
	begin_real();
	print_events();
	/* An interrupt and an NMI that are taken back. */
	ioctl(vcpu, KVM_INTERRUPT, &irq);
	ioctl(vcpu, KVM_NMI);
	print_events();
	events = get_events();
	events.interrupt.injected = 0;
	events.nmi.pending = 0;
	set_events(&events);
	print_events();
	events.exception.injected = 1;
	events.exception.nr = 32;
	set_events(&events);
	events.exception.nr = 2;
	set_events(&events);
	events.exception.injected = 0;
	events.flags = 1u << 31;
	set_events(&events);
	events.flags = KVM_VCPUEVENT_VALID_SHADOW;
	events.interrupt.shadow = KVM_X86_SHADOW_INT_MOV_SS;
	set_events(&events);
	print_events();
	events.interrupt.shadow = 0;
	set_events(&events);
	print_events();
}

/* Others are masked in the handler of an NMI. */
static void case_nmi_masked(void)
{
	LOAD(real_irq);
	begin_real();
	for (unsigned int i = 0; i < 2; i++) {
		if (ioctl(vcpu, KVM_RUN, 0) || run->exit_reason != KVM_EXIT_IO)
			die("KVM_RUN");
		on_io();
		print_events();
		if (!i)
			ioctl(vcpu, KVM_NMI);
	}
	go();
	print_events();
}

/* An exception that the client gives to the guest, with an error code and without. */
static void case_exception(void)
{
	struct kvm_vcpu_events events;

	set_cpuid();
	LOAD(long_mode);
	begin_long();
	for (unsigned int i = 0; i < 2; i++) {
		set_regs(CODE + 0x30); /* as if it came from here */
		memset(ram + CODE + 0x30, 0x90, 16);
		ram[CODE + 0x34] = 0xF4;
		memset(&events, 0, sizeof(events));
		events.exception.injected = 1;
		events.exception.nr = i ? 13 : 6;
		events.exception.has_error_code = (uint8_t)i;
		events.exception.error_code = i ? 0x18 : 0;
		set_events(&events);
		print_events();
		go();
		print_events();
	}
}

static void print_debug(void)
{
	struct kvm_debugregs d;

	if (ioctl(vcpu, KVM_GET_DEBUGREGS, &d))
		die("KVM_GET_DEBUGREGS");
	printf("  db %llx %llx %llx %llx, dr6 %llx dr7 %llx\n", (unsigned long long)d.db[0],
	       (unsigned long long)d.db[1], (unsigned long long)d.db[2],
	       (unsigned long long)d.db[3], (unsigned long long)d.dr6, (unsigned long long)d.dr7);
}

static void case_debug(void)
{
	struct kvm_debugregs d = { .db = { 0x11110, 0x22220, 0x33330, 0x44440 },
				   .dr6 = 0xFFFF0FF0,
				   .dr7 = 0x402 };

	set_cpuid();
	LOAD(debug);
	begin_long();
	print_debug();
	printf("  KVM_SET_DEBUGREGS: %s\n", outcome(ioctl(vcpu, KVM_SET_DEBUGREGS, &d)));
	print_debug();
	go();
	print_debug();
	d.flags = 1;
	printf("  flags: %s\n", outcome(ioctl(vcpu, KVM_SET_DEBUGREGS, &d)));
	d.flags = 0;
	d.dr6 |= 1ull << 32;
	printf("  dr6: %s\n", outcome(ioctl(vcpu, KVM_SET_DEBUGREGS, &d)));
	d.dr6 = 0xFFFF0FF0;
	d.dr7 |= 1ull << 32;
	printf("  dr7: %s\n", outcome(ioctl(vcpu, KVM_SET_DEBUGREGS, &d)));
}

static void set_sregs2(const struct kvm_sregs2 *sregs)
{
	printf("  KVM_SET_SREGS2: %s\n", outcome(ioctl(vcpu, KVM_SET_SREGS2, sregs)));
}

static void case_sregs2(void)
{
	struct kvm_sregs2 sregs;

	LOAD(protected);
	put(0x3000, 0xCAFE1234);
	begin_protected();
	if (ioctl(vcpu, KVM_GET_SREGS2, &sregs))
		die("KVM_GET_SREGS2");
	printf("  flags %llx cr0 %llx ds %x\n", (unsigned long long)sregs.flags,
	       (unsigned long long)sregs.cr0, sregs.ds.selector);
	sregs.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	set_sregs2(&sregs); /* without PAE */
	sregs.flags = 0;
	sregs.cr0 |= 0x80000000;
	sregs.cr4 |= 0x20;
	sregs.cr3 = 0x10000;
	set_sregs2(&sregs);
	memset(&sregs, 0, sizeof(sregs));
	if (ioctl(vcpu, KVM_GET_SREGS2, &sregs))
		die("KVM_GET_SREGS2");
	printf("  flags %llx pdptrs %llx %llx\n", (unsigned long long)sregs.flags,
	       (unsigned long long)sregs.pdptrs[0], (unsigned long long)sregs.pdptrs[1]);
	set_sregs2(&sregs);
	sregs.flags |= 2;
	set_sregs2(&sregs);
	go();
}

static void case_sync_regs(void)
{
	struct kvm_sync_regs *sync = &run->s.regs;

	set_cpuid();
	LOAD(add_rbx);
	begin_long();
	run->kvm_valid_regs = 0x80;
	printf("  unknown: %s\n", outcome(ioctl(vcpu, KVM_RUN, 0)));
	run->kvm_valid_regs = 0;
	run->kvm_dirty_regs = 0x80;
	printf("  unknown: %s\n", outcome(ioctl(vcpu, KVM_RUN, 0)));
	run->kvm_dirty_regs = 0;
	run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	for (unsigned int i = 0; i < 3; i++) {
		if (ioctl(vcpu, KVM_RUN, 0))
			die("KVM_RUN");
		printf("  rbx %llu rip %llx cr3 %llx flags %d dirty %llx\n",
		       (unsigned long long)sync->regs.rbx, (unsigned long long)sync->regs.rip,
		       (unsigned long long)sync->sregs.cr3,
		       (sync->events.flags & KVM_VCPUEVENT_VALID_SHADOW) != 0,
		       (unsigned long long)run->kvm_dirty_regs);
		sync->regs.rbx = 100 * (i + 1);
		run->kvm_dirty_regs = KVM_SYNC_X86_REGS | (i ? KVM_SYNC_X86_SREGS : 0);
	}
	sync->sregs.cr4 |= 1ull << 60;
	printf("  wrong cr4: %s\n", outcome(ioctl(vcpu, KVM_RUN, 0)));
}

static const struct {
	const char *name;
	void (*function)(void);
	bool alone; /* only if it is asked for */
} cases[] = {
	{ "reset", case_reset, false },
	{ "refusals", case_refusals, false },
	{ "real_io", case_real_io, false },
	{ "real_mmio", case_real_mmio, false },
	{ "regions", case_regions, false },
	{ "loop", case_loop, false },
	{ "sigmask", case_sigmask, false },
	{ "irq", case_irq, false },
	{ "irq_kept", case_irq_kept, false },
	{ "rights", case_rights, false },
	{ "cpu_time", case_cpu_time, false },
	{ "32_bit", case_32_bit, false },
	{ "triple", case_triple, false },
	{ "protected", case_protected, false },
	{ "mode_switch", case_mode_switch, false },
	{ "long_mode", case_long_mode, false },
	{ "sse", case_sse, false },
	{ "migration", case_migration, false },
	{ "two_cpus", case_two_cpus, false },
	{ "delete", case_delete, false },
	{ "sparse", case_sparse, false },
	{ "pages_4k", case_pages_4k, false },
	{ "pages_2m", case_pages_2m, true },
	{ "pages_shared", case_pages_shared, true },
	{ "string_io", case_string_io, false },
	{ "string_io_64", case_string_io_64, false },
	{ "faults", case_faults, true },
	{ "emulation", case_emulation, false },
	{ "mmio_write", case_mmio_write, false },
	{ "msrs", case_msrs, false },
	{ "tsc", case_tsc, false },
	{ "events", case_events, false },
	{ "nmi_masked", case_nmi_masked, false },
	{ "exception", case_exception, false },
	{ "debug", case_debug, false },
	{ "sregs2", case_sregs2, false },
	{ "sync_regs", case_sync_regs, false },
	{ "cli", case_cli, true },
	{ "offline", case_offline, true },
	{ "spin_sti", case_spin_sti, true },
	{ "spin_cli", case_spin_cli, true },
};

static bool is_asked_for(int argc, char **argv, size_t i)
{
	for (int n = 2; n < argc; n++) {
		if (!strcmp(argv[n], cases[i].name))
			return true;
	}
	return argc == 2 && !cases[i].alone;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	device = open(argv[1], O_RDWR | O_CLOEXEC);
	if (device < 0)
		die(argv[1]);
	run_size = (size_t)ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (!is_asked_for(argc, argv, i))
			continue;
		printf("%s: API version %d\n", cases[i].name,
		       ioctl(device, KVM_GET_API_VERSION, 0));
		make_vm();
		cases[i].function();
		end_vm();
	}
	return 0;
}
