# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the kselftests of ctk share: KTAP, cleaning up, waiting, what a test
# needs, and whether the kernel is healthy; lib-net.sh and lib-health.sh, which
# it sources, have the rest. A test sources this file, defines one function per
# subtest, and ends with `run_tests FUNCTION...`.
#
# Nothing here sleeps for a fixed time in place of looking, and nothing that a
# test made outlives it: what is made is deferred to be unmade, in reverse.

KSFT_FAIL=1
KSFT_SKIP=4

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The field note's limit. Never lowered by a test that speaks of it.
# shellcheck disable=SC2034 # for the tests
DEFAULT_LIMIT=262144

# if_small NAME=NUMBER..., if_large NAME=NUMBER...: other numbers for a test
# where CTK_TEST_SIZE asks for it: small on a kernel that takes fifty times as
# long for a packet, large where there is time.
if_small()
{
	[[ ${CTK_TEST_SIZE-} != small ]] || declare -g "$@"
}

if_large()
{
	[[ ${CTK_TEST_SIZE-} != large ]] || declare -g "$@"
}

# Every wait ends after this long; no test passes or fails by its speed.
: "${WAIT_TIMEOUT:=60}"
if_small WAIT_TIMEOUT=600

deferred=()
failures=0
subtest_failed=
subtest_skipped=

# --- KTAP ---------------------------------------------------------------

diag()
{
	printf '# %s\n' "${*//$'\n'/$'\n# '}"
}

# skip_all REASON: for what this kernel or machine cannot do.
skip_all()
{
	echo "KTAP version 1"
	echo "1..0 # SKIP $*"
	exit $KSFT_SKIP
}

# skip REASON: ends a subtest by `skip ...; return`.
skip()
{
	subtest_skipped=$*
}

fail()
{
	diag "FAIL: $*"
	subtest_failed=1
	return 1
}

# expect WHAT ACTUAL OPERATOR EXPECTED: numbers, with the operators of [[ ]].
expect()
{
	local what=$1 actual=$2 operator=$3 expected=$4

	if [[ ! $actual =~ ^-?[0-9]+$ || ! $expected =~ ^-?[0-9]+$ ]]; then
		fail "$what: '$actual' $operator '$expected' compares no numbers"
		return
	fi
	if test "$actual" "$operator" "$expected"; then
		diag "$what: $actual $operator $expected"
	else
		fail "$what: $actual is not $operator $expected"
	fi
}

# expect_text WHAT ACTUAL PATTERN
expect_text()
{
	# shellcheck disable=SC2053 # a pattern on the right
	if [[ $2 == $3 ]]; then
		diag "$1: $2"
	else
		fail "$1: '$2' is not '$3'"
	fi
}

run_subtest()
{
	local number=$1 name=$2

	subtest_failed=
	subtest_skipped=
	"$name"
	if [[ $subtest_failed ]]; then
		failures=$((failures + 1))
		echo "not ok $number $name"
	elif [[ $subtest_skipped ]]; then
		echo "ok $number $name # SKIP $subtest_skipped"
	else
		echo "ok $number $name"
	fi
}

# Everything is cleaned up before the last subtest, which looks at what the
# test has left of the kernel.
run_tests()
{
	local number=0 name

	echo "KTAP version 1"
	echo "1..$(($# + 1))"
	for name in "$@"; do
		number=$((number + 1))
		run_subtest "$number" "$name"
	done
	run_subtest $((number + 1)) kernel_is_healthy
	[[ $failures -eq 0 ]] || exit $KSFT_FAIL
}

# --- Cleaning up --------------------------------------------------------

# defer COMMAND [ARG...]: run at the end, the last one first.
defer()
{
	deferred+=("${*@Q}")
}

run_deferred()
{
	local i

	for ((i = ${#deferred[@]} - 1; i >= 0; i--)); do
		eval "${deferred[i]}" || diag "cleanup failed: ${deferred[i]}"
	done
	deferred=()
}

# defer_kill PID: of a child of this shell.
defer_kill()
{
	defer stop_child "$1"
}

stop_child()
{
	kill "$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

trap run_deferred EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- Waiting ------------------------------------------------------------

# busywait COMMAND [ARG...]: until it succeeds; fails after WAIT_TIMEOUT.
busywait()
{
	local deadline=$((SECONDS + WAIT_TIMEOUT))

	until "$@"; do
		[[ $SECONDS -lt $deadline ]] || return 1
		# A tenth of a second, without a process for it.
		read -r -t 0.1 -u "$never" _
	done
	return 0
}

# --- What a test needs --------------------------------------------------

require_root()
{
	[[ $EUID -eq 0 ]] || skip_all "needs root"
}

require_tools()
{
	local tool

	for tool in ip nft conntrack nsenter "$@"; do
		command -v "$tool" >/dev/null || skip_all "needs $tool"
	done
	[[ -x $here/flowgen ]] || skip_all "flowgen is not built, run make"
}

require_kernel()
{
	local module

	for module in nf_conntrack nf_conntrack_netlink nft_ct veth; do
		modprobe -q "$module" || skip_all "this kernel lacks $module"
	done
	mountpoint -q /sys/kernel/debug ||
		mount -t debugfs debugfs /sys/kernel/debug ||
		skip_all "this kernel lacks debugfs"
	ctk_find >/dev/null || skip_all "there is no ctk.ko"
}

# --- The kernel's health ------------------------------------------------

# kernel_log [SINCE]: the text of the records after the one numbered SINCE.
kernel_log()
{
	kmsg_records "${1:-$kmsg_start}" | sed 's/^[^;]*;//'
}

no_namespace_left()
{
	local ns

	for ns in "${namespaces[@]}"; do
		[[ ! -e /run/netns/$ns ]] || return 1
	done
}

kernel_is_healthy()
{
	local said

	run_deferred
	no_namespace_left || fail "namespaces are left: ${namespaces[*]}"
	ctk_loaded && fail "ctk is still loaded"
	said=$(kmsg_complaints "$kmsg_start" | sed 's/^[^;]*;//')
	[[ -z $said ]] || fail "the kernel complained:"$'\n'"$said"
	expect "new taint" "$(($(taint) & ~taint_start))" -eq 0
}

# shellcheck source=lib-health.sh
. "$here/lib-health.sh"
# shellcheck source=lib-net.sh
. "$here/lib-net.sh"

# Nobody ever writes to it.
exec {never}<> <(:)

require_root
kmsg_start=$(kmsg_last)
taint_start=$(taint)
work=$(mktemp -d "${TMPDIR:-/tmp}/ctk.XXXXXX")
defer rm -rf "$work"
