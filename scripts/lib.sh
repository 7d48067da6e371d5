# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the scripts that run on the host share: where they keep things, and how
# they fail. Never runs anything by itself.

# shellcheck disable=SC2034 # for those who source this
CTK_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034
CTK_CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/ctk

# The tools of an administrator are not in every user's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# die [EXIT CODE] MESSAGE
die()
{
	local code=1

	if [[ $# -gt 1 ]]; then
		code=$1
		shift
	fi
	say "$*"
	exit "$code"
}

# as_root COMMAND...
as_root()
{
	if [[ $EUID -eq 0 ]]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "needs root, and there is no sudo; run as root: $*"
	fi
}

# The mirror that this Debian machine takes its own suite from, whatever the
# form of its apt sources.
debian_mirror()
{
	local codename

	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	# shellcheck disable=SC2016 # apt-get fills these in
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Identifier: Packages' |
		awk -v codename="$codename" '
			$3 == "main" && ($2 == codename ||
			$2 ~ /^((old)*stable|testing|unstable|sid)$/) {
				print $1
				exit
			}'
}

# suite_apt SUITE PROGRAM ARG...: apt-get or apt-cache as on a machine of that
# Debian suite, with lists and cache of its own: the machine's apt does not
# come to know of the suite. Needs no root. Give "update" first.
suite_apt()
{
	local dir=$CTK_CACHE/apt/$1 program=$2
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local options="" mirror

	if [[ ! -e $dir/sources.list ]]; then
		mirror=$(debian_mirror)
		[[ $mirror ]] || die "no Debian mirror in this machine's apt sources"
		[[ -e $keyring ]] && options="[signed-by=$keyring] "
		mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
		echo "deb $options$mirror $1 main" >"$dir/sources.list"
	fi
	shift 2
	"$program" -q -o "Dir::Etc::SourceList=$dir/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null \
		-o "Dir::State::Lists=$dir/lists" \
		-o "Dir::Cache=$dir/cache" \
		-o APT::Sandbox::User="$(id -un)" "$@"
}
