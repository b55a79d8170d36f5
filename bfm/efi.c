// SPDX-License-Identifier: GPL-2.0-only
/* bfm efi: installs what starts the hypervisor before Linux, and removes it. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "efi.h"

static const struct option long_options[] = { { "esp", required_argument, NULL, 'e' },
					      { "next", required_argument, NULL, 'n' },
					      { "options", required_argument, NULL, 'o' },
					      { "no-entry", no_argument, NULL, 'N' },
					      COMMON_OPTIONS };

struct efi_options {
	const char *esp, *next, *next_options;
	bool no_entry;
};

/* A file to be installed. */
struct piece {
	char name[MAX_NAME];
	void *data;
	uint64_t size;
};

#define NR_PIECES (BF_MAX_EXTS + 3) /* microkernel, extensions, configuration, program */

struct installation {
	struct start_options start;
	struct efi_options efi;
	char esp[MAX_PATH], dir[2 * MAX_PATH], loader[MAX_PATH];
	struct piece pieces[NR_PIECES];
	unsigned int nr_pieces;
};

/* --- what is to be installed ------------------------------------------------------------------ */

/* A word of bareflank.conf, and the name of a file on any FAT. */
static bool is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	return *name && *name != '.' && strlen(name) < MAX_NAME &&
	       strspn(name, allowed) == strlen(name);
}

/* FAT knows no difference between cases. */
static bool has_piece(const struct installation *in, const char *name)
{
	for (unsigned int i = 0; i < in->nr_pieces; i++)
		if (!strcasecmp(in->pieces[i].name, name))
			return true;
	return !strcasecmp(name, EFI_PROGRAM) || !strcasecmp(name, EFI_CONFIG);
}

static int add_image(struct installation *in, const char *path, const char *name,
		     enum image_kind kind)
{
	struct piece *piece = &in->pieces[in->nr_pieces];
	struct bf_file file;
	int code;

	if (!is_name(name) || has_piece(in, name)) {
		fail_message("efi",
			     "give the file another name: up to 63 of a-z, A-Z, 0-9, \".\", \"_\" "
			     "and \"-\"",
			     is_name(name) ? "%s: there would be two files of this name" :
					     "%s: not a name for the EFI system partition",
			     path);
		return EXIT_USAGE;
	}
	code = image_load("efi", path, kind, &file);
	if (code)
		return code;
	snprintf(piece->name, MAX_NAME, "%s", name);
	piece->data = (void *)(uintptr_t)file.data;
	piece->size = file.size;
	in->nr_pieces++;
	return EXIT_OK;
}

static int add_images(struct installation *in)
{
	const struct start_options *start = &in->start;
	char path[MAX_PATH];
	int code;

	if (start->microkernel)
		snprintf(path, sizeof(path), "%s", start->microkernel);
	else
		snprintf(path, sizeof(path), "%s/microkernel", image_directory());
	code = add_image(in, path, EFI_MICROKERNEL, IMAGE_MICROKERNEL);
	for (uint32_t i = 0; i < start->nr_exts && !code; i++) {
		const char *slash;

		image_path(path, start->exts[i]);
		slash = strrchr(path, '/');
		code = add_image(in, path, slash ? slash + 1 : path, IMAGE_EXTENSION);
	}
	return code;
}

static int add_config(struct installation *in)
{
	struct piece *piece = &in->pieces[in->nr_pieces];
	char names[BF_MAX_EXTS][MAX_NAME] = { 0 };
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	bool ok;

	for (uint32_t i = 0; i < in->start.nr_exts; i++)
		memcpy(names[i], in->pieces[1 + i].name, MAX_NAME);
	ok = file && efi_config_print(file, &in->start, names, in->loader, in->efi.next_options);
	if (!file || fclose(file)) {
		fail_error("efi", BF_ERR_NO_MEMORY, "");
		ok = false;
	}
	if (!ok) {
		free(text);
		return EXIT_FAILED;
	}
	*piece = (struct piece){ EFI_CONFIG, text, size };
	in->nr_pieces++;
	return EXIT_OK;
}

static int add_program(struct installation *in)
{
	struct piece *piece = &in->pieces[in->nr_pieces];
	char path[MAX_PATH];
	uint64_t size = 0;
	void *data;

	snprintf(path, sizeof(path), "%s/" EFI_PROGRAM, image_directory());
	data = image_read(path, &size);
	if (!data) {
		fail_message("efi", "install Bareflank, or set BAREFLANK_LIBDIR", "%s: %s", path,
			     strerror(errno));
		return EXIT_BAD_IMAGE;
	}
	*piece = (struct piece){ EFI_PROGRAM, data, size };
	in->nr_pieces++;
	return EXIT_OK;
}

