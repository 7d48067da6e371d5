#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What fills a table, held against `conntrack -L`: entry for entry while it is
# idle, between the counts before and after while it grows, and never wrong
# without saying so while the hash is resized or nf_conntrack goes. What filled
# a table when it began to lose packets is still told when it has drained.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-census.sh
. "$(dirname "$0")/lib-census.sh"
# shellcheck source=lib-nl.sh
. "$(dirname "$0")/lib-nl.sh"

# Of these a third is of one source, and a fifth to another service.
ENTRIES=65536
# The limit once they are there, which one table has reached.
LIMIT=20000
CHURN=15000
LOOKS=4
RELOADS=2
if_small ENTRIES=3000 LIMIT=1000 CHURN=800 LOOKS=3 RELOADS=1
if_large ENTRIES=262144

# Episodes, of which four are kept.
EPISODES=5
KEPT=4

require_tools setpriv unshare
require_kernel
modprobe -q nft_nat || skip_all "this kernel lacks nft_nat"
install_for_all nlprobe
# shellcheck disable=SC2154 # set by install_for_all
probe=$nlprobe

# --- An idle table ---------------------------------------------------------

# put NS COUNT OPTION...: assured entries of any kind.
put()
{
	local line

	line=$(in_ns "$1" "$here/flowgen" ctnetlink --count "$2" "${@:3}")
	[[ $(count_in inserted "$line") -eq $2 ]] || fail "put: $line"
}

# One source, many sources with one service, and connections that had their
# last packet at other times; other protocols and states, by real packets.
a_table_is_filled()
{
	ctk_load || return
	set_limit $((ENTRIES * 4))
	setup_ns TABLE FULL
	track "$TABLE" "$FULL"
	in_ns "$TABLE" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=500 \
		net.netfilter.nf_conntrack_tcp_timeout_time_wait=1000
	put "$TABLE" $((ENTRIES * 7 / 20)) --to 198.19.0.1 --from 198.18.0.9
	put "$TABLE" $((ENTRIES / 5)) --to 198.19.0.2 --dport 5432 \
		--from 198.18.0.10-198.18.3.250
	put "$TABLE" $((ENTRIES / 5)) --to 2001:db8::2 --timeout 431000 \
		--from 2001:db8:1::-2001:db8:1::ff
	put "$TABLE" $((ENTRIES / 8)) --to 198.19.0.3 --timeout 400000
	put "$TABLE" $((ENTRIES / 16)) --to 198.19.0.4 --timeout 290
	put "$TABLE" $((ENTRIES / 16)) --to 198.19.0.5 --proto udp \
		--timeout 3000
	in_ns "$TABLE" "$here/flowgen" udp --to 127.0.0.1 --count 200 \
		>/dev/null
	in_ns "$TABLE" "$here/flowgen" tcp --to 127.0.0.1 --count 20 >/dev/null
	open_and_hold "$TABLE" --to 127.0.0.1 --count 30
}

