// SPDX-License-Identifier: GPL-2.0-only
/* bfm efi: what it writes to an EFI system partition, and what it asks efibootmgr for. */
#include "commands.h"

#include <stdarg.h>
#include <unistd.h>

#include "bfm/efi.h"
#include "driver/efi/bundle.h"
#include "driver/efi/config.h"
#include "../make_elf.h"
#include "../make_pe.h"

static char root[32], esp[64];

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *path, const void *data, size_t size)
{
	char whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	file = fopen(whole, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, size, file), size);
	ck_assert_int_eq(fclose(file), 0);
}

static const char *text_of(const char *path)
{
	static char text[4096];
	char whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	file = fopen(whole, "r");
	ck_assert_msg(file != NULL, "no %s", path);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static bool is_there(const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	return !access(whole, F_OK);
}

static void put_image(const char *path, uint64_t base)
{
	struct elf_file image;

	make_elf(&image, base);
	put(path, &image, sizeof(image));
}

/* An efibootmgr that notes what it is asked for, and knows the entries of a file. */
static const char tool[] = "#!/bin/sh\n"
			   "cd \"$(dirname \"$0\")\" || exit 1\n"
			   "[ ! -e broken ] || exit 5\n"
			   "echo \"$*\" >>asked\n"
			   "[ $# != 0 ] || cat entries\n";

static const char systemctl[] = "#!/bin/sh\n"
				"cd \"$(dirname \"$0\")\" || exit 1\n"
				"[ ! -e broken ] || exit 1\n"
				"echo \"$*\" >>enabled\n";

/* An sbsign that adds a word in place of a signature: sbsign --key K --cert C --output TO FROM */
static const char sbsign[] = "#!/bin/sh\n"
			     "cd \"$(dirname \"$0\")\" || exit 1\n"
			     "[ ! -e broken ] || exit 1\n"
			     "echo \"$1 $2 $3 $4 $5\" >>signed\n"
			     "printf SIGNED >>\"$6\"\n";

static void put_program(void)
{
	struct pe_file pe;

	make_pe(&pe);
	put("lib/bareflank.efi", &pe, sizeof(pe));
	put("bin/sbsign", sbsign, sizeof(sbsign) - 1);
	shell("chmod +x %s/bin/sbsign", root);
}

static void make_root(void)
{
	char path[256];

	strcpy(root, "/tmp/test_bfm_efi.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(esp, sizeof(esp), "%s/esp", root);
	shell("mkdir -p %s/EFI/BOOT %s/lib %s/bin", esp, root, root);
	put("esp/EFI/BOOT/BOOTX64.EFI", "MZ", 2);
	put("lib/bareflank.efi", "MZ program", 10);
	put_image("lib/microkernel", BF_MK_BASE);
	put_image("lib/default", MK1_EXT_CODE_BASE);
	put_image("mine", MK1_EXT_CODE_BASE);
	put("bin/efibootmgr", tool, sizeof(tool) - 1);
	put("bin/entries", "", 0);
	put("bin/systemctl", systemctl, sizeof(systemctl) - 1);
	shell("chmod +x %s/bin/efibootmgr %s/bin/systemctl", root, root);
	snprintf(path, sizeof(path), "%s/lib", root);
	setenv("BAREFLANK_LIBDIR", path, 1);
	snprintf(path, sizeof(path), "%s/bin:/usr/bin:/bin", root);
	setenv("PATH", path, 1);
}

static void remove_root(void)
{
	unsetenv("BAREFLANK_LIBDIR");
	setenv("PATH", "/usr/bin:/bin", 1);
	shell("rm -r %s", root);
}

/* bfm efi, in which %s is the EFI system partition, or another path of the test's. */
static int efi(const char *format, const char *word)
{
	char line[512];

	snprintf(line, sizeof(line), format, word);
	return run(&efi_command, line);
}

START_TEST(installs_and_removes)
{
	ck_assert_int_eq(efi("efi install --no-entry --esp %s", esp), EXIT_OK);
	assert_has(out, "it starts \\EFI\\BOOT\\BOOTX64.EFI\n");
	ck_assert_ptr_null(strstr(out, "confirm"));
	ck_assert_str_eq(text_of("bin/enabled"), "--quiet enable bareflank-efi.service\n");
	ck_assert_str_eq(text_of("esp/EFI/bareflank/bareflank.efi"), "MZ program");
	ck_assert_str_eq(text_of("esp/EFI/bareflank/bareflank.conf"),
			 "# Written by bfm efi: docs/uefi.md has all options.\n"
			 "next = \\EFI\\BOOT\\BOOTX64.EFI\n"
			 "extension = default\n");
	shell("cmp %s/lib/microkernel %s/EFI/bareflank/microkernel", root, esp);
	shell("cmp %s/lib/default %s/EFI/bareflank/default", root, esp);
	shell("test $(ls -A %s/EFI/bareflank | wc -l) = 4", esp);
	ck_assert_int_eq(efi("efi remove --no-entry --esp %s", esp), EXIT_OK);
	ck_assert(!is_there("esp/EFI/bareflank"));
	ck_assert(is_there("esp/EFI/BOOT/BOOTX64.EFI"));
	ck_assert(!is_there("bin/asked"));
	ck_assert_int_eq(efi("efi remove --no-entry --esp %s", esp), EXIT_OK);
	put("bin/broken", "", 0);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s", esp), EXIT_OK);
	assert_has(out, "bfm efi confirm");
}
END_TEST

/* What bareflank.efi takes it for. */
static struct efi_config *parsed(void)
{
	static struct efi_config config;
	static char text[4096];
	struct efi_config_error error;

	strcpy(text, text_of("esp/EFI/bareflank/bareflank.conf"));
	ck_assert_msg(efi_config_parse(&config, text, strlen(text), &error), "line %u: %s: %s",
		      error.line, error.sentence, error.word);
	return &config;
}

START_TEST(says_all_options)
{
	char line[512];

	snprintf(line, sizeof(line),
		 "efi install --esp %s --no-entry --next \\EFI\\a.efi --options quiet -- --pool 8M "
		 "--huge 2M --channel 16K --serial 0x2f8 --watchdog 2s --repeats off "
		 "default %s/mine --allow default=none --arg 2:a=b --arg 2:c= --allow 2=guests",
		 esp, root);
	ck_assert_int_eq(run(&efi_command, line), EXIT_OK);
	ck_assert_str_eq(text_of("esp/EFI/bareflank/bareflank.conf"),
			 "# Written by bfm efi: docs/uefi.md has all options.\n"
			 "next = \\EFI\\a.efi\noptions = quiet\n"
			 "pool = 0x800000\nhuge = 0x200000\nchannel = 0x4000\nserial = 0x2f8\n"
			 "watchdog = 2000ms\nrepeats = off\n"
			 "extension = default\nallow = none\n"
			 "extension = mine\narg = a=b\narg = c=\nallow = guests\n");
	ck_assert(is_there("esp/EFI/bareflank/mine"));
	ck_assert_uint_eq(parsed()->start.nr_exts, 2);
	ck_assert_uint_eq(parsed()->start.pool_size, 8 << 20);
	ck_assert_uint_eq(parsed()->start.channel_size, 16 << 10);
	ck_assert_uint_eq(parsed()->start.serial_port, 0x2f8);
	ck_assert_uint_eq(parsed()->start.watchdog_ns, 2000000000);
	ck_assert_uint_eq(parsed()->start.repeats, BF_REPEATS_OFF);
	ck_assert_uint_eq(parsed()->start.denied[0], BF_ALL_RIGHTS);
	ck_assert_uint_eq(parsed()->start.denied[1], BF_ALL_RIGHTS & ~BF_RIGHT_guests);
	ck_assert_uint_eq(parsed()->start.args[1].size, 7);
}
END_TEST

START_TEST(refuses_what_it_cannot_install)
{
	put("esp/EFI/old", "", 0);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s -- ./none", esp), EXIT_BAD_IMAGE);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s -- default default", esp),
			 EXIT_USAGE);
	assert_failure("efi", "there would be two files of this name");
	put_image("with blank", MK1_EXT_CODE_BASE);
	put_image("bareflank.CONF", MK1_EXT_CODE_BASE);
	shell("ln -s 'with blank' %s/with%%blank", root);
	ck_assert_int_eq(efi("efi install --no-entry --esp /nonexistent -- %s/with%%blank", root),
			 EXIT_FAILED); /* no boot loader there */
	ck_assert_int_eq(
		efi("efi install --next x --no-entry --esp /nonexistent -- %s/with%%blank", root),
		EXIT_USAGE);
	assert_failure("efi", "not a name for the EFI system partition");
	ck_assert_int_eq(
		efi("efi install --next x --no-entry --esp /nonexistent -- %s/bareflank.CONF",
		    root),
		EXIT_USAGE);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s --options \303\244", esp),
			 EXIT_FAILED);
	assert_failure("efi", "--options cannot have this value in bareflank.conf");
	ck_assert_int_eq(
		efi("efi install --no-entry --esp %s -- default --allow 1=all,-wrmsr:0x10", esp),
		EXIT_FAILED);
	assert_failure("efi", "single calls and MSRs cannot be allowed in bareflank.conf");
	ck_assert(!is_there("esp/EFI/bareflank"));
	shell("rm %s/lib/bareflank.efi", root);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s", esp), EXIT_BAD_IMAGE);
	ck_assert(!is_there("esp/EFI/bareflank"));
}
END_TEST

