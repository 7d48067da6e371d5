#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# ctkstat events against the real module, in a VM, as root: what it tells is
# held against what was done, by which process, and against the sender's errno.
# Each test begins without conntrack and with a ring that is empty.

# Bats calls these functions by name, each test in a process of its own; the $n
# of a filter is jq's:
# shellcheck disable=SC2016,SC2030,SC2031,SC2317

bats_require_minimum_version 1.5.0

# shellcheck source=lib-bats.sh
. "$BATS_TEST_DIRNAME/lib-bats.sh"

# As ctk.yaml says.
RING=1024

setup()
{
	CTKSTAT=${CTKSTAT:-$BATS_TEST_DIRNAME/../user/ctkstat}
	FOLLOWED=$BATS_TEST_TMPDIR/followed
	ctk_remove
	modprobe -r iptable_nat
	conntrack_remove
	ctk_insert
}

# who COMMAND [ARG...]: runs it and prints its pid.
who()
{
	sh -c 'echo $$; exec "$@" >/dev/null' - "$@"
}

# What the parent of a command is called that who() runs.
own_comm()
{
	cat /proc/$$/comm
}

# wait_events FILTER [ARG...]: until ctkstat -j events ARG... is so.
wait_events()
{
	wait_json "$1" events "${@:2}"
}

# follow [ARG...]: into $FOLLOWED, beside the test; $follower is its pid.
follow()
{
	start "$CTKSTAT" events -f "$@" >"$FOLLOWED" 2>"$FOLLOWED.err"
	follower=${started[-1]}
}

# until_followed WHAT COMMAND [ARG...]: until it succeeds with what is followed.
until_followed()
{
	local deadline=$((SECONDS + WAIT))

	until "${@:2}" "$FOLLOWED" >/dev/null 2>&1; do
		[[ $SECONDS -lt $deadline ]] || {
			printf 'never: %s\n' "$1"
			cat "$FOLLOWED" "$FOLLOWED.err"
			return 1
		}
		sleep 0.2
	done
}

# wait_followed FILTER: until the JSON lines followed, as an array, are so.
wait_followed()
{
	until_followed "$1" jq -se "$1"
}

# wait_text TEXT: until it has been followed.
wait_text()
{
	until_followed "$1" grep -qF -- "$1"
}

# wait_follower STATUS: until it has ended, and with this.
wait_follower()
{
	local code=0

	timeout "$WAIT" tail --pid="$follower" -f /dev/null
	wait "$follower" || code=$?
	started=()
	[[ $code -eq $1 ]] || {
		echo "code $code"
		cat "$FOLLOWED.err"
		return 1
	}
}

# socket_drops PID: what did not fit the buffers of its netlink sockets.
socket_drops()
{
	find "/proc/$1/fd" -lname 'socket:*' -printf '%l\n' | tr -dc '0-9\n' |
		awk 'NR == FNR { ours[$1]; next }
			$10 in ours { n += $9 }
			END { print n + 0 }' - /proc/net/netlink
}

# write_limits COUNT: each of them is another value than before. By a bash of
# its own, since bats stops at each command.
write_limits()
{
	bash -c 'for ((i = 1; i <= $1; i++)); do
		echo $((100000 + i % 2)) >$2
	done' - "$1" $SYSCTL/nf_conntrack_max
}