# Leaves in the file "listed" what conntrack says is in the table, a line for
# each thing that a census counts: what, which, and of how many entries. Time
# left is in seconds, a part of one for one; the address is that of a part of a
# census, its bytes in hex. In one pass, since there are many.
list()
{
	{
		in_ns "$TABLE" conntrack -L -f ipv4
		in_ns "$TABLE" conntrack -L -f ipv6
	} 2>/dev/null | awk '
		BEGIN {
			split("1 10 30 60 120 300 600 1800 3600 21600 86400 " \
				"432000", left_steps, " ")
			split("60 300 600 1800 3600 7200 21600 86400",
				idle_steps, " ")
			split("FIN_WAIT LAST_ACK TIME_WAIT CLOSE CLOSE_WAIT",
				words, " ")
			for (i in words)
				closing[words[i]] = 1
		}
		function hex(a) {
			if (!(a in known))
				known[a] = a ~ /:/ ? hex6(a) : hex4(a)
			return known[a]
		}
		function hex4(a,   p) {
			split(a, p, ".")
			return sprintf("%02x%02x%02x%02x", p[1], p[2], p[3],
				p[4])
		}
		# Of those with a gap, which all here have.
		function hex6(a,   ends, before, after) {
			split(a, ends, "::")
			before = words_of(ends[1])
			after = words_of(ends[2])
			return before substr("00000000000000000000000000000000",
				1, 32 - length(before after)) after
		}
		function words_of(a,   p, i, n, s) {
			n = split(a, p, ":")
			for (i = 1; i <= n; i++)
				s = s substr("0000" p[i], length(p[i]) + 1)
			return s
		}
		function step(steps, seconds,   i) {
			for (i = 1; i in steps && seconds > steps[i]; i++)
				;
			return i in steps ? steps[i] : "-"
		}
		{
			proto = $2
			left = $3 + 1
			state = proto == 6 ? $4 : ""
			at = proto == 6 ? 5 : 4
			src = hex(substr($at, 5))
			dst = hex(substr($(at + 1), 5))
			dport = substr($(at + 3), 7)
			assured = /\[ASSURED\]/
			n["entries -"]++
			n["l4proto " proto]++
			n["left " step(left_steps, left)]++
			n["src " src]++
			n["dst " dst]++
			n["dport " proto "," dport]++
			n["service " dst "," proto "," dport]++
			if (assured)
				n["assured -"]++
			if (!assured || state in closing)
				n["evictable -"]++
			if (state)
				n["state " state]++
			if (state == "ESTABLISHED" && assured) {
				established[left]++
				if (left > longest)
					longest = left
			}
		}
		END {
			for (i in established)
				if (i + 0 > 300)
					n["idle " step(idle_steps,
						longest - i)] += established[i]
			n["longest -"] = longest
			for (i in n)
				print i, n[i]
		}' >"$work/listed"
}

# listed WHAT: which and how many, sorted.
listed()
{
	awk -v what="$1" '$1 == what { print $2, $3 }' "$work/listed" | sort
}

# listed_number WHAT
listed_number()
{
	local line

	line=$(listed "$1")
	echo "${line#- }"
}

# same WHAT EXPECTED ACTUAL
same()
{
	if [[ $2 == "$3" && $2 ]]; then
		diag "$1: ${2//$'\n'/, }"
	else
		fail "$1: conntrack -L has"$'\n'"$2"$'\n'"the census"$'\n'"$3"
	fi
}

# As enum tcp_conntrack.
TCP_STATES=(NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK
	TIME_WAIT CLOSE SYN_SENT2)

census_states()
{
	local state entries

	census_parts by-tcp-state tcp-state entries |
		while read -r state entries; do
			echo "${TCP_STATES[state]} $entries"
		done | sort
}

each_entry_is_counted()
{
	local all

	take_census "netns-id=$(ctk "$TABLE" id)" || return
	list
	all=$(listed_number entries)
	expect "entries listed" "$all" -ge $ENTRIES
	expect "the kernel's count" "$(entries_of "$TABLE")" -eq "$all"
	expect "consistent" "$(census_value consistent)" -eq 1
	expect "entries" "$(census_value entries)" -eq "$all"
	expect "expired" "$(census_value expired)" -eq 0
	expect "inum" "$(census_value netns-inum)" -eq "$(inum_of "$TABLE")"
	expect "limit" "$(census_value limit)" -eq "$(limit_now)"
	expect "buckets" "$(census_value buckets)" \
		-eq "$(<$SYSCTL/nf_conntrack_buckets)"
	same "by protocol" "$(listed l4proto)" \
		"$(census_parts by-l4proto l4proto entries | sort)"
	same "by state" "$(listed state)" "$(census_states)"
	expect "assured" "$(census_value assured)" \
		-eq "$(listed_number assured)"
	expect "evictable" "$(census_value evictable)" \
		-eq "$(listed_number evictable)"
}