/* --- one program of all ----------------------------------------------------------------------- */

static uint8_t program[1 << 20];
static uint64_t program_size;

/*
 * What a file has in it, as bareflank.efi finds it: its section with files moves to where it is in
 * memory.
 */
static void open_program(const char *path, struct efi_bundle *bundle)
{
	const struct bsl_pe_section *section;
	struct bsl_pe pe;
	char whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	file = fopen(whole, "r");
	ck_assert_ptr_nonnull(file);
	memset(program, 0, sizeof(program));
	program_size = fread(program, 1, sizeof(program), file);
	fclose(file);
	ck_assert_ptr_null(bsl_pe_open(&pe, program, program_size));
	ck_assert_ptr_nonnull(bsl_pe_find(&pe, ".sbat"));
	section = bsl_pe_find(&pe, BF_BUNDLE_SECTION);
	ck_assert_ptr_nonnull(section);
	memmove(program + section->va, program + section->offset, section->memsz);
	ck_assert_ptr_null(efi_bundle_open(bundle, program, sizeof(program)));
}

static void assert_file(const struct efi_bundle *bundle, const char *name, const char *path)
{
	const void *data;
	uint64_t size;

	ck_assert_msg(efi_bundle_find(bundle, name, &data, &size), "no %s", name);
	put("found", data, size);
	shell("cmp %s/found %s/%s", root, root, path);
}

