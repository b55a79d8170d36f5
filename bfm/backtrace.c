// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backtraces, by elfutils' libdw. Images are anybody's, so this is done in a process of its own: if
 * one of them leads libdw astray, what it has found until then is shown.
 */
#include "backtrace.h"

#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bsl/bits.h>

#define MAX_CPU_SECONDS 10
#define THREAD 1 /* libdwfl numbers what it unwinds */
#define MAX_SCOPES 32

/* Registers by DWARF number (System V ABI for AMD64, figure 3.36); -1: RSP. 16 is RIP. */
static const int dwarf_gprs[] = { BF_RAX, BF_RDX, BF_RCX, BF_RBX, BF_RSI, BF_RDI, BF_RBP, -1,
				  BF_R8,  BF_R9,  BF_R10, BF_R11, BF_R12, BF_R13, BF_R14, BF_R15 };
#define DWARF_RSP 7
#define DWARF_RIP 16

struct walk {
	const struct bf_report *report;
	uint64_t stack_size;
	uint64_t rip, rsp; /* where unwinding begins */
	bool called; /* rip is a return address */
	Dwfl_Module *module;
	Elf *elf;
	struct backtrace *trace;
};

/* The first bytes of a segment that has these rights and no others of the mask; NULL: none. */
static const char *segment_data(const struct walk *w, uint64_t address, size_t size, uint32_t mask,
				uint32_t rights)
{
	size_t count, length;
	const char *file = elf_rawfile(w->elf, &length);
	GElf_Phdr p;

	if (!file || elf_getphdrnum(w->elf, &count))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (gelf_getphdr(w->elf, (int)i, &p) && p.p_type == PT_LOAD &&
		    (p.p_flags & mask) == rights &&
		    bsl_range_within(address, size, p.p_vaddr, p.p_filesz) &&
		    bsl_range_within(p.p_offset, p.p_filesz, 0, length))
			return file + p.p_offset + (address - p.p_vaddr);
	}
	return NULL;
}

static bool is_code(const struct walk *w, uint64_t address)
{
	return segment_data(w, address, 1, PF_X, PF_X);
}

/* --- what libdwfl asks for -------------------------------------------------------------------- */

static bool read_stack(const struct walk *w, uint64_t address, uint64_t *word)
{
	const struct bf_report *r = w->report;

	if (!bsl_range_within(address, sizeof(*word), r->rsp, w->stack_size))
		return false;
	memcpy(word, &r->stack[address - r->rsp], sizeof(*word));
	return true;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *arg)
{
	const struct walk *w = arg;
	uint64_t word = 0;
	const char *data;

	(void)dwfl;
	if (!read_stack(w, address, &word)) {
		data = segment_data(w, address, sizeof(word), PF_W, 0);
		if (!data) {
			if (w->stack_size == BF_REPORT_STACK && address >= w->report->rsp)
				w->trace->cut = true;
			return false;
		}
		memcpy(&word, data, sizeof(word));
	}
	*result = word;
	return true;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	pid_t next = *thread_arg ? 0 : THREAD;

	(void)dwfl;
	*thread_arg = arg;
	return next;
}

static bool set_initial_registers(Dwfl_Thread *thread, void *arg)
{
	const struct walk *w = arg;
	Dwarf_Word rip;

	for (unsigned int i = 0; i < sizeof(dwarf_gprs) / sizeof(dwarf_gprs[0]); i++) {
		Dwarf_Word value = i == DWARF_RSP ? w->rsp : 0;

		if (i != DWARF_RSP) {
			if (!(w->report->flags & BF_REPORT_GPRS))
				continue;
			value = w->report->gpr[dwarf_gprs[i]];
		}
		if (!dwfl_thread_state_registers(thread, (int)i, 1, &value))
			return false;
	}
	rip = w->rip - w->called; /* a call may be the last instruction of a function */
	return dwfl_thread_state_registers(thread, DWARF_RIP, 1, &rip);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.memory_read = memory_read,
	.set_initial_registers = set_initial_registers,
};

/* Debug information is looked for in the image itself only. */
static int find_debuginfo(Dwfl_Module *module, void **data, const char *name, Dwarf_Addr base,
			  const char *file, const char *link, GElf_Word crc, char **found)
{
	(void)module, (void)data, (void)name, (void)base, (void)file, (void)link, (void)crc;
	(void)found;
	return -1;
}

static const Dwfl_Callbacks callbacks = {
	.find_debuginfo = find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

/* --- frames ----------------------------------------------------------------------------------- */

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

/* Returns NULL when there is no room for one more. */
static struct frame *add_frame(struct walk *w, uint64_t address)
{
	struct backtrace *t = w->trace;
	struct frame *f;

	if (t->count >= MAX_FRAMES)
		return NULL;
	f = &t->frames[t->count];
	f->address = address;
	t->count++;
	return f;
}

/* The call of an inlined function, which is where the function around it was. */
static void set_call_site(struct frame *f, Dwarf_Die *inlined, Dwarf_Die *unit)
{
	Dwarf_Attribute attribute;
	Dwarf_Word file, line;
	Dwarf_Files *files;
	size_t count;

	f->line = 0;
	*f->file = '\0';
	if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &line) ||
	    dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &file) ||
	    dwarf_getsrcfiles(unit, &files, &count) || file >= count)
		return;
	f->line = (uint32_t)line;
	copy(f->file, sizeof(f->file), dwarf_filesrc(files, file, NULL, NULL));
}

/*
 * The function around an address, and before it those that are inlined into it there. f is the
 * innermost, which has file and line already. Returns false if there is no such function.
 */
