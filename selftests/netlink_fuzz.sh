#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Messages that are wrong in every way, by the hundred thousand: from root, from
# nobody and from root of a foreign user namespace, all at once, while
# namespaces come and go. nlfuzz holds each answer against what it may be; the
# last two may never be told of another namespace. Then the ways to learn of
# others that no single answer shows, and dumps at their limits.
#
# CTK_FUZZ_SEED=N repeats what a run with the seed N has sent.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-nl.sh
. "$here/lib-nl.sh"

# In all, at least; each of the senders has its share.
MESSAGES=210000
if_small MESSAGES=6000
SEED=${CTK_FUZZ_SEED:-1}
# So that a dump takes several buffers.
NAMESPACES=20
# As ctk.yaml says.
RING=1024

require_tools setpriv unshare
require_kernel
install_for_all nlprobe nlfuzz
# shellcheck disable=SC2154 # set by install_for_all
probe=$nlprobe fuzz=$nlfuzz

# Its network namespace gets a name. It waits for a line on $go.
start_foreign()
{
	local ns=ctk-foreign-$$ script

	mkfifo "$work/go"
	exec {go}<>"$work/go"
	script="echo \$\$; read -r _; exec $fuzz --only-own \
		--seed $((SEED + 2)) --count $((MESSAGES / 3))"
	as_foreign_root sh -c "$script" <&"$go" >"$work/foreign" 2>&1 &
	foreign=$!
	defer_kill $foreign
	busywait test -s "$work/foreign" || fail "no foreign root" || return
	ip netns attach "$ns" "$(head -n 1 "$work/foreign")" ||
		fail "its namespace cannot be named" || return
	namespaces+=("$ns")
	inums[$ns]=$(stat -L -c %i "/run/netns/$ns")
	defer cleanup_ns "$ns"
	ip -n "$ns" link set lo up
	FOREIGN=$ns
}

# One ip for all, since a process each takes longer than a namespace.
batch()
{
	local i

	for ((i = 0; i < NAMESPACES; i++)); do
		echo "netns $1 ctk-fuzz-$i"
	done | ip -batch -
}

# So that there are events to be told, and others' not to be.
packets_are_lost()
{
	local ns

	ctk_load || return
	defer batch del
	batch add || fail "not all namespaces could be made" || return
	setup_ns OTHER
	as_foreign_root true || { skip "no user namespaces for nobody"; return; }
	start_foreign || return
	for ns in "$OTHER" "$FOREIGN"; do
		lose_packets "$ns"
		expect "packets lost" "$lost" -gt 0
		expect "counted" "$(ctk "$ns" lost)" -eq "$lost"
	done
}

# Until there is a file "enough".
come_and_go()
{
	until [[ -e $work/enough ]]; do
		ip netns add "ctk-brief-$$"
		ip netns del "ctk-brief-$$"
	done
}

all_at_once()
{
	local share=$((MESSAGES / 3)) nobody brief

	[[ ${FOREIGN-} ]] || share=$((MESSAGES / 2))
	come_and_go &
	brief=$!
	as_nobody "$fuzz" --only-own --seed $((SEED + 1)) \
		--count $share >"$work/nobody" 2>&1 &
	nobody=$!
	defer_kill $nobody
	[[ ! ${FOREIGN-} ]] || echo >&"$go"
	"$fuzz" --seed "$SEED" --count $share >"$work/root" 2>&1
	expect "root's exit code" $? -eq 0
	wait $nobody
	expect "nobody's exit code" $? -eq 0
	if [[ ${FOREIGN-} ]]; then
		wait "$foreign"
		expect "foreign root's exit code" $? -eq 0
	fi
	touch "$work/enough"
	wait $brief
}

# result OF KEY: of its last line, 0 where it has none.
result()
{
	count_in "$2" "$(<"$work/$1")"
}