START_TEST(one_program_of_all)
{
	struct efi_bundle bundle;
	const void *data;
	uint64_t size;
	char line[512];

	put_program();
	snprintf(line, sizeof(line),
		 "efi image -o %s/all.efi --next \\a --options b --no-guard -- default %s/mine "
		 "--arg 2:a=b",
		 root, root);
	ck_assert_int_eq(run(&efi_command, line), EXIT_OK);
	assert_has(out, "/all.efi, not signed; it starts \\a\n");
	ck_assert(!is_there("bin/signed"));
	open_program("all.efi", &bundle);
	ck_assert_uint_eq(bundle.nr_files, 4);
	assert_file(&bundle, "microkernel", "lib/microkernel");
	assert_file(&bundle, "default", "lib/default");
	assert_file(&bundle, "mine", "mine");
	ck_assert(efi_bundle_find(&bundle, "bareflank.conf", &data, &size));
	put("conf", data, size);
	ck_assert_str_eq(text_of("conf"), "# Written by bfm efi: docs/uefi.md has all options.\n"
					  "next = \\a\noptions = b\nguard = off\n"
					  "extension = default\nextension = mine\narg = a=b\n");
	/* The same with a signature, for which this is the tool. */
	snprintf(line, sizeof(line), "efi image --output %s/signed.efi --next x --key K --cert C",
		 root);
	ck_assert_int_eq(run(&efi_command, line), EXIT_OK);
	assert_has(out, "/signed.efi, signed; it starts x\n");
	ck_assert_str_eq(text_of("bin/signed"), "--key K --cert C --output\n");
	shell("tail -c 6 %s/signed.efi | grep -q '^SIGNED$'", root);
	open_program("signed.efi", &bundle);
	ck_assert_uint_eq(bundle.nr_files, 3);
	/* Without --next, what this system boots. */
	snprintf(line, sizeof(line), "efi image -o %s/next.efi --esp %s", root, esp);
	ck_assert_int_eq(run(&efi_command, line), EXIT_OK);
	assert_has(out, "it starts \\EFI\\BOOT\\BOOTX64.EFI\n");
}
END_TEST

