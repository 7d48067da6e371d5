# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The parts of lib.sh, beside which it is sourced, that know of a census: how
# to take one and to take it apart. Judges only that there is one.

# here and the functions called are lib.sh's:
# shellcheck disable=SC2154

# take_census [ATTRIBUTE...]: leaves it in $census.
take_census()
{
	census=$("$here/nlprobe" census-get "$@")
	[[ $census == "reply "*"ok replies=1" ]] || fail "census: $census"
}

# census_value KEY: nothing where it lacks it.
census_value()
{
	local word

	for word in $census; do
		[[ $word != "$1="* ]] || echo "${word#*=}"
	done
}

# census_parts KEY FIELD...: of each such part a line with these fields, "-" for
# one that it lacks.
census_parts()
{
	census_value "$1" | awk -F '[:,]' -v fields="${*:2}" '{
		n = split(fields, want, " ")
		split("", at)
		for (i = 1; i < NF; i += 2)
			at[$i] = $(i + 1)
		line = ""
		for (i = 1; i <= n; i++)
			line = line (i > 1 ? " " : "") \
				(want[i] in at ? at[want[i]] : "-")
		print line
	}'
}

# A table that is not the one of any test before.
restore_buckets()
{
	[[ ! -e $SYSCTL/nf_conntrack_buckets ]] ||
		sysctl -qw net.netfilter.nf_conntrack_buckets="$1"
}

# set_buckets NUMBER: put back at the end.
set_buckets()
{
	defer restore_buckets "$(<"$SYSCTL/nf_conntrack_buckets")"
	sysctl -qw net.netfilter.nf_conntrack_buckets="$1"
}
