#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A full table refuses entries to conntrackd and `conntrack -I` as well, and
# the kernel logs "dropping packet" for those, too, though no packet died.
# ctk counts them apart, and the kernel's drop does not move.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=2000
BY_TOOL=20
BY_BATCH=30000
if_small LIMIT=200 BY_TOOL=5 BY_BATCH=500

require_tools
require_kernel

table_is_full()
{
	set_limit $LIMIT
	ctk_load || return
	setup_ns INSERT
	track "$INSERT"
	fill "$INSERT"
	expect "refused_inserts" "$(ctk "$INSERT" refused_inserts)" -eq 0
}

refused_to_the_tool()
{
	local refused

	refused=$(in_ns "$INSERT" bash -c "
		for port in {1..$BY_TOOL}; do
			conntrack -I -p udp -s 10.9.0.1 -d 10.9.0.2 \
				--sport \$port --dport 53 -t 60 \
				>/dev/null 2>&1 || echo refused
		done" | wc -l)
	expect "refused to conntrack -I" "$refused" -eq $BY_TOOL
	expect "refused_inserts" "$(ctk "$INSERT" refused_inserts)" \
		-eq "$refused"
	expect "table_full_drops" "$(ctk "$INSERT" table_full_drops)" -eq 0
	expect "the kernel's drop" "$(kernel_stat "$INSERT" drop)" -eq 0
}

refused_in_bulk()
{
	local before line

	before=$(ctk "$INSERT" refused_inserts)
	line=$(in_ns "$INSERT" "$here/flowgen" ctnetlink --to 198.19.0.2 \
		--count $BY_BATCH)
	diag "$line"
	expect "ENOMEM" "$(count_in ENOMEM "$line")" -eq $BY_BATCH
	expect "growth of refused_inserts" \
		$(($(ctk "$INSERT" refused_inserts) - before)) -eq $BY_BATCH
	expect "lost" "$(ctk "$INSERT" lost)" -eq 0
	expect_text "last_loss_time" "$(ctk "$INSERT" last_loss_time)" -
	expect "the kernel's drop" "$(kernel_stat "$INSERT" drop)" -eq 0
}

packets_and_insertions_at_once()
{
	local before line

	before=$(ctk "$INSERT" refused_inserts)
	start_flood flood "$INSERT" --to 127.0.0.1
	busywait kernel_stat_reaches "$INSERT" drop 1 || fail "no flood"
	line=$(in_ns "$INSERT" "$here/flowgen" ctnetlink --to 198.19.0.3 \
		--count $BY_BATCH)
	expect "growth of refused_inserts" \
		$(($(ctk "$INSERT" refused_inserts) - before)) -eq \
		"$(count_in ENOMEM "$line")"
	stop_flood flood
	diag "$line"
	expect "the kernel's drop" "$(kernel_stat "$INSERT" drop)" -eq \
		"$(count_in EPERM "$line")"
	expect "table_full_drops" "$(ctk "$INSERT" table_full_drops)" -eq \
		"$(count_in EPERM "$line")"
}

run_tests \
	table_is_full \
	refused_to_the_tool \
	refused_in_bulk \
	packets_and_insertions_at_once