/* --- a configuration of one's own ------------------------------------------------------------- */

static const char own[] = "# of all options\r\n"
			  "\n"
			  "next = \\EFI\\a.efi \r\n"
			  " options=quiet  splash=1\n"
			  "guard = off\n"
			  "microkernel = mk\n"
			  "extension = mine\n"
			  "\targ = a=b = c\n"
			  "arg = d=\n"
			  "allow = linux,guests\n"
			  "extension = default\n"
			  "allow = none\n"
			  "pool = 8M\n"
			  "huge = 0x200000\n"
			  "channel = 16K\n"
			  "serial = 0x2f8\n"
			  "watchdog = 2s\n"
			  "repeats = off";
/* What is made of it, and of that again. */
static const char made[] = "# Written by bfm efi: docs/uefi.md has all options.\n"
			   "next = \\EFI\\a.efi\noptions = quiet  splash=1\nguard = off\n"
			   "pool = 0x800000\nhuge = 0x200000\nchannel = 0x4000\nserial = 0x2f8\n"
			   "watchdog = 2000ms\nrepeats = off\n"
			   "extension = mine\narg = a=b = c\narg = d=\nallow = linux,guests\n"
			   "extension = default\nallow = none\n";

static int with_config(const char *text)
{
	char line[512];

	put("own.conf", text, strlen(text));
	snprintf(line, sizeof(line), "efi install --no-entry --esp %s --config %s/own.conf", esp,
		 root);
	return run(&efi_command, line);
}

START_TEST(takes_a_configuration)
{
	struct efi_bundle bundle;
	char line[512];

	put_image("mk", BF_MK_BASE);
	shell("printf more >>%s/mk", root);
	ck_assert_int_eq(with_config(own), EXIT_OK);
	assert_has(out, "it starts \\EFI\\a.efi\n");
	ck_assert_str_eq(text_of("esp/EFI/bareflank/bareflank.conf"), made);
	shell("cmp %s/mk %s/EFI/bareflank/microkernel", root, esp);
	shell("cmp %s/mine %s/EFI/bareflank/mine", root, esp);
	shell("cmp %s/lib/default %s/EFI/bareflank/default", root, esp);
	ck_assert_uint_eq(parsed()->start.args[0].size, 11);
	ck_assert_int_eq(with_config(made), EXIT_OK);
	ck_assert_str_eq(text_of("esp/EFI/bareflank/bareflank.conf"), made);
	/* in one program, and from the current directory */
	put_program();
	put("own.conf", own, strlen(own));
	ck_assert_int_eq(chdir(root), 0);
	snprintf(line, sizeof(line), "efi image -o %s/own.efi --config own.conf", root);
	ck_assert_int_eq(run(&efi_command, line), EXIT_OK);
	ck_assert_int_eq(chdir("/"), 0);
	open_program("own.efi", &bundle);
	assert_file(&bundle, "bareflank.conf", "esp/EFI/bareflank/bareflank.conf");
	assert_file(&bundle, "microkernel", "mk");
	assert_file(&bundle, "mine", "mine");
	assert_file(&bundle, "default", "lib/default");
	/* There need not be anything in it. */
	ck_assert_int_eq(with_config(""), EXIT_OK);
	assert_has(out, "; the boot goes on with what comes after it\n");
	ck_assert_str_eq(text_of("esp/EFI/bareflank/bareflank.conf"),
			 "# Written by bfm efi: docs/uefi.md has all options.\n"
			 "extension = default\n");
}
END_TEST

