/* SPDX-License-Identifier: GPL-2.0-only */
/* What test/ext/memory.c and test/kselftest/src/say.c have agreed on. */
#ifndef TEST_EXT_MEMORY_H
#define TEST_EXT_MEMORY_H

/*
 * CPUID with this leaf and RBX: the address of TEXT, 8 bytes before the end of a page. The next
 * page is the last one there, and full of 'x' behind the text's NUL. The answer is HEARD in its
 * place; EAX: how many checks have held, EBX: how many have not.
 */
#define SAY_LEAF 0x4F000010
#define SAY_BEFORE 8
#define TEXT "over the end of a page"
#define HEARD "heard over the end"

#endif