@test "a reload is told in order, and who did what" {
	load=$(who modprobe nf_conntrack)
	default=$(<$SYSCTL/nf_conntrack_max)
	buckets=$(<$SYSCTL/nf_conntrack_buckets)
	raise=$(who sysctl -w net.netfilter.nf_conntrack_max=2097152)
	unload=$(who modprobe -r nf_conntrack)
	again=$(who modprobe nf_conntrack)
	run_ctkstat 0 -j events
	assert_json 'map(.event) ==
		["attached", "limit-changed", "detached", "attached"]'
	assert_json 'map(.seq) == [1, 2, 3, 4]'
	assert_json 'map(.actor.pid) == $pids' \
		--argjson pids "[$load, $raise, $unload, $again]"
	assert_json 'map(.actor.comm) ==
		["modprobe", "sysctl", "modprobe", "modprobe"]'
	assert_json 'all(.actor.parent_comm == $comm)' --arg comm "$(own_comm)"
	assert_json '.[1] | .old == $old and .new == 2097152' \
		--argjson old "$default"
	assert_json '.[2].limit == 2097152'
	assert_json '.[0, 3] | .limit == $limit and .buckets == $buckets' \
		--argjson limit "$default" --argjson buckets "$buckets"
	assert_json 'all((has("netns_id") or has("names")) | not)'
	run_ctkstat 0 events
	from="(from $(own_comm))"
	assert_in "${lines[0]}" "TIME"
	assert_in "${lines[1]}" "nf_conntrack loaded by modprobe[$load] $from; \
limit $default, buckets $buckets"
	assert_in "${lines[2]}" \
		"limit $default -> 2097152 by sysctl[$raise] $from"
	assert_in "${lines[3]}" "nf_conntrack unloaded by modprobe[$unload] \
$from; its limit of 2097152 is forgotten"
	assert_in "${lines[4]}" "nf_conntrack loaded by modprobe[$again] $from"
	[[ ${#lines[@]} -eq 5 ]]
}

@test "what is asked for by surprise names who asked, and for what" {
	modprobe -n iptable_nat ||
		skip "this kernel has no iptable_nat to ask for"
	pid=$(who iptables-legacy -t nat -L)
	run_ctkstat 0 -j events
	assert_json 'length == 1 and .[0].event == "attached"'
	assert_json '.[0].actor == {comm: "iptables-legacy", pid: $pid,
		parent_comm: $parent, request: "iptable_nat"}' \
		--argjson pid "$pid" --arg parent "$(own_comm)"
	actor=$(json '.[0].actor')
	by="iptables-legacy[$pid] asking for iptable_nat (from $(own_comm))"
	run_ctkstat 0 events
	assert_in "${lines[1]}" "nf_conntrack loaded by $by"
	run_ctkstat 0 -j status
	assert_json '.attached_by == $actor' --argjson actor "$actor"
	run_ctkstat 0 status
	assert_in "$output" "attached_by     $by"
	run_as_nobody 0 -j status
	assert_json 'has("attached_by") | not'
}

@test "conntrack that was there before has no one to blame" {
	ctk_remove
	modprobe nf_conntrack
	ctk_insert
	run_ctkstat 0 -j events
	assert_json 'length == 1 and .[0].event == "attached" and
		(.[0] | has("actor") | not)'
	run_ctkstat 0 events
	assert_in "${lines[1]}" "nf_conntrack was there before ctk; limit "
	run_ctkstat 0 -j status
	assert_json 'has("attached_by") | not'
}

@test "an episode begins and ends with the losses that the sender saw" {
	conntrack_load
	full_ns ctk-shop
	before=$(date +%s)
	lost=$(flood ctk-shop 2000)
	wait_events 'any(.event == "full-end")'
	assert_json 'map(select(.event == "full-begin")) | length == 1'
	assert_json '.[] | select(.event == "full-begin") |
		.netns_inum == $inum and .limit == $limit and
		.entries >= $limit and (.time[:19] + "Z" | fromdate) >= $from' \
		--argjson inum "$(inum_of ctk-shop)" --argjson limit "$LIMIT" \
		--argjson from "$before"
	assert_json '.[] | select(.event == "full-end") | .lost == $lost and
		.duration > 0 and .duration < 60' --argjson lost "$lost"
	assert_json 'map(select(.event == "threshold") | .threshold) ==
		[0.8, 0.95]'
	assert_json 'map(select(.event == "threshold")) |
		all(.fill >= .threshold)'
	run_ctkstat 0 events
	assert_in "$output" " ctk-shop "
	# The kernel counts a packet in before it looks for room for it.
	[[ $output =~ table\ full,\ losing\ new\ connections\ \(40[0-9]/$LIMIT\) ]]
	assert_in "$output" "no more loss to a full table: $lost lost"
	assert_in "$output" "above 95% (100%"
	in_ns ctk-shop conntrack -F
	wait_events 'map(select(.event == "threshold")) | length == 4'
	run_ctkstat 0 events
	assert_in "$output" "fell below 90% (0%"
	assert_in "$output" "fell below 75% (0%"
}

@test "a namespace that goes leaves its counters, and its name to no other" {
	conntrack_load
	full_ns ctk-gone
	inum=$(inum_of ctk-gone)
	follow
	wait_text nf_conntrack
	lost=$(flood ctk-gone 700)
	ip netns del ctk-gone
	wait_events 'any(.event == "netns-gone")'
	assert_json '.[-1] | .lost == $lost and .table_full_drops == $lost and
		.netns_inum == $inum and .peak >= $limit' \
		--argjson lost "$lost" --argjson inum "$inum" \
		--argjson limit "$LIMIT"
	wait_text "ctk-gone   namespace deleted: \
lost $lost ($lost table full), peak "
	# Nothing else is wrong, so that it is the verdict.
	run_ctkstat 0
	gone="netns:$inum \\(deleted [0-9]+ (s|min) ago\\) had lost $lost"
	[[ ${lines[0]} =~ ^WARN\ \ $gone$ ]]
	assert_in "${lines[1]}" "ctkstat events -N $inum"
	assert_80_columns
	run_ctkstat 0 -j
	assert_json '.verdict == "warning" and (.headline | test($gone))' \
		--arg gone "^$gone$"
	run_ctkstat 0 -j -N $$
	assert_json '.verdict == "ok"'
	# It is told beside what is worse.
	full_ns ctk-shop
	run_ctkstat 0
	[[ ${lines[0]} =~ ^FULL\ \ ctk-shop\  ]]
	[[ $output =~ $gone ]]
	ip netns del ctk-shop
	# The kernel gives the number to another one, once it is free.
	deadline=$((SECONDS + WAIT))
	until make_ns ctk-next && [[ $(inum_of ctk-next) -eq $inum ]]; do
		[[ $SECONDS -lt $deadline ]]
		ip netns del ctk-next
		sleep 0.5
	done
	run_ctkstat 0 events
	assert_in "$output" "netns:$inum"
	assert_not_in "$output" "ctk-next"
	run_ctkstat 0 -j events -N ctk-next
	assert_json '. == []'
	run_ctkstat 0 events -N ctk-next
	[[ $output == "nothing has happened in this namespace since ctk was"* ]]
	run_ctkstat 0 -j events -N "$inum"
	assert_json 'length > 0 and all(.netns_inum == $inum)' \
		--argjson inum "$inum"
}

@test "changed buckets are told, and who changed them" {
	conntrack_load
	before=$(<$SYSCTL/nf_conntrack_buckets)
	pid=$(who sysctl -w net.netfilter.nf_conntrack_buckets=512)
	wait_events 'any(.event == "buckets-changed")'
	assert_json '.[-1] | .old == $old and .new == 512 and
		.actor.pid == $pid and .actor.comm == "sysctl"' \
		--argjson old "$before" --argjson pid "$pid"
	run_ctkstat 0 events
	assert_in "${lines[-1]}" \
		"buckets $before -> 512 by sysctl[$pid] (from $(own_comm))"
}

@test "losses to a hash that is too small begin and end" {
	conntrack_load
	chains_are_limited || skip "this kernel has no limit on chains"
	make_ns ctk-deep
	track ctk-deep
	set_limit 2097152
	before=$(<$SYSCTL/nf_conntrack_buckets)
	echo 512 >$SYSCTL/nf_conntrack_buckets
	keep_udp ctk-deep
	# Until chains are beyond the 50 to 79 entries that the kernel takes.
	lost=$(flood ctk-deep 15000)
	[[ $lost -gt 0 ]]
	wait_events 'any(.event == "chain-begin")'
	echo "$before" >$SYSCTL/nf_conntrack_buckets
	wait_events 'any(.event == "chain-end")'
	assert_json 'map(select(.netns_inum == $inum) | .event) ==
		["chain-begin", "chain-end"]' \
		--argjson inum "$(inum_of ctk-deep)"
	assert_json '.[] | select(.event == "chain-begin") |
		.buckets == 512 and .limit == 2097152'
	assert_json '.[] | select(.event == "chain-end") | .lost == $lost and
		.duration < 60' --argjson lost "$lost"
	[[ $(kernel_stat ctk-deep chaintoolong) -eq $lost ]]
	run_ctkstat 0 events
	assert_in "$output" "hash chains too long, losing new connections \
(512 buckets, limit 2097152)"
	assert_in "$output" "no more loss to chains too long: $lost lost"
}

@test "a hook that sees nothing is told, and where the losses count then" {
	conntrack_load
	full_ns ctk-blind
	echo 0 >/proc/sys/kernel/ftrace_enabled
	lost=$(flood ctk-blind 300)
	wait_events 'any(.event == "hook-blind")'
	assert_json 'map(select(.event == "hook-blind")) | length == 1'
	run_ctkstat 0 events
	assert_in "$output" "the hook is blind: what is lost to a full table \
counts as other-drops"
	run_ctkstat 0 -j -N ctk-blind
	assert_json '.netns[0] | .other_drops == $lost and
		.table_full_drops == 0' --argjson lost "$lost"
	[[ $(kernel_stat ctk-blind drop) -eq $lost ]]
}

@test "-N shows one namespace and leaves out what is true of all" {
	conntrack_load
	full_ns ctk-a
	make_ns ctk-b
	track ctk-b
	fill ctk-b
	flood ctk-a 10
	flood ctk-b 10
	wait_events '[.[] | select(.event == "full-begin")] | length == 2'
	for which in ctk-a /run/netns/ctk-a "$(inum_of ctk-a)"; do
		run_ctkstat 0 -j events -N "$which"
		assert_json 'any(.event == "full-begin") and
			all(.netns_inum == $inum)' \
			--argjson inum "$(inum_of ctk-a)"
	done
	run_ctkstat 0 events -N ctk-a
	assert_in "$output" ctk-a
	assert_not_in "$output" ctk-b
	assert_not_in "$output" nf_conntrack
	run_ctkstat 0 events -n
	assert_in "$output" "netns:$(inum_of ctk-b)"
	assert_not_in "$output" ctk-
	run_ctkstat 0 events -H
	assert_not_in "$output" TIME
	run_ctkstat 0 events -t
	[[ ${lines[1]} =~ ^20[0-9]{2}-[0-9]{2}-[0-9]{2}\ [0-9:]{8}\  ]]
}

@test "nothing has happened, and nothing but that can be asked" {
	run_ctkstat 0 events
	[[ $output == "nothing has happened since ctk was loaded" ]]
	run_ctkstat 0 -j events
	assert_json '. == []'
	run_ctkstat 1 -f
	assert_in "$stderr" "-f follows events"
	run_ctkstat 1 status -f
	run_ctkstat 1 events 1
	assert_in "$stderr" "events takes no further argument"
	run_ctkstat 0 -h
	assert_in "$output" "--follow"
}

@test "-f tells what the ring has, with the same numbers" {
	modprobe nf_conntrack
	follow -j
	wait_followed 'length == 1'
	modprobe -r nf_conntrack
	conntrack_load
	full_ns ctk-shop
	flood ctk-shop 100
	wait_events 'any(.event == "full-end")'
	ip netns del ctk-shop
	wait_events '.[-1].event == "netns-gone"'
	wait_followed '.[-1].event == "netns-gone"'
	# The clock may have been set a little meanwhile.
	assert_json 'map(del(.time)) == ($followed | map(del(.time)))' \
		--slurpfile followed "$FOLLOWED"
	assert_json 'map(.seq) == [range(1; length + 1)]'
	[[ $(wc -l <"$FOLLOWED") -eq $(json length) ]]
	while read -r line; do
		jq -e .seq <<<"$line" >/dev/null
	done <"$FOLLOWED"
	kill -TERM "$follower"
	wait_follower 0
}

@test "how many events were overwritten is told before those that are left" {
	modprobe nf_conntrack
	write_limits $((RING + 76))
	run_ctkstat 0 -j events
	# One was the load, and the first write changed something as well.
	assert_json '.[0] == {lost: 77} and .[1].seq == 78'
	assert_json 'length == $n' --argjson n $((RING + 1))
	assert_json '.[1:] | map(.seq) == [range(78; 78 + $n)]' \
		--argjson n "$RING"
	run_ctkstat 0 events
	[[ ${lines[1]} == "77 events were lost" ]]
	run_ctkstat 0 -j events -N $$
	assert_json '. == [{lost: 77}]'
}

@test "-f recovers what its socket lost, and tells what the ring lost" {
	modprobe nf_conntrack
	follow -j
	wait_followed 'length == 1'
	# More than its socket holds, less than the ring.
	kill -STOP "$follower"
	write_limits 900
	[[ $(socket_drops "$follower") -gt 0 ]]
	kill -CONT "$follower"
	wait_followed '.[-1].seq == 901'
	wait_followed 'map(.seq) == [range(1; 902)]'
	kill -STOP "$follower"
	write_limits $((RING + 100))
	kill -CONT "$follower"
	wait_followed ".[-1].seq == $((901 + RING + 100))"
	wait_followed 'map(select(has("event") | not)) as $gaps |
		$gaps != [] and ([$gaps[].lost] | add) +
		(map(select(.event)) | length) == .[-1].seq'
	kill -INT "$follower"
	wait_follower 0
}

@test "a subscriber in a namespace is told of that one only" {
	conntrack_load
	full_ns ctk-a
	make_ns ctk-b
	track ctk-b
	fill ctk-b
	start nsenter --net=/run/netns/ctk-a "$CTKSTAT" events -f -j \
		>"$FOLLOWED" 2>"$FOLLOWED.err"
	for round in 1 2; do
		flood ctk-b 50
		lost=$(flood ctk-a "$((50 * round))")
		wait_events "map(select(.event == \"full-end\")) |
			length == $((2 * round))"
		wait_followed "map(select(.event == \"full-end\")) |
			length == $round and .[-1].lost == $lost"
		set_limit $((LIMIT - round))
	done
	wait_followed "all(.netns_inum == $(inum_of ctk-a))"
	wait_followed 'map(.seq) == [range(1; length + 1)]'
	run_program 0 in_ns ctk-a "$CTKSTAT" -j events
	assert_json 'map(del(.time)) == ($followed | map(del(.time)))' \
		--slurpfile followed "$FOLLOWED"
	run_program 2 in_ns ctk-a "$CTKSTAT" -j events -N ctk-b
}

@test "without the capability the command that needs it is named" {
	for arguments in events "events -f" "-j events"; do
		# shellcheck disable=SC2086 # words
		run_as_nobody 2 $arguments
		assert_in "$stderr" "events needs CAP_NET_ADMIN over the namespace"
	done
	assert_json '.error | contains("CAP_NET_ADMIN")'
}

@test "without the module there are no events, and that is said" {
	ctk_remove
	for arguments in events "events -f" "-j events"; do
		# shellcheck disable=SC2086 # words
		run_ctkstat 2 $arguments
		assert_in "$stderr" "events needs the module ctk"
	done
	assert_json '.error | contains("the module ctk")'
}

@test "-f ends when the module goes, also where another comes at once" {
	modprobe nf_conntrack
	follow
	wait_text nf_conntrack
	ctk_remove
	wait_follower 2
	assert_in "$(<"$FOLLOWED.err")" "the module ctk was unloaded"
	ctk_insert
	follow -j
	wait_followed 'length == 1'
	kill -STOP "$follower"
	ctk_remove
	ctk_insert
	kill -CONT "$follower"
	wait_follower 2
	output=$(tail -n 1 "$FOLLOWED")
	assert_json '.error | contains("the module ctk was unloaded")'
}

@test "-f ends with its reader, even if nothing happens any more" {
	modprobe nf_conntrack
	run -0 timeout "$WAIT" bash -c "'$CTKSTAT' events -f | head -n 2; \
		[[ \${PIPESTATUS[0]} -eq 2 ]]"
	[[ ${#lines[@]} -eq 2 ]]
	assert_in "${lines[1]}" "nf_conntrack loaded"
	run -2 bash -c "'$CTKSTAT' events -f >/dev/full"
	assert_in "$output" "cannot write"
}

@test "what is long is broken on a terminal, and a line elsewhere" {
	modprobe nf_conntrack
	write_limits 1
	echo 2000000000 >$SYSCTL/nf_conntrack_max
	modprobe -r nf_conntrack
	run_ctkstat 0 events
	[[ ${#lines[@]} -eq 5 ]]
	run_on_terminal events
	output=${output//$'\r'/}
	assert_80_columns
	assert_in "$(tr -s ' \n' '  ' <<<"$output")" \
		"; its limit of 2000000000 is forgotten"
}
