// SPDX-License-Identifier: GPL-2.0-only
/*
 * cost cpuid|calls|start|stop [MICROKERNEL EXTENSION]: what it costs in TSC ticks, which are
 * instructions on the machines that `make bench` uses.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <abi/ioctl.h>

#define ROUNDS 2000
#define BENCH_LEAF 0x4000BE7C
#define CALL_ROUNDS 20

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* The least of many: without interrupts. What the measurement itself takes is subtracted. */
static uint64_t cpuid_cost(void)
{
	uint64_t best = UINT64_MAX;
	uint64_t empty = UINT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t a = 0, c = 0, b, d;
		uint64_t t0 = rdtsc();
		uint64_t t1 = rdtsc();
		uint64_t t2;

		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "memory");
		t2 = rdtsc();
		if (t1 - t0 < empty)
			empty = t1 - t0;
		if (t2 - t1 < best)
			best = t2 - t1;
	}
	return best - empty;
}

/* test/ext/bench.c measures its calls in these exits, and prints them in the last. */
static void measure_calls(void)
{
	for (uint32_t left = CALL_ROUNDS; left-- > 0;) {
		uint32_t a = BENCH_LEAF, b, c = !left, d;

		__asm__ volatile("cpuid\n\tcpuid\n\tcpuid"
				 : "+a"(a), "=b"(b), "+c"(c), "=d"(d)
				 :
				 : "memory");
	}
}

static struct bf_file load(const char *path)
{
	struct stat st;
	struct bf_file file;
	int fd = open(path, O_RDONLY);
	void *data;

	if (fd < 0 || fstat(fd, &st)) {
		perror(path);
		exit(1);
	}
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	file.data = (uintptr_t)data;
	file.size = (uint64_t)st.st_size;
	return file;
}

int main(int argc, char **argv)
{
	int fd = open("/dev/" BF_DEVICE, O_RDWR);
	uint64_t began, ended;
	int result;

	if (argc == 2 && !strcmp(argv[1], "cpuid")) {
		printf("%llu\n", (unsigned long long)cpuid_cost());
		return 0;
	}
	if (argc == 2 && !strcmp(argv[1], "calls")) {
		measure_calls();
		return 0;
	}
	if (argc == 4 && !strcmp(argv[1], "start")) {
		struct bf_file ext = load(argv[3]);
		struct bf_ioctl_start call = { .size = sizeof(call),
					       .version = BF_IOCTL_VERSION,
					       .microkernel = load(argv[2]),
					       .exts = (uintptr_t)&ext,
					       .nr_exts = 1 };

		began = rdtsc();
		result = ioctl(fd, BF_IOC_START, &call);
		ended = rdtsc();
	} else if (argc == 2 && !strcmp(argv[1], "stop")) {
		struct bf_ioctl_stop call = { .size = sizeof(call) };

		began = rdtsc();
		result = ioctl(fd, BF_IOC_STOP, &call);
		ended = rdtsc();
	} else {
		return 2;
	}
	if (result) {
		perror(argv[1]);
		return 1;
	}
	printf("%llu\n", (unsigned long long)(ended - began));
	return 0;
}
