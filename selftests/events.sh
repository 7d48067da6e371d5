#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What happens is told: the begin and the end of losses with their numbers,
# thresholds with their hysteresis, changes of limit and buckets with their
# authors, a blind hook, and the last counters of a namespace that is deleted.
# The last 1024 are kept, numbered without a gap, and no namespace can bury what
# concerns all.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-events.sh
. "$(dirname "$0")/lib-events.sh"

LIMIT=500

require_tools
require_kernel

log_says()
{
	[[ $(kernel_log "$log_mark") == *"$1"* ]]
}

refuse()
{
	line=$(in_ns "$NS" "$here/flowgen" udp --to 127.0.0.1 --count "$1")
	refused=$((refused + $(count_in EPERM "$line")))
}

attached_to_what_was_there()
{
	ctk_load || return
	expect_event attached "limit=$(limit_now)" \
		"buckets=$(<$SYSCTL/nf_conntrack_buckets)"
	expect_text "who, of what was there before ctk" \
		"$(event_value comm "$event")" ''
}

thresholds_are_told_on_the_way_up()
{
	setup_ns NS
	set_limit $LIMIT
	track "$NS"
	mark_events
	fill "$NS" $((LIMIT * 8 / 10))
	expect_event threshold threshold=800000 netns_inum="$(inum_of "$NS")"
	expect "fill" "$(event_value fill "$event")" -ge 800000
	find_event threshold threshold=950000 && fail "told: $event"
	fill "$NS" '' 198.19.64.1
	expect_event threshold threshold=950000
}

# The begin is told by the first loss, the end ten seconds after the last.
an_episode_has_a_begin_and_an_end()
{
	mark_events
	log_mark=$(kmsg_last)
	refused=0
	refuse 1
	expect_event full-begin netns_inum="$(inum_of "$NS")" limit=$LIMIT
	busywait log_says "table full, losing new connections" ||
		fail "the kernel log does not tell the begin"
	refuse 1999
	expect_event full-end netns_inum="$(inum_of "$NS")"
	expect "lost" "$(event_value lost "$event")" -eq $refused
	expect "the kernel's drop" "$(kernel_stat "$NS" drop)" -eq $refused
	expect "duration" "$(event_value duration "$event")" -lt 60000000000
	busywait log_says "no more loss to a full table, $refused packets lost" ||
		fail "the kernel log does not tell the end"
	expect_text "all" "$(event_types)" "full-begin full-end "
}

# The next begin is not told at once then, or a loop could bury all else.
a_reset_ends_the_episode()
{
	local i

	mark_events
	refused=0
	refuse 10
	expect_event full-begin
	"$here/nlprobe" reset netns-inum="$(inum_of "$NS")" >/dev/null
	expect_event full-end lost=$refused
	for i in 1 2 3 4 5; do
		refuse 1
		"$here/nlprobe" reset netns-inum="$(inum_of "$NS")" >/dev/null
	done
	refuse 1
	expect_event full-end lost=1
	expect "begins of seven episodes" \
		"$(events | grep -c event=full-begin)" -lt 7
}

thresholds_are_told_on_the_way_down()
{
	mark_events
	sysctl -qw net.netfilter.nf_conntrack_max=$((LIMIT * 100 / 78))
	expect_event limit-changed
	expect_event threshold threshold=950000
	find_event threshold threshold=800000 &&
		fail "78 % is told as below 80 %, without hysteresis"
	sysctl -qw net.netfilter.nf_conntrack_max=$((LIMIT * 2))
	expect_event threshold threshold=800000
	expect "fill" "$(event_value fill "$event")" -lt 750000
}

changes_have_an_author()
{
	# The kernel rounds a number of buckets up to whole pages.
	local buckets fewer=2048

	mark_events
	buckets=$(<$SYSCTL/nf_conntrack_buckets)
	sysctl -qw net.netfilter.nf_conntrack_max=2097152
	expect_event limit-changed old=$((LIMIT * 2)) new=2097152 comm=sysctl \
		"parent_comm=$(<"/proc/$$/comm")"
	sysctl -qw net.netfilter.nf_conntrack_buckets=$fewer
	expect_event buckets-changed "old=$buckets" new=$fewer comm=sysctl
	echo "$buckets" >/sys/module/nf_conntrack/parameters/hashsize
	expect_event buckets-changed old=$fewer "new=$buckets" \
		pid=$$ "comm=$(<"/proc/$$/comm")"
	# What does not change is no event.
	sysctl -qw net.netfilter.nf_conntrack_max=2097152
	sysctl -qw net.netfilter.nf_conntrack_max=2097151
	expect_event limit-changed old=2097152 new=2097151
	expect "changes of the limit" \
		"$(events | grep -c event=limit-changed)" -eq 2
}

