// SPDX-License-Identifier: GPL-2.0-only
/* bfm new: writes a project that builds outside of this tree, with the installed SDK. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bfm.h"
#include "bfm/templates.h"

static const struct option long_options[] = { { "lang", required_argument, NULL, 'l' },
					      { "template", required_argument, NULL, 't' },
					      COMMON_OPTIONS };

#define MAX_NAME 31 /* so that bfm start --arg NAME:KEY=VALUE and ext_name are short lines */

/* A text in which @NAME@ and the like are replaced. */
struct file {
	const char *path; /* the same is done with it; NULL: the last */
	const char *text;
	bool executable;
};

struct project {
	const char *lang, *template;
	const char *summary; /* of what it does, to go on after a colon */
	const char *api; /* the header or crate to read next */
	const char *commands; /* that a test runs between start and dump */
	const char *expected; /* a basic regular expression: a line that dump has then */
	struct file source;
	const struct file *others;
};

static const struct file make_files[] = { { "Makefile", template_Makefile, false },
					  { "test.sh", template_test_sh, true },
					  { "README.md", template_README_md, false },
					  { ".gitignore", "/build/\n", false },
					  { NULL, NULL, false } };

static const struct file cargo_files[] = { { "Cargo.toml", template_Cargo_toml, false },
					   { ".cargo/config.toml", template_config_toml, false },
					   { "Makefile", template_Makefile_rust, false },
					   { "test.sh", template_test_sh, true },
					   { "README.md", template_README_md, false },
					   { ".gitignore", "/build/\n", false },
					   { NULL, NULL, false } };

#define HELLO "it greets from every CPU, and answers a CPUID leaf"
#define HELLO_LINE "@NAME@: PP 0: Linux is about to be a guest"
#define TRACE "it says who writes the MSRs that lead into the kernel"
#define TRACE_LINE "^pp 0: CPU 0 is a guest$" /* nobody writes them in these seconds */
#define WATCH "it says who uses the ports of the clock, and who writes to pages that are named"
#define WATCH_COMMANDS "cat /sys/class/rtc/rtc0/date"
#define WATCH_LINE "@NAME@: PP [0-9]*: in 0x71, by RIP 0x"
#define VM "it runs a VM of its own beside Linux, in turns"
/* The first turn may be over before the guest has begun. */
#define VM_COMMANDS "for n in 1 2 3; do bfm call @NAME@ run || exit 1; done"
#define VM_LINE "@NAME@: .*guest: hello from the second VM"

/* The first one of a language, and the first language, are the defaults. */
static const struct project projects[] = {
	{ .lang = "c",
	  .template = "hello",
	  .summary = HELLO,
	  .api = "ext/libext/frame.h",
	  .commands = ":",
	  .expected = HELLO_LINE,
	  .source = { "@NAME@.c", template_hello_c, false },
	  .others = make_files },
	{ .lang = "c",
	  .template = "trace",
	  .summary = TRACE,
	  .api = "ext/libext/frame.h",
	  .commands = ":",
	  .expected = TRACE_LINE,
	  .source = { "@NAME@.c", template_trace_c, false },
	  .others = make_files },
	{ .lang = "c",
	  .template = "watch",
	  .summary = WATCH,
	  .api = "ext/libext/watch.h",
	  .commands = WATCH_COMMANDS,
	  .expected = WATCH_LINE,
	  .source = { "@NAME@.c", template_watch_c, false },
	  .others = make_files },
	{ .lang = "c",
	  .template = "vm",
	  .summary = VM,
	  .api = "ext/libext/vm.h",
	  .commands = VM_COMMANDS,
	  .expected = VM_LINE,
	  .source = { "@NAME@.c", template_vm_c, false },
	  .others = make_files },
	{ .lang = "c++",
	  .template = "hello",
	  .summary = HELLO,
	  .api = "ext/libext/frame.h",
	  .commands = ":",
	  .expected = HELLO_LINE,
	  .source = { "@NAME@.cc", template_hello_cc, false },
	  .others = make_files },
	{ .lang = "c++",
	  .template = "trace",
	  .summary = TRACE,
	  .api = "ext/libext/frame.h",
	  .commands = ":",
	  .expected = TRACE_LINE,
	  .source = { "@NAME@.cc", template_trace_cc, false },
	  .others = make_files },
	{ .lang = "c++",
	  .template = "watch",
	  .summary = WATCH,
	  .api = "ext/cxx/watch.hpp",
	  .commands = WATCH_COMMANDS,
	  .expected = WATCH_LINE,
	  .source = { "@NAME@.cc", template_watch_cc, false },
	  .others = make_files },
	{ .lang = "c++",
	  .template = "vm",
	  .summary = VM,
	  .api = "ext/cxx/vm.hpp",
	  .commands = VM_COMMANDS,
	  .expected = VM_LINE,
	  .source = { "@NAME@.cc", template_vm_cc, false },
	  .others = make_files },
	{ .lang = "rust",
	  .template = "hello",
	  .summary = HELLO,
	  .api = "ext/libext/frame.h",
	  .commands = ":",
	  .expected = HELLO_LINE,
	  .source = { "src/lib.rs", template_hello_rs, false },
	  .others = cargo_files },
	{ .lang = "rust",
	  .template = "trace",
	  .summary = TRACE,
	  .api = "ext/libext/frame.h",
	  .commands = ":",
	  .expected = TRACE_LINE,
	  .source = { "src/lib.rs", template_trace_rs, false },
	  .others = cargo_files },
	{ .lang = "rust",
	  .template = "watch",
	  .summary = WATCH,
	  .api = "ext/libext/watch.h",
	  .commands = WATCH_COMMANDS,
	  .expected = WATCH_LINE,
	  .source = { "src/lib.rs", template_watch_rs, false },
	  .others = cargo_files },
	{ .lang = "rust",
	  .template = "vm",
	  .summary = VM,
	  .api = "ext/libext/vm.h",
	  .commands = VM_COMMANDS,
	  .expected = VM_LINE,
	  .source = { "src/lib.rs", template_vm_rs, false },
	  .others = cargo_files },
};

