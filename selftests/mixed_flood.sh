#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Two process floods and a softirq flood on one CPU, the softirq interrupting
# the processes wherever they are, early_drop() included. The wrapper counts
# every drop, and each is found again when it is freed; the kretprobe cannot,
# but what it says it missed makes up for what it did not count.
#
# The processes send in a namespace of their own, pinned to CPU 0. The softirq
# flood is sent from CPU 1 by a third namespace, and RPS on its receiver's
# device hands it to CPU 0.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=1000
WRAPPER_DROPS=500000
KRETPROBE_DROPS=100000
if_small LIMIT=200 WRAPPER_DROPS=3000 KRETPROBE_DROPS=1000

require_tools
require_kernel
[[ $(nproc) -ge 2 ]] || skip_all "needs two CPUs"

setup_floods()
{
	set_limit $LIMIT
	setup_ns LOCAL FORWARDED SENDER
	track "$LOCAL" "$FORWARDED"
	connect_ns "$SENDER" s0 10.1.0.1/24 "$FORWARDED" f0 10.1.0.2/24
	steer_to_cpu0 "$FORWARDED" f0
	fill "$LOCAL"
	fill "$FORWARDED"
}

drops_of_both()
{
	echo $(($(kernel_stat "$LOCAL" drop) +
		$(kernel_stat "$FORWARDED" drop) - drops_before))
}

dropped_enough()
{
	[[ $(drops_of_both) -ge $1 ]] &&
		[[ $(kernel_stat "$LOCAL" drop) -gt $local_before ]] &&
		[[ $(kernel_stat "$FORWARDED" drop) -gt $forwarded_before ]]
}

# flood_until DROPS: then everything stands still. Leaves in $refused what
# the two processes saw.
flood_until()
{
	local line

	drops_before=0
	drops_before=$(drops_of_both)
	local_before=$(kernel_stat "$LOCAL" drop)
	forwarded_before=$(kernel_stat "$FORWARDED" drop)
	start_flood one "$LOCAL" --to 127.0.0.1 --cpu 0
	start_flood two "$LOCAL" --to 127.0.0.1 --cpu 0
	start_flood soft "$SENDER" --to 10.1.0.2 --cpu 1
	WAIT_TIMEOUT=300 busywait dropped_enough "$1" || fail "too few drops"
	stop_flood soft
	diag "softirq flood: $line"
	stop_flood one
	diag "process flood: $line"
	refused=$(count_in EPERM "$line")
	stop_flood two
	diag "process flood: $line"
	refused=$((refused + $(count_in EPERM "$line")))
	wait_still drops_of_both
}

wrapper_is_exact()
{
	ctk_load hook=wrapper attribution=on || return
	setup_floods
	expect_text "hook" "$(ctk_status hook)" wrapper
	flood_until $WRAPPER_DROPS
	expect "drops" "$(drops_of_both)" -ge $WRAPPER_DROPS
	expect "the processes' EPERM" "$refused" -eq \
		"$(kernel_stat "$LOCAL" drop)"
	expect "table_full_drops of the processes" \
		"$(ctk "$LOCAL" table_full_drops)" -eq "$refused"
	expect "table_full_drops of the softirqs" \
		"$(ctk "$FORWARDED" table_full_drops)" -eq \
		"$(kernel_stat "$FORWARDED" drop)"
	expect "other_drops" "$(ctk "$LOCAL" other_drops)" -eq 0
	expect "other_drops" "$(ctk "$FORWARDED" other_drops)" -eq 0
	expect "missed" "$(ctk_status missed)" -eq 0
}

# Of the same flood.
each_is_attributed()
{
	local ns

	for ns in "$LOCAL" "$FORWARDED"; do
		expect "attributed_drops" "$(ctk "$ns" attributed_drops)" \
			-eq "$(kernel_stat "$ns" drop)"
		expect "unattributed_drops" \
			"$(ctk "$ns" unattributed_drops)" -eq 0
	done
	expect "marks_lost" "$(ctk_status marks_lost)" -eq 0
}

kretprobe_is_honest()
{
	local drops counted missed ns

	ctk_load hook=kretprobe || return
	expect_text "hook" "$(ctk_status hook)" kretprobe
	flood_until $KRETPROBE_DROPS
	drops=$(drops_of_both)
	counted=0
	for ns in "$LOCAL" "$FORWARDED"; do
		counted=$((counted + $(ctk "$ns" table_full_drops)))
	done
	missed=$(ctk_status missed)
	diag "$drops drops, $counted counted, $missed missed"
	expect "drops" "$drops" -ge $KRETPROBE_DROPS
	expect "counted" "$counted" -le "$drops"
	expect "counted and missed" $((counted + missed)) -ge "$drops"
	expect "losses by both names" \
		$(($(ctk "$LOCAL" lost) + $(ctk "$FORWARDED" lost))) \
		-eq "$drops"
}

run_tests wrapper_is_exact each_is_attributed kretprobe_is_honest