/* --- where it goes ---------------------------------------------------------------------------- */

static int find_esp(struct installation *in)
{
	if (in->efi.esp)
		snprintf(in->esp, sizeof(in->esp), "%s", in->efi.esp);
	else if (!esp_find("", in->esp)) {
		fail_message("efi", "mount it, or name its directory: --esp DIR",
			     "no EFI system partition is mounted at /boot/efi, /efi or /boot");
		return EXIT_FAILED;
	}
	snprintf(in->dir, sizeof(in->dir), "%s/" EFI_DIRECTORY, in->esp);
	return EXIT_OK;
}

static int find_next(struct installation *in)
{
	if (in->efi.next) {
		snprintf(in->loader, sizeof(in->loader), "%s", in->efi.next);
		return EXIT_OK;
	}
	if (esp_find_loader("", in->esp, in->loader))
		return EXIT_OK;
	fail_message("efi", "name it: --next '\\EFI\\...'",
		     "the boot loader of this system was not found on %s", in->esp);
	return EXIT_FAILED;
}

static bool make_directories(const struct installation *in)
{
	char path[MAX_PATH + 16];

	snprintf(path, sizeof(path), "%s/EFI", in->esp);
	return (!mkdir(path, 0755) || errno == EEXIST) &&
	       (!mkdir(in->dir, 0755) || errno == EEXIST);
}

/* The program comes last: it never finds half of what it is to start. */
static int write_pieces(const struct installation *in)
{
	if (!make_directories(in)) {
		fail_message("efi", "run it as root", "cannot make %s: %s", in->dir,
			     strerror(errno));
		return EXIT_FAILED;
	}
	for (unsigned int i = 0; i < in->nr_pieces; i++) {
		const struct piece *piece = &in->pieces[i];

		if (!esp_write(in->dir, piece->name, piece->data, piece->size)) {
			fail_message("efi", "free some space there, or bfm efi remove",
				     "cannot write %s/%s: %s", in->dir, piece->name,
				     strerror(errno));
			return EXIT_FAILED;
		}
	}
	return EXIT_OK;
}

/* --- the commands ----------------------------------------------------------------------------- */

/* Who says at each boot that it has come up. */
static void enable_service(void)
{
	char *const argv[] = { "systemctl", "--quiet", "enable", "bareflank-efi.service", NULL };

	if (program_run(argv))
		puts("systemd does not do it: have bfm efi confirm run at the end of each boot");
}

/* The next boot is tried, whatever became of the last one. */
static int expect_boot(void)
{
	struct bf_guard guard;

	if (!guard_read("", &guard) || guard_write("", BF_GUARD_UP))
		return EXIT_OK;
	fail_message("efi", "run it as root", "cannot write a variable of the firmware's: %s",
		     strerror(errno));
	return EXIT_FAILED;
}

/* This boot has come up, if it is one with the hypervisor. */
static int confirm(void)
{
	struct bf_guard guard;

	if (!guard_read("", &guard) || guard.state != BF_GUARD_TRIED)
		return EXIT_OK;
	return expect_boot();
}

/* What bareflank.efi refuses is better known before a reboot than after it. */
static int check_firmware(void)
{
	if (!guard_is_secure_boot(""))
		return EXIT_OK;
	fail_message("efi", "turn it off in the firmware's setup, or use bfm start",
		     "Secure Boot is on, and bareflank.efi starts nothing then");
	return EXIT_FAILED;
}

static int install(struct installation *in)
{
	int code = in->efi.no_entry ? EXIT_OK : check_firmware();

	if (!code)
		code = find_esp(in);

	if (!code)
		code = find_next(in);
	if (!code)
		code = add_images(in);
	if (!code)
		code = add_config(in);
	if (!code)
		code = add_program(in);
	if (!code)
		code = write_pieces(in);
	if (!code && !in->efi.no_entry)
		code = boot_entry_add("", in->esp, "\\EFI\\bareflank\\" EFI_PROGRAM);
	if (!code)
		code = expect_boot();
	if (!code)
		enable_service();
	if (!code)
		printf("installed in %s; it starts %s\n", in->dir, in->loader);
	return code;
}

static int remove_all(struct installation *in)
{
	int code = find_esp(in);

	/* The entry first: no boot finds it without its file. */
	if (!code && !in->efi.no_entry)
		code = boot_entry_remove();
	if (code)
		return code;
	if (!esp_remove(in->dir)) {
		fail_message("efi", "run it as root", "cannot remove %s: %s", in->dir,
			     strerror(errno));
		return EXIT_FAILED;
	}
	if (!guard_remove("")) {
		fail_message("efi", "run it as root",
			     "cannot remove a variable of the firmware's: %s", strerror(errno));
		return EXIT_FAILED;
	}
	printf("removed %s\n", in->dir);
	return EXIT_OK;
}

