#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The field note, at its own size: a table of 262144 entries, the kernel's
# default, fills, and what comes on top is lost. ctk has to tell exactly what
# the sender saw (EPERM) and what the kernel counted (drop), for the namespace
# it happened in and for no other; and when the limit is raised as the note
# does, the losses end. Never lowers the limit, save on a kernel too slow for it.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

OVERFLOW=70000
ENOUGH=60000
ROOM=20000
RAISED=1048576
if_small DEFAULT_LIMIT=1000 OVERFLOW=1000 ENOUGH=1000 ROOM=1000

require_tools
require_kernel
# A small one is no default, and so has to be set.
[[ ${CTK_TEST_SIZE-} != small ]] || set_limit $DEFAULT_LIMIT
[[ $(limit_now) -eq $DEFAULT_LIMIT ]] ||
	skip_all "the limit is $(limit_now) by default here, not $DEFAULT_LIMIT"

fills_to_the_default_limit()
{
	ctk_load || return
	setup_ns FULL IDLE
	track "$FULL" "$IDLE"
	fill "$FULL"
	expect "entries" "$(entries_of "$FULL")" -eq $DEFAULT_LIMIT
	expect "ctk's entries" "$(ctk "$FULL" entries)" -eq $DEFAULT_LIMIT
	expect "ctk's limit" "$(ctk "$FULL" limit)" -eq $DEFAULT_LIMIT
	expect_text "fill" "$(ctk "$FULL" fill)" 1.0000
	expect "lost before any packet" "$(ctk "$FULL" lost)" -eq 0
	expect_text "full_since" "$(ctk "$FULL" full_since)" -
}

overflow_is_counted_exactly()
{
	local drop_before line refused

	drop_before=$(kernel_stat "$FULL" drop)
	since=$(date +%s)
	line=$(in_ns "$FULL" "$here/flowgen" udp --to 127.0.0.1 \
		--count $OVERFLOW)
	diag "$line"
	refused=$(count_in EPERM "$line")
	expect "EPERM" "$refused" -ge $ENOUGH
	expect "growth of the kernel's drop" \
		$(($(kernel_stat "$FULL" drop) - drop_before)) -eq "$refused"
	expect "table_full_drops" "$(ctk "$FULL" table_full_drops)" \
		-eq "$refused"
	expect "lost" "$(ctk "$FULL" lost)" -eq "$refused"
	expect "ctk's kernel_drop" "$(ctk "$FULL" kernel_drop)" -eq \
		"$(kernel_stat "$FULL" drop)"
	expect "other_drops" "$(ctk "$FULL" other_drops)" -eq 0
	expect "refused_inserts" "$(ctk "$FULL" refused_inserts)" -eq 0
	expect "admitted_by_eviction" "$(ctk "$FULL" admitted_by_eviction)" \
		-eq 0
	expect "missed" "$(ctk_status missed)" -eq 0
}

a_loss_has_its_time()
{
	local full_since last_loss

	read -r full_since last_loss < <(ctk "$FULL" full_since last_loss_time)
	# These are kept to a tick, so the second may be the one before.
	expect "full_since" "${full_since%.*}" -ge $((since - 1))
	expect "last_loss_time" "${last_loss%.*}" -ge "${full_since%.*}"
	expect "last_loss_time" "${last_loss%.*}" -le "$(date +%s)"
	# The kernel counts a packet in before it looks for room.
	expect "peak" "$(ctk "$FULL" peak)" -ge $DEFAULT_LIMIT
	expect "peak" "$(ctk "$FULL" peak)" -le $((DEFAULT_LIMIT + $(nproc)))
}

ping_is_lost_and_counted()
{
	local before sent

	before=$(ctk "$FULL" table_full_drops)
	sent=$(in_ns "$FULL" ping -n -c 10 -i 0.01 -W 1 127.0.0.1 2>/dev/null |
		awk '/packets transmitted/ { print $1 - $4 }')
	expect "pings lost" "$sent" -eq 10
	expect "table_full_drops since" \
		$(($(ctk "$FULL" table_full_drops) - before)) -eq "$sent"
}

the_kernel_says_far_less()
{
	local lines

	lines=$(kernel_log | grep -c 'nf_conntrack.*table full')
	expect "lines in the kernel's log" "$lines" -ge 1
	expect "lines in the kernel's log" "$lines" -lt \
		"$(ctk "$FULL" table_full_drops)"
}

idle_namespace_stays_at_zero()
{
	expect "the kernel's drop" "$(kernel_stat "$IDLE" drop)" -eq 0
	expect "lost" "$(ctk "$IDLE" lost)" -eq 0
	expect "table_full_drops" "$(ctk "$IDLE" table_full_drops)" -eq 0
	expect_text "full_since" "$(ctk "$IDLE" full_since)" -
	expect_text "last_loss_time" "$(ctk "$IDLE" last_loss_time)" -
}

raised_limit_ends_the_losses()
{
	local before line

	before=$(ctk "$FULL" table_full_drops)
	set_limit $RAISED
	line=$(in_ns "$FULL" "$here/flowgen" udp --to 127.0.0.1 --count $ROOM)
	diag "$line"
	expect "sent" "$(count_in sent "$line")" -eq $ROOM
	expect "table_full_drops" "$(ctk "$FULL" table_full_drops)" \
		-eq "$before"
	expect "ctk's limit" "$(ctk "$FULL" limit)" -eq $RAISED
	expect "ctk's entries" "$(ctk "$FULL" entries)" -eq \
		"$(entries_of "$FULL")"
	busywait full_since_is_gone || fail "full_since never went away"
}

full_since_is_gone()
{
	[[ $(ctk "$FULL" full_since) == - ]]
}

run_tests \
	fills_to_the_default_limit \
	overflow_is_counted_exactly \
	a_loss_has_its_time \
	ping_is_lost_and_counted \
	the_kernel_says_far_less \
	idle_namespace_stays_at_zero \
	raised_limit_ends_the_losses
