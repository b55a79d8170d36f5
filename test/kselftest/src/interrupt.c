// SPDX-License-Identifier: GPL-2.0-only
/*
 * interrupt SIGNAL MICROSECONDS COMMAND...: runs the command, which has the default actions for all
 * signals, and sends it the signal (a number) after that time; one that SIGSTOP has stopped goes on
 * after the same time again. Ends as the command does, with 128 and the signal if that ended it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	useconds_t time = argc > 3 ? (useconds_t)strtoul(argv[2], NULL, 0) : 0;
	int sent = argc > 3 ? atoi(argv[1]) : 0;
	int status;
	pid_t pid;

	if (argc < 4)
		return 2;
	pid = fork();
	if (!pid) {
		for (int number = 1; number < NSIG; number++)
			signal(number, SIG_DFL);
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	usleep(time);
	kill(pid, sent);
	if (sent == SIGSTOP) {
		usleep(time);
		kill(pid, SIGCONT);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror(argv[3]);
		return 2;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
