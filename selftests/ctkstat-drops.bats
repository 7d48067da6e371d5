#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# ctkstat drops against the real module, in a VM, as root: whom it names, and
# with how many losses, is held against who sent and what errno he got. It
# never looks into ctkstat.

# Bats calls these functions by name, each test in a process of its own; the $n
# of a filter is jq's:
# shellcheck disable=SC2016,SC2030,SC2031,SC2317

bats_require_minimum_version 1.5.0

# shellcheck source=lib-bats.sh
. "$BATS_TEST_DIRNAME/lib-bats.sh"

ATTRIBUTION=/sys/module/ctk/parameters/attribution

# Nothing is missed, unless a test says otherwise.
setup()
{
	CTKSTAT=${CTKSTAT:-$BATS_TEST_DIRNAME/../user/ctkstat}
	conntrack_load
	ctk_loaded || ctk_insert
	echo on >$ATTRIBUTION
}

# A full table, in a namespace that has these sources too.
full_shop()
{
	full_ns "${1:-ctk-shop}"
	ip -n "${1:-ctk-shop}" -batch - <<-EOF2
	addr add 203.0.113.1/24 dev lo
	addr add 10.0.0.1/16 dev lo
	addr add fd00::1/64 dev lo nodad
	EOF2
}

# send_as PROGRAM NAME [ARG...]: flowgen udp in the namespace NAME, called
# PROGRAM; leaves its $pid, and in $lost how many of its sends got EPERM.
send_as()
{
	local program=$BATS_TEST_TMPDIR/$1 out=$BATS_TEST_TMPDIR/sent

	[[ -e $program ]] || cp "$BATS_TEST_DIRNAME/flowgen" "$program"
	nsenter --net="/run/netns/$2" "$program" udp --to 198.51.100.1 \
		"${@:3}" >"$out" 3>&- &
	pid=$!
	wait "$pid"
	lost=$(sed -n 's/.*EPERM=\([0-9]*\).*/\1/p' "$out")
	lost=${lost:-0}
}

# One space for many, and for the end of a line.
words()
{
	tr -s ' \n' '  ' <<<"$output"
}

# rows: how many have a share.
rows()
{
	grep -c '^ *<*[0-9]*% ' <<<"$output"
}

# row_of TEXT: that of the table with it, and what did not fit its line.
row_of()
{
	awk -v text="$1" '
		/^ *<?[0-9]+% / || /^[^ ]/ { row++ }
		{ rows[row] = rows[row] " " $0 }
		END {
			for (i in rows) {
				gsub(/ +/, " ", rows[i])
				if (index(rows[i], text))
					print rows[i]
			}
		}' <<<"$output"
}

# assert_row START TEXT: there is one that begins so, and has it.
assert_row()
{
	local row

	row=$(row_of "$2")
	[[ $row == " $1 "* && $row != *$'\n'* ]] || {
		printf 'no row "%s" with "%s": %s\n' "$1" "$2" "$row"
		return 1
	}
}

@test "nothing lost is said, and that nobody would be named" {
	make_ns ctk-shop
	run_ctkstat 0 -j drops
	assert_json '. == []'
	run_ctkstat 0 drops -N ctk-shop
	[[ $output == "nothing lost in this namespace since ctk was loaded"* ]]
	echo off >$ATTRIBUTION
	run_ctkstat 0 drops
	[[ ${lines[0]} == "nothing lost since ctk was loaded or reset" ]]
	assert_in "$(words)" "attribution is off, so nobody will be named: echo"
}

