#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Whose packets die at a full table: local processes by pid and name, remote
# ones by address and device, and a process whose packets the kernel sends for
# it, from a timer, by its cgroup. Each record is held against what the loser
# itself counted, and all of them against the kernel's drop.
#
# What is attributed is sent from one CPU at a time where the number is exact:
# the records' lock is not waited for.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-nl.sh
. "$here/lib-nl.sh"
# shellcheck source=lib-offender.sh
. "$here/lib-offender.sh"

ALPHA=700
BETA=300
PINGS=10
CONNECTIONS=5
# At 33 entries per bucket half of the new flows die, and none at the 14 that
# are there first.
BUCKETS=512
FILLED=7000
FLOWS=10000
if_small ALPHA=70 BETA=30

require_tools ping setpriv unshare
require_kernel
install_for_all nlprobe flowgen
# Set by it.
# shellcheck disable=SC2154
probe=$nlprobe copy=$flowgen

# A tree of cgroups of version 2, wherever it is mounted.
find_cgroups()
{
	local path

	path=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	if [[ ! $path ]]; then
		path=$work/cgroups
		mkdir "$path"
		mount -t cgroup2 none "$path" || return
		defer umount "$path"
	fi
	echo "$path"
}

# udp_flood NS ADDRESS COUNT: from one CPU; leaves in $refused what was lost.
# All are alike to ctk, which has a record for each destination port.
udp_flood()
{
	line=$(in_ns "$1" "$here/flowgen" udp --to "$2" --dport 9 \
		--sport 20000-59999 --count "$3" --cpu 0)
	refused=$(count_in EPERM "$line")
	expect "EPERM" "$refused" -gt 0
}

a_table_is_full()
{
	ctk_load hook=wrapper attribution=on || return
	expect_text "attribution" "$(ctk_status attribution)" on
	expect "armed" "$(ctk_status armed)" -eq 1
	set_limit $SMALL_LIMIT
	setup_ns SERVER CLIENT
	track "$SERVER"
	connect_ns "$CLIENT" t0 10.7.0.1/24 "$SERVER" h0 10.7.0.2/24
	fill "$SERVER"
	take_offenders "$SERVER"
	expect "records before any loss" "$(records)" -eq 0
}

# start_sender NAME COUNT: flowgen under another name; its pid is $!.
start_sender()
{
	cp "$here/flowgen" "$work/$1"
	spawn "$SERVER" "$work/$1.out" "$work/$1" udp --to 127.0.0.1 --dport 9 \
		--sport 20000-29999 --count "$2" --cpu 0
}

# expect_sender NAME PID COUNT
expect_sender()
{
	local line

	line=$(<"$work/$1.out")
	expect "EPERM of $1" "$(count_in EPERM "$line")" -eq "$3"
	take_offenders "$SERVER"
	find_offender "pid=$2" "comm=$1" || return
	expect_within_error "$3"
	is_offender "$offender" l4proto=17 src=7f000001 dst=7f000001 dport=9 \
		reason=$REASON_TABLE_FULL -ifname -icmp-type ||
		fail "not what $1 sent"
}

local_senders_are_named()
{
	local alpha beta

	start_sender ctk-alpha $ALPHA
	alpha=$!
	start_sender ctk-beta $BETA
	beta=$!
	wait $alpha $beta
	expect_sender ctk-alpha $alpha $ALPHA
	expect_sender ctk-beta $beta $BETA
}

# segments_sent NS: by TCP, also those that were sent again.
segments_sent()
{
	# shellcheck disable=SC2016 # awk's
	in_ns "$1" awk '$1 == "Tcp:" && $2 == "RtoAlgorithm" {
			for (i = 1; i <= NF; i++) at[$i] = i }
		$1 == "Tcp:" { sum = $at["OutSegs"] + $at["RetransSegs"] }
		END { print sum }' /proc/net/snmp
}

remote_tcp_is_named()
{
	local before sent

	before=$(segments_sent "$CLIENT")
	line=$(in_ns "$CLIENT" "$here/flowgen" tcp --to 10.7.0.2 \
		--server-netns "/run/netns/$SERVER" --count $CONNECTIONS \
		--syn-retries 1)
	sent=$(($(segments_sent "$CLIENT") - before))
	diag "$line"
	expect "SYNs sent" "$sent" -gt $CONNECTIONS
	expect "SYNs lost" "$(count_in lost_syns "$line")" -eq "$sent"
	take_offenders "$SERVER"
	find_offender l4proto=6 src=0a070001 dst=0a070002 dport=5201 \
		ifname=h0 -pid -comm || return
	expect_within_error "$sent"
}

remote_ping_is_named()
{
	local sent

	line=$(in_ns "$CLIENT" ping -q -n -c $PINGS -i 0.05 -W 1 10.7.0.2)
	diag "$line"
	sent=$(sed -n 's/\([0-9]*\) packets transmitted, 0 received.*/\1/p' \
		<<<"$line")
	expect "pings sent, all lost" "$sent" -eq $PINGS
	take_offenders "$SERVER"
	find_offender l4proto=1 icmp-type=8 icmp-code=0 src=0a070001 \
		dst=0a070002 ifname=h0 -dport -pid -comm || return
	expect_within_error "$sent"
}

