#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A namespace goes away while its table is full and packets are being lost in
# it, by its own processes and by softirqs. Its line goes with it, the kernel
# does not mind, and the namespace is really freed, as the slab of namespaces
# tells.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=500
ROUNDS=15
if_small LIMIT=100 ROUNDS=6
if_large ROUNDS=300
slab=/sys/kernel/slab/net_namespace

require_tools
require_kernel

# SLUB takes all of a slab that a CPU works on for in use, hence the shrinking,
# and the room for the two that it may pick up between that and the look.
namespaces_in_use()
{
	[[ ! -w $slab/shrink ]] || echo 1 >$slab/shrink
	awk '$1 == "net_namespace" { print $2 }' /proc/slabinfo
}

# One leaked per round would stand out.
namespaces_are_freed()
{
	[[ $(namespaces_in_use) -lt $((in_use_before + ROUNDS / 2)) ]]
}

id_is_gone()
{
	! ctk_has id "$1"
}

lost_some()
{
	[[ $(ctk "$GONE" table_full_drops) -gt $1 ]]
}

round_of_loss()
{
	local id line

	setup_ns GONE
	track "$GONE"
	connect_ns "$SENDER" s0 10.1.0.1/24 "$GONE" g0 10.1.0.2/24
	fill "$GONE" $LIMIT
	id=$(ctk "$GONE" id)
	start_flood own "$GONE" --to 127.0.0.1
	start_flood foreign "$SENDER" --to 10.1.0.2
	busywait lost_some 100 || fail "no loss"
	ip netns del "$GONE"
	stop_flood own
	busywait id_is_gone "$id" || fail "the line of $id stays"
	stop_flood foreign
	ids+=("$id")
}

namespaces_go_while_they_lose()
{
	local round

	set_limit $LIMIT
	setup_ns SENDER
	ctk_load || return
	in_use_before=$(namespaces_in_use)
	ids=()
	for ((round = 0; round < ROUNDS; round++)); do
		round_of_loss
	done
	expect "rounds" ${#ids[@]} -eq $ROUNDS
	expect "different ids" "$(printf '%s\n' "${ids[@]}" | sort -u | wc -l)" \
		-eq $ROUNDS
}

none_is_leaked()
{
	[[ -r /proc/slabinfo && $in_use_before ]] ||
		{ skip "this kernel shows no slab of namespaces"; return; }
	busywait namespaces_are_freed ||
		fail "$(namespaces_in_use) in use, before $in_use_before"
	diag "namespaces in use: $(namespaces_in_use), before $in_use_before"
}

run_tests namespaces_go_while_they_lose none_is_leaked
