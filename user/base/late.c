/* SPDX-License-Identifier: BSD-2-Clause */
#include "late.h"
#include "scope.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(LATE_CURL) > 1 && sizeof(LATE_MHD) > 1, "the Makefile did not find the libraries");

struct late_curl late_curl;
struct late_mhd late_mhd;

struct late_function {
	const char *name;
	size_t offset; /* of its pointer */
};

static const struct late_function curl_functions[] = {
#define LATE_CURL_FUNCTION(function) {"curl_" #function, offsetof(struct late_curl, function)},
	LATE_CURL_FUNCTIONS(LATE_CURL_FUNCTION)};

static const struct late_function mhd_functions[] = {
#define LATE_MHD_FUNCTION(function) {"MHD_" #function, offsetof(struct late_mhd, function)},
	LATE_MHD_FUNCTIONS(LATE_MHD_FUNCTION)};

static int fail(struct problem *problem)
{
	problem_set(problem, -ELIBACC, "%s", dlerror());
	problem_hint(
		problem,
		"weir run needs libcurl and libmicrohttpd as they were when it was built: scripts/setup installs them");
	return -ELIBACC;
}

/* The library stays loaded: what runs at its end may be its own. */
static int load(const char *library, const struct late_function *functions, size_t count, void *pointers,
		struct problem *problem)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return fail(problem);
	for (size_t i = 0; i < count; i++) {
		void *symbol = dlsym(handle, functions[i].name);

		if (!symbol)
			return fail(problem);
		memcpy((char *)pointers + functions[i].offset, &symbol, sizeof(symbol));
	}
	return 0;
}

int late_load(struct problem *problem)
{
	static bool is_loaded;
	int error;

	if (is_loaded)
		return 0;
	error = load(LATE_CURL, curl_functions, ARRAY_SIZE(curl_functions), &late_curl, problem);
	if (!error)
		error = load(LATE_MHD, mhd_functions, ARRAY_SIZE(mhd_functions), &late_mhd, problem);
	is_loaded = !error;
	return error;
}
