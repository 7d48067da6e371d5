# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What scripts/check, matrix and sanitize share, which source it after lib.sh:
# building, running test programs in VMs, and the sums. Prints a line a test;
# scripts/ktap judges. $work is a directory of the caller's, $KDIR the headers
# built for, and the current directory a tree of the project.

# $work is the caller's:
# shellcheck disable=SC2154

# A VM that runs several test programs, on a machine that others use as well.
vm_timeout=5400
[[ ! ${CTK_TEST_SIZE-} ]] || vm_timeout=43200

# built NAME TARGET...
built()
{
	local name=$1 output

	shift
	if output=$(make KDIR="$KDIR" "$@" 2>&1); then
		echo "ok - build: $name"
	else
		printf '%s\n' "$output" | sed 's/^/    /'
		echo "not ok - build: $name"
	fi
}

# What some tests need and lies in the cache, not among what is installed.
fetch_what_tests_need()
{
	export CTK_KERNEL_TREE CTK_FIREWALLD
	CTK_KERNEL_TREE=$(scripts/kernel-source) &&
		CTK_FIREWALLD=$(scripts/fetch-package firewalld)
}

# boot KIND OPTION... -- PROGRAM...: runs them in one VM as far as it lives.
# What ended, or died, is added to $work/seen.
boot()
{
	local kind=$1 codes

	shift
	scripts/vm --timeout "$vm_timeout" "$@" |
		scripts/ktap "$work/seen"
	codes=("${PIPESTATUS[@]}")
	case ${codes[0]} in
	0) ;;
	122) echo "not ok - vm ($kind): the kernel complained" ;;
	123) echo "not ok - vm ($kind): the guest died" ;;
	124) echo "not ok - vm ($kind): the guest took too long" ;;
	*) echo "not ok - vm ($kind): could not run, code ${codes[0]}" ;;
	esac
}

# split OPTION... -- PROGRAM...: into the caller's $options and $programs.
split()
{
	options=()
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	programs=("${@:2}")
}

# run_all KIND OPTION... -- PROGRAM...: a guest that dies takes the program
# with it that ran; the rest gets another guest.
run_all()
{
	local kind=$1 before program
	local -a options programs left

	split "${@:2}"
	left=("${programs[@]}")
	while [[ ${#left[@]} -gt 0 ]]; do
		before=${#left[@]}
		: >"$work/seen"
		boot "$kind" "${options[@]}" -- scripts/run-tests "${left[@]}"
		mapfile -t left < <(printf '%s\n' "${left[@]}" |
			grep -vxFf "$work/seen")
		[[ ${#left[@]} -lt $before ]] || break
	done
	for program in "${left[@]}"; do
		echo "not ok - $program: was not run"
	done
}

# Those in which CPUs have to be at work at the same time, in truth.
side_by_side=(mixed_flood.sh table_full.sh)

# Hooks that go on and off under traffic can kill an emulated guest that has a
# thread per CPU, without ctk as well: an int3 is hit that has just been patched.
# Most programs load ctk under traffic; up to 6.1 it was seen in storms only.
emulation_is_sound()
{
	! printf '6.12\n%s\n' "$1" | sort -VC
}

# share N PROGRAM...: of two parts that take about as long, since the programs
# are in such an order.
share()
{
	printf '%s\n' "${@:2}" | awk -v n="$1" 'NR % 2 == n % 2'
}

# one_guest N OPTION... -- PROGRAM...: its share of them.
one_guest()
{
	local n=$1 work=$work/$1
	local -a options programs

	split "${@:2}"
	mapfile -t programs < <(share "$n" "${programs[@]}")
	mkdir -p "$work"
	[[ ${#programs[@]} -eq 0 ]] ||
		run_all "$n" "${options[@]}" -- "${programs[@]}"
}

end_groups()
{
	local group

	for group; do
		kill -TERM -- "-$group" 2>/dev/null
	done
	wait
}

# two_guests OPTION... -- PROGRAM...: at the same time. Each is in a process
# group of its own, so that what ends this ends it, which a process in the
# background would not hear of.
two_guests()
{
	local n
	local -a groups=()

	trap 'end_groups "${groups[@]}"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	set -m
	for n in 1 2; do
		one_guest "$n" "$@" &
		groups+=("$!")
	done
	set +m
	wait
	groups=()
}

# run_programs RELEASE OPTION... -- PROGRAM...: an emulated guest in one thread
# is sound, and two of them get more done than one in two.
run_programs()
{
	local release=$1 program
	local -a options programs apart=() others=()

	split "${@:2}"
	for program in "${programs[@]}"; do
		if emulation_is_sound "$release" &&
			[[ " ${side_by_side[*]} " == *" $program "* ]]; then
			apart+=("$program")
		else
			others+=("$program")
		fi
	done
	[[ ${#apart[@]} -eq 0 ]] ||
		run_all "side by side" "${options[@]}" -- "${apart[@]}"
	[[ ${#others[@]} -eq 0 ]] ||
		two_guests "${options[@]}" --single-thread -- "${others[@]}"
}

all_programs()
{
	# The variable of selftests/Makefile, not the shell's.
	# shellcheck disable=SC2016
	make -s -C selftests --eval 'programs: ; @echo $(TEST_PROGS)' programs |
		tr ' ' '\n'
	(cd selftests && compgen -G '*.bats')
}

count()
{
	grep -c "^$1 - " "$work/results"
}

# tell_sums: of $work/results; fails unless something passed and nothing failed.
tell_sums()
{
	local failed passed

	failed=$(count "not ok")
	passed=$(count ok)
	if [[ $failed -gt 0 ]]; then
		printf '\nfailed:\n'
		grep '^not ok - ' "$work/results"
	fi
	printf '\n%d passed, %d failed, %d skipped\n' \
		"$passed" "$failed" "$(count skip)"
	[[ $failed -eq 0 && $passed -gt 0 ]]
}

# A command of the caller's that has more to tell of $work/results than sums.
tell_more=:

# run_and_sum_up COMMAND ARG...: that prints a line a test; fails unless it ran
# to its end and nothing failed.
run_and_sum_up()
{
	local complete

	"$@" | tee "$work/results"
	complete=${PIPESTATUS[*]}
	"$tell_more"
	tell_sums && [[ $complete == "0 0" ]]
}