@test "senders are named, each with the losses that it saw" {
	full_shop
	full_ns ctk-mail
	before=$(date +%s)
	send_as cartd ctk-shop --count 300 --dport 5432
	cart=$pid
	[[ $lost -eq 300 ]]
	# A name that is chosen to command the terminal.
	send_as $'x\e[31my' ctk-shop --count 100 --dport 25
	[[ $lost -eq 100 ]]
	odd=$pid
	send_as maild ctk-mail --count 50 --dport 25
	run_ctkstat 0 -j drops -N ctk-shop
	assert_json 'length == 2 and (["netns_id", "netns_inum", "names",
		"l4proto", "src", "dst", "sport", "dport", "reason", "count",
		"error", "pid", "comm", "first_time", "last_time"] -
		(.[0] | keys) == [])'
	assert_json '.[0] | .comm == "cartd" and .pid == $pid and
		.l4proto == "udp" and .src == "198.51.100.1" and
		.dst == "198.51.100.1" and .dport == 5432 and
		.reason == "table-full" and .count == 300 and .error == 0 and
		.names == ["ctk-shop"] and .netns_inum == $inum and
		.sport >= 61000 and .first_time <= .last_time and
		([has("ifname", "icmp_type", "zone")] | any | not)' \
		--argjson pid "$cart" --argjson inum "$(inum_of ctk-shop)"
	assert_json '.[1] | .comm == "x\u001b[31my" and .pid == $pid and
		.dport == 25 and .count == 100 and .error == 0' \
		--argjson pid "$odd"
	[[ $(date -d "$(json '.[0].first_time')" +%s) -ge $before ]]
	[[ $(kernel_stat ctk-shop drop) -eq 400 ]]
	# A section for each namespace, the one that lost most first.
	run_ctkstat 0 drops
	assert_80_columns
	[[ ${lines[0]} =~ ^ctk-shop\ \(netns\ $(inum_of ctk-shop)\):\ 400\ lost,\ the\ last\ at\ [0-9:]{8}$ ]]
	[[ ${lines[1]} == "SHARE     LOST    LAST PROTO SOURCE "* ]]
	assert_row "75% 300" \
		" udp 198.51.100.1 198.51.100.1:5432 cartd/$cart"
	assert_row "25% 100" " x?[31my/$odd"
	assert_not_in "$output" $'\e'
	assert_not_in "$output" "not listed"
	assert_not_in "$output" "ERROR"
	assert_in "$output" $'\n\nctk-mail (netns '
	assert_row "100% 50" "maild/$pid"
	run_ctkstat 0 drops -n -t -H -N ctk-mail
	[[ ${lines[0]} =~ ^20[0-9]{2}-[0-9]{2}-[0-9]{2}\ [0-9:]{8}$ ]]
	assert_in "${lines[1]}" "netns:$(inum_of ctk-mail): 50 lost"
	assert_not_in "$output" "SHARE"
	run_ctkstat 0 -j drops 0.1 2
	[[ ${#lines[@]} -eq 2 && ${lines[1]} == \[*\] ]]
}

@test "a flood is a line: one source and many ports, many sources and one" {
	full_shop
	send_as scand ctk-shop --count 1000 --dport 2000-2099 \
		--sport 61000-61009
	scan=$pid
	[[ $lost -eq 1000 ]]
	run_ctkstat 0 -j drops
	assert_json 'length == 100 and all(.count == 10 and .error == 0) and
		(map(.dport) | sort) == [range(2000; 2100)]'
	run_ctkstat 0 drops
	[[ $(rows) -eq 1 ]]
	assert_row "100% 1000" \
		" 198.51.100.1 198.51.100.1:* (100 ports) scand/$scan"
	run_ctkstat 0 reset -N ctk-shop
	run_ctkstat 0 -j drops
	assert_json '. == []'
	send_as webd ctk-shop --count 500 --dport 443 --sport 61000-61009 \
		--from 203.0.113.1-203.0.113.50
	[[ $lost -eq 500 ]]
	# Who is a great part of it is not hidden among the others.
	send_as webd ctk-shop --count 250 --dport 443 --from 203.0.113.99
	run_ctkstat 0 drops
	[[ $(rows) -eq 2 ]]
	assert_row "66% 500" " * (50 sources) 198.51.100.1:443 webd/"
	assert_row "33% 250" " 203.0.113.99 198.51.100.1:443 webd/$pid"
	assert_80_columns
	# Many sources at many ports of one host.
	run_ctkstat 0 reset -N ctk-shop
	send_as botd ctk-shop --count 100 --dport 2000-2009 --sport 61000 \
		--from 203.0.113.1-203.0.113.10
	[[ $lost -eq 100 ]]
	run_ctkstat 0 drops
	[[ $(rows) -eq 1 ]]
	assert_row "100% 100" \
		" * (10 sources) 198.51.100.1:* (10 ports) botd/$pid"
}

@test "among too many sources to keep, a heavy one is found, and its error" {
	full_shop
	send_as noised ctk-shop --count 4000 --dport 443 --sport 61000 \
		--from 10.0.0.1-10.0.15.160
	[[ $lost -eq 4000 ]]
	send_as heavyd ctk-shop --count 800 --dport 22
	[[ $lost -eq 800 ]]
	run_ctkstat 0 -j status
	slots=$(json .offender_slots)
	run_ctkstat 0 -j drops
	assert_json 'length == $slots and ([.[].count] | add) == 4800' \
		--argjson slots "$slots"
	assert_json '.[0] | .comm == "heavyd" and .count >= 800 and
		.count - .error <= 800 and .error <= 4800 / $slots' \
		--argjson slots "$slots"
	count=$(json '.[0].count')
	run_ctkstat 0 drops
	assert_80_columns
	[[ $(rows) -eq 2 ]]
	assert_in "${lines[1]}" " ERROR "
	assert_row "$((count * 100 / 4800))% ~$count" "heavyd/$pid"
	assert_in "$(row_of noised/)" "+ sources) 198.51.100.1:443 "
	assert_in "$(words)" "~ is about: of each namespace the $slots that lost"
}

@test "a ping, IPv6 and what comes from elsewhere are told as such" {
	full_shop
	# It does not always say that one could not be sent; the kernel counts.
	nsenter --net=/run/netns/ctk-shop ping -c 3 -i 0.01 -W 1 198.51.100.1 \
		>&2 3>&- &
	ping=$!
	wait "$ping" || true
	pings=$(kernel_stat ctk-shop drop)
	[[ $pings -gt 0 ]]
	in_ns ctk-shop "$BATS_TEST_DIRNAME/flowgen" udp --to fd00::1 \
		--dport 53 --count 20 >&2
	make_ns ctk-peer
	ip -n ctk-peer link add out type veth peer name in netns ctk-shop
	ip -n ctk-peer addr add 192.0.2.2/24 dev out
	ip -n ctk-shop addr add 192.0.2.1/24 dev in
	ip -n ctk-shop link set in up
	ip -n ctk-peer link set out up
	# An address that is known holds no packet up.
	mac=$(ip -n ctk-shop -j link show in | jq -r '.[0].address')
	ip -n ctk-peer neigh replace 192.0.2.1 lladdr "$mac" dev out \
		nud permanent
	before=$(kernel_stat ctk-shop drop)
	in_ns ctk-peer "$BATS_TEST_DIRNAME/flowgen" udp --to 192.0.2.1 \
		--dport 53 --count 40 >&2
	deadline=$((SECONDS + WAIT))
	until [[ $(kernel_stat ctk-shop drop) -ge $((before + 40)) ]]; do
		[[ $SECONDS -lt $deadline ]]
		sleep 0.2
	done
	# The kernel's own, such as of neighbour discovery, have no process.
	run_ctkstat 0 -j drops -s src -N ctk-shop
	assert_json '[.[] | select(.dst != "ff02::2" and .dst != "ff02::16")] |
		map(.src) == ["192.0.2.2", "198.51.100.1", "fd00::1"]'
	assert_json 'any(.l4proto == "icmp" and .icmp_type == 8 and
		.icmp_code == 0 and .comm == "ping" and .pid == $pid and
		.count == $pings and ([has("sport", "dport")] | any | not))' \
		--argjson pid "$ping" --argjson pings "$pings"
	assert_json 'any(.src == "fd00::1" and .l4proto == "udp" and
		.dport == 53 and .count == 20 and .comm == "flowgen")'
	assert_json '.[0] | .dst == "192.0.2.1" and .dport == 53 and
		.count == 40 and .ifname == "in" and
		([has("pid", "comm", "cgroup_id")] | any | not)'
	run_ctkstat 0 drops -N ctk-shop
	assert_in "$(row_of "ping/$ping")" \
		" icmp 198.51.100.1 198.51.100.1 ping ping/$ping"
	assert_in "$(row_of "[fd00::1]:53")" " udp fd00::1 [fd00::1]:53 "
	assert_in "$(row_of 192.0.2.2)" " udp 192.0.2.2 192.0.2.1:53 in via in"
	# Neither does another namespace see them, nor its owner of his.
	run_program 0 in_ns ctk-peer "$CTKSTAT" -j drops
	assert_json '. == []'
	run_program 0 in_ns ctk-shop "$CTKSTAT" -j drops
	assert_json 'length >= 3'
	run_program 2 in_ns ctk-peer "$CTKSTAT" -j drops -N ctk-shop
}

