/* SPDX-License-Identifier: BSD-2-Clause */
/* The HTTP probe: one GET over a fresh connection, judged by status and, if asked for, by what the body holds. */
#include "probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (64u << 10) /* of an answer; the rest is not fetched */

struct probe_http {
	struct probe probe;
	struct loop_http *http;
	CURL *easy;
	struct curl_slist *headers;
	const struct config_health *check;
	probe_done *done;
	void *arg;
	int open_error; /* -errno of socket(2) */
	bool is_body_cut;
	size_t body_size;
	char *body; /* kept only where it is to be searched */
};

static void probe_http_free(struct probe_http *self)
{
	curl_easy_cleanup(self->easy);
	curl_slist_free_all(self->headers);
	free(self->body);
	free(self);
}

static void probe_http_cancel(struct probe *probe)
{
	struct probe_http *self = (struct probe_http *)probe;

	loop_http_cancel(self->http, self->easy);
	probe_http_free(self);
}

/* libcurl does not tell which error socket(2) gave, and a host out of descriptors must not blame its backends. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct probe_http *self = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	(void)purpose;
	if (fd < 0) {
		self->open_error = -errno;
		return CURL_SOCKET_BAD;
	}
	return fd;
}

static size_t on_body(char *data, size_t unit, size_t size, void *arg)
{
	struct probe_http *self = arg;
	size_t taken = size * unit;

	if (taken > BODY_MAX - self->body_size) {
		taken = BODY_MAX - self->body_size;
		self->is_body_cut = true;
	}
	if (self->check->expect_body[0]) {
		char *grown = realloc(self->body, self->body_size + taken + 1);

		if (!grown)
			return 0;
		self->body = grown;
		memcpy(self->body + self->body_size, data, taken);
	}
	self->body_size += taken;
	return self->is_body_cut ? 0 : size * unit;
}

__attribute__((format(printf, 2, 3))) static void fail(struct probe_outcome *outcome, const char *format, ...)
{
	va_list args;

	outcome->ok = false;
	va_start(args, format);
	vsnprintf(outcome->error, sizeof(outcome->error), format, args);
	va_end(args);
}

static void judge_failure(struct probe_http *self, CURLcode result, struct probe_outcome *outcome)
{
	long os_error = 0;

	curl_easy_getinfo(self->easy, CURLINFO_OS_ERRNO, &os_error);
	switch (result) {
	case CURLE_COULDNT_CONNECT:
		if (self->open_error)
			probe_outcome_from_errno(outcome, self->open_error);
		else if (os_error)
			probe_outcome_from_errno(outcome, -(int)os_error);
		else
			fail(outcome, "cannot connect");
		break;
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
		probe_outcome_from_errno(outcome, -ENOMEM);
		break;
	case CURLE_GOT_NOTHING:
		fail(outcome, "closed the connection without an answer");
		break;
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		fail(outcome, "connection lost before the answer was whole");
		break;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		fail(outcome, "answered with something that is not HTTP");
		break;
	default:
		fail(outcome, "%s", curl_easy_strerror(result));
	}
}

static void judge_answer(const struct probe_http *self, struct probe_outcome *outcome)
{
	const struct config_health *check = self->check;
	long status = 0;

	curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
	if (check->expect_status ? status != check->expect_status : status < 200 || status > 399)
		fail(outcome, "answered %ld", status);
	else if (check->expect_body[0] &&
		 (!self->body || !memmem(self->body, self->body_size, check->expect_body, strlen(check->expect_body))))
		fail(outcome, "body lacks \"%s\"", check->expect_body);
}

static void on_done(void *arg, CURL *easy, CURLcode result)
{
	struct probe_http *self = arg;
	struct probe_outcome outcome = {.ok = true};
	probe_done *done = self->done;
	void *done_arg = self->arg;

	(void)easy;
	if (result == CURLE_OK || (result == CURLE_WRITE_ERROR && self->is_body_cut))
		judge_answer(self, &outcome);
	else
		judge_failure(self, result, &outcome);
	probe_http_free(self);
	done(done_arg, &outcome);
}

static int add_header(struct probe_http *self, const char *name, const char *value)
{
	char line[300];
	struct curl_slist *grown;

	snprintf(line, sizeof(line), "%s: %s", name, value);
	grown = curl_slist_append(self->headers, line);
	if (!grown)
		return -ENOMEM;
	self->headers = grown;
	return 0;
}

static int request_prepare(struct probe_http *self, const struct addr *address)
{
	const struct config_health *check = self->check;
	const char *path = check->path[0] ? check->path : "/";
	char text[ADDR_TEXT_MAX], url[ADDR_TEXT_MAX + sizeof(check->path) + 32];
	bool is_v6 = address->family == WEIR_IPV6;
	CURL *easy = self->easy;

	addr_format(address, text);
	snprintf(url, sizeof(url), "http://%s%s%s:%u%s%s", is_v6 ? "[" : "", text, is_v6 ? "]" : "", check->port,
		 path[0] == '/' ? "" : "/", path);
	if (check->host[0] && add_header(self, "Host", check->host))
		return -ENOMEM;
	if (add_header(self, "Connection", "close"))
		return -ENOMEM;
	if (curl_easy_setopt(easy, CURLOPT_URL, url) || curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir-health"))
		return -ENOMEM;
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, self->headers);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, self);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, self);
	return 0;
}

int probe_http_start(struct loop_http *http, const struct addr *address, const struct config_health *check,
		     probe_done *done, void *arg, struct probe **out)
{
	struct probe_http *self = calloc(1, sizeof(*self));
	int err;

	if (!self)
		return -ENOMEM;
	self->probe.cancel = probe_http_cancel;
	self->http = http;
	self->check = check;
	self->done = done;
	self->arg = arg;
	self->easy = curl_easy_init();
	err = self->easy ? request_prepare(self, address) : -ENOMEM;
	if (!err)
		err = loop_http_start(http, self->easy, on_done, self);
	if (err) {
		probe_http_free(self);
		return err;
	}
	*out = &self->probe;
	return 0;
}
