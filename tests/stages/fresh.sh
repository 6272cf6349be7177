#!/bin/sh
# README's commands, word for word, each in a new Debian 12 of its own that has nothing but a clone,
# what makes one (git and ca-certificates) and the network.
#
#     sh tests/stages/fresh.sh WORK
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/../package/common.sh"

need debootstrap debootstrap
need git git
[ "$(id -u)" -eq 0 ] || { echo 'SKIP: debootstrap needs root'; exit 77; }
mkdir -p "$1"
work=$(cd "$1" && pwd) || exit 1
bare=$work/bare
rm -rf "$bare"
if ! debootstrap --variant=minbase --include=ca-certificates,git bookworm "$bare" >"$bare.log" 2>&1; then
    echo 'SKIP: debootstrap could not finish'
    exit 77
fi
must "$work/clone.log" git clone --quiet --no-local "$root" "$bare/libcae"
export_tree "$bare/libcae" # what is not yet committed
echo 'APT::Get::Assume-Yes "true";' >"$bare/etc/apt/apt.conf.d/yes"

# Nothing may be missing there but real images, which are no part of a clone: no stage is left out, and
# no test of the release build. (Other builds leave out on purpose what they cannot show.)
runs() { # NAME COMMANDS
    tree=$work/$1
    rm -rf "$tree"
    cp -a "$bare" "$tree"
    # What it mounts goes with its name space. As a mount, the tree may make namespaces of its own.
    # shellcheck disable=SC2016 # the inner shell expands
    unshare --mount --pid --fork sh -ec '
        mount --bind "$1" "$1"
        mount -t proc proc "$1/proc"
        mount -t sysfs sysfs "$1/sys"
        mount --rbind /dev "$1/dev"
        exec env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            chroot "$1" sh -exc "cd /libcae; $2"
    ' sh "$tree" "$2" >"$tree.log" 2>&1 || { tail -n 20 "$tree.log"; return 1; }
    if sed -n 's/^-- left out: //p; /^== release/,/^== cpus/s/^ *skipped: //p' "$tree.log" |
        grep -vE '^real images:|/ tool pngsuite$'; then
        echo 'left out what is above'
        return 1
    fi
    tail -n 1 "$tree.log"
}

suite=$(grep '^    sh tests/run.sh ' "$root/README.md")
quickstart=$(grep '^    sh examples/quickstart.sh ' "$root/README.md")
installing=$(sed -n '/^## Installing/,/^## Doc/s/^    //p' "$root/README.md")
for words in "$suite" "$quickstart" "$installing"; do
    [ -n "$words" ] || { bad 'README does not say how'; finish; exit; }
done
check 'the suite' runs suite "$suite"
check 'the quick start' runs quickstart "$quickstart"
check 'installing' runs installing "
    apt-get -qq update
    $installing
    cae --version
    pkg-config --modversion libcae"
finish
