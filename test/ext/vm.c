// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs by ext/libext/vm.h, in every mode and with every exit. For test/kselftest/secondvm.sh, by
 * requests:
 *
 *   begin       the first program
 *   begin safe  the same, without those at the end that end in a triple fault
 *   go          it runs up to where it must stop, "done" after the last program, or up to an
 *               interrupt for Linux: "more"
 *   loop        a guest with interrupts on that loops, for one turn
 *   busy        the same for one that does nothing but OUT
 *   misuse      what is refused: sizes, and states of the CPU
 *   many        VMs come and go; the reply is for how many at a time there is room
 *   c++         the VM of vm_cxx.cc goes on, as with go
 *   c++ many    VMs of that come and go, and what is refused
 *   verdict     how many checks held, and did not
 */
#include <bsl/string.h>
#include <ext/libext/channel.h>
#include <ext/libext/frame.h>
#include <ext/libext/vm.h>
#include <ext/linux/linux.h>
#include <test/ext/vm.h>

const char ext_name[] = "vm";

#define MEMORY 0x8000
#define ENTRY 0x1000
#define HOLE 0x30000000 /* an address without memory; in real mode: */
#define HOLE_16 0xF000
#define ANY (~(uint64_t)0)

#define VMMCALL_LAST_BYTE 0xD9 /* in place of VMCALL's C1 */

/* The bytes from one label to another. */
#define LENGTH(begin, end) ((uint64_t)(end) - (uint64_t)(begin))

extern const char code_real[], code_call[], code_handler[], code_protected[], code_long[],
	code_fetch[], code_string[], code_crash[], code_loop[], code_busy[], code_end[];
__asm__(".pushsection .rodata\n"
	".code16\n"
	"code_real:\n\t"
	"inb $0x40, %al\n\t"
	"outw %ax, $0x80\n\t"
	"mov $0x1B, %ecx\n\t"
	"rdmsr\n\t"
	"mov %edx, %eax\n\t"
	"wrmsr\n\t"
	"push %ax\n\t"
	"int $0x20\n\t"
	"pop %ax\n\t"
	"hlt\n\t"
	"code_call:\n\t"
	"vmcall\n\t"
	"movb 0xF000, %al\n" /* HOLE_16 */
	"code_handler:\n\t"
	"mov $0x77, %bx\n\t"
	"iret\n"
	".code32\n"
	"code_protected:\n\t"
	"mov $0x12345678, %eax\n\t"
	"push %eax\n\t"
	"pop %ebx\n\t"
	"cpuid\n\t"
	"out %eax, $0x10\n\t"
	"inl $0x14, %eax\n\t"
	"hlt\n\t"
	"mov %eax, 0x30000000\n" /* HOLE */
	".code64\n"
	"code_long:\n\t"
	"movabs $0x123456789ABCDEF0, %r15\n\t"
	"push %r15\n\t"
	"movq %r15, %xmm7\n\t"
	"xor %r15, %r15\n\t"
	"outb %al, $0x10\n\t"
	"movq %xmm7, %rax\n\t"
	"hlt\n"
	"code_fetch:\n\t"
	"mov $0x30000000, %eax\n\t" /* HOLE */
	"jmp *%rax\n"
	"code_string:\n\t"
	"mov $0x1000, %esi\n\t"
	"mov $0x10, %edx\n\t"
	"outsb\n"
	"code_crash:\n\t"
	"int3\n"
	"code_loop:\n\t"
	"sti\n"
	"1:	jmp 1b\n"
	"code_busy:\n\t"
	"sti\n"
	"1:	outb %al, $0x10\n\t"
	"jmp 1b\n"
	"code_end:\n"
	".popsection");

/* An exit that there must be, RAX then, and what it becomes. */
struct step {
	enum ext_vm_exit_kind kind;
	uint64_t at; /* the port, or the address */
	unsigned int how; /* bytes of IO, kind of access */
	uint64_t rax, give;
};

static const struct step real_steps[] = {
	{ EXT_VM_IO, 0x40, 1, 0, 0x1A7 }, /* of which IN takes the low byte */
	{ EXT_VM_IO, 0x80, 2, 0xA7, ANY }, { EXT_VM_RDMSR, 0, 0, 0xA7, 0x11223344 },
	{ EXT_VM_WRMSR, 0, 0, 0x55, ANY }, { EXT_VM_HLT, 0, 0, 0x55, ANY },
	{ EXT_VM_CALL, 0, 0, 0x55, ANY },  { EXT_VM_MEMORY, HOLE_16, EXT_READ, 0x55, ANY },
};

static const struct step protected_steps[] = {
	{ EXT_VM_CPUID, 0, 0, 0x12345678, 0xAABBCCDD },  { EXT_VM_IO, 0x10, 4, 0xAABBCCDD, ANY },
	{ EXT_VM_IO, 0x14, 4, 0xAABBCCDD, 0x1234 },      { EXT_VM_HLT, 0, 0, 0x1234, ANY },
	{ EXT_VM_MEMORY, HOLE, EXT_WRITE, 0x1234, ANY },
};

