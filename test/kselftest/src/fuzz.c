// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz SEED CALLS [nobody|powerless|namespace]: malformed requests for /dev/bareflank, by several
 * threads, each with a device of its own, while another one changes the requests, takes their
 * memory away and closes the devices. Any answer will do, but a start must not succeed (no valid
 * image is ever given), nothing outside the buffer may be written, and the kernel must survive.
 * Ends with 0, and 1 if one of that is not so.
 *
 * With a third argument the process gives up its rights once it has the device: the user, its
 * capabilities, or those outside a user namespace of its own. Then every request must be refused.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/capability.h>

#include "hostile.h"

#define THREADS 4
#define NOBODY 65534
#define X32_IOCTL 54 /* of 32-bit programs */

static uint64_t pick(const uint64_t *values, size_t count)
{
	return values[next() % count];
}

/*
 * Two pages, and nothing after them. What this program writes to stays; the second mapping of the
 * same pages is what the module gets, and is disturbed.
 */
static __thread uint8_t *memory, *target;
static uint8_t *targets[THREADS], *memories[THREADS];
static int files[THREADS], devices[THREADS];
static volatile bool done;
static bool powerless, has_compat;

static uint64_t pointer(void)
{
	uint64_t values[] = { 0,
			      8,
			      0x1000,
			      0xFFFF888000000000,
			      0xFFFFFFFF81000000,
			      0xFFFFFFFFFFFFFFFF,
			      0xFFFFFFFFFFFFF000,
			      0x7FFFFFFFF000,
			      0x800000000000,
			      (uintptr_t)target,
			      (uintptr_t)target + PAGE,
			      (uintptr_t)target + 2 * PAGE - 8,
			      (uintptr_t)target + 2 * PAGE,
			      next() };

	return pick(values, sizeof(values) / sizeof(values[0]));
}

static uint64_t number(void)
{
	uint64_t values[] = { 0,
			      1,
			      2,
			      8,
			      9,
			      0xFFFF,
			      PAGE,
			      PAGE - 1,
			      PAGE + 1,
			      0x800000,
			      0x800001,
			      0x7FFFFFFF,
			      0x80000000,
			      0xFFFFFFFF,
			      0x100000000,
			      0x7FFFFFFFFFFFFFFF,
			      0x8000000000000000,
			      0xFFFFFFFFFFFFFFFF,
			      next(),
			      next() % PAGE };

	return pick(values, sizeof(values) / sizeof(values[0]));
}

static void fill(uint8_t *argument, size_t known)
{
	uint32_t sizes[] = { (uint32_t)known,
			     (uint32_t)known,
			     (uint32_t)known,
			     0,
			     3,
			     4,
			     (uint32_t)known - 1,
			     (uint32_t)known + 8,
			     PAGE,
			     PAGE + 1,
			     0xFFFFFFFF };
	uint32_t size = sizes[next() % (sizeof(sizes) / sizeof(sizes[0]))];

	for (size_t at = 0; at + 8 <= known; at += 8) {
		uint64_t value = next() % 3 ? number() : pointer();

		memcpy(argument + at, &value, 8);
	}
	memcpy(argument, &size, sizeof(size));
	/* A good version number opens the way to the checks after it. */
	if (next() % 4) {
		uint32_t version = BF_IOCTL_VERSION;

		memcpy(argument + offsetof(struct bf_ioctl_start, version), &version, 4);
	}
}

static const struct {
	unsigned long command;
	size_t size;
} known[] = {
	{ BF_IOC_START, sizeof(struct bf_ioctl_start) },
	{ BF_IOC_STOP, sizeof(struct bf_ioctl_stop) },
	{ BF_IOC_DUMP, sizeof(struct bf_ioctl_dump) },
	{ BF_IOC_STATUS, sizeof(struct bf_ioctl_status) },
	{ BF_IOC_CHECK, sizeof(struct bf_ioctl_check) },
};

/* As a program of 32 bits makes it. */
static long compat_ioctl(int fd, unsigned long command, const void *argument)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(X32_IOCTL), "b"(fd), "c"(command), "d"(argument)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static sigjmp_buf no_compat;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(no_compat, 1);
}

/* Whether this kernel runs programs of 32 bits at all. */
static bool find_compat(int fd)
{
	bool found = false;

	signal(SIGSEGV, on_fault);
	if (!sigsetjmp(no_compat, 1))
		found = compat_ioctl(fd, BF_IOC_STOP, NULL) == -ENOTTY;
	signal(SIGSEGV, SIG_DFL);
	return found;
}

/* Everything that a file has and the device has not. */
static int other_calls(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLOUT };
	struct iovec iovec = { target, PAGE };
	void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	poll(&pollfd, 1, 0);
	lseek(fd, (off_t)next(), (int)(next() % 5));
	if (map != MAP_FAILED || read(fd, target, PAGE) >= 0 || write(fd, target, PAGE) >= 0 ||
	    readv(fd, &iovec, 1) >= 0 || pwrite(fd, target, PAGE, (off_t)next()) >= 0) {
		fprintf(stderr, "the device can be mapped, read or written\n");
		return 1;
	}
	return 0;
}

