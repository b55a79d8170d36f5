/* SPDX-License-Identifier: GPL-2.0-only */
/* Declarations that the files of bfm share. */
#ifndef BFM_BFM_H
#define BFM_BFM_H

#include <stdio.h>

#include <abi/args.h>
#include <abi/boot_guard.h>
#include <abi/channel.h>
#include <abi/firmware.h>
#include <abi/ioctl.h>

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1, /* the operation failed */
	EXIT_USAGE = 2, /* wrong command line */
	EXIT_NO_DEVICE = 3, /* module not loaded, or no permission */
	EXIT_BAD_IMAGE = 4,
	EXIT_NOT_RUNNING = 5 /* status only */
};

struct option;

struct command {
	const char *name;
	const char *summary;
	const char *help; /* what --help prints below the usage line */
	const char *examples; /* and at its end: command lines, and what each is for */
	const char *arguments;
	const struct option *options; /* those with two dashes; ends with COMMON_OPTIONS */
	const char *letters; /* those with one, for getopt(); NULL: -h alone */
	/* argv[0] is the command's name; returns enum exit_code. */
	int (*run)(int argc, char **argv);
};

extern const struct command start_command, stop_command, dump_command, status_command,
	check_command, sign_command, new_command, stats_command, top_command, trace_command,
	read_command, call_command, efi_command;

/* --- config.c -------------------------------------------------------------------------------- */

extern const char *const config_libdir; /* where the images are installed */
extern const char *const config_version;

/* --- message.c ------------------------------------------------------------------------------- */

struct error_text {
	uint32_t number;
	const char *name;
	const char *sentence;
	const char *hint;
};

/* The texts of an enum bf_error; for a number that this bfm does not know, texts that say so. */
const struct error_text *error_text(uint32_t error);

/* Whether to colour what goes to file: a terminal, and NO_COLOR unset or empty. */
bool use_colour(FILE *file);

