# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Modules, who holds them, and what nf_conntrack can; what kselftests and bats
# files share of that.
# Sourced by lib-net.sh and lib-bats.sh. Judges nothing.

# What lsmod shows, which is /proc/modules: how often a module is held, and by
# which others.
module_refs()
{
	local name refs _

	while read -r name _ refs _; do
		[[ $name != "$1" ]] || echo "$refs"
	done </proc/modules
}

module_users()
{
	local name users _

	while read -r name _ _ users _; do
		[[ $name != "$1" || $users == - ]] || echo "${users//,/ }"
	done </proc/modules
}

# Those that depend on it hold it by right, and nf_tables lets go of them a
# while after its rules are gone.
remove_users()
{
	local user

	for user in $(module_users "$1"); do
		remove_users "$user"
		rmmod "$user" 2>/dev/null
	done
}

conntrack_is_unused()
{
	remove_users nf_conntrack
	[[ $(module_refs nf_conntrack) -eq 0 ]]
}

# Kernels that count what dies of a chain too long have this column.
chains_are_limited()
{
	grep -q chainlength /proc/net/stat/nf_conntrack
}
