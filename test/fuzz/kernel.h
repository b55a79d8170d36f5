/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What driver/linux/ioctl.c takes of Linux, for a fuzz target: user memory is a piece of the input,
 * everything outside of it faults, and allocations fail when the input says so. Included before all
 * else; the headers of Linux are empty (fuzz.mk).
 */
#ifndef TEST_FUZZ_KERNEL_H
#define TEST_FUZZ_KERNEL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define __user
#define PAGE_SIZE 4096UL
#define GFP_KERNEL 0
#define CAP_SYS_ADMIN 21

struct file {
	void *private_data;
};

struct list_head {
	struct list_head *next, *prev;
};

#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define min3(a, b, c) min(min(a, b), c)

bool capable(int capability);
unsigned int num_present_cpus(void);

/* All allocators are one; what is allocated must be freed before the request ends. */
void *fuzz_alloc(size_t size, bool zero);
void fuzz_free(const void *memory);
#define vmalloc(size) fuzz_alloc(size, false)
#define kvmalloc(size, flags) fuzz_alloc(size, false)
#define kvmalloc_array(count, size, flags) fuzz_alloc((size_t)(count) * (size), false)
#define kzalloc(size, flags) fuzz_alloc(size, true)
#define kvzalloc(size, flags) fuzz_alloc(size, true)
#define kcalloc(count, size, flags) fuzz_alloc((size_t)(count) * (size), true)
#define kvcalloc(count, size, flags) fuzz_alloc((size_t)(count) * (size), true)
#define vfree(memory) fuzz_free(memory)
#define kvfree(memory) fuzz_free(memory)
#define kfree(memory) fuzz_free(memory)

/* Return how many bytes were not copied. */
unsigned long copy_from_user(void *to, const void *from, size_t size);
unsigned long copy_to_user(void *to, const void *from, size_t size);
#define get_user(value, user) (copy_from_user(&(value), user, sizeof(value)) ? -EFAULT : 0)
int copy_struct_from_user(void *to, size_t known, const void *from, size_t size);

#endif