# The first SYN of each is sent by the process, the others by a timer.
a_timer_is_named_by_its_cgroup()
{
	local cgroups inode pid again

	cgroups=$(find_cgroups) || { skip "no cgroups of version 2"; return; }
	mkdir "$cgroups/ctk-$$"
	defer rmdir "$cgroups/ctk-$$"
	inode=$(stat -c %i "$cgroups/ctk-$$")
	# shellcheck disable=SC2016 # for the other shell
	spawn "$SERVER" "$work/timer" sh -c 'echo $$ >"$0" && exec "$@"' \
		"$cgroups/ctk-$$/cgroup.procs" "$here/flowgen" tcp \
		--to 127.0.0.2 --count $CONNECTIONS --syn-retries 1
	pid=$!
	wait $pid
	line=$(<"$work/timer")
	diag "$line"
	again=$(($(count_in lost_syns "$line") - CONNECTIONS))
	expect "SYNs sent again" $again -gt 0
	take_offenders "$SERVER"
	find_offender pid=$pid l4proto=6 dport=5201 "cgroup-id=$inode" &&
		expect_within_error $CONNECTIONS
	find_offender "cgroup-id=$inode" l4proto=6 dport=5201 dst=7f000002 \
		-pid -comm -ifname && expect_within_error $again
}

ipv6_is_named()
{
	udp_flood "$SERVER" ::1 20
	take_offenders "$SERVER"
	find_offender l4proto=17 dport=9 \
		src=00000000000000000000000000000001 \
		dst=00000000000000000000000000000001 || return
	expect_within_error "$refused"
}

# ipvlan hands a slave's packets to the stack of its master's namespace, with
# the sender's socket on them and no device that they came in by.
others_processes_are_not_named()
{
	local before

	modprobe -q ipvlan || { skip "this kernel lacks ipvlan"; return; }
	setup_ns SLAVE
	ip -n "$SERVER" -batch - <<-EOF
	link add master0 type dummy
	link set master0 up
	route add 10.8.0.0/24 dev master0
	link add slave0 link master0 netns $SLAVE type ipvlan mode l3
	EOF
	ip -n "$SLAVE" -batch - <<-EOF
	address add 10.8.0.1/24 dev slave0
	link set slave0 up
	EOF
	before=$(kernel_stat "$SERVER" drop)
	in_ns "$SLAVE" "$here/flowgen" udp --to 10.8.0.2 --dport 9 \
		--sport 20000-29999 --count 40 --cpu 0 >/dev/null
	expect "the kernel's drop" \
		$(($(kernel_stat "$SERVER" drop) - before)) -eq 40
	take_offenders "$SERVER"
	find_offender l4proto=17 src=0a080001 dst=0a080002 dport=9 \
		-pid -comm -cgroup-id || return
	expect_within_error 40
}

all_is_attributed()
{
	expect_sums "$SERVER"
	expect "unattributed_drops" "$(ctk "$SERVER" unattributed_drops)" -eq 0
	expect "marks_lost" "$(ctk_status marks_lost)" -eq 0
}

reset_forgets()
{
	expect_text "reset" "$("$probe" reset "id=$(ctk "$SERVER" id)")" \
		"ok replies=0"
	take_offenders "$SERVER"
	expect "records" "$(records)" -eq 0
	expect "attributed_drops" "$(ctk "$SERVER" attributed_drops)" -eq 0
	udp_flood "$SERVER" 127.0.0.1 15
	take_offenders "$SERVER"
	expect "records" "$(records)" -eq 1
	expect "its count" "$(sum_of count)" -eq "$refused"
	expect "attributed_drops" "$(ctk "$SERVER" attributed_drops)" \
		-eq "$refused"
}

# expect_refusals CALLER...: to tell of a namespace, or whether there is one.
expect_refusals()
{
	local id other none

	id=$(ctk "$SERVER" id)
	other=$("$@" --dump offender-get "netns-id=$id")
	none=$("$@" --dump offender-get netns-id=4000000000)
	expect_text "another's" "$other" "error=EPERM *message=?*"
	expect_text "those of none" "$none" "$other"
}

nobody_is_told_nothing()
{
	expect_text "its own" "$(as_nobody "$probe" --dump offender-get)" \
		"error=EPERM *message=?*"
	expect_refusals as_nobody "$probe"
}

# Who loses packets of its own there, and is told of them.
foreign_loss()
{
	cat <<-EOF
	ip link set lo up
	nft 'table inet ctk {
		chain out {
			type filter hook output priority 0
			ct state new counter
		}
	}' || exit
	$copy ctnetlink --to 198.19.0.1 --count $SMALL_LIMIT >/dev/null
	stat -L -c %i /proc/self/ns/net
	$copy udp --to 127.0.0.1 --dport 7 --count 11 --sport 20000-29999
	$probe --dump offender-get
	$probe --dump offender-get netns-id=$(ctk "$SERVER" id)
	EOF
}

