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
[[ ${CTK_TEST_SIZE-} != large ]] || vm_timeout=43200

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

# run_all KIND OPTION... -- PROGRAM...: a guest that dies takes the program
# with it that ran; the rest gets another guest.
run_all()
{
	local kind=$1 before program
	local -a options=() left=()

	shift
	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	left=("$@")
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

# The kernel's text is patched under traffic in these: see scripts/vm.
is_storm()
{
	[[ $1 == storm_* ]]
}

# run_apart OPTION... -- PROGRAM...: the storms in a guest of their own.
run_apart()
{
	local program
	local -a options=() usual=() storms=()

	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	for program; do
		if is_storm "$program"; then
			storms+=("$program")
		else
			usual+=("$program")
		fi
	done
	run_all usual "${options[@]}" -- "${usual[@]}"
	run_all storm "${options[@]}" --single-thread -- "${storms[@]}"
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
