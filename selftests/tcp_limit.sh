#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The field note's load: a server takes connections up to the limit and then
# no more. The connections are real, open at both ends; a SYN that finds the
# table full dies without a word to connect(), is sent again, and each time it
# is one more packet lost. The witness is the clients' own count of SYNs.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LOWER_LIMIT=20000
ROOM=4000
ATTEMPTS=6000
if_small DEFAULT_LIMIT=1000 LOWER_LIMIT=500 ROOM=40 ATTEMPTS=60

require_tools ss
require_kernel

# expect_losses NS: of the namespace whose table is full.
expect_losses()
{
	expect_tcp_losses "$1" $ROOM $ATTEMPTS
	expect "accepted sockets" "$(established_in "$1")" -eq "$opened"
	expect "timed out" "$(count_in ETIMEDOUT "$line")" -eq \
		$((ATTEMPTS - opened))
	expect "lost" "$(ctk "$1" lost)" -eq "$dropped"
	expect "refused_inserts" "$(ctk "$1" refused_inserts)" -eq 0
	expect "entries" "$(ctk "$1" entries)" -eq "$(limit_now)"
}

# Sockets of the accepting end, as the kernel lists them.
established_in()
{
	in_ns "$1" ss -Htn state established \
		'( sport >= 5201 and sport <= 5204 )' | wc -l
}

both_ends_in_one_namespace()
{
	set_limit $DEFAULT_LIMIT
	ctk_load || return
	setup_ns SERVER CLIENT ONE
	track "$SERVER" "$ONE"
	fill "$ONE" $((DEFAULT_LIMIT - ROOM))
	open_and_hold "$ONE" --count $ATTEMPTS --dport 5201-5204 \
		--to 127.0.0.1
	expect_losses "$ONE"
	stop_child $holder
}

server_in_a_namespace_of_its_own()
{
	connect_ns "$CLIENT" c0 10.1.0.1/24 "$SERVER" s0 10.1.0.2/24
	set_limit $LOWER_LIMIT
	fill "$SERVER" $((LOWER_LIMIT - ROOM))
	open_and_hold "$CLIENT" --count $ATTEMPTS --dport 5201-5204 \
		--to 10.1.0.2 \
		--server-netns "/run/netns/$SERVER"
	expect_losses "$SERVER"
	expect "lost in the client's namespace" "$(ctk "$CLIENT" lost)" -eq 0
	stop_child $holder
}

run_tests both_ends_in_one_namespace server_in_a_namespace_of_its_own
