#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The second ceiling, which nothing logs: the limit is raised to 2097152 as the
# field note does, over a hash that is too small for it. New flows die because
# their chain is too long; the kernel's drop stays at 0 and its log is silent.
# ctk counts what the senders see, tells the begin, and that it ends when the
# buckets are raised.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-events.sh
. "$(dirname "$0")/lib-events.sh"

BUCKETS=1024
# At 33 entries per bucket half of the new flows die.
FLOWS=40000
if_small BUCKETS=512 FLOWS=15000

require_tools
require_kernel
[[ -x $here/nlprobe ]] || skip_all "nlprobe is not built, run make"
chains_are_limited ||
	skip_all "this kernel has no limit on chains"

flows_die_of_long_chains()
{
	ctk_load || return
	setup_ns NS
	set_limit 2097152
	defer restore_buckets "$(<$SYSCTL/nf_conntrack_buckets)"
	sysctl -qw net.netfilter.nf_conntrack_buckets=$BUCKETS
	expect "buckets" "$(<$SYSCTL/nf_conntrack_buckets)" -eq $BUCKETS
	track "$NS"
	# The chains are to stay as long as they are, also on a slow machine.
	in_ns "$NS" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600
	mark_events
	line=$(in_ns "$NS" "$here/flowgen" udp --to 127.0.0.1 --count $FLOWS)
	diag "$line"
	died=$(count_in EPERM "$line")
	expect "EPERM" "$died" -gt 100
	expect "sent" "$(count_in sent "$line")" -eq $((FLOWS - died))
	expect_event chain-begin "netns_inum=$(inum_of "$NS")" \
		buckets=$BUCKETS limit=2097152
}

restore_buckets()
{
	[[ ! -e $SYSCTL/nf_conntrack_buckets ]] ||
		sysctl -qw net.netfilter.nf_conntrack_buckets="$1"
}

each_is_counted_and_none_as_another()
{
	expect "chain_too_long_drops" "$(ctk "$NS" chain_too_long_drops)" \
		-eq "$died"
	expect "the kernel's chaintoolong" "$(kernel_stat "$NS" chaintoolong)" \
		-eq "$died"
	expect "lost" "$(ctk "$NS" lost)" -eq "$died"
	expect "table_full_drops" "$(ctk "$NS" table_full_drops)" -eq 0
	expect "other_drops" "$(ctk "$NS" other_drops)" -eq 0
}

the_kernel_says_nothing()
{
	expect "the kernel's drop" "$(kernel_stat "$NS" drop)" -eq 0
	kernel_log | grep '^nf_conntrack' && fail "nf_conntrack has logged"
	kernel_log | grep -q '^ctk: netns .* hash chains too long' ||
		fail "ctk has not logged it"
}

# Whether or not a look has noted it while it lived.
a_short_life_leaves_its_count()
{
	local lost

	setup_ns SHORT
	track "$SHORT"
	line=$(in_ns "$SHORT" "$here/flowgen" udp --to 127.0.0.1 --count 200)
	lost=$(count_in EPERM "$line")
	expect "EPERM" "$lost" -gt 0
	cleanup_ns "$SHORT"
	expect_event netns-gone "lost=$lost" "chain_too_long_drops=$lost"
}

# The next begin is told ten seconds after the last at the soonest, or whoever
# may reset his namespace could bury all else.
resets_do_not_bury_the_rest()
{
	local i start begins

	setup_ns RESET
	track "$RESET"
	start=$SECONDS
	for ((i = 0; i < 5; i++)); do
		in_ns "$RESET" "$here/flowgen" udp --to 127.0.0.1 --count 200 \
			>/dev/null
		expect "lost" "$(ctk "$RESET" chain_too_long_drops)" -gt 0
		"$here/nlprobe" reset netns-inum="$(inum_of "$RESET")" \
			>/dev/null
	done
	begins=$(events | grep -E " id=$(ctk "$RESET" id)( |$)" |
		grep -c event=chain-begin)
	expect "begins of five episodes" "$begins" -ge 1
	expect "begins of five episodes" "$begins" \
		-le $(((SECONDS - start) / 10 + 1))
}

more_buckets_end_it()
{
	sysctl -qw net.netfilter.nf_conntrack_buckets=262144
	line=$(in_ns "$NS" "$here/flowgen" udp --to 127.0.0.2 --count 5000)
	expect "sent" "$(count_in sent "$line")" -eq 5000
	expect_event chain-end "netns_inum=$(inum_of "$NS")" "lost=$died"
	expect "chain_too_long_drops" "$(ctk "$NS" chain_too_long_drops)" \
		-eq "$died"
}

run_tests \
	flows_die_of_long_chains \
	each_is_counted_and_none_as_another \
	the_kernel_says_nothing \
	a_short_life_leaves_its_count \
	resets_do_not_bury_the_rest \
	more_buckets_end_it