# The directory of cgroups (version 2), mounted where it was not.
mount_cgroups()
{
	CGROUPS=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
	if [[ -z $CGROUPS ]]; then
		CGROUPS=$BATS_TEST_TMPDIR/cgroups
		mkdir "$CGROUPS"
		mount -t cgroup2 none "$CGROUPS"
	fi
	export CGROUPS
}

# in_cgroup PATH COMMAND [ARG...]
in_cgroup()
{
	mkdir -p "$CGROUPS/$1"
	sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$CGROUPS/$1" "${@:2}"
}

# With all in them.
remove_cgroups()
{
	(cd "$CGROUPS" && find "$@" -depth -type d -exec rmdir {} +) || true
}

@test "a cgroup is told by the container, pod, unit or session that it is" {
	mount_cgroups
	full_shop
	id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
	pod=7f3e9c1a-0b2d-4c5e-8f60-1a2b3c4d5e6f
	burst=kubepods.slice/kubepods-burstable.slice
	burst+=/kubepods-burstable-pod${pod//-/_}.slice
	cat >"$BATS_TEST_TMPDIR/names" <<-EOF2
	ctk.slice/docker-$id.scope docker:0123456789ab
	docker/$id docker:0123456789ab
	ctk.slice/docker-$id.scope/system.slice/x.service docker:0123456789ab
	$burst/cri-containerd-$id.scope pod:$pod
	kubepods/besteffort/pod$pod/$id pod:$pod
	ctk.slice/cri-containerd-$id.scope containerd:0123456789ab
	ctk.slice/crio-$id.scope cri-o:0123456789ab
	ctk.slice/libpod-$id.scope/container podman:0123456789ab
	lxc.payload.web lxc:web
	ctk.slice/ctk-web.service ctk-web.service
	ctk.slice/user-1000.slice/session-3.scope session:3
	ctk.slice/user-1000.slice/user@1000.service/app.slice/x.scope x.scope
	ctk-plain/inner -
	EOF2
	# One shell that wanders from one to the next: each has a port.
	nsenter --net=/run/netns/ctk-shop bash -c '
		port=1000
		while read -r path _; do
			mkdir -p "$CGROUPS/$path"
			echo $$ >"$CGROUPS/$path/cgroup.procs"
			port=$((port + 1))
			"$1" udp --to 198.51.100.1 --dport $port \
				--count $((port - 990))
		done <"$2"
		echo $$ >"$CGROUPS/cgroup.procs"' - \
		"$BATS_TEST_DIRNAME/flowgen" "$BATS_TEST_TMPDIR/names" >&2
	run_ctkstat 0 -j drops -s dst
	assert_json 'map("\(.cgroup[1:]) \(.cgroup_name // "-")") ==
		($names | rtrimstr("\n") / "\n") and
		map(.count) == [range(11; 24)]' \
		--rawfile names "$BATS_TEST_TMPDIR/names"
	run_ctkstat 0 drops -a
	assert_80_columns
	[[ $(rows) -eq 13 ]]
	assert_in "$(row_of :1001)" " docker:0123456789ab"
	assert_in "$(row_of :1004)" " pod:$pod"
	assert_in "$(row_of :1013)" " /ctk-plain/inner"
	# One that is gone is still told apart by its number.
	remove_cgroups ctk-plain ctk.slice docker kubepods kubepods.slice \
		lxc.payload.web
	output=$("$CTKSTAT" -j drops -s dst)
	gone=$(json '.[12].cgroup_id')
	assert_json '.[12] | has("cgroup") | not'
	run_ctkstat 0 drops -a
	assert_in "$(row_of :1013)" " cgroup:$gone"
}

@test "a SYN that a timer sends again is of the process that sent it first" {
	mount_cgroups
	full_shop
	cp "$BATS_TEST_DIRNAME/flowgen" "$BATS_TEST_TMPDIR/dbd"
	in_cgroup ctk-db.service nsenter --net=/run/netns/ctk-shop \
		"$BATS_TEST_TMPDIR/dbd" tcp --to 198.51.100.1 --count 4 \
		--syn-retries 1 >&2
	dropped=$(kernel_stat ctk-shop drop)
	[[ $dropped -gt 4 ]]
	run_ctkstat 0 -j drops
	assert_json '([.[].count] | add) == $n and
		all(.cgroup_name == "ctk-db.service" and .l4proto == "tcp") and
		any(has("pid") | not) and any(.comm == "dbd")' \
		--argjson n "$dropped"
	run_ctkstat 0 drops
	[[ $(rows) -eq 1 ]]
	assert_row "100% $dropped" " dbd/"
	assert_row "100% $dropped" " ctk-db.service"
	remove_cgroups ctk-db.service
}

@test "the order is that of -s, and ten lines are enough without -a" {
	full_shop
	# Too few and too different to be one, and more than ten.
	for ((i = 1; i <= 12; i++)); do
		send_as flowd ctk-shop --count $((20 + i)) \
			--dport $((200 - i)) --from 203.0.113.$((100 - i))
	done
	run_ctkstat 0 drops
	[[ $(rows) -eq 10 ]]
	[[ ${lines[-1]} == "2 more, of 43 lost (-a lists them)" ]]
	for key in lost last src dst; do
		run_ctkstat 0 -j drops -s $key
		case $key in
		lost) assert_json 'map(-.count) | . == sort' ;;
		last) assert_json 'map(.last_time) | . == (sort | reverse)' ;;
		src) assert_json 'map(.src) == [range(88; 100) |
			"203.0.113.\(.)"]' ;;
		dst) assert_json 'map(.dport) == [range(188; 200)]' ;;
		esac
	done
	run_ctkstat 0 drops -a -s src
	[[ $(sed -n 's/.* 203.0.113.\([0-9]*\) .*/\1/p' <<<"$output" |
		xargs) == "88 89 90 91 92 93 94 95 96 97 98 99" ]]
}