# No entry is near to the end of its step. What was listed is a little older
# than what was counted, which makes no difference to how long it is idle.
times_are_counted()
{
	local timeout

	same "time left" "$(listed left)" \
		"$(census_parts time-left le entries | awk '$2' | sort)"
	timeout=$(census_value established-timeout)
	expect "established-timeout" "$timeout" -ge "$(listed_number longest)"
	expect "established-timeout" "$timeout" -le 432000
	same "idle" "$(listed idle)" \
		"$(census_parts established-idle le entries | awk '$2' | sort)"
}

# check_top WHAT FIELDS MOST: each that is told is true within its error, and
# none that has more than a 64th of the entries is left out, up to MOST.
check_top()
{
	local wrong

	listed "$1" >"$work/true"
	# shellcheck disable=SC2086 # a word for each field
	census_parts "top-$1" $2 entries error >"$work/told"
	expect "top-$1 told" "$(wc -l <"$work/told")" -ge 1
	wrong=$(awk -v all="$(listed_number entries)" -v most="$3" '
		NR == FNR { n[$1] = $2; next }
		{
			key = $1
			for (i = 2; i < NF - 1; i++)
				key = key "," $i
			told[key] = 1
			if (FNR > 1 && $(NF - 1) > last)
				print key " is out of order"
			last = $(NF - 1)
			if (n[key] > $(NF - 1) || n[key] < $(NF - 1) - $NF)
				print key " has " n[key] ", told: " $0
		}
		END {
			for (key in n)
				if (n[key] > all / 64 && !told[key] &&
				    n[key] >= most)
					print key " is not told"
		}' "$work/true" "$work/told")
	[[ -z $wrong ]] || fail "top-$1: $wrong"
	diag "top-$1: $(head -n 1 "$work/told")"
}

# Too many ports, and services, have the same number of entries.
tops_are_right()
{
	check_top src addr 0
	check_top dst addr 0
	check_top dport "l4proto port" $((ENTRIES / 10))
	check_top service "addr l4proto port" $((ENTRIES / 10))
	expect_text "top source" "$(census_parts top-src addr | head -n 1)" \
		c6120009
	expect_text "top service" "$(census_parts top-service addr l4proto \
		port | head -n 1)" "c6130002 6 5432"
}

# --- The moment is kept ----------------------------------------------------

no_episode()
{
	[[ $(ctk "$FULL" full_since) == - ]]
}

# An episode ends when nothing was lost for a while.
lose_again_and_again()
{
	local i

	for ((i = 0; i < EPISODES; i++)); do
		busywait no_episode
		in_ns "$FULL" "$here/flowgen" udp --to 127.0.0.1 --count 10
	done >"$work/episodes"
}

a_table_begins_to_lose_packets()
{
	sysctl -qw net.netfilter.nf_conntrack_max=$LIMIT
	fill "$FULL"
	full_id=$(ctk "$FULL" id)
	lose_again_and_again &
	episodes=$!
	defer_kill $episodes
	busywait kept_are 1 || fail "no census is kept"
	kept
	expect "entries" "$(census_value entries)" -eq $LIMIT
	expect "of TCP" "$(census_parts by-l4proto l4proto entries |
		awk '$1 == 6 { print $2 }')" -eq $LIMIT
	expect "inum" "$(census_value netns-inum)" -eq "$(inum_of "$FULL")"
	since=$(census_value since)
	expect "from begin to the end of the census" \
		$(($(census_value time) - since)) -gt 0
}

# Leaves those of one namespace in $census, a line each.
kept()
{
	census=$("$here/nlprobe" --dump census-get "netns-id=$full_id")
}

kept_are()
{
	kept
	[[ $(grep -c '^reply ' <<<"$census") -eq $1 ]]
}

# --- NAT, and what has expired ---------------------------------------------

