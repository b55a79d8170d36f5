/* SPDX-License-Identifier: MIT */
/*
 * Linux's memory, by the addresses that its kernel and programs use, or by physical ones. In the
 * hooks of ext/libext/frame.h, on the PP whose Linux it is about.
 *
 *	char comm[16];
 *	enum ext_mem_status status =
 *		ext_mem_string(e->vsid, task + offset, comm, sizeof(comm), NULL);
 *
 *	if (status != EXT_MEM_OK)
 *		ext_log(EXT_WARNING, "no name at 0x%llx: %s", task + offset, ext_mem_why(status));
 *
 * What is read may change at any time: other CPUs run. Nothing but RAM is accessed, and of that
 * neither the hypervisor's nor what is a VM's own. This takes Mk#2, which ext_run_linux opens, and
 * the right "physical" (docs/abi/mk2.md).
 */
#ifndef LIBEXT_MEMORY_H
#define LIBEXT_MEMORY_H

#include <ext/libext/libext.h>
#include <ext/libext/paging.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, what ext_mem_why says) */
#define EXT_MEM_STATUSES(X) \
	X(OK, "no error") \
	X(NOT_CANONICAL, "there is no such address in this paging mode") \
	X(NOT_PRESENT, "the page tables map nothing there") \
	X(RESERVED, "an entry of the page tables has a reserved bit set") \
	X(FORBIDDEN, "the page tables forbid the access") \
	X(CHANGING, "other CPUs go on changing the page tables") \
	X(NOT_RAM, "it is not RAM") \
	X(HIDDEN, "it is the hypervisor's, or a VM's own") \
	X(NO_END, "the string does not end within the buffer") \
	X(NOT_LINUX, "another VM is active on this PP") \
	X(REFUSED, "the microkernel does not map it: no right, no memory for a table, or the " \
		   "extension has mapped it itself")

#define EXT_MEM_ENUM(name, text) EXT_MEM_##name,
enum ext_mem_status { EXT_MEM_STATUSES(EXT_MEM_ENUM) };

/* The sentence, without a full stop. It stays. */
const char *ext_mem_why(enum ext_mem_status status);

/*
 * The kind of an access. Rights are looked at as the CPU does for CPL 0, or with EXT_MEM_USER for
 * CPL 3; protection keys are not.
 */
#define EXT_MEM_READ 0
#define EXT_MEM_WRITE PAGING_WRITE
#define EXT_MEM_FETCH PAGING_FETCH
#define EXT_MEM_USER PAGING_USER
#define EXT_MEM_ANY PAGING_ANY /* rights are not looked at */

/*
 * Where the address space that is the current one on this PP has gva: any paging mode, and without
 * paging gva itself. *gpa, which for Linux is the system-physical address, too, is valid after
 * EXT_MEM_OK only. It may be anything, a device, too. Leaves no accessed bits.
 */
enum ext_mem_status ext_mem_translate(uint64_t vsid, uint64_t gva, unsigned int access,
				      uint64_t *gpa);

/*
 * Copies size bytes from gva, over the ends of pages. Rights are not looked at, and no accessed
 * bits are set. *done, unless it is NULL, is how many bytes have been copied: all, or those before
 * the first that could not be, which the status is about.
 */
enum ext_mem_status ext_mem_read(uint64_t vsid, uint64_t gva, void *data, size_t size,
				 size_t *done);

/*
 * The same in the address space of this CR3, as another process has it, or the kernel while it
 * still has a program's page tables (page-table isolation). Of CR3 only the address counts.
 */
enum ext_mem_status ext_mem_read_as(uint64_t vsid, uint64_t cr3, uint64_t gva, void *data,
				    size_t size, size_t *done);

/*
 * Copies to gva, with accessed and dirty bits set as the kernel's writes set them. access is 0, or
 * EXT_MEM_ANY: read-only pages, too. One that is not the kernel's may be shared by programs that
 * are to have a copy each when they write.
 */
enum ext_mem_status ext_mem_write(uint64_t vsid, uint64_t gva, const void *data, size_t size,
				  unsigned int access, size_t *done);

/*
 * Copies a string with its NUL, as ext_mem_read. text gets a NUL always, if size is not 0. *length,
 * unless it is NULL, is that of what text has. EXT_MEM_NO_END: it is longer.
 */
enum ext_mem_status ext_mem_string(uint64_t vsid, uint64_t gva, char *text, size_t size,
				   size_t *length);

/* An instruction has no more bytes. */
#define EXT_MEM_CODE_MAX 15

/*
 * The bytes at the instruction pointer. *count is how many there are: less than EXT_MEM_CODE_MAX
 * before a page that cannot be read, which is EXT_MEM_OK if there is one at least.
 */
enum ext_mem_status ext_mem_code(uint64_t vsid, uint8_t code[EXT_MEM_CODE_MAX], size_t *count);

/* The same as ext_mem_read and ext_mem_write by guest-physical address. */
enum ext_mem_status ext_mem_read_phys(uint64_t gpa, void *data, size_t size, size_t *done);
enum ext_mem_status ext_mem_write_phys(uint64_t gpa, const void *data, size_t size, size_t *done);

#ifdef __cplusplus
}
#endif

#endif
