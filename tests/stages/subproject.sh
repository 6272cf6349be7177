#!/bin/sh
# libcae inside another meson project, whose choices hold: which libraries are made, and which one its
# program uses.
#
#     sh tests/stages/subproject.sh WORK
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/../package/common.sh"

rm -rf "$1"
mkdir -p "$1/subprojects"
cd "$1" || exit 1
work=$(pwd)
ln -s "$root" subprojects/libcae
cat >outer.c <<'END'
#include <cae/cae.h>
int main(void)
{
    cae_model *model;
    const int status = cae_model_new(&model, "cae-compress", 1);
    cae_model_free(model);
    return status != CAE_OK;
}
END

parent() { # WHAT-PROJECT-IS-TOLD WHAT-DEPENDENCY-IS-TOLD
    cat >meson.build <<END
project('outer', 'c'$1)
test('outer', executable('outer', 'outer.c', dependencies: dependency('libcae'$2)))
END
}

gets() { # BUILD KIND [MESON-OPTION...]: libraries of this kind are made and used, no others
    build=$1 wanted=$2
    shift 2
    meson setup "$build" --wrap-mode=forcefallback --force-fallback-for=libcae "$@" &&
        ninja -C "$build" && meson test -C "$build" --no-rebuild outer || return
    made=$(find "$build" -name libcae.so -o -name libcae.a | sed 's/.*\.//' | sort | xargs)
    needs=$(readelf -d "$build/outer" | grep -c 'NEEDED.*libcae\.so')
    case $wanted:$made:$needs in
    shared:so:1 | static:a:0 | 'both:a so:1') ;;
    *) echo "wanted $wanted, got $made"; return 1 ;;
    esac
}

for kind in shared static both; do
    parent ", default_options: ['default_library=$kind']" ''
    check "the parent's default: $kind" gets $kind $kind
done
parent '' ''
check 'the option: static' gets asked static -Ddefault_library=static -Dunity=subprojects
parent '' ', static: true'
check 'the dependency: static' gets dependency static
finish
