#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# All storms at once: under flood, readers and subscribers, ctk is loaded and
# removed, nf_conntrack is removed and comes back with the next rule that asks
# for it, namespaces are made and deleted, the hash is resized, the limit
# flipped, CPUs go and come back. Each does its rounds, the kernel stays healthy,
# and when it is over ctk counts to the packet.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-events.sh
. "$(dirname "$0")/lib-events.sh"

LIMIT=300
ROUNDS=8
if_small LIMIT=100 ROUNDS=2
if_large ROUNDS=50

require_tools
require_kernel
[[ -x $here/nlprobe ]] || skip_all "nlprobe is not built, run make"

# storm NAME FUNCTION: in the background, so many rounds; how many of them did
# what they are for is in a file at the end. A round may find conntrack or ctk
# gone: that is the storm.
storm()
{
	(
		for ((i = 0, done = 0; i < ROUNDS; i++)); do
			! "$2" "$i" >/dev/null 2>&1 || done=$((done + 1))
		done
		echo "$done" >"$work/rounds-$1"
	) &
	storms+=("$1")
	defer_kill $!
}

# The first one stays until readers and subscribers have found ctk, however busy
# the machine. A reader holds ctk, and a namespace's rule nf_conntrack, for a
# moment.
round_of_ctk()
{
	local code

	ctk_insert && busywait has_counted reads &&
		busywait has_counted joins &&
		cat $DEBUGFS/netns $DEBUGFS/events $DEBUGFS/status
	code=$?
	busywait rmmod ctk && return $code
}

remove_conntrack()
{
	conntrack_is_unused && modprobe -r nf_conntrack
}

round_of_conntrack()
{
	local code

	untrack "$STORM"
	busywait remove_conntrack
	code=$?
	track "$STORM"
	fill "$STORM" $LIMIT
	return $code
}

round_of_namespaces()
{
	local ns=ctk-short-$$-$1 code

	ip netns add "$ns"
	in_ns "$ns" nft add table inet x '{ chain c { type filter hook output
		priority 0; ct state new counter; }; }'
	in_ns "$ns" "$here/flowgen" ctnetlink --to 198.19.0.1 --count 100
	code=$?
	ip netns del "$ns" && return $code
}

round_of_buckets()
{
	echo $((8192 << $1 % 3)) >$SYSCTL/nf_conntrack_buckets
}

round_of_limit()
{
	echo $((LIMIT << $1 % 2)) >$SYSCTL/nf_conntrack_max
}

round_of_cpus()
{
	echo 0 >/sys/devices/system/cpu/cpu1/online
	echo 1 >/sys/devices/system/cpu/cpu1/online
}

# Sends into a table that comes and goes; never gives up.
flood_for_ever()
{
	while :; do
		in_ns "$STORM" nice -n 19 "$here/flowgen" udp --to 127.0.0.1 \
			--count 5000 >/dev/null
	done
}

# Reads what there is, which may be nothing.
read_in_a_storm()
{
	local reads=0

	echo 0 >"$work/reads"
	while :; do
		! "$here/nlprobe" --dump netns-get || reads=$((reads + 1))
		echo $reads >"$work/reads"
		"$here/nlprobe" --dump event-get
		"$here/nlprobe" --dump census-get
		"$here/nlprobe" census-get all
		cat $DEBUGFS/netns $DEBUGFS/events
	done >/dev/null 2>&1
}

storms_are_over()
{
	local name

	for name in "${storms[@]}"; do
		[[ -s $work/rounds-$name ]] || return 1
	done
}

all_storms_at_once()
{
	local name

	storms=()
	setup_ns STORM
	defer restore_limit "$(limit_now)"
	flood_for_ever &
	defer_kill $!
	read_in_a_storm &
	defer_kill $!
	follow_for_ever &
	defer_kill $!
	storm ctk round_of_ctk
	storm conntrack round_of_conntrack
	storm namespaces round_of_namespaces
	storm buckets round_of_buckets
	storm limit round_of_limit
	[[ ! -w /sys/devices/system/cpu/cpu1/online ]] ||
		storm cpus round_of_cpus
	WAIT_TIMEOUT=1200 busywait storms_are_over || fail "storms go on"
	for name in "${storms[@]}"; do
		expect "rounds of $name, of $ROUNDS" \
			"$(<"$work/rounds-$name")" -ge $((ROUNDS / 2))
	done
	expect "reads" "$(<"$work/reads")" -gt 0
	expect "subscriptions" "$(<"$work/joins")" -gt 0
}

and_then_it_counts()
{
	ctk_remove
	untrack "$STORM"
	conntrack_remove || return
	conntrack_insert
	sysctl -qw net.netfilter.nf_conntrack_max=$LIMIT
	ctk_load || return
	setup_ns CALM
	track "$CALM"
	fill "$CALM"
	line=$(in_ns "$CALM" "$here/flowgen" udp --to 127.0.0.1 --count 2000)
	expect "EPERM" "$(count_in EPERM "$line")" -eq 2000
	expect "the kernel's drop" "$(kernel_stat "$CALM" drop)" -eq 2000
	expect "table_full_drops" "$(ctk "$CALM" table_full_drops)" -eq 2000
}

run_tests all_storms_at_once and_then_it_counts