/* Opens the device many times at once, and uses one of these files. */
static int open_many(void)
{
	struct bf_ioctl_status status = { .size = sizeof(status) };
	size_t count = 0, nr = next() % 32 + 1;
	int fds[32], bad = 0;

	while (count < nr && (fds[count] = open("/dev/" BF_DEVICE, O_RDWR | O_CLOEXEC)) >= 0)
		count++;
	if (count < nr && !powerless) {
		perror("one of many devices");
		bad = 1;
	}
	if (count && !ioctl(fds[next() % count], BF_IOC_STATUS, &status) == powerless) {
		fprintf(stderr, "the status by one of many devices: %s\n",
			powerless ? "done" : strerror(errno));
		bad = 1;
	}
	while (count)
		close(fds[--count]);
	return bad;
}

static int call_once(int fd)
{
	size_t i = next() % (sizeof(known) / sizeof(known[0]));
	unsigned long command = known[i].command;
	size_t at = PAGE - (next() % 2 ? known[i].size : 0);
	uint8_t *argument;
	int result;

	if (next() % 64 == 0)
		return other_calls(fd);
	if (next() % 256 == 0)
		return open_many();
	/* Against the end of what is mapped: an access beyond it fails. */
	if (next() % 4 == 0)
		at = 2 * PAGE - known[i].size;
	at -= next() % 8 ? 0 : next() % 8;
	fill(memory + at, known[i].size);
	argument = target + at;
	if (next() % 16 == 0)
		argument = (uint8_t *)(uintptr_t)pointer();
	if (has_compat && next() % 16 == 0 && compat_ioctl(fd, command, argument) != -ENOTTY) {
		fprintf(stderr, "a program of 32 bits gets an answer\n");
		return 1;
	}
	if (next() % 16 == 0)
		command = next();
	result = ioctl(fd, command, argument);
	if (result == 0 && command == BF_IOC_START) {
		fprintf(stderr, "a start from garbage succeeded\n");
		return 1;
	}
	if (powerless && command == known[i].command && (!result || errno != EPERM)) {
		fprintf(stderr, "request %zu by somebody without rights: %s\n", i,
			result ? strerror(errno) : "done");
		return 1;
	}
	return 0;
}

/* Closes a device that may be in use, in favour of another one. */
static void replace_device(int device, int spare)
{
	int other = open("/dev/" BF_DEVICE, O_RDWR | O_CLOEXEC);

	dup2(other >= 0 ? other : spare, device);
	if (other >= 0)
		close(other);
}

/* Takes the memory of requests away, gives it back, and changes them, all while they are read. */
static void *disturb(void *spare)
{
	while (!done) {
		size_t i = next() % THREADS, at = next() % 2 * PAGE;

		switch (next() % 7) {
		case 0:
			mprotect(targets[i] + at, PAGE, PROT_NONE);
			break;
		case 1:
			mprotect(targets[i] + at, PAGE, PROT_READ);
			break;
		case 2: /* another page in its place, which is then freed */
			mmap(targets[i] + at, PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 3:
			memories[i][next() % (2 * PAGE)] = (uint8_t)next();
			break;
		case 4:
			replace_device(devices[i], *(int *)spare);
			break;
		default:
			mmap(targets[i] + at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			     files[i], (off_t)at);
		}
		for (uint64_t spin = next() % 2000; spin; spin--)
			__asm__ volatile("pause");
	}
	return NULL;
}

struct job {
	size_t number;
	uint64_t seed;
	unsigned long calls;
};

static void *work(void *argument)
{
	const struct job *job = argument;
	uintptr_t failed = 0;

	seed = job->seed + job->number;
	memory = memories[job->number];
	target = targets[job->number];
	for (unsigned long i = 0; !failed && i < job->calls; i++) {
		failed = (uintptr_t)call_once(devices[job->number]);
		if (failed)
			fprintf(stderr, "in call %lu of thread %zu\n", i, job->number);
	}
	return (void *)failed;
}

/* Two pages and an inaccessible one, below 4 GiB, where programs of 32 bits have theirs. */
static uint8_t *map_pages(int file)
{
	uint8_t *pages =
		mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (pages == MAP_FAILED || mmap(pages, 2 * PAGE, PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return pages;
}

static bool give_up(const char *what)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (!strcmp(what, "nobody"))
		return !setgid(NOBODY) && !setuid(NOBODY);
	if (!strcmp(what, "powerless"))
		return !syscall(SYS_capset, &header, none);
	return !strcmp(what, "namespace") && !unshare(CLONE_NEWUSER);
}

int main(int argc, char **argv)
{
	unsigned long calls = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;
	struct job jobs[THREADS];
	pthread_t threads[THREADS], disturber;
	int bad = 0, fd;

	if (argc < 3 || argc > 4)
		return 2;
	fd = open_device();
	for (size_t i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){ i, strtoull(argv[1], NULL, 0) * THREADS, calls / THREADS };
		devices[i] = open_device();
		files[i] = memfd_create("request", 0);
		if (files[i] < 0 || ftruncate(files[i], 2 * PAGE)) {
			perror("memfd");
			return 1;
		}
		memories[i] = map_pages(files[i]);
		targets[i] = map_pages(files[i]);
	}
	has_compat = find_compat(fd);
	powerless = argc == 4;
	if (powerless && !give_up(argv[3])) {
		perror(argv[3]);
		return 1;
	}
	pthread_create(&disturber, NULL, disturb, &fd);
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, &jobs[i]);
	for (size_t i = 0; i < THREADS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		bad |= failed != NULL;
	}
	done = true;
	pthread_join(disturber, NULL);
	printf("seed %s: %lu requests%s\n", argv[1], calls / THREADS * THREADS,
	       has_compat ? "" : ", none of them of 32 bits");
	return bad;
}
