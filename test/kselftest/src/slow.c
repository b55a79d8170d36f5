// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests whose memory is slow or changes: each is stopped, by userfaultfd, in the middle of a
 * copy from or to the user.
 *
 *   slow stuck MICROKERNEL EXTENSION   while it waits, everybody else is served; then its page
 *                                      comes, or becomes inaccessible, or the process is killed
 *   slow change MICROKERNEL EXTENSION  the image changes behind the copy: what was copied counts
 *   slow flip N MICROKERNEL EXTENSION  the images' headers change all the time during N starts;
 *                                      prints how many succeeded
 */
#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "hostile.h"

#define WAIT_MS 60000

static struct bf_file microkernel, extension;
static int device;

static void fail(const char *what)
{
	fprintf(stderr, "%s (%s)\n", what, strerror(errno));
	exit(1);
}

/* --- pages that come when this program wants ------------------------------------------------- */

/* Watches pages that are not there yet: whoever accesses one waits for give_page(). */
static int watch(void *pages, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (uintptr_t)pages, size },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		fail("userfaultfd");
	return fd;
}

/* Waits until somebody waits for a page; returns its address. */
static uintptr_t wait_for_fault(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct uffd_msg message;

	if (poll(&pollfd, 1, WAIT_MS) != 1 || read(fd, &message, sizeof(message)) < 1 ||
	    message.event != UFFD_EVENT_PAGEFAULT)
		fail("nobody has touched the page");
	return message.arg.pagefault.address & ~(uintptr_t)(PAGE - 1);
}

static void give_page(int fd, uintptr_t at, const void *content)
{
	struct uffdio_copy copy = { .dst = at, .src = (uintptr_t)content, .len = PAGE };

	if (ioctl(fd, UFFDIO_COPY, &copy) && errno != EEXIST)
		fail("UFFDIO_COPY");
}

/* Followed by a page that nobody can access. */
static void *map_empty(size_t pages)
{
	uint8_t *memory = mmap(NULL, (pages + 1) * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || mprotect(memory + pages * PAGE, PAGE, PROT_NONE))
		fail("mmap");
	return memory;
}

static void unmap(void *memory, size_t pages)
{
	munmap(memory, (pages + 1) * PAGE);
}

/* --- requests that wait ---------------------------------------------------------------------- */

static const char *const places[] = {
	"the request",         "an image",          "the list of images",
	"the names of images", "the text's buffer", "the CPUs' buffer",
	"the report's buffer", "the names' buffer", "the registers' buffer",
};

#define NR_PLACES (sizeof(places) / sizeof(places[0]))

/* The request that touches the page at this place. */
static int request(size_t place, void *page)
{
	struct bf_ioctl_start start = { .size = sizeof(start),
					.version = BF_IOCTL_VERSION,
					.microkernel = microkernel,
					.exts = (uintptr_t)&extension,
					.nr_exts = 1 };
	struct bf_ioctl_dump dump = { .size = sizeof(dump),
				      .data = (uintptr_t)page,
				      .length = PAGE };
	struct bf_ioctl_status status = { .size = sizeof(status), .nr_cpus = 1 };
	struct bf_ioctl_check check = { .size = sizeof(check),
					.values = (uintptr_t)page,
					.nr_values = 1 };

	switch (place) {
	case 0:
		return ioctl(device, BF_IOC_STOP, page);
	case 1:
		start.microkernel = (struct bf_file){ (uintptr_t)page, PAGE };
		return ioctl(device, BF_IOC_START, &start);
	case 2:
		start.exts = (uintptr_t)page;
		return ioctl(device, BF_IOC_START, &start);
	case 3: /* which comes first, so there need not be images */
		start.microkernel.size = 0;
		start.image_ids = (uintptr_t)page;
		return ioctl(device, BF_IOC_START, &start);
	case 4:
		return ioctl(device, BF_IOC_DUMP, &dump);
	case 5:
		status.cpus = (uintptr_t)page;
		return ioctl(device, BF_IOC_STATUS, &status);
	case 6:
		status.report = (uintptr_t)page;
		return ioctl(device, BF_IOC_STATUS, &status);
	case 7:
		status.image_ids = (uintptr_t)page;
		return ioctl(device, BF_IOC_STATUS, &status);
	default:
		return ioctl(device, BF_IOC_CHECK, &check);
	}
}

/* Everybody else is served. */
static void others_work(const char *place)
{
	struct bf_ioctl_status status = { .size = sizeof(status) };
	int fd = open_device();
	uint32_t error;

	error = start_images(fd, microkernel, extension, 0);
	if (error || ioctl(fd, BF_IOC_STATUS, &status) || status.state != BF_STATE_RUNNING ||
	    (error = stop_now(fd))) {
		fprintf(stderr, "while a request waits for %s: %s\n", place, error_name(error));
		exit(1);
	}
	close(fd);
}

static size_t thread_place;
static void *thread_page;

static void *make_request(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)request(thread_place, thread_page);
}

