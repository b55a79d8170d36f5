/* SPDX-License-Identifier: MIT */
/* Exits by name and by number, for whoever counts or prints them, on either vendor. */
#ifndef LIBEXT_EXITS_H
#define LIBEXT_EXITS_H

#include <abi/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EXT_NR_EXITS 0xB0
#define EXT_EXIT_NAME_SIZE 24

/*
 * A number below EXT_NR_EXITS for the reason of struct ext_exit: one for each that there is, and
 * the last one for all others. After ext_run_linux.
 */
unsigned int ext_exit_number(uint64_t reason);

/* Its name, as bfm status has it: "CPUID", "CR3_WRITE", "OTHER". */
void ext_exit_name(unsigned int number, char name[EXT_EXIT_NAME_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
