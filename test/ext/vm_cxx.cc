// SPDX-License-Identifier: GPL-2.0-only
/* The part in C++: ext/cxx/vm.hpp, its exits one after the other, and what its objects own. */
#include <ext/cxx/late.hpp>
#include <ext/cxx/vm.hpp>
#include <ext/cxx/watch.hpp>
#include <test/ext/vm.h>

namespace {

using namespace bareflank;
using namespace bareflank::ext;
using Kind = VmExit::Kind;

constexpr uint64_t memory = 0x8000;
constexpr uint64_t entry = 0x1000;
constexpr uint64_t hole = 0xF000; // an address without memory

// In real mode.
constexpr uint8_t code[] = {
	0xE4, 0x40, // inb $0x40, %al
	0xE7, 0x80, // outw %ax, $0x80
	0x66, 0xB9, 0x1B, 0x00, 0x00, 0x00, // mov $0x1B, %ecx
	0x0F, 0x32, // rdmsr
	0x0F, 0x30, // wrmsr
	0x0F, 0xA2, // cpuid
	0xF4, // hlt
	0xA0, 0x00, 0xF0, // movb hole, %al
};
constexpr uint64_t behind_hlt = entry + sizeof(code) - 3;
constexpr unsigned int steps = 7;

Late<Vm> vm;
unsigned int step;

bool is_port(const VmExit &exit, Kind kind, uint16_t port, uint8_t size)
{
	return VERIFY(exit.is(kind)) && VERIFY(exit.port() == port && exit.size() == size);
}

/* Whether it is the exit that there must be now, which is answered. */
bool answer(const VmExit &exit)
{
	ext_vm_regs &regs = vm->regs();

	switch (step) {
	case 0:
		vm->input(exit, 0x1A7); // of which IN takes the low byte
		return is_port(exit, Kind::in, 0x40, 1);
	case 1:
		return is_port(exit, Kind::out, 0x80, 2) && VERIFY(regs.rax == 0xA7);
	case 2:
		regs.rax = 0x11;
		regs.rdx = 0x55;
		return VERIFY(exit.is(Kind::rdmsr)) && VERIFY(regs.rcx == 0x1B);
	case 3:
		return VERIFY(exit.is(Kind::wrmsr)) && VERIFY(regs.rax == 0x11 && regs.rdx == 0x55);
	case 4:
		regs.rax = 0xABCD;
		return VERIFY(exit.is(Kind::cpuid));
	case 5:
		return VERIFY(exit.is(Kind::hlt)) &&
		       VERIFY(regs.rax == 0xABCD && regs.rip == behind_hlt);
	case 6:
		return VERIFY(exit.is(Kind::memory)) && VERIFY(exit.gpa() == mk2::Gpa{hole}) &&
		       VERIFY(has(exit.access(), Access::read)) &&
		       VERIFY(!has(exit.access(), Access::write | Access::execute));
	default:
		return VERIFY(step < steps);
	}
}

bool begin()
{
	step = 0;
	vm.emplace(memory);
	return VERIFY(bool(*vm)) && VERIFY(vm->size() == memory) &&
	       VERIFY(vm->load(entry, code, sizeof(code))) &&
	       VERIFY(vm->memory()[entry] == code[0]) && VERIFY(vm->reset(VmMode::real, entry));
}

} // namespace

const char *cxx_go()
{
	if (!vm && !begin())
		return "no VM";
	const VmExit exit = vm->run([](const VmExit &e) { return answer(e) && ++step < steps; });
	if (exit.is(Kind::interrupted))
		return "more";
	const bool done = VERIFY(step == steps);
	vm.reset();
	return done ? "done" : "another exit";
}

void cxx_many()
{
	Vm kept;

	VERIFY(!kept && kept.destroy());
	// Each one takes half of the pool, so the one before it has to be gone.
	for (unsigned int i = 0; i < 8; i++) {
		Vm one(0x100000);
		VERIFY(bool(one) && !one.load(0x100000, code, 1) && one.load(0xFFFFF, code, 1));
		VERIFY(!one.load(1, code, ~uint64_t{0}));
		Vm other(static_cast<Vm &&>(one));
		VERIFY(bool(other) && !one);
		kept = static_cast<Vm &&>(other);
		VERIFY(bool(kept) && !other && kept.memory()[0xFFFFF] == code[0]);
		VERIFY(kept.destroy() && !kept);
	}
	for (unsigned int i = 0; i < 4; i++) {
		Vm first(0x8000);
		Vm second(0x8000);
		first = static_cast<Vm &&>(second);
		VERIFY(bool(first) && !second && first.reset(VmMode::long_64, 0));
	}
	// On the stack, also while it runs.
	Vm local(memory);
	VERIFY(local.load(entry, code, sizeof(code)) && local.reset(VmMode::real, entry));
	const VmExit exit = local.run();
	VERIFY(exit.is(Kind::in) || exit.is(Kind::interrupted));
	const Vm crooked(0x1001);
	const Vm large(EXT_VM_MEMORY_MAX); // the pool has 2 MiB
	VERIFY(!crooked && !large);
}
