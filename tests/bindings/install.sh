#!/bin/sh
# Installs a finished build into a temporary folder and uses it as a stranger would: the header
# alone as C99 and C++11, then examples/embed in C and C++ against the installed library through
# pkg-config, shared and static, run from an empty folder.
#
#     sh tests/bindings/install.sh BUILD_DIRECTORY
#
# CC, CXX and PKG_CONFIG are honoured. What is absent (a C++ compiler, the static library) is named
# and left out; exits with 77 where there is no pkg-config.
# SPDX-License-Identifier: BSD-2-Clause

set -eu

if [ $# -ne 1 ]; then
    echo "usage: install.sh BUILD_DIRECTORY" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
CC=${CC:-cc} CXX=${CXX:-c++} PKG_CONFIG=${PKG_CONFIG:-pkg-config}
warnings="-Wall -Wextra -Wconversion -Wshadow -Werror -pedantic-errors"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

if ! command -v "$PKG_CONFIG" >/dev/null; then
    echo "SKIP: $PKG_CONFIG is missing (Debian: apt-get install pkg-config)"
    exit 77
fi

meson install -C "$build" --no-rebuild --quiet --destdir "$work/dest"
pc=$(find "$work/dest" -name libcae.pc)
[ -f "$pc" ] || fail "libcae.pc was not installed once: '$pc'"
libdir=$(dirname "$(dirname "$pc")")
PKG_CONFIG_PATH=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$work/dest
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
includes=$($PKG_CONFIG --cflags libcae)
echo "cflags: $includes; libs: $($PKG_CONFIG --libs libcae)"

# The example must be a copy: in its place it could find what a user does not have.
mkdir "$work/src"
cp "$root/examples/embed/embed.c" "$root/examples/embed/embed.cpp" "$work/src"

have_cxx=no
if printf 'int main() { return 0; }\n' | $CXX -x c++ - -o "$work/probe" 2>/dev/null; then
    have_cxx=yes
else
    echo "left out: C++ ($CXX does not work)"
fi

echo '#include <cae/cae.h>' >"$work/src/header.c"
# shellcheck disable=SC2086  # flags are lists
$CC -std=c99 $warnings -Wstrict-prototypes $includes -fsyntax-only "$work/src/header.c"
# shellcheck disable=SC2086
[ $have_cxx = no ] ||
    $CXX -std=c++11 $warnings $includes -x c++ -fsyntax-only "$work/src/header.c"
echo "ok: the header alone"

# use NAME: runs $work/NAME in an empty folder and checks what it says.
use()
{
    mkdir "$work/run-$1"
    (cd "$work/run-$1" && LD_LIBRARY_PATH=$libdir "$work/$1") >"$work/$1.out" || fail "$1 does not run"
    sed 's/^/    /' "$work/$1.out"
    [ "$(ls "$work/run-$1")" = embed.safetensors ] || fail "$1 left other files than it says"
    awk '/^mean squared error/ { found = 1; good = $7 + 0 < $5 + 0 } END { exit !(found && good) }' \
        "$work/$1.out" || fail "$1 does not remove noise"
    grep -q '^compressed ' "$work/$1.out" || fail "$1 does not compress"
    echo "ok: $1"
}

# needs_library PROGRAM yes|no: that the program is linked as was meant.
needs_library()
{
    if readelf -d "$work/$1" | grep -q 'NEEDED.*\[libcae\.so\.0\]'; then found=yes; else found=no; fi
    [ $found = "$2" ] || fail "$1: libcae.so.0 needed: $found, expected: $2"
}

# build_c NAME FLAGS..., build_cxx NAME FLAGS...: the command that the example's head comment gives.
build_c()
{
    name=$1
    shift
    # shellcheck disable=SC2086
    $CC -std=c99 $warnings -o "$work/$name" "$work/src/embed.c" "$@"
}

build_cxx()
{
    name=$1
    shift
    # shellcheck disable=SC2086
    $CXX -std=c++11 $warnings -o "$work/$name" "$work/src/embed.cpp" "$@"
}

if ls "$libdir"/libcae.so.0 >/dev/null 2>&1; then
    # shellcheck disable=SC2046  # pkg-config prints a list
    build_c shared-c $($PKG_CONFIG --cflags --libs libcae)
    needs_library shared-c yes
    use shared-c
    if [ $have_cxx = yes ]; then
        # shellcheck disable=SC2046
        build_cxx shared-cxx $($PKG_CONFIG --cflags --libs libcae)
        needs_library shared-cxx yes
        use shared-cxx
    fi
else
    echo "left out: shared (this build has no libcae.so.0)"
fi

if [ ! -f "$libdir/libcae.a" ]; then
    echo "left out: static (this build has no libcae.a)"
elif ! echo 'int main(void) { return 0; }' | $CC -static -x c - -o "$work/probe" 2>/dev/null; then
    echo "left out: static ($CC cannot link statically)"
else
    # shellcheck disable=SC2046
    build_c static-c -static $($PKG_CONFIG --static --cflags --libs libcae)
    needs_library static-c no
    use static-c
    if [ $have_cxx = yes ]; then
        # shellcheck disable=SC2046
        build_cxx static-cxx -static $($PKG_CONFIG --static --cflags --libs libcae)
        needs_library static-cxx no
        use static-cxx
    fi
fi
