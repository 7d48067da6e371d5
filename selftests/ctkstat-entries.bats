#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# ctkstat entries against the real module, in a VM, as root: what it counts is
# held against conntrack -L, /proc and what was put in. It never looks into
# ctkstat.

# Bats calls these functions by name, each test in a process of its own; the $n
# of a filter is jq's:
# shellcheck disable=SC2016,SC2030,SC2031,SC2317

bats_require_minimum_version 1.5.0

# shellcheck source=lib-bats.sh
. "$BATS_TEST_DIRNAME/lib-bats.sh"

# put NAME COUNT [ARG...]: assured entries.
put()
{
	in_ns "$1" "$BATS_TEST_DIRNAME/flowgen" ctnetlink --count "$2" \
		--to 198.18.0.1 "${@:3}" >&2
}

# insert NAME ARG...: one entry, by conntrack -I.
insert()
{
	in_ns "$1" conntrack -I "${@:2}" >/dev/null 2>&1
}

# A table of many kinds: 300 tcp established for 5 days, 40 for less, 60 udp,
# 30 udp without an answer, and a few of other states and protocols.
mixed_ns()
{
	local state port=0

	make_ns "$1"
	track "$1"
	put "$1" 300
	put "$1" 40 --to 198.18.0.2 --timeout 400000
	put "$1" 60 --to 198.18.0.3 --proto udp --timeout 1000
	in_ns "$1" "$BATS_TEST_DIRNAME/flowgen" udp --to 198.51.100.1 \
		--count 30 --dport 53 >&2
	for state in SYN_SENT SYN_RECV FIN_WAIT TIME_WAIT CLOSE; do
		port=$((port + 1))
		insert "$1" -p tcp -s 198.18.9.1 -d 198.18.9.2 --sport 5 \
			--dport $port --state $state -t 1000
	done
	insert "$1" -p sctp -s 198.18.9.1 -d 198.18.9.2 --orig-port-src 7 \
		--orig-port-dst 8 --state ESTABLISHED --orig-vtag 1 \
		--reply-vtag 2 -t 1000
	# Of a protocol that conntrack has no name for, by itself.
	in_ns "$1" python3 -c 'if True:
		from socket import *
		socket(AF_INET, SOCK_RAW, 99).sendto(b"x", ("198.51.100.1", 0))'
}

# listed NAME [ARG...]: conntrack -L.
listed()
{
	in_ns "$1" conntrack -L "${@:2}" 2>/dev/null
}

# tally PROGRAM: of the lines on stdin, by what awk makes of them, as JSON.
tally()
{
	awk "{ n[$1]++ } END {
		for (key in n)
			printf \"%s\\\"%s\\\": %d\", sep++ ? \",\" : \"{\", key, n[key]
		print sep ? \"}\" : \"{}\"
	}"
}

