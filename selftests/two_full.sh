#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two namespaces full at once, flooded at once, and a third that does nothing:
# each sender's losses belong to its own namespace and to no other.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=5000
FIRST_DROPS=50000
SECOND_DROPS=30000
if_small LIMIT=1000 FIRST_DROPS=1000 SECOND_DROPS=600

require_tools
require_kernel

two_fill()
{
	set_limit $LIMIT
	ctk_load || return
	setup_ns ONE TWO IDLE
	track "$ONE" "$TWO" "$IDLE"
	fill "$ONE"
	fill "$TWO"
	expect_text "fill of one" "$(ctk "$ONE" fill)" 1.0000
	expect_text "fill of the other" "$(ctk "$TWO" fill)" 1.0000
	expect_text "fill of the idle one" "$(ctk "$IDLE" fill)" 0.0000
}

# expect_own_losses NS FLOOD
expect_own_losses()
{
	local refused line

	stop_flood "$2"
	diag "$line"
	refused=$(count_in EPERM "$line")
	expect "the kernel's drop" "$(kernel_stat "$1" drop)" -eq "$refused"
	expect "table_full_drops" "$(ctk "$1" table_full_drops)" -eq "$refused"
	expect "lost" "$(ctk "$1" lost)" -eq "$refused"
}

both_enough()
{
	kernel_stat_reaches "$ONE" drop $FIRST_DROPS &&
		kernel_stat_reaches "$TWO" drop $SECOND_DROPS
}

each_is_charged_its_own()
{
	start_flood one "$ONE" --to 127.0.0.1
	start_flood two "$TWO" --to 127.0.0.1
	busywait both_enough || fail "too few losses"
	expect_own_losses "$ONE" one
	expect_own_losses "$TWO" two
}

idle_one_stays_at_zero()
{
	expect "lost" "$(ctk "$IDLE" lost)" -eq 0
	expect "the kernel's drop" "$(kernel_stat "$IDLE" drop)" -eq 0
	expect_text "last_loss_time" "$(ctk "$IDLE" last_loss_time)" -
}

one_recovers_without_the_other()
{
	local before line

	before=$(ctk "$TWO" table_full_drops)
	in_ns "$ONE" conntrack -F >/dev/null 2>&1
	line=$(in_ns "$ONE" "$here/flowgen" udp --to 127.0.0.1 --count 1000)
	expect "sent where it was flushed" "$(count_in sent "$line")" -eq 1000
	line=$(in_ns "$TWO" "$here/flowgen" udp --to 127.0.0.1 --count 1000)
	expect "refused where it was not" "$(count_in EPERM "$line")" -eq 1000
	expect "table_full_drops there" "$(ctk "$TWO" table_full_drops)" \
		-eq $((before + 1000))
}

run_tests \
	two_fill \
	each_is_charged_its_own \
	idle_one_stays_at_zero \
	one_recovers_without_the_other
