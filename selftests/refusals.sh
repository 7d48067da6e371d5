#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who is told what. A namespace's own sockets may read its counters, without
# any capability; all others are shown in the initial namespace, with
# CAP_NET_ADMIN; and whoever may not see a namespace cannot find out whether
# it exists. Whatever is malformed gets an errno, text, and where in the
# message it is wrong, and the kernel goes on.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=lib-nl.sh
. "$here/lib-nl.sh"

ABSENT=4000000000

require_tools setpriv unshare
require_kernel
install_for_all nlprobe
# shellcheck disable=SC2154 # set by install_for_all
probe=$nlprobe

# expect_error ERRNO OFFSET COMMAND...: with text that says why.
expect_error()
{
	local errno=$1 offset=$2 said

	shift 2
	said=$("$@")
	expect_text "${*:2}" "$(value error "$said")" "$errno"
	expect "offset" "$(value offset "$said")" -eq "$offset"
	expect_text "text" "${said#*message=}" '?*'
}

# expect_same_refusal COMMAND... -- THIS THAT: whichever is asked for.
expect_same_refusal()
{
	local command=() this that

	while [[ $1 != -- ]]; do
		command+=("$1")
		shift
	done
	this=$("${command[@]}" "$2")
	that=$("${command[@]}" "$3")
	expect_text "asked for $2" "$this" "error=EPERM *message=?*"
	expect_text "asked for $3" "$that" "$this"
}

root_sees_all()
{
	local said

	ctk_load || return
	setup_ns OTHER
	inum=$(inum_of "$OTHER")
	id=$(ctk "$OTHER" id)
	spawn "$OTHER" /dev/null sleep 1000
	pid=$!
	busywait in_the_namespace || fail "no process in the namespace"
	for said in "id=$id" "netns-inum=$inum" "netns-pid=$pid"; do
		expect_text "$said" "$($probe netns-get "$said")" \
			"reply id=$id netns-inum=$inum *ok replies=1"
	done
	expect_text "netns-fd" "$($probe netns-get netns-fd=7 \
		7<"/run/netns/$OTHER")" "reply id=$id netns-inum=$inum *"
	expect "lines of the dump" "$($probe --dump netns-get | grep -c reply)" \
		-eq "$(tail -n +2 $DEBUGFS/netns | wc -l)"
}

in_the_namespace()
{
	[[ $(stat -L -c %i "/proc/$pid/ns/net" 2>/dev/null) -eq $inum ]]
}

nobody_sees_its_own()
{
	local said own

	own=$(stat -L -c %i /proc/self/ns/net)
	said=$(as_nobody "$probe" netns-get)
	expect "inum without selector" "$(value netns-inum "$said")" -eq "$own"
	said=$(as_nobody "$probe" netns-get "netns-inum=$own")
	expect "inum by itself" "$(value netns-inum "$said")" -eq "$own"
	said=$(as_nobody "$probe" --dump netns-get)
	expect "lines of the dump" "$(grep -c reply <<<"$said")" -eq 1
	expect "inum in the dump" "$(value netns-inum "$said")" -eq "$own"
	expect_text "status-get" "$(as_nobody "$probe" status-get)" \
		"*ok replies=1"
}

nobody_cannot_probe_for_others()
{
	local as=(as_nobody "$probe" netns-get)

	expect_same_refusal "${as[@]}" -- "id=$id" id=$ABSENT
	expect_same_refusal "${as[@]}" -- "netns-inum=$inum" \
		netns-inum=$ABSENT
	expect_same_refusal "${as[@]}" -- "netns-pid=$pid" \
		netns-pid=999999999
	# A descriptor of the namespace, of something else, and none.
	expect_same_refusal "${as[@]}" -- netns-fd=7 netns-fd=99 \
		7<"/run/netns/$OTHER"
	expect_same_refusal "${as[@]}" -- netns-fd=7 netns-fd=0 \
		7<"/run/netns/$OTHER"
}

nobody_resets_nothing()
{
	expect_text "its own" "$(as_nobody "$probe" reset)" \
		"error=EPERM *message=?*"
	expect_same_refusal as_nobody "$probe" reset -- "id=$id" id=$ABSENT
}

