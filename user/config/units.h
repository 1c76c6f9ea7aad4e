/* SPDX-License-Identifier: BSD-2-Clause */
/* Values with units as text to numbers. Each returns NULL, or the sentence that says what is wrong; outputs are
 * untouched then. */
#ifndef WEIR_CONFIG_UNITS_H
#define WEIR_CONFIG_UNITS_H

#include "config.h"

/* Decimal digits alone, no sign, no leading zeros. */
const char *units_integer(const char *text, uint64_t *out);
/* "500ms", "2s", "10m", "1h", "1d": whole milliseconds. */
const char *units_duration(const char *text, uint64_t *ms);
/* "2000/s", "10k/s", "200Mbit/s"; per s, m or h. Not zero. */
const char *units_rate(const char *text, enum config_limit_unit *unit, double *per_s);
/* "4000", "4k" (packets). Not zero. */
const char *units_count(const char *text, double *out);
/* "64kB", "1MiB", "10Mbit": in bits. Not zero. */
const char *units_size(const char *text, double *bits);
/* "50%": 0..100, whole. */
const char *units_percent(const char *text, uint8_t *out);
/* "30%": 1..1000, whole. */
const char *units_change(const char *text, uint16_t *out);
/* "16", "0x10": what a packet may be marked with. Not zero. */
const char *units_mark(const char *text, uint32_t *out);
/* RFC 3339: "2026-12-01T00:00:00Z", "2026-12-01T01:00:00+01:00", or a date, which begins at midnight UTC. From 1970 on,
 * in seconds since then; fractions are cut off. */
const char *units_date(const char *text, int64_t *seconds);
/* "tcp/80", "tcp/8000-8099", "tcp/any", "udp/443", "icmp". */
const char *units_ports(const char *text, struct config_ports *out);
/* "source", "source/24,/56". */
const char *units_limit_key(const char *text, uint8_t *prefix4, uint8_t *prefix6);

#endif