foreign_root_is_told_its_own()
{
	local said

	mapfile -t said < <(as_foreign_root sh -c "$(foreign_loss)")
	[[ ${said[0]-} ]] || { skip "no user namespaces for nobody"; return; }
	expect "EPERM" "$(count_in EPERM "${said[1]}")" -eq 11
	expect_text "its own" "${said[2]}" \
		"reply * netns-inum=${said[0]} * dport=7 * count=11 error=0"
	expect_text "all of its own" "${said[3]}" "ok replies=1"
	expect_text "another's" "${said[4]}" "error=EPERM *message=?*"
	expect_refusals as_foreign_root "$probe"
}

is_armed()
{
	[[ $(ctk_status armed) -eq 1 ]]
}

# From the first loss on, which is none's.
auto_arms_with_the_first_loss()
{
	local first

	ctk_load hook=wrapper attribution=auto || return
	expect_text "attribution" "$(ctk_status attribution)" auto
	expect "armed before a loss" "$(ctk_status armed)" -eq 0
	expect_text "status" "$("$probe" status-get)" \
		"reply *attribution=0 armed=0 *"
	udp_flood "$SERVER" 127.0.0.1 1
	first=$refused
	busywait is_armed || fail "not armed"
	expect_text "status" "$("$probe" status-get)" \
		"reply *attribution=0 armed=1 *"
	expect "attributed of the first" "$(ctk "$SERVER" attributed_drops)" \
		-eq 0
	udp_flood "$SERVER" 127.0.0.1 30
	take_offenders "$SERVER"
	find_offender l4proto=17 comm=flowgen || return
	expect_within_error "$refused"
	expect "unattributed_drops" "$(ctk "$SERVER" unattributed_drops)" \
		-eq "$first"
	expect "lost" "$(ctk "$SERVER" lost)" -eq $((first + refused))
}

off_attributes_nothing()
{
	local attributed unattributed

	read -r attributed unattributed < <(ctk "$SERVER" attributed_drops \
		unattributed_drops)
	set_attribution off
	expect "armed" "$(ctk_status armed)" -eq 0
	udp_flood "$SERVER" 127.0.0.1 30
	expect "attributed_drops" "$(ctk "$SERVER" attributed_drops)" \
		-eq "$attributed"
	expect "unattributed_drops" "$(ctk "$SERVER" unattributed_drops)" \
		-eq $((unattributed + refused))
}

# A new load of ctk counts from 0, and the kernel goes on.
a_kretprobe_attributes()
{
	local attributed unattributed lost

	ctk_load hook=kretprobe attribution=on || return
	expect_text "hook" "$(ctk_status hook)" kretprobe
	udp_flood "$SERVER" 127.0.0.1 $ALPHA
	read -r attributed unattributed lost < <(ctk "$SERVER" attributed_drops \
		unattributed_drops lost)
	expect "lost" "$lost" -eq "$refused"
	expect "attributed and unattributed" $((attributed + unattributed)) \
		-eq "$refused"
	take_offenders "$SERVER"
	find_offender l4proto=17 comm=flowgen || return
	expect "the counts' sum" "$(sum_of count)" -eq "$attributed"
	expect "attributed and missed" \
		$((attributed + $(ctk_status missed))) -ge "$refused"
}

restore_buckets()
{
	[[ ! -e $SYSCTL/nf_conntrack_buckets ]] ||
		sysctl -qw net.netfilter.nf_conntrack_buckets="$1"
}

# The hook has no part in it.
long_chains_are_attributed()
{
	chains_are_limited ||
		{ skip "this kernel has no limit on chains"; return; }
	setup_ns LONG
	set_limit 2097152
	defer restore_buckets "$(<"$SYSCTL/nf_conntrack_buckets")"
	sysctl -qw net.netfilter.nf_conntrack_buckets=$BUCKETS
	track "$LONG"
	fill "$LONG" $FILLED
	udp_flood "$LONG" 127.0.0.1 $FLOWS
	expect "the kernel's chaintoolong" \
		"$(kernel_stat "$LONG" chaintoolong)" -eq "$refused"
	expect_sums "$LONG"
	expect "records" "$(records)" -eq 1
	find_offender reason=$REASON_CHAIN_TOO_LONG comm=flowgen l4proto=17 \
		dport=9 || return
	expect_within_error "$refused"
	expect "unattributed_drops" "$(ctk "$LONG" unattributed_drops)" -eq 0
}

run_tests \
	a_table_is_full \
	local_senders_are_named \
	remote_tcp_is_named \
	remote_ping_is_named \
	a_timer_is_named_by_its_cgroup \
	ipv6_is_named \
	others_processes_are_not_named \
	all_is_attributed \
	reset_forgets \
	nobody_is_told_nothing \
	foreign_root_is_told_its_own \
	auto_arms_with_the_first_loss \
	off_attributes_nothing \
	a_kretprobe_attributes \
	long_chains_are_attributed