translated_entries_are_counted()
{
	setup_ns NAT
	track "$NAT"
	in_ns "$NAT" nft -f - <<-EOF
	table ip ctknat {
		chain out {
			type nat hook output priority -100
			udp dport 9001 dnat to 127.0.0.2
		}
		chain post {
			type nat hook postrouting priority 100
			udp dport 9002 snat to 127.0.0.3
		}
	}
	EOF
	in_ns "$NAT" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=500
	for line in "9001 50" "9002 70" "9003 30"; do
		in_ns "$NAT" "$here/flowgen" udp --to 127.0.0.1 \
			--dport "${line% *}" --count "${line#* }" >/dev/null
	done
	take_census "netns-id=$(ctk "$NAT" id)" || return
	expect "entries" "$(census_value entries)" -eq 150
	expect "dst-nat" "$(census_value dst-nat)" -eq "$(nat_of --dst-nat)"
	expect "src-nat" "$(census_value src-nat)" -eq "$(nat_of --src-nat)"
	expect "dst-nat" "$(census_value dst-nat)" -eq 50
	expect "src-nat" "$(census_value src-nat)" -eq 70
}

nat_of()
{
	in_ns "$NAT" conntrack -L "$1" 2>/dev/null | wc -l
}

# The kernel takes them away when it comes by. Nothing else may ask for them,
# since who lists them does that too.
some_have_expired()
{
	take_census "netns-id=$(ctk "$NAT" id)" || return
	[[ $(census_value expired) -gt 0 ]]
}

expired_entries_are_apart()
{
	put "$NAT" 500 --to 198.19.0.9 --timeout 1
	busywait some_have_expired || fail "none has expired"
	expect "expired" "$(census_value expired)" -le 500
	expect "with the others" $(($(census_value entries) +
		$(census_value expired))) -le 650
	busywait only_old_ones || fail "they do not expire"
}

only_old_ones()
{
	take_census "netns-id=$(ctk "$NAT" id)" || return
	[[ $(census_value entries) -eq 150 ]]
}

# --- What moves ------------------------------------------------------------

# Flows only come. One may be counted by the kernel and not be in the hash yet.
a_growing_table_is_between_its_counts()
{
	local i before after churn grown=0

	setup_ns CHURN_NS
	track "$CHURN_NS"
	in_ns "$CHURN_NS" sysctl -qw \
		net.netfilter.nf_conntrack_udp_timeout=500
	spawn "$CHURN_NS" "$work/churn" "$here/flowgen" udp --to 127.0.0.1 \
		--count $CHURN --rate $((CHURN / 20))
	churn=$!
	for ((i = 0; i < LOOKS; i++)); do
		before=$(entries_of "$CHURN_NS")
		take_census "netns-id=$(ctk "$CHURN_NS" id)" || return
		after=$(entries_of "$CHURN_NS")
		expect "entries" "$(census_value entries)" \
			-ge $((before ? before - 1 : 0))
		expect "entries" "$(census_value entries)" -le "$after"
		expect "consistent" "$(census_value consistent)" -eq 1
		grown=$((grown + after - before))
	done
	stop_child "$churn"
	expect "grown while looked at" $grown -gt 0
}

resize_for_ever()
{
	while :; do
		echo 16384 >$SYSCTL/nf_conntrack_buckets
		echo 65536 >$SYSCTL/nf_conntrack_buckets
	done
}

# Either as right as ever, or declared otherwise. A short disturbance is got
# over, by beginning anew.
a_resize_is_told()
{
	local resizer

	set_buckets 65536
	kept_entries=$(entries_of "$FULL")
	looks=0
	resize_for_ever &
	resizer=$!
	defer_kill $resizer
	busywait is_disturbed || fail "no census of $looks was disturbed"
	stop_child $resizer
	diag "$looks were right before"
	! is_disturbed || fail "still disturbed"
}

is_disturbed()
{
	take_census "netns-id=$full_id" || return
	[[ $(census_value consistent) -eq 1 ]] || return 0
	[[ $(census_value entries) -eq $kept_entries ]] ||
		fail "consistent, with $(census_value entries) entries," \
			"not $kept_entries"
	looks=$((looks + 1))
	return 1
}

# --- Who may see what ------------------------------------------------------

