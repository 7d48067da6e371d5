# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The parts of lib.sh, which sources it, that know of networks: the module,
# the kernel's own numbers, nf_conntrack, namespaces and floods. Numbers are
# printed, and but for expect_tcp_losses() the tests compare them; what is made
# is deferred to be unmade.

# $here and $work are lib.sh's:
# shellcheck disable=SC2154
# shellcheck source=lib-modules.sh
. "$here/lib-modules.sh"

# shellcheck disable=SC2154
DEBUGFS=/sys/kernel/debug/ctk
# shellcheck disable=SC2034 # for the tests
SYSCTL=/proc/sys/net/netfilter

namespaces=()
declare -A inums
pairs=0

# --- The module ---------------------------------------------------------

# Prints the path of ctk.ko, or "ctk" where the system has it installed.
ctk_find()
{
	local path

	for path in "${CTK_MODULE-}" "$here/ctk.ko" "$here/../ctk.ko"; do
		if [[ $path && -f $path ]]; then
			echo "$path"
			return
		fi
	done
	modinfo ctk >/dev/null 2>&1 && echo ctk
}

ctk_loaded()
{
	[[ -d /sys/module/ctk ]]
}

# ctk_insert [PARAMETER=VALUE...]
ctk_insert()
{
	local module

	module=$(ctk_find)
	if [[ $module == ctk ]]; then
		modprobe ctk "$@"
	else
		insmod "$module" "$@"
	fi
}

ctk_remove()
{
	! ctk_loaded || rmmod ctk
}

# ctk_load [PARAMETER=VALUE...]: anew, and gone at the end of the test.
ctk_load()
{
	ctk_remove
	ctk_insert "$@" || fail "ctk cannot be loaded" || return
	defer ctk_remove
}

# These read without a process: under emulation each takes a long while.

# ctk_status KEY
ctk_status()
{
	local key value _

	while read -r key value _; do
		if [[ $key == "$1:" ]]; then
			echo "$value"
			return
		fi
	done <$DEBUGFS/status
	return 1
}

ctk_hook_is()
{
	[[ $(ctk_status hook) == "$1" ]]
}

inum_of()
{
	echo "${inums[$1]}"
}

# ctk NAMESPACE COLUMN...: of its line in debugfs, columns found by name.
ctk()
{
	ctk_by netns_inum "${inums[$1]}" "${@:2}"
}

# ctk_by COLUMN VALUE COLUMN...: of the line that has VALUE in COLUMN.
ctk_by()
{
	local key=$1 value=$2 name i=0 words=() cells=()
	local -A at=()

	shift 2
	{
		read -r -a words
		for name in "${words[@]}"; do
			at[$name]=$i
			i=$((i + 1))
		done
		while read -r -a words; do
			[[ ${words[${at[$key]}]} == "$value" ]] || continue
			for name; do
				cells+=("${words[${at[$name]?no such column}]}")
			done
			echo "${cells[*]}"
			return
		done
	} <$DEBUGFS/netns
	return 1
}

ctk_has()
{
	ctk_by "$1" "$2" id >/dev/null
}

# --- Witnesses: the kernel's own numbers ---------------------------------

