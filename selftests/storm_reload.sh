#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nf_conntrack is reloaded twenty times under flood, with readers at work on
# everything ctk shows and a subscriber to its events. No removal is refused,
# lsmod shows no user, after each reload the counters hold exactly what the
# senders saw, and the subscriber was told of each, in order. Where emulation
# has a thread per CPU, run it in one: changing text under traffic is sound on
# hardware only.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-events.sh
. "$(dirname "$0")/lib-events.sh"

LIMIT=500
ROUNDS=20
LOSSES=500
if_small LIMIT=100 ROUNDS=3 LOSSES=50
if_large ROUNDS=200

require_tools
require_kernel
[[ -x $here/nlprobe ]] || skip_all "nlprobe is not built, run make"

# A whole life of nf_conntrack, the flood going on before, during and after.
# Its hooks come one after the other, on reception first, so a packet under way
# can be dropped when its sender has been told that it was sent: one at each
# coming, since the sender waits for its own packet's way through lo.
reload_under_flood()
{
	local line before counted under_way

	start_flood flood "$STORM" --to 127.0.0.1
	untrack "$STORM"
	conntrack_remove || return
	before=$(ctk "$STORM" table_full_drops)
	conntrack_insert
	sysctl -qw net.netfilter.nf_conntrack_max=$LIMIT
	fill "$STORM" $LIMIT
	track "$STORM"
	busywait drops_reach "$STORM" $((before + LOSSES)) || fail "no loss"
	stop_flood flood
	counted=$(ctk "$STORM" table_full_drops)
	[[ $((counted - before)) -eq $(kernel_stat "$STORM" drop) ]] ||
		fail "$((counted - before)) counted," \
			"$(kernel_stat "$STORM" drop) dropped by the kernel"
	# shellcheck disable=SC2031 # not that of lib-events.sh
	refused=$((refused + $(count_in EPERM "$line")))
	under_way=$((counted - refused))
	[[ $under_way -ge 0 && $under_way -le $((rounds + 1)) ]] ||
		fail "$counted counted, $refused seen in $((rounds + 1)) rounds"
	[[ " $(module_users nf_conntrack) " != *" ctk "* ]] ||
		fail "ctk is a user of nf_conntrack"
	rounds=$((rounds + 1))
}

reloads_under_flood_and_readers()
{
	local i

	setup_ns STORM
	track "$STORM"
	ctk_load hook=wrapper || return
	echo 0 >"$work/reads"
	read_for_ever &
	reader=$!
	defer_kill $reader
	start_subscriber || return
	refused=0
	rounds=0
	for ((i = 0; i < ROUNDS; i++)); do
		reload_under_flood || break
	done
	expect "reloads" $rounds -eq $ROUNDS
	expect "losses that the senders saw" $refused -gt $((ROUNDS * LOSSES))
	expect "other_drops" "$(ctk "$STORM" other_drops)" -eq 0
}

readers_went_on()
{
	kill -0 "$reader" 2>/dev/null || fail "a reader failed"
	expect "reads" "$(<"$work/reads")" -ge $ROUNDS
	stop_child "$reader"
}

# By their numbers in the protocol: 1 is detached, 0 attached.
the_subscriber_was_told_each_reload()
{
	local i types

	kill -0 "$subscriber" 2>/dev/null || fail "the subscriber failed"
	expect_told_what_the_ring_has || return
	types=$(sed -nE 's/.* event=([01])( .*)?$/\1/p' <<<"$told")
	expect_text "detached and attached" "${types//$'\n'/}" \
		"$(for ((i = 0; i < rounds; i++)); do printf 10; done)"
}

run_tests \
	reloads_under_flood_and_readers \
	readers_went_on \
	the_subscriber_was_told_each_reload