/* Prints "bfm: what: sentence" and "hint: hint" to stderr, nothing else. */
void fail_message(const char *what, const char *hint, const char *sentence, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for an enum bf_error; detail is appended to the sentence unless empty. */
void fail_error(const char *what, uint32_t error, const char *detail);

/* The same with what the driver said of it. */
void fail_detail(const char *what, uint32_t error, uint64_t detail);

/* The name of an enum bf_callback. */
const char *callback_name(uint64_t callback);

/* Describes the detail of an error in words; "" if it has no meaning. */
#define DETAIL_SIZE 256
void describe_detail(uint32_t error, uint64_t detail, char *buf, size_t size);

/* --- hint.c ---------------------------------------------------------------------------------- */

/*
 * What to do about an error, with the command as exact as this machine allows: looks below root,
 * which is "" but in tests. Returns buf.
 */
#define HINT_SIZE 384
const char *hint_text(const char *root, uint32_t error, uint64_t detail, char *buf, size_t size);

/* How to get the module loaded under this release of Linux. Returns buf. */
const char *hint_load(const char *root, const char *release, char *buf, size_t size);

/* --- boot_guard.c ---------------------------------------------------------------------------- */

/* What became of the last boot with bareflank.efi; false: this machine has no such variable. */
bool guard_read(const char *root, struct bf_guard *guard);

/* Whether the firmware starts only what somebody has signed whom it trusts. */
bool guard_is_secure_boot(const char *root);

/* Changes it, where there is one; false with errno. */
bool guard_write(const char *root, enum bf_guard_state state);

/* Removes it, if there is one; false with errno. */
bool guard_remove(const char *root);

/* Why Linux was booted without the hypervisor; "": it was not, or that is not known. */
const char *guard_sentence(const struct bf_guard *guard);

/* --- program.c ------------------------------------------------------------------------------- */

#define PROGRAM_NOT_FOUND 127
#define PROGRAM_DIED 128

/*
 * Runs a program, found as a shell finds it, and waits for it. Returns its exit status,
 * PROGRAM_NOT_FOUND with errno, or PROGRAM_DIED: by a signal, or it could not be waited for.
 */
int program_run(char *const argv[]);

/* The same, with what it prints to stdout in *output, for free(); NULL if there is none of it. */
int program_output(char *const argv[], char **output);

/* --- escape.c -------------------------------------------------------------------------------- */

/*
 * The filter for text that an extension has printed: sequences that set colours and the like are
 * kept or dropped, and on a terminal every other control character becomes a question mark. All
 * members but the first two start as 0.
 */
#define ESCAPE_SEQUENCE 32
struct escape {
	bool terminal;
	bool colours;
	bool coloured; /* one is on */
	char last;
	size_t length; /* of a sequence that has begun */
	char sequence[ESCAPE_SEQUENCE];
};

/*
 * A piece of text, which may end within a sequence. out: room for length + ESCAPE_SEQUENCE bytes.
 */
size_t escape_text(struct escape *escape, const char *in, size_t length, char *out);

/* The rest, and a sequence that ends all colours. out: room for 2 * ESCAPE_SEQUENCE bytes. */
size_t escape_end(struct escape *escape, char *out);

/* --- options.c ------------------------------------------------------------------------------- */

/* A whole number, decimal or 0x…; false for anything else or beyond max. */
bool parse_number(const char *text, uint64_t max, uint64_t *number);

/* A size in bytes with an optional K, M, G or T (and B or iB), at least one byte. */
bool parse_size(const char *text, uint64_t *bytes);

/* getopt_long(); answers --help, and on an error prints what is wrong and returns '?'. */
int next_option(int argc, char **argv, const struct command *command);

/* OPTION_HELP was given and answered. */
#define OPTION_HELP 1

/* Ends the list of options of every command. */
#define COMMON_OPTIONS { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }

/* For commands without arguments: EXIT_USAGE and a message if there is one, or -1 to go on. */
int finish_options(int argc, char **argv, const struct command *command);

void print_help(FILE *file, const struct command *command);

/* --- suggest.c ------------------------------------------------------------------------------- */

/*
 * The name, one of count, that somebody who wrote word, of length bytes, may have meant; NULL: none
 * of them is near enough, or several are.
 */
const char *suggest(const char *word, size_t length, const char *const *names, size_t count);

/* --- device.c -------------------------------------------------------------------------------- */

/* Opens the device; on failure returns -1 with errno. */
int device_open(void);
void device_close(int fd);

/* ioctl(2), repeated when a signal interrupts it. */
int device_call(int fd, unsigned long request, void *argument);

/* Says why device_open() failed, and returns EXIT_NO_DEVICE. */
int fail_device(const char *what, int err);

/* Says why a call failed: error and detail as the driver gave them, errno if it gave none. */
int fail_call(const char *what, int err, uint32_t error, uint64_t detail);

/* --- image.c --------------------------------------------------------------------------------- */

enum image_kind { IMAGE_MICROKERNEL, IMAGE_EXTENSION };

/*
 * Checks an ELF image of size bytes as the driver will; data must be aligned to 8 bytes. Returns
 * BF_ERR_OK, or what is wrong and, in detail, the offending place in words.
 */
enum bf_error image_check(const void *data, size_t size, enum image_kind kind, char *detail,
			  size_t detail_size);

/* The content of a regular file, from malloc(), with room for one byte more; NULL: see errno. */
void *image_read(const char *path, uint64_t *size);

/* Reads and checks a file. Returns EXIT_OK, or says what is wrong. The data is from malloc(). */
int image_load(const char *what, const char *path, enum image_kind kind, struct bf_file *file);

/* --- identify.c ------------------------------------------------------------------------------ */

/* Says which file an image of size bytes has come from. */
void image_identify(struct bf_image_id *id, const char *path, const void *data, size_t size);

/* Reads that file again. NULL: it is not the same any more, and *problem says why. */
void *image_find(const struct bf_image_id *id, size_t *size, const char **problem);

/* Reads a file that somebody says has what that one lacks; likewise. */
void *image_find_as(const struct bf_image_id *id, const char *path, size_t *size,
		    const char **problem);

/* --- start.c --------------------------------------------------------------------------------- */

struct start_options {
	const char *microkernel; /* path; NULL: the installed one */
	uint64_t pool_size;
	uint64_t huge_size;
	uint64_t watchdog_ns; /* 0: the default; BF_WATCHDOG_OFF */
	uint64_t repeats; /* 0: the default; BF_REPEATS_OFF */
	uint64_t channel_size; /* 0: the default */
	bool no_wait;
	bool keep_cpus;
	uint16_t serial_port;
	char **exts;
	uint32_t nr_exts; /* 0: the installed default */
	uint64_t denied[BF_MAX_EXTS]; /* enum bf_right */
	struct bf_grant grants[BF_MAX_GRANTS];
	uint32_t nr_grants;
	char args[BF_MAX_EXTS][MK2_ARGS_MAX]; /* abi/args.h */
	uint32_t args_size[BF_MAX_EXTS];
};

/* The values of --allow, in their order. */
struct allow {
	const char *values[BF_MAX_EXTS];
	uint32_t count;
};

#define MAX_PATH 1024

/*
 * The path of an image, in a buffer of MAX_PATH bytes: a name without a slash that is no file here
 * is looked for where images are installed.
 */
void image_path(char *path, const char *name);

/* Where images are installed. */
const char *image_directory(void);

/* Returns -1 and the options, or the exit code with which to end. */
int start_parse(int argc, char **argv, struct start_options *options);

/* --- allow.c --------------------------------------------------------------------------------- */

/* A value of --allow is kept until the extensions are known; false: there are too many. */
bool allow_keep(struct allow *allow, const char *value);

/*
 * Applies all of them, in options->denied and options->grants. Returns -1, or says what is wrong
 * with one of them and returns the exit code with which to end.
 */
int allow_apply(const struct allow *allow, struct start_options *options);

/*
 * The extension that text, of some length, names: its number, its word of the command line, or else
 * its file's name, if that is there once. -1: none.
 */
int find_ext(const struct start_options *options, const char *text, size_t length);

/* One line for each right, for --help. */
void allow_help(FILE *file);

/* The nth of all words that a list of rights can have, some of them ""; NULL: there are no more. */
const char *allow_name(size_t n);

/* --- args.c ---------------------------------------------------------------------------------- */

/*
 * Adds a value of --arg to options->args, when the extensions are known. Returns -1, or says what
 * is wrong with it and returns the exit code with which to end.
 */
int arg_apply(const char *value, struct start_options *options);

/* --- new.c ----------------------------------------------------------------------------------- */

/* The nth word that --lang or --template can have; NULL: there are no more. */
const char *new_name(const char *option, size_t n);

/* --- complete.c ------------------------------------------------------------------------------ */

/*
 * Prints what the last of argc words behind a command could become, at least one. Returns an exit
 * code.
 */
int complete(const struct command *command, int argc, char **argv);

/* --- status.c, report.c ---------------------------------------------------------------------- */

struct explanation {
	struct bf_report report; /* of the last failure */
	struct bf_ended ended[BF_MAX_EXTS];
	struct bf_image_id ids[1 + BF_MAX_EXTS]; /* machine.nr_image_ids of them */
};

struct status {
	struct bf_ioctl_status machine;
	struct bf_cpu_status *cpus; /* machine.nr_cpus entries */
	struct bf_guest_status *guests; /* machine.nr_guests entries */
	uint32_t more_guests; /* of which there are no entries */
	struct explanation *explanation;
	struct bf_guard guard; /* zeros: there is none */
	const char *image; /* where functions and lines are; NULL: where the image has come from */
};

/* Fills a status from the device; false with errno. Free with status_free(). */
bool status_read(int fd, struct status *status);
void status_free(struct status *status);

void report_text(FILE *file, const struct status *status);
void report_json(FILE *file, const struct status *status);

void json_string(FILE *file, const char *text);

/* --- failure.c ------------------------------------------------------------------------------- */

/* Whether there is a report of the last failure; and the two forms of it. */
bool failure_is_known(const struct status *status);
void failure_text(FILE *file, const struct status *status);
void failure_json(FILE *file, const struct status *status);

/* --- exits.c --------------------------------------------------------------------------------- */

/* The name of a slot of bf_pp_status.exit_count; always in buf, which needs 32 bytes. */
const char *exit_name(enum bf_vendor vendor, unsigned int slot, char *buf);

/* The number of a CPU, or "?" for BF_NO_CPU; buf is for it. */
#define CPU_NAME 11
const char *cpu_name(uint32_t cpu, char buf[CPU_NAME]);

/* --- check.c, local.c ------------------------------------------------------------------------ */

enum verdict { VERDICT_OK, VERDICT_NOTE, VERDICT_NO, VERDICT_UNKNOWN };

struct check_line {
	enum verdict verdict;
	uint32_t error;
	uint64_t detail;
};

/* What CPUID tells in user space. */
struct cpuid_facts {
	enum bf_vendor vendor; /* NONE: neither of the two */
	bool virtualisation; /* VMX or SVM */
	bool nested_paging; /* AMD only: Intel tells it in an MSR */
};

struct cpuid_facts cpuid_read(void);

/* What /proc/cpuinfo below root says first under this label; false if it says nothing. */
bool cpuinfo_value(const char *root, const char *label, char *value, size_t size);

/* --- machine.c ------------------------------------------------------------------------------- */

/*
 * CPU, kernel and outer hypervisor of this machine: nothing that tells it from others of its kind.
 */
void machine_print(FILE *file, const char *root);
void machine_print_values(FILE *file, const struct bf_register_value *values, uint32_t count);

/* Fills lines[BF_NR_CHECKS] with what the files below root ("" for the machine itself) tell. */
void local_check(const char *root, const struct cpuid_facts *cpu, struct check_line *lines);

/*
 * The name of the next loaded module of another hypervisor, for a message; NULL after the last.
 * *index starts as 0.
 */
const char *local_neighbour(const char *root, size_t *index);

#endif
