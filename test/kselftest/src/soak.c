// SPDX-License-Identifier: GPL-2.0-only
/*
 * soak SEED FIRST LAST CASES: runs the cycles FIRST to LAST, each by what SEED and its number give:
 * an extension, good or bad, is started and stopped, or ends by itself; some of this while CPUs go
 * and come. Each cycle must end as it should, with bare CPUs.
 *
 * CASES is a file of lines PLACE:CASE:ERROR[:VECTOR] for test/ext/misbehave.c: see
 * test/kselftest/bad.sh.
 * For each cycle one line goes to stdout:
 *
 *   cycle N KIND ERROR start start_paused stop stop_paused contained
 *
 * The times are in ns, 0 where there was none; contained is from the failure until all CPUs were
 * bare. A line "surprise N KIND: ..." tells what was not as it should be; the exit status is then
 * 1.
 */
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <abi/channel.h>
#include <abi/ioctl.h>

#define EXTS "/kselftest/ext/"
#define IMAGES "/kselftest/images/"
#define LIBDIR "/usr/local/lib/bareflank/"

#define MAX_CPUS 64
#define MAX_CASES 1024
#define MAX_PICTURES 256
#define IMAGE_ROOM (1 << 20)

#define WATCHDOG_NS 500000000ULL
#define PATIENCE_NS 60000000000ULL /* until a failure must have been noticed */
#define TRIGGER_NS 5000000000ULL /* the same, before it is triggered once more */

/* CPUID leaves that the extensions answer: their sources in test/ext. */
#define MISBEHAVE_TRIGGER 0x4000DEAD
#define FUZZ_LEAF 0x4000F022
#define GUEST_LEAF 0x4000F0E5
#define VERIFY_LEAF 0x4000F00D

static int device;
static unsigned int cpus; /* Linux's, all of which are online between cycles */
static unsigned long cycle;
static char kind[64]; /* of this cycle */
static bool surprised;

/* Shared with the processes that a cycle makes. */
static struct {
	uint64_t triggered; /* when, in ns */
	bool still; /* the cycle ends: CPUs no longer go and come */
} *shared;

/* What the cycle's line shows. */
static struct {
	uint32_t error;
	uint64_t start, start_paused, stop, stop_paused, contained;
} result;

