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
					      { "options", required_argument, NULL, 'O' },
					      { "no-guard", no_argument, NULL, 'G' },
					      { "no-entry", no_argument, NULL, 'N' },
					      { "output", required_argument, NULL, 'o' },
					      { "key", required_argument, NULL, 'k' },
					      { "cert", required_argument, NULL, 'c' },
					      { "shim", required_argument, NULL, 's' },
					      { "config", required_argument, NULL, 'C' },
					      COMMON_OPTIONS };

struct efi_options {
	const char *esp, *output, *key, *cert, *shim, *config;
	struct efi_boot boot;
	bool no_entry;
};

struct installation {
	struct start_options start;
	struct efi_options efi;
	struct efi_own *own; /* the file that efi.config names */
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
	ok = file && efi_config_print(file, &in->start, names, &in->efi.boot);
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

/* The program that starts ours, if the firmware does not trust it itself. */
static int find_shim(const struct installation *in)
{
	if (!in->efi.shim || esp_has(in->esp, in->efi.shim))
		return EXIT_OK;
	fail_message("efi", "name it as the firmware does: --shim '\\EFI\\debian\\shimx64.efi'",
		     "there is no %s on %s", in->efi.shim, in->esp);
	return EXIT_FAILED;
}

static int add_entry(const struct installation *in)
{
	static const char file[] = "\\EFI\\bareflank\\" EFI_PROGRAM;
	/* efibootmgr writes no NUL behind it: shim finds its end by the blank. */
	static const char option[] = "\\EFI\\bareflank\\" EFI_PROGRAM " ";

	if (in->efi.shim)
		return boot_entry_add("", in->esp, in->efi.shim, option);
	return boot_entry_add("", in->esp, file, NULL);
}

static int find_next(struct installation *in)
{
	/* A configuration need not have one: the boot manager goes on with its list. */
	if (in->efi.boot.next || in->efi.config)
		return EXIT_OK;
	if (esp_find_loader("", in->esp, in->loader)) {
		in->efi.boot.next = in->loader;
		return EXIT_OK;
	}
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

/* Makes one program of all pieces, of which it is the last; signed, if there is a key. */
static int seal(struct installation *in)
{
	unsigned int last = in->nr_pieces - 1;
	struct piece *program = &in->pieces[last];
	int code = efi_image_embed(program, in->pieces, last);

	if (!code && in->efi.key)
		code = efi_image_sign(program, in->efi.key, in->efi.cert);
	if (code)
		return code;
	for (unsigned int i = 0; i < last; i++)
		free(in->pieces[i].data);
	in->pieces[0] = *program;
	in->nr_pieces = 1;
	return EXIT_OK;
}

/* What an installation without a signature has left there: nobody would read it any more. */
static int remove_others(const struct installation *in)
{
	if (esp_empty(in->dir, EFI_PROGRAM))
		return EXIT_OK;
	fail_message("efi", "run it as root", "cannot remove what is in %s: %s", in->dir,
		     strerror(errno));
	return EXIT_FAILED;
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
	fail_message(
		"efi",
		"bfm efi install --key KEY --cert CERT, with a key that the firmware's db has, or "
		"with a machine owner key and --shim FILE: docs/uefi.md, \"Secure Boot\"",
		"Secure Boot is on: the firmware starts bareflank.efi only if it is signed");
	return EXIT_FAILED;
}

static void print_next(const struct installation *in)
{
	const char *next = in->efi.boot.next;

	printf("; %s%s\n", next ? "it starts " : "the boot goes on with what comes after it",
	       next ? next : "");
}

static void print_installed(const struct installation *in)
{
	printf("installed in %s%s", in->dir, in->efi.key ? ", signed" : "");
	print_next(in);
}

/* All that there is to be installed, as pieces. */
static int prepare(struct installation *in)
{
	int code = find_next(in);

	if (!code)
		code = add_images(in);
	if (!code)
		code = add_config(in);
	return code ? code : add_program(in);
}

static int install(struct installation *in)
{
	bool sealed = in->efi.key;
	int code = in->efi.no_entry || sealed ? EXIT_OK : check_firmware();

	if (!code)
		code = find_esp(in);
	if (!code)
		code = find_shim(in);
	if (!code)
		code = prepare(in);
	if (!code && sealed)
		code = seal(in);
	if (!code)
		code = write_pieces(in);
	if (!code && sealed)
		code = remove_others(in);
	if (!code && !in->efi.no_entry)
		code = add_entry(in);
	if (!code)
		code = expect_boot();
	if (!code)
		enable_service();
	if (!code)
		print_installed(in);
	return code;
}

/* A file that somebody else signs, or puts where a firmware starts it. */
static int write_image(struct installation *in)
{
	char dir[MAX_PATH];
	const char *name = strrchr(in->efi.output, '/');
	int code = in->efi.boot.next || in->efi.config ? EXIT_OK : find_esp(in);

	if (!code)
		code = prepare(in);
	if (!code)
		code = seal(in);
	if (code)
		return code;
	snprintf(dir, sizeof(dir), "%.*s", name ? (int)(name - in->efi.output + 1) : 1,
		 name ? in->efi.output : ".");
	name = name ? name + 1 : in->efi.output;
	if (!esp_write(dir, name, in->pieces[0].data, in->pieces[0].size)) {
		fail_message("efi", "name a file in a directory where you can write",
			     "cannot write %s: %s", in->efi.output, strerror(errno));
		return EXIT_FAILED;
	}
	printf("wrote %s%s", in->efi.output, in->efi.key ? ", signed" : ", not signed");
	print_next(in);
	return EXIT_OK;
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
			options->boot.next = optarg;
			break;
		case 'O':
			options->boot.options = optarg;
			break;
		case 'G':
			options->boot.no_guard = true;
			break;
		case 'o':
			options->output = optarg;
			break;
		case 'k':
			options->key = optarg;
			break;
		case 'c':
			options->cert = optarg;
			break;
		case 's':
			options->shim = optarg;
			break;
		case 'C':
			options->config = optarg;
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

static int fail_usage(const char *sentence)
{
	fail_message("efi", "bfm efi --help", "%s", sentence);
	return EXIT_USAGE;
}

/* What is to be started: a file says it, or words. Returns -1, or the exit code. */
static int take_start(struct installation *in, int argc, char **argv)
{
	static char name[] = "default";
	static char *exts[] = { name };
	const struct efi_boot *boot = &in->efi.boot;
	int code;

	if (in->efi.config) {
		if (argc > 1 || boot->next || boot->options || boot->no_guard)
			return fail_usage("with --config, that file says what is started: no "
					  "--next, --options or --no-guard, and nothing behind --");
		code = efi_own_read(in->efi.config, &in->start, &in->efi.boot, &in->own);
		return code ? code : -1;
	}
	optind = 0; /* a second command line */
	code = start_parse(argc, argv, &in->start);
	if (!in->start.nr_exts) {
		in->start.exts = exts;
		in->start.nr_exts = 1;
	}
	return code;
}

/* install or image: what they have in common. */
static int run_start(struct installation *in, bool image, int argc, char **argv)
{
	int code;

	if (!in->efi.key != !in->efi.cert)
		return fail_usage(in->efi.key ? "no certificate given" : "no key given");
	if (in->efi.shim && (image || !in->efi.key))
		return fail_usage("--shim is for what install signs: --key and --cert");
	if (image != (in->efi.output != NULL))
		return fail_usage(image ? "where to write it is not said: -o FILE" :
					  "only image takes -o");
	code = take_start(in, argc, argv);
	if (code >= 0)
		return code;
	return image ? write_image(in) : install(in);
}

static int run_action(struct installation *in, const char *action, int argc, char **argv)
{
	bool image = !strcmp(action, "image");

	if (image || !strcmp(action, "install"))
		return run_start(in, image, argc, argv);
	if (argc > 1)
		return fail_usage("only install and image take options of start");
	if (!strcmp(action, "remove"))
		return remove_all(in);
	if (!strcmp(action, "confirm"))
		return confirm();
	if (!strcmp(action, "retry"))
		return expect_boot();
	fail_message("efi", "install, image, remove, confirm or retry; see bfm efi --help",
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
				     "no action given: install, image, remove, confirm or retry" :
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
	efi_own_free(in->own);
	free(in);
	return code;
}

const struct command efi_command = {
	.name = "efi",
	.summary = "Install what starts the hypervisor before Linux, by UEFI",
	.arguments = "install [--esp DIR] [--next FILE] [--options TEXT] [--no-guard]\n"
		     "           [--no-entry] [--key FILE --cert FILE [--shim FILE]]\n"
		     "           [-- START-OPTION... EXTENSION...]\n"
		     "       bfm efi image -o FILE [--next FILE] [--options TEXT] [--no-guard]\n"
		     "           [--key FILE --cert FILE] [-- START-OPTION... EXTENSION...]\n"
		     "       bfm efi install|image --config FILE ...\n"
		     "       bfm efi remove [--esp DIR] [--no-entry]\n"
		     "       bfm efi confirm|retry",
	.help = "install writes bareflank.efi, the microkernel, the extensions and a\n"
		"configuration to EFI/bareflank on the EFI system partition, and a boot entry\n"
		"before all others. From the next boot on, the hypervisor starts first, and the\n"
		"boot loader of this system on top of it. What is behind -- is as for bfm start.\n"
		"remove takes all of it away.\n\n"
		"With --key, and by image, all of that becomes one program, which its signature\n"
		"covers: what Secure Boot demands. It reads nothing beside it.\n\n"
		"confirm says that the system is up, if it was started so: the service\n"
		"bareflank-efi does that at each boot. Without it, the next boot is one without\n"
		"the hypervisor, and so is each one until retry. bfm status says so.\n\n"
		"  --esp DIR       where the EFI system partition is mounted; default: /boot/efi,\n"
		"                  /efi or /boot\n"
		"  --next FILE     what is started then, as the firmware names it, like\n"
		"                  '\\EFI\\debian\\shimx64.efi'; default: this system's loader\n"
		"  --options TEXT  and its options, as one word\n"
		"  --no-guard      a boot that did not come up is tried again\n"
		"  --config FILE   all of that from a file like bareflank.conf; what it names is\n"
		"                  beside it, or installed\n"
		"  --no-entry      leave the boot entries of the firmware as they are\n"
		"  -o, --output FILE\n"
		"                  image: the program to be written\n"
		"  --key FILE      sign the program, by sbsign: the private key, a PEM file\n"
		"  --cert FILE     and its certificate, a PEM file\n"
		"  --shim FILE     the boot entry starts this one, which starts ours: it trusts\n"
		"                  machine owner keys; like '\\EFI\\debian\\shimx64.efi'\n"
		"  --help          show this text\n",
	.examples = "  bfm efi install                 Linux as a guest from the next boot on\n"
		    "  bfm efi install -- --pool 64M ./mine --arg verbose=yes\n"
		    "                                  with an extension and its argument\n"
		    "  bfm efi install --key db.key --cert db.pem\n"
		    "                                  with Secure Boot\n"
		    "  bfm efi retry                   after a boot that did not come up\n"
		    "  bfm efi remove                  the next boot is as before\n",
	.options = long_options,
	.letters = ":ho:",
	.run = run,
};
