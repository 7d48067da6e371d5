# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The parts of lib.sh, beside which it is sourced, that know of ctk's events:
# how to wait for one and to take it apart. Read from debugfs, without a
# process. Judges nothing.

# DEBUGFS and busywait are lib.sh's:
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