@test "losses that nobody is named for are counted, with the reason" {
	echo auto >$ATTRIBUTION
	full_ns ctk-shop
	lost=$(flood ctk-shop 300)
	run_ctkstat 0 -j -N ctk-shop
	unattributed=$(json '.netns[0].unattributed_drops')
	# The first has to be lost before anybody looks.
	[[ $unattributed -gt 0 ]]
	assert_json '.netns[0] | .lost == $lost and
		.attributed_drops + .unattributed_drops == $lost' \
		--argjson lost "$lost"
	run_ctkstat 0 -j drops -N ctk-shop
	assert_json '(([.[].count] | add) // 0) + $none == $lost' \
		--argjson lost "$lost" --argjson none "$unattributed"
	are=are
	[[ $unattributed -gt 1 ]] || are=is
	run_ctkstat 0 drops -N ctk-shop
	assert_in "$(words)" \
		"$unattributed of $lost $are not listed: recording \
(attribution=auto) starts a moment after the first loss"
	assert_80_columns
	run_ctkstat 0 -j status
	assert_json '.attribution == "auto" and .armed'
}

@test "a burst that nobody is named for says so in the place of victims" {
	ctk_remove
	ctk_insert attribution=auto
	full_ns ctk-shop
	# One packet is looked at by nobody, since it is the first.
	lost=$(flood ctk-shop 1)
	[[ $lost -eq 1 ]]
	run_ctkstat 0 -j -N ctk-shop
	assert_json '.netns[0] | .lost == 1 and .attributed_drops == 0'
	run_ctkstat 0 -N ctk-shop
	assert_in "$(words)" "victims not known: the only one died before \
recording began (attribution=auto; attribution=on records from the first)"
	assert_80_columns
	run_ctkstat 0 why -N ctk-shop
	assert_in "$(words)" "victims not known: the only one died before \
recording began (attribution=auto; attribution=on records from the first)"
	assert_80_columns
	run_ctkstat 0 drops
	assert_in "$(words)" "1 of 1 is not listed: recording "
}