all_are_the_sum()
{
	local sum=0 ns

	for ns in "${namespaces[@]}"; do
		take_census "netns-id=$(ctk "$ns" id)" || return
		sum=$((sum + $(census_value entries)))
	done
	take_census || return
	sum=$((sum + $(census_value entries)))
	take_census all || return
	expect "entries" "$(census_value entries)" -eq $sum
	expect_text "id" "$(census_value netns-id)" ""
	expect "chains" "$(census_parts chain-length buckets |
		awk '{ sum += $1 } END { print sum }')" \
		-eq "$(census_value buckets)"
}

another_namespace_sees_its_own_and_no_chains()
{
	census=$(in_ns "$NAT" "$probe" census-get)
	expect "inum" "$(census_value netns-inum)" -eq "$(inum_of "$NAT")"
	expect "entries" "$(census_value entries)" -eq 150
	expect_text "chains" "$(census_value chain-length)" ""
	expect_text "ratio" "$(census_value chain-loss-ratio)" ""
	expect_text "those kept" \
		"$(in_ns "$NAT" "$probe" --dump census-get)" "ok replies=0"
	census=$(as_foreign_root "$probe" census-get)
	[[ $census ]] || { skip "no user namespaces for nobody"; return; }
	expect "foreign root's entries" "$(census_value entries)" -eq 0
	expect_text "chains" "$(census_value chain-length)" ""
}

# --- What stays ------------------------------------------------------------

# Whatever else was going on, the first of five is gone by now; and one that a
# resize disturbed says so.
the_last_few_are_kept()
{
	wait "$episodes"
	busywait kept_are $KEPT || fail "kept: $census"
	busywait the_first_is_gone || fail "the first is still kept: $census"
	expect "kept" "$(grep -c '^reply ' <<<"$census")" -eq $KEPT
	in_ns "$FULL" conntrack -F 2>/dev/null
	expect "entries" "$(entries_of "$FULL")" -eq 0
	kept
	expect "kept when it has drained" "$(grep -c '^reply ' <<<"$census")" \
		-eq $KEPT
	expect "full, or not consistent" \
		"$(paste -d ' ' <(census_value entries) \
		<(census_value consistent) | grep -c "^$LIMIT \| 0$")" -eq $KEPT
	expect_text "in order" "$(census_value since | sort -n)" \
		"$(census_value since)"
}

the_first_is_gone()
{
	kept
	[[ $census && $census != *" since=$since "* ]]
}

# Each answer is one, whenever it was asked for.
ask_for_ever()
{
	while :; do
		"$here/nlprobe" census-get all | sed 's/ .* ok/ ok/'
	done >"$work/answers" 2>&1
}

conntrack_may_go_meanwhile()
{
	local i asker

	stop_child "$holder"
	untrack "${namespaces[@]}"
	ask_for_ever &
	asker=$!
	defer_kill $asker
	for ((i = 0; i < RELOADS; i++)); do
		conntrack_remove || return
		conntrack_insert || return
	done
	conntrack_remove
	stop_child $asker
	expect "answers" "$(wc -l <"$work/answers")" -gt 0
	expect_text "others than a census and none" "$(grep -vxE -e \
		'reply .*|ok replies=1' -e \
		'error=ENODEV .*message=nf_conntrack is not loaded' \
		"$work/answers")" ""
	expect_text "without conntrack" "$("$here/nlprobe" census-get)" \
		"error=ENODEV *message=nf_conntrack is not loaded"
	conntrack_insert
	take_census
}

a_reset_forgets()
{
	kept
	expect "kept over all that" "$(grep -c '^reply ' <<<"$census")" \
		-eq $KEPT
	expect_text "reset" "$("$here/nlprobe" reset "id=$full_id")" \
		"ok replies=0"
	kept
	expect_text "kept" "$census" "ok replies=0"
}

run_tests \
	a_table_is_filled \
	each_entry_is_counted \
	times_are_counted \
	tops_are_right \
	a_table_begins_to_lose_packets \
	translated_entries_are_counted \
	expired_entries_are_apart \
	a_growing_table_is_between_its_counts \
	a_resize_is_told \
	all_are_the_sum \
	another_namespace_sees_its_own_and_no_chains \
	the_last_few_are_kept \
	conntrack_may_go_meanwhile \
	a_reset_forgets
