#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ctk's load and removal cross nf_conntrack's. Whoever was first, and however
# far it had come: in the end the hook is on, once, and counts what the sender
# sees. A reload of nf_conntrack is no loss, and begins no episode.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=500
LOSSES=2000
ROUNDS=3
if_small LOSSES=500 ROUNDS=2
if_large ROUNDS=50
slow=$here/test_modules/ctk_slow_coming.ko

require_tools
require_kernel

conntrack_is_coming()
{
	grep -q '^nf_conntrack .* Loading ' /proc/modules
}

# expect_exact: in a namespace made for it, whose table is made full.
expect_exact()
{
	local line

	sysctl -qw net.netfilter.nf_conntrack_max=$LIMIT
	setup_ns CROSSED
	track "$CROSSED"
	fill "$CROSSED" $LIMIT
	line=$(in_ns "$CROSSED" "$here/flowgen" udp --to 127.0.0.1 \
		--count $LOSSES)
	expect "EPERM" "$(count_in EPERM "$line")" -eq $LOSSES
	expect "the kernel's drop" "$(kernel_stat "$CROSSED" drop)" -eq $LOSSES
	expect "table_full_drops" "$(ctk "$CROSSED" table_full_drops)" \
		-eq $LOSSES
	expect "other_drops" "$(ctk "$CROSSED" other_drops)" -eq 0
	untrack "$CROSSED"
}

expect_hooked_once()
{
	expect_text "hook" "$(ctk_status hook)" wrapper
	expect "traced functions" "$(grep -c early_drop \
		/sys/kernel/debug/tracing/enabled_functions)" -eq 1
	expect "probes on early_drop" \
		"$(grep -c early_drop /sys/kernel/debug/kprobes/list)" -eq 0
}

loaded_while_conntrack_comes()
{
	local i loader

	[[ -f $slow ]] || { skip "ctk_slow_coming.ko is not built"; return; }
	conntrack_remove || return
	insmod "$slow" msecs=3000 ||
		fail "ctk_slow_coming.ko cannot be loaded" || return
	defer remove_slow
	defer ctk_remove
	for ((i = 0; i < ROUNDS; i++)); do
		modprobe nf_conntrack &
		loader=$!
		busywait conntrack_is_coming || fail "nf_conntrack never came"
		ctk_insert || fail "ctk cannot be loaded" || return
		wait $loader || fail "nf_conntrack cannot be loaded"
		expect "attached" "$(ctk_status attached)" -eq 1
		expect_hooked_once
		[[ $i -lt $((ROUNDS - 1)) ]] || break
		ctk_remove || fail "ctk cannot be removed"
		conntrack_remove || return
	done
	remove_slow
	expect_exact
}

remove_slow()
{
	[[ ! -d /sys/module/ctk_slow_coming ]] || rmmod ctk_slow_coming
}

# Neither waits for the other, so each round meets them at another point.
loads_and_removals_at_once()
{
	local i loader

	for ((i = 0; i < 4 * ROUNDS; i++)); do
		ctk_remove || fail "ctk cannot be removed"
		conntrack_remove || return
		modprobe nf_conntrack &
		loader=$!
		ctk_insert || fail "ctk cannot be loaded"
		wait $loader || fail "nf_conntrack cannot be loaded"
		expect_text "hook" "$(ctk_status hook)" wrapper
		modprobe -r nf_conntrack &
		loader=$!
		ctk_remove || fail "ctk cannot be removed"
		wait $loader || fail "modprobe -r nf_conntrack was refused"
		ctk_insert || fail "ctk cannot be loaded"
		expect "attached" "$(ctk_status attached)" -eq 0
	done
	conntrack_insert
	expect_hooked_once
	expect_exact
}

totals_are()
{
	[[ $(ctk "$CROSSED" lost full_since last_loss_time) == "$1" ]]
}

episode_is_over()
{
	[[ $(ctk "$CROSSED" full_since) == - ]]
}

# With losses of both kinds on the books: those that no hook reports are found
# by comparing totals, which a reload sets back in the kernel and not in ctk.
reload_is_no_episode()
{
	local before

	sysctl -qw kernel.ftrace_enabled=0
	defer sysctl -qw kernel.ftrace_enabled=1
	track "$CROSSED"
	in_ns "$CROSSED" "$here/flowgen" udp --to 127.0.0.1 --count $LOSSES \
		>/dev/null
	sysctl -qw kernel.ftrace_enabled=1
	expect "other_drops" "$(ctk "$CROSSED" other_drops)" -eq $LOSSES
	untrack "$CROSSED"
	busywait episode_is_over || fail "full_since never went away"
	before=$(ctk "$CROSSED" lost full_since last_loss_time)
	expect "lost" "${before%% *}" -eq $((2 * LOSSES))
	conntrack_remove || return
	conntrack_insert
	track "$CROSSED"
	in_ns "$CROSSED" "$here/flowgen" udp --to 127.0.0.1 --count 100 \
		>/dev/null
	WAIT_TIMEOUT=3 busywait totals_change "$before" &&
		fail "after the reload: $(ctk "$CROSSED" \
			lost full_since last_loss_time), before: $before"
	return 0
}

totals_change()
{
	! totals_are "$1"
}

run_tests \
	loaded_while_conntrack_comes \
	loads_and_removals_at_once \
	reload_is_no_episode