static void surprise(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void surprise(const char *format, ...)
{
	va_list arguments;

	printf("surprise %lu %s: ", cycle, kind);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	surprised = true;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static const char *error_name(uint32_t error)
{
	static const struct {
		uint32_t number;
		const char *name;
	} names[] = {
#define NAME(number, name, err, sentence, hint) { number, #name },
		BF_ERRORS(NAME)
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == error)
			return names[i].name;
	return "?";
}

static uint32_t error_number(const char *name)
{
	for (uint32_t error = 0; error < 256; error++)
		if (!strcmp(error_name(error), name))
			return error;
	fprintf(stderr, "no error %s\n", name);
	exit(2);
}

/* --- chance and time -------------------------------------------------------------------------- */

static uint64_t state;

/* splitmix64 */
static uint64_t next(void)
{
	uint64_t z = state += 0x9E3779B97F4A7C15;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
	z = (z ^ z >> 27) * 0x94D049BB133111EB;
	return z ^ z >> 31;
}

static unsigned int below(unsigned int limit)
{
	return (unsigned int)(next() % limit);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* --- CPUs ------------------------------------------------------------------------------------- */

static bool go_to(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

static void go_anywhere(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static bool set_online(unsigned int cpu, bool online)
{
	char path[64];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	done = write(fd, online ? "1" : "0", 1) == 1;
	close(fd);
	return done;
}

/* CPUs go and come, in a process of their own, until the cycle ends. */
static pid_t hotplug_begins(void)
{
	pid_t pid;

	shared->still = false;
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	while (!__atomic_load_n(&shared->still, __ATOMIC_RELAXED)) {
		unsigned int cpu = 1 + below(cpus - 1);

		usleep(below(300000));
		set_online(cpu, false);
		usleep(below(100000));
		set_online(cpu, true);
	}
	_exit(0);
}

static void hotplug_ends(pid_t pid)
{
	__atomic_store_n(&shared->still, true, __ATOMIC_RELAXED);
	waitpid(pid, NULL, 0);
}

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t *regs)
{
	__cpuid_count(leaf, subleaf, regs[0], regs[1], regs[2], regs[3]);
}

/* The kernel executes the instruction. */
static void cpuid_in_kernel(unsigned int cpu, uint32_t leaf)
{
	char path[64];
	uint32_t regs[4];
	int fd;

	snprintf(path, sizeof(path), "/dev/cpu/%u/cpuid", cpu);
	fd = open(path, O_RDONLY);
	if (fd < 0 || pread(fd, regs, sizeof(regs), (off_t)leaf) < 0)
		surprise("%s: %s", path, strerror(errno));
	close(fd);
}

/* --- the module ------------------------------------------------------------------------------- */

static struct bf_ioctl_status status(void)
{
	struct bf_ioctl_status call = { .size = sizeof(call) };

	if (ioctl(device, BF_IOC_STATUS, &call))
		surprise("status: %s", strerror(errno));
	return call;
}

/* What each CPU has; returns how many there are. */
static uint32_t cpu_list(struct bf_cpu_status *list)
{
	struct bf_ioctl_status call = { .size = sizeof(call),
					.cpus = (uintptr_t)list,
					.nr_cpus = MAX_CPUS };

	if (ioctl(device, BF_IOC_STATUS, &call))
		surprise("status: %s", strerror(errno));
	return call.nr_cpus;
}

static unsigned int count_guests(void)
{
	struct bf_cpu_status list[MAX_CPUS];
	uint32_t listed = cpu_list(list);
	unsigned int count = 0;

	for (uint32_t i = 0; i < listed; i++)
		count += list[i].pp.state == BF_PP_GUEST ||
			 (list[i].pp.state == BF_PP_FAILED && list[i].pp.fallback);
	return count;
}

/* Why the first CPU that failed did. */
static uint32_t error_of_cpus(void)
{
	struct bf_cpu_status list[MAX_CPUS];
	uint32_t listed = cpu_list(list);

	for (uint32_t i = 0; i < listed; i++)
		if (list[i].pp.error)
			return list[i].pp.error;
	return BF_ERR_OK;
}

static char *buffers[4]; /* the microkernel, and extensions */

static struct bf_file read_file(unsigned int buffer, const char *path)
{
	struct bf_file file = { .data = (uintptr_t)buffers[buffer] };
	ssize_t size;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(path);
	size = read(fd, buffers[buffer], IMAGE_ROOM);
	if (size < 0)
		die(path);
	close(fd);
	file.size = (uint64_t)size;
	return file;
}

/* Writes a plan after the word and its colon, with its end. */
static void patch(const struct bf_file *file, const char *word, const char *plan)
{
	char *image = (char *)(uintptr_t)file->data;
	char *place = memmem(image, file->size, word, strlen(word));

	if (!place) {
		fprintf(stderr, "no %s in the image\n", word);
		exit(2);
	}
	strcpy(place + strlen(word), plan);
}

static struct bf_file microkernel;

/* Extensions of the last start, each of which has a channel that is kept. */
static uint64_t started_exts;

static uint32_t start(const struct bf_file *exts, uint32_t count, uint64_t pool, uint64_t watchdog)
{
	struct bf_ioctl_start call = { .size = sizeof(call),
				       .version = BF_IOCTL_VERSION,
				       .microkernel = microkernel,
				       .exts = (uintptr_t)exts,
				       .nr_exts = count,
				       .pool_size = pool,
				       .watchdog_ns = watchdog };
	int failed = ioctl(device, BF_IOC_START, &call);
	struct bf_ioctl_status after = status();

	started_exts = count;
	if (!failed != !call.error)
		surprise("start: error %u and %s", call.error, strerror(errno));
	if (!call.error)
		result.start = after.start_ns;
	if (!call.error || BF_ERROR_IS_EXTENSION(call.error))
		result.start_paused = after.start_paused_ns;
	/* Nothing goes on outside of the start while all CPUs are in it. */
	if (BF_ERROR_IS_EXTENSION(call.error))
		result.contained = after.start_paused_ns;
	return call.error;
}

/* What was wrong with the run that ended. */
static uint32_t stop(void)
{
	struct bf_ioctl_stop call = { .size = sizeof(call) };

	ioctl(device, BF_IOC_STOP, &call);
	if (call.error != BF_ERR_NOT_RUNNING) {
		struct bf_ioctl_status after = status();

		result.stop = after.stop_ns;
		result.stop_paused = after.stop_paused_ns;
		if (BF_ERROR_IS_EXTENSION(call.error))
			result.contained = after.stop_paused_ns;
	}
	return call.error;
}

/* --- the kinds of cycles: each returns the error that came of it ------------------------------ */

static bool disturbed; /* CPUs go and come */

static void expect_guests(void)
{
	unsigned int guests;

	if (disturbed)
		return;
	guests = count_guests();
	if (guests != cpus)
		surprise("%u of %u CPUs are guests", guests, cpus);
}

/* What a start in the middle of hotplug may say instead. */
static bool was_disturbed(uint32_t error)
{
	return disturbed && error == BF_ERR_HOTPLUG;
}

/* A start that must succeed. */
static bool starts(const struct bf_file *exts, uint32_t count)
{
	result.error = start(exts, count, 0, 0);
	if (result.error && !was_disturbed(result.error))
		surprise("start: %s", error_name(result.error));
	if (!result.error)
		expect_guests();
	return !result.error;
}

static void stops(void)
{
	result.error = stop();
	if (result.error)
		surprise("stop: %s", error_name(result.error));
}

/* The extension works for LEAF on every CPU, and found nothing wrong. */
static void ask_all(uint32_t leaf, uint32_t subleaf)
{
	uint32_t regs[4];

	for (unsigned int cpu = 0; cpu < cpus; cpu++) {
		if (!go_to(cpu))
			continue;
		if (leaf)
			cpuid(leaf, subleaf, regs);
		cpuid(VERIFY_LEAF, 0, regs);
		if (regs[1])
			surprise("CPU %u: %u checks did not hold", cpu, regs[1]);
	}
	go_anywhere();
}

static void do_good(const char *name, const char *path, uint32_t leaf, uint32_t subleaf)
{
	struct bf_file ext = read_file(1, path);

	snprintf(kind, sizeof(kind), "good:%s", name);
	if (!starts(&ext, 1))
		return;
	if (leaf)
		ask_all(leaf, subleaf);
	expect_guests();
	stops();
}

static void do_default(void)
{
	do_good("default", LIBDIR "default", 0, 0);
}

static void do_foreign(void)
{
	do_good("foreign-gnu", EXTS "foreign-gnu", VERIFY_LEAF, 0);
}

static void do_guest(void)
{
	do_good("guest", EXTS "guest", GUEST_LEAF, below(2));
}

static void do_several(void)
{
	struct bf_file exts[] = { read_file(1, EXTS "several"), read_file(2, EXTS "several") };

	strcpy(kind, "good:several");
	patch(&exts[0], "SEVERAL:", "b");
	patch(&exts[1], "SEVERAL:", "v");
	if (!starts(exts, 2))
		return;
	ask_all(VERIFY_LEAF, 0);
	stops();
}

static void do_random_calls(void)
{
	struct bf_file ext = read_file(1, EXTS "fuzz");
	char seed[9];

	strcpy(kind, "good:random-calls");
	snprintf(seed, sizeof(seed), "%08u", below(100000000));
	patch(&ext, "FUZZ-SEED:", seed);
	result.error = start(&ext, 1, 0, 100000000000);
	if (result.error) {
		if (!was_disturbed(result.error))
			surprise("start with seed %s: %s", seed, error_name(result.error));
		return;
	}
	ask_all(FUZZ_LEAF, 0);
	stops();
}

/* Malformed requests, some of which stop it. */
static void do_requests(void)
{
	char seed[16], count[] = "200";
	struct bf_file ext = read_file(1, LIBDIR "default");
	int status;
	pid_t pid;

	strcpy(kind, "requests");
	snprintf(seed, sizeof(seed), "%u", below(1000000000));
	if (!starts(&ext, 1))
		return;
	pid = fork();
	if (!pid) {
		execl("/kselftest/bin/fuzz", "fuzz", seed, count, NULL);
		_exit(2);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		surprise("fuzz %s %s: status 0x%x", seed, count, status);
	result.error = stop();
	if (result.error && result.error != BF_ERR_NOT_RUNNING)
		surprise("stop: %s", error_name(result.error));
	result.error = BF_ERR_OK;
}

static void do_bad_image(void)
{
	static char names[MAX_PICTURES][64];
	static unsigned int count;
	char path[512], expected[64];
	struct bf_file good = microkernel, bad;
	const char *name;
	bool is_kernel;

	if (!count) {
		DIR *directory = opendir(IMAGES);
		const struct dirent *entry;

		if (!directory)
			die(IMAGES);
		while ((entry = readdir(directory)) && count < MAX_PICTURES)
			if (entry->d_name[0] != '.' && strcmp(entry->d_name, "ELF_TOO_LARGE"))
				snprintf(names[count++], sizeof(names[0]), "%.63s", entry->d_name);
		closedir(directory);
	}
	name = names[below(count)];
	is_kernel = !strncmp(name, "mk.", 3);
	strcpy(expected, name + (is_kernel ? 3 : 0));
	*strchrnul(expected, '.') = 0;
	snprintf(path, sizeof(path), IMAGES "%s", name);
	snprintf(kind, sizeof(kind), "image:%.50s", name);
	bad = read_file(1, path);
	if (is_kernel) {
		microkernel = bad;
		bad = read_file(2, LIBDIR "default");
	}
	result.error = start(&bad, 1, 0, 0);
	microkernel = good;
	if (strcmp(error_name(result.error), expected) && !was_disturbed(result.error))
		surprise("start: %s", error_name(result.error));
}

/* More than anybody has, and more than this machine has. */
static void do_no_memory(void)
{
	static const struct {
		const char *name;
		uint64_t pool;
	} pools[] = { { "pool-4E", 1ULL << 62 }, { "pool-900M", 900ULL << 20 } };
	unsigned int i = below(sizeof(pools) / sizeof(pools[0]));
	struct bf_file ext = read_file(1, LIBDIR "default");

	snprintf(kind, sizeof(kind), "memory:%s", pools[i].name);
	result.error = start(&ext, 1, pools[i].pool, 0);
	if (result.error != BF_ERR_NO_MEMORY && !was_disturbed(result.error))
		surprise("start: %s", error_name(result.error));
}

/* Runs bfm, and kills it at some moment. */
static void kill_bfm(const char *command, unsigned int microseconds)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, 1);
		dup2(null, 2);
		execlp("bfm", "bfm", command, NULL);
		_exit(127);
	}
	usleep(microseconds);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void do_killed(void)
{
	strcpy(kind, "bfm-killed");
	kill_bfm("start", below(200000));
	if (status().state == BF_STATE_RUNNING) {
		expect_guests();
		kill_bfm("stop", below(100000));
	}
	result.error = stop();
	if (result.error && result.error != BF_ERR_NOT_RUNNING)
		surprise("stop: %s", error_name(result.error));
	result.error = BF_ERR_OK;
}

/* --- extensions that misbehave ---------------------------------------------------------------- */

struct misdeed {
	char place[16], name[32];
	uint32_t error;
	uint64_t vector; /* ~0: none */
};

static struct misdeed misdeeds[MAX_CASES];
static unsigned int nr_misdeeds;

static void read_misdeeds(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[128];

	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file) && nr_misdeeds < MAX_CASES) {
		struct misdeed *m = &misdeeds[nr_misdeeds++];
		char error[32];

		m->vector = ~0ULL;
		if (sscanf(line, "%15[^:]:%31[^:]:%31[^:\n]:%lu", m->place, m->name, error,
			   &m->vector) < 3) {
			fprintf(stderr, "what is %s", line);
			exit(2);
		}
		m->error = error_number(error);
	}
	fclose(file);
}

static bool place_is(const struct misdeed *m, const char *place)
{
	return !strcmp(m->place, place);
}

static void trigger_on(unsigned int cpu, bool in_kernel)
{
	uint32_t regs[4];

	if (!go_to(cpu))
		cpu = 0; /* it has gone; and the first one cannot go */
	go_to(cpu);
	__atomic_store_n(&shared->triggered, now(), __ATOMIC_RELEASE);
	if (in_kernel)
		cpuid_in_kernel(cpu, MISBEHAVE_TRIGGER);
	else
		cpuid(MISBEHAVE_TRIGGER, 0, regs);
}

/* Whether the module sees a failure soon. */
static bool fails(void)
{
	uint64_t began = now();

	while (status().state == BF_STATE_RUNNING && now() - began < TRIGGER_NS)
		usleep(1000);
	return status().state != BF_STATE_RUNNING;
}

/*
 * From another process, which a loop keeps. A process may yet run on a CPU that is going offline
 * and has left the hypervisor: then nobody sees the first CPUID.
 */
static void trigger(bool in_kernel, bool harmless)
{
	unsigned int cpu = below(cpus);
	pid_t pid;

	shared->triggered = 0;
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		trigger_on(cpu, in_kernel);
		if (!harmless && !fails())
			trigger_on(0, in_kernel);
		_exit(0);
	}
}

