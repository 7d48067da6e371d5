#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# ctkstat why against the real module, in a VM, as root: each cause is provoked
# with real packets and has to be named; then the fix that it printed is
# applied as it stands, and the sender has to lose nothing more. Numbers that
# it tells are held against conntrack -L, conntrack -S and the sender's errno.
#
# Each test inserts ctk anew, so that no event but the test's own is known.

# Bats calls these functions by name, each test in a process of its own; the $n
# of a filter is jq's:
# shellcheck disable=SC2016,SC2030,SC2031,SC2317

bats_require_minimum_version 1.5.0

# shellcheck source=lib-bats.sh
. "$BATS_TEST_DIRNAME/lib-bats.sh"
# shellcheck source=lib-failslab.sh
. "$BATS_TEST_DIRNAME/lib-failslab.sh"

# Sources; of RFC 2544's range, and local where a namespace is watched.
MANY=198.18.0.1-198.18.3.254
OPTIONS=/run/modprobe.d/ctk-selftest.conf

teardown()
{
	local names=(/run/netns/ctk-*)

	stop_all
	! failslab_can_filter || fail_no_more
	rm -f /run/modprobe.d/*nf_conntrack.conf "$OPTIONS" \
		/run/sysctl.d/*nf_conntrack.conf
	[[ ! -e ${names[0]} ]] ||
		printf 'netns del %s\n' "${names[@]##*/}" | ip -batch -
	conntrack_load
	echo 1 >/proc/sys/kernel/ftrace_enabled
	echo "$LIMIT_BEFORE" >$SYSCTL/nf_conntrack_max
	echo "$BUCKETS_BEFORE" >$SYSCTL/nf_conntrack_buckets
}

# --- What the tests do again and again ------------------------------------

# watched NAME LIMIT: a namespace that conntrack looks at, and a ctk that has
# never known another limit.
watched()
{
	ctk_remove
	set_limit "$2"
	ctk_insert
	make_ns "$1"
	track "$1"
	ip -n "$1" addr add 198.18.0.1/22 dev lo
}

# send NAME COUNT [ARG...]: new flows; leaves in $lost how many got EPERM.
send()
{
	local line

	line=$(in_ns "$1" "$BATS_TEST_DIRNAME/flowgen" udp \
		--to 198.51.100.1 --count "$2" "${@:3}")
	echo "$line"
	lost=$(sed -n 's/.*EPERM=\([0-9]*\).*/\1/p' <<<"$line")
	lost=${lost:-0}
}

# put NAME COUNT [ARG...]: entries that are assured, of many to many.
put()
{
	in_ns "$1" "$BATS_TEST_DIRNAME/flowgen" ctnetlink --to 198.51.100.1 \
		--from "$MANY" --dport 2000-2003 --count "$2" "${@:3}" >&2
}

why()
{
	run_ctkstat 0 -j why -N "$1"
}

# cause_is NAME CAUSE: of the namespace, in words and in JSON, which is left in
# $output.
cause_is()
{
	run_ctkstat 0 -N "$1"
	[[ $2 == unknown-cause || $output =~ $'\n'\ \ cause\ \  ]]
	assert_80_columns
	run_ctkstat 0 why -N "$1"
	assert_in "$output" "cause     $2: "
	assert_80_columns
	why "$1"
	assert_json '.netns[0] | .cause == $cause and .evidence != [] and
		all(.evidence[]; .text != "" and .source != "")' \
		--arg cause "$2"
}

# apply: what the last why printed.
apply()
{
	json '.netns[0].fix[].commands[]' >"$BATS_TEST_TMPDIR/commands"
	cat "$BATS_TEST_TMPDIR/commands"
	bash -e "$BATS_TEST_TMPDIR/commands"
}

# apply_now NAME: what the first screen says, pasted as it stands there.
apply_now()
{
	run_ctkstat 0 -N "$1"
	awk '/^  now / { found = 1; sub(/^  now +/, "") }
		found { print }
		found && !/\\$/ { exit }' <<<"$output" \
		>"$BATS_TEST_TMPDIR/commands"
	cat "$BATS_TEST_TMPDIR/commands"
	bash -e "$BATS_TEST_TMPDIR/commands"
}

