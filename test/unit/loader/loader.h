/* SPDX-License-Identifier: GPL-2.0-only */
/* What the cases of test_loader.c share: a loader, and images for it. */
#ifndef TEST_LOADER_H
#define TEST_LOADER_H

#include <check.h>
#include <stdlib.h>

#include <abi/hw/vmx.h>
#include <abi/layout.h>

#include "test/unit/fake_platform.h"
#include "test/unit/make_elf.h"

extern struct bf_loader loader;
extern struct elf_file microkernel, ext;
extern struct bf_mk_head *mk_head;
extern struct bf_start start;

/* A case whose tests begin with a loader that has not started yet. */
TCase *loader_case(const char *name);

/* No CPU is a guest, and nothing is allocated. */
void assert_all_bare(void);

/* The start fails so, and all CPUs are bare. */
void assert_fails(enum bf_error error, uint32_t cpu, uint64_t detail);

TCase *lifecycle_tests(void);
TCase *hotplug_tests(void);
TCase *trace_tests(void);
TCase *watchdog_tests(void);
TCase *machine_tests(void);
TCase *image_tests(void);
TCase *cpu_tests(void);
TCase *channel_tests(void);
TCase *adopt_tests(void);

#endif