/* Waits for the failure that has been triggered. */
static void await_failure(uint32_t expected)
{
	uint64_t began = now();

	while (status().state == BF_STATE_RUNNING) {
		if (now() - began > PATIENCE_NS) {
			surprise("%s was not noticed", error_name(expected));
			stop();
			break;
		}
		usleep(1000);
	}
	result.contained = now() - shared->triggered;
	result.stop = status().stop_ns;
	result.stop_paused = status().stop_paused_ns;
	while (wait(NULL) < 0 && errno == EINTR)
		;
}

/* What the module says of it; the detail of a fault is its vector. */
static void expect_failure(const struct misdeed *m)
{
	struct bf_ioctl_status after = status();

	result.error = after.error;
	if (after.error != m->error)
		surprise("%s in place of %s", error_name(after.error), error_name(m->error));
	else if (m->vector != ~0ULL && after.detail != m->vector)
		surprise("vector %llu", (unsigned long long)after.detail);
}

static void misbehaves_later(const struct misdeed *m)
{
	bool harmless = m->error == BF_ERR_OK;

	trigger(place_is(m, "kernel"), harmless);
	if (!harmless) {
		await_failure(m->error);
		expect_failure(m);
		return;
	}
	wait(NULL);
	expect_guests();
	stops();
}

