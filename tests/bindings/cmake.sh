#!/bin/sh
# Builds examples/embed with its CMakeLists.txt against an installed libcae, all of it in paths with
# spaces, and runs what comes out; then without libcae and with an old one, which must be named.
#
#     sh tests/bindings/cmake.sh BUILD_DIRECTORY
#
# Exits with 77 (skipped) where there is no CMake or no C++ compiler.
# SPDX-License-Identifier: BSD-2-Clause

set -eu

if [ $# -ne 1 ]; then
    echo "usage: cmake.sh BUILD_DIRECTORY" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/bindings/installed.sh
. "$root/tests/bindings/installed.sh"

command -v cmake >/dev/null || skip "the CMake project is left out: cmake is missing" cmake
command -v "${CXX%% *}" >/dev/null || skip "the CMake project is left out: $CXX is missing" g++

install_build "$work/a libcae"
cp -r "$root/examples/embed" "$work/a project"

# configure FOLDER: meson's ninja is there, make may not be.
configure()
{
    CC=$CC CXX=$CXX cmake -S "$work/a project" -B "$1" -G Ninja >"$work/log" 2>&1
}

if ! configure "$work/a build" || ! cmake --build "$work/a build" >>"$work/log" 2>&1; then
    cat "$work/log"
    fail "the CMake project does not build"
fi
for program in embed-c embed-cpp; do
    needs_library "$work/a build/$program" yes
    use "$work/a build/$program" $program embed.safetensors
done

# refuses LABEL FOLDER: what CMake says of the libcae.pc in that folder.
refuses()
{
    if PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=$2 configure "$work/$1"; then
        fail "CMake takes $1"
    fi
    grep -i "package.*libcae" "$work/log" || fail "CMake does not name libcae: $(cat "$work/log")"
    echo "ok: $1 is an error that names libcae"
}

mkdir "$work/pc-none" "$work/pc-old"
sed 's/^Version:.*/Version: 0.0.9/' "$PKG_CONFIG_PATH/libcae.pc" >"$work/pc-old/libcae.pc"
refuses none "$work/pc-none"
refuses old "$work/pc-old"