static bool name_functions(struct walk *w, struct frame *f, uint64_t address)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die *unit = dwfl_module_addrdie(w->module, address, &bias);
	Dwarf_Die *scopes = NULL, *outer = NULL;
	bool named = false;
	int count;

	if (!unit || dwarf_getscopes(unit, address - bias, &scopes) <= 0)
		return false;
	/* Those are scopes of the source; what was inlined where is another matter. */
	count = dwarf_getscopes_die(&scopes[0], &outer);
	for (int i = 0; i < count && i < MAX_SCOPES && f; i++) {
		int tag = dwarf_tag(&outer[i]);

		if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
			continue;
		named = true;
		copy(f->function, sizeof(f->function), dwarf_diename(&outer[i]));
		if (tag == DW_TAG_subprogram)
			break;
		f->inlined = true;
		f = add_frame(w, f->address);
		if (f)
			set_call_site(f, &outer[i], unit);
	}
	free(outer);
	free(scopes);
	return named;
}

/* How far an address is behind the beginning of the function that it is in, as symbols have it. */
static uint64_t offset_of(const struct walk *w, uint64_t address)
{
	GElf_Off offset = 0;
	GElf_Sym symbol;

	(void)dwfl_module_addrinfo(w->module, address, &offset, &symbol, NULL, NULL, NULL);
	return offset;
}

/* Returns false when there is no room for more. called: address is that after a call. */
static bool add_function(struct walk *w, uint64_t address, bool called)
{
	struct frame *f = add_frame(w, address);
	uint64_t at = address - called;
	Dwfl_Line *line;
	int number = 0;

	if (!f)
		return false;
	line = dwfl_module_getsrc(w->module, at);
	if (line) {
		copy(f->file, sizeof(f->file),
		     dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL));
		f->line = (uint32_t)number;
	}
	if (!name_functions(w, f, at))
		copy(f->function, sizeof(f->function), dwfl_module_addrname(w->module, at));
	/* What is inlined comes before what it is in. */
	f = &w->trace->frames[w->trace->count - 1];
	if (!f->inlined)
		f->offset = offset_of(w, at) + called;
	return true;
}

/* Where unwinding meets what is no code of the image, it has gone astray, or is done. */
static int on_frame(Dwfl_Frame *state, void *arg)
{
	struct walk *w = arg;
	bool activation;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(state, &pc, &activation))
		return DWARF_CB_ABORT;
	if (activation)
		pc += w->called; /* see set_initial_registers() */
	else
		w->called = true;
	return is_code(w, pc - w->called) && add_function(w, pc, w->called) ? DWARF_CB_OK :
									      DWARF_CB_ABORT;
}

/* A jump to where no code is was most likely a call: then its return address is on the stack. */
static bool begin_at_caller(struct walk *w)
{
	if (!add_frame(w, w->rip) || !read_stack(w, w->rsp, &w->rip) || !is_code(w, w->rip))
		return false;
	w->rsp += sizeof(w->rip);
	w->called = true;
	return true;
}

static void walk_stack(struct walk *w, Dwfl *dwfl)
{
	GElf_Addr bias;
	Dwarf_Addr dwarf_bias;

	w->elf = dwfl_module_getelf(w->module, &bias);
	if (!w->elf)
		return;
	w->trace->debug = dwfl_module_getdwarf(w->module, &dwarf_bias);
	if (!is_code(w, w->rip) && !begin_at_caller(w))
		return;
	if (!dwfl_attach_state(dwfl, NULL, THREAD, &thread_callbacks, w))
		return;
	dwfl_getthread_frames(dwfl, THREAD, on_frame, w);
}

/* A file without a name, which nobody can change while it is mapped. */
static int make_file(const void *image, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, image, size) != (ssize_t)size) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool resolve(struct walk *w, const void *image, size_t size)
{
	Dwfl *dwfl = dwfl_begin(&callbacks);
	int fd = make_file(image, size);

	if (!dwfl || fd < 0)
		return false;
	dwfl_report_begin(dwfl);
	w->module = dwfl_report_elf(dwfl, "image", "image", fd, 0, false);
	if (!w->module || dwfl_report_end(dwfl, NULL, NULL))
		return false;
	walk_stack(w, dwfl);
	dwfl_end(dwfl);
	return true;
}

struct backtrace *backtrace_make(const struct bf_report *report, const void *image, size_t size)
{
	static const struct rlimit cpu_time = { MAX_CPU_SECONDS, MAX_CPU_SECONDS };
	static const struct rlimit no_core = { 0, 0 };
	struct backtrace *trace = mmap(NULL, sizeof(*trace), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct walk w = { .report = report,
			  .stack_size = report->stack_size < BF_REPORT_STACK ? report->stack_size :
									       BF_REPORT_STACK,
			  .rip = report->rip,
			  .rsp = report->rsp,
			  .trace = trace };
	int status = 0;
	pid_t child;

	if (trace == MAP_FAILED)
		return NULL;
	child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CPU, &cpu_time);
		setrlimit(RLIMIT_CORE, &no_core);
		_exit(resolve(&w, image, size) ? 0 : 1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		status = -1;
	trace->broken = status;
	if (trace->count > MAX_FRAMES)
		trace->count = MAX_FRAMES;
	for (uint32_t i = 0; i < trace->count; i++) {
		trace->frames[i].function[sizeof(trace->frames[i].function) - 1] = '\0';
		trace->frames[i].file[sizeof(trace->frames[i].file) - 1] = '\0';
	}
	return trace;
}

void backtrace_free(struct backtrace *trace)
{
	munmap(trace, sizeof(*trace));
}
