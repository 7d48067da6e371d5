// SPDX-License-Identifier: GPL-2.0
/*
 * The debugfs window, for root: "netns", a header and a line for each
 * namespace, "events", a line of key=value for each that is remembered, and
 * "status". Columns align for people and split on white space for awk; "-"
 * stands for what is absent. It formats what the rest of the
 * module computes, holds no lock between two lines, and prints no kernel
 * address.
 */
#include <linux/debugfs.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>
#include "attach.h"
#include "debugfs.h"
#include "events.h"
#include "netns.h"
#include "offender.h"
#include "version.h"

/* The longest cell is a time, 14 characters, or a u64 of 20. */
#define CTK_CELL_SIZE 24

static struct dentry *ctk_debugfs_dir;

static void ctk_format_time(char *cell, u64 time)
{
	u32 nsecs;
	u64 secs = div_u64_rem(time, NSEC_PER_SEC, &nsecs);

	if (time)
		snprintf(cell, CTK_CELL_SIZE, "%llu.%03u", secs,
			 nsecs / (u32)NSEC_PER_MSEC);
	else
		strscpy(cell, "-", CTK_CELL_SIZE);
}

static void ctk_format_number(char *cell, bool known, s64 number)
{
	if (known)
		snprintf(cell, CTK_CELL_SIZE, "%lld", number);
	else
		strscpy(cell, "-", CTK_CELL_SIZE);
}

/**
 * struct ctk_column - a column of "netns"
 * @name: as the JSON key of ctkstat
 * @format: writes the cell, at most %CTK_CELL_SIZE bytes with its NUL
 */
struct ctk_column {
	const char *name;
	void (*format)(char *cell, const struct ctk_netns_info *info);
};

#define CTK_NUMBER(column, known, number)				\
static void ctk_column_##column(char *cell,				\
				const struct ctk_netns_info *info)	\
{									\
	ctk_format_number(cell, known, number);				\
}

#define CTK_TIME(column, time)						\
static void ctk_column_##column(char *cell,				\
				const struct ctk_netns_info *info)	\
{									\
	ctk_format_time(cell, time);					\
}

CTK_NUMBER(netns_inum, true, info->inum)
CTK_NUMBER(id, true, info->id)
CTK_NUMBER(entries, info->attached, info->entries)
CTK_NUMBER(limit, info->attached, info->limit)
CTK_NUMBER(peak, info->attached || info->peak, info->peak)
CTK_NUMBER(growth_rate, info->attached, info->growth_rate)
CTK_NUMBER(seconds_to_full, info->seconds_to_full != CTK_NEVER,
	   info->seconds_to_full)
CTK_NUMBER(lost, true, info->lost)
CTK_NUMBER(loss_rate, info->attached, info->loss_rate)
CTK_NUMBER(table_full_drops, true, info->losses.table_full_drops)
CTK_NUMBER(chain_too_long_drops,
	   ctk_kernel_stat_offset(CTK_A_KERNEL_STATS_CHAIN_TOOLONG) >= 0,
	   info->losses.chain_too_long_drops)
CTK_NUMBER(other_drops, true, info->losses.other_drops)
CTK_NUMBER(refused_inserts, true, info->losses.refused_inserts)
CTK_NUMBER(admitted_by_eviction, true, info->losses.admitted_by_eviction)
CTK_NUMBER(no_memory_drops, info->no_memory, info->losses.no_memory_drops)
CTK_NUMBER(attributed_drops, true, info->attributed)
CTK_NUMBER(unattributed_drops, true, info->lost - info->attributed)
CTK_NUMBER(kernel_drop, true, info->kernel[CTK_A_KERNEL_STATS_DROP])
CTK_TIME(full_since, info->full_since)
CTK_TIME(last_loss_time, info->last_loss_time)

static void ctk_column_fill(char *cell, const struct ctk_netns_info *info)
{
	u32 rest;
	u32 whole = div_u64_rem(info->fill, 1000000, &rest);

	if (info->attached && info->limit)
		snprintf(cell, CTK_CELL_SIZE, "%u.%04u", whole, rest / 100);
	else
		strscpy(cell, "-", CTK_CELL_SIZE);
}

#define CTK_COLUMN(column) { #column, ctk_column_##column }

