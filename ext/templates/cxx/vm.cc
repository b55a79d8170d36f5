// SPDX-License-Identifier: MIT
/*
 * second-vm: a VM of its own beside Linux, which runs in turns with it. Each
 *
 *	bfm call second-vm run
 *
 * is a turn of the guest: up to its HLT, or to the next interrupt for Linux, which has the CPU
 * back at once. The answer says how it ended; what the guest prints is in bfm dump. The guest asks
 * by CPUID how far it is to count (bfm start second-vm --arg count=1000), adds up the numbers and
 * halts; the next turn does it again.
 */
#include <ext/cxx/channel.hpp>
#include <ext/cxx/late.hpp>
#include <ext/cxx/log.hpp>
#include <ext/cxx/vm.hpp>
#include <ext/libext/arg.h>
#include <ext/libext/frame.h>

extern const char ext_name[] = "second-vm";

// In 64-bit mode, at entry: the port takes text, the leaf of CPUID is ours.
extern "C" const char guest_begin[], guest_end[];
__asm__(".pushsection .rodata\n"
	"guest_begin:\n"
	"	lea 4f(%rip), %rsi\n"
	"1:	lodsb\n"
	"	test %al, %al\n"
	"	jz 2f\n"
	"	outb %al, $0xE9\n"
	"	jmp 1b\n"
	"2:	mov $0x4F000003, %eax\n"
	"	cpuid\n"
	"	mov %eax, %ecx\n"
	"	xor %eax, %eax\n"
	"3:	add %rcx, %rax\n"
	"	sub $1, %rcx\n"
	"	jnz 3b\n"
	"	hlt\n"
	"	jmp guest_begin\n"
	"4:	.asciz \"hello from the second VM\\n\"\n"
	"guest_end:\n"
	".popsection");

namespace {

using namespace bareflank::ext;
using Kind = VmExit::Kind;

constexpr uint64_t memory = 0x10000;
constexpr uint64_t entry = 0x1000;
constexpr uint16_t console = 0xE9;
constexpr uint32_t leaf = 0x4F000003;

// Made by the first request: at the start there is no CPU yet that runs Linux.
Late<Vm> vm;
Text line;
uint64_t count;

bool load()
{
	const auto size = static_cast<uint64_t>(guest_end - guest_begin);

	vm.emplace(memory);
	if (*vm && vm->load(entry, guest_begin, size) && vm->reset(VmMode::long_64, entry))
		return true;
	vm.reset();
	return false;
}

void print(char c)
{
	if (c != '\n') {
		line.add(c >= ' ' && c <= '~' ? c : '?');
	} else {
		log(Level::info, "guest: ", line);
		line = Text();
	}
}

// Whether the guest goes on after this exit, in the same turn.
bool on_exit(const VmExit &exit)
{
	ext_vm_regs &regs = vm->regs();

	switch (exit.kind()) {
	case Kind::in:
		vm->input(exit, 0xFFFFFFFF); // there is no device
		return true;
	case Kind::out:
		if (exit.port() == console && exit.size() == 1)
			print(static_cast<char>(regs.rax));
		return true;
	case Kind::cpuid:
		regs.rax = static_cast<uint32_t>(regs.rax) == leaf ? count : 0;
		regs.rbx = regs.rcx = regs.rdx = 0;
		return true;
	default:
		return false;
	}
}

bool on_call(Request request, Reply &reply)
{
	if (request != "run")
		return reply.refuse("run");
	if (!vm && !load())
		return reply.refuse("there is no VM: bfm dump says why");
	const VmExit exit = vm->run(on_exit);
	if (exit.is(Kind::interrupted)) {
		reply.print("preempted at ", hex(vm->regs().rip));
	} else if (exit.is(Kind::hlt)) {
		reply.print("halted, RAX = ", vm->regs().rax);
	} else {
		reply.print("unexpected exit ", hex(exit.reason()), " at ", hex(vm->regs().rip));
		vm.reset(); // the next request has a new one
	}
	return true;
}

} // namespace

int ext_start(uint64_t specs)
{
	static const char *const keys[] = {"count", nullptr};

	if (!ext_args_load() || !ext_args_known(keys) || !ext_arg_u64("count", 100000, &count))
		return 1;
	if (count < 1 || count > 0xFFFFFFFF)
		fail("count is from 1 to 0xFFFFFFFF");
	return ext_run_linux(specs, nullptr) || !ext_on_call(answer<on_call>);
}
