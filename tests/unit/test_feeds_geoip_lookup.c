/* SPDX-License-Identifier: BSD-2-Clause */
/* Unit test of user/feeds: what a walk through a database finds is what libmaxminddb says of address after address. */
#include "tests/unit/mmdb_writer.h"

#include <maxminddb.h>
#include <netinet/in.h>

#define DATABASES 40
#define NETWORKS  60
#define ADDRESSES 2000

static const char *const CODES[] = {"DE", "FR", "JP", "US"};

/* xorshift64 (Marsaglia 2003): the same networks in every run. */
static uint32_t chance(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32) % below;
}

/* Few different bits, so that networks lie in and beside each other. */
static void write_address(uint64_t *state, bool is_6, char *out)
{
	if (is_6)
		snprintf(out, ADDR_TEXT_MAX, "200%u:%x:%x::%x", 1 + chance(state, 3), chance(state, 4) << 14,
			 chance(state, 4) << 14, chance(state, 8));
	else
		snprintf(out, ADDR_TEXT_MAX, "%u.%u.%u.%u", chance(state, 4) * 64, chance(state, 4) * 64,
			 chance(state, 4), chance(state, 8));
}

static void write_prefix(uint64_t *state, bool is_6, char *out)
{
	char address[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + 8];
	struct prefix prefix;

	write_address(state, is_6, address);
	snprintf(text, sizeof(text), "%s/%u", address, 3 + chance(state, is_6 ? 126 : 30));
	prefix_parse(text, &prefix); /* masked when need be */
	snprintf(out, ADDR_TEXT_MAX, "%s", prefix_format(&prefix, address));
}

static struct mmdb_write random_database(uint64_t *state, unsigned int ip_version)
{
	struct mmdb_write to = mmdb_write_begin(24 + 4 * chance(state, 3), ip_version);
	uint32_t data[ARRAY_SIZE(CODES)];
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(CODES); i++)
		data[i] = mmdb_put_country(&to, CODES[i], "EU");
	for (int i = 0; i < NETWORKS; i++) {
		write_prefix(state, ip_version == 6 && chance(state, 2), text);
		mmdb_write_add(&to, text, data[chance(state, ARRAY_SIZE(CODES))]);
	}
	if (ip_version == 6 && mmdb_write_find(&to, "::/96")->kind == WRITE_NODE)
		mmdb_write_alias(&to, "2002::/16");
	return to;
}

static bool library_says_german(const MMDB_s *database, const struct addr *addr)
{
	struct sockaddr_in6 socket6 = {.sin6_family = AF_INET6};
	struct sockaddr_in socket4 = {.sin_family = AF_INET, .sin_addr.s_addr = addr->bytes.word[0]};
	bool is_4 = addr->family == WEIR_IPV4;
	MMDB_lookup_result_s result;
	MMDB_entry_data_s entry;
	int error;

	memcpy(&socket6.sin6_addr, &addr->bytes, 16);
	result = MMDB_lookup_sockaddr(database, is_4 ? (void *)&socket4 : (void *)&socket6, &error);
	assert_int_equal(error, MMDB_SUCCESS);
	if (!result.found_entry)
		return false;
	assert_int_equal(MMDB_get_value(&result.entry, &entry, "country", "iso_code", NULL), MMDB_SUCCESS);
	return entry.data_size == 2 && !memcmp(entry.utf8_string, "DE", 2);
}

/* Returns how many of the addresses were in it. */
static unsigned int compare(const MMDB_s *database, const struct prefixes *prefixes, bool is_6, uint64_t *state)
{
	char text[ADDR_TEXT_MAX];
	unsigned int held = 0;
	struct addr addr;

	for (int i = 0; i < ADDRESSES; i++) {
		write_address(state, is_6 && chance(state, 2), text);
		assert_int_equal(addr_parse(text, &addr), 0);
		if (!strncmp(text, "2002:", 5)) /* the library follows aliases */
			continue;
		if (prefixes_hold(prefixes, &addr, NULL) != library_says_german(database, &addr))
			fail_msg("%s: the library says otherwise", text);
		held += prefixes_hold(prefixes, &addr, NULL);
	}
	return held;
}

static void geoip_walk_agrees_with_the_library_on_every_address(void **state)
{
	static const struct region german[] = {{REGION_COUNTRY, 'D' << 8 | 'E'}};
	const struct feeds_options options = {.regions = german, .regions_count = 1};
	struct feed_file file = feed_file_begin();
	uint64_t seed = 0x9e3779b97f4a7c15ull;
	unsigned int held = 0;

	(void)state;
	for (int i = 0; i < DATABASES; i++) {
		unsigned int ip_version = i % 4 ? 6 : 4;
		struct mmdb_write to = random_database(&seed, ip_version);
		struct prefixes *prefixes = NULL;
		struct problem problem = {0};
		MMDB_s database;

		mmdb_write_file(&to, file.path);
		if (feeds_load(file.path, &options, &prefixes, NULL, &problem))
			fail_msg("%s", problem.text);
		assert_int_equal(MMDB_open(file.path, MMDB_MODE_MMAP, &database), MMDB_SUCCESS);
		held += compare(&database, prefixes, ip_version == 6, &seed);
		MMDB_close(&database);
		prefixes_release(prefixes);
		mmdb_write_end(&to);
	}
	assert_in_range(held, DATABASES * ADDRESSES / 10, DATABASES * ADDRESSES / 2);
	feed_file_end(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geoip_walk_agrees_with_the_library_on_every_address),
	};

	return cmocka_run_group_tests_name("feeds_geoip_lookup", tests, NULL, NULL);
}
