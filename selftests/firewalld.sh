#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The field note's restart, with firewalld itself as Debian packages it: where
# it takes its modules with it when it stops, as it always did at the time of
# the note and CleanupModulesOnExit=yes makes it do now, the limit that was
# raised is back at the default and nobody is told. ctk tells it, with who did
# it, and a subscriber hears the same; with hashsize= in modprobe.d the limit
# after the restart is that file's.
#
# CTK_FIREWALLD names a directory that holds the package, unpacked, with what it
# needs and is not installed here; without it there has to be one installed. It
# runs in a network namespace, on a bus and under mounts of its own.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-events.sh
. "$(dirname "$0")/lib-events.sh"

OPTIONS=/run/modprobe.d/ctk-selftest.conf
CONFIG=etc/firewalld/firewalld.conf
NAME=org.fedoraproject.FirewallD1
RAISED=2097152
ctkstat=$here/../user/ctkstat

# --- firewalld, as if it were installed -------------------------------------

# Nothing of it, where it is.
package=${CTK_FIREWALLD:-$work/none}
mkdir -p "$work"/{none,over}/{etc,usr} "$work/over/${CONFIG%/*}"

# "${installed[@]}" COMMAND [ARG...]: with the package and our configuration
# laid over the root. The pid stays that of COMMAND.
# shellcheck disable=SC2016 # that bash's
installed=(unshare --mount bash -c '
	for dir in etc usr; do
		mount -t overlay -o "lowerdir=$0/$dir:$1/$dir:/$dir" \
			overlay "/$dir" || exit
	done
	exec "${@:2}"' "$work/over" "$package")

require_tools unshare modprobe
require_kernel
for tool in firewalld dbus-daemon dbus-send; do
	"${installed[@]}" which $tool >/dev/null || skip_all \
		"no $tool: CTK_FIREWALLD is to name its Debian package unpacked"
done
for module in nft_fib_inet nft_reject_inet; do
	modprobe -q $module || skip_all "this kernel lacks $module"
done

# Debian's, but for one line.
configure()
{
	local config=/$CONFIG

	[[ ! -e $package/$CONFIG ]] || config=$package/$CONFIG
	sed 's/^\(CleanupModulesOnExit\)=.*/\1=yes/' "$config" \
		>"$work/over/$CONFIG"
	grep -q '^CleanupModulesOnExit=yes' "$work/over/$CONFIG" ||
		fail "$config has no CleanupModulesOnExit"
}

# Who may what on the system's bus is not the matter here.
start_bus()
{
	cat >"$work/bus.conf" <<-EOF2
	<busconfig>
		<type>system</type>
		<listen>unix:path=$work/bus</listen>
		<policy context="default">
			<allow own="*"/>
			<allow send_destination="*" eavesdrop="true"/>
			<allow eavesdrop="true"/>
			<allow user="*"/>
		</policy>
	</busconfig>
	EOF2
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$work/bus
	"${installed[@]}" dbus-daemon --config-file="$work/bus.conf" --nofork \
		>"$work/bus.log" 2>&1 &
	defer_kill $!
	busywait test -S "$work/bus" || fail "no bus: $(<"$work/bus.log")"
}

# It answers when it has done all that it does at its start.
firewalld_has_started()
{
	said=$("${installed[@]}" dbus-send --system --dest=$NAME \
		--print-reply=literal --reply-timeout=$((WAIT_TIMEOUT * 1000)) \
		/org/fedoraproject/FirewallD1 \
		org.freedesktop.DBus.Properties.Get \
		string:$NAME string:state 2>/dev/null) ||
		! kill -0 "$firewalld" 2>/dev/null
}

start_firewalld()
{
	"${installed[@]}" nsenter --net="/run/netns/$NS" \
		firewalld --nofork --nopid --log-target=file \
		--log-file="$work/firewalld.log" >"$work/firewalld.out" 2>&1 &
	firewalld=$!
	defer_kill $firewalld
	WAIT_TIMEOUT=$((WAIT_TIMEOUT * 5)) busywait firewalld_has_started
	[[ $said == *RUNNING* ]] || fail "firewalld: '$said'," \
		"$(cat "$work"/firewalld.{out,log} 2>&1)"
}

restart_firewalld()
{
	stop_child "$firewalld"
	start_firewalld
}

# --- The tests --------------------------------------------------------------

# Itself, or what it has run.
by()
{
	local comm

	comm=$(event_value comm "$1")
	if [[ $(event_value parent_comm "$1") == firewalld ]]; then
		comm=firewalld
	fi
	echo "$comm"
}

# story: since there is a subscriber.
story()
{
	local line

	event_mark=$told_mark
	while read -r line; do
		echo "$(event_value event "$line") $(by "$line")" \
			"$(event_value limit "$line")" \
			"$(event_value old "$line")" \
			"$(event_value new "$line")"
	done < <(events) | sed 's/  */ /g; s/ $//' | paste -sd ';'
}

firewalld_loads_conntrack()
{
	configure || return
	conntrack_remove || return
	conntrack_insert
	default=$(limit_now)
	conntrack_remove || return
	ctk_load || return
	start_subscriber || return
	if [[ -x $ctkstat ]]; then
		"$ctkstat" events -f >"$work/followed" &
		defer_kill $!
	fi
	setup_ns NS
	start_bus || return
	start_firewalld || return
	expect_text "tables" "$(in_ns "$NS" nft list tables)" "*firewalld*"
	expect_event attached "limit=$default"
	expect_text "by" "$(by "$event")" firewalld
}

a_restart_resets_the_limit_and_all_is_told()
{
	sysctl -qw net.netfilter.nf_conntrack_max=$RAISED
	restart_firewalld || return
	expect "nf_conntrack_max" "$(limit_now)" -eq "$default"
	expect_text "the story" "$(story)" "attached firewalld $default;\
limit-changed sysctl $default $RAISED;detached firewalld $RAISED;\
attached firewalld $default"
}

# By their numbers in the protocol: attached, limit-changed, detached.
a_subscriber_was_told_the_same()
{
	local types

	expect_told_what_the_ring_has || return
	types=$(sed -nE 's/.* event=([0-9]+)( .*)?$/\1/p' <<<"$told")
	expect_text "types" "${types//$'\n'/ }" "0 2 1 0"
}

sentences()
{
	grep -oE '(nf_conntrack|limit [0-9]).*' "$1"
}

followed_all()
{
	[[ $(sentences "$work/followed" | wc -l) -ge 4 ]]
}

ctkstat_tells_it_at_once_and_afterwards()
{
	local line

	[[ -x $ctkstat ]] || { skip "there is no ctkstat"; return; }
	"$ctkstat" events >"$work/events"
	mapfile -t line < <(sentences "$work/events")
	expect "sentences" ${#line[@]} -eq 4
	expect_text "first" "${line[0]}" \
		"nf_conntrack loaded by *firewalld*; limit $default, buckets *"
	expect_text "second" "${line[1]}" \
		"limit $default -> $RAISED by sysctl[[]*"
	expect_text "third" "${line[2]}" "nf_conntrack unloaded by \
*firewalld*; its limit of $RAISED is forgotten"
	expect_text "fourth" "${line[3]}" \
		"nf_conntrack loaded by *firewalld*; limit $default, buckets *"
	busywait followed_all || fail "events -f: $(<"$work/followed")"
	[[ $(sentences "$work/followed") == "$(sentences "$work/events")" ]] ||
		fail "events -f: $(<"$work/followed")"
}

# As the note says, eight times the buckets; four times on some kernels before
# 5.15.
hashsize_in_modprobe_d_survives_a_restart()
{
	local limit

	mkdir -p "${OPTIONS%/*}"
	defer rm -f "$OPTIONS"
	echo "options nf_conntrack hashsize=262144" >"$OPTIONS"
	mark_events
	restart_firewalld || return
	limit=$(limit_now)
	expect "buckets" "$(<$SYSCTL/nf_conntrack_buckets)" -eq 262144
	expect "nf_conntrack_max" "$limit" -ge $((262144 * 4))
	expect_event detached "limit=$default"
	expect_event attached "limit=$limit" buckets=262144
	expect_text "by" "$(by "$event")" firewalld
	stop_child "$firewalld"
	[[ ! -d /sys/module/nf_conntrack ]] ||
		fail "firewalld left nf_conntrack: $(lsmod | grep nf_)"
	rm -f "$OPTIONS"
}

run_tests \
	firewalld_loads_conntrack \
	a_restart_resets_the_limit_and_all_is_told \
	a_subscriber_was_told_the_same \
	ctkstat_tells_it_at_once_and_afterwards \
	hashsize_in_modprobe_d_survives_a_restart
