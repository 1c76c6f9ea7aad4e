/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads captures: tells the formats apart, and reads classic pcap. Nothing that the file says is believed unchecked. */
#include "reader.h"
#include "../base/scope.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define PCAP_MAGIC_US	  0xa1b2c3d4u
#define PCAP_MAGIC_NS	  0xa1b23c4du
#define PCAPNG_SECTION	  0x0a0d0d0au /* the same in either byte order */
#define PCAP_LINK_MASK	  0xffffu     /* above it: what is said about frame check sequences */
#define NS_PER_S	  1000000000ull
#define READER_SKIP_CHUNK 4096

struct pcap_header {
	uint16_t major, minor;
	int32_t zone;
	uint32_t accuracy, snap_length, link_type;
};

struct pcap_record {
	uint32_t seconds, fraction, captured, original;
};

static const struct {
	uint32_t number;
	const char *name;
} link_types[] = {
	{0, "NULL (BSD loopback)"},
	{9, "PPP"},
	{12, "RAW"},
	{50, "PPP_HDLC"},
	{101, "RAW (bare IP)"},
	{105, "IEEE802_11 (Wi-Fi)"},
	{108, "LOOP (OpenBSD loopback)"},
	{113, "LINUX_SLL (tcpdump -i any)"},
	{127, "IEEE802_11_RADIOTAP (Wi-Fi)"},
	{192, "PPI"},
	{220, "USB_LINUX_MMAPPED"},
	{228, "IPV4 (bare IP)"},
	{229, "IPV6 (bare IP)"},
	{239, "NFLOG"},
	{253, "NETLINK"},
	{276, "LINUX_SLL2 (tcpdump -i any)"},
};

int reader_damaged(struct replay_reader *reader, struct problem *problem, const char *format, ...)
{
	char what[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	reader->failed = true;
	return problem_set(problem, -EBADMSG, "%s: packet %llu, offset %llu: %s", reader->name,
			   (unsigned long long)reader->packets + 1, (unsigned long long)reader->offset, what);
}

int reader_get(struct replay_reader *reader, void *out, size_t size, struct problem *problem)
{
	size_t got = fread(out, 1, size, reader->file);

	if (got == size) {
		reader->offset += size;
		return 1;
	}
	if (ferror(reader->file)) {
		int error = errno ? -errno : -EIO;

		reader->failed = true;
		return problem_set(problem, error, "%s: reading failed at offset %llu: %s", reader->name,
				   (unsigned long long)(reader->offset + got), strerror(-error));
	}
	if (!got)
		return 0;
	return reader_damaged(reader, problem, "the file ends %zu bytes into a part of %zu", got, size);
}

int reader_need(struct replay_reader *reader, void *out, size_t size, struct problem *problem)
{
	int result = size ? reader_get(reader, out, size, problem) : 1;

	if (!result)
		return reader_damaged(reader, problem, "the file ends where %zu more bytes should follow", size);
	return result < 0 ? result : 0;
}

int reader_skip(struct replay_reader *reader, uint64_t size, struct problem *problem)
{
	uint8_t chunk[READER_SKIP_CHUNK];

	while (size) {
		size_t part = size < sizeof(chunk) ? size : sizeof(chunk);
		int result = reader_need(reader, chunk, part, problem);

		if (result)
			return result;
		size -= part;
	}
	return 0;
}

int reader_check_link(struct replay_reader *reader, uint32_t link_type, struct problem *problem)
{
	const char *name = "unknown here";

	if (link_type == READER_LINK_ETHERNET)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(link_types); i++)
		if (link_types[i].number == link_type)
			name = link_types[i].name;
	reader->failed = true;
	problem_set(problem, -EPROTONOSUPPORT, "%s: packet %llu, offset %llu: link type %u, %s, is not Ethernet",
		    reader->name, (unsigned long long)reader->packets + 1, (unsigned long long)reader->offset,
		    link_type, name);
	problem_hint(problem, "capture on one Ethernet interface: tcpdump -i eth0 -w FILE");
	return -EPROTONOSUPPORT;
}

static int reader_pcap_header(struct replay_reader *reader, struct problem *problem)
{
	struct pcap_header header;
	int error = reader_need(reader, &header, sizeof(header), problem);

	if (error)
		return error;
	if (reader_u16(reader, header.major) != 2)
		return reader_damaged(reader, problem, "pcap version %u.%u; 2.4 is known",
				      reader_u16(reader, header.major), reader_u16(reader, header.minor));
	return reader_check_link(reader, reader_u32(reader, header.link_type) & PCAP_LINK_MASK, problem);
}