# With all probes blind, two looks find it.
a_change_that_no_probe_sees_is_found()
{
	mark_events
	echo 0 >/proc/sys/kernel/ftrace_enabled
	defer eval 'echo 1 >/proc/sys/kernel/ftrace_enabled'
	sysctl -qw net.netfilter.nf_conntrack_max=$LIMIT
	expect_event limit-changed old=2097151 new=$LIMIT
	expect_text "who" "$(event_value comm "$event")" ''
}

a_blind_hook_is_told()
{
	fill "$NS"
	refuse 100
	expect_event hook-blind
	expect_event full-begin
	echo 1 >/proc/sys/kernel/ftrace_enabled
}

# What was reset is still in them.
a_namespace_leaves_its_counters()
{
	local id drop peak

	read -r id peak < <(ctk "$NS" id peak)
	drop=$(kernel_stat "$NS" drop)
	mark_events
	untrack "$NS"
	cleanup_ns "$NS"
	expect_event netns-gone "id=$id"
	expect "lost" "$(event_value lost "$event")" -eq "$drop"
	expect "not seen by the blind hook" \
		"$(event_value other_drops "$event")" -eq 100
	expect "table_full_drops" "$(event_value table_full_drops "$event")" \
		-eq $((drop - 100))
	expect "peak" "$(event_value peak "$event")" -eq "$peak"
	# One that lost nothing goes without a word.
	setup_ns QUIET
	id=$(ctk "$QUIET" id)
	cleanup_ns "$QUIET"
	busywait gone_from_ctk "$id" || fail "ctk still has $id"
	find_event netns-gone "id=$id" && fail "told: $event"
}

gone_from_ctk()
{
	! ctk_has id "$1"
}

the_last_1024_are_kept()
{
	local i numbers

	for ((i = 0; i < 1100; i++)); do
		echo $((3000 + i)) >$SYSCTL/nf_conntrack_max
	done
	event_mark=0
	expect_event limit-changed new=$((3000 + 1099))
	numbers=$(events | grep ' event=limit-changed ' |
		while read -r line; do
			event_value seq "$line"
		done)
	expect "events" "$(wc -l <<<"$numbers")" -eq 1024
	expect "last less first" $(($(tail -n 1 <<<"$numbers") -
		$(head -n 1 <<<"$numbers"))) -eq 1023
}

no_namespace_buries_what_concerns_all()
{
	local i

	ctk_load events=4 || return
	set_limit $LIMIT
	mark_events
	sysctl -qw net.netfilter.nf_conntrack_max=$((LIMIT + 1))
	expect_event limit-changed new=$((LIMIT + 1))
	for ((i = 0; i < 3; i++)); do
		setup_ns SHORT
		track "$SHORT"
		fill "$SHORT"
		in_ns "$SHORT" "$here/flowgen" udp --to 127.0.0.1 --count 5 \
			>/dev/null
		cleanup_ns "$SHORT"
		expect_event netns-gone
	done
	find_event limit-changed new=$((LIMIT + 1)) comm=sysctl ||
		fail "buried: $(events)"
	expect "events of namespaces" \
		"$(events | grep -c netns_inum=)" -eq 4
}

run_tests \
	attached_to_what_was_there \
	thresholds_are_told_on_the_way_up \
	an_episode_has_a_begin_and_an_end \
	a_reset_ends_the_episode \
	thresholds_are_told_on_the_way_down \
	changes_have_an_author \
	a_change_that_no_probe_sees_is_found \
	a_blind_hook_is_told \
	a_namespace_leaves_its_counters \
	the_last_1024_are_kept \
	no_namespace_buries_what_concerns_all
