// SPDX-License-Identifier: GPL-2.0-only
/* One program of all that bareflank.efi is to start, and its signature: see efi.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <abi/bundle.h>
#include <bsl/bits.h>

#include "efi.h"

BF_STATIC_ASSERT(MAX_NAME == BF_BUNDLE_NAME, "names of files");
BF_STATIC_ASSERT(NR_PIECES <= BF_BUNDLE_FILES, "number of files");

/* Without this section, shim starts nothing: it would not know what has been revoked. */
#define SBAT ".sbat"
#define SBAT_VERSIONS \
	"sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n" \
	"bareflank,1,Bareflank,bareflank,%s,docs/uefi.md\n"

static int fail_program(const struct piece *program, const char *wrong)
{
	fail_message("efi", "take the " EFI_PROGRAM " that Bareflank was built with",
		     "%s cannot be used: %s", program->name, wrong);
	return EXIT_BAD_IMAGE;
}

/* NULL: not enough memory. For free(). */
static void *make_bundle(const struct piece *files, unsigned int count, uint64_t *size)
{
	struct bf_bundle *bundle;

	*size = sizeof(*bundle);
	for (unsigned int i = 0; i < count; i++)
		*size = bsl_align_down(*size + files[i].size + BF_BUNDLE_ALIGN - 1,
				       BF_BUNDLE_ALIGN);
	bundle = calloc(1, *size);
	if (!bundle)
		return NULL;
	bundle->magic = BF_BUNDLE_MAGIC;
	bundle->version = BF_BUNDLE_VERSION;
	bundle->nr_files = count;
	*size = sizeof(*bundle);
	for (unsigned int i = 0; i < count; i++) {
		struct bf_bundle_file *file = &bundle->files[i];

		memcpy(file->name, files[i].name, strlen(files[i].name));
		file->offset = *size;
		file->size = files[i].size;
		memcpy((uint8_t *)bundle + *size, files[i].data, files[i].size);
		*size = bsl_align_down(*size + file->size + BF_BUNDLE_ALIGN - 1, BF_BUNDLE_ALIGN);
	}
	return bundle;
}

int efi_image_embed(struct piece *program, const struct piece *files, unsigned int count)
{
	char sbat[256];
	uint64_t size;
	void *bundle = make_bundle(files, count, &size);
	const char *wrong;

	if (!bundle) {
		fail_error("efi", BF_ERR_NO_MEMORY, "");
		return EXIT_FAILED;
	}
	snprintf(sbat, sizeof(sbat), SBAT_VERSIONS, config_version);
	wrong = pe_add_section(&program->data, &program->size, SBAT, sbat, strlen(sbat));
	if (!wrong)
		wrong = pe_add_section(&program->data, &program->size, BF_BUNDLE_SECTION, bundle,
				       size);
	free(bundle);
	return wrong ? fail_program(program, wrong) : EXIT_OK;
}

/* --- the signature ---------------------------------------------------------------------------- */

#define TOOL "sbsign"

static bool write_file(int fd, const struct piece *program)
{
	const char *data = program->data;
	uint64_t left = program->size;

	while (left) {
		ssize_t n = write(fd, data, left);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			data += n;
			left -= (uint64_t)n;
		}
	}
	return true;
}

/* Takes what is in the file now in its place. */
static bool read_file(const char *path, struct piece *program)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	void *data = NULL;
	bool ok = file && !fstat(fileno(file), &st) && st.st_size > 0;

	if (ok)
		data = malloc((size_t)st.st_size);
	ok = data && fread(data, 1, (size_t)st.st_size, file) == (size_t)st.st_size;
	if (file)
		fclose(file);
	if (!ok) {
		free(data);
		return false;
	}
	free(program->data);
	program->data = data;
	program->size = (uint64_t)st.st_size;
	return true;
}

static int fail_tool(int status)
{
	if (status == PROGRAM_NOT_FOUND)
		fail_message("efi",
			     "apt install sbsigntool, or sign on another machine what bfm efi "
			     "image has written here",
			     TOOL " was not found, which signs programs for UEFI");
	else
		fail_message("efi", "give PEM files of an RSA key and its certificate",
			     TOOL " refused to sign " EFI_PROGRAM);
	return EXIT_FAILED;
}

/* In the place of the file. */
static int sign_file(const char *path, const char *key, const char *cert)
{
	char *const argv[] = { TOOL,
			       "--key",
			       (char *)(uintptr_t)key,
			       "--cert",
			       (char *)(uintptr_t)cert,
			       "--output",
			       (char *)(uintptr_t)path,
			       (char *)(uintptr_t)path,
			       NULL };
	char *output;
	int status = program_output(argv, &output);

	free(output);
	return status ? fail_tool(status) : EXIT_OK;
}

int efi_image_sign(struct piece *program, const char *key, const char *cert)
{
	const char *tmp = getenv("TMPDIR");
	char path[MAX_PATH];
	int code = EXIT_OK, fd;
	bool ok;

	snprintf(path, sizeof(path), "%s/bfm-efi.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	ok = fd >= 0 && write_file(fd, program);
	if (fd >= 0)
		ok = !close(fd) && ok;
	if (ok)
		code = sign_file(path, key, cert);
	if (ok && !code)
		ok = read_file(path, program);
	if (!ok) {
		fail_message("efi", "free some space there, or set TMPDIR",
			     "cannot write or read %s: %s", path, strerror(errno));
		code = EXIT_FAILED;
	}
	if (fd >= 0)
		unlink(path);
	return code;
}
