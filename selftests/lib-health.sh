# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# How the running kernel is: its log, what in it is a complaint, its taint.
# Sourced by lib.sh, and from outside this directory by scripts of ctk's own
# tree. Reads /dev/kmsg, since `dmesg -C` hides records from dmesg but not from
# there; never clears the log, and judges nothing.

complaints='BUG:|WARNING:|Oops|Kernel panic|KASAN|KCSAN|UBSAN|kmemleak:'
complaints+='|general protection|unable to handle|stack guard|Call Trace'
complaints+='|refcount_t:|list_(add|del) corruption|double free|Bad page'
complaints+='|possible recursive locking|circular locking|inconsistent lock'
complaints+='|suspicious RCU|sleeping function|scheduling while atomic'
complaints+='|held lock|soft lockup|hard LOCKUP|self-detected stall'
complaints+='|detected (expedited )?stalls|kthread starved|blocked for more than'
complaints+='|ftrace (bug|failed|faulted)|Missing ENDBR|CFI failure'
complaints+='|still has [0-9]+ users|waiting for .* to become free'
complaints+='|Leaked|Objects remaining'

# The kernel's own parameters, and what it says of a CPU and of itself at boot.
harmless='ommand line: |Spectre V2 ?: WARNING|kmemleak: .* initialized'

# kmsg_records [SINCE]: those after the one numbered so, or all. A record is
# "prio,seq,usec,flags;text", continued by lines with a blank, left out here.
kmsg_records()
{
	dd if=/dev/kmsg iflag=nonblock bs=16k 2>/dev/null |
		awk -F '[,;]' -v since="${1:--1}" '
			/^[0-9]+,[0-9]+,/ && $2 + 0 > since + 0'
}

# kmsg_complaints [SINCE]: of these, the records that are one.
kmsg_complaints()
{
	kmsg_records "${1-}" | grep -E "$complaints" | grep -Ev "$harmless"
}

# The number of the newest record.
kmsg_last()
{
	kmsg_records | awk -F '[,;]' '{ last = $2 } END { print last + 0 }'
}

# TAINT_OOT_MODULE and TAINT_UNSIGNED_MODULE come with any module built outside.
taint()
{
	echo $(($(</proc/sys/kernel/tainted) & ~(1 << 12 | 1 << 13)))
}
