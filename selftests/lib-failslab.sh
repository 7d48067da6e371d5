# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Makes allocations of conntrack entries fail, and no others: failslab with a
# filter by stack (Documentation/fault-injection/fault-injection.rst), which
# stock kernels lack. Judges nothing. Who lets them fail ends that.

FAILSLAB=/sys/kernel/debug/failslab

failslab_can_filter()
{
	[[ -e $FAILSLAB/require-start ]]
}

# The two addresses between which the function lies, which has been inlined
# nowhere: the next symbol is its end. By way of grep, since sort takes minutes
# to read all of kallsyms on a kernel that watches itself.
function_range()
{
	grep '\[nf_conntrack]$' /proc/kallsyms | sort | awk -v name="$1" '
		found && $1 != first { print first, $1; exit }
		$3 == name { first = $1; found = 1 }'
}

# fail_allocations TIMES
fail_allocations()
{
	local start end

	read -r start end < <(function_range __nf_conntrack_alloc)
	[[ $end ]] || return
	echo "0x$start" >"$FAILSLAB/require-start"
	echo "0x$end" >"$FAILSLAB/require-end"
	echo N >"$FAILSLAB/ignore-gfp-wait"
	echo 0 >"$FAILSLAB/verbose"
	echo 1 >"$FAILSLAB/interval"
	echo "$1" >"$FAILSLAB/times"
	echo 100 >"$FAILSLAB/probability"
}

fail_no_more()
{
	echo 0 >"$FAILSLAB/probability"
}