@test "a census is conntrack -L: protocols, states, time left, and all of it" {
	mixed_ns ctk-mix
	list=$(listed ctk-mix)
	run_ctkstat 0 -j entries -N ctk-mix
	assert_json '.entries == $n' --argjson n "$(wc -l <<<"$list")"
	assert_json '.entries == $n' \
		--argjson n "$(proc_of ctk-mix nf_conntrack_count)"
	# What conntrack has no name for is unknown to it, and its number to us.
	protocols=$(tally '$1 == "unknown" ? $2 : $1' <<<"$list")
	assert_in "$protocols" '"99": 1'
	assert_in "$protocols" '"sctp": 1'
	assert_json '.by_l4proto == $of' --argjson of "$protocols"
	states=$(grep ^tcp <<<"$list" | tally 'tolower($4)')
	assert_in "$states" '"syn_recv": 1'
	assert_json '.by_tcp_state == $of' --argjson of "$states"
	assert_json '.assured == $n' \
		--argjson n "$(grep -c ASSURED <<<"$list")"
	assert_json '.limit == $limit and .buckets == $buckets' \
		--argjson limit "$(<$SYSCTL/nf_conntrack_max)" \
		--argjson buckets "$(<$SYSCTL/nf_conntrack_buckets)"
	assert_json '.consistent and .duration_ms > 0 and .expired == 0 and
		.netns_inum == $n and .names == ["ctk-mix"]' \
		--argjson n "$(inum_of ctk-mix)"
	[[ $(json .time) =~ ^[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z$ ]]
	# The steps are far from what is left, so the clock does not matter.
	assert_json '([.time_left[].entries] | add) == .entries'
	left=$(awk '{
		n[$3 > 86400 ? 432000 : $3 > 610 ? 1800 : $3 > 60 ? 600 : 60]++
	}
	END { printf "[%d, %d, %d, %d]", n[60], n[600], n[1800], n[432000] }' \
		<<<"$list")
	assert_json '.time_left | [
		([.[] | select(.le <= 60).entries] | add),
		([.[] | select(.le > 60 and .le <= 600).entries] | add),
		(.[] | select(.le == 1800).entries),
		(.[] | select(.le == 432000).entries)] == $left' \
		--argjson left "$left"
	assert_json '.time_left[-1] | (has("le") | not) and .entries == 0'
	# 40 were put in as if no packet had come for 32000 seconds.
	assert_json '.established_timeout <= 432000 and
		.established_timeout > 431000'
	assert_json '[.established_idle[] | select(.entries > 0)] ==
		[{le: 60, entries: 300}, {le: 86400, entries: 40}]'
	assert_json '([.chain_length[].buckets] | add) == .buckets'
	# Each is in two chains.
	assert_json '([.chain_length[] | .length * .buckets] | add) >=
		2 * .entries'
	assert_json 'has("chain_loss_ratio") == $has' --argjson has \
		"$(chains_are_limited && echo true || echo false)"
	run_ctkstat 0 entries -N ctk-mix
	assert_80_columns
	assert_in "$(tr -s ' \n' '  ' <<<"$output")" \
		"40 (9%) established without a packet for more than 30 min: gone \
with nf_conntrack_tcp_timeout_established=1800 (at least 43"
	[[ ${lines[0]} == "ctk-mix (netns $(inum_of ctk-mix)): "*" entries ("* ]]
	assert_in "$output" "tcp state  established 340 ("
	assert_in "$output" ", 99 1 (<1%)"
	assert_in "$output" "assured    $(grep -c ASSURED <<<"$list") ("
	[[ $output =~ \ 340\ +[0-9]+%\ +up\ to\ 5\ d ]]
	[[ $output =~ chains\ +$(<$SYSCTL/nf_conntrack_buckets),\ of ]]
	[[ $output =~ memory\ +entries\ [0-9]+\ KiB\ and\ extensions,\ buckets ]]
}

@test "the most frequent sources and services are those of conntrack -L" {
	mixed_ns ctk-mix
	ip -n ctk-mix addr add 203.0.113.1/24 dev lo
	in_ns ctk-mix "$BATS_TEST_DIRNAME/flowgen" udp --count 20 --dport 443 \
		--sport 61000 --to 198.51.100.1 --from 203.0.113.1-203.0.113.20 >&2
	run_ctkstat 0 -j entries -N ctk-mix
	sources=$(listed ctk-mix | tally 'substr($0, match($0, /src=/) + 4,
		match($0, / dst=/) - match($0, /src=/) - 4)')
	assert_json '(.top_src | length) > 2 and all(.top_src[];
		.entries - .error <= $of[.addr] and .entries >= $of[.addr])' \
		--argjson of "$sources"
	assert_json '.top_src[0].addr == ($of | to_entries | max_by(.value).key)' \
		--argjson of "$sources"
	assert_json '.top_service | any(. == {l4proto: "udp",
		addr: "198.51.100.1", port: 53, entries: 30, error: 0})'
	assert_json '.top_dport | any(.l4proto == "udp" and .port == 443 and
		.entries - .error <= 20 and .entries >= 20)'
	run_ctkstat 0 entries -N ctk-mix
	[[ $output =~ \ 30\ +[0-9]+%\ +(<?[0-9]+%)?\ +udp\ 198.51.100.1:53 ]]
	assert_not_in "$output" PORT
	run_ctkstat 0 entries -a -N ctk-mix
	[[ $output =~ PORT.*\ udp\ 53 ]]
	assert_80_columns
	run_ctkstat 0 entries -H -N ctk-mix
	assert_not_in "$output" SERVICE
}