#define NR_PROJECTS (sizeof(projects) / sizeof(projects[0]))

/* --- what was asked for ---------------------------------------------------------------------- */

/*
 * The different languages, or else templates, of one language or (NULL) of all, in names, with room
 * for NR_PROJECTS. Returns how many.
 */
static size_t list_names(bool langs, const char *lang, const char **names)
{
	size_t count = 0;

	for (size_t i = 0; i < NR_PROJECTS; i++) {
		const char *name = langs ? projects[i].lang : projects[i].template;
		bool skip = lang && strcmp(projects[i].lang, lang) != 0;

		for (size_t k = 0; k < count; k++)
			skip |= !strcmp(names[k], name);
		if (!skip)
			names[count++] = name;
	}
	return count;
}

const char *new_name(const char *option, size_t n)
{
	const char *names[NR_PROJECTS];

	return n < list_names(!strcmp(option, "--lang"), NULL, names) ? names[n] : NULL;
}

/* Says that there is no language (lang is NULL) or template of this name. */
static void fail_choice(const char *lang, const char *word)
{
	const char *names[NR_PROJECTS], *meant;
	size_t count = list_names(!lang, lang, names);
	char hint[128];
	int n;

	meant = suggest(word, strlen(word), names, count);
	n = snprintf(hint, sizeof(hint), "%s%s%sthere is", meant ? "did you mean " : "",
		     meant ? meant : "", meant ? "? " : "");
	for (size_t i = 0; i < count; i++)
		n += snprintf(hint + n, sizeof(hint) - (size_t)n, "%s%s", i ? ", " : " ", names[i]);
	if (lang)
		fail_message("new", hint, "no template %s in %s", word, lang);
	else
		fail_message("new", hint, "no language %s", word);
}

/* NULL, after a message: there is none. lang, template: NULL is the default. */
static const struct project *find_project(const char *lang, const char *template)
{
	bool lang_known = false;

	if (!lang)
		lang = projects[0].lang;
	for (size_t i = 0; i < NR_PROJECTS; i++) {
		if (strcmp(projects[i].lang, lang) != 0)
			continue;
		lang_known = true;
		if (!template || !strcmp(projects[i].template, template))
			return &projects[i];
	}
	fail_choice(lang_known ? lang : NULL, lang_known ? template : lang);
	return NULL;
}

/* Letters that file names, crates, and the arguments of bfm all allow. */
static bool name_is_good(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t length = strlen(name);

	return length <= MAX_NAME && *name >= 'a' && *name <= 'z' &&
	       strspn(name, letters) == length;
}

/* --- files ----------------------------------------------------------------------------------- */

/* The value of the placeholder, of *length bytes, that text begins with; NULL: with none. */
static const char *value_of(const char *text, const struct project *project, const char *name,
			    size_t *length)
{
	const struct {
		const char *key, *value;
	} values[] = { { "@NAME@", name },
		       { "@SUMMARY@", project->summary },
		       { "@SOURCE@", project->source.path },
		       { "@API@", project->api },
		       { "@COMMANDS@", project->commands },
		       { "@EXPECTED@", project->expected } };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		*length = strlen(values[i].key);
		if (!strncmp(text, values[i].key, *length))
			return values[i].value;
	}
	return NULL;
}

/* Writes text with what its placeholders, and those in their values, stand for. */
static void expand(FILE *file, const char *text, const struct project *project, const char *name)
{
	while (*text) {
		size_t length;
		const char *value = *text == '@' ? value_of(text, project, name, &length) : NULL;

		if (value) {
			if (value == name)
				fputs(value, file);
			else
				expand(file, value, project, name);
			text += length;
		} else {
			fputc(*text++, file);
		}
	}
}

/* The path of a file below a directory, in a buffer of MAX_PATH bytes; false with errno. */
static bool expand_path(char *path, int directory, const struct file *f,
			const struct project *project, const char *name)
{
	FILE *out = fmemopen(path, MAX_PATH, "w");
	char *slash;

	if (!out)
		return false;
	expand(out, f->path, project, name);
	if (fclose(out))
		return false;
	slash = strchr(path, '/'); /* no project has more than one level */
	if (!slash)
		return true;
	*slash = '\0';
	if (mkdirat(directory, path, 0777) && errno != EEXIST)
		return false;
	*slash = '/';
	return true;
}

