#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No memory for an entry: the kernel drops the packet and counts it in drop as
# it does one for which the table has no room. Fault injection makes just those
# allocations fail that __nf_conntrack_alloc() makes, a number of times. These
# are not table_full_drops, and nothing of them is lost to ctk: they are
# no_memory_drops with attribution=on, and among the other_drops without.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-offender.sh
. "$(dirname "$0")/lib-offender.sh"
# shellcheck source=lib-failslab.sh
. "$(dirname "$0")/lib-failslab.sh"

FAILURES=20
DPORT=5353

require_tools
require_kernel
failslab_can_filter ||
	skip_all "this kernel lacks failslab with a filter by stack"

# lose ATTRIBUTION COLUMN: what is lost is in it, and in no other.
lose()
{
	local line refused

	ctk_load "attribution=$1" || return
	setup_ns MEMORY
	track "$MEMORY"
	defer fail_no_more
	fail_allocations $FAILURES || fail "no __nf_conntrack_alloc" || return
	line=$(in_ns "$MEMORY" "$here/flowgen" udp --to 127.0.0.1 \
		--dport $DPORT --count $((FAILURES * 5)))
	fail_no_more
	diag "$line"
	refused=$(count_in EPERM "$line")
	expect "EPERM" "$refused" -eq $FAILURES
	expect "sent" "$(count_in sent "$line")" -eq $((FAILURES * 4))
	expect "the kernel's drop" "$(kernel_stat "$MEMORY" drop)" \
		-eq "$refused"
	expect "table_full_drops" "$(ctk "$MEMORY" table_full_drops)" -eq 0
	expect "$2" "$(ctk "$MEMORY" "$2")" -eq "$refused"
	expect "lost" "$(ctk "$MEMORY" lost)" -eq "$refused"
}

lost_for_want_of_memory()
{
	lose off other_drops
	expect_text "no_memory_drops" "$(ctk "$MEMORY" no_memory_drops)" "-"
}

told_apart_with_attribution()
{
	lose on no_memory_drops
	expect "other_drops" "$(ctk "$MEMORY" other_drops)" -eq 0
	take_offenders "$MEMORY"
	find_offender "reason=$REASON_NO_MEMORY" dport="$DPORT" || return
	expect_within_error $FAILURES
	expect "unattributed_drops" \
		"$(ctk "$MEMORY" unattributed_drops)" -eq 0
}

none_is_lost_with_memory()
{
	local line

	line=$(in_ns "$MEMORY" "$here/flowgen" udp --to 127.0.0.1 \
		--sport 50000-50099 --count 100)
	expect "sent" "$(count_in sent "$line")" -eq 100
	expect "lost" "$(ctk "$MEMORY" lost)" -eq $FAILURES
}

run_tests \
	lost_for_want_of_memory \
	told_apart_with_attribution \
	none_is_lost_with_memory
