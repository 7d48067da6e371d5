#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# ctkstat against the real module, in a VM, as root. What it says is held
# against /proc, `conntrack -S` and the sender's errno. The namespaces, the
# limit and the module are this file's own and are put back. It never looks
# into ctkstat, and never at what only the module could know better.

# Bats calls these functions by name, each test in a process of its own; the $n
# of a filter is jq's:
# shellcheck disable=SC2016,SC2030,SC2031,SC2317

bats_require_minimum_version 1.5.0

# shellcheck source=lib-bats.sh
. "$BATS_TEST_DIRNAME/lib-bats.sh"

# --- The command line -----------------------------------------------------

@test "help and version are on stdout and exit 0" {
	run_ctkstat 0 -h
	assert_in "$output" "Usage: ctkstat"
	for option in json pretty follow kept sort all netns numeric \
		no-header timestamp color version help; do
		assert_in "$output" "--$option"
	done
	[[ -z $stderr ]]
	help=$output
	for words in help "help drops" "drops --help"; do
		# shellcheck disable=SC2086 # words
		run_ctkstat 0 $words
		[[ $output == "$help" ]]
	done
	run_ctkstat 0 --version
	[[ $output =~ ^ctkstat\ [0-9]+\.[0-9]+ ]]
}

@test "wrong usage exits 1 and says what is wrong" {
	while read -r words what; do
		# shellcheck disable=SC2086 # words
		run_ctkstat 1 ${words//_/ }
		assert_in "$stderr" "$what"
		[[ -z $output ]]
	done <<-'EOF2'
	frob		unknown command 'frob'
	dropped		unknown command 'dropped'
	0		INTERVAL is from
	-5		INTERVAL and COUNT are above 0
	1x		'1x' is not an INTERVAL
	1.2.3		'1.2.3' is not an INTERVAL
	0x10		'0x10' is not an INTERVAL
	1e3		'1e3' is not an INTERVAL
	99999999	INTERVAL is from
	1_0		COUNT is a number above 0
	1_2x		'2x' is not a COUNT
	1_2_3		'3' is one argument too many
	status_x	'x' is not an INTERVAL
	reset_1		reset takes no further argument
	-f		-f follows events
	-k		-k is for what entries has kept
	drops_-k	drops takes no -k
	-s_src		-s is the order of drops
	drops_-s_size	--sort is lost, last, src or dst, not 'size'
	status_-a	status takes no -a
	status_-N_1	status takes no -N
	events_-a	events takes no -a
	reset_-k	reset takes no -k
	entries_-s_src	entries takes no -s
	-p		needs -j
	-a_-N_1		exclude each other
	-Z		unknown option '-Z'
	--frob		unknown option '--frob'
	--all_-xH	unknown option '-x'
	-N		needs an argument
	--color=mauve	not 'mauve'
	EOF2
}

@test "with -j an error is also JSON on stdout" {
	run_ctkstat 1 -j frob
	assert_json '.error | contains("frob")'
	assert_in "$stderr" "unknown command 'frob'"
	run_ctkstat 1 -Z -j
	assert_json '.error | contains("-Z")'
	run_ctkstat 2 -j -N ctk-none
	assert_json '.error | contains("ctk-none")'
	# What is not UTF-8 cannot be in JSON as it is.
	run_ctkstat 2 -j -N $'ctk-\xff'
	assert_json '.error | contains("ctk-?")'
	assert_in "$stderr" $'no network namespace \'ctk-\xff\''
	# That it cannot be written does not hide what it is about.
	run -2 bash -c "'$CTKSTAT' -j -N ctk-none >/dev/full"
	assert_in "$output" "no network namespace 'ctk-none' in /run/netns"
}

@test "a full disk is noticed, and a closed pipe ends it quietly" {
	run -2 bash -c "'$CTKSTAT' >/dev/full"
	assert_in "$output" "cannot write"
	run -2 bash -c "'$CTKSTAT' -h >/dev/full"
	run -2 bash -c "'$CTKSTAT' -j status >/dev/full"
	run -0 bash -c "'$CTKSTAT' -j 0.01 1000000 | head -n 1; \
		[[ \${PIPESTATUS[0]} -eq 2 ]]"
	[[ ${#lines[@]} -eq 1 ]]
}

@test "a closed stdout is noticed, the other two are not needed" {
	run -2 bash -c "'$CTKSTAT' >&-"
	assert_in "$output" "cannot write"
	run -2 bash -c "'$CTKSTAT' -j status >&- 2>&-"
	run -0 bash -c "'$CTKSTAT' -j <&- 2>&-"
	assert_json .source
}

# --- The screen and its JSON ----------------------------------------------

@test "ctkstat -j has its keys, and the kernel's numbers" {
	full_ns ctk-shop
	lost=$(flood ctk-shop 150)
	run_ctkstat 0 -j
	assert_json '[.source, .attached, .hook] ==
		["module", true, "wrapper"]'
	assert_json '.version and .verdict and .complete and
		(.missed | type == "number")'
	assert_json '.limit == $n' --argjson n "$(<$SYSCTL/nf_conntrack_max)"
	assert_json '.buckets == $n' \
		--argjson n "$(<$SYSCTL/nf_conntrack_buckets)"
	shop=$(of ctk-shop)
	[[ $(json "$shop.entries") -eq \
		$(proc_of ctk-shop nf_conntrack_count) ]]
	[[ $(json "$shop.netns_inum") -eq $(inum_of ctk-shop) ]]
	assert_json "$shop | .fill >= 0 and .fill <= 1"
	# The sender's errno and conntrack -S are the witnesses.
	[[ $lost -gt 0 ]]
	[[ $(json "$shop.lost") -eq $lost ]]
	[[ $(json "$shop.table_full_drops") -eq $lost ]]
	[[ $(kernel_stat ctk-shop drop) -eq $lost ]]
	assert_kernel_stats ctk-shop
	# A kernel without a limit on chains has no drops for it.
	chains=
	! chains_are_limited || chains='"chain_too_long_drops",'
	# Since when it is full is known while it loses.
	start_flood ctk-shop --rate 20
	wait_json "[$chains"' "id", "netns_inum", "names", "entries", "limit",
		"fill", "peak", "growth_rate", "full_since", "last_loss_time",
		"lost", "loss_rate", "table_full_drops", "other_drops",
		"refused_inserts", "admitted_by_eviction", "seconds_to_full",
		"kernel_stats"] - (.netns[0] | keys) == []' -N ctk-shop
}

@test "times are ISO 8601 in UTC and true" {
	full_ns ctk-shop
	before=$(date +%s)
	[[ $(flood ctk-shop 20) -gt 0 ]]
	after=$(date +%s)
	run_ctkstat 0 -j -t
	time=$(json "$(of ctk-shop).last_loss_time")
	[[ $time =~ ^[0-9-]{10}T[0-9:]{8}\.[0-9]{3}Z$ ]]
	[[ $(date -d "$time" +%s) -ge $before ]]
	[[ $(date -d "$time" +%s) -le $after ]]
	[[ $(date -d "$(json .time)" +%s) -ge $after ]]
}

@test "-p is indented, without it an object is one line" {
	run_ctkstat 0 -j
	[[ ${#lines[@]} -eq 1 ]]
	compact=$(json '.netns[0].netns_inum')
	run_ctkstat 0 -j -p
	[[ ${#lines[@]} -gt 10 ]]
	[[ $(json '.netns[0].netns_inum') -eq $compact ]]
}

@test "of 40 namespaces the first line names the full one, and since when" {
	make_ns ctk-n{1..38}
	full_ns ctk-shop
	before=$(date +%s)
	start_flood ctk-shop --rate 20
	wait_json '.netns[0].loss_rate > 0' -N ctk-shop
	after=$(date +%s)
	least=$(kernel_stat ctk-shop drop)
	run_ctkstat 0
	most=$(kernel_stat ctk-shop drop)
	first="^FULL  ctk-shop \(netns $(inum_of ctk-shop)\) is losing new "
	first+="connections now, since ([0-9:]{8})$"
	[[ ${lines[0]} =~ $first ]]
	since=$(date -d "${BASH_REMATCH[1]}" +%s)
	[[ $since -ge $before && $since -le $after ]]
	[[ $output =~ \ ([0-9]+)\ lost\ since\ ${BASH_REMATCH[1]} ]]
	[[ ${BASH_REMATCH[1]} -ge $least && ${BASH_REMATCH[1]} -le $most ]]
	assert_in "$output" "38 more below 20%, none lost a packet (-a lists them)"
	assert_in "$output" "source: module, exact (missed 0); limit $LIMIT;"
	assert_80_columns
	stop_all
	run_ctkstat 0
	assert_in "$output" "$LIMIT/$LIMIT entries"
	assert_in "$(row ctk-shop)" " $LIMIT 100% 100% "
	assert_in "$(row ctk-shop)" " $(kernel_stat ctk-shop drop) "
	# Fullest first, and the reader's own is not folded.
	[[ $(grep -A 2 ^NAMESPACE <<<"$output" | cut -d' ' -f1 | xargs) == \
		"NAMESPACE ctk-shop (host)" ]]
	run_ctkstat 0 -a
	[[ $(grep -c ^ctk- <<<"$output") -eq 39 ]]
	assert_not_in "$output" "-a lists them"
	assert_80_columns
	run_ctkstat 0 -j
	assert_json '.verdict == "full" and (.netns | length) == 40'
	assert_json '.netns[0].names == ["ctk-shop"]'
}

@test "two full ones: the one that loses most is named, the other counted" {
	full_ns ctk-shop
	full_ns ctk-mail
	start_flood ctk-mail --rate 20
	start_flood ctk-shop --rate 200
	wait_line '^FULL  ctk-shop and 1 more are losing '
	assert_80_columns
	stop_all
	run_ctkstat 0 -j
	[[ $(json "$(of ctk-mail).lost") -eq $(kernel_stat ctk-mail drop) ]]
	[[ $(json "$(of ctk-shop).lost") -eq $(kernel_stat ctk-shop drop) ]]
}

@test "full without a loss says so" {
	full_ns ctk-shop
	run_ctkstat 0
	[[ ${lines[0]} == "FULL  ctk-shop (netns $(inum_of ctk-shop)) is full, no packet lost yet" ]]
	[[ $(kernel_stat ctk-shop drop) -eq 0 ]]
}

@test "above 80 % is a warning, an idle machine is OK" {
	make_ns ctk-shop
	run_ctkstat 0 -N ctk-shop
	[[ ${lines[0]} =~ ^OK\ \ 1\ namespace,\ fullest\ ctk-shop\ 0%\; ]]
	assert_in "${lines[0]}" "nothing lost since ctk was loaded, "
	set_limit "$LIMIT"
	fill ctk-shop $((LIMIT * 85 / 100))
	run_ctkstat 0 -N ctk-shop
	[[ ${lines[0]} =~ ^WARN\ .*ctk-shop.*is\ 85%\ full ]]
	run_ctkstat 0 -j -N ctk-shop
	assert_json '.verdict == "warning" and .netns[0].fill == 0.85'
}

@test "losses that are over are a warning that says how many and when" {
	full_ns ctk-shop
	lost=$(flood ctk-shop 70)
	set_limit $((LIMIT * 10))
	wait_json '.netns[0].loss_rate == 0' -N ctk-shop
	# A loss less than two seconds old is one of now.
	sleep 2
	assert_json '.verdict == "warning"'
	run_ctkstat 0 -N ctk-shop
	[[ ${lines[0]} =~ ^WARN\ .*lost\ $lost\ packets,\ the\ last\ at\ [0-9:]{8}$ ]]
	assert_in "$output" "10% full now, $LIMIT/$((LIMIT * 10)) entries"
}

@test "chains too long are a warning that names the second ceiling" {
	chains_are_limited || skip "this kernel has no limit on chains"
	make_ns ctk-shop
	track ctk-shop
	set_limit 262144
	echo 512 >$SYSCTL/nf_conntrack_buckets
	[[ $(<$SYSCTL/nf_conntrack_buckets) -eq 512 ]]
	keep_udp ctk-shop
	# Until chains are beyond the 50 to 79 entries that the kernel takes.
	start_flood ctk-shop
	wait_json '.verdict == "warning" and
		.netns[0].chain_too_long_drops > 0' -N ctk-shop
	run_ctkstat 0 -N ctk-shop
	stop_all
	[[ ${lines[0]} =~ ^WARN\ .*ctk-shop.*is\ losing\ new\ connections ]]
	[[ $output =~ [0-9]+\ lost\ to\ chains\ too\ long,\ the\ second\ ceiling ]]
	# Those of one namespace are not what fills the buckets.
	assert_not_in "$output" "entries in 512 buckets"
	assert_80_columns
	wait_json '.netns[0].loss_rate == 0' -N ctk-shop
	[[ $(json '.netns[0].chain_too_long_drops') -eq \
		$(kernel_stat ctk-shop chaintoolong) ]]
	assert_json '.netns[0].table_full_drops == 0'
}

@test "a blind hook is said, with its reason" {
	full_ns ctk-shop
	echo 0 >/proc/sys/kernel/ftrace_enabled
	start_flood ctk-shop --rate 200
	wait_json '.hook == "blind"' -N ctk-shop
	run_ctkstat 0 -N ctk-shop
	[[ ${lines[0]} =~ ^FULL\ .*is\ losing\ new\ connections\ now ]]
	assert_in "$output" "the hook is blind"
	assert_in "$output" "kernel.ftrace_enabled is 0"
	assert_in "$output" "source: module, hook blind"
	[[ $output =~ other-drops\ [1-9] ]]
	assert_80_columns
	run_ctkstat 0 status
	assert_in "$output" blind
	stop_all
	dropped=$(kernel_stat ctk-shop drop)
	wait_json ".netns[0].other_drops == $dropped" -N ctk-shop
}

@test "insertions refused at a full table are no lost packets" {
	full_ns ctk-shop
	refused=0
	for port in 1001 1002 1003 1004 1005; do
		ip netns exec ctk-shop conntrack -I -p udp -s 198.18.5.5 \
			-d 198.18.5.6 --sport "$port" --dport 53 -t 60 ||
			refused=$((refused + 1))
	done
	[[ $refused -eq 5 ]]
	run_ctkstat 0 -j -N ctk-shop
	assert_json '.netns[0] | .refused_inserts == 5 and .lost == 0'
	run_ctkstat 0 -N ctk-shop
	assert_in "$output" "refused-inserts 5"
	assert_in "${lines[0]}" "no packet lost"
}

# --- Options --------------------------------------------------------------

@test "-N takes a name, a path, a pid and an inode number" {
	make_ns ctk-shop
	inum=$(inum_of ctk-shop)
	start nsenter --net=/run/netns/ctk-shop sleep 600
	pid=${started[0]}
	until [[ $(stat -L -c %i "/proc/$pid/ns/net") -eq $inum ]]; do
		sleep 0.1
	done
	for which in ctk-shop /run/netns/ctk-shop "/proc/$pid/ns/net" \
		"$pid" "$inum"; do
		run_ctkstat 0 -j -N "$which"
		assert_json '[.netns[].netns_inum] == [$n]' --argjson n "$inum"
	done
}

@test "a namespace that cannot be found is an error that says why" {
	run_ctkstat 2 -N ctk-none
	assert_in "$stderr" "no network namespace 'ctk-none' in /run/netns"
	run_ctkstat 2 -N /proc/version
	assert_in "$stderr" "not a network namespace"
	run_ctkstat 2 -N /proc/self/ns/pid
	assert_in "$stderr" "not a network namespace"
	run_ctkstat 2 -N 0
	assert_in "$stderr" "neither a pid"
	run_ctkstat 2 -N 99999999999999999999
	assert_in "$stderr" "neither a pid"
	run_ctkstat 2 -N 4294967295
	assert_in "$stderr" "no network namespace has the inode number 4294967295"
	# Above what pid_max is by default, so that no process has it.
	run_ctkstat 2 -N 4194304
	assert_in "$stderr" "there is no process 4194304:"
	assert_not_in "$stderr" offset
}

@test "-n shows numbers for names, -H no header" {
	full_ns ctk-shop
	run_ctkstat 0 -n
	assert_in "$output" "netns:$(inum_of ctk-shop)"
	assert_not_in "$output" ctk-shop
	assert_in "$output" NAMESPACE
	run_ctkstat 0 -H
	assert_not_in "$output" NAMESPACE
	[[ $(row ctk-shop) ]]
}

@test "-t puts the time before the verdict" {
	before=$(date +%s)
	run_ctkstat 0 -t
	[[ ${lines[0]} =~ ^([0-9-]{10}\ [0-9:]{8})\ \ (OK|WARN|FULL)\ \  ]]
	[[ $(date -d "${BASH_REMATCH[1]}" +%s) -ge $before ]]
	assert_80_columns
}

@test "names cannot command the terminal, nor break JSON or the table" {
	odd=$'ctk-\e[31m\xff'
	long=ctk-a-name-far-too-long-for-its-column-0a1b2c3d
	ip netns add "$odd"
	ip netns add "$long"
	run_ctkstat 0 -a
	assert_not_in "$output" $'\e'
	[[ $(row 'ctk-a-na..0a1b2c3d') ]]
	assert_80_columns
	run_ctkstat 0 -j
	assert_json '[.netns[].names[]] | index($name)' --arg name "$long"
}

@test "colour and bars are for terminals" {
	full_ns ctk-shop
	run_ctkstat 0
	assert_not_in "$output" $'\e'
	run_ctkstat 0 -c
	assert_in "$output" $'\e[1;31m'
	run_on_terminal
	assert_in "$output" $'\e[1;31m'
	[[ $output =~ 100%\ (######|██████) ]]
	run_on_terminal --color=never
	assert_not_in "$output" $'\e[1;31m'
	NO_COLOR=1 run_on_terminal
	assert_not_in "$output" $'\e[1;31m'
	NO_COLOR=1 run_ctkstat 0 --color=always
	assert_in "$output" $'\e[1;31m'
}

@test "INTERVAL COUNT: an object a line, screens that append, or redraw" {
	run_ctkstat 0 -j 0.1 3
	[[ ${#lines[@]} -eq 3 ]]
	[[ $(json .source | xargs) == "module module module" ]]
	run_ctkstat 0 0.1 3
	[[ $(grep -c ^NAMESPACE <<<"$output") -eq 3 ]]
	assert_not_in "$output" $'\e'
	run_on_terminal 0.1 2
	assert_in "$output" $'\e[H'
	run_ctkstat 0 -j status 0.1 2
	[[ ${#lines[@]} -eq 2 ]]
}

# --- Other commands -------------------------------------------------------

@test "status says what ctk is attached to" {
	# What it missed is counted from its load.
	ctk_remove
	ctk_insert
	run_ctkstat 0 -j status
	assert_json '.attached and .hook == "wrapper" and .missed == 0 and
		.source == "module"'
	assert_json '.limit == $n' --argjson n "$(<$SYSCTL/nf_conntrack_max)"
	assert_json '.hooks | length == 1'
	assert_json '.hooks[0] | .symbol == "early_drop" and
		.form == "wrapper" and .state == "on" and .missed == 0 and
		(has("error") | not)'
	assert_json '.bucket_size > 0 and .entry_size > 0'
	assert_json '.attached_since | test("^[0-9-]{10}T[0-9:.]{12}Z$")'
	run_ctkstat 0 status
	assert_in "$output" "early_drop"
	assert_in "$output" " ago)"
	assert_80_columns
}

@test "reset clears what it says, and not the kernel's counters" {
	full_ns ctk-shop
	full_ns ctk-mail
	lost=$(flood ctk-shop 60)
	[[ $(flood ctk-mail 30) -gt 0 ]]
	run_ctkstat 0 reset
	[[ $output =~ ^\(host\):\ cleared\ 0\ lost ]]
	run_ctkstat 0 reset -N ctk-shop
	assert_in "$output" "ctk-shop: cleared $lost lost (table-full $lost,"
	run_ctkstat 0 -j
	assert_json "$(of ctk-shop) | .lost == 0 and .table_full_drops == 0 and
		(has(\"full_since\") | not)"
	assert_json "$(of ctk-shop) | .kernel_stats.drop == $lost"
	assert_json "$(of ctk-mail) | .lost > 0"
	[[ $(kernel_stat ctk-shop drop) -eq $lost ]]
	run_ctkstat 0 -j reset -a
	assert_json '.reset | length == 3'
	run_ctkstat 0 -j
	assert_json '[.netns[].lost] | add == 0'
}

# --- Who may see what -----------------------------------------------------

@test "a user without capabilities sees its own namespace, and is told" {
	full_ns ctk-shop
	run_as_nobody 0 -j
	assert_json '[.netns[].netns_inum] == [$n]' \
		--argjson n "$(stat -L -c %i /proc/self/ns/net)"
	assert_json '.hook == "wrapper" and .complete == false'
	# What was missed is of all namespaces, and not for everybody.
	assert_json 'has("missed") | not'
	run_as_nobody 0
	assert_in "$output" "only this namespace is shown"
	assert_in "$output" "root"
	assert_in "$output" "source: module, exact; limit $LIMIT;"
	run_as_nobody 2 -N ctk-shop
	assert_in "$stderr" "other namespaces need root in the initial one"
	run_as_nobody 2 -j reset
	assert_json '.error | contains("reset needs CAP_NET_ADMIN")'
}

@test "in a namespace of one's own only that is shown" {
	full_ns ctk-shop
	make_ns ctk-mail
	run_program 0 ip netns exec ctk-mail "$CTKSTAT" -j
	assert_json '[.netns[].netns_inum] == [$n] and (.complete | not)' \
		--argjson n "$(inum_of ctk-mail)"
	run_program 0 ip netns exec ctk-mail "$CTKSTAT"
	assert_in "$output" "only this namespace is shown"
	run_program 0 unshare -Urn "$CTKSTAT" -j
	assert_json '(.netns | length) == 1 and (.complete | not)'
	run_program 2 unshare -Urn "$CTKSTAT" -N /run/netns/ctk-shop
	# A container's process 1 is its own.
	run_program 0 unshare -npf --mount-proc "$CTKSTAT" reset -a
	assert_in "$output" "only this namespace is shown"
}

# --- Without the module, without conntrack --------------------------------

@test "without the module /proc is shown, and what it cannot tell" {
	ctk_remove
	full_ns ctk-shop
	make_ns ctk-idle
	lost=$(flood ctk-shop 50)
	run_ctkstat 0
	[[ ${lines[0]} =~ ^FULL\ \ ctk-shop\ .*\ is\ full$ ]]
	assert_in "$output" "source: /proc (ctk.ko not loaded): no table-full split"
	assert_80_columns
	run_ctkstat 0 -j
	assert_json '.source == "proc" and .verdict == "full" and .attached'
	shop=$(of ctk-shop)
	[[ $(json "$shop.entries") -eq \
		$(proc_of ctk-shop nf_conntrack_count) ]]
	[[ $(json "$shop.lost") -eq $lost ]]
	assert_kernel_stats ctk-shop
	# What is unknown is absent, not zero.
	assert_json "$shop | has(\"table_full_drops\") or has(\"peak\") or
		has(\"growth_rate\") or has(\"last_loss_time\") | not"
	assert_json '[.netns[] | select(.names | index("ctk-idle")) |
		.lost] == [0]'
	run_ctkstat 0 -j -N ctk-idle
	assert_json '[.netns[].netns_inum] == [$n]' \
		--argjson n "$(inum_of ctk-idle)"
	run_ctkstat 2 reset
	assert_in "$stderr" "insmod"
	run_as_nobody 0
	assert_in "$output" "need"
}

@test "without the module INTERVAL shows losses that go on" {
	ctk_remove
	full_ns ctk-shop
	start_flood ctk-shop --rate 200
	run --separate-stderr timeout 60 bash -c \
		"'$CTKSTAT' 0.5 | grep -m 1 'losing new connections now'"
	stop_all
	[[ $output =~ ^FULL\ \ ctk-shop\ .*is\ losing\ new\ connections\ now$ ]]
}

@test "the module may come and go under ctkstat INTERVAL" {
	start "$CTKSTAT" -j 0.1 >"$BATS_TEST_TMPDIR/screens"
	for source in module proc module; do
		case $source in
		proc) ctk_remove ;;
		module) ctk_loaded || ctk_insert ;;
		esac
		deadline=$((SECONDS + WAIT))
		until [[ $(tail -n 2 "$BATS_TEST_TMPDIR/screens" | head -n 1 |
			jq -r .source) == "$source" ]]; do
			[[ $SECONDS -lt $deadline ]]
			sleep 0.1
		done
	done
}

@test "without conntrack the verdict is UNKNOWN, with and without ctk" {
	conntrack_remove
	run_ctkstat 0
	[[ ${lines[0]} =~ ^UNKNOWN\ \ nf_conntrack\ is\ not\ loaded ]]
	assert_80_columns
	run_ctkstat 0 -j
	assert_json '.verdict == "unknown" and .attached == false and
		(has("hook") | not)'
	ctk_remove
	run_ctkstat 0
	[[ ${lines[0]} =~ ^UNKNOWN\ \ nf_conntrack\ is\ not\ loaded ]]
	run_ctkstat 0 -j
	assert_json '.verdict == "unknown" and .source == "proc" and
		.attached == false'
	run_ctkstat 0 status
	[[ $(grep ^attached\  <<<"$output" | xargs) == "attached no" ]]
}

# --- A tool that is not of the module's release ---------------------------

@test "a tool that speaks another version says both and what to do" {
	top=$BATS_TEST_DIRNAME/..
	[[ -f $top/user/source-module.c ]] ||
		skip "the sources of ctkstat are not here"
	cp -rp "$top/user" "$top/kmod" "$BATS_TEST_TMPDIR"
	sed -i 's/\(define CTK_FAMILY_VERSION\).*/\1 99/' \
		"$BATS_TEST_TMPDIR/kmod/uapi/linux/ctk.h"
	# Only the file that looks at it, for the sake of slow machines.
	make -C "$BATS_TEST_TMPDIR/user" -o ../kmod/uapi/linux/ctk.h \
		-W source-module.c CFLAGS=-O0 >/dev/null
	CTKSTAT=$BATS_TEST_TMPDIR/user/ctkstat
	run_ctkstat 2
	assert_in "$stderr" "speaks version 1 of its protocol"
	assert_in "$stderr" "speaks version 99"
	assert_in "$stderr" "from one release"
	run_ctkstat 2 -j
	assert_json '.error | contains("99")'
}