static bool write_file(int directory, const struct file *f, const struct project *project,
		       const char *name)
{
	char path[MAX_PATH];
	FILE *file;
	int fd;
	bool ok;

	if (!expand_path(path, directory, f, project, name))
		return false;
	fd = openat(directory, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    f->executable ? 0777 : 0666);
	if (fd < 0)
		return false;
	file = fdopen(fd, "w");
	if (!file) {
		close(fd);
		return false;
	}
	expand(file, f->text, project, name);
	ok = !ferror(file);
	return !fclose(file) && ok;
}

static const struct file *next_file(const struct file *f, const struct project *project)
{
	return f == &project->source ? project->others : f + 1;
}

static bool write_files(int directory, const struct project *project, const char *name)
{
	const struct file *f = &project->source;

	while (f->path && write_file(directory, f, project, name))
		f = next_file(f, project);
	return !f->path;
}

/* Takes away what write_files() has written, all or some of it. */
static void remove_files(int directory, const struct project *project, const char *name)
{
	char path[MAX_PATH];

	for (const struct file *f = &project->source; f->path; f = next_file(f, project)) {
		char *slash;

		if (!expand_path(path, directory, f, project, name))
			continue;
		unlinkat(directory, path, 0);
		slash = strchr(path, '/');
		if (slash) {
			*slash = '\0';
			unlinkat(directory, path, AT_REMOVEDIR);
		}
	}
}

/* In a directory of another name, which gets its own in the end: all of it appears, or nothing. */
static bool write_project(const struct project *project, const char *name)
{
	char hidden[] = ".bfm-new-XXXXXX";
	mode_t mask = umask(0);
	int directory, err;
	bool ok;

	umask(mask);
	if (!mkdtemp(hidden))
		return false;
	directory = open(hidden, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0) {
		rmdir(hidden);
		return false;
	}
	ok = write_files(directory, project, name) && !fchmod(directory, 0777 & ~mask) &&
	     !rename(hidden, name);
	if (!ok) {
		err = errno;
		remove_files(directory, project, name);
		rmdir(hidden);
		errno = err;
	}
	close(directory);
	return ok;
}

static int make_project(const struct project *project, const char *name)
{
	struct stat st;
	sigset_t all, before;
	bool ok;

	if (!lstat(name, &st)) {
		fail_message("new", "choose another name, or remove it", "%s already exists here",
			     name);
		return EXIT_FAILED;
	}
	/* Ctrl-C must not leave half a project, either. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	ok = write_project(project, name);
	if (!ok)
		fail_message("new", "nothing was left behind", "cannot write %s: %s", name,
			     strerror(errno));
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (!ok)
		return EXIT_FAILED;
	printf("%s: %s\n\n  cd %s\n  make\n  make test\n  bfm start build/%s   # as root\n", name,
	       project->summary, name, name);
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	const char *lang = NULL, *template = NULL, *name;
	const struct project *project;
	int c, code;

	while ((c = next_option(argc, argv, &new_command)) != -1) {
		if (c == 'l')
			lang = optarg;
		else if (c == 't')
			template = optarg;
		else
			return c == OPTION_HELP ? EXIT_OK : EXIT_USAGE;
	}
	if (optind == argc) {
		fail_message("new", "bfm new --help", "no name given");
		return EXIT_USAGE;
	}
	name = argv[optind++];
	code = finish_options(argc, argv, &new_command);
	if (code >= 0)
		return code;
	if (!name_is_good(name)) {
		fail_message("new", "a name has 1 to 31 of a-z, 0-9, _ and -, a letter first",
			     "bad name: %s", name);
		return EXIT_USAGE;
	}
	project = find_project(lang, template);
	return project ? make_project(project, name) : EXIT_USAGE;
}

const struct command new_command = {
	.name = "new",
	.summary = "Write a project for an extension of your own",
	.arguments = "[--lang LANGUAGE] [--template TEMPLATE] NAME",
	.help = "Makes a directory NAME with source, Makefile, test and README. It builds with\n"
		"make, against what is installed (bareflank-ext in pkg-config). Needs no root.\n\n"
		"  --lang LANGUAGE      c (the default), c++ or rust\n"
		"  --template TEMPLATE  hello (the default): greets, and answers a CPUID leaf;\n"
		"                       trace: says who writes the kernel's MSRs;\n"
		"                       watch: says who uses ports, and who writes to memory;\n"
		"                       vm: runs a VM of its own beside Linux\n"
		"  --help               show this text\n",
	.examples = "  bfm new mine                    an extension in C\n"
		    "  bfm new mine --template trace   one that watches MSRs\n"
		    "  bfm new mine --template vm      one that runs a guest of its own\n"
		    "  bfm new mine --lang rust        one in Rust\n",
	.options = long_options,
	.run = run,
};
