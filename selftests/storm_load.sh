#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ctk is loaded and removed under flood, in both forms of its hook: what it
# counts while it is there is never more than the kernel's drop, nothing of it
# is left in the kernel's text afterwards, and no packet's fate changes. Where
# emulation has a thread per CPU, run it in one: changing text under traffic is
# sound on hardware only.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-events.sh
. "$(dirname "$0")/lib-events.sh"

LIMIT=500
ROUNDS=20
if_small LIMIT=100 ROUNDS=4
if_large ROUNDS=500

require_tools
require_kernel
[[ -x $here/nlprobe ]] || skip_all "nlprobe is not built, run make"

counted_some()
{
	[[ $(ctk "$STORM" table_full_drops) -gt 0 ]]
}

# load_and_remove HOOK
load_and_remove()
{
	local before counted after

	before=$(kernel_stat "$STORM" drop)
	ctk_insert "hook=$1" || fail "ctk cannot be loaded" || return
	busywait counted_some || fail "nothing counted by hook=$1"
	busywait has_counted joins || fail "nobody could subscribe"
	counted=$(ctk "$STORM" table_full_drops)
	after=$(kernel_stat "$STORM" drop)
	[[ $counted -le $((after - before)) ]] ||
		fail "$counted counted of $((after - before)) drops"
	ctk_remove || fail "ctk cannot be removed" || return
	rounds=$((rounds + 1))
}

loads_under_flood()
{
	local hooks=(wrapper kretprobe) i

	set_limit $LIMIT
	defer ctk_remove
	setup_ns STORM SENDER
	track "$STORM"
	connect_ns "$SENDER" s0 10.1.0.1/24 "$STORM" d0 10.1.0.2/24
	fill "$STORM"
	start_flood own "$STORM" --to 127.0.0.1
	start_flood foreign "$SENDER" --to 10.1.0.2
	follow_for_ever &
	follower=$!
	defer_kill $follower
	rounds=0
	for ((i = 0; i < ROUNDS; i++)); do
		load_and_remove "${hooks[i % 2]}"
	done
	expect "rounds" $rounds -eq $ROUNDS
	expect "subscriptions" "$(<"$work/joins")" -gt 0
	stop_child $follower
}

hooks_are_gone()
{
	expect "probes on early_drop" \
		"$(grep -c early_drop /sys/kernel/debug/kprobes/list)" -eq 0
	expect "traced functions" "$(grep -c early_drop \
		/sys/kernel/debug/tracing/enabled_functions)" -eq 0
}

# What the processes saw is what the kernel counted, ctk or not.
# shellcheck disable=SC2031 # not that of lib-events.sh
floods_saw_what_the_kernel_counted()
{
	local before line other

	stop_flood foreign
	diag "softirq flood: $line"
	stop_flood own
	diag "$line"
	expect "EPERM" "$(count_in EPERM "$line")" -gt $ROUNDS
	expect "sent" "$(count_in sent "$line")" -eq 0
	other=$(($(count_in attempts "$line") - $(count_in EPERM "$line")))
	expect "other errors" "$other" -eq 0
	ctk_load || return
	before=$(kernel_stat "$STORM" drop)
	line=$(in_ns "$STORM" "$here/flowgen" udp --to 127.0.0.1 --count 2000)
	expect "EPERM" "$(count_in EPERM "$line")" -eq 2000
	expect "the kernel's drop" \
		$(($(kernel_stat "$STORM" drop) - before)) -eq 2000
	expect "table_full_drops" "$(ctk "$STORM" table_full_drops)" -eq 2000
}

run_tests \
	loads_under_flood \
	hooks_are_gone \
	floods_saw_what_the_kernel_counted
