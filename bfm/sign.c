// SPDX-License-Identifier: GPL-2.0-only
/* bfm sign: signs images with the kernel's tool for modules. */
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "bfm.h"

static const struct option long_options[] = { { "key", required_argument, NULL, 'k' },
					      { "cert", required_argument, NULL, 'c' },
					      { "hash", required_argument, NULL, 'a' },
					      { "tool", required_argument, NULL, 't' },
					      COMMON_OPTIONS };

struct sign_options {
	const char *key, *cert, *hash, *tool;
};

/* The last file that matches a pattern, which is the newest version; "" if there is none. */
static bool find_file(const char *pattern, char *path, size_t size)
{
	glob_t found;
	bool ok = glob(pattern, 0, NULL, &found) == 0;

	if (ok) {
		snprintf(path, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
		globfree(&found);
	}
	return ok;
}

/* sign-file comes with the headers of a kernel; that of any version will do. */
static bool find_tool(char *path, size_t size)
{
	struct utsname name;
	char running[512];

	if (uname(&name) == 0) {
		snprintf(running, sizeof(running), "/lib/modules/%s/build/scripts/sign-file",
			 name.release);
		if (find_file(running, path, size))
			return true;
	}
	return find_file("/usr/lib/linux-kbuild-*/scripts/sign-file", path, size) ||
	       find_file("/usr/src/*/scripts/sign-file", path, size) ||
	       find_file("/lib/modules/*/build/scripts/sign-file", path, size);
}

static int sign_one(const struct sign_options *o, const char *image)
{
	char *const argv[] = { (char *)(uintptr_t)o->tool, (char *)(uintptr_t)o->hash,
			       (char *)(uintptr_t)o->key,  (char *)(uintptr_t)o->cert,
			       (char *)(uintptr_t)image,   NULL };
	int status = program_run(argv);

	if (!status) {
		printf("signed %s\n", image);
		return EXIT_OK;
	}
	if (status == PROGRAM_NOT_FOUND)
		fail_message("sign", "give its path: --tool FILE", "cannot run %s: %s", o->tool,
			     strerror(errno));
	else
		fail_message("sign", "give PEM files of a key and its certificate",
			     "%s refused to sign %s", o->tool, image);
	return EXIT_FAILED;
}

static int parse(int argc, char **argv, struct sign_options *o)
{
	int c;

	while ((c = next_option(argc, argv, &sign_command)) != -1) {
		switch (c) {
		case OPTION_HELP:
			return EXIT_OK;
		case 'k':
			o->key = optarg;
			break;
		case 'c':
			o->cert = optarg;
			break;
		case 'a':
			o->hash = optarg;
			break;
		case 't':
			o->tool = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (o->key && o->cert && optind < argc)
		return -1;
	fail_message("sign", "bfm sign --help",
		     !o->key  ? "no key given" :
		     !o->cert ? "no certificate given" :
				"no image given");
	return EXIT_USAGE;
}

static int run(int argc, char **argv)
{
	struct sign_options o = { .hash = "sha256" };
	char tool[512], image[MAX_PATH];
	int code = parse(argc, argv, &o);

	if (code >= 0)
		return code;
	if (!o.tool) {
		if (!find_tool(tool, sizeof(tool))) {
			fail_message("sign",
				     "install the headers of the kernel, or give --tool FILE",
				     "sign-file was not found");
			return EXIT_FAILED;
		}
		o.tool = tool;
	}
	for (code = EXIT_OK; optind < argc && code == EXIT_OK; optind++) {
		image_path(image, argv[optind]);
		code = sign_one(&o, image);
	}
	return code;
}

const struct command sign_command = {
	.name = "sign",
	.summary = "Sign images for a kernel that is locked down",
	.arguments = "--key FILE --cert FILE IMAGE...",
	.help = "An IMAGE is a file, or the name of an installed image, like microkernel or\n"
		"default. The signature is appended to it, as to a module.\n\n"
		"  --key FILE   the private key: a PEM file, or a PKCS#11 URI\n"
		"  --cert FILE  its certificate, which the kernel must trust\n"
		"  --hash NAME  the digest; default: sha256\n"
		"  --tool FILE  the kernel's sign-file, if bfm does not find it\n"
		"  --help       show this text\n",
	.examples =
		"  bfm sign --key mok.key --cert mok.pem microkernel default\n"
		"                              the installed images, with the machine owner's key\n"
		"  bfm sign --key mok.key --cert mok.pem ./mine\n",
	.options = long_options,
	.run = run,
};
