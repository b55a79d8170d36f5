// SPDX-License-Identifier: GPL-2.0-only
/* failure.c, backtrace.c, identify.c: with images of which each address and each line is known. */
#include "commands.h"

#include <fcntl.h>
#include <unistd.h>

#define CODE (MK1_EXT_CODE_BASE + 0x1000)
#define OUTER CODE
#define MIDDLE (CODE + 0x100)
#define INNER (CODE + 0x200)
#define FRAME_BEGUN 8 /* bytes before what comes in the body */
#define CALLED (FRAME_BEGUN + 5)
#define FRAME_WORDS 4 /* on the stack: 2 of its own, RBP, the return address */
#define RSP 0x308000001000

/* Three functions, each at a multiple of 256 bytes, with frame pointers and, if wanted, CFI. */
static const char source[] = "	.macro function name\n"
			     "	.balign 256\n"
			     "	.globl \\name\n"
			     "	.type \\name, @function\n"
			     "\\name:\n"
			     "	.cfi_startproc\n"
			     "	push %rbp\n"
			     "	.cfi_adjust_cfa_offset 8\n"
			     "	.cfi_rel_offset rbp, 0\n"
			     "	mov %rsp, %rbp\n"
			     "	sub $16, %rsp\n"
			     "	.cfi_adjust_cfa_offset 16\n"
			     "	.endm\n"
			     "	.macro end name\n"
			     "	.cfi_endproc\n"
			     "	.size \\name, . - \\name\n"
			     "	.endm\n"
			     "	.text\n"
			     "	.cfi_sections .debug_frame\n"
			     "	function outer\n"
			     "	call middle\n" /* line 21 */
			     "	end outer\n"
			     "	function middle\n"
			     "	call inner\n" /* line 24 */
			     "	end middle\n"
			     "	function inner\n"
			     "	ud2\n" /* line 27 */
			     "	end inner\n";

static char dir[64];
static char image[128];

static void shell(const char *format)
{
	char command[512];

	snprintf(command, sizeof(command), format, dir, dir, dir);
	ck_assert_int_eq(system(command), 0);
}