/* Its page comes, as zeros, or is taken away. */
static void stuck_thread(size_t place, bool comes)
{
	static const uint8_t zeros[PAGE];
	void *page = map_empty(1);
	int fd = watch(page, PAGE);
	pthread_t thread;
	uintptr_t at;

	thread_place = place;
	thread_page = page;
	pthread_create(&thread, NULL, make_request, NULL);
	at = wait_for_fault(fd);
	others_work(places[place]);
	if (comes)
		give_page(fd, at, zeros);
	else
		mmap(page, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	close(fd);
	pthread_join(thread, NULL);
	unmap(page, 1);
}

/* Its process is killed, and is gone. */
static void stuck_process(size_t place)
{
	int pipes[2], status;
	pid_t pid;
	char c;

	if (pipe(pipes))
		fail("pipe");
	pid = fork();
	if (pid == 0) {
		void *page = map_empty(1);
		int fd = watch(page, PAGE);
		pthread_t thread;

		thread_place = place;
		thread_page = page;
		pthread_create(&thread, NULL, make_request, NULL);
		wait_for_fault(fd);
		c = 1;
		if (write(pipes[1], &c, 1) != 1)
			exit(1);
		pause();
	}
	close(pipes[1]);
	if (read(pipes[0], &c, 1) != 1)
		fail("the child");
	close(pipes[0]);
	others_work(places[place]);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		fail("the child does not die");
	others_work("nothing: it was killed");
}

static int stuck(void)
{
	others_work("nothing"); /* so that there are CPUs to tell of */
	for (size_t place = 0; place < NR_PLACES; place++) {
		stuck_thread(place, true);
		stuck_thread(place, false);
		stuck_process(place);
	}
	printf("%zu requests waited\n", 3 * NR_PLACES);
	return 0;
}

/* --- images that change ---------------------------------------------------------------------- */

static struct bf_ioctl_start changing_call;

static void *start_changing(void *unused)
{
	(void)unused;
	ioctl(device, BF_IOC_START, &changing_call);
	return NULL;
}

/*
 * Starts with an image whose second page comes only after the first, which has been copied by
 * then, has changed. The outcome must be that of the first page as it was.
 */
static void change_behind(const struct bf_file *image, bool good_first)
{
	uint32_t wanted = good_first ? BF_ERR_OK : BF_ERR_ELF_MAGIC;
	size_t pages = (image->size + PAGE - 1) / PAGE;
	uint8_t *buffer = map_empty(pages), *content = map_empty(pages);
	struct bf_file files[2] = { microkernel, extension };
	int fd = watch(buffer, pages * PAGE);
	pthread_t thread;

	memcpy(content, data_of(image), image->size);
	files[image != &microkernel].data = (uintptr_t)buffer;
	content[0] ^= good_first ? 0 : 1;
	changing_call = (struct bf_ioctl_start){ .size = sizeof(changing_call),
						 .version = BF_IOCTL_VERSION,
						 .microkernel = files[0],
						 .exts = (uintptr_t)&files[1],
						 .nr_exts = 1 };
	pthread_create(&thread, NULL, start_changing, NULL);
	for (size_t i = 0; i < pages; i++) {
		uintptr_t at = wait_for_fault(fd);

		if (at != (uintptr_t)buffer + i * PAGE)
			fail("not copied from the beginning to the end");
		if (i == 1)
			buffer[0] ^= 1;
		give_page(fd, at, content + i * PAGE);
	}
	pthread_join(thread, NULL);
	if (changing_call.error != wanted) {
		fprintf(stderr, "%s in place of %s\n", error_name(changing_call.error),
			error_name(wanted));
		exit(1);
	}
	if (!wanted && stop_now(device))
		fail("no stop");
	close(fd);
	unmap(buffer, pages);
	unmap(content, pages);
}

static int change(void)
{
	for (int good_first = 0; good_first < 2; good_first++) {
		change_behind(&microkernel, good_first);
		change_behind(&extension, good_first);
	}
	return 0;
}

/*
 * Bytes of an ELF header, each of which makes a file no image: magic, class, machine, type. With
 * any of them as it should not be, the image is refused, so no damaged one runs.
 */
static const size_t flips[] = { 0, 4, 16, 18 };

static volatile bool done;

static void *flip(void *unused)
{
	uint8_t *images[] = { data_of(&microkernel), data_of(&extension) };

	(void)unused;
	while (!done) {
		volatile uint8_t *byte =
			images[next() % 2] + flips[next() % (sizeof(flips) / sizeof(flips[0]))];

		*byte ^= 0x80;
		for (uint64_t spin = next() % 5000; spin; spin--)
			__asm__ volatile("pause");
		*byte ^= 0x80;
		for (uint64_t spin = next() % 20000; spin; spin--)
			__asm__ volatile("pause");
	}
	return NULL;
}

static int flip_during(unsigned long starts)
{
	unsigned long started = 0;
	pthread_t thread;

	pthread_create(&thread, NULL, flip, NULL);
	for (unsigned long i = 0; i < starts; i++) {
		uint32_t error = start_images(device, microkernel, extension, 0);

		switch (error) {
		case BF_ERR_OK:
			started++;
			if (stop_now(device))
				fail("no stop");
			break;
		case BF_ERR_ELF_MAGIC:
		case BF_ERR_ELF_CLASS:
		case BF_ERR_ELF_MACHINE:
		case BF_ERR_ELF_TYPE:
			break;
		default:
			fprintf(stderr, "start %lu: %s\n", i, error_name(error));
			exit(1);
		}
	}
	done = true;
	pthread_join(thread, NULL);
	printf("%lu of %lu starts succeeded\n", started, starts);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	microkernel = read_image(argv[argc - 2]);
	extension = read_image(argv[argc - 1]);
	device = open_device();
	if (!strcmp(argv[1], "stuck"))
		return stuck();
	if (!strcmp(argv[1], "change"))
		return change();
	return argc == 5 ? flip_during(strtoul(argv[2], NULL, 0)) : 2;
}
