// SPDX-License-Identifier: GPL-2.0-only
/* A bareflank.conf that somebody has written, read as bareflank.efi reads it: see efi.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <driver/efi/config.h>

#include "efi.h"

struct efi_own {
	const char *path;
	char *text;
	struct efi_config config; /* points into the text */
	char paths[1 + BF_MAX_EXTS][MAX_PATH]; /* of the microkernel, then of the extensions */
	char *exts[BF_MAX_EXTS];
};

static int fail_own(const struct efi_own *own, const char *sentence, const char *word)
{
	fail_message("efi", "docs/uefi.md has all options", "%s: %s%s%s", own->path, sentence,
		     *word ? ": " : "", word);
	return EXIT_USAGE;
}

static int parse(struct efi_own *own)
{
	struct efi_config_error error;
	uint64_t size = 0;

	own->text = image_read(own->path, &size);
	if (!own->text) {
		fail_message("efi", "name a file like bareflank.conf: docs/uefi.md", "%s: %s",
			     own->path, strerror(errno));
		return EXIT_USAGE;
	}
	if (efi_config_parse(&own->config, own->text, size, &error))
		return EXIT_OK;
	if (!error.line)
		return fail_own(own, error.sentence, error.word);
	fail_message("efi", "docs/uefi.md has all options", "%s, line %u: %s%s%s", own->path,
		     error.line, error.sentence, *error.word ? ": " : "", error.word);
	return EXIT_USAGE;
}

/* It is beside the configuration, or has been installed. */
static int find_file(const struct efi_own *own, const char *name, char *path)
{
	const char *slash = strrchr(own->path, '/');
	int directory = slash ? (int)(slash - own->path + 1) : 0;
	int length = snprintf(path, MAX_PATH, "%.*s%s", directory, own->path, name);

	if (strchr(name, '\\') || strchr(name, '/'))
		return fail_own(own, "only a file beside it can be installed", name);
	if (length < MAX_PATH && access(path, F_OK))
		length = snprintf(path, MAX_PATH, "%s/%s", image_directory(), name);
	return length < MAX_PATH ? EXIT_OK : fail_own(own, "this path is too long", path);
}

static int find_files(struct efi_own *own)
{
	const struct efi_config *config = &own->config;
	int code = find_file(own, config->microkernel, own->paths[0]);

	for (uint32_t i = 0; i < config->start.nr_exts && !code; i++) {
		own->exts[i] = own->paths[1 + i];
		code = find_file(own, config->exts[i], own->exts[i]);
	}
	return code;
}

static void fill(struct efi_own *own, struct start_options *options, struct efi_boot *boot)
{
	const struct efi_config *config = &own->config;
	const struct bf_start *start = &config->start;

	*boot = (struct efi_boot){ config->next, *config->options ? config->options : NULL,
				   config->no_guard };
	*options = (struct start_options){
		.microkernel = own->paths[0],
		.pool_size = start->pool_size,
		.huge_size = start->huge_size,
		.watchdog_ns = start->watchdog_ns,
		.repeats = start->repeats,
		.channel_size = start->channel_size,
		.serial_port = start->serial_port,
		.exts = own->exts,
		.nr_exts = start->nr_exts,
	};
	for (uint32_t i = 0; i < start->nr_exts; i++) {
		options->denied[i] = start->denied[i];
		options->args_size[i] = (uint32_t)start->args[i].size;
		memcpy(options->args[i], config->args[i], start->args[i].size);
	}
}

int efi_own_read(const char *path, struct start_options *options, struct efi_boot *boot,
		 struct efi_own **result)
{
	struct efi_own *own = calloc(1, sizeof(*own));
	int code;

	*result = own;
	if (!own) {
		fail_error("efi", BF_ERR_NO_MEMORY, "");
		return EXIT_FAILED;
	}
	own->path = path;
	code = parse(own);
	if (!code)
		code = find_files(own);
	if (!code)
		fill(own, options, boot);
	return code;
}

void efi_own_free(struct efi_own *own)
{
	if (own)
		free(own->text);
	free(own);
}
