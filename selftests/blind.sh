#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.ftrace_enabled=0 takes the hook off without telling it, and with
# kprobes/enabled=0 the kretprobe is gone as quietly. ctk notices by the
# kernel's own drop counter, says so, and loses no loss: what the hook does
# not see stands in other_drops. When tracing is back, so is the hook.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

LIMIT=1000
LOSSES=3000
if_small LIMIT=200 LOSSES=500

require_tools
require_kernel
[[ -e /proc/sys/kernel/ftrace_enabled ]] || skip_all "this kernel lacks ftrace"

# The file's one line decides for all tracers; put back at the end.
switch()
{
	defer write_to "$1" "$(<"$1")"
	write_to "$1" "$2"
}

write_to()
{
	echo "$2" >"$1"
}

lose()
{
	local line

	line=$(in_ns "$BLIND" "$here/flowgen" udp --to 127.0.0.1 \
		--count $LOSSES)
	expect "EPERM" "$(count_in EPERM "$line")" -eq $LOSSES
}

# A loss at a time, since the verdict is of a time when there are losses.
says_under_loss()
{
	in_ns "$BLIND" "$here/flowgen" udp --to 127.0.0.1 --count 100 \
		>/dev/null
	ctk_hook_is "$1"
}

expect_nothing_forgotten()
{
	local drop

	drop=$(kernel_stat "$BLIND" drop)
	expect "lost, of the kernel's drop" "$(ctk "$BLIND" lost)" -eq "$drop"
	expect "by both names" $(($(ctk "$BLIND" table_full_drops) +
		$(ctk "$BLIND" other_drops))) -eq "$drop"
}

# goes_blind_and_back SWITCH FORM
goes_blind_and_back()
{
	local seen other

	lose
	expect_text "hook" "$(ctk_status hook)" "$2"
	seen=$(ctk "$BLIND" table_full_drops)
	switch "$1" 0
	lose
	busywait says_under_loss blind || fail "never said to be blind"
	expect "table_full_drops while blind" \
		"$(ctk "$BLIND" table_full_drops)" -eq "$seen"
	other=$(ctk "$BLIND" other_drops)
	expect "other_drops" "$other" -ge $LOSSES
	expect "missed" "$(ctk_status missed)" -gt 0
	expect_nothing_forgotten
	write_to "$1" 1
	lose
	busywait says_under_loss "$2" || fail "never said to see again"
	expect "table_full_drops when it sees again" \
		"$(ctk "$BLIND" table_full_drops)" -ge $((seen + LOSSES))
	expect_nothing_forgotten
}

wrapper_without_ftrace()
{
	set_limit $LIMIT
	setup_ns BLIND
	track "$BLIND"
	fill "$BLIND"
	ctk_load hook=wrapper || return
	goes_blind_and_back /proc/sys/kernel/ftrace_enabled wrapper
}

# A new namespace, so that the kernel's drop begins at zero like ctk's.
kretprobe_without_kprobes()
{
	setup_ns BLIND
	track "$BLIND"
	fill "$BLIND"
	ctk_load hook=kretprobe || return
	goes_blind_and_back /sys/kernel/debug/kprobes/enabled kretprobe
}

run_tests wrapper_without_ftrace kretprobe_without_kprobes
