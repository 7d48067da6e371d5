#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Messages that are wrong in every way, by the hundred thousand: from root, from
# root in another network namespace, from nobody and from root of a foreign user
# namespace, all at once, while namespaces come and go and something happens in
# each. nlfuzz holds each answer against what it may be, and each notification,
# to which it subscribes; all but root may never be told of another namespace.
# Then the ways to learn of others that no single answer shows, and dumps at
# their limits.
#
# CTK_FUZZ_SEED=N repeats what a run with the seed N has sent.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-nl.sh
. "$here/lib-nl.sh"
# shellcheck source=lib-census.sh
. "$here/lib-census.sh"

# In all, at least; each of the senders has its share.
MESSAGES=210000
if_small MESSAGES=6000
SEED=${CTK_FUZZ_SEED:-1}
# So that a dump takes several buffers.
NAMESPACES=20
# As ctk.yaml says.
RING=1024
# So that a census is short.
BUCKETS=1024

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
		--seed $((SEED + 3)) --count $((MESSAGES / 4))"
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

expect_packets_lost()
{
	lose_packets "$1"
	expect "packets lost" "$lost" -gt 0
	expect "counted" "$(ctk "$1" lost)" -eq "$lost"
}

# So that there are events to be told, and others' not to be.
packets_are_lost()
{
	set_buckets $BUCKETS
	ctk_load attribution=on || return
	defer batch del
	batch add || fail "not all namespaces could be made" || return
	setup_ns OTHER
	expect_packets_lost "$OTHER"
	as_foreign_root true || { skip "no user namespaces for nobody"; return; }
	start_foreign || return
	expect_packets_lost "$FOREIGN"
}

# Until there is a file "enough".
come_and_go()
{
	until [[ -e $work/enough ]]; do
		ip netns add "ctk-brief-$$"
		ip netns del "ctk-brief-$$"
	done
}

# Something to tell of all, of each namespace, and of one that goes: the limit
# moves, thresholds are crossed, packets are lost. Until there is "enough".
things_happen()
{
	local ns short=ctk-short-$$ limit=$SMALL_LIMIT

	until [[ -e $work/enough ]]; do
		limit=$((SMALL_LIMIT * 3 - limit))
		echo $limit >$SYSCTL/nf_conntrack_max
		ip netns add $short
		ip -n $short link set lo up
		track $short
		fill $short
		for ns in $short "$OTHER" ${FOREIGN-}; do
			in_ns "$ns" "$here/flowgen" udp --to 127.0.0.1 \
				--count 10
		done
		ip netns del $short
	done
	echo $SMALL_LIMIT >$SYSCTL/nf_conntrack_max
} >/dev/null

# start_fuzz WHO SEED COMMAND [ARG...]: leaves its pid in ${fuzzers[WHO]}.
declare -A fuzzers
start_fuzz()
{
	"${@:3}" --seed "$2" --count "$share" >"$work/$1" 2>&1 &
	fuzzers[$1]=$!
	defer_kill $!
}

all_at_once()
{
	local share=$((MESSAGES / 4)) what who beside=()

	[[ ${FOREIGN-} ]] || share=$((MESSAGES / 3))
	for what in come_and_go things_happen; do
		$what &
		beside+=($!)
		defer_kill $!
	done
	start_fuzz root "$SEED" "$fuzz"
	start_fuzz nobody $((SEED + 1)) as_nobody "$fuzz" --only-own
	start_fuzz other $((SEED + 2)) in_ns "$OTHER" "$fuzz" --only-own
	if [[ ${FOREIGN-} ]]; then
		echo >&"$go"
		fuzzers[foreign]=$foreign
	fi
	for who in "${!fuzzers[@]}"; do
		wait "${fuzzers[$who]}"
		expect "exit code of $who" $? -eq 0
	done
	touch "$work/enough"
	wait "${beside[@]}"
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
	for who in root nobody other foreign; do
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

may_know_events()
{
	expect "events of $1" "$(result "$1" events)" -gt 0
	expect "notifications of $1" "$(result "$1" notified)" -gt 0
	expect "joining of $1" "$(result "$1" joined)" -gt 0
	expect "refused of $1" "$(result "$1" join_refused)" -eq 0
}

events_are_told_to_those_who_may()
{
	may_know_events root
	may_know_events other
	expect "events of nobody" "$(result nobody events)" -eq 0
	expect "notifications of nobody" "$(result nobody notified)" -eq 0
	expect "joining of nobody" "$(result nobody joined)" -eq 0
	expect "refused of nobody" "$(result nobody join_refused)" -gt 0
	[[ ${FOREIGN-} ]] || { skip "no user namespaces for nobody"; return; }
	may_know_events foreign
}

censuses_are_told_to_those_who_may()
{
	expect "root's censuses" "$(result root censuses)" -gt 0
	expect "nobody's censuses" "$(result nobody censuses)" -eq 0
	[[ ${FOREIGN-} ]] || { skip "no user namespaces for nobody"; return; }
	expect "foreign root's censuses" "$(result foreign censuses)" -gt 0
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
	expect_text "census-get" "$($probe census-get)" "*ok replies=1"
	expect_text "those kept" "$($probe --dump census-get)" "*ok replies=*"
	expect_text "offender-get" "$($probe --dump offender-get)" \
		"*ok replies=*"
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
	censuses_are_told_to_those_who_may \
	what_is_right_is_answered \
	others_do_not_show_in_a_dump \
	a_tiny_receive_buffer_loses_nothing \
	a_ring_just_full_is_told_whole