every_answer_is_one()
{
	local who sum=0

	all_at_once
	for who in root nobody foreign; do
		[[ -e $work/$who ]] || continue
		diag "$who: $(<"$work/$who")"
		expect "answered" "$(result $who answered)" -gt 0
		expect "refused" "$(result $who refused)" -gt 0
		expect "replies" "$(result $who replies)" -gt 0
		expect "dumps closed half-way" "$(result $who closed)" -gt 0
		sum=$((sum + $(result $who sent)))
	done
	expect "messages" "$sum" -ge $MESSAGES
}

events_are_told_to_those_who_may()
{
	expect "root's events" "$(result root events)" -gt 0
	expect "root's joining" "$(result root joined)" -gt 0
	expect "root's refused" "$(result root join_refused)" -eq 0
	expect "nobody's events" "$(result nobody events)" -eq 0
	expect "nobody's joining" "$(result nobody joined)" -eq 0
	expect "nobody's refused" "$(result nobody join_refused)" -gt 0
	[[ ${FOREIGN-} ]] || { skip "no user namespaces for nobody"; return; }
	expect "foreign root's events" "$(result foreign events)" -gt 0
	expect "foreign root's joining" "$(result foreign joined)" -gt 0
	expect "foreign root's refused" "$(result foreign join_refused)" -eq 0
}

what_is_right_is_answered()
{
	local inum=${inums[$OTHER]}

	expect_text "status-get" "$($probe status-get)" "*ok replies=1"
	expect_text "netns-get" "$($probe netns-get "netns-inum=$inum")" \
		"*ok replies=1"
	expect_text "reset" "$($probe reset "netns-inum=$inum")" \
		"ok replies=0"
	expect_text "event-get" "$($probe --dump event-get)" "*ok replies=*"
}

# dump_meanwhile COMMAND...: a dump under way while a namespace comes and goes;
# what it says is in $said.
dump_meanwhile()
{
	local line

	coproc dump { "$@" --dump --pause netns-get; }
	# shellcheck disable=SC2154 # coproc sets it
	read -r line <&"${dump[0]}"
	expect_text "under way" "$line" sent
	ip netns add "ctk-brief-$$"
	ip netns del "ctk-brief-$$"
	echo >&"${dump[1]}"
	said=$(cat <&"${dump[0]}")
	# shellcheck disable=SC2154
	wait "$dump_PID" 2>/dev/null
}

# NLM_F_DUMP_INTR tells who may know that it has to ask again.
others_do_not_show_in_a_dump()
{
	dump_meanwhile "$probe"
	expect_text "root's" "$said" "*ok replies=* interrupted=1"
	dump_meanwhile as_nobody "$probe"
	expect_text "nobody's" "$said" "reply *ok replies=1"
}

# The smallest that the kernel gives, less than a message takes.
a_tiny_receive_buffer_loses_nothing()
{
	local command all

	for command in netns-get event-get; do
		all=$($probe --dump $command | grep -c reply)
		expect "of $command" "$all" -gt 1
		expect "with a tiny buffer" "$($probe --dump \
			--receive-buffer 1 $command | grep -c reply)" \
			-eq "$all"
	done
}

# One event is that conntrack is there. Nothing else may happen, so the tables
# have to be far from full.
a_ring_just_full_is_told_whole()
{
	local i said

	set_limit 300000
	ctk_load || return
	for ((i = 1; i < RING; i++)); do
		echo $((300000 + i)) >/proc/sys/net/netfilter/nf_conntrack_max
	done
	said=$($probe --dump event-get)
	expect_text "the first" "${said%%$'\n'*}" "reply seq=1 *"
	expect "events" "$(grep -c reply <<<"$said")" -eq $RING
	echo 300000 >/proc/sys/net/netfilter/nf_conntrack_max
	said=$($probe --dump event-get)
	expect_text "the first when one more" "${said%%$'\n'*}" "reply seq=2 *"
	expect "events" "$(grep -c reply <<<"$said")" -eq $RING
}

run_tests \
	packets_are_lost \
	every_answer_is_one \
	events_are_told_to_those_who_may \
	what_is_right_is_answered \
	others_do_not_show_in_a_dump \
	a_tiny_receive_buffer_loses_nothing \
	a_ring_just_full_is_told_whole
