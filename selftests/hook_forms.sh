#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Each form of the hook by its name, the choice between them, and names that
# are none. Where another IPMODIFY user, as a livepatch is one, has the
# function, the wrapper is refused: hook=auto then counts by kretprobe and
# says why, hook=wrapper leaves the losses to other_drops and says that.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=1000
LOSSES=5000
if_small LIMIT=200 LOSSES=500
occupier=$here/test_modules/ctk_ipmodify.ko

require_tools
require_kernel

# A fresh namespace each time: ctk begins anew with each load, the kernel not.
new_full_namespace()
{
	setup_ns FORM
	track "$FORM"
	fill "$FORM"
}

# expect_hook SUMMARY FORM STATE
expect_hook()
{
	expect_text "hook" "$(ctk_status hook)" "$1"
	hook_line=$(sed -n 's/^hooks: *//p' $DEBUGFS/status)
	expect_text "hooks" "$hook_line" "*symbol=early_drop*"
	expect_text "hooks" "$hook_line" "*form=$2*"
	expect_text "hooks" "$hook_line" "*state=$3*"
}

# expect_counted COLUMN: losses stand there, and are the sender's and the
# kernel's. One sender, so the kretprobe is exact as well.
expect_counted()
{
	local line refused

	new_full_namespace
	line=$(in_ns "$FORM" "$here/flowgen" udp --to 127.0.0.1 \
		--count $LOSSES)
	refused=$(count_in EPERM "$line")
	expect "EPERM" "$refused" -eq $LOSSES
	expect "the kernel's drop" "$(kernel_stat "$FORM" drop)" -eq "$refused"
	expect "$1" "$(ctk "$FORM" "$1")" -eq "$refused"
	expect "lost" "$(ctk "$FORM" lost)" -eq "$refused"
}

wrapper_by_name()
{
	set_limit $LIMIT
	ctk_load hook=wrapper || return
	expect_hook wrapper wrapper on
	expect_counted table_full_drops
}

kretprobe_by_name()
{
	ctk_load hook=kretprobe || return
	expect_hook kretprobe kretprobe on
	expect_counted table_full_drops
	expect "missed" "$(ctk_status missed)" -eq 0
}

auto_takes_the_wrapper()
{
	ctk_load hook=auto || return
	expect_hook wrapper wrapper on
}

other_names_are_refused()
{
	local name since

	ctk_remove
	for name in bogus WRAPPER wrapperx ''; do
		since=$(kmsg_last)
		ctk_insert "hook=$name" 2>/dev/null &&
			fail "hook=$name was accepted"
		expect_text "the kernel's log" \
			"$(kernel_log "$since" | grep 'ctk: hook=')" \
			"ctk: hook=$name *auto*wrapper*kretprobe*"
	done
	ctk_loaded && fail "ctk is loaded"
	return 0
}

auto_falls_back_to_the_kretprobe()
{
	[[ -f $occupier ]] || { skip "ctk_ipmodify.ko is not built"; return; }
	ctk_remove
	insmod "$occupier" || fail "no other IPMODIFY user" || return
	defer remove_occupier
	ctk_load hook=auto || return
	expect_hook kretprobe kretprobe on
	expect_text "hooks" "$hook_line" "*wrapper_error=-16*"
	expect_counted table_full_drops
}

wrapper_alone_is_off()
{
	[[ -f $occupier ]] || { skip "ctk_ipmodify.ko is not built"; return; }
	ctk_load hook=wrapper || return
	expect_hook blind wrapper off
	expect_text "hooks" "$hook_line" "*error=-16*"
	expect_counted other_drops
	ctk_remove
	remove_occupier
}

remove_occupier()
{
	[[ ! -d /sys/module/ctk_ipmodify ]] || rmmod ctk_ipmodify
}

run_tests \
	wrapper_by_name \
	kretprobe_by_name \
	auto_takes_the_wrapper \
	other_names_are_refused \
	auto_falls_back_to_the_kretprobe \
	wrapper_alone_is_off
