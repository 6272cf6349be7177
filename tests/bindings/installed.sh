# A finished build, installed into a temporary folder where pkg-config finds it: what the tests of
# this folder start from. They read this file with `.`, after setting `build` and `root`, and then
# call install_build. CC, CXX and PKG_CONFIG are honoured. Sets `work`, which goes with the test.
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2154,SC2034

CC=${CC:-cc} CXX=${CXX:-c++} PKG_CONFIG=${PKG_CONFIG:-pkg-config}
unset PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

skip() # WHAT PACKAGE...: what is left out, for lack of what
{
    what=$1
    shift
    echo "SKIP: $what (Debian: apt-get install $*)"
    exit 77
}

# install_build FOLDER: sets libdir and PKG_CONFIG_PATH. libcae.pc is made to say what it would say
# had the build been configured for that folder: there it is then, with no variable for a sysroot.
install_build()
{
    command -v "$PKG_CONFIG" >/dev/null || skip "$PKG_CONFIG is missing" pkg-config
    (
        flock 9 # meson writes down in the build what it installed, one installation at a time
        meson install -C "$build" --no-rebuild --quiet --destdir "$1"
    ) 9>"$build/tests/bindings/installing"
    pc=$(find "$1" -name libcae.pc)
    [ -f "$pc" ] || fail "libcae.pc was not installed once: '$pc'"
    # For the shell of sed, then for pkg-config, which splits its words as a shell does.
    place=$(printf '%s\n' "$1" | sed 's/[&|\\]/\\&/g; s/ /\\\\ /g')
    sed "s|^\([a-z]*\)=/|\1=$place/|" "$pc" >"$pc.new"
    mv "$pc.new" "$pc"
    libdir=$(dirname "$(dirname "$pc")")
    PKG_CONFIG_PATH=$(dirname "$pc")
    export PKG_CONFIG_PATH
    echo "cflags: $($PKG_CONFIG --cflags libcae); libs: $($PKG_CONFIG --libs libcae)"
}

# use PROGRAM LABEL MODEL: runs one of the examples in an empty folder and checks what it says, and
# that it leaves the file MODEL alone behind.
use()
{
    mkdir "$work/run-$2"
    (cd "$work/run-$2" && LD_LIBRARY_PATH=$libdir "$1") >"$work/$2.out" || fail "$2 does not run"
    sed 's/^/    /' "$work/$2.out"
    [ "$(ls "$work/run-$2")" = "$3" ] || fail "$2 left other files than it says"
    awk '/^mean squared error/ { found = 1; good = $7 + 0 < $5 + 0 } END { exit !(found && good) }' \
        "$work/$2.out" || fail "$2 does not remove noise"
    grep -q '^compressed ' "$work/$2.out" || fail "$2 does not compress"
    echo "ok: $2"
}

# cleans PROGRAM LABEL MODEL: runs the example that cleans a picture on a ramp with a pattern of
# noise, in grey and in colour; a smaller file and one that is none are refused.
cleans()
{
    for kind in 5 6; do
        pixels=$((kind == 5 ? 32 * 24 : 3 * 32 * 24))
        {
            printf 'P%d\n32 24\n255\n' "$kind"
            LC_ALL=C awk -v n="$pixels" 'BEGIN { for (i = 0; i < n; i++)
                printf "%c", 70 + i * 31 % 17 + i * i % 13 }'
        } >"$work/noisy.pnm"
        LD_LIBRARY_PATH=$libdir "$1" "$3" 25 <"$work/noisy.pnm" >"$work/clean.pnm" ||
            fail "$2 does not run"
        [ "$(wc -c <"$work/clean.pnm")" = "$(wc -c <"$work/noisy.pnm")" ] || fail "$2: the size"
        [ "$(head -c 13 "$work/clean.pnm")" = "$(head -c 13 "$work/noisy.pnm")" ] ||
            fail "$2: the header"
        ! cmp -s "$work/noisy.pnm" "$work/clean.pnm" || fail "$2 changes nothing"
    done
    head -c 100 "$work/noisy.pnm" >"$work/cut.pnm"
    for bad in "$work/cut.pnm" /dev/null "$3"; do
        if LD_LIBRARY_PATH=$libdir "$1" "$3" 25 <"$bad" >"$work/out" 2>"$work/said"; then
            fail "$2 takes $bad"
        fi
        [ -s "$work/said" ] && [ ! -s "$work/out" ] || fail "$2 says nothing of $bad"
    done
    echo "ok: $2"
}

# needs_library PROGRAM yes|no: that the program is linked as was meant.
needs_library()
{
    if readelf -d "$1" | grep -q 'NEEDED.*\[libcae\.so\.0\]'; then found=yes; else found=no; fi
    [ $found = "$2" ] || fail "$1: libcae.so.0 needed: $found, expected: $2"
}