another_namespace_sees_itself_only()
{
	local said root own=1 as=(in_ns "$OTHER" "$probe")

	root=$(stat -L -c %i /proc/self/ns/net)
	said=$("${as[@]}" --dump netns-get)
	expect "lines of the dump" "$(grep -c reply <<<"$said")" -eq $own
	expect "inum in the dump" "$(value netns-inum "$said")" -eq "$inum"
	expect_same_refusal "${as[@]}" netns-get -- "netns-inum=$root" \
		netns-inum=$ABSENT
	expect_same_refusal "${as[@]}" netns-get -- id=1 id=$ABSENT
	expect_same_refusal "${as[@]}" netns-get -- netns-pid=1 \
		netns-pid=999999999
	expect_text "reset of its own" "$("${as[@]}" reset)" "ok replies=0"
}

foreign_root_sees_itself_only()
{
	local said mine script

	script="stat -L -c %i /proc/self/ns/net; $probe --dump netns-get
		$probe netns-get id=$id; $probe netns-get id=$ABSENT
		$probe netns-get netns-inum=$inum; $probe reset; $probe reset id=$id"
	mapfile -t said < <(as_foreign_root sh -c "$script")
	mine=${said[0]}
	[[ $mine ]] || { skip "no user namespaces for nobody"; return; }
	expect "inum in the dump" "$(value netns-inum "${said[1]}")" -eq \
		"$mine"
	expect_text "end of the dump" "${said[2]}" "ok replies=1"
	expect_text "another's id" "${said[3]}" "error=EPERM *message=?*"
	expect_text "an id that is none" "${said[4]}" "${said[3]}"
	expect_text "another's inum" "${said[5]}" "error=EPERM *message=?*"
	expect_text "reset of its own" "${said[6]}" "ok replies=0"
	expect_text "reset of another" "${said[7]}" "error=EPERM *message=?*"
}

# Offsets count from the netlink header: 16, and 4 of generic netlink.
wrong_selectors_are_named()
{
	expect_error ENOENT 20 "$probe" netns-get id=$ABSENT
	expect_error ENOENT 20 "$probe" netns-get id=0
	expect_error ENOENT 20 "$probe" netns-get netns-inum=$ABSENT
	expect_error EINVAL 32 "$probe" netns-get "id=$id" "netns-inum=$inum"
	expect_error EINVAL 28 "$probe" netns-get "netns-inum=$inum" \
		"netns-pid=$pid"
	expect_error EINVAL 20 "$probe" status-get "id=$id"
	# The end of a dump carries an offset from 6.7 on only.
	expect_text "a selector in a dump" \
		"$($probe --dump netns-get "id=$id")" \
		"error=EINVAL *message=a dump takes no attributes"
	expect_error EBADF 20 "$probe" netns-get netns-fd=99
	expect_error ESRCH 20 "$probe" netns-get netns-pid=999999999
}

malformed_attributes_are_refused()
{
	expect_error EINVAL 20 "$probe" netns-get 99:00000000
	expect_error EINVAL 20 "$probe" netns-get 5:00000000
	expect_error EINVAL 20 "$probe" netns-get 1:00000000
	expect_error EINVAL 20 "$probe" netns-get 2:0000
	expect_error EINVAL 20 "$probe" netns-get 2:0000000000000000
	expect_error EINVAL 20 "$probe" reset 4:
	# NLA_F_NESTED on what is a number.
	expect_error EINVAL 20 "$probe" netns-get 0x8002:00000000
}

malformed_messages_are_refused()
{
	local said

	expect_text "a command that is none" "$($probe 99)" "error=EOPNOTSUPP*"
	expect_text "command 0" "$($probe 0)" "error=EOPNOTSUPP*"
	expect_text "a dump of what has none" "$($probe --dump reset)" \
		"error=EOPNOTSUPP*"
	expect_text "no generic header" "$($probe --payload '')" "error=EINVAL*"
	# An attribute longer than the message, one shorter than its header,
	# and bytes that are none.
	for said in 02010000ff000200 0201000001000200 02010000ffffff; do
		expect_text "payload $said" "$($probe --payload $said)" \
			"error=EINVAL *message=?*"
	done
	# netlink itself ignores what is shorter than its header or longer than
	# what was sent, for every family: netlink_rcv_skb().
	expect_text "length 4" "$($probe --length 4 netns-get)" "silence"
	expect_text "length 4000" "$($probe --length 4000 netns-get)" "silence"
}

