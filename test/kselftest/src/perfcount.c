// SPDX-License-Identifier: GPL-2.0-only
/*
 * perfcount EVENT COMMAND...: how often the module's tracepoint is passed on any CPU while the
 * command runs, by perf_event_open(2), as the last line: "EVENT: N". Ends as the command does.
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CPUS 64

static uint64_t event_id(const char *name)
{
	char path[128], text[32] = "";
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/tracing/events/bareflank/%s/id", name);
	fd = open(path, O_RDONLY);
	length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0) {
		perror(path);
		exit(2);
	}
	return strtoull(text, NULL, 10);
}

static int count_on(int cpu, uint64_t id)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = id,
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

int main(int argc, char **argv)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t sum = 0, count, id;
	int fds[MAX_CPUS];
	int status;
	pid_t pid;

	if (argc < 3 || cpus < 1 || cpus > MAX_CPUS)
		return 2;
	id = event_id(argv[1]);
	for (int cpu = 0; cpu < cpus; cpu++) {
		fds[cpu] = count_on(cpu, id);
		if (fds[cpu] < 0) {
			perror("perf_event_open");
			return 2;
		}
	}
	pid = fork();
	if (!pid) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 2;
	for (int cpu = 0; cpu < cpus; cpu++) {
		if (read(fds[cpu], &count, sizeof(count)) != sizeof(count))
			return 2;
		sum += count;
	}
	printf("%s: %llu\n", argv[1], (unsigned long long)sum);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}