static void do_misdeed(const struct misdeed *m)
{
	struct bf_file ext = read_file(1, EXTS "misbehave");
	const char *place = place_is(m, "kernel") ? "later" : m->place;
	char plan[64];

	snprintf(kind, sizeof(kind), "%s:%s", m->place, m->name);
	snprintf(plan, sizeof(plan), "%s %s", place, m->name);
	patch(&ext, "MISBEHAVE:", plan);
	result.error = start(&ext, 1, 0, m->error == BF_ERR_EXT_OVERDUE ? WATCHDOG_NS : 0);
	if (was_disturbed(result.error))
		return;
	if (place_is(m, "later") || place_is(m, "kernel") || place_is(m, "fail-later")) {
		if (result.error)
			surprise("start: %s", error_name(result.error));
		else
			misbehaves_later(m);
	} else if (place_is(m, "stop")) {
		if (result.error)
			surprise("start: %s", error_name(result.error));
		result.error = stop();
		if (!result.error)
			result.error = error_of_cpus();
		result.contained = result.stop_paused;
		if (result.error != m->error && !disturbed) /* else it was when a CPU went */
			surprise("%s in place of %s", error_name(result.error),
				 error_name(m->error));
	} else if (result.error) {
		expect_failure(m);
	} else {
		/* In place of the start, it was a CPU that came later that failed. */
		if (m->error != BF_ERR_OK && !disturbed)
			surprise("it started");
		expect_guests();
		stops();
	}
}

