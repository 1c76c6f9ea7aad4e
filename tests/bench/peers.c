/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads a peer's program with its table at the size asked for, and fills tries by batches. */
#include "bench.h"
#include "keys.h"
#include "user/base/scope.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <peers.skel.h>
#include <string.h>

#define TRIE_KEY6 20

static void peer_release(void *object)
{
	peers_bpf__destroy(object);
}

static struct peers_bpf *peer_load(struct bench *bench, const char *program, const char *map, uint32_t entries)
{
	struct peers_bpf *skeleton = peers_bpf__open();
	struct bpf_program *each;

	if (!skeleton)
		bench_fail("out of memory");
	bpf_object__for_each_program(each, skeleton->obj)
		bpf_program__set_autoload(each, !strcmp(bpf_program__name(each), program));
	if (map)
		bpf_map__set_max_entries(bpf_object__find_map_by_name(skeleton->obj, map), entries);
	if (peers_bpf__load(skeleton))
		bench_fail("%s does not load: %s", program, strerror(errno));
	bench_own(bench, peer_release, skeleton);
	return skeleton;
}

int peer_open(struct bench *bench, const char *program, const char *map, uint32_t entries)
{
	struct peers_bpf *skeleton = peer_load(bench, program, map, entries);

	return bpf_program__fd(bpf_object__find_program_by_name(skeleton->obj, program));
}

static void trie_key(uint32_t number, bool is_ipv6, __u32 *key)
{
	if (is_ipv6) {
		struct keys_address6 address = keys_address6(number, 0);

		key[0] = keys_length6(number);
		for (int i = 0; i < 4; i++)
			key[1 + i] = htonl(address.word[i]);
	} else {
		key[0] = keys_length4(number);
		key[1] = htonl(keys_address4(number, 0));
	}
}

int peer_lpm(struct bench *bench, bool is_ipv6, uint32_t prefixes)
{
	const char *map = is_ipv6 ? "trie6" : "trie4", *program = is_ipv6 ? "lpm6" : "lpm4";
	struct peers_bpf *skeleton = peer_load(bench, program, map, prefixes);
	size_t key_words = is_ipv6 ? TRIE_KEY6 / 4 : 2;
	AUTO_FREE __u32 *key = calloc(prefixes, key_words * sizeof(*key));
	AUTO_FREE __u32 *values = calloc(prefixes, sizeof(*values));
	__u32 count = prefixes;

	if (!key || !values)
		bench_fail("out of memory");
	for (uint32_t i = 0; i < prefixes; i++)
		trie_key(i, is_ipv6, key + i * key_words);
	if (bpf_map_update_batch(bpf_object__find_map_fd_by_name(skeleton->obj, map), key, values, &count, NULL))
		bench_fail("%s cannot be filled: %s", map, strerror(errno));
	return bpf_program__fd(bpf_object__find_program_by_name(skeleton->obj, program));
}
