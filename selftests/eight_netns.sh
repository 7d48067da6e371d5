#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Drops in eight namespaces at once: in four of them processes send, in four
# packets arrive from a neighbour and die in softirqs, that of CPU 0 through
# RPS for two of them. Each namespace's count is the kernel's, and the sum is
# the sum. CTK_TEST_SIZE=large makes it ten million.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=500
DROPS=400000
if_small DROPS=4000
if_large DROPS=10000000 WAIT_TIMEOUT=5400

require_tools
require_kernel

process_floods()
{
	local i

	for i in 1 2 3 4; do
		setup_ns NS
		track "$NS"
		fill "$NS"
		sending+=("$NS")
	done
}

softirq_floods()
{
	local i

	for i in 1 2 3 4; do
		setup_ns SENDER RECEIVER
		connect_ns "$SENDER" s0 "10.$i.0.1/24" \
			"$RECEIVER" r0 "10.$i.0.2/24"
		[[ $i -gt 2 ]] || steer_to_cpu0 "$RECEIVER" r0
		track "$RECEIVER"
		fill "$RECEIVER"
		senders+=("$SENDER")
		receiving+=("$RECEIVER")
	done
}

drops()
{
	local ns sum=0

	for ns in "${sending[@]}" "${receiving[@]}"; do
		sum=$((sum + $(kernel_stat "$ns" drop)))
	done
	echo $sum
}

dropped_enough()
{
	[[ $(drops) -ge $DROPS ]]
}

eight_namespaces_lose_at_once()
{
	local i

	set_limit $LIMIT
	ctk_load hook=wrapper || return
	sending=() receiving=() senders=()
	process_floods
	softirq_floods
	for i in 0 1 2 3; do
		start_flood "process$i" "${sending[i]}" --to 127.0.0.1
		start_flood "softirq$i" "${senders[i]}" \
			--to "10.$((i + 1)).0.2"
	done
	busywait dropped_enough || fail "too few drops: $(drops)"
	refused=()
	for i in 0 1 2 3; do
		stop_flood "softirq$i"
		stop_flood "process$i"
		refused+=("$(count_in EPERM "$line")")
	done
	wait_still drops
	expect "drops" "$still" -ge $DROPS
}

each_count_is_the_kernels()
{
	local i ns drop sum=0

	for ns in "${sending[@]}" "${receiving[@]}"; do
		drop=$(kernel_stat "$ns" drop)
		expect "drops" "$drop" -gt 0
		expect "table_full_drops" "$(ctk "$ns" table_full_drops)" \
			-eq "$drop"
		expect "other_drops" "$(ctk "$ns" other_drops)" -eq 0
		sum=$((sum + $(ctk "$ns" table_full_drops)))
	done
	for i in 0 1 2 3; do
		expect "EPERM" "${refused[i]}" -eq \
			"$(kernel_stat "${sending[i]}" drop)"
	done
	expect "sum of table_full_drops" $sum -eq "$still"
	expect "missed" "$(ctk_status missed)" -eq 0
}

run_tests eight_namespaces_lose_at_once each_count_is_the_kernels