@test "where attribution is off, what is printed switches it on" {
	echo off >$ATTRIBUTION
	full_ns ctk-shop
	lost=$(flood ctk-shop 30)
	run_ctkstat 0
	assert_in "$(words)" "victims not known: attribution is off"
	run_ctkstat 0 -j drops
	assert_json '. == []'
	run_ctkstat 0 drops
	assert_in "$(words)" "$lost of $lost are not listed: nothing is \
recorded while attribution is off: echo auto >$ATTRIBUTION"
	eval "$(grep -o 'echo auto >.*' <<<"$(words)")"
	run_ctkstat 0 -j status
	assert_json '.attribution == "auto"'
}

@test "losses to chains too long have that reason" {
	chains_are_limited || skip "this kernel has no limit on chains"
	make_ns ctk-deep
	track ctk-deep
	set_limit 2097152
	echo 512 >$SYSCTL/nf_conntrack_buckets
	keep_udp ctk-deep
	# Until chains are beyond the 50 to 79 entries that the kernel takes.
	lost=$(flood ctk-deep 15000)
	[[ $lost -gt 0 ]]
	[[ $(kernel_stat ctk-deep chaintoolong) -eq $lost ]]
	run_ctkstat 0 -j -N ctk-deep
	assert_json '.netns[0] | .lost == $lost and
		.attributed_drops + .unattributed_drops == $lost' \
		--argjson lost "$lost"
	run_ctkstat 0 -j drops -N ctk-deep
	assert_json 'length > 0 and all(.reason == "chain-too-long" and
		.comm == "flowgen")'
	run_ctkstat 0 drops -N ctk-deep
	assert_in "$output" " REASON"
	assert_in "$output" " chain-too-long"
	assert_80_columns
}

@test "who may not see them is told, and what is missing" {
	run_as_nobody 2 -j drops
	assert_in "$stderr" "drops needs CAP_NET_ADMIN over the namespace"
	assert_json '.error | contains("CAP_NET_ADMIN")'
	run_ctkstat 2 drops -N ctk-none
	assert_in "$stderr" "no network namespace 'ctk-none' in /run/netns"
	ctk_remove
	run_ctkstat 2 -j drops
	assert_in "$stderr" "drops needs the module ctk, which is not"
	assert_json '.error | contains("insmod ctk.ko")'
}
