#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the bats files about ctkstat have in common: the module, namespaces and
# their load, running it and judging what it says. Each file has its own
# namespaces, called ctk-*, and puts back the limit and the module. Holds no
# test.
#
# $CTKSTAT is the program, else ../user/ctkstat; $CTK_MODULE the module, else
# ctk.ko beside this file or above, else what modprobe finds.

# Bats calls some of these by name, and each test in a process of its own; the
# $n of a filter is jq's:
# shellcheck disable=SC2016,SC2030,SC2031,SC2317
# What is set here is for the files that include this:
# shellcheck disable=SC2034

LIMIT=400
WAIT=60
[[ ${CTK_TEST_SIZE-} != small ]] || WAIT=600
SYSCTL=/proc/sys/net/netfilter

# shellcheck source=lib-modules.sh
. "$BATS_TEST_DIRNAME/lib-modules.sh"

# --- The module and conntrack ---------------------------------------------

# ctk_insert [PARAMETER...]
ctk_insert()
{
	local path

	for path in "${CTK_MODULE-}" "$BATS_TEST_DIRNAME/ctk.ko" \
		"$BATS_TEST_DIRNAME/../ctk.ko"; do
		if [[ $path && -f $path ]]; then
			insmod "$path" "$@"
			return
		fi
	done
	modprobe ctk "$@"
}

ctk_loaded()
{
	[[ -d /sys/module/ctk ]]
}

ctk_remove()
{
	! ctk_loaded || rmmod ctk
}

conntrack_load()
{
	local modules=/sys/module

	[[ -d $modules/nf_conntrack && -d $modules/nf_conntrack_netlink &&
		-d $modules/nft_ct ]] ||
		modprobe -a nf_conntrack nf_conntrack_netlink nft_ct
}

# A namespace that was deleted lets go of its rules, and these of conntrack, a
# while later.
conntrack_remove()
{
	local deadline=$((SECONDS + 60))

	until conntrack_is_unused && modprobe -r nf_conntrack 2>/dev/null; do
		[[ $SECONDS -lt $deadline ]]
		sleep 0.2
	done
}

setup_file()
{
	conntrack_load
	ctk_remove
	ctk_insert
	LIMIT_BEFORE=$(<$SYSCTL/nf_conntrack_max)
	BUCKETS_BEFORE=$(<$SYSCTL/nf_conntrack_buckets)
	export LIMIT_BEFORE BUCKETS_BEFORE
	# A zone in which no test crosses midnight, since what was not today is
	# shown otherwise, and a terminal that script(1) can have.
	TZ=NOON$(($(date -u +%-H) - 12))
	export TZ TERM=xterm
	unset NO_COLOR
	# For a user who may not look where the program is.
	COPY=$(mktemp -d /tmp/ctkstat.XXXXXX)
	export COPY
	chmod 755 "$COPY"
	install -m 755 "${CTKSTAT:-$BATS_TEST_DIRNAME/../user/ctkstat}" \
		"$COPY/ctkstat"
}

teardown_file()
{
	rm -r "$COPY"
	ctk_remove
}

setup()
{
	CTKSTAT=${CTKSTAT:-$BATS_TEST_DIRNAME/../user/ctkstat}
	conntrack_load
	ctk_loaded || ctk_insert
}

teardown()
{
	local names=(/run/netns/ctk-*)

	stop_all
	conntrack_load
	# One ip for all, since a process each takes longer than a namespace.
	[[ ! -e ${names[0]} ]] ||
		printf 'netns del %s\n' "${names[@]##*/}" | ip -batch -
	echo 1 >/proc/sys/kernel/ftrace_enabled
	echo "$LIMIT_BEFORE" >$SYSCTL/nf_conntrack_max
	echo "$BUCKETS_BEFORE" >$SYSCTL/nf_conntrack_buckets
}

# --- Namespaces and their load --------------------------------------------

make_ns()
{
	printf 'netns add %s\n' "$@" | ip -batch -
}

# in_ns NAME COMMAND [ARG...]: without the mounts that ip netns exec makes anew;
# /proc/sys/net is that of the reader's namespace as it is.
in_ns()
{
	nsenter --net="/run/netns/$1" "${@:2}"
}

# An address to send to, and rules that make conntrack look at what is sent.
track()
{
	ip -n "$1" -batch - <<-EOF2
	link set lo up
	addr add 198.51.100.1/24 dev lo
	EOF2
	in_ns "$1" nft -f - <<-EOF2
	table inet ctk {
		chain out {
			type filter hook output priority 0
			ct state new counter
		}
	}
	EOF2
}

set_limit()
{
	echo "$1" >$SYSCTL/nf_conntrack_max
}

# fill NAME [COUNT]: with assured entries, by default all that the limit takes.
fill()
{
	in_ns "$1" "$BATS_TEST_DIRNAME/flowgen" ctnetlink \
		--to 198.18.0.1 --count "${2:-$LIMIT}" >&2
}

# keep_udp NAME: unanswered flows stay for an hour, since a slow machine needs
# longer than their 30 seconds to make as many as fill a chain.
keep_udp()
{
	in_ns "$1" sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600
}

# What runs beside a test, and ends with it.
started=()

# start COMMAND [ARG...]: not with bats' own file 3, which would hold it up.
start()
{
	"$@" 3>&- &
	started+=($!)
}