START_TEST(refuses_a_configuration)
{
	static const struct {
		const char *text, *command, *wrong;
	} cases[] = {
		{ "next = a\nhello\n", "efi",
		  "own.conf, line 2: this line is not of the form OPTION = VALUE: hello" },
		{ "\npools = 8M", "efi", "own.conf, line 2: there is no such option: pools" },
		{ "pool = \n", "efi", "own.conf, line 1: this option has no value: pool" },
		{ "next = a\nnext = a", "efi",
		  "own.conf, line 2: this option is there already: next" },
		{ "arg = a=b", "efi", "own.conf, line 1: no extension comes before this" },
		{ "allow = all", "efi", "own.conf, line 1: no extension comes before this" },
		{ "guard = yes", "efi", "own.conf, line 1: neither on nor off: yes" },
		{ "extension = \\EFI\\mine", "efi",
		  "own.conf: only a file beside it can be installed: \\EFI\\mine" },
		{ "microkernel = ../mk", "efi",
		  "own.conf: only a file beside it can be installed: ../mk" },
		{ "extension = a\nextension = a\nextension = a\nextension = a\nextension = a\n"
		  "extension = a\nextension = a\nextension = a\nextension = a\n",
		  "efi", "line 9: there are too many extensions" },
		{ "options = quiet", "efi", "own.conf: options are there for next, which is not" },
		{ "pool = much", "efi", "own.conf, line 1: not a size: much" },
		{ "extension = mine\narg = b", "efi",
		  "own.conf, line 2: not an argument like leaf=0x40000000: b" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(with_config(cases[i].text), EXIT_USAGE);
		assert_failure(cases[i].command, cases[i].wrong);
	}
	ck_assert_int_eq(with_config("extension = none\n"), EXIT_BAD_IMAGE);
	ck_assert_int_eq(efi("efi install --no-entry --config %s/none.conf", root), EXIT_USAGE);
	assert_failure("efi", "none.conf: No such file or directory");
	put("own.conf", "pool = 8M\0\n", 11);
	ck_assert_int_eq(efi("efi install --no-entry --config %s/own.conf", root), EXIT_USAGE);
	assert_failure("efi", "only ASCII can be here");
	ck_assert_int_eq(efi("efi install --config %s/own.conf -- default", root), EXIT_USAGE);
	assert_failure("efi", "with --config, that file says what is started");
	ck_assert_int_eq(efi("efi install --config %s/own.conf --next a", root), EXIT_USAGE);
	ck_assert_int_eq(efi("efi install --config %s/own.conf --options a", root), EXIT_USAGE);
	ck_assert_int_eq(efi("efi install --config %s/own.conf --no-guard", root), EXIT_USAGE);
	ck_assert(!is_there("esp/EFI/bareflank"));
}
END_TEST

START_TEST(installs_what_is_signed)
{
	struct efi_bundle bundle;

	put_program();
	ck_assert_int_eq(efi("efi install --no-entry --esp %s", esp), EXIT_OK);
	ck_assert(is_there("esp/EFI/bareflank/bareflank.conf"));
	ck_assert_int_eq(efi("efi install --no-entry --esp %s --key K --cert C", esp), EXIT_OK);
	assert_has(out, "/EFI/bareflank, signed; it starts");
	shell("test $(ls -A %s/EFI/bareflank) = bareflank.efi", esp);
	open_program("esp/EFI/bareflank/bareflank.efi", &bundle);
	assert_file(&bundle, "microkernel", "lib/microkernel");
	ck_assert_int_eq(efi("efi install --no-entry --esp %s", esp), EXIT_OK);
	shell("cmp %s/lib/bareflank.efi %s/EFI/bareflank/bareflank.efi", root, esp);
	ck_assert(is_there("esp/EFI/bareflank/bareflank.conf"));
	/* By shim, which has to be there. */
	ck_assert_int_eq(
		efi("efi install --no-entry --esp %s --key K --cert C --shim \\EFI\\a.efi", esp),
		EXIT_FAILED);
	assert_failure("efi", "there is no \\EFI\\a.efi on");
	ck_assert_int_eq(efi("efi install --no-entry --esp %s --key K --cert C "
			     "--shim \\EFI\\BOOT\\BOOTX64.EFI",
			     esp),
			 EXIT_OK);
	ck_assert(!is_there("esp/EFI/bareflank/bareflank.conf"));
	ck_assert_int_eq(efi("efi install --no-entry --esp %s", esp), EXIT_OK);
	/* What cannot be signed changes nothing. */
	put("bin/broken", "", 0);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s --key K --cert C", esp), EXIT_FAILED);
	assert_failure("efi", "sbsign refused to sign bareflank.efi");
	setenv("PATH", "/nonexistent", 1);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s --key K --cert C", esp), EXIT_FAILED);
	assert_failure("efi", "sbsign was not found");
	assert_has(err, "apt install sbsigntool");
	ck_assert(is_there("esp/EFI/bareflank/bareflank.conf"));
	setenv("TMPDIR", "/nonexistent", 1);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s --key K --cert C", esp), EXIT_FAILED);
	assert_failure("efi", "cannot write or read /nonexistent/");
	unsetenv("TMPDIR");
	/* Nor does a program that is none. */
	put("lib/bareflank.efi", "MZ program", 10);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s --key K --cert C", esp),
			 EXIT_BAD_IMAGE);
	assert_failure("efi", "bareflank.efi cannot be used: it is cut short");
	ck_assert(is_there("esp/EFI/bareflank/bareflank.conf"));
	ck_assert_int_eq(efi("efi image -o /nonexistent/x --next y -- %s/none", root),
			 EXIT_BAD_IMAGE);
	setenv("PATH", "/usr/bin:/bin", 1);
	put_program();
	ck_assert_int_eq(efi("efi image -o /nonexistent/x --next %s", "y"), EXIT_FAILED);
	assert_failure("efi", "cannot write /nonexistent/x");
}
END_TEST