# nothing_but_keep NAME: the settings are right, and not kept yet.
nothing_but_keep()
{
	run_ctkstat 0 why -N "$1"
	assert_in "$output" $'\n  keep      '
	run_ctkstat 0 -N "$1"
	assert_in "$output" $'\n  keep    ctkstat why -N '
	assert_not_in "$output" $'\n  now '
}

# tells_no_fix NAME: to those inside, who do not know who changed the limit and
# could not put it back.
tells_no_fix()
{
	local there limit

	there="run \"ctkstat why -N $(inum_of "$1")"
	limit=$(<$SYSCTL/nf_conntrack_max)
	run_program 1 in_ns "$1" \
		bash -c "echo $limit >$SYSCTL/nf_conntrack_max"
	run_program 0 in_ns "$1" "$CTKSTAT" -j why
	assert_json '.netns[0] | (.text | startswith("as it looks from here")) and
		.fix[0].kind == "elsewhere" and .plan == {} and
		[.fix[].commands[]] == [] and (.fix[0].text |
			contains("initial network namespace only; \($there)\" there"))' \
		--arg there "$there"
	run_program 0 in_ns "$1" "$CTKSTAT"
	[[ $output =~ $'\n'\ \ now\ +the\ limit\ can\ be\ changed\ in\  ]]
	assert_not_in "$output" "  keep "
	assert_80_columns
	run_program 0 in_ns "$1" "$CTKSTAT" why
	assert_not_in "$output" "  keep "
	assert_80_columns
	run_program 2 in_ns "$1" "$CTKSTAT" why --print-config
	assert_in "$stderr" "$there --print-config\" there"
	[[ -z $output ]]
}

# send_looked_at NAME COUNT: the first loss is what makes ctk look at those that
# come then; leaves in $lost how many all lost.
send_looked_at()
{
	local before

	send "$1" "$2"
	before=$lost
	wait_json '.armed' status
	send "$1" "$2" --sport 50000-50999
	lost=$((before + lost))
}

# loses_no_more NAME COUNT [ARG...]
loses_no_more()
{
	send "$@"
	[[ $lost -eq 0 ]]
}

# as NAME SCRIPT: runs it as a script of that name, for ctk to see.
as()
{
	printf '#!/bin/bash -e\n%s\n' "$2" >"$BATS_TEST_TMPDIR/$1"
	chmod +x "$BATS_TEST_TMPDIR/$1"
	"$BATS_TEST_TMPDIR/$1"
}

