#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# nf_conntrack comes and goes as if ctk were not there: ctk is loaded before
# it, lets go when it is removed, and finds it again. Its removal is never
# refused on ctk's account, and lsmod shows no user.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=500

require_tools
require_kernel

expect_detached()
{
	expect "attached" "$(ctk_status attached)" -eq 0
	expect_text "hook" "$(ctk_status hook)" -
	expect_text "entries" "$(ctk "$NS" entries)" -
	expect_text "limit" "$(ctk "$NS" limit)" -
	[[ ! -d /sys/module/nf_conntrack ]] || fail "nf_conntrack is loaded"
}

expect_attached()
{
	expect "attached" "$(ctk_status attached)" -eq 1
	expect_text "hook" "$(ctk_status hook)" wrapper
	expect "ctk's entries" "$(ctk "$NS" entries)" -eq \
		"$(entries_of "$NS")"
	expect "ctk's limit" "$(ctk "$NS" limit)" -eq "$(limit_now)"
	expect_no_user
}

expect_no_user()
{
	[[ " $(module_users nf_conntrack) " != *" ctk "* ]] ||
		fail "ctk is a user of nf_conntrack"
	expect_text "users of ctk" "$(module_users ctk)" ''
}

ctk_comes_first()
{
	conntrack_remove || return
	setup_ns NS
	ctk_load hook=wrapper || return
	expect_detached
	expect "table_full_drops" "$(ctk "$NS" table_full_drops)" -eq 0
}

conntrack_comes_and_is_seen()
{
	conntrack_insert
	expect_attached
	expect_counted_here 2000
}

# expect_counted_here COUNT: in a table that is made full.
expect_counted_here()
{
	local before line refused

	before=$(ctk "$NS" table_full_drops)
	sysctl -qw net.netfilter.nf_conntrack_max=$LIMIT
	track "$NS"
	fill "$NS"
	line=$(in_ns "$NS" "$here/flowgen" udp --to 127.0.0.1 --count "$1")
	refused=$(count_in EPERM "$line")
	expect "EPERM" "$refused" -eq "$1"
	expect "the kernel's drop" "$(kernel_stat "$NS" drop)" -eq "$refused"
	expect "growth of table_full_drops" \
		$(($(ctk "$NS" table_full_drops) - before)) -eq "$refused"
	expect "other_drops" "$(ctk "$NS" other_drops)" -eq 0
}

conntrack_goes_and_is_let_go()
{
	untrack "$NS"
	conntrack_remove || return
	expect_detached
	expect "table_full_drops kept" "$(ctk "$NS" table_full_drops)" -eq 2000
}

conntrack_comes_back()
{
	conntrack_insert
	expect_attached
	expect "table_full_drops kept" "$(ctk "$NS" table_full_drops)" -eq 2000
	expect_counted_here 3000
	expect "table_full_drops in all" \
		"$(ctk "$NS" table_full_drops)" -eq 5000
}

ctk_goes_without_conntrack()
{
	untrack "$NS"
	conntrack_remove || return
	ctk_remove || fail "ctk cannot be removed"
	conntrack_insert
	ctk_insert || fail "ctk cannot be loaded"
	expect "attached" "$(ctk_status attached)" -eq 1
	expect_no_user
}

run_tests \
	ctk_comes_first \
	conntrack_comes_and_is_seen \
	conntrack_goes_and_is_let_go \
	conntrack_comes_back \
	ctk_goes_without_conntrack