wrong_event_requests_are_named()
{
	expect_error EINVAL 20 "$probe" --dump event-get 1:00000000
	expect_error EINVAL 20 "$probe" --dump event-get 2:00000000
	expect_error EINVAL 20 "$probe" --dump event-get 0x8001:0000000000000000
	expect_text "one event" "$($probe event-get)" "error=EOPNOTSUPP*"
	expect_text "a notification" "$($probe 5)" "error=EOPNOTSUPP*"
}

nobody_is_told_of_no_events()
{
	expect_text "event-get" "$(as_nobody "$probe" --dump event-get)" \
		"error=EPERM *message=?*"
	expect_text "joining" "$(as_nobody "$probe" --join)" "error=EPERM"
	expect_text "root's event-get" "$($probe --dump event-get)" \
		"reply seq=1 *ok replies=*"
	expect_text "root's joining" "$($probe --join)" "ok"
}

# Those of the whole machine and of others have been before.
another_namespace_is_told_its_own_events()
{
	local said line n=0 as=(in_ns "$OTHER" "$probe")

	setup_ns THIRD
	lose_packets "$THIRD"
	expect "packets lost elsewhere" "$lost" -gt 0
	expect_text "before it has any" "$("${as[@]}" --dump event-get)" \
		"ok replies=0"
	lose_packets "$OTHER"
	expect "packets lost" "$lost" -gt 0
	busywait has_two_events "${as[@]}" || fail "there are no two events"
	said=$("${as[@]}" --dump event-get)
	while read -r line; do
		n=$((n + 1))
		expect "inum" "$(value netns-inum "$line")" -eq "$inum"
		expect "seq" "$(value seq "$line")" -eq $n
	done < <(grep reply <<<"$said")
	# More may have happened since.
	expect_text "those after the first" \
		"$("${as[@]}" --dump event-get seq=1)" "reply seq=2 *"
	expect_text "joining" "$("${as[@]}" --join)" "ok"
}

# The loss itself, and the table above its first threshold.
has_two_events()
{
	[[ $("$@" --dump event-get | grep -c reply) -ge 2 ]]
}

foreign_root_is_told_its_own_events()
{
	local said

	said=$(as_foreign_root "$probe" --dump event-get)
	[[ $said ]] || { skip "no user namespaces for nobody"; return; }
	expect_text "event-get" "$said" "ok replies=0"
	expect_text "joining" "$(as_foreign_root "$probe" --join)" "ok"
}

wrong_census_requests_are_named()
{
	expect_error ENOENT 20 "$probe" census-get netns-id=$ABSENT
	expect_error EINVAL 32 "$probe" census-get "netns-id=$id" all
	expect_error EINVAL 20 "$probe" census-get 1:00000000
	# NLA_F_NESTED on what is a number, and a flag with a value.
	expect_error EINVAL 20 "$probe" census-get 0x8001:0000000000000000
	expect_error ERANGE 20 "$probe" census-get 3:00000000
	expect_error EINVAL 20 "$probe" census-get 4:0000000000000000
	expect_text "all in a dump" "$($probe --dump census-get all)" \
		"error=EINVAL *message=?*"
	expect_text "an id that is none, in a dump" \
		"$($probe --dump census-get netns-id=$ABSENT)" \
		"error=ENOENT *message=?*"
	expect_text "its own" "$($probe census-get)" "*ok replies=1"
	expect_text "of all" "$($probe census-get all)" "*ok replies=1"
}

# Addresses are in it.
nobody_is_told_no_census()
{
	local as=(as_nobody "$probe") own

	own=$("$probe" netns-get)
	expect_text "census-get" "$("${as[@]}" census-get)" \
		"error=EPERM *message=?*"
	expect_text "by its id" \
		"$("${as[@]}" census-get "netns-id=$(value id "$own")")" \
		"error=EPERM offset=20 message=?*"
	expect_text "those kept" "$("${as[@]}" --dump census-get)" \
		"error=EPERM *message=?*"
	expect_text "of all" "$("${as[@]}" census-get all)" \
		"error=EPERM offset=20 message=?*"
	expect_same_refusal "${as[@]}" census-get -- "netns-id=$id" \
		netns-id=$ABSENT
	expect_same_refusal "${as[@]}" --dump census-get -- "netns-id=$id" \
		netns-id=$ABSENT
}

