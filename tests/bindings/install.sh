#!/bin/sh
# Installs a finished build into a temporary folder and uses it as a new user would: the header
# alone as C99 and C++11, then examples/embed in C and C++ against the installed library through
# pkg-config, shared, static and with sanitizers, run from an empty folder.
#
#     sh tests/bindings/install.sh BUILD_DIRECTORY
#
# CC, CXX and PKG_CONFIG are honoured. What is absent (a C++ compiler, the static library, a
# sanitizer) is named and left out; exits with 77 where there is no pkg-config.
# SPDX-License-Identifier: BSD-2-Clause

set -eu

if [ $# -ne 1 ]; then
    echo "usage: install.sh BUILD_DIRECTORY" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/bindings/installed.sh
. "$root/tests/bindings/installed.sh"

install_build "$work/dest"

# The models' folder is where the library and pkg-config say; which models there are is the release's.
models=$($PKG_CONFIG --variable=modelsdir libcae)
[ -f "$models/README.md" ] && [ -f "$models/photos.txt" ] || fail "no models' folder in $models"
echo "ok: models in $models"

# The example must be a copy: in its place it could find what a user does not have.
mkdir "$work/src"
cp "$root/examples/embed/embed.c" "$root/examples/embed/clean.c" "$root/examples/embed/embed.cpp" "$root/tests/bindings/raii.cpp" \
    "$work/src"

warnings="-Wall -Wextra -Wconversion -Wshadow -Werror -pedantic-errors"
cxx_warnings=$warnings
have_cxx=no
if printf 'int main() { return 0; }\n' | $CXX -x c++ - -o "$work/probe" 2>/dev/null; then
    have_cxx=yes
else
    echo "left out: C++ ($CXX does not work)"
fi
for flag in -Wold-style-cast -Wuseless-cast -Wzero-as-null-pointer-constant; do # not all have all
    if echo 'int x;' | $CXX -Werror $flag -x c++ - -fsyntax-only 2>/dev/null; then
        cxx_warnings="$cxx_warnings $flag"
    fi
done

includes=$($PKG_CONFIG --cflags libcae)
cat >"$work/src/header.c" <<'END'
#include <cae/cae.h>
int main(void)
{
    static float image[64];
    return cae_add_noise(image, sizeof image / sizeof image[0], 0.1f, CAE_SAVE_TRAINING) ==
                   CAE_E_SYNTAX ||
           cae_model_load_memory(0, image, 1) == CAE_OK;
}
END
sed 's/(0,/(nullptr,/' "$work/src/header.c" >"$work/src/header.cpp"
# shellcheck disable=SC2086  # flags are lists
$CC -std=c99 $warnings -Wstrict-prototypes $includes -fsyntax-only "$work/src/header.c"
# shellcheck disable=SC2086
[ $have_cxx = no ] || $CXX -std=c++11 $cxx_warnings $includes -fsyntax-only "$work/src/header.cpp"
echo "ok: the header alone"

# build_c NAME FLAGS..., build_cxx NAME SOURCE FLAGS...: the command that the example's head comment
# gives.
build_c()
{
    name=$1
    shift
    # shellcheck disable=SC2086
    $CC -std=c99 $warnings -o "$work/$name" "$work/src/embed.c" "$@"
}

build_cxx()
{
    name=$1 source=$2
    shift 2
    # shellcheck disable=SC2086
    $CXX -std=c++11 $cxx_warnings -o "$work/$name" "$work/src/$source" "$@"
}

# Whether a leak would be reported: not where a program may not trace itself.
sanitizes()
{
    printf 'int *volatile p; int main() { p = new int; p = nullptr; }\n' >"$work/src/leak.cpp"
    # shellcheck disable=SC2086
    build_cxx leak leak.cpp $sanitize 2>/dev/null || return 1
    ! "$work/leak" >"$work/leak.out" 2>&1 && grep -q 'detected memory leaks' "$work/leak.out"
}

# The class of embed.cpp, and the example itself, where a leak or a wrong access would be seen.
sanitized()
{
    sanitize='-g -fsanitize=address,undefined -fno-sanitize-recover=all'
    sanitizes || {
        echo "left out: sanitizers ($CXX has none that finds a leak here)"
        sanitize=''
    }
    # shellcheck disable=SC2046,SC2086
    build_cxx class raii.cpp $sanitize $($PKG_CONFIG --cflags --libs libcae)
    LD_LIBRARY_PATH=$libdir "$work/class" || fail "the class of embed.cpp"
    [ -n "$sanitize" ] || return 0
    # shellcheck disable=SC2046,SC2086
    build_cxx sanitized-cxx embed.cpp $sanitize $($PKG_CONFIG --cflags --libs libcae)
    use "$work/sanitized-cxx" sanitized-cxx embed.safetensors
}

if ls "$libdir"/libcae.so.0 >/dev/null 2>&1; then
    # shellcheck disable=SC2046  # pkg-config prints a list
    build_c shared-c $($PKG_CONFIG --cflags --libs libcae)
    needs_library "$work/shared-c" yes
    use "$work/shared-c" shared-c embed.safetensors
    # shellcheck disable=SC2046,SC2086
    $CC -std=c99 $warnings -o "$work/clean" "$work/src/clean.c" \
        $($PKG_CONFIG --cflags --libs libcae)
    cleans "$work/clean" clean "$work/run-shared-c/embed.safetensors"
    if [ $have_cxx = yes ]; then
        # shellcheck disable=SC2046
        build_cxx shared-cxx embed.cpp $($PKG_CONFIG --cflags --libs libcae)
        needs_library "$work/shared-cxx" yes
        use "$work/shared-cxx" shared-cxx embed.safetensors
        sanitized
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
    needs_library "$work/static-c" no
    use "$work/static-c" static-c embed.safetensors
    if [ $have_cxx = yes ]; then
        # shellcheck disable=SC2046
        build_cxx static-cxx embed.cpp -static $($PKG_CONFIG --static --cflags --libs libcae)
        needs_library "$work/static-cxx" no
        use "$work/static-cxx" static-cxx embed.safetensors
    fi
fi
