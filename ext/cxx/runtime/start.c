// SPDX-License-Identifier: MIT
/*
 * The start of an extension with the C++ library, in place of libext's, and where the unwinder
 * finds the tables of the image.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>

#include <ext/cxx/runtime/runtime.h>
#include <ext/libext/libext.h>

typedef void constructor(void);

/* ext/libext/link.ld */
extern constructor *const __init_array_start[], *const __init_array_end[];
extern char __image_start[], _end[], __eh_frame_hdr_start[], __eh_frame_hdr_end[];

__attribute__((noreturn)) void libext_start(uint64_t specs);

/* An image with this runtime may have constructors: the linker script asks for this symbol. */
const char ext_cxx_runtime = 1;

/* Returns what ext_start does. */
static uint64_t start(uint64_t specs)
{
	ext_fpu_restore = ext_cxx_fpu_restore;
	for (constructor *const *c = __init_array_start; c < __init_array_end; c++)
		(*c)();
	return (uint64_t)ext_start(specs);
}

/* Called by crt0.S. Linux's values are in the registers of the FPU here, too. */
__attribute__((noreturn)) void libext_start(uint64_t specs)
{
	if ((int)ext_cxx_enter((uint64_t)start, specs, 0, 0, 0, 0) == 0)
		mk1_control_wait();
	ext_exit();
}

/* What libgcc's unwinder asks first (glibc 2.35 and later). 0: found. */
int _dl_find_object(void *address, struct dl_find_object *result)
{
	if ((char *)address < __image_start || (char *)address >= _end)
		return -1;
	*result = (struct dl_find_object){ .dlfo_map_start = __image_start,
					   .dlfo_map_end = _end,
					   .dlfo_eh_frame = __eh_frame_hdr_start };
	return 0;
}

/* What an unwinder asks that does not know the former: one object, of two program headers. */
int dl_iterate_phdr(int (*callback)(struct dl_phdr_info *info, size_t size, void *data), void *data)
{
	const ElfW(Phdr) headers[] = {
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_X,
		  .p_vaddr = (uint64_t)__image_start,
		  .p_memsz = (uint64_t)(_end - __image_start) },
		{ .p_type = PT_GNU_EH_FRAME,
		  .p_flags = PF_R,
		  .p_vaddr = (uint64_t)__eh_frame_hdr_start,
		  .p_memsz = (uint64_t)(__eh_frame_hdr_end - __eh_frame_hdr_start) },
	};
	struct dl_phdr_info info = { .dlpi_name = "", .dlpi_phdr = headers, .dlpi_phnum = 2 };

	return callback(&info, sizeof(info), data);
}