START_TEST(command_lines)
{
	ck_assert_int_eq(run(&efi_command, "efi image --next x"), EXIT_USAGE);
	assert_failure("efi", "where to write it is not said: -o FILE");
	ck_assert_int_eq(run(&efi_command, "efi install -o x"), EXIT_USAGE);
	assert_failure("efi", "only image takes -o");
	ck_assert_int_eq(run(&efi_command, "efi install --key x"), EXIT_USAGE);
	assert_failure("efi", "no certificate given");
	ck_assert_int_eq(run(&efi_command, "efi image -o x --cert x"), EXIT_USAGE);
	assert_failure("efi", "no key given");
	ck_assert_int_eq(run(&efi_command, "efi install --shim x"), EXIT_USAGE);
	assert_failure("efi", "--shim is for what install signs");
	ck_assert_int_eq(run(&efi_command, "efi image -o"), EXIT_USAGE);
	assert_has(err, "this option needs a value: -o");
	ck_assert_int_eq(run(&efi_command, "efi"), EXIT_USAGE);
	ck_assert_int_eq(run(&efi_command, "efi reinstall"), EXIT_USAGE);
	assert_failure("efi", "unknown action: reinstall");
	ck_assert_int_eq(run(&efi_command, "efi install remove"), EXIT_USAGE);
	ck_assert_int_eq(run(&efi_command, "efi install --pool 8M"), EXIT_USAGE);
	ck_assert_int_eq(run(&efi_command, "efi install -- --poll 8M"), EXIT_USAGE);
	assert_has(err, "did you mean --pool?");
	ck_assert_int_eq(run(&efi_command, "efi remove -- default"), EXIT_USAGE);
	ck_assert_int_eq(run(&efi_command, "efi confirm -- default"), EXIT_USAGE);
	ck_assert_int_eq(run(&efi_command, "efi --help"), EXIT_OK);
}
END_TEST

static const char entries[] = "BootCurrent: 0001\nTimeout: 3 seconds\nBootOrder: 0001,0004,0000\n"
			      "Boot0000* UiApp\tFvVol(7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1)\n"
			      "Boot0001* debian\tHD(1,GPT,0)/File(\\EFI\\debian\\shimx64.efi)\n"
			      "Boot0002* Bareflank on a stick\tHD(2)\n"
			      "Boot0004* Bareflank\tHD(1)/File(\\EFI\\bareflank\\bareflank.efi)\n"
			      "Boot00zz* Bareflank\n"
			      "Boot001A  Bareflank";