static const struct ctk_column ctk_columns[] = {
	CTK_COLUMN(netns_inum),
	CTK_COLUMN(id),
	CTK_COLUMN(entries),
	CTK_COLUMN(limit),
	CTK_COLUMN(fill),
	CTK_COLUMN(peak),
	CTK_COLUMN(growth_rate),
	CTK_COLUMN(seconds_to_full),
	CTK_COLUMN(lost),
	CTK_COLUMN(loss_rate),
	CTK_COLUMN(table_full_drops),
	CTK_COLUMN(chain_too_long_drops),
	CTK_COLUMN(other_drops),
	CTK_COLUMN(refused_inserts),
	CTK_COLUMN(admitted_by_eviction),
	CTK_COLUMN(no_memory_drops),
	CTK_COLUMN(attributed_drops),
	CTK_COLUMN(unattributed_drops),
	CTK_COLUMN(kernel_drop),
	CTK_COLUMN(full_since),
	CTK_COLUMN(last_loss_time),
};

static void ctk_put_cell(struct seq_file *s, int column, const char *cell)
{
	int width = max_t(int, strlen(ctk_columns[column].name), 14);

	if (column < ARRAY_SIZE(ctk_columns) - 1)
		seq_printf(s, "%-*s ", width, cell);
	else
		seq_printf(s, "%s\n", cell);
}

/* A position is the lowest id still to show; 0, which no id is, the header. */
static void *ctk_netns_seq_at(struct seq_file *s, loff_t *pos)
{
	struct ctk_netns_info *info = s->private;

	if (*pos == 0)
		return SEQ_START_TOKEN;
	if (!ctk_netns_read_next(*pos, &init_net, info))
		return NULL;
	*pos = info->id;
	return info;
}

static void *ctk_netns_seq_start(struct seq_file *s, loff_t *pos)
{
	ctk_netns_refresh();
	return ctk_netns_seq_at(s, pos);
}

static void *ctk_netns_seq_next(struct seq_file *s, void *v, loff_t *pos)
{
	++*pos;
	return ctk_netns_seq_at(s, pos);
}

static void ctk_netns_seq_stop(struct seq_file *s, void *v)
{
}

static int ctk_netns_seq_show(struct seq_file *s, void *v)
{
	char cell[CTK_CELL_SIZE];
	int i;

	for (i = 0; i < ARRAY_SIZE(ctk_columns); i++) {
		if (v == SEQ_START_TOKEN) {
			ctk_put_cell(s, i, ctk_columns[i].name);
		} else {
			ctk_columns[i].format(cell, v);
			ctk_put_cell(s, i, cell);
		}
	}
	return 0;
}

static const struct seq_operations ctk_netns_seq_ops = {
	.start	= ctk_netns_seq_start,
	.next	= ctk_netns_seq_next,
	.stop	= ctk_netns_seq_stop,
	.show	= ctk_netns_seq_show,
};

static int ctk_netns_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &ctk_netns_seq_ops,
				sizeof(struct ctk_netns_info));
}

static const struct file_operations ctk_netns_fops = {
	.owner		= THIS_MODULE,
	.open		= ctk_netns_open,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release_private,
};

static const char * const ctk_event_names[] = {
	[CTK_EVENT_ATTACHED]		= "attached",
	[CTK_EVENT_DETACHED]		= "detached",
	[CTK_EVENT_LIMIT_CHANGED]	= "limit-changed",
	[CTK_EVENT_BUCKETS_CHANGED]	= "buckets-changed",
	[CTK_EVENT_THRESHOLD]		= "threshold",
	[CTK_EVENT_FULL_BEGIN]		= "full-begin",
	[CTK_EVENT_FULL_END]		= "full-end",
	[CTK_EVENT_CHAIN_BEGIN]		= "chain-begin",
	[CTK_EVENT_CHAIN_END]		= "chain-end",
	[CTK_EVENT_HOOK_BLIND]		= "hook-blind",
	[CTK_EVENT_NETNS_GONE]		= "netns-gone",
};

/* A position is the lowest number still to show, less one. */
static void *ctk_events_seq_start(struct seq_file *s, loff_t *pos)
{
	struct ctk_event *event = s->private;

	if (!ctk_event_next(*pos + 1, 0, event))
		return NULL;
	*pos = event->seq - 1;
	return event;
}

static void *ctk_events_seq_next(struct seq_file *s, void *v, loff_t *pos)
{
	++*pos;
	return ctk_events_seq_start(s, pos);
}

static void ctk_events_seq_stop(struct seq_file *s, void *v)
{
}

/* A process chooses its name, so it must not look like another key. */
static void ctk_show_name(struct seq_file *s, const char *key,
			  const char *name)
{
	if (!name[0])
		return;
	seq_printf(s, " %s=", key);
	seq_escape(s, name, " \t\n\\=");
}