# kernel_stat NAMESPACE NAME: summed over the CPUs, by `conntrack -S`.
kernel_stat()
{
	local line word sum=

	while read -r line; do
		for word in $line; do
			[[ $word != "$2="* ]] || sum=$((sum + ${word#*=}))
		done
	done < <(in_ns "$1" conntrack -S 2>/dev/null)
	echo "$sum"
}

kernel_stat_reaches()
{
	[[ $(kernel_stat "$1" "$2") -ge $3 ]]
}

drops_reach()
{
	[[ $(ctk "$1" table_full_drops) -ge $2 ]]
}

stands_still()
{
	local now

	now=$("$@")
	[[ $now -ne $still ]] || return 0
	still=$now
	return 1
}

# wait_still COMMAND...: until two looks find the same number, since a backlog
# is worked off a while after its senders have ended. Leaves it in $still.
wait_still()
{
	still=-1
	busywait stands_still "$@" || fail "$* does not come to rest: $still"
}

entries_of()
{
	in_ns "$1" cat /proc/sys/net/netfilter/nf_conntrack_count
}

limit_now()
{
	echo "$(</proc/sys/net/netfilter/nf_conntrack_max)"
}

# --- nf_conntrack itself, coming and going --------------------------------

# When nobody has a right to hold it, it has to go at the first attempt.
conntrack_remove()
{
	busywait conntrack_is_unused ||
		fail "nf_conntrack is in use: $(lsmod | grep nf_conntrack)" ||
		return
	modprobe -r nf_conntrack || fail "modprobe -r nf_conntrack was refused"
}

conntrack_insert()
{
	modprobe nf_conntrack || fail "nf_conntrack cannot be loaded"
}

# --- Namespaces ---------------------------------------------------------

# setup_ns NAME...: makes a namespace for each, its name in the variable NAME.
setup_ns()
{
	local name ns

	for name in "$@"; do
		ns=ctk-${name,,}-$$-${#namespaces[@]}
		ip netns add "$ns" || fail "no namespace $ns" || return
		namespaces+=("$ns")
		inums[$ns]=$(stat -L -c %i "/run/netns/$ns")
		defer cleanup_ns "$ns"
		ip -n "$ns" link set lo up
		printf -v "$name" '%s' "$ns"
	done
}

cleanup_ns()
{
	local pid

	[[ -e /run/netns/$1 ]] || return 0
	for pid in $(ip netns pids "$1"); do
		kill "$pid" 2>/dev/null
	done
	ip netns del "$1"
}

in_ns()
{
	nsenter --net="/run/netns/$1" -- "${@:2}"
}

# One ip each for a pair's ends. The neighbours are permanent, so that no sender
# waits for ARP or neighbour discovery and no packet is dropped for the lack of
# it. nodad makes an IPv6 address usable at once.
configure_end()
{
	local ns=$1 device=$2 address=$3 peer=$4 mac=$5 nodad=

	[[ $address != *:* ]] || nodad=nodad
	ip -n "$ns" -batch - <<-EOF
	link set $device up
	address add $address dev $device $nodad
	neighbour replace $peer lladdr $mac dev $device nud permanent
	EOF
}

# connect_ns NS1 DEVICE1 ADDRESS1/LEN NS2 DEVICE2 ADDRESS2/LEN: by a veth pair.
connect_ns()
{
	local mac1 mac2

	pairs=$((pairs + 1))
	printf -v mac1 '02:00:00:00:%02x:01' $pairs
	printf -v mac2 '02:00:00:00:%02x:02' $pairs
	if ! { ip link add "$2" netns "$1" address "$mac1" type veth \
			peer name "$5" netns "$4" address "$mac2" &&
		configure_end "$1" "$2" "$3" "${6%/*}" "$mac2" &&
		configure_end "$4" "$5" "$6" "${3%/*}" "$mac1"; }; then
		fail "$1 and $4 cannot be connected"
	fi
}

# steer_to_cpu0 NS DEVICE: what it receives dies or lives in softirqs there.
steer_to_cpu0()
{
	ip netns exec "$1" sh -c \
		"echo 1 >/sys/class/net/$2/queues/rx-0/rps_cpus" ||
		fail "no RPS"
}

# track NS...: conntrack registers its hooks where a rule asks for it.
track()
{
	local ns

	for ns in "$@"; do
		in_ns "$ns" nft -f - <<-EOF
		table inet ctk {
			chain out {
				type filter hook output priority 0
				ct state new counter
			}
			chain in {
				type filter hook input priority 0
				ct state new counter
			}
		}
		EOF
	done
}

untrack()
{
	local ns

	for ns in "$@"; do
		in_ns "$ns" nft flush ruleset
	done
}

# --- Filling and flooding -----------------------------------------------

flowgen()
{
	"$here/flowgen" "$@"
}

# count_in KEY LINE: of flowgen's last line; an errno not there is 0.
count_in()
{
	local word

	for word in ${2##*$'\n'}; do
		if [[ $word == "$1="* ]]; then
			echo "${word#*=}"
			return
		fi
	done
	echo 0
}

# set_limit NUMBER: for all namespaces, put back at the end.
set_limit()
{
	defer restore_limit "$(limit_now)"
	sysctl -qw net.netfilter.nf_conntrack_max="$1"
}

# The namespaces are gone or conntrack may be, when this runs.
restore_limit()
{
	[[ ! -e /proc/sys/net/netfilter/nf_conntrack_max ]] ||
		sysctl -qw net.netfilter.nf_conntrack_max="$1"
}

# fill NS [COUNT [ADDRESS]]: assured entries, by default up to the limit. The
# addresses are of 198.18.0.0/15 (RFC 2544), which no test sends to; a second
# fill needs others.
fill()
{
	local count=${2:-$(($(limit_now) - $(entries_of "$1")))} line

	[[ $count -gt 0 ]] || return 0
	line=$(in_ns "$1" "$here/flowgen" ctnetlink --to "${3:-198.19.0.1}" \
		--count "$count") || fail "flowgen ctnetlink" || return
	[[ $(count_in inserted "$line") -eq $count ]] ||
		fail "filled only: $line"
}

# spawn NS FILE COMMAND [ARG...]: in the background, its output into FILE; the
# pid is $!. Not by in_ns, whose pid would be a shell's around the command.
spawn()
{
	nsenter --net="/run/netns/$1" -- "${@:3}" >"$2" &
	defer_kill $!
}

# start_flood NAME NS ARG...: runs until stop_flood NAME. Nice, so that it takes
# what the test leaves of the CPUs and not the other way round.
declare -A flood_pid
start_flood()
{
	spawn "$2" "$work/flood-$1" nice -n 19 "$here/flowgen" udp \
		--seconds 86400 "${@:3}"
	flood_pid[$1]=$!
}

# stop_flood NAME: leaves the flood's result in $line. One that the signal ended
# before it could handle it, which it does first of all, has sent nothing.
# shellcheck disable=SC2034
stop_flood()
{
	local pid=${flood_pid[$1]} code

	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	code=$?
	line=$(<"$work/flood-$1")
	if [[ -z $line && $code -eq $((128 + 15)) ]]; then
		line="mode=udp attempts=0 sent=0"
	fi
	[[ $line == mode=* ]] || fail "the flood $1 gave no result"
}

result_is_there()
{
	[[ -s $work/tcp ]]
}

# open_and_hold NS ARG...: TCP connections that stay open until `stop_child
# $holder`; leaves flowgen's result in $line.
open_and_hold()
{
	rm -f "$work/tcp"
	spawn "$1" "$work/tcp" "$here/flowgen" tcp --hold "${@:2}"
	# shellcheck disable=SC2034 # for the tests
	holder=$!
	busywait result_is_there || fail "no result of flowgen tcp"
	line=$(<"$work/tcp")
	diag "$line"
}

# expect_tcp_losses NS ROOM ATTEMPTS: of flowgen's $line, in the namespace whose
# table is full. A connection whose last handshake packet is still under way is
# not assured, and can be evicted for the next one's SYN; both are open then.
# Leaves the open ones in $opened, the kernel's drop in $dropped.
expect_tcp_losses()
{
	local lost evicted

	lost=$(count_in lost_syns "$line")
	opened=$(count_in opened "$line")
	dropped=$(kernel_stat "$1" drop)
	evicted=$(ctk "$1" admitted_by_eviction)
	expect "opened" "$opened" -ge "$2"
	expect "opened" "$opened" -le $(($2 + evicted))
	expect "accepted" "$(count_in accepted "$line")" -eq "$opened"
	expect "SYNs lost" "$lost" -ge $(($3 - opened))
	expect "the kernel's drop" "$dropped" -ge "$lost"
	[[ $evicted -gt 0 ]] ||
		expect "without eviction" "$dropped" -eq "$lost"
	expect "table_full_drops" "$(ctk "$1" table_full_drops)" \
		-eq "$dropped"
}

# Reads all there is until it is killed; says in a file how often it has. Nice,
# like the flood.
read_for_ever()
{
	local reads=0

	renice -n 19 -p "$BASHPID" >/dev/null
	while :; do
		cat $DEBUGFS/netns $DEBUGFS/events $DEBUGFS/status >/dev/null ||
			exit
		"$here/nlprobe" --dump netns-get >/dev/null || exit
		"$here/nlprobe" --dump event-get >/dev/null || exit
		"$here/nlprobe" --dump census-get >/dev/null || exit
		# Whether or not there is a table.
		"$here/nlprobe" census-get | grep -Eq '^ok|^error=ENODEV' ||
			exit
		reads=$((reads + 1))
		echo $reads >"$work/reads"
	done
}