START_TEST(finds_its_entries)
{
	const char *at = entries;

	ck_assert_int_eq(boot_entry_next(at, &at), 4);
	ck_assert_int_eq(boot_entry_next(at, &at), 0x1A);
	ck_assert_int_eq(boot_entry_next(at, &at), -1);
	at = "";
	ck_assert_int_eq(boot_entry_next(at, &at), -1);
	at = "Boot0004";
	ck_assert_int_eq(boot_entry_next(at, &at), -1);
}
END_TEST

START_TEST(removes_entries_first)
{
	put("bin/entries", entries, sizeof(entries) - 1);
	ck_assert_int_eq(efi("efi install --no-entry --esp %s", esp), EXIT_OK);
	put("bin/broken", "", 0);
	ck_assert_int_eq(efi("efi remove --esp %s", esp), EXIT_FAILED);
	assert_failure("efi", "efibootmgr failed");
	ck_assert(is_there("esp/EFI/bareflank/bareflank.efi"));
	shell("rm %s/bin/broken", root);
	ck_assert_int_eq(efi("efi remove --esp %s", esp), EXIT_OK);
	ck_assert_str_eq(text_of("bin/asked"), "\n-q -b 0004 -B\n-q -b 001A -B\n");
	ck_assert(!is_there("esp/EFI/bareflank"));
	setenv("PATH", "/nonexistent", 1);
	ck_assert_int_eq(efi("efi remove --esp %s", esp), EXIT_FAILED);
	assert_failure("efi", "efibootmgr was not found");
}
END_TEST

/* A directory that is no FAT file system is no partition that firmware reads. */
START_TEST(entries_need_a_partition)
{
	ck_assert_int_eq(efi("efi install --esp %s", esp), EXIT_FAILED);
	assert_failure("efi", "no EFI system partition is mounted there");
	ck_assert(!is_there("bin/asked"));
}
END_TEST

START_TEST(finds_the_disk)
{
	unsigned int partition = 0;
	char disk[64];

	shell("mkdir -p %s/sys/dev/block %s/sys/devices/nvme0n1/nvme0n1p3", root, root);
	shell("ln -s ../../devices/nvme0n1/nvme0n1p3 %s/sys/dev/block/259:3", root);
	ck_assert(!boot_entry_disk(root, 259, 3, disk, sizeof(disk), &partition));
	put("sys/devices/nvme0n1/nvme0n1p3/partition", "3\n", 2);
	ck_assert(boot_entry_disk(root, 259, 3, disk, sizeof(disk), &partition));
	ck_assert_str_eq(disk, "/dev/nvme0n1");
	ck_assert_uint_eq(partition, 3);
	ck_assert(!boot_entry_disk(root, 259, 4, disk, sizeof(disk), &partition));
}
END_TEST

START_TEST(finds_partition_and_loader)
{
	char dir[MAX_PATH], loader[MAX_PATH];

	ck_assert(!esp_find(root, dir));
	shell("mkdir -p %s/boot/EFI/debian %s/etc", root, root);
	ck_assert(esp_find(root, dir));
	ck_assert_str_eq(dir + strlen(root), "/boot");
	ck_assert(!esp_find_loader(root, dir, loader));
	put("boot/EFI/debian/grubx64.efi", "MZ", 2);
	ck_assert(!esp_find_loader(root, dir, loader));
	put("etc/os-release", "NAME=x\nVERSION_ID=\"12\"\nID=\"debian\"\n", 36);
	ck_assert(esp_find_loader(root, dir, loader));
	ck_assert_str_eq(loader, "\\EFI\\debian\\grubx64.efi");
	put("boot/EFI/debian/shimx64.efi", "MZ", 2);
	ck_assert(esp_find_loader(root, dir, loader));
	ck_assert_str_eq(loader, "\\EFI\\debian\\shimx64.efi");
	shell("mkdir -p %s/boot/efi/EFI", root);
	ck_assert(esp_find(root, dir));
	ck_assert_str_eq(dir + strlen(root), "/boot/efi");
	ck_assert(!esp_find_loader(root, dir, loader));
}
END_TEST

#define VARIABLE "sys/firmware/efi/efivars/BareflankBoot-c3b1f3a2-6d0e-4f51-9a52-0d8f5b7e6c11"

static struct bf_guard guard_of(uint32_t state)
{
	struct bf_guard guard = { .version = BF_GUARD_VERSION, .state = state };

