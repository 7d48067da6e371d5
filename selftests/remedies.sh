#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the field note does against a full table, while it is full: the limit is
# raised and the losses stop at once; tcp_timeout_established is shortened and
# the table drains although its connections are still open.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-events.sh
. "$(dirname "$0")/lib-events.sh"

LIMIT=500
TIMEOUT=nf_conntrack_tcp_timeout_established

require_tools
require_kernel

send()
{
	line=$(in_ns "$1" "$here/flowgen" udp --to 127.0.0.1 --count 400)
	diag "$line"
}

raising_the_limit_stops_the_losses()
{
	set_limit $LIMIT
	ctk_load || return
	setup_ns RAISED
	track "$RAISED"
	fill "$RAISED"
	mark_events
	send "$RAISED"
	expect "EPERM" "$(count_in EPERM "$line")" -eq 400
	sysctl -qw net.netfilter.nf_conntrack_max=$((LIMIT * 2))
	expect_event limit-changed old=$LIMIT new=$((LIMIT * 2)) comm=sysctl
	send "$RAISED"
	expect "sent" "$(count_in sent "$line")" -eq 400
	expect_event full-end "netns_inum=$(inum_of "$RAISED")" lost=400
	expect "the kernel's drop" "$(kernel_stat "$RAISED" drop)" -eq 400
	expect "table_full_drops" "$(ctk "$RAISED" table_full_drops)" -eq 400
}

# open_in NS: as many real connections as fit, kept open.
open_in()
{
	open_and_hold "$1" --to 127.0.0.1 --count $LIMIT
	expect "opened" "$(count_in opened "$line")" -eq $LIMIT
	expect "accepted" "$(count_in accepted "$line")" -eq $LIMIT
}

open_connections_hold_their_places_for_days()
{
	set_limit $LIMIT
	setup_ns LEAK
	track "$LEAK"
	expect "tcp_timeout_established" \
		"$(in_ns "$LEAK" cat $SYSCTL/$TIMEOUT)" -eq 432000
	open_in "$LEAK"
	expect "entries" "$(ctk "$LEAK" entries)" -eq $LIMIT
	expect "left of five days, of the youngest" "$(in_ns "$LEAK" \
		conntrack -L -p tcp 2>/dev/null | awk '$3 > max { max = $3 }
			END { print max }')" -gt 431000
	send "$LEAK"
	expect "EPERM" "$(count_in EPERM "$line")" -eq 400
	stop_child $holder
}

drained()
{
	[[ $(in_ns "$DRAIN" conntrack -C) -eq 0 ]]
}

a_short_timeout_drains_the_table()
{
	setup_ns DRAIN
	track "$DRAIN"
	in_ns "$DRAIN" sysctl -qw net.netfilter.$TIMEOUT=3
	open_in "$DRAIN"
	mark_events
	# What has expired counts until the kernel's gc comes by, once a minute.
	WAIT_TIMEOUT=180 busywait drained ||
		fail "$(in_ns "$DRAIN" conntrack -C) entries stay"
	expect "connections still open" "$(in_ns "$DRAIN" ss -Htn state \
		established | wc -l)" -eq $((LIMIT * 2))
	expect_event threshold threshold=800000 \
		"netns_inum=$(inum_of "$DRAIN")"
	send "$DRAIN"
	expect "sent" "$(count_in sent "$line")" -eq 400
	stop_child $holder
}

run_tests \
	raising_the_limit_stops_the_losses \
	open_connections_hold_their_places_for_days \
	a_short_timeout_drains_the_table