stop_all()
{
	[[ ${#started[@]} -gt 0 ]] || return 0
	kill "${started[@]}" || true
	# One that was stopped would not end.
	kill -CONT "${started[@]}" || true
	wait "${started[@]}" || true
	started=()
}

# start_flood NAME [ARG...]: until stop_all, or until the namespace goes.
start_flood()
{
	start nsenter --net="/run/netns/$1" "$BATS_TEST_DIRNAME/flowgen" udp \
		--to 198.51.100.1 --seconds 600 "${@:2}" >/dev/null
}

# flood NAME COUNT: prints how many of its sends got EPERM.
flood()
{
	in_ns "$1" "$BATS_TEST_DIRNAME/flowgen" udp \
		--to 198.51.100.1 --count "$2" |
		sed -n 's/.*EPERM=\([0-9]*\).*/\1/p'
}

# full_ns NAME: at the limit, and tracked.
full_ns()
{
	make_ns "$1"
	track "$1"
	set_limit "$LIMIT"
	fill "$1"
}

inum_of()
{
	stat -L -c %i "/run/netns/$1"
}

# kernel_stats NAME: conntrack -S, summed over the CPUs, as JSON.
kernel_stats()
{
	in_ns "$1" conntrack -S | awk '
		{
			for (i = 2; i <= NF; i++) {
				split($i, word, "=")
				n[word[1]] += word[2]
			}
		}
		END {
			for (key in n)
				printf "%s\"%s\": %d", sep++ ? "," : "{", key, n[key]
			print "}"
		}'
}

# kernel_stat NAME COUNTER
kernel_stat()
{
	kernel_stats "$1" | jq ".$2 // 0"
}

proc_of()
{
	in_ns "$1" cat "$SYSCTL/$2"
}

# --- Running and judging --------------------------------------------------

# run_program STATUS COMMAND [ARG...]: $output is its stdout, $stderr its stderr.
# As run of bats, at a tenth of its processes.
run_program()
{
	local expected=$1 out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err

	shift
	status=0
	"$@" >"$out" 2>"$err" || status=$?
	IFS= read -r -d '' output <"$out" || true
	IFS= read -r -d '' stderr <"$err" || true
	output=${output%$'\n'}
	mapfile -t lines <"$out"
	printf '%s\n' "$*: $status" "$output" "$stderr"
	[[ $status -eq $expected ]]
}

# run_ctkstat STATUS ARG...
run_ctkstat()
{
	run_program "$1" "$CTKSTAT" "${@:2}"
}

# assert_json FILTER [JQ-ARG...]: true of $output.
assert_json()
{
	local filter=$1

	shift
	jq -e "$@" "$filter" <<<"$output" >/dev/null || {
		echo "not so: $filter"
		return 1
	}
}

# json FILTER [JQ-ARG...]: what $output has there.
json()
{
	local filter=$1

	shift
	jq -r "$@" "$filter" <<<"$output"
}

# of NAME: the filter for its namespace in ctkstat -j.
of()
{
	printf '(.netns[] | select(.names | index("%s")))' "$1"
}

assert_in()
{
	[[ $1 == *"$2"* ]] || {
		printf 'no "%s" in:\n%s\n' "$2" "$1"
		return 1
	}
}

assert_not_in()
{
	[[ $1 != *"$2"* ]] || {
		printf '"%s" is in:\n%s\n' "$2" "$1"
		return 1
	}
}

assert_80_columns()
{
	local wide

	wide=$(awk 'length > 80' <<<"$output")
	[[ -z $wide ]] || {
		printf 'wider than 80 columns:\n%s\n' "$wide"
		return 1
	}
}

# The kernel's statistics of NAME in $output are those of conntrack -S, which
# calls one of them chaintoolong.
assert_kernel_stats()
{
	local stats

	stats=$(kernel_stats "$1")
	assert_in "$stats" '"drop"'
	assert_json "$(of "$1").kernel_stats as \$ours | \$theirs |
		with_entries(.key |= sub(\"chaintoolong\"; \"chain_toolong\")) |
		to_entries | all(.value == \$ours[.key])" \
		--argjson theirs "$stats"
}

# row NAME: its line of the table.
row()
{
	grep "^$1 " <<<"$output"
}

# wait_json FILTER ARG...: until ctkstat -j ARG... is so.
wait_json()
{
	local filter=$1 deadline=$((SECONDS + WAIT))

	shift
	until output=$("$CTKSTAT" -j "$@") && assert_json "$filter" >/dev/null
	do
		[[ $SECONDS -lt $deadline ]] || {
			printf 'never: %s\n%s\n' "$filter" "$output"
			return 1
		}
		sleep 0.2
	done
}

# wait_line REGEX ARG...: until it is in the first line of ctkstat ARG...
wait_line()
{
	local deadline=$((SECONDS + WAIT))

	until run_ctkstat 0 "${@:2}" && [[ ${lines[0]} =~ $1 ]]; do
		[[ $SECONDS -lt $deadline ]]
		sleep 0.2
	done
}

# As a user without any capability.
run_as_nobody()
{
	run_program "$1" setpriv --reuid=65534 --regid=65534 --clear-groups \
		--inh-caps=-all "$COPY/ctkstat" "${@:2}"
}

# run_on_terminal ARG...
run_on_terminal()
{
	run script -qec "'$CTKSTAT' $*" /dev/null
	printf '%s\n' "$output" | cat -v
	[[ $status -eq 0 ]]
}