@test "addresses of IPv6 fit, and where none stands out that is said" {
	make_ns ctk-six
	address=fd00:1234:5678:9abc:def0:1234:5678:9abc
	ip -n ctk-six -batch - <<-EOF2
	link set lo up
	addr add $address dev lo nodad
	EOF2
	in_ns ctk-six nft -f - <<-EOF2
	table inet ctk {
		chain out {
			type filter hook output priority 0
			ct state new counter
		}
	}
	EOF2
	in_ns ctk-six "$BATS_TEST_DIRNAME/flowgen" udp --to $address \
		--count 3000 >&2
	run_ctkstat 0 entries -a -N ctk-six
	assert_80_columns
	assert_in "$output" " $address"
	assert_in "$output" " udp [$address]:"
	run_ctkstat 0 entries -N ctk-six
	assert_in "$output" "none stands out: none has more than "
}

@test "translated entries are counted as conntrack does" {
	make_ns ctk-nat
	track ctk-nat
	ip -n ctk-nat route add 203.0.113.0/24 dev lo
	in_ns ctk-nat nft -f - <<-EOF2
	table ip ctknat {
		chain out {
			type nat hook output priority -100
			udp dport 5000-5006 dnat to 198.51.100.1
		}
		chain post {
			type nat hook postrouting priority 100
			udp dport 6000-6004 snat to 198.51.100.9
		}
	}
	EOF2
	for ports in 5000-5006 6000-6004 7000-7002; do
		in_ns ctk-nat "$BATS_TEST_DIRNAME/flowgen" udp \
			--to 203.0.113.1 --dport $ports --sport 61000 \
			--count $((${ports#*-} - ${ports%-*} + 1)) >&2
	done
	run_ctkstat 0 -j entries -N ctk-nat
	assert_json '.src_nat == $src and .dst_nat == $dst' \
		--argjson src "$(listed ctk-nat --src-nat | wc -l)" \
		--argjson dst "$(listed ctk-nat --dst-nat | wc -l)"
	assert_json '.dst_nat == 7 and .src_nat == 5'
	run_ctkstat 0 entries -N ctk-nat
	assert_in "$output" "nat        source of 5 (33%), destination of 7 (46%)"
}

@test "without -N all namespaces are counted together" {
	make_ns ctk-a ctk-b
	put ctk-a 50
	put ctk-b 70 --proto udp
	sum=0
	for name in ctk-a ctk-b; do
		sum=$((sum + $(proc_of $name nf_conntrack_count)))
	done
	sum=$((sum + $(<$SYSCTL/nf_conntrack_count)))
	run_ctkstat 0 -j entries
	assert_json '.entries == $n and .by_l4proto.udp >= 70 and
		([has("netns_id", "netns_inum", "names")] | any | not)' \
		--argjson n "$sum"
	run_ctkstat 0 entries
	[[ ${lines[0]} == "all namespaces: $sum entries; each may have "* ]]
	run_ctkstat 0 -j entries -N ctk-a
	assert_json '.entries == 50'
}

@test "what filled the table is kept when losses begin, until a reset" {
	run_ctkstat 0 entries -k
	[[ $output == "nothing was kept: no losses began since ctk was loaded"* ]]
	run_ctkstat 0 -j entries -k
	assert_json '. == []'
	full_ns ctk-shop
	before=$(date +%s)
	lost=$(flood ctk-shop 20)
	[[ $lost -gt 0 ]]
	deadline=$((SECONDS + WAIT))
	until run_ctkstat 0 -j entries -k -N ctk-shop && assert_json '. != []'
	do
		[[ $SECONDS -lt $deadline ]]
		sleep 0.2
	done
	in_ns ctk-shop conntrack -F 2>&1
	[[ $(proc_of ctk-shop nf_conntrack_count) -eq 0 ]]
	# More than the limit, where packets were counted on their way out.
	assert_json 'length == 1 and (.[0] | .entries >= $limit and
		.by_tcp_state.established == $limit and .limit == $limit and
		.top_dst[0].addr == "198.18.0.1" and .netns_inum == $inum and
		.since <= .time and .consistent)' --argjson limit "$LIMIT" \
		--argjson inum "$(inum_of ctk-shop)"
	[[ $(date -d "$(json '.[0].since')" +%s) -ge $before ]]
	run_ctkstat 0 entries -k
	assert_in "${lines[0]}" "ctk-shop (netns $(inum_of ctk-shop)): "
	[[ ${lines[1]} == "losses began at "*"; counted at "*", in "*" ms" ]]
	assert_in "$output" "established $LIMIT ("
	assert_80_columns
	run_ctkstat 0 entries -N ctk-shop
	assert_in "${lines[0]}" ": 0/$LIMIT entries (0%)"
	assert_in "$(tr -s ' \n' '  ' <<<"$output")" \
		"kept: 1 counted when losses began in this namespace, the last at"
	make_ns ctk-other
	run_ctkstat 0 -j entries -k -N ctk-other
	assert_json '. == []'
	run_ctkstat 0 reset -N ctk-shop
	run_ctkstat 0 -j entries -k
	assert_json '. == []'
}

@test "bars are for terminals, and INTERVAL counts again" {
	make_ns ctk-a
	put ctk-a 50
	run_ctkstat 0 entries -N ctk-a
	assert_not_in "$output" "###"
	run_on_terminal entries -N ctk-a
	[[ $output =~ 100%\ +up\ to\ 5\ d\ +(######|██████) ]]
	run_ctkstat 0 -j entries -N ctk-a 0.1 2
	[[ ${#lines[@]} -eq 2 ]]
	[[ $(json .entries | xargs) == "50 50" ]]
}

@test "in a namespace of one's own that is counted, without the shared chains" {
	make_ns ctk-a ctk-b
	put ctk-a 50
	put ctk-b 70
	run_program 0 in_ns ctk-a "$CTKSTAT" -j entries
	assert_json '.entries == 50 and .netns_inum == $n and
		([has("chain_length", "chain_loss_ratio")] | any | not)' \
		--argjson n "$(inum_of ctk-a)"
	run_program 0 in_ns ctk-a "$CTKSTAT" entries
	assert_not_in "$output" chains
	run_program 2 in_ns ctk-a "$CTKSTAT" -j entries -N ctk-b
	assert_json '.error | contains("other namespaces need root in the initial one")'
}

@test "who may not count is told, and what is missing" {
	for arguments in entries "entries -k" "-j entries"; do
		# shellcheck disable=SC2086 # words
		run_as_nobody 2 $arguments
		assert_in "$stderr" "entries needs CAP_NET_ADMIN over the namespace"
	done
	assert_json '.error | contains("CAP_NET_ADMIN")'
	run_ctkstat 2 entries -N ctk-none
	assert_in "$stderr" "no network namespace 'ctk-none' in /run/netns"
	ctk_remove
	for arguments in entries "entries -k" "-j entries"; do
		# shellcheck disable=SC2086 # words
		run_ctkstat 2 $arguments
		assert_in "$stderr" "entries needs the module ctk, which is not"
	done
}

@test "without conntrack there is nothing to count, and the kernel says so" {
	conntrack_remove
	run_ctkstat 2 entries
	assert_in "$stderr" "cannot count what fills the table: "
	run_ctkstat 2 -j entries
	assert_json '.error | contains("nf_conntrack")'
}
