// SPDX-License-Identifier: MIT
/*
 * second-vm: a VM of its own beside Linux, which runs in turns with it. Each
 *
 *	bfm call second-vm run
 *
 * is a turn of the guest: up to its HLT, or to the next interrupt for Linux, which has the CPU
 * back at once. The answer says how it ended. What the guest prints is in bfm dump, and in
 * bfm read second-vm.
 *
 *	bfm call second-vm load sum
 *	bfm call second-vm load loop
 *	bfm call second-vm load crash
 *
 * choose its program. The first one, which is there at the beginning, prints a line, asks by CPUID
 * how far it is to count (bfm start second-vm --arg count=1000), adds up the numbers and halts; the
 * next turn does it again. The second one never ends, and the last one has a triple fault.
 */
#include <bsl/string.h>
#include <ext/libext/arg.h>
#include <ext/libext/channel.h>
#include <ext/libext/exits.h>
#include <ext/libext/frame.h>
#include <ext/libext/vm.h>

const char ext_name[] = "second-vm";

#define MEMORY 0x10000
#define ENTRY 0x1000
#define LINE 80

/* The guest, in 64-bit mode at ENTRY: the port takes text, the leaf of CPUID is ours. */
#define PORT 0xE9
#define LEAF 0x4F000003
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
extern const char guest_sum[], guest_loop[], guest_crash[], guest_end[];
// clang-format off
__asm__(".pushsection .rodata\n"
	"guest_sum:\n"
	"	lea 4f(%rip), %rsi\n"
	"1:	lodsb\n"
	"	test %al, %al\n"
	"	jz 2f\n"
	"	outb %al, $" TEXT(PORT) "\n"
	"	jmp 1b\n"
	"2:	mov $" TEXT(LEAF) ", %eax\n"
	"	cpuid\n"
	"	mov %eax, %ecx\n"
	"	xor %eax, %eax\n"
	"3:	add %rcx, %rax\n"
	"	sub $1, %rcx\n"
	"	jnz 3b\n"
	"	hlt\n"
	"	jmp guest_sum\n"
	"4:	.asciz \"hello from the second VM\\n\"\n"
	"guest_loop:\n"
	"	jmp guest_loop\n"
	"guest_crash:\n"
	"	ud2\n" /* its table of interrupts is empty */
	"guest_end:\n"
	".popsection");
// clang-format on

static const struct program {
	const char *request;
	const char *begin, *end;
} programs[] = {
	{ "load sum", guest_sum, guest_loop },
	{ "load loop", guest_loop, guest_crash },
	{ "load crash", guest_crash, guest_end },
};

static struct ext_vm vm;
static bool created, ready;
static uint64_t count;
static char line[LINE];
static unsigned int length;

/* The VM is made when it is first needed: in ext_start there is no CPU that runs Linux yet. */
static bool load(const struct program *program)
{
	uint64_t size = (uint64_t)(program->end - program->begin);

	created = created || ext_vm_create(&vm, MEMORY);
	ready = false;
	if (!created)
		return false;
	bsl_memset(vm.memory, 0, vm.size);
	bsl_memcpy(vm.memory + ENTRY, program->begin, size);
	ready = ext_vm_reset(&vm, EXT_VM_LONG, ENTRY);
	length = 0;
	return ready;
}

static void print(char c)
{
	if (c != '\n')
		line[length++] = c >= ' ' && c <= '~' ? c : '?';
	if (c != '\n' && length < LINE)
		return;
	ext_print("%s: guest: %.*s\n", ext_name, (int)length, line);
	ext_emit_print("%.*s", (int)length, line);
	length = 0;
}

/* Whether the guest goes on after this exit, in the same turn. */
static bool answer(const struct ext_vm_exit *exit)
{
	switch (exit->kind) {
	case EXT_VM_IO:
		if (exit->in)
			ext_vm_input(&vm, exit, 0xFFFFFFFF); /* there is no device */
		else if (exit->port == PORT && exit->size == 1)
			print((char)vm.regs.rax);
		return true;
	case EXT_VM_CPUID:
		vm.regs.rax = (uint32_t)vm.regs.rax == LEAF ? count : 0;
		vm.regs.rbx = vm.regs.rcx = vm.regs.rdx = 0;
		return true;
	default:
		return false;
	}
}

static bool describe(const struct ext_vm_exit *exit, struct ext_reply *reply)
{
	char name[EXT_EXIT_NAME_SIZE];

	ext_exit_name(ext_exit_number(exit->reason), name);
	switch (exit->kind) {
	case EXT_VM_INTERRUPTED:
		ext_reply_print(reply, "preempted at 0x%llx", (unsigned long long)vm.regs.rip);
		return true;
	case EXT_VM_HLT:
		ext_reply_print(reply, "halted, RAX = %llu", (unsigned long long)vm.regs.rax);
		return true;
	case EXT_VM_SHUTDOWN:
		ext_reply_print(reply, "triple fault");
		break;
	case EXT_VM_MEMORY:
		ext_reply_print(reply, "no memory at 0x%llx, accessed at 0x%llx",
				(unsigned long long)exit->gpa, (unsigned long long)vm.regs.rip);
		break;
	default:
		ext_reply_print(reply, "unexpected exit %s (0x%llx) at 0x%llx", name,
				(unsigned long long)exit->reason, (unsigned long long)vm.regs.rip);
		break;
	}
	ready = false;
	return true;
}

static bool turn(struct ext_reply *reply)
{
	struct ext_vm_exit exit;

	if (!ready && (created || !load(&programs[0]))) {
		ext_reply_print(reply, created ? "the guest has ended: load a program" :
						 "there is no VM: bfm dump says why");
		return false;
	}
	do
		ext_vm_run(&vm, &exit);
	while (answer(&exit));
	return describe(&exit, reply);
}

static bool on_call(const char *request, uint64_t size, struct ext_reply *reply)
{
	if (size == 3 && !bsl_memcmp(request, "run", size))
		return turn(reply);
	for (unsigned int i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		const struct program *p = &programs[i];

		if (size == bsl_strlen(p->request) && !bsl_memcmp(request, p->request, size)) {
			ext_reply_print(reply, load(p) ? "loaded" : "bfm dump says why not");
			return ready;
		}
	}
	ext_reply_print(reply, "run, or load sum, loop or crash");
	return false;
}

int ext_start(uint64_t specs)
{
	static const char *const keys[] = { "count", NULL };

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("count", 100000, &count))
		return 1;
	if (count < 1 || count > 0xFFFFFFFF) {
		ext_print("%s: count is from 1 to 0xFFFFFFFF\n", ext_name);
		return 1;
	}
	if (ext_run_linux(specs, NULL))
		return 1;
	return ext_on_call(on_call) ? 0 : 1;
}
