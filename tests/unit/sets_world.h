/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the tests of user/sets: a list file, a configuration with sets of it, and what the controller does with them. */
#ifndef TEST_SETS_WORLD_H
#define TEST_SETS_WORLD_H

#include "feed_file.h"

#include "user/sets/sets.h"
#include <weir/capacity.h>

#define SETS_MAX 3

struct world {
	struct feed_file file;
	struct sets *sets;
	struct config_set set[SETS_MAX];
	struct config config;
	struct sets_contents contents;
	struct problem problem;
	char told[4096]; /* sentences, each with a newline behind it */
	unsigned int told_count;
	uint64_t now_ms;
};

static inline void told(void *arg, const char *sentence)
{
	struct world *world = arg;
	size_t used = strlen(world->told);

	snprintf(world->told + used, sizeof(world->told) - used, "%s\n", sentence);
	world->told_count++;
}

static inline void write_list(const struct world *world, const char *text)
{
	char fresh[128];

	snprintf(fresh, sizeof(fresh), "%s.new", world->file.path);
	feed_file_write(fresh, text, strlen(text));
	assert_int_equal(rename(fresh, world->file.path), 0);
}

/* One more set of the list file. */
static inline struct config_set *add_set(struct world *world, const char *name)
{
	struct config_set *set = &world->set[world->config.sets_count++];

	assert_true(world->config.sets_count <= SETS_MAX);
	*set = (struct config_set){.kind = CONFIG_SET_FILE, .refresh_ms = 1000, .place = {.line = 7, .column = 3}};
	snprintf(set->name, sizeof(set->name), "%s", name);
	snprintf(set->path, sizeof(set->path), "%s", world->file.path);
	return set;
}

static inline struct world *world_begin(const char *text)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->file = feed_file_begin();
	world->config.sets = world->set;
	snprintf(world->config.path, sizeof(world->config.path), "weir.yaml");
	world->now_ms = 5000;
	assert_int_equal(sets_open(world->file.directory, &world->sets), 0);
	add_set(world, "listed");
	if (text)
		write_list(world, text);
	return world;
}

static inline void world_end(struct world *world)
{
	char command[128];

	sets_contents_clear(&world->contents);
	sets_close(world->sets);
	unlink(world->file.path);
	snprintf(command, sizeof(command), "rm -r %s/sets", world->file.directory);
	assert_int_equal(system(command), 0);
	feed_file_end(&world->file);
	free(world);
}

/* As the controller is started anew: what is known is what the directory keeps. */
static inline void restart(struct world *world)
{
	sets_contents_clear(&world->contents);
	sets_close(world->sets);
	assert_int_equal(sets_open(world->file.directory, &world->sets), 0);
}

static inline int read_sets(struct world *world)
{
	struct sets_contents contents;
	int error;

	world->problem = (struct problem){};
	world->told[0] = '\0';
	world->told_count = 0;
	error = sets_read(world->sets, &world->config, &contents, told, world, &world->problem);
	if (error)
		return error;
	sets_contents_clear(&world->contents);
	world->contents = contents;
	return 0;
}

static inline void read_anew(struct world *world)
{
	if (read_sets(world))
		fail_msg("%s", world->problem.text);
}

/* After the refresh time has gone by. */
static inline int refresh(struct world *world)
{
	world->told[0] = '\0';
	world->told_count = 0;
	world->now_ms += 1000;
	return sets_refresh(world->sets, &world->config, world->now_ms, told, world);
}

static inline int renew(struct world *world, bool accept)
{
	world->problem = (struct problem){};
	return sets_renew(world->sets, &world->config, "listed", accept, &world->problem);
}

static inline const struct sets_state *state_of(const struct world *world, size_t set)
{
	const struct sets_state *state = sets_find(world->sets, &world->set[set]);

	assert_non_null(state);
	return state;
}

static inline void assert_content(struct world *world, const char *words)
{
	read_anew(world);
	feed_assert_set(world->contents.contents[0], words);
	assert_ptr_equal(world->contents.contents[0], state_of(world, 0)->good);
}

static inline void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

#endif