# write_config NAME: the files that --print-config prints, in /run for /etc.
write_config()
{
	local line file=/dev/null

	run_ctkstat 0 why --print-config -N "$1"
	assert_not_in "$output" "nothing is known to be wrong"
	mkdir -p /run/modprobe.d /run/sysctl.d /run/nftables.d
	while IFS= read -r line; do
		if [[ $line == '# /etc/'* ]]; then
			file=${line#\# }
			file=/run${file#/etc}
			: >"$file"
		fi
		printf '%s\n' "${line//\/etc\//\/run\/}" >>"$file"
	done <<<"$output"
}

# --- Healthy --------------------------------------------------------------

@test "a healthy table: nothing wrong, exit 0" {
	watched ctk-shop "$LIMIT_BEFORE"
	loses_no_more ctk-shop 20
	run_ctkstat 0 why
	[[ $output == "nothing wrong: "* ]]
	assert_80_columns
	why ctk-shop
	assert_json '.netns == [] and .gone == [] and (has("warning") | not)'
	run_ctkstat 0
	assert_not_in "$output" "  cause "
	run_ctkstat 0 why --print-config
	[[ ${lines[0]} == "# nothing is known to be wrong: "*present* ]]
	assert_not_in "$output" "# warning: "
	assert_in "$output" "# /etc/modprobe.d/"
	assert_in "$output" "net.netfilter.nf_conntrack_max = $LIMIT_BEFORE"
	run_ctkstat 1 --print-config
	assert_in "$stderr" "takes no --print-config"
	run_ctkstat 1 why 1
}

@test "a limit over too few buckets is warned of before a packet died" {
	chains_are_limited || skip "this kernel has no limit on chains"
	echo 512 >$SYSCTL/nf_conntrack_buckets
	watched ctk-shop 262144
	run_ctkstat 0 why
	assert_in "$output" "nothing wrong: "
	assert_in "$output" "limit-over-buckets: "
	assert_80_columns
	why ctk-shop
	assert_json '.netns == [] and .warning.cause == "limit-over-buckets"'
	run_ctkstat 0 why --print-config
	[[ ${lines[1]} == "# but for the buckets, which are too few "* ]]
	assert_not_in "$output" "hashsize=512"
}

# --- The limit ------------------------------------------------------------

@test "limit-reset-by-reload: who did what, and the fix outlasts a reload" {
	mkdir -p "${OPTIONS%/*}"
	echo "options nf_conntrack hashsize=512" >"$OPTIONS"
	ctk_remove
	ctk_insert
	sysctl -w net.netfilter.nf_conntrack_max=400000
	as tune-me "sysctl -w net.netfilter.nf_conntrack_max=50000"
	conntrack_remove
	as fw-restart "modprobe -a nf_conntrack nf_conntrack_netlink nft_ct"
	small=$(<$SYSCTL/nf_conntrack_max)
	make_ns ctk-shop
	track ctk-shop
	put ctk-shop "$small"
	send ctk-shop 100
	[[ $lost -gt 0 ]]
	cause_is ctk-shop limit-reset-by-reload
	assert_json '.netns[0].lost == $lost' --argjson lost "$lost"
	# Each fall is told with its own numbers, and of who made it.
	assert_json '.netns[0].text | split("; before that ") | length == 2 and
		(.[0] | startswith("limit fell 50000 -> \($small) at ") and
			contains(": nf_conntrack reloaded by fw-restart (modprobe[")) and
		(.[1] | startswith("400000 -> 50000 at ") and
			contains(": set by tune-me (sysctl["))' \
		--argjson small "$small"
	assert_json '.netns[0].evidence | map(.source) |
		map(select(startswith("event "))) | length >= 3'
	# Buckets and limit are one command, also where it takes two lines.
	assert_json '.netns[0].fix | length == 1 and (.[0].commands |
		length == 1 and (.[0] | test("^sysctl -w [a-z_.]*_buckets=" +
			"[0-9]+ net.netfilter.nf_conntrack_max=400000$")))'
	apply_now ctk-shop
	[[ $(<$SYSCTL/nf_conntrack_max) -eq 400000 ]]
	[[ $((400000 / $(<$SYSCTL/nf_conntrack_buckets))) -le 12 ]]
	loses_no_more ctk-shop 1000 --sport 50000-50999
	nothing_but_keep ctk-shop
	write_config ctk-shop
	rm "$OPTIONS"
	ip netns del ctk-shop
	conntrack_remove
	run_ctkstat 2 -j why --print-config
	assert_in "$stderr" "not loaded: no limit is known to keep; load it"
	assert_json '.error and (has("files") | not)'
	modprobe -a nf_conntrack nf_conntrack_netlink nft_ct
	[[ $(<$SYSCTL/nf_conntrack_max) -eq 400000 ]]
	[[ $((400000 / $(<$SYSCTL/nf_conntrack_buckets))) -le 12 ]]
	make_ns ctk-shop
	track ctk-shop
	put ctk-shop "$small"
	loses_no_more ctk-shop 1000
}

@test "limit-lowered: named with who did it" {
	watched ctk-shop 8192
	sysctl -w net.netfilter.nf_conntrack_max=400
	put ctk-shop 400
	send ctk-shop 100
	[[ $lost -gt 0 ]]
	cause_is ctk-shop limit-lowered
	assert_json '.netns[0].text | contains("8192 -> 400") and
		contains("sysctl")'
	tells_no_fix ctk-shop
	why ctk-shop
	apply
	[[ $(<$SYSCTL/nf_conntrack_max) -eq 8192 ]]
	loses_no_more ctk-shop 1000 --sport 50000-50999
	nothing_but_keep ctk-shop
}

@test "small-default: the kernel's own limit, and ordinary traffic" {
	ctk_remove
	conntrack_remove
	conntrack_load
	default=$(<$SYSCTL/nf_conntrack_max)
	[[ $default -eq 65536 || $default -eq 262144 ]] ||
		skip "not a default of a machine with more than 1 GiB"
	watched ctk-shop "$default"
	put ctk-shop "$default"
	send ctk-shop 100
	[[ $lost -gt 0 ]]
	cause_is ctk-shop small-default
	assert_json '.netns[0].plan | .limit == 2 * $default and
		.entries_bytes + .buckets_bytes < .memory_bytes / 4' \
		--argjson default "$default"
	apply
	loses_no_more ctk-shop 1000 --sport 50000-50999
}

@test "limit-too-small: neither a default nor a flood" {
	watched ctk-shop 400
	put ctk-shop 400
	send ctk-shop 100
	[[ $lost -gt 0 ]]
	cause_is ctk-shop limit-too-small
	run_ctkstat 0 why
	[[ ${lines[0]} == "FULL  ctk-shop "* ]]
	why ctk-shop
	apply
	loses_no_more ctk-shop 200 --sport 50000-50999
}

# --- What fills it --------------------------------------------------------

@test "flood-from-one-source: notrack ends it" {
	watched ctk-shop 400
	send_looked_at ctk-shop 600
	[[ $lost -gt 100 ]]
	cause_is ctk-shop flood-from-one-source
	assert_json '.netns[0].text | contains("198.51.100.1")'
	assert_json '.netns[0].victims | contains("flowgen")'
	json '.netns[0].fix[].nft // empty' >"$BATS_TEST_TMPDIR/rules"
	in_ns ctk-shop nft -f "$BATS_TEST_TMPDIR/rules"
	loses_no_more ctk-shop 1000 --sport 52000-52999
}

@test "what why prints for a flood can be pasted" {
	watched ctk-shop 400
	send ctk-shop 1000
	run_ctkstat 0 why -N ctk-shop
	sed -n '/nft -f - <</,/^END$/p' <<<"$output" \
		>"$BATS_TEST_TMPDIR/pasted"
	bash -e "$BATS_TEST_TMPDIR/pasted"
	loses_no_more ctk-shop 1000 --sport 50000-50999
}

@test "flood-to-one-service: many sources, one port, no answers" {
	watched ctk-shop 400
	send ctk-shop 1000 --from "$MANY" --dport 53
	[[ $lost -gt 100 ]]
	cause_is ctk-shop flood-to-one-service
	assert_json '.netns[0].text | contains("198.51.100.1:53")'
	json '.netns[0].fix[].nft // empty' >"$BATS_TEST_TMPDIR/rules"
	in_ns ctk-shop nft -f "$BATS_TEST_TMPDIR/rules"
	loses_no_more ctk-shop 1000 --from "$MANY" --dport 53 --sport 50000
}

# idle_over NAME SECONDS: entries that conntrack -L shows to have been idle.
idle_over()
{
	in_ns "$1" conntrack -L -p tcp 2>/dev/null |
		awk -v most=$((432000 - $2)) '$3 < most { n++ }
			END { print n + 0 }'
}

@test "slow-leak-established: idle for days; a timeout, and what it frees" {
	watched ctk-shop 400
	put ctk-shop 300 --timeout 300000
	put ctk-shop 100 --timeout 432000 --sport 50000-50999
	send ctk-shop 100
	[[ $lost -gt 0 ]]
	cause_is ctk-shop slow-leak-established
	assert_json '.netns[0].plan.tcp_timeout_established > 0'
	run_ctkstat 0 -N ctk-shop
	assert_in "$output" " and more: ctkstat why"
	why ctk-shop
	timeout=$(json '.netns[0].plan.tcp_timeout_established')
	[[ $(json '.netns[0].plan.frees') -eq \
		$(idle_over ctk-shop "$timeout") ]]
	write_config ctk-shop
	assert_in "$output" "tcp_timeout_established = $timeout"
	why ctk-shop
	apply
	[[ $(proc_of ctk-shop nf_conntrack_tcp_timeout_established) -eq \
		$timeout ]]
	loses_no_more ctk-shop 200 --sport 50000-50999
}

@test "short-lived-burst: what fills it is closed already" {
	watched ctk-shop 400
	in_ns ctk-shop "$BATS_TEST_DIRNAME/flowgen" tcp --to 198.51.100.1 \
		--from "$MANY" --count 390
	send ctk-shop 100 --from "$MANY" --dport 2000-2003
	[[ $lost -gt 0 ]]
	cause_is ctk-shop short-lived-burst
	apply
	[[ $(proc_of ctk-shop nf_conntrack_tcp_timeout_time_wait) -lt 120 ]]
	loses_no_more ctk-shop 200 --sport 50000-50999
}

@test "evictable-only: entries that could give way, and are not found" {
	watched ctk-shop 400
	send ctk-shop 1000 --from "$MANY" --dport 2000-2003
	[[ $lost -gt 0 ]]
	cause_is ctk-shop evictable-only
	apply
	loses_no_more ctk-shop 200 --sport 50000-50999
}

# Binds NFQUEUE $1 and never reads it: NFQNL_MSG_CONFIG with NFQNL_CFG_CMD_BIND,
# then NFQNL_COPY_META (linux/netfilter/nfnetlink_queue.h).
HOLDER='
import os, socket, struct, sys
queue = int(sys.argv[1])
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.bind((os.getpid(), 0))
def config(kind, data):
    attr = struct.pack("=HH", 4 + len(data), kind) + data
    attr += b"\0" * (-len(attr) % 4)
    body = struct.pack("!BBH", 0, 0, queue) + attr
    s.send(struct.pack("=IHHII", 16 + len(body), 3 << 8 | 2, 5, 0, 0) + body)
    reply = s.recv(4096)
    assert struct.unpack("=i", reply[16:20])[0] == 0, reply
config(1, struct.pack("!BBH", 1, 0, 0))
config(2, struct.pack("!IB", 0, 1))
print("bound", flush=True)
import time
time.sleep(600)
'

@test "unlisted-entries: packets that a program never gives back" {
	modprobe -a nfnetlink_queue nft_queue ||
		skip "this kernel has no NFQUEUE"
	command -v python3 >/dev/null || skip "python3 is not installed"
	watched ctk-shop 128
	start nsenter --net=/run/netns/ctk-shop python3 -c "$HOLDER" 7 \
		>"$BATS_TEST_TMPDIR/holder"
	deadline=$((SECONDS + WAIT))
	until grep -q bound "$BATS_TEST_TMPDIR/holder"; do
		[[ $SECONDS -lt $deadline ]]
		sleep 0.2
	done
	in_ns ctk-shop nft -f - <<-EOF2
	table inet hold {
		chain out {
			type filter hook output priority 10
			udp dport 9999 queue num 7
		}
	}
	EOF2
	send ctk-shop 200 --dport 9999
	send ctk-shop 50
	[[ $lost -eq 50 ]]
	cause_is ctk-shop unlisted-entries
	assert_json '.netns[0].fix[] | select(.kind == "queue") |
		.text | contains("NFQUEUE 7")'
	[[ $(json '.netns[0].entries') -eq \
		$(proc_of ctk-shop nf_conntrack_count) ]]
	[[ $(in_ns ctk-shop conntrack -L 2>/dev/null | wc -l) -eq 0 ]]
	# Its name is in the file that the fix points at.
	run_program 0 bash -c "$(json '.netns[0].fix[].commands[]')"
	kill "$(awk '$1 == 7 { print $2 }' <<<"$output")"
	wait_json '.netns[0].entries == 0' -N ctk-shop
	loses_no_more ctk-shop 50 --sport 50000-50999
}

# --- Other losses ---------------------------------------------------------

@test "too-few-buckets: the second ceiling, which nothing logs" {
	chains_are_limited || skip "this kernel has no limit on chains"
	echo 512 >$SYSCTL/nf_conntrack_buckets
	watched ctk-shop 262144
	keep_udp ctk-shop
	send ctk-shop 15000
	[[ $lost -gt 0 ]]
	[[ $(kernel_stat ctk-shop chaintoolong) -eq $lost ]]
	wait_json '.netns[0].chain_too_long_drops > 0' -N ctk-shop
	cause_is ctk-shop too-few-buckets
	apply
	[[ $((262144 / $(<$SYSCTL/nf_conntrack_buckets))) -le 12 ]]
	[[ $(<$SYSCTL/nf_conntrack_max) -eq 262144 ]]
	loses_no_more ctk-shop 5000 --sport 50000-50999
	write_config ctk-shop
	ip netns del ctk-shop
	conntrack_remove
	# Here the kernel asks for it, and not somebody by modprobe.
	make_ns ctk-shop
	track ctk-shop
	[[ $(<$SYSCTL/nf_conntrack_max) -eq 262144 ]]
	[[ $((262144 / $(<$SYSCTL/nf_conntrack_buckets))) -le 12 ]]
}

@test "hook-blind: what it cannot tell, and how to make it see" {
	watched ctk-shop 400
	put ctk-shop 400
	echo 0 >/proc/sys/kernel/ftrace_enabled
	start_flood ctk-shop --rate 200
	wait_json '.hook == "blind"' -N ctk-shop
	cause_is ctk-shop hook-blind
	apply
	[[ $(</proc/sys/kernel/ftrace_enabled) -eq 1 ]]
	wait_json '.hook == "wrapper" and .netns[0].table_full_drops > 0' \
		-N ctk-shop
}

@test "no-memory, and unknown-cause where it is not told apart" {
	failslab_can_filter ||
		skip "this kernel lacks failslab with a filter by stack"
	watched ctk-shop "$LIMIT_BEFORE"
	fail_allocations 20
	send ctk-shop 100
	[[ $lost -eq 20 ]]
	wait_json '.netns[0].lost == 20' -N ctk-shop
	cause_is ctk-shop unknown-cause
	assert_json '.netns[0].fix[0].text | contains("attribution=on")'
	ctk_remove
	ctk_insert attribution=on
	fail_allocations 20
	send ctk-shop 100 --sport 50000-50999
	[[ $lost -eq 20 ]]
	wait_json '.netns[0].lost == 20' -N ctk-shop
	cause_is ctk-shop no-memory
	assert_json '.netns[0].no_memory_drops == 20'
	fail_no_more
	loses_no_more ctk-shop 100 --sport 52000-52999
}

# --- After the fact -------------------------------------------------------

@test "filled and drained before anyone looked: still told" {
	watched ctk-shop 400
	put ctk-shop 400 --timeout 300000
	before=$(date +%s)
	send_looked_at ctk-shop 200
	[[ $lost -gt 0 ]]
	in_ns ctk-shop conntrack -F
	[[ $(proc_of ctk-shop nf_conntrack_count) -eq 0 ]]
	wait_json 'any(.event == "full-end")' events
	why ctk-shop
	assert_json '.netns[0] | .lost == $lost and .entries < 100' \
		--argjson lost "$lost"
	assert_json '.netns[0].filled | .entries == 400 and (.fresh | not) and
		(.text | contains("tcp established"))'
	assert_json '.netns[0].events[] | select(.event == "full-begin") |
		(.time[:19] + "Z" | fromdate) >= $from' --argjson from "$before"
	assert_json '.netns[0].victims | contains("198.51.100.1")'
	run_ctkstat 0 why
	assert_in "$output" "lost $lost packets"
	assert_in "$output" "table full, losing new connections"
	assert_in "$output" "400 entries counted"
	assert_80_columns
	# A namespace that is gone leaves its event.
	ip netns del ctk-shop
	wait_json 'any(.event == "netns-gone")' events
	run_ctkstat 0 why
	assert_in "$output" "namespace deleted: lost $lost"
}

# --- Who may ask, and without the module ----------------------------------

@test "without capabilities what may be seen is told, and what may not" {
	watched ctk-shop 400
	put ctk-shop 400
	send ctk-shop 100
	run_as_nobody 0 why
	assert_in "$output" "CAP_NET_ADMIN"
	run_as_nobody 0
	assert_not_in "$output" "  victims "
	run_as_nobody 2 why -N ctk-shop
	run_as_nobody 0 why --print-config
	assert_in "$output" "# warning: who changed the limit is told to root only"
}

@test "without the module /proc is judged, and the rest said to be missing" {
	ctk_remove
	full_ns ctk-shop
	lost=$(flood ctk-shop 100)
	why ctk-shop
	assert_json '.source == "proc" and .netns[0].lost == $lost and
		(.netns[0].cause | length > 0)' --argjson lost "$lost"
	run_ctkstat 0 why
	assert_in "$output" "insmod ctk.ko"
	assert_80_columns
	run_ctkstat 0 why --print-config
	assert_in "$output" "# warning: who changed the limit is not known without"
	why ctk-shop
	apply
	[[ $(flood ctk-shop 50) -eq 0 ]]
}
