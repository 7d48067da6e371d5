// SPDX-License-Identifier: GPL-2.0
/*
 * Why something could not be done: one text, kept until main.c prints it on
 * stderr and, with -j, as JSON. Nothing is printed here.
 */
#include <stdarg.h>
#include <stdio.h>

#include "ctkstat.h"

static char text[1024];

/* Always -1, so that it can be returned. */
int fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return -1;
}

const char *failure(void)
{
	return text;
}
