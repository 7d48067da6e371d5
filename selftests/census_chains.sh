#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What share of new flows dies of chains that are too long is known before they
# are sent, from the lengths of the chains: at three loads of a small hash it is
# held against what then dies. A hash takes any number of entries when it
# shrinks, since a resize refuses none.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-census.sh
. "$(dirname "$0")/lib-census.sh"

BUCKETS=8192
# Entries per bucket, and how many times FLOWS are sent there: so many that a
# tenth is at least four times the standard deviation of what dies.
LOW=24 MIDDLE=29 HIGH=34
FLOWS=4000
LOW_ROUNDS=5 MIDDLE_ROUNDS=2 HIGH_ROUNDS=1
if_small BUCKETS=2048 LOW=26 FLOWS=1000 LOW_ROUNDS=8 MIDDLE_ROUNDS=5 \
	HIGH_ROUNDS=3

require_tools
require_kernel
[[ -x $here/nlprobe ]] || skip_all "nlprobe is not built, run make"
chains_are_limited || skip_all "this kernel has no limit on chains"

# Short chains while it fills.
table_is_loaded_with()
{
	sysctl -qw net.netfilter.nf_conntrack_buckets=262144
	fill "$TABLE" $(($1 * BUCKETS - $(entries_of "$TABLE"))) "198.19.0.$1"
	sysctl -qw net.netfilter.nf_conntrack_buckets=$BUCKETS
	expect "entries per bucket" $(($(entries_of "$TABLE") / BUCKETS)) \
		-eq "$1"
}

a_small_hash_is_prepared()
{
	ctk_load || return
	set_limit 2097152
	set_buckets 262144
	setup_ns TABLE SENDER
	track "$SENDER"
}

# Flows that live make chains longer, so what is predicted is between the shares
# before they were sent and after.
send_and_predict()
{
	take_census all || return
	expect "consistent" "$(census_value consistent)" -eq 1
	predicted=$((predicted + $(census_value chain-loss-ratio) * FLOWS / 2))
	line=$(in_ns "$SENDER" "$here/flowgen" udp --to 127.0.0.1 \
		--count $FLOWS)
	died=$((died + $(count_in EPERM "$line")))
	take_census all || return
	predicted=$((predicted + $(census_value chain-loss-ratio) * FLOWS / 2))
	in_ns "$SENDER" conntrack -F 2>/dev/null
}

# holds_at LOAD ROUNDS
holds_at()
{
	local i predicted=0 died=0

	table_is_loaded_with "$1"
	for ((i = 0; i < $2; i++)); do
		send_and_predict || return
	done
	predicted=$((predicted / 1000000))
	diag "predicted $predicted of $((FLOWS * $2)), died $died"
	expect "EPERM" "$died" -gt 100
	expect "off by" $((predicted > died ? predicted - died :
		died - predicted)) -le $((died / 10))
	expect "the kernel's chaintoolong" \
		"$(kernel_stat "$SENDER" chaintoolong)" \
		-eq "$((all_died += died))"
}

first_losses()
{
	all_died=0
	holds_at $LOW $LOW_ROUNDS
}

a_third_dies()
{
	holds_at $MIDDLE $MIDDLE_ROUNDS
}

most_die()
{
	holds_at $HIGH $HIGH_ROUNDS
}

# Each entry has two nodes, in whatever chains.
chains_hold_all_nodes()
{
	local nodes

	take_census all || return
	nodes=$(census_parts chain-length length buckets |
		awk '{ sum += $1 * $2 } END { print sum }')
	expect "nodes" "$nodes" -eq $((2 * ($(census_value entries) +
		$(census_value expired))))
	expect "chains" "$(census_parts chain-length buckets |
		awk '{ sum += $1 } END { print sum }')" -eq $BUCKETS
}

short_chains_refuse_nobody()
{
	sysctl -qw net.netfilter.nf_conntrack_buckets=262144
	take_census all || return
	expect "chain-loss-ratio" "$(census_value chain-loss-ratio)" -eq 0
	line=$(in_ns "$SENDER" "$here/flowgen" udp --to 127.0.0.1 \
		--count $FLOWS)
	expect "EPERM" "$(count_in EPERM "$line")" -eq 0
}

run_tests \
	a_small_hash_is_prepared \
	first_losses \
	a_third_dies \
	most_die \
	chains_hold_all_nodes \
	short_chains_refuse_nobody
