/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop's glue: one libuv loop, and libcurl's multi interface on it for every HTTP(S) client.
 */
#ifndef WEIR_BASE_LOOP_H
#define WEIR_BASE_LOOP_H

#include "late.h"
#include <uv.h>

struct loop_http; /* a curl multi handle on a loop */

/* After late_load(). 0 or a negative errno. */
int loop_http_open(uv_loop_t *loop, struct loop_http **out);
/* Cancels what is under way (no callback is called for it) and closes. The loop must run once more before it is
 * closed itself. */
void loop_http_close(struct loop_http *http);

/* Starts a transfer. done is called once, on the loop, with the result; the easy handle is still the caller's then
 * and must be cleaned up (or reused) by it. The loop owns CURLOPT_PRIVATE meanwhile. 0, -EBUSY or -ENOMEM. */
typedef void loop_http_done(void *arg, CURL *easy, CURLcode result);
int loop_http_start(struct loop_http *http, CURL *easy, loop_http_done *done, void *arg);
/* Stops a transfer that is under way; done is not called. */
void loop_http_cancel(struct loop_http *http, CURL *easy);

#endif
