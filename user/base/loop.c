/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs libcurl's multi interface on a libuv loop: a poll handle for each socket, one timer, results handed out. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>

struct transfer {
	CURL *easy;
	loop_http_done *done;
	void *arg;
	struct transfer *next, **link; /* link: what points here */
};

struct socket_watch {
	uv_poll_t poll;
	curl_socket_t fd;
	struct loop_http *http;
	struct socket_watch *next, **link;
};

struct loop_http {
	uv_loop_t *loop;
	CURLM *multi; /* NULL once closed */
	uv_timer_t timer;
	unsigned int handles; /* uv handles that are still open: the last one frees this */
	struct transfer *transfers;
	struct socket_watch *watches;
};

static void on_handle_gone(struct loop_http *http)
{
	if (--http->handles == 0)
		free(http);
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_handle_gone(handle->data);
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct socket_watch *watch = handle->data;

	on_handle_gone(watch->http);
	free(watch);
}

static void transfer_unlink(struct loop_http *http, struct transfer *transfer)
{
	*transfer->link = transfer->next;
	if (transfer->next)
		transfer->next->link = transfer->link;
	curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, NULL);
	curl_multi_remove_handle(http->multi, transfer->easy);
	free(transfer);
}

static struct transfer *transfer_of(CURL *easy)
{
	char *found = NULL;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &found);
	return (struct transfer *)found;
}

/* A callback may start, cancel or close: nothing of the loop's state is kept across the call but *http itself,
 * which lives until its handles have closed. */
static void results_hand_out(struct loop_http *http)
{
	int left;

	while (http->multi) {
		CURLMsg *message = curl_multi_info_read(http->multi, &left);
		struct transfer *transfer;

		if (!message)
			return;
		if (message->msg != CURLMSG_DONE)
			continue;
		CURL *easy = message->easy_handle;
		CURLcode result = message->data.result;

		transfer = transfer_of(easy);
		loop_http_done *done = transfer->done;
		void *arg = transfer->arg;

		transfer_unlink(http, transfer);
		done(arg, easy, result);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct socket_watch *watch = poll->data;
	struct loop_http *http = watch->http;
	int flags = 0, running;

	if (status < 0)
		flags = CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(http->multi, watch->fd, flags, &running);
	results_hand_out(http);
}

static void on_timer(uv_timer_t *timer)
{
	struct loop_http *http = timer->data;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	results_hand_out(http);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct loop_http *http = arg;

	(void)multi;
	if (timeout_ms < 0)
		return uv_timer_stop(&http->timer) ? -1 : 0;
	return uv_timer_start(&http->timer, on_timer, (uint64_t)timeout_ms, 0) ? -1 : 0;
}

static struct socket_watch *watch_open(struct loop_http *http, curl_socket_t fd)
{
	struct socket_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	if (uv_poll_init_socket(http->loop, &watch->poll, fd)) {
		free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	watch->fd = fd;
	watch->http = http;
	watch->link = &http->watches;
	watch->next = http->watches;
	if (watch->next)
		watch->next->link = &watch->next;
	http->watches = watch;
	http->handles++;
	curl_multi_assign(http->multi, fd, watch);
	return watch;
}

static void watch_close(struct socket_watch *watch)
{
	*watch->link = watch->next;
	if (watch->next)
		watch->next->link = watch->link;
	uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

/* Failing here would make libcurl give up the whole multi handle; a socket that cannot be watched only lets its own
 * transfer run into its timeout. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct loop_http *http = arg;
	struct socket_watch *watch = assigned;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			curl_multi_assign(http->multi, fd, NULL);
			watch_close(watch);
		}
		return 0;
	}
	if (!watch)
		watch = watch_open(http, fd);
	if (!watch)
		return 0;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	uv_poll_start(&watch->poll, events, on_poll);
	return 0;
}

int loop_http_open(uv_loop_t *loop, struct loop_http **out)
{
	struct loop_http *http;
	int err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	http = calloc(1, sizeof(*http));
	if (!http) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	http->loop = loop;
	http->multi = curl_multi_init();
	err = http->multi ? uv_timer_init(loop, &http->timer) : -ENOMEM;
	if (err) {
		curl_multi_cleanup(http->multi);
		curl_global_cleanup();
		free(http);
		return err;
	}
	http->timer.data = http;
	http->handles = 1;
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	*out = http;
	return 0;
}

void loop_http_close(struct loop_http *http)
{
	CURLM *multi;

	if (!http)
		return;
	while (http->transfers)
		transfer_unlink(http, http->transfers);
	multi = http->multi;
	curl_multi_cleanup(multi);
	http->multi = NULL;
	while (http->watches)
		watch_close(http->watches);
	uv_close((uv_handle_t *)&http->timer, on_timer_closed);
	curl_global_cleanup();
}

int loop_http_start(struct loop_http *http, CURL *easy, loop_http_done *done, void *arg)
{
	struct transfer *transfer;

	if (transfer_of(easy))
		return -EBUSY;
	transfer = calloc(1, sizeof(*transfer));
	if (!transfer)
		return -ENOMEM;
	transfer->easy = easy;
	transfer->done = done;
	transfer->arg = arg;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Cancelling must not wait for a name lookup in libcurl's resolver thread. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	if (curl_multi_add_handle(http->multi, easy)) {
		curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
		free(transfer);
		return -ENOMEM;
	}
	transfer->link = &http->transfers;
	transfer->next = http->transfers;
	if (transfer->next)
		transfer->next->link = &transfer->next;
	http->transfers = transfer;
	return 0;
}

void loop_http_cancel(struct loop_http *http, CURL *easy)
{
	struct transfer *transfer = transfer_of(easy);

	if (transfer)
		transfer_unlink(http, transfer);
}
