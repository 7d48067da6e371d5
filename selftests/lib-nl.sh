# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The parts of lib.sh, beside which it is sourced, that know of the netlink
# family and of those who may not see all of it. Judges nothing.

# here, work and the functions called are lib.sh's:
# shellcheck disable=SC2154

NOBODY=65534

# A limit that is reached at once. Put back at the end.
SMALL_LIMIT=200

# install_for_all PROGRAM...: leaves each one's path in the variable PROGRAM,
# where anybody may execute it.
install_for_all()
{
	local program

	chmod 755 "$work"
	for program; do
		[[ -x $here/$program ]] ||
			skip_all "$program is not built, run make"
		cp "$here/$program" "$work/$program"
		chmod 755 "$work/$program"
		printf -v "$program" '%s' "$work/$program"
	done
}

as_nobody()
{
	setpriv --reuid=$NOBODY --regid=$NOBODY --clear-groups "$@"
}

# Root of a user namespace of its own, and of a network namespace in it.
as_foreign_root()
{
	as_nobody unshare --user --map-root-user --net "$@"
}

# value KEY LINE
value()
{
	sed -n "s/.*\b$1=\([^ ]*\).*/\1/p" <<<"$2"
}

# lose_packets NS: to a table full of entries that stay; how many is in $lost.
lose_packets()
{
	local line

	[[ $(limit_now) -eq $SMALL_LIMIT ]] || set_limit $SMALL_LIMIT
	track "$1"
	fill "$1"
	line=$(in_ns "$1" "$here/flowgen" udp --to 127.0.0.1 --count 10)
	# shellcheck disable=SC2034 # for the tests
	lost=$(count_in EPERM "$line")
}
