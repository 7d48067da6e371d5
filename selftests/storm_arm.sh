#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Lost packets are looked at, and not, and again, under flood: no count is lost,
# whatever is said at any moment is neither more than the kernel has dropped nor
# less than it had, and what is lost after the last time is attributed, all of
# it. Where emulation has a thread per CPU, run it in one: changing text under
# traffic is sound on hardware only.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-nl.sh
. "$here/lib-nl.sh"
# shellcheck source=lib-offender.sh
. "$here/lib-offender.sh"

ROUNDS=3
ARMINGS=100
LAST=2000
if_small ROUNDS=2 ARMINGS=1000 LAST=200
if_large ROUNDS=1000 ARMINGS=10000

require_tools
require_kernel
[[ -x $here/nlprobe ]] || skip_all "nlprobe is not built, run make"

the_table_is_full_and_flooded()
{
	ctk_load hook=wrapper attribution=off || return
	set_limit $SMALL_LIMIT
	setup_ns STORM
	track "$STORM"
	fill "$STORM"
	start_flood own "$STORM" --to 127.0.0.1
	busywait drops_reach "$STORM" 100 || fail "no loss"
	expect "armed" "$(ctk_status armed)" -eq 0
	expect "attributed_drops" "$(ctk "$STORM" attributed_drops)" -eq 0
}

attributed()
{
	ctk "$STORM" attributed_drops
}

attributed_more_than()
{
	[[ $(attributed) -gt $1 ]]
}

# arm on|auto: what is lost from here on is attributed, sooner or later.
arm()
{
	local before

	before=$(attributed)
	set_attribution "$1"
	[[ $(ctk_status armed) -eq 1 ]] || fail "not armed by $1"
	busywait attributed_more_than "$before" ||
		fail "nothing attributed by $1"
	armings=$((armings + 1))
}

# What was lost meanwhile is in nobody's record.
disarm()
{
	local before dropped

	set_attribution off
	[[ $(ctk_status armed) -eq 0 ]] || fail "armed"
	before=$(attributed)
	dropped=$(kernel_stat "$STORM" drop)
	busywait kernel_stat_reaches "$STORM" drop $((dropped + 100)) ||
		fail "no loss"
	[[ $(attributed) -eq $before ]] ||
		fail "$before attributed, then $(attributed), though not armed"
}

# A packet is counted by ctk before the kernel counts it, and the flood has one
# at a time on its way.
look()
{
	local before attributed unattributed lost after

	before=$(kernel_stat "$STORM" drop)
	read -r attributed unattributed lost < <(ctk "$STORM" \
		attributed_drops unattributed_drops lost)
	after=$(kernel_stat "$STORM" drop)
	[[ $((attributed + unattributed)) -eq $lost ]] ||
		fail "$attributed + $unattributed are not $lost"
	[[ $unattributed -ge 0 && $lost -ge $before &&
		$lost -le $((after + 1)) ]] ||
		fail "lost $lost, but the kernel $before to $after"
}

# Records count up while they are read, never down.
the_records_keep_pace()
{
	local before sum

	before=$(attributed)
	take_offenders "$STORM"
	sum=$(sum_of count)
	[[ $sum -ge $before && $sum -le $(attributed) ]] ||
		fail "$sum in the records, attributed $before to $(attributed)"
}

one_round()
{
	arm on
	look
	arm auto
	look
	the_records_keep_pace
	disarm
	look
	# From nothing to auto, and from that to nothing.
	arm auto
	disarm
	look
}

arms_and_disarms()
{
	local i

	armings=0
	for ((i = 0; i < ROUNDS; i++)); do
		one_round
		[[ ! $subtest_failed ]] || break
	done
	expect "armings" $armings -eq $((3 * ROUNDS))
}

# As fast as it goes, whatever is on its way.
arms_and_disarms_at_once()
{
	local i done=0 dropped
	local -a how=(on auto)

	dropped=$(kernel_stat "$STORM" drop)
	for ((i = 0; i < ARMINGS; i++)); do
		set_attribution "${how[i % 2]}"
		[[ $(ctk_status armed) -ne 1 ]] || done=$((done + 1))
		set_attribution off
		[[ ! $subtest_failed ]] || break
	done
	expect "armings" $done -eq $ARMINGS
	expect "lost meanwhile" $(($(kernel_stat "$STORM" drop) - dropped)) \
		-gt $ARMINGS
	expect "armed" "$(ctk_status armed)" -eq 0
	look
}

# What was on its way when it was armed is over when others were lost.
then_all_is_attributed()
{
	local dropped attributed unattributed lost more

	arm on
	dropped=$(kernel_stat "$STORM" drop)
	busywait kernel_stat_reaches "$STORM" drop $((dropped + 100)) ||
		fail "no loss"
	unattributed=$(ctk "$STORM" unattributed_drops)
	lost=$(ctk "$STORM" lost)
	busywait kernel_stat_reaches "$STORM" drop $((lost + LAST)) ||
		fail "no loss"
	stop_flood own
	diag "$line"
	# One may have been on its way when that was read.
	expect "unattributed_drops" "$(ctk "$STORM" unattributed_drops)" \
		-le "$unattributed"
	expect "unattributed_drops" "$(ctk "$STORM" unattributed_drops)" \
		-ge $((unattributed - 1))
	unattributed=$(ctk "$STORM" unattributed_drops)
	more=$(in_ns "$STORM" "$here/flowgen" udp --to 127.0.0.1 --dport 9 \
		--sport 20000-29999 --count $LAST)
	refused=$(($(count_in EPERM "$line") + $(count_in EPERM "$more")))
	expect "unattributed_drops" "$(ctk "$STORM" unattributed_drops)" \
		-eq "$unattributed"
	expect "attributed_drops" "$(attributed)" -eq $((refused - unattributed))
}

no_count_is_lost()
{
	expect "the kernel's drop" "$(kernel_stat "$STORM" drop)" \
		-eq "$refused"
	expect "table_full_drops" "$(ctk "$STORM" table_full_drops)" \
		-eq "$refused"
	expect "other_drops" "$(ctk "$STORM" other_drops)" -eq 0
	expect "no_memory_drops" "$(ctk "$STORM" no_memory_drops)" -eq 0
	expect "missed" "$(ctk_status missed)" -eq 0
	expect_sums "$STORM"
}

run_tests \
	the_table_is_full_and_flooded \
	arms_and_disarms \
	arms_and_disarms_at_once \
	then_all_is_attributed \
	no_count_is_lost