static int parse(int argc, char **argv, struct efi_options *options)
{
	int c;

	while ((c = next_option(argc, argv, &efi_command)) != -1) {
		switch (c) {
		case OPTION_HELP:
			return EXIT_OK;
		case 'e':
			options->esp = optarg;
			break;
		case 'n':
			options->next = optarg;
			break;
		case 'o':
			options->next_options = optarg;
			break;
		case 'N':
			options->no_entry = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return -1;
}

/* Where what is for bfm start begins: behind "--", or at the end. */
static int find_start(int argc, char **argv)
{
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	return i;
}

static int run_install(struct installation *in, int argc, char **argv)
{
	static char name[] = "default";
	static char *exts[] = { name };
	int code;

	optind = 0; /* a second command line */
	code = start_parse(argc, argv, &in->start);
	if (code >= 0)
		return code;
	if (!in->start.nr_exts) {
		in->start.exts = exts;
		in->start.nr_exts = 1;
	}
	return install(in);
}

static int run_action(struct installation *in, const char *action, int argc, char **argv)
{
	if (!strcmp(action, "install"))
		return run_install(in, argc, argv);
	if (argc > 1) {
		fail_message("efi", "bfm efi --help", "only install takes options of start");
		return EXIT_USAGE;
	}
	if (!strcmp(action, "remove"))
		return remove_all(in);
	if (!strcmp(action, "confirm"))
		return confirm();
	if (!strcmp(action, "retry"))
		return expect_boot();
	fail_message("efi", "install, remove, confirm or retry; see bfm efi --help",
		     "unknown action: %s", action);
	return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
	struct installation *in = calloc(1, sizeof(*in));
	int code, begin = find_start(argc, argv);
	static char start[] = "start";
	char *nothing[] = { start, NULL };

	if (!in) {
		fail_error("efi", BF_ERR_NO_MEMORY, "");
		return EXIT_FAILED;
	}
	code = parse(begin, argv, &in->efi);
	if (code < 0 && optind + 1 != begin) {
		fail_message("efi", "bfm efi --help",
			     optind == begin ?
				     "no action given: install, remove, confirm or retry" :
				     "more than one action given");
		code = EXIT_USAGE;
	}
	if (code < 0 && begin < argc)
		argv[begin] = start;
	if (code < 0)
		code = run_action(in, argv[optind], begin < argc ? argc - begin : 1,
				  begin < argc ? argv + begin : nothing);
	for (unsigned int i = 0; i < in->nr_pieces; i++)
		free(in->pieces[i].data);
	free(in);
	return code;
}

const struct command efi_command = {
	.name = "efi",
	.summary = "Install what starts the hypervisor before Linux, by UEFI",
	.arguments = "install [--esp DIR] [--next FILE] [--options TEXT] [--no-entry]\n"
		     "           [-- START-OPTION... EXTENSION...]\n"
		     "       bfm efi remove [--esp DIR] [--no-entry]\n"
		     "       bfm efi confirm|retry",
	.help = "install writes bareflank.efi, the microkernel, the extensions and a\n"
		"configuration to EFI/bareflank on the EFI system partition, and a boot entry\n"
		"before all others. From the next boot on, the hypervisor starts first, and the\n"
		"boot loader of this system on top of it. What is behind -- is as for bfm start.\n"
		"remove takes all of it away.\n\n"
		"confirm says that the system is up, if it was started so: the service\n"
		"bareflank-efi does that at each boot. Without it, the next boot is one without\n"
		"the hypervisor, and so is each one until retry. bfm status says so.\n\n"
		"  --esp DIR       where the EFI system partition is mounted; default: /boot/efi,\n"
		"                  /efi or /boot\n"
		"  --next FILE     what is started then, as the firmware names it, like\n"
		"                  '\\EFI\\debian\\shimx64.efi'; default: this system's loader\n"
		"  --options TEXT  and its options, as one word\n"
		"  --no-entry      leave the boot entries of the firmware as they are\n"
		"  --help          show this text\n",
	.examples = "  bfm efi install                 Linux as a guest from the next boot on\n"
		    "  bfm efi install -- --pool 64M ./mine --arg verbose=yes\n"
		    "                                  with an extension and its argument\n"
		    "  bfm efi retry                   after a boot that did not come up\n"
		    "  bfm efi remove                  the next boot is as before\n",
	.options = long_options,
	.run = run,
};
