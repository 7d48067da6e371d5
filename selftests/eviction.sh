#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A table full of entries that are not assured: the kernel may evict some to
# let a packet in, but looks at eight buckets only, so others are lost all the
# same. The kernel counts the entries evicted (early_drop), ctk the packets
# let in by it, which are fewer. UDP entries without an answer are such.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=20000
OVERFLOW=40000
REFUSED=5000
if_small LIMIT=1000 OVERFLOW=2000 REFUSED=500

require_tools
require_kernel

fills_with_evictable_entries()
{
	local line

	set_limit $LIMIT
	ctk_load || return
	setup_ns EVICT
	track "$EVICT"
	in_ns "$EVICT" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600
	line=$(in_ns "$EVICT" "$here/flowgen" udp --to 127.0.0.1 --count $LIMIT)
	expect "sent" "$(count_in sent "$line")" -eq $LIMIT
	expect "entries" "$(entries_of "$EVICT")" -eq $LIMIT
	expect "admitted_by_eviction so far" \
		"$(ctk "$EVICT" admitted_by_eviction)" -eq 0
}

# Ports that the first flows did not use.
evictions_are_told_from_losses()
{
	local line refused admitted evicted

	line=$(in_ns "$EVICT" "$here/flowgen" udp --to 127.0.0.1 \
		--sport 62000-62999 --count $OVERFLOW)
	diag "$line"
	refused=$(count_in EPERM "$line")
	admitted=$(ctk "$EVICT" admitted_by_eviction)
	evicted=$(kernel_stat "$EVICT" early_drop)
	expect "admitted_by_eviction" "$admitted" -gt 0
	expect "the kernel's early_drop" "$evicted" -ge "$admitted"
	expect "sent" "$(count_in sent "$line")" -ge "$admitted"
	expect "refused" "$refused" -gt 0
	expect "the kernel's drop" "$(kernel_stat "$EVICT" drop)" \
		-eq "$refused"
	expect "table_full_drops" "$(ctk "$EVICT" table_full_drops)" \
		-eq "$refused"
	expect "lost" "$(ctk "$EVICT" lost)" -eq "$refused"
}

# Nothing is evicted from a table of assured entries.
assured_entries_stay()
{
	local before line

	in_ns "$EVICT" conntrack -F >/dev/null 2>&1
	fill "$EVICT"
	before=$(ctk "$EVICT" admitted_by_eviction)
	line=$(in_ns "$EVICT" "$here/flowgen" udp --to 127.0.0.1 --count $REFUSED)
	expect "refused" "$(count_in EPERM "$line")" -eq $REFUSED
	expect "admitted_by_eviction" \
		"$(ctk "$EVICT" admitted_by_eviction)" -eq "$before"
}

run_tests \
	fills_with_evictable_entries \
	evictions_are_told_from_losses \
	assured_entries_stay
