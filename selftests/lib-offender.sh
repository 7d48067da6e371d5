# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The parts of lib.sh, beside which it is sourced, that know of those who lost
# packets: how to take their records from ctk and to hold them against what the
# losers counted themselves.

# here and the functions called are lib.sh's:
# shellcheck disable=SC2154

# As in enum ctk_drop_reason.
# shellcheck disable=SC2034 # for the tests
REASON_TABLE_FULL=0
# shellcheck disable=SC2034
REASON_CHAIN_TOO_LONG=1
# shellcheck disable=SC2034
REASON_NO_MEMORY=2

# set_attribution auto|on|off: it is so when this returns.
set_attribution()
{
	echo "$1" >/sys/module/ctk/parameters/attribution ||
		fail "attribution=$1 was refused"
}

# take_offenders NS: leaves its records, a line each, in $offenders.
take_offenders()
{
	local said

	said=$("$here/nlprobe" --dump offender-get "netns-id=$(ctk "$1" id)")
	[[ ${said##*$'\n'} == "ok replies="* ]] || fail "no records: $said"
	offenders=$(grep ^reply <<<"$said")
}

# is_offender LINE [KEY=VALUE|-KEY]...: it has these, and lacks those.
is_offender()
{
	local word

	for word in "${@:2}"; do
		if [[ $word == -* ]]; then
			[[ " $1 " != *" ${word#-}="* ]] || return 1
		else
			[[ " $1 " == *" $word "* ]] || return 1
		fi
	done
}

# find_offender [KEY=VALUE|-KEY]...: leaves the only such record in $offender.
find_offender()
{
	local line found=0

	while read -r line; do
		is_offender "$line" "$@" || continue
		offender=$line
		found=$((found + 1))
	done <<<"$offenders"
	if [[ $found -eq 1 ]]; then
		diag "$offender"
	else
		fail "$found records have $*:"$'\n'"$offenders"
	fi
}

# offender_values KEY: of each record that has it, a line each.
offender_values()
{
	sed -n "s/.* $1=\([^ ]*\).*/\1/p" <<<"$offenders"
}

records()
{
	offender_values count | wc -l
}

# sum_of KEY: over all records.
sum_of()
{
	local value sum=0

	for value in $(offender_values "$1"); do
		sum=$((sum + value))
	done
	echo $sum
}

# read_counts RECORD: leaves its numbers in $count and $error.
read_counts()
{
	local word

	for word in $1; do
		case $word in
		count=*) count=${word#*=} ;;
		error=*) error=${word#*=} ;;
		esac
	done
}

# expect_within_error WITNESS: of $offender: what it counts is at most its error
# too high, and never too low.
expect_within_error()
{
	local count error

	read_counts "$offender"
	expect "its count" "$count" -ge "$1"
	expect "its count less its error" $((count - error)) -le "$1"
}

# expect_sums NS: at rest; by ctk, by its records and by the kernel.
expect_sums()
{
	local attributed unattributed lost chains

	read -r attributed unattributed lost < <(ctk "$1" attributed_drops \
		unattributed_drops lost)
	chains=$(kernel_stat "$1" chaintoolong)
	take_offenders "$1"
	expect "the counts' sum" "$(sum_of count)" -eq "$attributed"
	expect "attributed and unattributed" \
		$((attributed + unattributed)) -eq "$lost"
	expect "lost" "$lost" -eq \
		$(($(kernel_stat "$1" drop) + ${chains:-0}))
}
