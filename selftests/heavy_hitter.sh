#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Losses from more sources than anybody can remember: each packet has its own,
# drawn at random from a /8. What ctk keeps does not grow, and one sender of a
# twentieth of the losses is found among them, even though it comes when the
# records are all taken; what is said of it is right within its error.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-nl.sh
. "$here/lib-nl.sh"
# shellcheck source=lib-offender.sh
. "$here/lib-offender.sh"

PACKETS=40000
if_small PACKETS=4000
if_large PACKETS=1000000
HITTER=$((PACKETS / 20))
EARLY=$((PACKETS / 5))

require_tools
require_kernel
[[ -x $here/nlprobe ]] || skip_all "nlprobe is not built, run make"

# From the CPU of all senders, so that the records' lock is not waited for.
random_flood()
{
	in_ns "$CROWDED" "$here/flowgen" raw --to 127.0.0.1 \
		--from 10.0.0.0-10.255.255.255 --dport 9 --cpu 0 --count "$1"
}

# Of Space-Saving, for all records: Metwally and others, ICDT 2005.
expect_bounds()
{
	local error worst=0

	expect "records" "$(records)" -eq "$slots"
	for error in $(offender_values error); do
		[[ $error -le $worst ]] || worst=$error
	done
	expect "the worst error" "$worst" -le $(($1 / slots))
}

the_records_are_all_taken()
{
	ctk_load attribution=on || return
	slots=$(ctk_status offender_slots)
	set_limit $SMALL_LIMIT
	setup_ns CROWDED
	track "$CROWDED"
	fill "$CROWDED"
	expect "offender_slots" "$slots" -lt $EARLY
	line=$(random_flood $EARLY)
	diag "$line"
	early=$(count_in EPERM "$line")
	expect "EPERM" "$early" -eq $EARLY
	expect_sums "$CROWDED"
	expect "attributed_drops" "$(ctk "$CROWDED" attributed_drops)" \
		-eq "$early"
	expect_bounds "$early"
}

a_heavy_hitter_is_found()
{
	local others hitter rest=$((PACKETS - EARLY - HITTER))

	random_flood $rest >"$work/others" &
	others=$!
	defer_kill $others
	spawn "$CROWDED" "$work/hitter" "$here/flowgen" udp --to 127.0.0.1 \
		--sport 1024-60999 --dport 7 --cpu 0 --count $HITTER
	hitter=$!
	wait $hitter $others
	line=$(<"$work/others")
	diag "$line"
	total=$((early + $(count_in EPERM "$line")))
	line=$(<"$work/hitter")
	diag "$line"
	lost=$(count_in EPERM "$line")
	total=$((total + lost))
	expect "EPERM of the hitter" "$lost" -eq $HITTER
	expect "EPERM of all" $total -eq $PACKETS
	take_offenders "$CROWDED"
	find_offender "pid=$hitter" l4proto=17 src=7f000001 dport=7 || return
	expect_within_error "$lost"
}

# A source that is drawn has a packet or two.
no_other_is_said_to_be_one()
{
	local line count error surest=0

	while read -r line; do
		is_offender "$line" dport=9 || continue
		read_counts "$line"
		[[ $((count - error)) -le $surest ]] ||
			surest=$((count - error))
	done <<<"$offenders"
	expect "packets that another surely lost" $surest -gt 0
	expect "packets that another surely lost" $surest -le 3
}

the_records_have_not_grown()
{
	expect_sums "$CROWDED"
	expect "attributed_drops" "$(ctk "$CROWDED" attributed_drops)" \
		-eq "$total"
	expect_bounds "$total"
}

run_tests \
	the_records_are_all_taken \
	a_heavy_hitter_is_found \
	no_other_is_said_to_be_one \
	the_records_have_not_grown
