# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The parts of lib.sh, beside which it is sourced, that know of ctk's events:
# how to wait for one and to take it apart, read from debugfs, without a
# process; and a subscriber, whose word is held against the ring's.

# DEBUGFS, here, work and busywait are lib.sh's:
# shellcheck disable=SC2154

# Events up to here are of no interest.
event_mark=0

# event_value KEY LINE: nothing where the event lacks it.
event_value()
{
	local word

	for word in $2; do
		[[ $word != "$1="* ]] || echo "${word#*=}"
	done
}

# Those after $event_mark, a line each.
events()
{
	local line

	while read -r line; do
		[[ $(event_value seq "$line") -le $event_mark ]] ||
			echo "$line"
	done <"$DEBUGFS/events"
}

# Leaves the last one's number in $event_mark.
mark_events()
{
	local line

	while read -r line; do
		event_mark=$(event_value seq "$line")
	done <"$DEBUGFS/events"
}

# find_event TYPE [KEY=VALUE...]: leaves the first such one in $event.
find_event()
{
	local line word found

	while read -r line; do
		found=1
		for word in "event=$1" "${@:2}"; do
			[[ " $line " == *" $word "* ]] || found=
		done
		if [[ $found ]]; then
			event=$line
			return
		fi
	done < <(events)
	event=
	return 1
}

# expect_event TYPE [KEY=VALUE...]: waits for it.
expect_event()
{
	if busywait find_event "$@"; then
		diag "$event"
	else
		fail "no event $*"$'\n'"$(events)"
	fi
}

# The types of all of them, in their order.
event_types()
{
	local line

	while read -r line; do
		event_value event "$line"
	done < <(events) | tr '\n' ' '
}

# --- A subscriber ---------------------------------------------------------

# start_subscriber: to all that is told from here on, until the end of the test.
# Needs nlprobe.
start_subscriber()
{
	"$here/nlprobe" --follow >"$work/told" &
	subscriber=$!
	defer_kill $subscriber
	busywait test -s "$work/told" || fail "no subscriber" || return
	mark_events
	told_mark=$event_mark
}

# follow_for_ever: joins, and leaves when the next thing is told or after a while,
# again and again until it is killed; how often it had joined is in $work/joins.
# ctk may come and go meanwhile.
follow_for_ever()
{
	local joins=0 told

	echo 0 >"$work/joins"
	while :; do
		busywait test -d "$DEBUGFS"
		exec {told}< <(timeout 20 "$here/nlprobe" --follow 2>&1)
		! grep -qx following <&"$told" || joins=$((joins + 1))
		echo $joins >"$work/joins"
		exec {told}<&-
		wait $!
	done
}

# has_counted NAME: whether what runs beside the test has done so once, by the
# count that it keeps in $work/NAME.
has_counted()
{
	[[ $(<"$work/$1") -gt 0 ]]
}

# told_between SEQ LAST: of nlprobe's lines those after SEQ, up to LAST.
told_between()
{
	awk -F '[ =]' -v after="$1" -v last="$2" \
		'$1 == "reply" && $3 + 0 > after && $3 + 0 <= last'
}

told_up_to()
{
	[[ $(tail -n 1 "$work/told") == "reply seq=$1 "* ]]
}

# expect_told_what_the_ring_has: leaves what the subscriber was told, a line for
# each event, in $told. A pid is not for all who may subscribe.
expect_told_what_the_ring_has()
{
	local ring first last

	ring=$("$here/nlprobe" --dump event-get | sed '/^reply/! d
		s/ actor-pid=[0-9]*//')
	first=$(event_value seq "${ring%%$'\n'*}")
	last=$(event_value seq "${ring##*$'\n'}")
	busywait told_up_to "$last" || fail "not told of all" || return
	told=$(told_between "$told_mark" "$last" <"$work/told")
	# The ring may have forgotten the first, or know of some before.
	[[ $first -gt $told_mark ]] || first=$((told_mark + 1))
	ring=$(told_between $((first - 1)) "$last" <<<"$ring")
	if [[ $(told_between $((first - 1)) "$last" <<<"$told") == "$ring" ]]
	then
		diag "told as the ring has it: $(wc -l <<<"$ring") events"
	else
		fail "told:"$'\n'"$told"$'\n'"but the ring has:"$'\n'"$ring"
	fi
}