	strcpy(guard.reason, "why");
	return guard;
}

static void put_guard(const struct bf_guard *guard)
{
	uint8_t file[4 + sizeof(*guard)] = { 7 };

	memcpy(file + 4, guard, sizeof(*guard));
	put(VARIABLE, file, sizeof(file));
}

START_TEST(the_last_boot)
{
	struct bf_guard guard = guard_of(BF_GUARD_TRIED);

	ck_assert(!guard_read(root, &guard));
	ck_assert(!guard_write(root, BF_GUARD_UP));
	ck_assert(guard_remove(root));
	ck_assert(!is_there(VARIABLE));
	shell("mkdir -p %s/sys/firmware/efi/efivars", root);
	put_guard(&guard);
	memset(&guard, 0, sizeof(guard));
	ck_assert(guard_read(root, &guard));
	ck_assert_uint_eq(guard.state, BF_GUARD_TRIED);
	ck_assert_str_eq(guard_sentence(&guard), "");
	ck_assert(guard_write(root, BF_GUARD_UP));
	ck_assert_uint_eq((unsigned char)*text_of(VARIABLE), 7);
	ck_assert(guard_read(root, &guard));
	ck_assert_uint_eq(guard.state, BF_GUARD_UP);
	ck_assert(guard_remove(root));
	ck_assert(!is_there(VARIABLE));
	/* Of another version, cut short, and without an end of its text. */
	guard.version++;
	put_guard(&guard);
	ck_assert(!guard_read(root, &guard));
	put(VARIABLE, "\7\0\0\0\1", 5);
	ck_assert(!guard_read(root, &guard));
	guard = guard_of(BF_GUARD_FAILED);
	memset(guard.reason, 'x', sizeof(guard.reason));
	put_guard(&guard);
	ck_assert(guard_read(root, &guard));
	ck_assert_uint_eq(strlen(guard_sentence(&guard)), sizeof(guard.reason) - 1);
	guard.state = BF_GUARD_SKIPPED;
	assert_has(guard_sentence(&guard), "did not come up; bfm efi retry");
}
END_TEST

START_TEST(secure_boot)
{
	static const char name[] =
		"sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

	ck_assert(!guard_is_secure_boot(root));
	shell("mkdir -p %s/sys/firmware/efi/efivars", root);
	put(name, "\6\0\0\0\0", 5);
	ck_assert(!guard_is_secure_boot(root));
	put(name, "\6\0\0\0", 4);
	ck_assert(!guard_is_secure_boot(root));
	put(name, "\6\0\0\0\1", 5);
	ck_assert(guard_is_secure_boot(root));
}
END_TEST

START_TEST(status_says_why)
{
	static struct explanation nothing;
	struct status status = { .guard = guard_of(BF_GUARD_FAILED), .explanation = &nothing };
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	report_text(file, &status);
	fclose(file);
	assert_has(text, "booted without it: why\n");
	free(text);
	file = open_memstream(&text, &size);
	report_json(file, &status);
	fclose(file);
	assert_json(text);
	assert_has(text, "\"firmware\": {\"state\": \"failed\", \"reason\": \"why\"}");
	free(text);
}
END_TEST

TCase *efi_tests(void)
{
	TCase *tc = commands_case("efi");

	tcase_add_checked_fixture(tc, make_root, remove_root);
	tcase_add_test(tc, installs_and_removes);
	tcase_add_test(tc, says_all_options);
	tcase_add_test(tc, refuses_what_it_cannot_install);
	tcase_add_test(tc, one_program_of_all);
	tcase_add_test(tc, takes_a_configuration);
	tcase_add_test(tc, refuses_a_configuration);
	tcase_add_test(tc, installs_what_is_signed);
	tcase_add_test(tc, command_lines);
	tcase_add_test(tc, finds_its_entries);
	tcase_add_test(tc, removes_entries_first);
	tcase_add_test(tc, entries_need_a_partition);
	tcase_add_test(tc, finds_the_disk);
	tcase_add_test(tc, finds_partition_and_loader);
	tcase_add_test(tc, the_last_boot);
	tcase_add_test(tc, secure_boot);
	tcase_add_test(tc, status_says_why);
	return tc;
}
