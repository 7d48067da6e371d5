#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
#
# scripts/ themselves, on the host, since they are what starts guests: that a
# guest's exit code comes back, that its kernel's complaint, its death and its
# hanging are noticed, that no test that failed or never ran passes for one
# that did. Never needs ctk.

bats_require_minimum_version 1.5.0

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return
	PATH=$PWD/scripts:$PATH
}

small_vm()
{
	vm --memory 768M --cpus 1 --timeout 300 "$@"
}

# tally TEXT: what ktap makes of it; the programs that it has seen end are in
# the file seen.
tally()
{
	printf '%s\n' "$1" | ktap "$BATS_TEST_TMPDIR/seen"
}

# broken FILE SED-EXPRESSION: check-uapi on the real files, one of them broken.
broken()
{
	local dir=$BATS_TEST_TMPDIR

	cp kmod/uapi/ctk.yaml kmod/uapi/linux/ctk.h kmod/netlink.c "$dir"
	sed -i "$2" "$dir/$1"
	run ! cmp -s "$dir/$1" "$(find kmod -name "$1")"
	run ! check-uapi "$dir/ctk.yaml" "$dir/ctk.h" "$dir/netlink.c"
}

# --- vm ---------------------------------------------------------------------

@test "vm: a command is run as here, and what it says and writes kept apart" {
	export CTK_GREETING="hello  there"
	release=$(vm --print-kernel)
	# shellcheck disable=SC2016 # for the guest to expand
	run -7 --separate-stderr small_vm -- bash -c '
		echo "$CTK_GREETING from $(id -un) in $PWD on $(uname -r)"
		touch /etc/ctk-test /tmp/ctk-test && ip netns add ctk-test &&
			mountpoint -q /sys/kernel/debug || echo no
		echo oh >&2
		exit 7'
	[[ $output == "hello  there from root in $PWD on $release" ]]
	# shellcheck disable=SC2154 # set by run
	[[ $stderr == oh ]]
	[[ ! -e /etc/ctk-test && ! -e /tmp/ctk-test ]]
	[[ ! -e /run/netns/ctk-test ]]
}

@test "vm: a WARNING of the kernel fails a command that succeeded" {
	run -122 small_vm -- bash -c \
		'echo "WARNING: CPU: 0 PID: 1 at a test" >/dev/kmsg; dmesg -C'
	[[ $output == *"WARNING: CPU: 0 PID: 1 at a test"* ]]
}

@test "vm: a guest that dies is told with its last words" {
	run -123 small_vm -- bash -c 'echo c >/proc/sysrq-trigger; sleep 60'
	[[ $output == *"sysrq triggered crash"* ]]
}

@test "vm: a guest that takes too long is ended" {
	run -124 vm --memory 768M --timeout 5 -- sleep 1000
	[[ $output == *"longer than 5 s"* ]]
}

@test "vm: ended itself, it leaves no guest and no file behind" {
	export TMPDIR=$BATS_TEST_TMPDIR
	vm --memory 768M --timeout 300 -- sleep 1000 3>&- &
	pid=$!
	while ! pgrep -f "qemu-system.*$TMPDIR"; do
		kill -0 "$pid"
		sleep 0.2
	done
	kill "$pid"
	wait "$pid" || code=$?
	[[ $code -eq 143 ]]
	run ! pgrep -f "qemu-system.*$TMPDIR"
	[[ -z $(find "$TMPDIR" -name 'ctk-vm.*') ]]
}

@test "vm: a missing kernel, command or option's value is refused" {
	run -125 vm --kernel /nonexistent -- true
	run -125 vm --cpus 2
	run -125 vm --cpus
	run -125 vm --no-such-option -- true
}

# --- matrix -----------------------------------------------------------------

@test "matrix: a kernel that is none is refused" {
	run -2 fetch-kernel 2.6
	run -2 fetch-kernel
	run -2 matrix 5.10 2.6
	run -2 matrix --no-such-option
}

# --- ktap -------------------------------------------------------------------

@test "ktap: results and skips, by name" {
	run -0 tally '@begin a.sh
KTAP version 1
1..3
# why
ok 1 one
not ok 2 two
ok 3 - three # SKIP no such thing
@end a.sh 1 7'
	[[ ${lines[0]} == "    a.sh: # why" ]]
	[[ ${lines[1]} == "ok - a.sh: one" ]]
	[[ ${lines[2]} == "not ok - a.sh: two" ]]
	[[ ${lines[3]} == "skip - a.sh: three: no such thing" ]]
	[[ ${#lines[@]} -eq 5 ]]
}

@test "ktap: a plan that was not completed fails" {
	run -0 tally '@begin a.sh
1..2
ok 1 one
@end a.sh 0 1'
	[[ $output == *"not ok - a.sh: 1 results for a plan of 2"* ]]
}

@test "ktap: a program without a plan fails" {
	run -0 tally '@begin a.sh
@end a.sh 127 1'
	[[ $output == *"not ok - a.sh: no plan, exit code 127"* ]]
}

@test "ktap: an exit code without a failed test fails" {
	run -0 tally '@begin a.sh
1..1
ok 1 one
@end a.sh 1 1'
	[[ $output == *"not ok - a.sh: exit code 1"* ]]
}

@test "ktap: a complaint of the kernel fails" {
	run -0 tally '@begin a.sh
1..1
ok 1 one
@complaint BUG: x
@end a.sh 0 1'
	[[ $output == *"not ok - a.sh: the kernel complained"* ]]
}

@test "ktap: a guest that died fails the program that ran" {
	run -0 tally '@begin a.sh
1..1
ok 1 one
@end a.sh 0 1
@begin b.sh
1..2
ok 1 one'
	[[ ${lines[-1]} == "not ok - b.sh: the guest died" ]]
	[[ $(<"$BATS_TEST_TMPDIR/seen") == $'a.sh\nb.sh' ]]
}

@test "ktap: a program that timed out fails" {
	run -0 tally '@begin a.sh
1..1
@end a.sh 124 900'
	[[ $output == *"not ok - a.sh: timed out"* ]]
}

# --- check-uapi ---------------------------------------------------------------

@test "check-uapi: spec, header and policy agree" {
	check-uapi
}

@test "check-uapi: an attribute that the header lacks" {
	broken ctk.h '/CTK_A_NETNS_PEAK,/d'
	[[ $output == *CTK_A_NETNS_PEAK_TIME* ]]
}

@test "check-uapi: a command that the spec lacks" {
	broken ctk.yaml 's/name: reset$/name: clear/'
	[[ $output == *CTK_CMD_CLEAR* && $output == *CTK_CMD_RESET* ]]
}

@test "check-uapi: an enum's entries in another order" {
	broken ctk.h 's/CTK_HOOK_WRAPPER,/CTK_HOOK_SWAPPED,/'
	[[ $output == *CTK_HOOK_SWAPPED* ]]
}

@test "check-uapi: a type that the policy has otherwise" {
	broken netlink.c '/NETNS_PID\].*NLA/s/NLA_U32/NLA_U16/'
	[[ $output == *CTK_A_NETNS_NETNS_PID*u16*u32* ]]
}

@test "check-uapi: an attribute that the policy lacks" {
	broken netlink.c '/NETNS_FD\].*NLA/d'
	[[ $output == *CTK_A_NETNS_NETNS_FD* ]]
}

# --- install-deps -------------------------------------------------------------

@test "install-deps: does nothing, silently, when all is there" {
	run -0 install-deps check
	[[ -z $output ]]
}
