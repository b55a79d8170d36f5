/* SPDX-License-Identifier: MIT */
/* What the files of ext/libext/vm.h share. */
#ifndef EXT_LINUX_VM_H
#define EXT_LINUX_VM_H

#include <ext/libext/vm.h>

/* --- vm_svm.c, vm_vmx.c ----------------------------------------------------------------------- */

/* Controls of a new VS; root: its nested table. false: this CPU lacks something. */
bool vm_svm_setup(struct ext_vm *vm, uint64_t root);
bool vm_vmx_setup(struct ext_vm *vm, uint64_t root);

/* CR0 and CR4 of a guest, and what else this vendor has for a VS that begins anew. */
void vm_svm_reset(struct ext_vm *vm, uint64_t cr0, uint64_t cr4);
void vm_vmx_reset(struct ext_vm *vm, uint64_t cr0, uint64_t cr4);

/* Fills vm->exit, but for its reason. Returns whether RIP is to go on past an instruction. */
bool vm_svm_exit(struct ext_vm *vm, uint64_t reason);
bool vm_vmx_exit(struct ext_vm *vm, uint64_t reason);

/* --- vm_stack.c ------------------------------------------------------------------------------- */

#define VM_STACK_PAGES (MK1_EXT_STACK_SIZE / BF_PAGE_SIZE)

/*
 * Puts the stack of this callback aside and runs the guest. It comes back when another callback, on
 * the same PP, calls vm_back, with the stack as it was.
 */
void vm_leave(struct ext_vm *vm);
__attribute__((noreturn)) void vm_back(struct ext_vm *vm);

/* vm.c: on the stack that has been put aside. Returns only if the microkernel refuses. */
void vm_enter(struct ext_vm *vm);

#endif