static void do_misbehave(void)
{
	do_misdeed(&misdeeds[below(nr_misdeeds)]);
}

static void do_loop(void)
{
	static const struct misdeed loops[] = {
		{ "start", "loop", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "bootstrap", "loop", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "last", "loop", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "first", "loop", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "last", "loop_syscalls", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "fail-last", "loop", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "later", "loop", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "later", "loop_syscalls", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "fail-later", "loop", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "fail-later", "loop_again", BF_ERR_EXT_OVERDUE, ~0ULL },
		{ "stop", "loop", BF_ERR_EXT_OVERDUE, ~0ULL },
	};

	do_misdeed(&loops[below(sizeof(loops) / sizeof(loops[0]))]);
}

/* --- cycles ----------------------------------------------------------------------------------- */

/* How many of a hundred cycles. */
static const struct {
	void (*run)(void);
	unsigned int share;
} kinds[] = {
	{ do_default, 8 },      { do_foreign, 4 },    { do_guest, 4 },     { do_several, 4 },
	{ do_random_calls, 4 }, { do_requests, 4 },   { do_bad_image, 5 }, { do_no_memory, 5 },
	{ do_killed, 6 },       { do_misbehave, 48 }, { do_loop, 8 },
};

static void run_kind(void)
{
	unsigned int at = below(100);
	size_t i = 0;

	while (at >= kinds[i].share)
		at -= kinds[i++].share;
	kinds[i].run();
}