static int ctk_events_seq_show(struct seq_file *s, void *v)
{
	const struct ctk_event *e = v;
	char time[CTK_CELL_SIZE];
	int i;

	ctk_format_time(time, ctk_boottime_to_real(e->time));
	seq_printf(s, "seq=%llu time=%s event=%s", e->seq, time,
		   ctk_event_names[e->type]);
	if (e->netns_id)
		seq_printf(s, " netns_inum=%u id=%llu", e->netns_inum,
			   e->netns_id);
	if (e->actor.pid)
		seq_printf(s, " pid=%d", e->actor.pid);
	ctk_show_name(s, "comm", e->actor.comm);
	ctk_show_name(s, "parent_comm", e->actor.parent_comm);
	ctk_show_name(s, "request", e->actor.request);
	for (i = 0; i < CTK_EVENT_FIELDS; i++)
		if (ctk_event_has(e, &ctk_event_fields[i]))
			seq_printf(s, " %s=%llu", ctk_event_fields[i].name,
				   ctk_event_value(e, &ctk_event_fields[i]));
	seq_putc(s, '\n');
	return 0;
}

static const struct seq_operations ctk_events_seq_ops = {
	.start	= ctk_events_seq_start,
	.next	= ctk_events_seq_next,
	.stop	= ctk_events_seq_stop,
	.show	= ctk_events_seq_show,
};

static int ctk_events_open_file(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &ctk_events_seq_ops,
				sizeof(struct ctk_event));
}

static const struct file_operations ctk_events_fops = {
	.owner		= THIS_MODULE,
	.open		= ctk_events_open_file,
	.read		= seq_read,
	.llseek		= seq_lseek,
	.release	= seq_release_private,
};

static const char * const ctk_hook_names[] = {
	[CTK_HOOK_WRAPPER]	= "wrapper",
	[CTK_HOOK_KRETPROBE]	= "kretprobe",
	[CTK_HOOK_BLIND]	= "blind",
};

static const char * const ctk_form_names[] = {
	[CTK_HOOK_FORM_WRAPPER]		= "wrapper",
	[CTK_HOOK_FORM_KRETPROBE]	= "kretprobe",
};

static const char * const ctk_state_names[] = {
	[CTK_HOOK_STATE_OFF]	= "off",
	[CTK_HOOK_STATE_ON]	= "on",
	[CTK_HOOK_STATE_BLIND]	= "blind",
};

static void ctk_show_hook(struct seq_file *s, const struct ctk_hook_info *hook)
{
	seq_printf(s, "hooks: symbol=%s form=%s state=%s missed=%llu",
		   hook->symbol, ctk_form_names[hook->form],
		   ctk_state_names[hook->state], hook->missed);
	if (hook->wrapper_error)
		seq_printf(s, " wrapper_error=%d", hook->wrapper_error);
	if (hook->error)
		seq_printf(s, " error=%d", hook->error);
	seq_putc(s, '\n');
}

static int ctk_status_show(struct seq_file *s, void *v)
{
	struct ctk_status status;
	char since[CTK_CELL_SIZE];

	ctk_status_read(&status);
	seq_printf(s, "version: %s\nattached: %d\n", CTK_VERSION,
		   status.attached);
	if (status.attached) {
		ctk_format_time(since, status.attached_since);
		seq_printf(s, "attached_since: %s\nlimit: %u\nbuckets: %u\n",
			   since, status.limit, status.buckets);
		seq_printf(s, "hook: %s\n",
			   ctk_hook_names[ctk_hook_summary(&status.hook)]);
	} else {
		seq_puts(s, "attached_since: -\nlimit: -\nbuckets: -\n");
		seq_puts(s, "hook: -\n");
	}
	seq_printf(s, "missed: %llu\n", status.hook.missed);
	seq_printf(s, "attribution: %s\narmed: %d\nmarks_lost: %llu\n",
		   ctk_attribution_name(status.attribution.policy),
		   status.attribution.armed, status.attribution.marks_lost);
	seq_printf(s, "offender_slots: %u\n", CTK_OFFENDER_SLOTS);
	ctk_show_hook(s, &status.hook);
	if (status.has_nomem)
		ctk_show_hook(s, &status.nomem);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ctk_status);

/**
 * ctk_debugfs_init() - open the window
 *
 * A kernel without debugfs, or one that is locked down, has no such window;
 * that is no error.
 *
 * Context: module init.
 */
void ctk_debugfs_init(void)
{
	ctk_debugfs_dir = debugfs_create_dir("ctk", NULL);
	debugfs_create_file("netns", 0400, ctk_debugfs_dir, NULL,
			    &ctk_netns_fops);
	debugfs_create_file("events", 0400, ctk_debugfs_dir, NULL,
			    &ctk_events_fops);
	debugfs_create_file("status", 0400, ctk_debugfs_dir, NULL,
			    &ctk_status_fops);
}

/**
 * ctk_debugfs_exit() - close it; no read is under way when it returns
 *
 * Context: module exit.
 */
void ctk_debugfs_exit(void)
{
	debugfs_remove(ctk_debugfs_dir);
}
