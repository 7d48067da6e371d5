#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A router that masquerades, its table full: the packets it drops are nobody's
# EPERM, since they die between two machines. What was lost is what the client
# sent less what the server received, as their own statistics tell.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=20000
ROOM=500
DATAGRAMS=20000
if_small LIMIT=500 ROOM=50 DATAGRAMS=500

require_tools
require_kernel
modprobe -q nft_masq || skip_all "this kernel lacks nft_masq"

masquerade()
{
	in_ns "$1" nft -f - <<-EOF
	table ip ctknat {
		chain post {
			type nat hook postrouting priority 100
			oifname "$2" masquerade
		}
	}
	EOF
	in_ns "$1" sysctl -qw net.ipv4.ip_forward=1
}

# IPv4 packets, so that what IPv6 says of itself is not in it.
received_by()
{
	in_ns "$1" cat /proc/net/snmp | awk '
		$1 == "Ip:" && !n { for (i = 2; i <= NF; i++)
			if ($i == "InReceives") n = i; next }
		$1 == "Ip:" { print $n }'
}

router_fills()
{
	set_limit $LIMIT
	ctk_load || return
	setup_ns CLIENT ROUTER SERVER
	connect_ns "$CLIENT" c0 10.1.0.1/24 "$ROUTER" r0 10.1.0.254/24
	connect_ns "$ROUTER" r1 10.2.0.254/24 "$SERVER" s0 10.2.0.1/24
	ip -n "$CLIENT" route add default via 10.1.0.254
	track "$ROUTER"
	masquerade "$ROUTER" r1
	fill "$ROUTER" $((LIMIT - ROOM))
	expect "entries" "$(ctk "$ROUTER" entries)" -eq $((LIMIT - ROOM))
}

# They stay open: ended ones make room again, by time and by the kernel's gc.
forwarded_tcp_fills_the_rest_and_no_more()
{
	open_and_hold "$CLIENT" --to 10.2.0.1 --count $((ROOM * 2)) \
		--server-netns "/run/netns/$SERVER"
	expect_tcp_losses "$ROUTER" $ROOM $((ROOM * 2))
	expect "masqueraded entries" "$(in_ns "$ROUTER" conntrack -L -p tcp \
		--src-nat 2>/dev/null | grep -c 'dst=10.2.0.254')" -eq $ROOM
}

forwarded_udp_is_lost()
{
	local before arrived lost

	fill "$ROUTER"
	before=$(ctk "$ROUTER" table_full_drops)
	drop_before=$(kernel_stat "$ROUTER" drop)
	arrived=$(received_by "$SERVER")
	line=$(in_ns "$CLIENT" "$here/flowgen" udp --to 10.2.0.1 --cpu 0 \
		--count $DATAGRAMS)
	diag "$line"
	arrived=$(($(received_by "$SERVER") - arrived))
	lost=$(($(count_in sent "$line") - arrived))
	expect "sent" "$(count_in sent "$line")" -eq $DATAGRAMS
	expect "lost between the two" "$lost" -eq $DATAGRAMS
	expect "growth of the router's drop" \
		$(($(kernel_stat "$ROUTER" drop) - drop_before)) -eq "$lost"
	expect "table_full_drops" \
		$(($(ctk "$ROUTER" table_full_drops) - before)) -eq "$lost"
	expect "other_drops" "$(ctk "$ROUTER" other_drops)" -eq 0
}

pings_through_the_router_are_lost()
{
	local before lost

	before=$(ctk "$ROUTER" table_full_drops)
	lost=$(in_ns "$CLIENT" ping -n -c 20 -i 0.05 -W 1 10.2.0.1 |
		awk '/packets transmitted/ { print $1 - $4 }')
	expect "pings lost" "$lost" -eq 20
	expect "table_full_drops" \
		$(($(ctk "$ROUTER" table_full_drops) - before)) -eq "$lost"
}

both_ends_lost_nothing_themselves()
{
	expect "the client's lost" "$(ctk "$CLIENT" lost)" -eq 0
	expect "the server's lost" "$(ctk "$SERVER" lost)" -eq 0
}

run_tests \
	router_fills \
	forwarded_tcp_fills_the_rest_and_no_more \
	forwarded_udp_is_lost \
	pings_through_the_router_are_lost \
	both_ends_lost_nothing_themselves