static const struct step long_steps[] = {
	{ EXT_VM_IO, 0x10, 1, 0, ANY },
	{ EXT_VM_HLT, 0, 0, 0x123456789ABCDEF0, ANY },
};

static const struct step fetch_steps[] = { { EXT_VM_MEMORY, HOLE, EXT_EXECUTE, HOLE, ANY } };
static const struct step string_steps[] = { { EXT_VM_OTHER, 0, 0, 0, ANY } };
static const struct step crash_steps[] = { { EXT_VM_SHUTDOWN, 0, 0, ANY, ANY } };

#define PROGRAM(name, next, mode) \
	{ code_##name, code_##next, name##_steps, sizeof(name##_steps) / sizeof(struct step), mode }
static const struct program {
	const char *begin, *end;
	const struct step *steps;
	unsigned int nr_steps;
	enum ext_vm_mode mode;
} programs[] = {
	PROGRAM(real, protected, EXT_VM_REAL), PROGRAM(protected, long, EXT_VM_PROTECTED),
	PROGRAM(long, fetch, EXT_VM_LONG),     PROGRAM(fetch, string, EXT_VM_LONG),
	PROGRAM(string, crash, EXT_VM_LONG),   PROGRAM(crash, loop, EXT_VM_PROTECTED),
	PROGRAM(crash, loop, EXT_VM_LONG),
};
#define NR_PROGRAMS (sizeof(programs) / sizeof(programs[0]))
#define NR_CRASHES 2 /* at the end */

static struct ext_vm vm;
static unsigned int program, last, step;

static void load(void)
{
	const struct program *p = &programs[program];
	const uint16_t handler = (uint16_t)(ENTRY + LENGTH(code_real, code_handler));

	step = 0;
	bsl_memset(vm.memory, 0, vm.size);
	bsl_memcpy(vm.memory + ENTRY, p->begin, LENGTH(p->begin, p->end));
	if (p->begin == code_real) {
		bsl_memcpy(vm.memory + 4 * 0x20, &handler, sizeof(handler));
		if (linux_is_on_amd())
			vm.memory[ENTRY + LENGTH(code_real, code_call) + 2] = VMMCALL_LAST_BYTE;
	}
	VERIFY(ext_vm_reset(&vm, p->mode, ENTRY));
}

static bool begin(bool safe)
{
	program = 0;
	last = NR_PROGRAMS - (safe ? NR_CRASHES : 0);
	if (vm.size || !VERIFY(ext_vm_create(&vm, MEMORY)))
		return false;
	load();
	return true;
}

/* What the step cannot say. */
static void look(const struct program *p, const struct ext_vm_exit *exit)
{
	const uint64_t *top = (const uint64_t *)(vm.memory + vm.size);

	if (p->begin == code_real && exit->kind == EXT_VM_HLT)
		VERIFY(vm.regs.rbx == 0x77 && vm.regs.rsp == MEMORY);
	if (p->begin == code_real && exit->kind == EXT_VM_CALL)
		VERIFY(vm.regs.rip == ENTRY + LENGTH(code_real, code_call) + 3);
	if (p->begin == code_protected)
		VERIFY(vm.regs.rbx == 0x12345678 && vm.regs.rsp == MEMORY);
	if (p->begin == code_long && exit->kind == EXT_VM_HLT)
		VERIFY(vm.regs.r15 == 0 && top[-1] == 0x123456789ABCDEF0);
	if (exit->kind == EXT_VM_OTHER)
		VERIFY(vm.regs.rip == ENTRY + LENGTH(code_string, code_crash) - 1);
}

static bool check(const struct program *p, const struct ext_vm_exit *exit)
{
	const struct step *s = &p->steps[step];
	bool good = VERIFY(exit->kind == s->kind) && VERIFY(s->rax == ANY || vm.regs.rax == s->rax);

	if (exit->kind == EXT_VM_IO)
		good = good && VERIFY(exit->port == s->at && exit->size == s->how);
	if (exit->kind == EXT_VM_IO)
		good = good && VERIFY(exit->in == (s->give != ANY));
	if (exit->kind == EXT_VM_MEMORY)
		good = good && VERIFY(exit->gpa == s->at && exit->access == s->how);
	look(p, exit);
	if (!good)
		ext_print("%s: program %u, step %u: exit %u (0x%llx), RAX 0x%llx, RIP 0x%llx\n",
			  ext_name, program, step, exit->kind, (unsigned long long)exit->reason,
			  (unsigned long long)vm.regs.rax, (unsigned long long)vm.regs.rip);
	if (exit->kind == EXT_VM_IO && exit->in)
		ext_vm_input(&vm, exit, (uint32_t)s->give);
	else if (s->give != ANY)
		vm.regs.rax = s->give;
	if (exit->kind == EXT_VM_RDMSR)
		vm.regs.rdx = 0x55;
	return good;
}

#define PATTERN(depth, i) ((depth) * 0x1111111111111111ull + (i))

/* The same from a deep stack, all of which is there afterwards. */
static noinline void run_deep(unsigned int depth, struct ext_vm_exit *exit)
{
	volatile uint64_t words[64];

	for (unsigned int i = 0; i < 64; i++)
		words[i] = PATTERN(depth, i);
	if (depth)
		run_deep(depth - 1, exit);
	else
		ext_vm_run(&vm, exit);
	for (unsigned int i = 0; i < 64; i++) {
		if (words[i] != PATTERN(depth, i)) {
			VERIFY(words[i] == PATTERN(depth, i));
			return;
		}
	}
}

static const char *go(void)
{
	const uint64_t vsid = mk1_tls_vsid(), rip = ext_reg_read(vsid, EXT_REG_rip);
	const uint64_t rax = mk1_rax(), r15 = mk1_r15();
	struct ext_vm_exit exit;

	if (!vm.size)
		return "nothing has begun";
	while (program < last) {
		const struct program *p = &programs[program];

		run_deep(step * 4, &exit);
		VERIFY(mk1_tls_vsid() == vsid && ext_reg_read(vsid, EXT_REG_rip) == rip);
		VERIFY(mk1_rax() == rax && mk1_r15() == r15);
		if (exit.kind == EXT_VM_INTERRUPTED)
			return "more";
		if (!check(p, &exit))
			return "wrong";
		if (++step < p->nr_steps)
			continue;
		if (++program < last)
			load();
	}
	VERIFY(ext_vm_destroy(&vm));
	return "done";
}

/* The same state twice, too; then it is well again. */
static void misuse(void)
{
	struct ext_vm_exit exit;
	static struct ext_vm other;

	VERIFY(!ext_vm_create(&other, 0));
	VERIFY(!ext_vm_create(&other, 0x1001));
	VERIFY(!ext_vm_create(&other, EXT_VM_MEMORY_MAX + 0x1000));
	VERIFY(!ext_vm_create(&other, EXT_VM_MEMORY_MAX)); /* the pool has 2 MiB */
	if (!VERIFY(ext_vm_create(&other, 0x1000)))
		return;
	VERIFY(ext_vm_reset(&other, EXT_VM_LONG, 0));
	VERIFY(ext_reg_write(other.vsid, EXT_REG_cr4, 0)); /* paging of 64-bit mode takes PAE */
	for (unsigned int i = 0; i < 3; i++) {
		ext_vm_run(&other, &exit);
		VERIFY(exit.kind == EXT_VM_REFUSED);
	}
	VERIFY(ext_vm_reset(&other, EXT_VM_REAL, HOLE_16));
	ext_vm_run(&other, &exit);
	VERIFY(exit.kind == EXT_VM_MEMORY || exit.kind == EXT_VM_INTERRUPTED);
	VERIFY(ext_vm_destroy(&other));
}

/* Linux's interrupt ends it, also where the guest does nothing but exit. */
static void loop(const char *begin, const char *end)
{
	struct ext_vm other = { .size = 0 }; /* on the stack, also while it runs */
	struct ext_vm_exit exit;

	if (!VERIFY(ext_vm_create(&other, MEMORY)))
		return;
	bsl_memcpy(other.memory + ENTRY, begin, LENGTH(begin, end));
	VERIFY(ext_vm_reset(&other, EXT_VM_LONG, ENTRY));
	do
		ext_vm_run(&other, &exit);
	while (exit.kind == EXT_VM_IO);
	VERIFY(exit.kind == EXT_VM_INTERRUPTED);
	VERIFY(other.regs.rip >= ENTRY && other.regs.rip < ENTRY + LENGTH(begin, end));
	VERIFY(ext_vm_destroy(&other));
}

#define MOST 16

/* More than there are ids or memory for, had the earlier ones not gone. */
static unsigned int many(void)
{
	static struct ext_vm vms[MOST];
	unsigned int first = 0;

	for (unsigned int round = 0; round < 4; round++) {
		unsigned int n;

		for (n = 0; n < MOST && ext_vm_create(&vms[n], 0x8000); n++)
			;
		first = round ? first : n;
		VERIFY(n == first);
		while (n)
			VERIFY(ext_vm_destroy(&vms[--n]));
	}
	return first;
}

static bool is(const char *request, uint64_t size, const char *word)
{
	return size == bsl_strlen(word) && !bsl_memcmp(request, word, size);
}

static bool on_call(const char *request, uint64_t size, struct ext_reply *reply)
{
	if (is(request, size, "begin") || is(request, size, "begin safe"))
		return begin(size > 5);
	if (is(request, size, "loop"))
		loop(code_loop, code_busy);
	else if (is(request, size, "busy"))
		loop(code_busy, code_end);
	else if (is(request, size, "go"))
		ext_reply_print(reply, "%s", go());
	else if (is(request, size, "misuse"))
		misuse();
	else if (is(request, size, "many"))
		ext_reply_print(reply, "%u", many());
	else if (is(request, size, "c++"))
		ext_reply_print(reply, "%s", cxx_go());
	else if (is(request, size, "c++ many"))
		cxx_many();
	else if (is(request, size, "verdict"))
		ext_reply_print(reply, "%u held, %u did not", verify_passed, verify_failed);
	else
		return false;
	return true;
}

int ext_start(uint64_t specs)
{
	return ext_run_linux(specs, NULL) || !ext_on_call(on_call);
}
