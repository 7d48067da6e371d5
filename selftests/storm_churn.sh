#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Everything around a full and flooded table moves, with readers at work and a
# subscriber to its events: namespaces are made, filled, made to lose packets
# and deleted, the hash is resized, the limit flipped, CPUs go and come back.
# What the flood lost is counted to the packet in the end, each namespace has
# left its count, and the subscriber was told of all.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-events.sh
. "$(dirname "$0")/lib-events.sh"

LIMIT=500
LOST=50
NAMESPACES=15
BATCH=5
RESIZES=20
FLIPS=50
HOTPLUGS=5
if_small NAMESPACES=5 RESIZES=4 FLIPS=10 HOTPLUGS=2
if_large NAMESPACES=300 RESIZES=200 FLIPS=1000 HOTPLUGS=50

require_tools
require_kernel
[[ -x $here/nlprobe ]] || skip_all "nlprobe is not built, run make"

the_table_is_full_and_flooded()
{
	set_limit $LIMIT
	ctk_load || return
	setup_ns STORM
	track "$STORM"
	fill "$STORM"
	read_for_ever &
	reader=$!
	defer_kill $reader
	start_subscriber || return
	start_flood flood "$STORM" --to 127.0.0.1
	busywait drops_reach "$STORM" 100 || fail "no loss"
}

# A short life; its end is told by an event with what it lost.
live_and_die()
{
	setup_ns SHORT
	track "$SHORT"
	fill "$SHORT"
	line=$(in_ns "$SHORT" "$here/flowgen" udp --to 127.0.0.1 --count $LOST)
	[[ $(count_in EPERM "$line") -eq $LOST ]] || fail "$line"
	cleanup_ns "$SHORT"
}

told_deaths()
{
	[[ $(events | grep -c 'event=netns-gone') -ge $1 ]]
}

namespaces_come_and_go()
{
	local i told=0

	for ((i = 0; i < NAMESPACES; i += BATCH)); do
		lives_and_deaths $BATCH
	done
	expect "deaths told with what was lost" $told -eq $NAMESPACES
}

# So few at a time that the ring holds all there is to tell of them.
lives_and_deaths()
{
	local i

	mark_events
	for ((i = 0; i < $1; i++)); do
		live_and_die
	done
	busywait told_deaths "$1" ||
		fail "told: $(events | grep -c 'event=netns-gone')"
	told=$((told + $(events |
		grep -c "event=netns-gone .* lost=$LOST ")))
}

the_hash_is_resized()
{
	local i before

	before=$(<$SYSCTL/nf_conntrack_buckets)
	mark_events
	for ((i = 0; i < RESIZES; i++)); do
		echo $((i % 2 ? before : before / 4)) \
			>$SYSCTL/nf_conntrack_buckets || fail "not resized"
	done
	busywait resizes_told || fail "not all told"
	echo "$before" >$SYSCTL/nf_conntrack_buckets
}

resizes_told()
{
	[[ $(events | grep -c 'event=buckets-changed') -eq $RESIZES ]]
}

the_limit_is_flipped()
{
	local i

	for ((i = 0; i < FLIPS; i++)); do
		echo $((i % 2 ? LIMIT : LIMIT / 2)) >$SYSCTL/nf_conntrack_max
	done
	echo $LIMIT >$SYSCTL/nf_conntrack_max
	expect "ctk's limit" "$(ctk "$STORM" limit)" -eq $LIMIT
}

cpus_go_and_come_back()
{
	local i online=/sys/devices/system/cpu/cpu1/online

	[[ -w $online ]] || { skip "there is one CPU only"; return; }
	for ((i = 0; i < HOTPLUGS; i++)); do
		echo 0 >$online || fail "CPU 1 does not go"
		echo 1 >$online || fail "CPU 1 does not come back"
	done
	expect "rounds" $i -eq $HOTPLUGS
}

nothing_was_lost_count_of()
{
	local refused

	kill -0 "$subscriber" 2>/dev/null || fail "the subscriber failed"
	expect_told_what_the_ring_has
	kill -0 "$reader" 2>/dev/null || fail "a reader failed"
	expect "reads" "$(<"$work/reads")" -gt 0
	stop_child "$reader"
	stop_flood flood
	refused=$(count_in EPERM "$line")
	expect "EPERM" "$refused" -gt 100
	expect "the kernel's drop" "$(kernel_stat "$STORM" drop)" \
		-eq "$refused"
	expect "table_full_drops" "$(ctk "$STORM" table_full_drops)" \
		-eq "$refused"
	expect "other_drops" "$(ctk "$STORM" other_drops)" -eq 0
	expect "missed" "$(ctk_status missed)" -eq 0
}

run_tests \
	the_table_is_full_and_flooded \
	namespaces_come_and_go \
	the_hash_is_resized \
	the_limit_is_flipped \
	cpus_go_and_come_back \
	nothing_was_lost_count_of