/* Whatever the cycle did, it leaves bare CPUs, and no more memory than the ring and the status. */
static void ends_clean(void)
{
	static uint64_t kept; /* but for channels */
	struct bf_ioctl_status after = status();
	uint64_t channels = started_exts * BF_CHANNEL_DEFAULT;

	if (after.state == BF_STATE_RUNNING) {
		surprise("still running");
		stop();
	}
	for (unsigned int cpu = 1; cpu < cpus; cpu++)
		set_online(cpu, true);
	if (sysconf(_SC_NPROCESSORS_ONLN) != (long)cpus)
		surprise("%ld of %u CPUs are online", sysconf(_SC_NPROCESSORS_ONLN), cpus);
	if (count_guests())
		surprise("%u CPUs are still guests", count_guests());
	/* A start that is refused early leaves no status pages; the next one has some again. */
	if (!kept && after.nr_cpus)
		kept = after.memory - channels;
	if (kept && after.memory > kept + channels)
		surprise("the module holds %llu bytes, not %llu", (unsigned long long)after.memory,
			 (unsigned long long)(kept + channels));
}

static void run_cycle(uint64_t seed)
{
	pid_t hotplug = 0;

	state = seed ^ cycle << 32;
	disturbed = cpus > 1 && below(4) == 0;
	memset(&result, 0, sizeof(result));
	if (disturbed)
		hotplug = hotplug_begins();
	run_kind();
	if (disturbed)
		hotplug_ends(hotplug);
	ends_clean();
	printf("cycle %lu %s%s %s %llu %llu %llu %llu %llu\n", cycle, kind,
	       disturbed ? "+hotplug" : "", error_name(result.error),
	       (unsigned long long)result.start, (unsigned long long)result.start_paused,
	       (unsigned long long)result.stop, (unsigned long long)result.stop_paused,
	       (unsigned long long)result.contained);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned long last;

	if (argc != 5) {
		fprintf(stderr, "soak: see the head of its source\n");
		return 2;
	}
	device = open("/dev/" BF_DEVICE, O_RDWR | O_CLOEXEC);
	if (device < 0)
		die("/dev/" BF_DEVICE);
	cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++)
		if (!(buffers[i] = malloc(IMAGE_ROOM)))
			die("malloc");
	microkernel = read_file(0, LIBDIR "microkernel");
	read_misdeeds(argv[4]);
	last = strtoul(argv[3], NULL, 0);
	for (cycle = strtoul(argv[2], NULL, 0); cycle <= last; cycle++)
		run_cycle(strtoull(argv[1], NULL, 0));
	return surprised;
}
