#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A thousand namespaces: ctk lists each once, with ids and inode numbers of
# their own, while some come and go, and forgets them all.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

COUNT=1000
if_small COUNT=50

require_tools
require_kernel

lines()
{
	tail -n +2 $DEBUGFS/netns | wc -l
}

lines_are()
{
	[[ $(lines) -eq $1 ]]
}

# One ip for all, since a process each takes longer than a namespace.
batch()
{
	local i

	for ((i = 0; i < COUNT; i++)); do
		echo "netns $1 ctk-many-$i"
	done | ip -batch -
}

remove_many()
{
	[[ ! -e /run/netns/ctk-many-0 ]] || batch del
}

all_are_listed()
{
	local column

	ctk_load || return
	lines_before=$(lines)
	defer remove_many
	batch add || fail "not all namespaces could be made" || return
	expect "lines" "$(lines)" -eq $((lines_before + COUNT))
	for column in id netns_inum; do
		expect "different in column $column" "$(awk -v c=$column '
			NR == 1 { for (i = 1; i <= NF; i++) n[$i] = i; next }
			{ print $n[c] }' $DEBUGFS/netns | sort -u | wc -l)" \
			-eq $((lines_before + COUNT))
	done
}

they_are_the_kernels()
{
	comm -3 <(stat -L -c %i /run/netns/ctk-many-* | sort) \
		<(awk 'NR == 1 { for (i = 1; i <= NF; i++) n[$i] = i; next }
			{ print $n["netns_inum"] }' $DEBUGFS/netns |
			sort) >"$work/differences"
	expect "inode numbers that only one side has" \
		"$(wc -l <"$work/differences")" -eq "$lines_before"
}

reading_while_they_go()
{
	batch del &
	while ! lines_are "$lines_before"; do
		[[ $(head -n 1 $DEBUGFS/netns | wc -w) -gt 10 ]] ||
			fail "no header" || return
		[[ $SECONDS -lt 1000 ]] || fail "they stay" || return
	done
	wait $!
	expect "lines" "$(lines)" -eq "$lines_before"
}

run_tests all_are_listed they_are_the_kernels reading_while_they_go
