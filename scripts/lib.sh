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

# The files of the project that match PATTERN..., tracked or not yet.
files()
{
	git ls-files --cached --others --exclude-standard -- "$@" |
		while read -r file; do
			[[ ! -f $file ]] || echo "$file"
		done | sort -u
}

# debian_mirror [SUFFIX]: the mirror that this Debian machine takes its own
# suite from, or what belongs to it by that suffix ("-security"), whatever the
# form of its apt sources.
debian_mirror()
{
	local codename

	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	# shellcheck disable=SC2016 # apt-get fills these in
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Identifier: Packages' |
		awk -v codename="$codename" -v suffix="${1-}" '
			BEGIN {
				alias = "^((old)*stable|testing|unstable|sid)"
			}
			$3 == "main" && ($2 == codename suffix ||
			$2 ~ alias suffix "$") {
				print $1
				exit
			}'
}

# suite_sources SUITE: lines for apt. Security updates, which may hold the only
# current kernel, are a suite of their own; not every suite has them.
suite_sources()
{
	local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local helper=/usr/lib/apt/apt-helper options="" mirror

	[[ -e $keyring ]] && options="[signed-by=$keyring] "
	mirror=$(debian_mirror)
	[[ $mirror ]] || die "no Debian mirror in this machine's apt sources"
	echo "deb $options$mirror $1 main"
	mirror=$(debian_mirror -security)
	[[ $mirror ]] || return 0
	"$helper" download-file "${mirror%/}/dists/$1-security/InRelease" \
		"$CTK_CACHE/apt/$1/probe" >/dev/null 2>&1 || return 0
	echo "deb $options$mirror $1-security main"
}

# suite_apt SUITE PROGRAM ARG...: apt-get or apt-cache as on a machine of that
# Debian suite, with lists and cache of its own: the machine's apt does not
# come to know of the suite, nor the suite of what is installed here. Needs no
# root. Give "update" first.
suite_apt()
{
	local dir=$CTK_CACHE/apt/$1 program=$2 lines

	if [[ $3 == update || ! -e $dir/sources.list ]]; then
		mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
		lines=$(suite_sources "$1") || return
		echo "$lines" >"$dir/sources.list"
	fi
	shift 2
	"$program" -q -o "Dir::Etc::SourceList=$dir/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null \
		-o Dir::Etc::PreferencesParts=/dev/null \
		-o "Dir::State::Lists=$dir/lists" \
		-o Dir::State::Status=/dev/null \
		-o "Dir::Cache=$dir/cache" \
		-o Acquire::Languages=none \
		-o APT::Sandbox::User="$(id -un)" "$@"
}
