#!/bin/sh
# What a build for another processor needs: a piece of that Debian in a folder - the libraries of the
# architecture, fetched through an apt state of its own, so that the machine's list of architectures
# stays as it is - and meson's file about it, WORK/cross.ini. WORK/runner holds the words that run a
# program, WORK/emulator those that emulate it (the same, unless this processor runs it itself).
#
#     sh tests/stages/foreign.sh ARCHITECTURE FAMILY TRIPLET ENDIAN WORK
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/../package/common.sh"

architecture=$1 family=$2 triplet=$3 endian=$4
work=$5
tree=$work/root
case $work in
*' '*) echo 'SKIP: apt cannot be told a path with spaces'; exit 77 ;;
esac

fetch() { # into the tree
    state=$work/apt
    rm -rf "$work"
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$tree"
    : >"$state/status"
    suite=bookworm packages='zlib1g zlib1g-dev libpng16-16 libpng-dev check libsubunit0 libsubunit-dev'
    if [ "$architecture" = riscv64 ]; then # Debian's since 13
        suite=trixie
        packages=$(echo "$packages" | sed 's/libpng16-16/libpng16-16t64/')
    fi
    echo "deb http://deb.debian.org/debian $suite main" >"$state/sources"
    apt_get="apt-get -qq -o Dir::State=$state -o Dir::State::status=$state/status
        -o Dir::Cache=$state -o APT::Architecture=$architecture -o APT::Architectures::=$architecture
        -o Dir::Etc::SourceList=$state/sources -o Dir::Etc::SourceParts=/dev/null"
    # shellcheck disable=SC2086 # one word for each package
    (cd "$state/archives" && $apt_get update && $apt_get download $packages) || return
    for package in "$state"/archives/*.deb; do
        dpkg-deb -x "$package" "$tree" || return
    done
    if [ "$architecture" = riscv64 ]; then # its Check wants a newer C library for this name alone
        for library in "$tree"/usr/lib/riscv64-linux-gnu/libcheck*.a; do
            riscv64-linux-gnu-objcopy --redefine-sym __isoc23_strtoul=strtoul "$library"
        done
    fi
}

fetch || { echo "SKIP: the libraries of $architecture could not be fetched"; exit 77; }
emulator=qemu-$family multiarch=$triplet
[ "$architecture" != i386 ] || emulator=qemu-i386 multiarch=i386-linux-gnu
libraries=$tree/usr/lib/$multiarch
emulator="$emulator -L /usr/$triplet -E LD_LIBRARY_PATH=$libraries:$tree/lib/$multiarch"
runner=$emulator
loader=/usr/$triplet/lib/ld-linux.so.2
if [ "$architecture" = i386 ] && $loader --version >/dev/null 2>&1; then # most x86-64 run it themselves
    runner="$loader --library-path /usr/$triplet/lib:$libraries:$tree/lib/$multiarch"
fi
echo "$emulator" >"$work/emulator"
echo "$runner" >"$work/runner"
# shellcheck disable=SC2086 # words of a list
cat >"$work/cross.ini" <<END
[binaries]
c = '$triplet-gcc'
ar = '$triplet-ar'
nm = '$triplet-nm'
objdump = '$triplet-objdump'
strip = '$triplet-strip'
pkgconfig = 'pkg-config'
exe_wrapper = [$(printf "'%s', " $runner)]
[properties]
sys_root = '$tree'
pkg_config_libdir = '$libraries/pkgconfig'
[built-in options]
c_args = ['-isystem', '$tree/usr/include', '-isystem', '$tree/usr/include/$multiarch']
c_link_args = ['-L$libraries', '-Wl,-rpath-link,$libraries:$tree/lib/$multiarch']
[host_machine]
system = 'linux'
cpu_family = '$family'
cpu = '$family'
endian = '$endian'
END
ok "a root of $architecture"
finish
