#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# IPv6 shares the table and its limit with IPv4. UDP, TCP and ICMPv6 that find
# it full, each against its own sender's count. Neighbour discovery is not
# tracked by the kernel, and so is never lost or counted here.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=5000
DATAGRAMS=10000
CONNECTIONS=200
if_small LIMIT=500 DATAGRAMS=500 CONNECTIONS=50

require_tools
require_kernel
[[ -d /proc/sys/net/ipv6 ]] || skip_all "this kernel lacks IPv6"

# grown WHAT: since the last call for it, of ctk's and of the kernel's count.
begin()
{
	ctk_before=$(ctk "$V6" table_full_drops)
	drop_before=$(kernel_stat "$V6" drop)
}

expect_grown_by()
{
	expect "growth of the kernel's drop" \
		$(($(kernel_stat "$V6" drop) - drop_before)) -eq "$1"
	expect "growth of table_full_drops" \
		$(($(ctk "$V6" table_full_drops) - ctk_before)) -eq "$1"
}

ipv6_entries_fill_the_table()
{
	local line

	set_limit $LIMIT
	ctk_load || return
	setup_ns V6 OTHER
	connect_ns "$V6" d0 fd00:1::1/64 "$OTHER" d0 fd00:1::2/64
	track "$V6"
	line=$(in_ns "$V6" "$here/flowgen" ctnetlink --to 2001:db8::2 \
		--count $LIMIT)
	expect "inserted" "$(count_in inserted "$line")" -eq $LIMIT
	expect "ctk's entries" "$(ctk "$V6" entries)" -eq $LIMIT
}

udp_is_lost()
{
	local line

	begin
	line=$(in_ns "$V6" "$here/flowgen" udp --to fd00:1::2 --count $DATAGRAMS)
	diag "$line"
	expect "EPERM" "$(count_in EPERM "$line")" -eq $DATAGRAMS
	expect_grown_by "$(count_in EPERM "$line")"
}

tcp_is_lost()
{
	local line

	begin
	line=$(in_ns "$V6" "$here/flowgen" tcp --to fd00:1::2 --count $CONNECTIONS \
		--server-netns "/run/netns/$OTHER")
	diag "$line"
	expect "opened" "$(count_in opened "$line")" -eq 0
	expect "SYNs lost" "$(count_in lost_syns "$line")" -ge $CONNECTIONS
	expect_grown_by "$(count_in lost_syns "$line")"
}

pings_are_lost()
{
	local lost

	begin
	lost=$(in_ns "$V6" ping -6 -n -c 20 -i 0.05 -W 1 fd00:1::2 2>/dev/null |
		awk '/packets transmitted/ { print $1 - $4 }')
	expect "pings lost" "$lost" -eq 20
	expect_grown_by "$lost"
}

ipv4_is_lost_with_it()
{
	local line

	begin
	line=$(in_ns "$V6" "$here/flowgen" udp --to 127.0.0.1 --count 1000)
	expect "EPERM" "$(count_in EPERM "$line")" -eq 1000
	expect_grown_by "$(count_in EPERM "$line")"
	expect "lost by the peer" "$(ctk "$OTHER" lost)" -eq 0
}

all_pass_when_there_is_room()
{
	local line lost

	set_limit $((LIMIT * 10))
	begin
	line=$(in_ns "$V6" "$here/flowgen" udp --to fd00:1::2 --count 1000)
	expect "UDP sent" "$(count_in sent "$line")" -eq 1000
	line=$(in_ns "$V6" "$here/flowgen" tcp --to fd00:1::2 --count $CONNECTIONS \
		--server-netns "/run/netns/$OTHER")
	expect "TCP accepted" "$(count_in accepted "$line")" -eq $CONNECTIONS
	lost=$(in_ns "$V6" ping -6 -n -c 5 -i 0.05 fd00:1::2 |
		awk '/packets transmitted/ { print $1 - $4 }')
	expect "pings lost" "$lost" -eq 0
	expect_grown_by 0
}

run_tests \
	ipv6_entries_fill_the_table \
	udp_is_lost \
	tcp_is_lost \
	pings_are_lost \
	ipv4_is_lost_with_it \
	all_pass_when_there_is_room
