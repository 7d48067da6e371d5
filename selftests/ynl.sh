#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ctk.yaml is a YNL spec that the kernel's own client understands: a kernel
# tree's tools/net/ynl/cli.py, given nothing but the spec, reads from ctk what
# debugfs shows. CTK_KERNEL_TREE says where such a tree (6.12 or later) lies.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

find_tree()
{
	local tree

	for tree in "${CTK_KERNEL_TREE-}" "$here/../../../.."; do
		if [[ $tree && -d $tree/Documentation/netlink ]]; then
			(cd "$tree" && pwd)
			return
		fi
	done
	return 1
}

find_client()
{
	local client

	for client in cli.py pyynl/cli.py; do
		if [[ -f $1/tools/net/ynl/$client ]]; then
			echo "$1/tools/net/ynl/$client"
			return
		fi
	done
	return 1
}

find_spec()
{
	local spec

	for spec in "$here/../kmod/uapi/ctk.yaml" \
		"$1/Documentation/netlink/specs/ctk.yaml"; do
		if [[ -f $spec ]]; then
			echo "$spec"
			return
		fi
	done
	return 1
}

require_tools python3 jq
require_kernel
tree=$(find_tree) || skip_all "no kernel tree, set CTK_KERNEL_TREE"
client=$(find_client "$tree") || skip_all "no tools/net/ynl in $tree"
spec=$(find_spec "$tree") || skip_all "there is no ctk.yaml"
python3 -c 'import yaml, jsonschema' 2>/dev/null ||
	skip_all "needs the yaml and jsonschema modules of python3"

# The client looks for its schemas in the directory above the spec's.
cp "$tree"/Documentation/netlink/*.yaml "$work"
mkdir "$work/specs"
cp "$spec" "$work/specs/ctk.yaml"

ynl()
{
	python3 "$client" --spec "$work/specs/ctk.yaml" --output-json "$@" \
		2>"$work/ynl.err" || fail "$(<"$work/ynl.err")"
}

# field JSON FILTER
field()
{
	jq -r "$2" <<<"$1"
}

client_reads_the_status()
{
	local said

	ctk_load hook=wrapper || return
	said=$(ynl --do status-get)
	expect "attached" "$(field "$said" '.attached')" -eq 1
	expect "limit" "$(field "$said" '.limit')" -eq "$(limit_now)"
	expect_text "hook" "$(field "$said" '.hook')" wrapper
	expect_text "symbol" "$(field "$said" '.hooks[0].symbol')" \
		early_drop
}

client_dumps_every_namespace()
{
	local said line inum

	setup_ns YNL
	set_limit 500
	track "$YNL"
	fill "$YNL"
	line=$(in_ns "$YNL" "$here/flowgen" udp --to 127.0.0.1 --count 1234)
	said=$(ynl --dump netns-get)
	expect "namespaces" "$(field "$said" length)" -eq \
		"$(tail -n +2 $DEBUGFS/netns | wc -l)"
	inum=$(inum_of "$YNL")
	said=$(field "$said" ".[] | select(.\"netns-inum\" == $inum)")
	expect "table-full-drops" "$(field "$said" '."table-full-drops"')" \
		-eq "$(count_in EPERM "$line")"
	expect "drop" "$(field "$said" '."kernel-stats".drop')" -eq \
		"$(kernel_stat "$YNL" drop)"
	expect "entries" "$(field "$said" .entries)" -eq "$(entries_of "$YNL")"
}

# One was kept when the packets were lost.
client_reads_censuses()
{
	local said id

	id=$(ctk "$YNL" id)
	said=$(ynl --do census-get --json "{\"netns-id\": $id}")
	expect "entries" "$(field "$said" .entries)" -eq "$(entries_of "$YNL")"
	expect_text "of states" "$(field "$said" \
		'."by-tcp-state"[] | "\(."tcp-state") \(.entries)"')" \
		"established $(entries_of "$YNL")"
	expect_text "of sources" "$(field "$said" \
		'."top-src"[0] | "\(.addr) \(.entries)"')" \
		"c6120001 $(entries_of "$YNL")"
	said=$(ynl --dump census-get)
	expect "kept" "$(field "$said" \
		"map(select(.\"netns-id\" == $id)) | length")" -eq 1
}

client_resets()
{
	local said selector

	selector="{\"netns-inum\": $(inum_of "$YNL")}"
	ynl --do reset --json "$selector" >/dev/null
	said=$(ynl --do netns-get --json "$selector")
	expect "lost after reset" "$(field "$said" .lost)" -eq 0
	expect "the kernel's drop" "$(kernel_stat "$YNL" drop)" -eq 1234
}

run_tests \
	client_reads_the_status \
	client_dumps_every_namespace \
	client_reads_censuses \
	client_resets
