/* SPDX-License-Identifier: BSD-2-Clause */
/* What a driver tells: its name, its queues, its offloads (the SIOCETHTOOL ioctl; netdevice(7)), virtio's features. */
#include "facts.h"
#include "../base/file.h"
#include "../base/scope.h"
#include <dirent.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define FEATURE_WORDS 32 /* of 32 features each; kernels have two to three words */

static int ask(int socket, const char *name, void *command)
{
	struct ifreq request = {.ifr_data = command};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(socket, SIOCETHTOOL, &request) ? -1 : 0;
}

static int open_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* How many features the kernel has names for; 0 when it does not say. */
static __u32 count_features(int socket, const char *name)
{
	AUTO_FREE struct ethtool_sset_info *question = calloc(1, sizeof(*question) + sizeof(__u32));

	if (!question)
		return 0;
	question->cmd = ETHTOOL_GSSET_INFO;
	question->sset_mask = 1ull << ETH_SS_FEATURES;
	if (ask(socket, name, question) || !question->sset_mask || question->data[0] > FEATURE_WORDS * 32)
		return 0;
	return question->data[0];
}

/* The number of the feature of that name, or -1. */
static int find_feature(int socket, const char *name, const char *feature)
{
	__u32 count = count_features(socket, name);
	AUTO_FREE struct ethtool_gstrings *names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);

	if (!count || !names)
		return -1;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = count;
	if (ask(socket, name, names))
		return -1;
	for (__u32 i = 0; i < count; i++)
		if (!strncmp((const char *)names->data + (size_t)i * ETH_GSTRING_LEN, feature, ETH_GSTRING_LEN))
			return (int)i;
	return -1;
}

/* 1 or 0, FACT_UNKNOWN where the feature is not known. */
static int read_feature(int socket, const char *name, const char *feature)
{
	AUTO_FREE struct ethtool_gfeatures *answer =
		calloc(1, sizeof(*answer) + FEATURE_WORDS * sizeof(answer->features[0]));
	int number = find_feature(socket, name, feature);

	if (number < 0 || !answer)
		return FACT_UNKNOWN;
	answer->cmd = ETHTOOL_GFEATURES;
	answer->size = FEATURE_WORDS;
	if (ask(socket, name, answer))
		return FACT_UNKNOWN;
	return answer->features[number / 32].active >> (number % 32) & 1;
}

int ethtool_tx_checksum(const char *name)
{
	AUTO_CLOSE int socket = open_socket();

	return socket < 0 ? FACT_UNKNOWN : read_feature(socket, name, "tx-checksum-ip-generic");
}

static int count_receive_queues(const char *directory)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int count = 0;
	DIR *queues;

	snprintf(path, sizeof(path), "%s/queues", directory);
	queues = opendir(path);
	while (queues && (entry = readdir(queues)))
		count += !strncmp(entry->d_name, "rx-", 3);
	if (queues)
		closedir(queues);
	return count;
}

/* A digit a feature bit, the lowest first. */
static bool read_virtio(const char *directory, uint64_t *features)
{
	AUTO_FREE char *digits = NULL;
	char path[PATH_MAX];
	size_t size;

	snprintf(path, sizeof(path), "%s/device/features", directory);
	if (file_read(path, 256, &digits, &size))
		return false;
	*features = 0;
	for (size_t i = 0; i < 64 && (digits[i] == '0' || digits[i] == '1'); i++)
		*features |= (uint64_t)(digits[i] == '1') << i;
	return true;
}

/* /sys shows the devices of the network namespace that it was mounted in, which need not be this one. */
static void read_sys(const char *root, struct device_facts *device)
{
	char directory[PATH_MAX / 2], path[sizeof(directory) + 16];

	snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", device->name);
	if (facts_read_number(root, path) != (int)device->ifindex)
		return;
	snprintf(directory, sizeof(directory), "%s/sys/class/net/%s", root, device->name);
	device->receive_queues = count_receive_queues(directory);
	if (!strcmp(device->driver, "virtio_net"))
		device->has_virtio = read_virtio(directory, &device->virtio);
}

void ethtool_read(const char *root, struct device_facts *device)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	AUTO_CLOSE int socket = open_socket();

	device->lro = FACT_UNKNOWN;
	if (socket < 0)
		return;
	if (!ask(socket, device->name, &driver))
		snprintf(device->driver, sizeof(device->driver), "%.31s", driver.driver);
	if (!ask(socket, device->name, &channels)) {
		device->combined = (int)channels.combined_count;
		device->combined_most = (int)channels.max_combined;
	}
	device->lro = read_feature(socket, device->name, "rx-lro");
	read_sys(root, device);
}
