/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcurl and libmicrohttpd, loaded when the controller starts. Linked in, they cost every command of `weir` some ten
 * milliseconds, most of which go to cryptography that tests itself. Include this in place of their headers, and call
 * their functions as ever, after late_load().
 */
#ifndef WEIR_BASE_LATE_H
#define WEIR_BASE_LATE_H

#include "problem.h"
#include <curl/curl.h>
#include <microhttpd.h>

/* The functions that are used, by their names behind curl_ and MHD_. */
#define LATE_CURL_FUNCTIONS(X)                                                                                         \
	X(easy_cleanup)                                                                                                \
	X(easy_getinfo)                                                                                                \
	X(easy_init)                                                                                                   \
	X(easy_setopt)                                                                                                 \
	X(easy_strerror)                                                                                               \
	X(free)                                                                                                        \
	X(global_cleanup)                                                                                              \
	X(global_init)                                                                                                 \
	X(multi_add_handle)                                                                                            \
	X(multi_assign)                                                                                                \
	X(multi_cleanup)                                                                                               \
	X(multi_info_read)                                                                                             \
	X(multi_init)                                                                                                  \
	X(multi_remove_handle)                                                                                         \
	X(multi_setopt)                                                                                                \
	X(multi_socket_action)                                                                                         \
	X(slist_append)                                                                                                \
	X(slist_free_all)                                                                                              \
	X(url)                                                                                                         \
	X(url_cleanup)                                                                                                 \
	X(url_get)                                                                                                     \
	X(url_set)

#define LATE_MHD_FUNCTIONS(X)                                                                                          \
	X(add_response_header)                                                                                         \
	X(create_response_from_buffer)                                                                                 \
	X(destroy_response)                                                                                            \
	X(get_daemon_info)                                                                                             \
	X(get_timeout)                                                                                                 \
	X(queue_response)                                                                                              \
	X(run)                                                                                                         \
	X(start_daemon)                                                                                                \
	X(stop_daemon)

#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt

extern struct late_curl {
#define LATE_CURL_POINTER(name) typeof(curl_##name) *name;
	LATE_CURL_FUNCTIONS(LATE_CURL_POINTER)
} late_curl;

extern struct late_mhd {
#define LATE_MHD_POINTER(name) typeof(MHD_##name) *name;
	LATE_MHD_FUNCTIONS(LATE_MHD_POINTER)
} late_mhd;

/* Loads both, once. 0 or -ELIBACC, and which library or function is not there. */
int late_load(struct problem *problem);

/* What libcurl's own macros of these names see to as well: an option is a long or a pointer. */
#define LATE_OPTION(value)                                                                                             \
	({                                                                                                             \
		_Static_assert(sizeof(1 ? (value) : (value)) == sizeof(long), "an option is a long or a pointer");     \
		value;                                                                                                 \
	})

#define curl_easy_setopt(easy, option, value)	late_curl.easy_setopt(easy, option, LATE_OPTION(value))
#define curl_easy_getinfo(easy, info, value)	late_curl.easy_getinfo(easy, info, LATE_OPTION(value))
#define curl_multi_setopt(multi, option, value) late_curl.multi_setopt(multi, option, LATE_OPTION(value))
#define curl_easy_cleanup			late_curl.easy_cleanup
#define curl_easy_init				late_curl.easy_init
#define curl_easy_strerror			late_curl.easy_strerror
#define curl_free				late_curl.free
#define curl_global_cleanup			late_curl.global_cleanup
#define curl_global_init			late_curl.global_init
#define curl_multi_add_handle			late_curl.multi_add_handle
#define curl_multi_assign			late_curl.multi_assign
#define curl_multi_cleanup			late_curl.multi_cleanup
#define curl_multi_info_read			late_curl.multi_info_read
#define curl_multi_init				late_curl.multi_init
#define curl_multi_remove_handle		late_curl.multi_remove_handle
#define curl_multi_socket_action		late_curl.multi_socket_action
#define curl_slist_append			late_curl.slist_append
#define curl_slist_free_all			late_curl.slist_free_all
#define curl_url				late_curl.url
#define curl_url_cleanup			late_curl.url_cleanup
#define curl_url_get				late_curl.url_get
#define curl_url_set				late_curl.url_set
#define MHD_add_response_header			late_mhd.add_response_header
#define MHD_create_response_from_buffer		late_mhd.create_response_from_buffer
#define MHD_destroy_response			late_mhd.destroy_response
#define MHD_get_daemon_info			late_mhd.get_daemon_info
#define MHD_get_timeout				late_mhd.get_timeout
#define MHD_queue_response			late_mhd.queue_response
#define MHD_run					late_mhd.run
#define MHD_start_daemon			late_mhd.start_daemon
#define MHD_stop_daemon				late_mhd.stop_daemon

#endif