static int reader_pcap_next(struct replay_reader *reader, struct replay_packet *packet, struct problem *problem)
{
	struct pcap_record record;
	uint32_t size, original, fraction;
	int result = reader_get(reader, &record, sizeof(record), problem);

	if (result <= 0)
		return result;
	size = reader_u32(reader, record.captured);
	original = reader_u32(reader, record.original);
	fraction = reader_u32(reader, record.fraction);
	if (size > READER_MAX_PACKET)
		return reader_damaged(reader, problem, "a length of %u bytes; at most %u are allowed", size,
				      READER_MAX_PACKET);
	if (original < size)
		return reader_damaged(reader, problem, "%u bytes captured of a packet of %u", size, original);
	if (fraction >= (reader->nanoseconds ? NS_PER_S : NS_PER_S / 1000))
		return reader_damaged(reader, problem, "a time with %u fractions of a second", fraction);
	result = reader_need(reader, reader->packet, size, problem);
	if (result)
		return result;
	*packet = (struct replay_packet){
		.data = reader->packet,
		.size = size,
		.original_size = original,
		.time_ns = reader_u32(reader, record.seconds) * NS_PER_S +
			   fraction * (reader->nanoseconds ? 1ull : 1000ull),
	};
	return 1;
}

static int reader_begin(struct replay_reader *reader, struct problem *problem)
{
	uint32_t magic = 0;
	int result = reader_get(reader, &magic, sizeof(magic), problem);

	if (!result)
		return reader_damaged(reader, problem, "the file is empty");
	if (result < 0)
		return result;
	if (magic == PCAPNG_SECTION) {
		reader->pcapng = true;
		return reader_ng_section(reader, problem);
	}
	reader->swapped = magic == __builtin_bswap32(PCAP_MAGIC_US) || magic == __builtin_bswap32(PCAP_MAGIC_NS);
	magic = reader_u32(reader, magic);
	reader->nanoseconds = magic == PCAP_MAGIC_NS;
	if (magic == PCAP_MAGIC_US || magic == PCAP_MAGIC_NS)
		return reader_pcap_header(reader, problem);
	reader->failed = true;
	result = problem_set(problem, -EBADMSG, "%s: neither pcap nor pcapng: it begins with %02x %02x %02x %02x",
			     reader->name, ((uint8_t *)&magic)[0], ((uint8_t *)&magic)[1], ((uint8_t *)&magic)[2],
			     ((uint8_t *)&magic)[3]);
	if (((uint8_t *)&magic)[0] == 0x1f)
		problem_hint(problem, "it looks compressed: unpack it first, with gunzip for example");
	return result;
}

int replay_reader_stream(FILE *file, const char *name, struct replay_reader **out, struct problem *problem)
{
	struct replay_reader *reader = calloc(1, sizeof(*reader));
	int error;

	if (!reader || !(reader->name = strdup(name)) || !(reader->packet = malloc(READER_MAX_PACKET))) {
		if (reader)
			free(reader->name);
		free(reader);
		return problem_set(problem, -ENOMEM, "%s: out of memory", name);
	}
	reader->file = file;
	error = reader_begin(reader, problem);
	if (error) {
		reader->file = NULL;
		replay_reader_close(reader);
		return error;
	}
	*out = reader;
	return 0;
}

int replay_reader_open(const char *path, struct replay_reader **out, struct problem *problem)
{
	AUTO_FCLOSE FILE *file = NULL;
	int error;

	file = strcmp(path, "-") ? fopen(path, "re") : fdopen(dup(STDIN_FILENO), "r");
	if (!file) {
		error = -errno;
		return problem_set(problem, error, "%s: cannot open the capture: %s", path, strerror(-error));
	}
	error = replay_reader_stream(file, strcmp(path, "-") ? path : "standard input", out, problem);
	if (!error)
		file = NULL;
	return error;
}

int replay_reader_next(struct replay_reader *reader, struct replay_packet *packet, struct problem *problem)
{
	int result;

	if (reader->failed)
		return problem_set(problem, -EBADMSG, "%s: damaged at offset %llu: nothing behind it can be read",
				   reader->name, (unsigned long long)reader->offset);
	result = reader->pcapng ? reader_ng_next(reader, packet, problem) : reader_pcap_next(reader, packet, problem);
	if (result == 1)
		reader->packets++;
	return result;
}

void replay_reader_close(struct replay_reader *reader)
{
	if (!reader)
		return;
	if (reader->file)
		fclose(reader->file);
	free(reader->interfaces);
	free(reader->packet);
	free(reader->name);
	free(reader);
}
