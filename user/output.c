// SPDX-License-Identifier: GPL-2.0
/*
 * The way out: a whole screen or JSON object at a time, with every error of
 * writing noticed. Knows the terminal, not what is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ctkstat.h"

int flush_output(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	/* A reader that has seen enough, as head(1), needs no message. */
	if (errno == EPIPE)
		return fail("%s", "");
	return fail("cannot write: %s", strerror(errno));
}

/*
 * Over the screen before it, as much as it has room for; the cursor's is the
 * last line. A line is cleared before it is written: behind its last column the
 * cursor would still be on it.
 */
static void put_over(const char *text)
{
	fputs("\033[H", stdout);
	for (size_t left = screen_rows() - 1; *text && left; left--) {
		size_t len = strcspn(text, "\n");

		fputs("\033[2K", stdout);
		fwrite(text, 1, len, stdout);
		if (text[len])
			fputc('\n', stdout);
		text += len + !!text[len];
	}
	fputs("\033[J", stdout);
}

/* NULL, and a failure, without memory; the caller frees it. */
char *make_text(put_page page, const struct options *o,
		const struct snapshot *s)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (out)
		page(out, o, s);
	if (!out || fclose(out)) {
		free(text);
		text = NULL;
		fail("no memory for the screen");
	}
	return text;
}

int put_text(const struct options *o, const char *text)
{
	if (o->redraw)
		put_over(text);
	else
		fputs(text, stdout);
	return flush_output();
}

int put_json(const struct options *o, json_t *json)
{
	/* fill has six places, and is less than 1000 in any sane table. */
	size_t flags = JSON_REAL_PRECISION(9) |
		       (o->pretty ? JSON_INDENT(2) : JSON_COMPACT);
	char *text = json_dumps(json, flags);

	json_decref(json);
	if (!text)
		return fail("no memory for the JSON text");
	fputs(text, stdout);
	fputc('\n', stdout);
	free(text);
	return flush_output();
}

/* @lead, then @text broken at spaces; lines after the first begin at @hang. */
void put_hanging(FILE *out, const char *lead, size_t hang, const char *text)
{
	size_t column = strlen(lead);

	fputs(lead, out);
	while (*text) {
		size_t word = strcspn(text, " ");

		if (column + word > COLUMNS && column > hang) {
			fprintf(out, "\n%*s", (int)hang, "");
			column = hang;
		}
		fwrite(text, 1, word, out);
		column += word;
		text += word;
		if (*text == ' ' && column < COLUMNS) {
			/* No space at the end of a line. */
			if (column + 1 + strcspn(text + 1, " ") <= COLUMNS)
				fputc(' ', out);
			column++;
		}
		text += *text == ' ';
	}
	fputc('\n', out);
}

/* As put_hanging(), but to be pasted: a line goes on behind a backslash. */
void put_command(FILE *out, const char *lead, size_t hang, const char *text)
{
	size_t column = strlen(lead);

	fputs(lead, out);
	while (*text) {
		size_t word = strcspn(text, " ");

		if (column + word + 2 > COLUMNS && column > hang) {
			fprintf(out, "\\\n%*s", (int)hang, "");
			column = hang;
		}
		fwrite(text, 1, word, out);
		text += word;
		column += word;
		if (*text == ' ') {
			fputc(' ', out);
			column++;
			text++;
		}
	}
	fputc('\n', out);
}

/* Indented, and by two more after the first line. */
void put_wrapped(FILE *out, const char *indent, const char *text)
{
	put_hanging(out, indent, strlen(indent) + 2, text);
}

size_t screen_rows(void)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) || !ws.ws_row)
		return 24;
	return ws.ws_row;
}

/* Eighths of a column where the terminal has them. */
void put_bar(FILE *out, const struct options *o, uint64_t part, uint64_t whole,
	     int width)
{
	static const char *const eighths[] = {
		" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"
	};
	uint64_t left = whole ? part * (uint64_t)width * 8 / whole : 0;

	for (int i = 0; i < width; i++) {
		uint64_t eighth = left > 8 ? 8 : left;

		if (o->utf8)
			fputs(eighths[eighth], out);
		else
			fputc(eighth > 3 ? '#' : ' ', out);
		left -= eighth;
	}
}
