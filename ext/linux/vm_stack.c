// SPDX-License-Identifier: MIT
/*
 * A call that goes on in another callback. Each callback begins at the top of the PP's one stack:
 * what is on it is copied away before the guest runs, and back afterwards.
 */
#include <bsl/compiler.h>
#include <bsl/string.h>
#include <ext/libext/log.h>
#include <ext/linux/vm.h>

/*
 * Reached by jumps of the code below only. vm_switch(&vm->rsp, vm) saves what a function
 * preserves, and RSP; vm_return(rsp, vm) goes back, with a stack that is in use below RSP only
 * while vm_restore fills what is above.
 */
void vm_switch(uint64_t *rsp, struct ext_vm *vm);
__noreturn void vm_return(uint64_t rsp, struct ext_vm *vm);
__noreturn void vm_go(struct ext_vm *vm);
void vm_restore(struct ext_vm *vm);

__asm__(".pushsection .text\n"
	"vm_switch:\n\t"
	"push %rbx\n\t"
	"push %rbp\n\t"
	"push %r12\n\t"
	"push %r13\n\t"
	"push %r14\n\t"
	"push %r15\n\t"
	"mov %rsp, (%rdi)\n\t"
	"mov %rsi, %rdi\n\t"
	"call vm_go\n"
	"vm_return:\n\t"
	"mov %rdi, %rsp\n\t"
	"mov %rsi, %rdi\n\t"
	"call vm_restore\n\t"
	"pop %r15\n\t"
	"pop %r14\n\t"
	"pop %r13\n\t"
	"pop %r12\n\t"
	"pop %rbp\n\t"
	"pop %rbx\n\t"
	"ret\n"
	".popsection");

/* The bytes between RSP and the top of this PP's stack (docs/abi/image.md). */
static uint64_t depth(const struct ext_vm *vm)
{
	return MK1_EXT_STACK_BASE + (uint64_t)mk1_tls_ppid() * MK1_EXT_STACK_STRIDE +
	       MK1_EXT_STACK_SIZE - vm->rsp;
}

void vm_go(struct ext_vm *vm)
{
	EXT_ASSERT(depth(vm) <= MK1_EXT_STACK_SIZE); /* a fail callback has another one */
	bsl_memcpy(vm->stack, (const void *)vm->rsp, depth(vm));
	vm_enter(vm);
	vm_back(vm);
}

void vm_restore(struct ext_vm *vm)
{
	bsl_memcpy((void *)vm->rsp, vm->stack, depth(vm));
}

void vm_leave(struct ext_vm *vm)
{
	vm_switch(&vm->rsp, vm);
}

void vm_back(struct ext_vm *vm)
{
	vm_return(vm->rsp, vm);
}