/* Assembles and links, with these flags, into image. */
static void build(const char *flags)
{
	char path[128], command[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/code.s", dir);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(source, file);
	fclose(file);
	snprintf(command, sizeof(command),
		 "cd %%s && gcc -Wl,--build-id=none %s -nostdlib -static -no-pie "
		 "-Wl,-Ttext=%#llx,-e,outer -o image code.s",
		 flags, (unsigned long long)CODE);
	shell(command);
}

static void identify(void)
{
	uint64_t size;
	void *data = image_read(image, &size);

	ck_assert_ptr_nonnull(data);
	image_identify(&device.ids[1], image, data, size);
	free(data);
}

static void set_word(unsigned int n, uint64_t word)
{
	memcpy(&device.report.stack[n * sizeof(word)], &word, sizeof(word));
}

/* Frame n of the stack, innermost first: where it returns to. */
static void set_frame(unsigned int n, uint64_t rip)
{
	set_word(FRAME_WORDS * n + 2, RSP + (FRAME_WORDS * (n + 1) + 2) * sizeof(rip));
	set_word(FRAME_WORDS * n + 3, rip);
}

/* inner has faulted, called by middle, called by outer. */
static void set_report(void)
{
	struct bf_report *r = &device.report;

	device.status.nr_image_ids = 2;
	r->error = BF_ERR_EXT_FAULT;
	r->cpu = 5;
	r->image = 1;
	r->callback = BF_CALLBACK_VMEXIT;
	r->flags = BF_REPORT_PLACE | BF_REPORT_GPRS | BF_REPORT_FAULT;
	r->vector = 6;
	r->cs = BF_SEL_USER_CS;
	r->rip = INNER + FRAME_BEGUN;
	r->rsp = RSP;
	r->gpr[BF_RBP] = RSP + 2 * sizeof(uint64_t);
	r->stack_size = 3 * FRAME_WORDS * sizeof(uint64_t);
	set_frame(0, MIDDLE + CALLED);
	set_frame(1, OUTER + CALLED);
	set_frame(2, 0);
}

static void prepare(const char *flags)
{
	strcpy(dir, "/tmp/test_bfm.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(image, sizeof(image), "%s/image", dir);
	build(flags);
	identify();
	set_report();
}

static void clean_up(void)
{
	shell("rm -r %s");
}

static unsigned int frames(void)
{
	unsigned int count = 0;

	for (const char *p = out; (p = strstr(p, "\n  #")); p++)
		count += p[4] >= '0' && p[4] <= '9';
	return count;
}

static void status(void)
{
	run(&status_command, "status");
}

static void assert_frames(void)
{
	assert_has(out, "#0  0x0000328000001208 inner (");
	assert_has(out, "code.s:27)");
	assert_has(out, "#1  0x000032800000110d middle (");
	assert_has(out, "code.s:24)");
	assert_has(out, "#2  0x000032800000100d outer (");
	assert_has(out, "code.s:21)\n  rip 0000328000001208  rsp 0000308000001000");
	ck_assert_uint_eq(frames(), 3);
}

START_TEST(functions_and_lines)
{
	char line[256];

	prepare("-g");
	status();
	snprintf(line, sizeof(line), "last failure: CPU 5, extension 1, %s, in vmexit\n", image);
	assert_has(out, line);
	assert_has(out, "the extension faulted\n  #UD (vector 6), error code 0x0, address 0x0\n");
	assert_frames();
	device.text = "text";
	run(&dump_command, "dump");
	ck_assert_int_eq(strncmp(out, "text\nlast failure: ", 19), 0);
	assert_frames();
	run(&status_command, "status --json");
	assert_json(out);
	assert_has(out, "\"function\": \"middle\"");
	assert_has(out, "\"line\": 24, \"inlined\": false}");
	assert_has(out, "\"callback\": \"vmexit\", \"vector\": 6, ");
	clean_up();
}
END_TEST

START_TEST(what_it_had_said)
{
	prepare("-g");
	status();
	ck_assert_ptr_null(strstr(out, "it had said"));
	memset(device.report.said, 'z', sizeof(device.report.said)); /* no NUL */
	strcpy(device.report.said, "mine: no \"memory\"\033[1m\nmore");
	status();
	assert_has(out, "\n  it had said: mine: no \"memory\"");
	ck_assert_ptr_null(strstr(out, "more"));
	run(&status_command, "status --json");
	assert_json(out);
	assert_has(out, "\"said\": \"mine: no \\\"memory\\\"");
	memset(device.report.said, 'z', sizeof(device.report.said));
	status();
	assert_has(out, "it had said: zzz");
	memset(device.report.said, 0, sizeof(device.report.said));
	clean_up();
}
END_TEST

/* By CFI, RBP does not matter; without CFI, it leads from frame to frame. */
START_TEST(frame_pointers)
{
	prepare("-g");
	device.report.gpr[BF_RBP] = 0x1234;
	device.report.flags = BF_REPORT_PLACE;
	status();
	assert_frames();
	shell("cd %s && objcopy -R .debug_frame image");
	identify();
	status();
	ck_assert_uint_eq(frames(), 1);
	set_report();
	status();
	assert_frames();
	clean_up();
}
END_TEST

START_TEST(stripped)
{
	prepare("-g");
	shell("strip %s/image");
	status();
	assert_has(out, "its file has changed since the start");
	ck_assert_uint_eq(frames(), 1);
	identify();
	status();
	assert_has(out, "#0  0x0000328000001208\n  #1  0x000032800000110d\n");
	assert_has(out, "it has no debug information; build it with -g");
	/* by its build id, it is the same file still */
	build("-g -Wl,--build-id=sha1");
	identify();
	ck_assert_uint_eq(device.ids[1].build_id_size, 20);
	status();
	assert_frames();
	shell("strip %s/image");
	status();
	assert_has(out, "it has no debug information");
	build("-g -Wl,--build-id=0x1234");
	status();
	assert_has(out, "its file has changed since the start");
	/* symbols without lines */
	build("");
	identify();
	status();
	assert_has(out, "#1  0x000032800000110d middle+0xd\n");
	run(&status_command, "status --json");
	assert_json(out);
	assert_has(out, "\"function\": \"middle\", \"offset\": 13, \"file\": \"\"");
	clean_up();
}
END_TEST

/* A command with --image: that file, of the directory. */
static void run_with(const struct command *command, const char *words, const char *file)
{
	char line[256];

	snprintf(line, sizeof(line), "%s --image %s/%s", words, dir, file);
	run(command, line);
}

START_TEST(another_file)
{
	prepare("-g");
	shell("cd %s && cp image whole && strip image");
	identify();
	run_with(&status_command, "status", "whole");
	assert_frames();
	run_with(&dump_command, "dump", "whole");
	assert_frames();
	run_with(&status_command, "status --json", "whole");
	assert_json(out);
	assert_has(out, "\"line\": 24");
	run_with(&status_command, "status", "none");
	assert_has(out, "of this image: the file that --image names cannot be read");
	ck_assert_uint_eq(frames(), 1);
	build("-g -Wl,--build-id=sha1");
	identify();
	shell("cd %s && cp image whole");
	run_with(&status_command, "status", "whole");
	assert_frames();
	build("-g -Wl,--build-id=sha1 -Wl,--defsym=other=1");
	identify();
	run_with(&status_command, "status", "whole");
	assert_has(out, "of this image: the file that --image names is of another build");
	ck_assert_uint_eq(frames(), 1);
	clean_up();
}
END_TEST

START_TEST(gone)
{
	prepare("");
	unlink(image);
	status();
	assert_has(out, "its file is gone");
	assert_has(out, "#0  0x0000328000001208\n");
	shell("mkdir %s/image");
	status();
	assert_has(out, "its file cannot be read");
	run(&status_command, "status --json");
	assert_json(out);
	assert_has(out, "\"problem\": \"its file cannot be read\", \"backtrace\": []}");
	memset(device.ids[1].path, 'x', sizeof(device.ids[1].path));
	status();
	assert_has(out, "its file is not known");
	clean_up();
}
END_TEST

START_TEST(more_stack_than_in_the_report)
{
	prepare("-g");
	for (unsigned int i = 0; i < BF_REPORT_STACK / sizeof(uint64_t) / FRAME_WORDS; i++)
		set_frame(i, MIDDLE + CALLED);
	device.report.stack_size = UINT32_MAX;
	status();
	ck_assert_uint_eq(frames(), 1 + BF_REPORT_STACK / sizeof(uint64_t) / FRAME_WORDS);
	assert_has(out, "the report holds no more of the stack");
	clean_up();
}
END_TEST

/* A call through a pointer that points nowhere. */
START_TEST(jump_to_nowhere)
{
	prepare("-g");
	device.report.rip = 0;
	device.report.rsp = RSP + 3 * sizeof(uint64_t);
	memmove(device.report.stack, &device.report.stack[3 * sizeof(uint64_t)], 0x100);
	status();
	assert_has(out, "#0  0x0000000000000000\n  #1  0x000032800000110d middle (");
	assert_has(out, "#2  0x000032800000100d outer (");
	ck_assert_uint_eq(frames(), 3);
	device.report.stack_size = 0;
	status();
	ck_assert_uint_eq(frames(), 1);
	clean_up();
}
END_TEST

/* What is not known is not shown. */
START_TEST(little_is_known)
{
	prepare("-g");
	device.report.flags = 0;
	status();
	assert_has(out, "last failure: CPU 5, extension 1, in vmexit\n  the extension faulted\n");
	ck_assert_uint_eq(frames(), 0);
	run(&status_command, "status --json");
	assert_json(out);
	set_report();
	for (unsigned int image = 0; image < UINT16_MAX; image += image < 20 ? 1 : 1000) {
		device.report.image = (uint16_t)image;
		device.status.nr_image_ids = image < 30 ? 2 : UINT32_MAX;
		status();
		ck_assert_uint_eq(frames(), image == 1 ? 3 : 1);
	}
	set_report();
	device.report.error = 4711;
	device.report.vector = UINT64_MAX;
	device.report.callback = 200;
	status();
	assert_has(out, "in unknown callback\n  an error that this bfm does not know\n"
			"  no exception (vector 18446744073709551615)");
	/* the microkernel's own */
	set_report();
	device.ids[0] = device.ids[1];
	device.report.cs = BF_SEL_KERNEL_CS;
	device.report.image = 0;
	device.report.cr3 = 0xC3C3;
	status();
	assert_has(out, "last failure: CPU 5, /tmp/");
	assert_has(out, "cr3 000000000000c3c3");
	assert_has(out, "code.s:21)\n");
	clean_up();
}
END_TEST

START_TEST(hostile_names)
{
	char name[256];

	prepare("-g");
	snprintf(name, sizeof(name), "%s/\033[2J\n#1 \033[31mred", dir);
	ck_assert_int_eq(rename(image, name), 0);
	strcpy(device.ids[1].path, name);
	status();
	assert_has(out, "/?[2J?#1 red, in vmexit\n");
	ck_assert_uint_eq(frames(), 3);
	run(&status_command, "status --json");
	assert_json(out);
	/* what is no UTF-8: a lone byte, too many bytes, half of a UTF-16 pair, too few bytes */
	strcpy(device.ids[1].path, "\xC3\xA4 \xFF \xC0\xAF \xED\xA0\x80 \xE2\x82");
	run(&status_command, "status --json");
	assert_has(out, "\"\xC3\xA4 \\ufffd \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\"");
	clean_up();
}
END_TEST

/* Whatever the file contains, something is shown. */
START_TEST(damaged_images)
{
	uint64_t size;
	uint8_t *data;
	int fd;

	prepare("-g");
	data = image_read(image, &size);
	ck_assert_ptr_nonnull(data);
	srand(1);
	for (unsigned int i = 0; i < 100; i++) {
		fd = open(image, O_RDWR);
		ck_assert_int_ge(fd, 0);
		for (unsigned int k = 0; k < 40; k++) {
			uint8_t byte = (uint8_t)rand();

			ck_assert_int_eq(pwrite(fd, &byte, 1, rand() % (off_t)size), 1);
		}
		close(fd);
		identify();
		status();
		ck_assert_uint_ge(frames(), 1);
		fd = open(image, O_RDWR);
		ck_assert_int_eq(pwrite(fd, data, size, 0), (ssize_t)size);
		close(fd);
	}
	free(data);
	clean_up();
}
END_TEST

TCase *failure_tests(void)
{
	TCase *tc = commands_case("failure");

	tcase_add_test(tc, functions_and_lines);
	tcase_add_test(tc, what_it_had_said);
	tcase_add_test(tc, frame_pointers);
	tcase_add_test(tc, another_file);
	tcase_add_test(tc, stripped);
	tcase_add_test(tc, gone);
	tcase_add_test(tc, more_stack_than_in_the_report);
	tcase_add_test(tc, jump_to_nowhere);
	tcase_add_test(tc, little_is_known);
	tcase_add_test(tc, hostile_names);
	tcase_add_test(tc, damaged_images);
	return tc;
}
