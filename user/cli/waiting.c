/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits for a command that may take seconds, and shows meanwhile what the controller is at. */
#include "cli.h"
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS	   200
#define LINE_BYTES 160

struct waiting {
	const char *socket;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool is_over;
};

void cli_show_doing(const char *text)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s", text);
}

/* Nothing of it matters enough to be told when it fails. */
static void look(const struct waiting *waiting)
{
	struct problem problem = {0};
	json_t *arguments = json_object(), *result = NULL;
	char line[LINE_BYTES] = "";

	if (!cli_call(waiting->socket, "doing", arguments, &result, &problem)) {
		long long done = cli_number(result, "done"), total = cli_number(result, "total");

		if (total)
			snprintf(line, sizeof(line), "%s: %lld %%", cli_text(result, "doing"), 100 * done / total);
		else if (*cli_text(result, "doing"))
			snprintf(line, sizeof(line), "%s...", cli_text(result, "doing"));
		cli_show_doing(line);
	}
	json_decref(arguments);
	json_decref(result);
}

static void *look_always(void *arg)
{
	struct waiting *waiting = arg;
	struct timespec until;

	pthread_mutex_lock(&waiting->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	while (!waiting->is_over) {
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&waiting->ended, &waiting->lock, &until);
		if (!waiting->is_over)
			look(waiting);
	}
	pthread_mutex_unlock(&waiting->lock);
	cli_show_doing("");
	return NULL;
}

int cli_ask_waiting(const char *socket, const char *command, json_t *arguments, json_t **result)
{
	struct waiting waiting = {
		.socket = socket, .lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
	struct problem problem = {0};
	pthread_t thread;
	bool is_shown = isatty(STDERR_FILENO) && !pthread_create(&thread, NULL, look_always, &waiting);
	int err = cli_call(socket, command, arguments, result, &problem);

	if (is_shown) {
		pthread_mutex_lock(&waiting.lock);
		waiting.is_over = true;
		pthread_cond_signal(&waiting.ended);
		pthread_mutex_unlock(&waiting.lock);
		pthread_join(thread, NULL);
	}
	json_decref(arguments);
	return err ? cli_fail(&problem) : CLI_DONE;
}
