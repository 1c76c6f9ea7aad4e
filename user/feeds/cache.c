/* SPDX-License-Identifier: BSD-2-Clause */
/* The last good version of a list on disk: a header, IPv4 ranges, IPv6 prefixes, all in words of 64 bits. */
#include "feeds.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "../base/file.h"
#include "../base/prefixes_number.h"
#include "../base/scope.h"
#include <weir/capacity.h>

#define MAGIC		"WEIRSET\n"
#define VERSION		1
#define MODE		0640
#define WORDS_OF_PREFIX 3 /* high, low, length */

/* In the byte order of the machine; a file from one with another has an unknown version. */
struct cache_header {
	char magic[8];
	uint64_t version;
	uint64_t v4_count, v6_count, given;
	uint64_t checksum; /* of the header with 0 here, and of what follows */
};
_Static_assert(sizeof(struct cache_header) == 48, "words of 64 bits");

#define FILE_LIMIT (sizeof(struct cache_header) + WORDS_OF_PREFIX * sizeof(uint64_t) * (size_t)WEIR_MAX_PREFIXES)

/* FNV-1a's step on words: each is a bijection, so that no single changed word goes unseen. */
static uint64_t checksum_add(uint64_t sum, const void *data, size_t size)
{
	for (size_t at = 0; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, (const char *)data + at, sizeof(word));
		sum = (sum ^ word) * 0x100000001b3ull;
		sum ^= sum >> 29;
	}
	return sum;
}

static uint64_t checksum_of(const struct cache_header *header, const void *body, size_t size)
{
	struct cache_header blank = *header;

	blank.checksum = 0;
	return checksum_add(checksum_add(0xcbf29ce484222325ull, &blank, sizeof(blank)), body, size);
}

static size_t words_of(const struct cache_header *header)
{
	return header->v4_count + WORDS_OF_PREFIX * header->v6_count;
}

static void write_words(const struct prefixes *prefixes, uint64_t *words)
{
	for (size_t i = 0; i < prefixes->v4_count; i++)
		*words++ = (uint64_t)prefixes->v4[i].first << 32 | prefixes->v4[i].last;
	for (size_t i = 0; i < prefixes->v6_count; i++) {
		*words++ = prefixes->v6[i].high;
		*words++ = prefixes->v6[i].low;
		*words++ = prefixes->v6[i].length;
	}
}

int feeds_store(const char *path, const struct prefixes *prefixes, struct problem *problem)
{
	struct cache_header header = {.version = VERSION,
				      .v4_count = prefixes->v4_count,
				      .v6_count = prefixes->v6_count,
				      .given = prefixes->given};
	AUTO_FREE char *data = NULL;
	size_t size;
	int error;

	memcpy(header.magic, MAGIC, sizeof(header.magic));
	if (prefixes->v4_count + prefixes->v6_count > WEIR_MAX_PREFIXES)
		return problem_set(problem, -E2BIG, "%s: more than %d prefixes are not kept", path, WEIR_MAX_PREFIXES);
	size = words_of(&header) * sizeof(uint64_t);
	data = malloc(sizeof(header) + size);
	if (!data)
		return problem_set(problem, -ENOMEM, "%s: out of memory", path);
	write_words(prefixes, (uint64_t *)(data + sizeof(header)));
	header.checksum = checksum_of(&header, data + sizeof(header), size);
	memcpy(data, &header, sizeof(header));
	error = file_replace(path, data, sizeof(header) + size, MODE);
	if (!error)
		return 0;
	problem_set(problem, error, "the last good version of a list cannot be kept in %s: %s", path, strerror(-error));
	problem_hint(problem, "should the list be broken at the next start, its set would be empty then");
	return error;
}

static int refuse_damaged(const char *path, const char *sentence, struct problem *problem)
{
	problem_set(problem, -EBADMSG, "%s %s", path, sentence);
	problem_hint(problem, "it is left out, and written anew when the list is read");
	return -EBADMSG;
}

static int check_header(const char *path, const char *data, size_t size, struct problem *problem)
{
	struct cache_header header;

	if (size < sizeof(header))
		return refuse_damaged(path, "is no kept list: it is too short", problem);
	memcpy(&header, data, sizeof(header));
	if (memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0)
		return refuse_damaged(path, "is no kept list", problem);
	if (header.version != VERSION)
		return refuse_damaged(path, "was kept by another version of Weir", problem);
	if (header.v4_count > WEIR_MAX_PREFIXES || header.v6_count > WEIR_MAX_PREFIXES ||
	    size - sizeof(header) != words_of(&header) * sizeof(uint64_t))
		return refuse_damaged(path, "is damaged: its size is not what its counts say", problem);
	if (checksum_of(&header, data + sizeof(header), size - sizeof(header)) != header.checksum)
		return refuse_damaged(path, "is damaged: its checksum is wrong", problem);
	return 0;
}

/* Once more through a builder: whatever the file says, the set is one. */
static int read_words(const struct cache_header *header, const uint64_t *words, struct prefixes_builder *builder)
{
	int error = 0;

	for (size_t i = 0; !error && i < header->v4_count; i++, words++) {
		struct addr first = addr_of4((uint32_t)(*words >> 32));
		struct addr last = addr_of4((uint32_t)*words);

		error = prefixes_add_range(builder, &first, &last);
	}
	for (size_t i = 0; !error && i < header->v6_count; i++, words += WORDS_OF_PREFIX) {
		struct prefix prefix = {.addr = addr_of6(words[0], words[1]), .length = (uint8_t)words[2]};
		struct addr addr = prefix.addr;

		if (words[2] > 128 || !prefix_covers(&prefix, &addr))
			return -EINVAL;
		error = prefixes_add(builder, &prefix);
	}
	builder->given = header->given;
	return error;
}

int feeds_restore(const char *path, struct prefixes **out, struct problem *problem)
{
	__attribute__((cleanup(prefixes_builder_free))) struct prefixes_builder builder = {0};
	AUTO_FREE char *data = NULL;
	struct cache_header header;
	size_t size;
	int error = file_read(path, FILE_LIMIT, &data, &size);

	if (error == -EFBIG)
		return refuse_damaged(path, "is no kept list: it is too long", problem);
	if (error)
		return problem_set(problem, error, "%s cannot be read: %s", path, strerror(-error));
	error = check_header(path, data, size, problem);
	if (error)
		return error;
	memcpy(&header, data, sizeof(header));
	error = read_words(&header, (const uint64_t *)(const void *)(data + sizeof(header)), &builder);
	if (!error)
		error = prefixes_finish(&builder, out);
	if (error == -EINVAL)
		return refuse_damaged(path, "is damaged: it holds what is no prefix", problem);
	return error ? problem_set(problem, error, "%s: out of memory", path) : 0;
}
