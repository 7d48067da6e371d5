#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The field note's trap: an innocent iptables -t nat -L loads nf_conntrack, a
# reload of it puts nf_conntrack_max back to its default, and nobody is told.
# ctk lets it happen and tells it, in order and with who did it; hashsize= in
# modprobe.d, as the note mends it, survives the reload.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-events.sh
. "$(dirname "$0")/lib-events.sh"

OPTIONS=/run/modprobe.d/ctk-selftest.conf

require_tools iptables-legacy
require_kernel
modprobe -q iptable_nat || skip_all "this kernel lacks iptable_nat"

# What the kernel gives by itself, and ctk knows nothing of.
learn_the_default()
{
	conntrack_remove || return
	conntrack_insert
	default=$(limit_now)
	conntrack_remove || return
	ctk_load
	expect "attached" "$(ctk_status attached)" -eq 0
}

iptables_loads_it_by_surprise()
{
	mark_events
	iptables-legacy -t nat -L >/dev/null
	expect_event attached comm=iptables-legacy request=iptable_nat \
		"parent_comm=$(<"/proc/$$/comm")" "limit=$default"
	expect "nf_conntrack_max" "$(limit_now)" -eq "$default"
	mark_events
	remove_users nf_conntrack
	rmmod nf_conntrack
	expect_event detached comm=rmmod "parent_comm=$(<"/proc/$$/comm")" \
		"limit=$default"
}

nft_loads_it_by_surprise()
{
	mark_events
	setup_ns NS
	track "$NS"
	expect_event attached comm=nft
	# Which of nft's modules it was that needed nf_conntrack.
	expect_text "asked for" "$(event_value request "$event")" "nft-expr*ct"
	untrack "$NS"
}

a_reload_resets_the_limit_and_all_is_told()
{
	local line said

	conntrack_remove || return
	conntrack_insert
	sysctl -qw net.netfilter.nf_conntrack_max=2097152
	# The last event before, so that what follows is the whole story.
	find_event detached || fail "no event"
	event_mark=$(event_value seq "$event")
	conntrack_remove || return
	conntrack_insert
	expect "nf_conntrack_max" "$(limit_now)" -eq "$default"
	said=$(while read -r line; do
		echo "$(event_value event "$line")" \
			"$(event_value comm "$line")" \
			"$(event_value limit "$line")" \
			"$(event_value old "$line")" \
			"$(event_value new "$line")"
	done < <(events) | sed 's/  */ /g; s/ $//')
	expect_text "the story" "${said//$'\n'/; }" "attached modprobe $default; \
limit-changed sysctl $default 2097152; detached modprobe 2097152; \
attached modprobe $default"
}

# As the note says, the limit is then eight times the buckets; four times on
# some kernels before 5.15.
hashsize_in_modprobe_d_survives()
{
	local limit

	mkdir -p "${OPTIONS%/*}"
	defer rm -f "$OPTIONS"
	echo "options nf_conntrack hashsize=262144" >"$OPTIONS"
	mark_events
	conntrack_remove || return
	conntrack_insert
	limit=$(limit_now)
	expect "buckets" "$(<$SYSCTL/nf_conntrack_buckets)" -eq 262144
	expect "nf_conntrack_max" "$limit" -ge $((262144 * 4))
	expect_event attached "limit=$limit" buckets=262144
	conntrack_remove || return
	iptables-legacy -t nat -L >/dev/null
	expect "after the next load" "$(limit_now)" -eq "$limit"
	remove_users nf_conntrack
	rm -f "$OPTIONS"
}

run_tests \
	learn_the_default \
	iptables_loads_it_by_surprise \
	nft_loads_it_by_surprise \
	a_reload_resets_the_limit_and_all_is_told \
	hashsize_in_modprobe_d_survives
