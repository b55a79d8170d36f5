// SPDX-License-Identifier: GPL-2.0-only
/*
 * sequence SEED STEPS MICROKERNEL EXTENSION: several processes, each of which starts, stops, asks,
 * takes CPUs offline and back, and kills a child in the middle of a start or a stop, in an order
 * that its seed gives. Each request must be granted, or refused for what another process did. Ends
 * with 0 if so, with all CPUs online and bare.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "hostile.h"

#define PROCESSES 4

static struct bf_file microkernel, extension;

static bool granted(const char *what, uint32_t error, uint32_t refusal)
{
	/* A CPU that comes or goes while a start is prepared ends it, too. */
	if (!error || error == refusal || error == BF_ERR_HOTPLUG)
		return true;
	fprintf(stderr, "%s: %s\n", what, error_name(error));
	return false;
}

static bool start(int fd)
{
	return granted("start", start_images(fd, microkernel, extension, 0), BF_ERR_RUNNING);
}

static bool stop(int fd)
{
	return granted("stop", stop_now(fd), BF_ERR_NOT_RUNNING);
}

static bool done(const char *what, int result)
{
	if (result)
		perror(what);
	return !result;
}

static bool status(int fd)
{
	struct bf_cpu_status cpus[8];
	struct bf_ioctl_status call = { .size = sizeof(call),
					.cpus = (uintptr_t)cpus,
					.nr_cpus = (uint32_t)(next() % 9) };

	return done("status", ioctl(fd, BF_IOC_STATUS, &call));
}

static bool dump(int fd)
{
	static uint8_t text[PAGE];
	struct bf_ioctl_dump call = { .size = sizeof(call),
				      .position = next() >> next() % 64,
				      .data = (uintptr_t)text,
				      .length = next() % sizeof(text) };

	return done("dump", ioctl(fd, BF_IOC_DUMP, &call));
}

static bool check(int fd)
{
	struct bf_register_value values[8];
	struct bf_ioctl_check call = { .size = sizeof(call),
				       .values = (uintptr_t)values,
				       .nr_values = (uint32_t)(next() % 9) };

	return done("check", ioctl(fd, BF_IOC_CHECK, &call));
}

static bool garbage(int fd)
{
	uint64_t call[32];

	for (size_t i = 0; i < sizeof(call) / sizeof(call[0]); i++)
		call[i] = next() >> next() % 64;
	call[0] &= 0xFF;
	if (ioctl(fd, BF_IOC_START, call) == 0) {
		fprintf(stderr, "a start from garbage succeeded\n");
		return false;
	}
	return true;
}

/* EBUSY and the like are Linux's to say; there may be one CPU only. */
static void set_online(unsigned int cpu, bool online)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return;
	if (write(fd, online ? "1" : "0", 1) != 1)
		errno = 0;
	close(fd);
}

/* A child that is killed at some moment of a start or stop. */
static void kill_one(int fd)
{
	uint64_t wait = next() % 2000, starts = next() % 2;
	pid_t pid = fork();

	if (pid == 0)
		_exit(starts ? !start(fd) : !stop(fd));
	usleep((useconds_t)wait);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool step(int *fd)
{
	switch (next() % 16) {
	case 0 ... 3:
		return start(*fd);
	case 4 ... 6:
		return stop(*fd);
	case 7:
	case 8:
		return status(*fd);
	case 9:
		return dump(*fd);
	case 10:
		return check(*fd);
	case 11:
		return garbage(*fd);
	case 12:
		set_online((unsigned int)(1 + next() % 3), next() % 2);
		return true;
	case 13:
		close(*fd);
		*fd = open_device();
		return true;
	default:
		kill_one(*fd);
		return true;
	}
}

static int run(uint64_t own_seed, unsigned long steps)
{
	int fd = open_device();

	seed = own_seed;
	for (unsigned long i = 0; i < steps; i++) {
		if (!step(&fd)) {
			fprintf(stderr, "step %lu of seed %llu\n", i, (unsigned long long)own_seed);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bf_ioctl_status call = { .size = sizeof(call) };
	unsigned long steps;
	int bad = 0, fd, end;

	if (argc != 5)
		return 2;
	steps = strtoul(argv[2], NULL, 0);
	microkernel = read_image(argv[3]);
	extension = read_image(argv[4]);
	fd = open_device();
	for (uint64_t i = 0; i < PROCESSES; i++)
		if (fork() == 0)
			_exit(run(strtoull(argv[1], NULL, 0) * PROCESSES + i, steps));
	while (wait(&end) > 0)
		bad |= end;
	for (unsigned int cpu = 1; cpu < 4; cpu++)
		set_online(cpu, true);
	stop_now(fd);
	if (ioctl(fd, BF_IOC_STATUS, &call) || call.state != BF_STATE_STOPPED)
		bad = 1;
	printf("seed %s: %lu steps in each of %d processes\n", argv[1], steps, PROCESSES);
	return bad ? 1 : 0;
}