# Packets were lost in both before.
another_namespace_is_told_its_own_census()
{
	local said as=(in_ns "$OTHER" "$probe")

	said=$("${as[@]}" census-get)
	expect "inum" "$(value netns-inum "$said")" -eq "$inum"
	said=$("${as[@]}" census-get "netns-id=$id")
	expect "inum" "$(value netns-inum "$said")" -eq "$inum"
	busywait has_a_kept_census "${as[@]}" || fail "none is kept"
	said=$("${as[@]}" --dump census-get)
	expect "kept" "$(grep -c reply <<<"$said")" -eq 1
	expect "inum" "$(value netns-inum "$said")" -eq "$inum"
	[[ $said != *chain-l* ]] || fail "it is told of chains"
	expect_text "of all" "$("${as[@]}" census-get all)" \
		"error=EPERM offset=20 message=?*"
	expect_same_refusal "${as[@]}" census-get -- netns-id=1 \
		netns-id=$ABSENT
	expect_same_refusal "${as[@]}" --dump census-get -- netns-id=1 \
		netns-id=$ABSENT
}

has_a_kept_census()
{
	[[ $("$@" --dump census-get) == reply* ]]
}

wrong_offender_requests_are_named()
{
	expect_text "without a dump" "$($probe offender-get)" \
		"error=EOPNOTSUPP*"
	expect_text "an id that is none" \
		"$($probe --dump offender-get netns-id=$ABSENT)" \
		"error=ENOENT *message=no such network namespace"
	expect_text "an id of four bytes" \
		"$($probe --dump offender-get 1:00000000)" \
		"error=EINVAL *message=?*"
}

# The namespace has lost packets by now.
offenders_are_told_to_those_who_may()
{
	local as=(as_nobody "$probe" --dump offender-get)

	expect_text "nobody" "$("${as[@]}")" "error=EPERM *message=?*"
	expect_same_refusal "${as[@]}" -- "netns-id=$id" netns-id=$ABSENT
	as=(in_ns "$OTHER" "$probe" --dump offender-get)
	expect_text "its own" "$("${as[@]}")" "*ok replies=*"
	expect_text "its own by id" "$("${as[@]}" "netns-id=$(ctk "$OTHER" id)")" \
		"*ok replies=*"
	expect_same_refusal "${as[@]}" -- netns-id=1 netns-id=$ABSENT
}

foreign_root_is_told_its_own_offenders()
{
	local said

	said=$(as_foreign_root "$probe" --dump offender-get)
	[[ $said ]] || { skip "no user namespaces for nobody"; return; }
	expect_text "offender-get" "$said" "ok replies=0"
	expect_same_refusal as_foreign_root "$probe" --dump offender-get -- \
		"netns-id=$id" netns-id=$ABSENT
}

# The one event with this limit.
changed_to()
{
	grep -w "new=$1"
}

a_pid_is_told_where_it_means_something()
{
	local limit=$((SMALL_LIMIT + 1)) line

	echo $limit >/proc/sys/net/netfilter/nf_conntrack_max
	line=$($probe --dump event-get | changed_to $limit)
	expect "pid" "$(value actor-pid "$line")" -eq $$
	expect_text "comm" "$(value actor-comm "$line")" "$(</proc/$$/comm)"
	line=$(unshare --pid --fork "$probe" --dump event-get |
		changed_to $limit)
	expect_text "comm" "$(value actor-comm "$line")" "$(</proc/$$/comm)"
	expect_text "pid in another pid namespace" "$(value actor-pid "$line")" ""
}

run_tests \
	root_sees_all \
	nobody_sees_its_own \
	nobody_cannot_probe_for_others \
	nobody_resets_nothing \
	another_namespace_sees_itself_only \
	foreign_root_sees_itself_only \
	wrong_selectors_are_named \
	malformed_attributes_are_refused \
	malformed_messages_are_refused \
	wrong_event_requests_are_named \
	nobody_is_told_of_no_events \
	another_namespace_is_told_its_own_events \
	foreign_root_is_told_its_own_events \
	wrong_census_requests_are_named \
	nobody_is_told_no_census \
	another_namespace_is_told_its_own_census \
	wrong_offender_requests_are_named \
	offenders_are_told_to_those_who_may \
	foreign_root_is_told_its_own_offenders \
	a_pid_is_told_where_it_means_something
