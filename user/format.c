// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers, times and names as people read them, in the reader's time zone.
 * Nothing here knows what a value means.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctkstat.h"

/* Exact while it fits @width columns, else in thousands, millions, ... */
void format_count(char *buf, size_t size, uint64_t n, int width)
{
	static const char suffix[] = "kMGTPE";
	size_t i = 0;

	if (snprintf(buf, size, "%" PRIu64, n) <= width)
		return;
	n /= 1000;
	while (snprintf(buf, size, "%" PRIu64 "%c", n, suffix[i]) > width &&
	       suffix[i + 1]) {
		n /= 1000;
		i++;
	}
}

/* Rounded down, so that 100% is all; what is not nothing is not 0%. */
void format_share(char *buf, size_t size, uint64_t part, uint64_t whole)
{
	uint64_t share = whole ? part * 100 / whole : 0;

	if (part && !share)
		snprintf(buf, size, "<1%%");
	else
		snprintf(buf, size, "%" PRIu64 "%%", share);
}

/* 45s, 1m34s, 2h05m, 3d04h: two units, seven columns. */
void format_duration(char *buf, size_t size, uint64_t seconds)
{
	uint64_t minutes = seconds / 60, hours = minutes / 60;
	uint64_t days = hours / 24;

	if (days)
		snprintf(buf, size, "%" PRIu64 "d%02ih", days,
			 (int)(hours % 24));
	else if (hours)
		snprintf(buf, size, "%" PRIu64 "h%02im", hours,
			 (int)(minutes % 60));
	else if (minutes)
		snprintf(buf, size, "%" PRIu64 "m%02is", minutes,
			 (int)(seconds % 60));
	else
		snprintf(buf, size, "%" PRIu64 "s", seconds);
}

/* 45 s, 18 min, 3 h, 4 d: how long ago, in the largest unit. */
void format_age(char *buf, size_t size, uint64_t then, uint64_t now)
{
	uint64_t seconds = now > then ? (now - then) / NSEC_PER_SEC : 0;

	if (seconds < 120)
		snprintf(buf, size, "%" PRIu64 " s", seconds);
	else if (seconds < 120 * 60)
		snprintf(buf, size, "%" PRIu64 " min", seconds / 60);
	else if (seconds < 48 * 3600)
		snprintf(buf, size, "%" PRIu64 " h", seconds / 3600);
	else
		snprintf(buf, size, "%" PRIu64 " d", seconds / 86400);
}

/* 0.4 s, 9.9 s, and from there as an age. */
void format_span(char *buf, size_t size, uint64_t ns)
{
	if (ns < 10 * NSEC_PER_SEC)
		snprintf(buf, size, "%u.%u s",
			 (unsigned int)(ns / NSEC_PER_SEC),
			 (unsigned int)(ns % NSEC_PER_SEC * 10 / NSEC_PER_SEC));
	else
		format_age(buf, size, 0, ns);
}

static void local_time(struct tm *tm, uint64_t ns)
{
	time_t t = (time_t)(ns / NSEC_PER_SEC);

	if (!localtime_r(&t, tm))
		memset(tm, 0, sizeof(*tm));
}

static bool same_day(const struct tm *a, const struct tm *b)
{
	return a->tm_year == b->tm_year && a->tm_yday == b->tm_yday;
}

static void format_near(char *buf, size_t size, uint64_t then, uint64_t now,
			const char *earlier)
{
	struct tm at, today;

	local_time(&at, then);
	local_time(&today, now);
	strftime(buf, size, same_day(&at, &today) ? "%H:%M:%S" : earlier, &at);
}

/* 02:41:07, and Oct 06 02:41 where that was not today. */
void format_clock(char *buf, size_t size, uint64_t then, uint64_t now)
{
	format_near(buf, size, then, now, "%b %d %H:%M");
}

/* The same in eight columns. */
void format_day(char *buf, size_t size, uint64_t then, uint64_t now)
{
	format_near(buf, size, then, now, "%b %d");
}

void format_date(char *buf, size_t size, uint64_t then)
{
	struct tm tm;

	local_time(&tm, then);
	strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
}

void format_iso(char *buf, size_t size, uint64_t then)
{
	time_t t = (time_t)(then / NSEC_PER_SEC);
	char seconds[32];
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		memset(&tm, 0, sizeof(tm));
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, size, "%s.%03uZ", seconds,
		 (unsigned int)(then % NSEC_PER_SEC / 1000000));
}

/*
 * A name in @width columns. Both ends are kept, since what tells cni-0a1b and
 * its like apart is at the end; what a terminal might obey is made visible.
 */
void shorten(char *buf, size_t size, const char *text, size_t width)
{
	size_t len = strlen(text);

	if (width >= size)
		width = size - 1;
	if (len <= width) {
		memcpy(buf, text, len + 1);
	} else if (width > 4) {
		size_t tail = (width - 2) / 2, head = width - 2 - tail;

		memcpy(buf, text, head);
		memcpy(buf + head, "..", 2);
		memcpy(buf + head + 2, text + len - tail, tail + 1);
	} else {
		memcpy(buf, text, width);
		buf[width] = '\0';
	}
	for (; *buf; buf++)
		if (*buf < ' ' || *buf > '~')
			*buf = '?';
}
