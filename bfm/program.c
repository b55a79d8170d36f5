// SPDX-License-Identifier: GPL-2.0-only
/* Other programs: see bfm.h. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bfm.h"

extern char **environ;

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return PROGRAM_DIED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : PROGRAM_DIED;
}

/* Returns 0, or PROGRAM_NOT_FOUND with errno. */
static int spawn(char *const argv[], const posix_spawn_file_actions_t *actions, pid_t *pid)
{
	int err;

	fflush(NULL);
	err = posix_spawnp(pid, argv[0], actions, NULL, argv, environ);
	errno = err;
	return err ? PROGRAM_NOT_FOUND : 0;
}

int program_run(char *const argv[])
{
	pid_t pid;
	int status = spawn(argv, NULL, &pid);

	return status ? status : wait_for(pid);
}

/* All that can be read, with a NUL; NULL with errno. */
static char *read_all(int fd)
{
	char *text = NULL, buf[1024];
	size_t size;
	FILE *memory = open_memstream(&text, &size);
	ssize_t n;

	if (!memory)
		return NULL;
	while ((n = read(fd, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			fwrite(buf, 1, (size_t)n, memory);
	if (fclose(memory) || n < 0) {
		free(text);
		return NULL;
	}
	return text;
}

int program_output(char *const argv[], char **output)
{
	posix_spawn_file_actions_t actions;
	int pipe_fds[2], status;
	pid_t pid;

	*output = NULL;
	if (pipe2(pipe_fds, O_CLOEXEC))
		return PROGRAM_DIED;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	status = spawn(argv, &actions, &pid);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	if (!status) {
		*output = read_all(pipe_fds[0]);
		status = wait_for(pid);
	}
	close(pipe_fds[0]);
	return *output || status ? status : PROGRAM_DIED;
}
