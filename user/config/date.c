/* SPDX-License-Identifier: BSD-2-Clause */
/* Dates and times of RFC 3339 to seconds since 1970. */
#include "units.h"

#include <string.h>

#define DAY_S 86400

/* Exactly count digits. Returns what follows, NULL if they are not there. */
static const char *read_digits(const char *text, int count, int *out)
{
	int value = 0;

	for (int i = 0; i < count; i++, text++) {
		if (*text < '0' || *text > '9')
			return NULL;
		value = value * 10 + (*text - '0');
	}
	*out = value;
	return text;
}

/* "12:34" or "12-34": two numbers of two digits. */
static const char *read_two(const char *text, char between, int *first, int *second)
{
	text = read_digits(text, 2, first);
	if (!text || *text != between)
		return NULL;
	return read_digits(text + 1, 2, second);
}

static int days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970 to the start of a year. */
static int64_t days_before(int64_t year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

/* "Z", "+01:00", "-05:30": what UTC is behind, in seconds. */
static const char *read_offset(const char *text, int *offset_s)
{
	int sign = *text == '-' ? -1 : 1, hours, minutes;

	if (*text == 'Z' || *text == 'z') {
		*offset_s = 0;
		return text + 1;
	}
	if (*text != '+' && *text != '-')
		return NULL;
	text = read_two(text + 1, ':', &hours, &minutes);
	if (!text || hours > 23 || minutes > 59)
		return NULL;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return text;
}

/* "12:34:56.7+01:00" in seconds from midnight UTC of the same date. */
static const char *read_time(const char *text, int *out)
{
	int hour, minute, second, offset;

	text = read_two(text, ':', &hour, &minute);
	if (!text || *text != ':')
		return NULL;
	text = read_digits(text + 1, 2, &second);
	if (!text || hour > 23 || minute > 59 || second > 59)
		return NULL;
	if (*text == '.') {
		size_t digits = strspn(text + 1, "0123456789");

		if (!digits)
			return NULL;
		text += 1 + digits;
	}
	text = read_offset(text, &offset);
	*out = hour * 3600 + minute * 60 + second - (text ? offset : 0);
	return text;
}

const char *units_date(const char *text, int64_t *seconds)
{
	static const char form[] = "a date is written 2026-12-01, or with its time 2026-12-01T18:30:00Z or "
				   "2026-12-01T18:30:00+01:00";
	int year, month, day, time_s = 0;
	int64_t days;

	text = read_digits(text, 4, &year);
	if (!text || *text != '-')
		return form;
	text = read_two(text + 1, '-', &month, &day);
	if (!text)
		return form;
	if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
		return "there is no such day: month and day come after the year, as in 2026-12-01";
	if (*text == 'T' || *text == 't' || *text == ' ')
		text = read_time(text + 1, &time_s);
	if (!text || *text)
		return form;
	days = days_before(year) + day - 1;
	for (int i = 1; i < month; i++)
		days += days_of_month(year, i);
	if (days * DAY_S + time_s <= 0)
		return "the date lies before 1970";
	*seconds = days * DAY_S + time_s;
	return NULL;
}
