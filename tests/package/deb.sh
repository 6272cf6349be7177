#!/bin/sh
# Builds the Debian packages of docs/packaging/debian from a clean export, as a distribution does, and
# checks what it got: lintian, symbols, hardening, copyright, paths, fields. Built a second time in
# another place, time zone, locale and umask, each package must be the same file; built without
# documentation (nodoc), nothing of it may be left.
#
#     sh tests/package/deb.sh [--tested] [WORK]
#
# --tested: the first build runs the tests, as on a distribution's machines; otherwise none does
# (nocheck). WORK is kept (default: a temporary folder that is not); the packages are in WORK/one.
# Exits with 77 where there are no Debian tools.
# SPDX-License-Identifier: BSD-2-Clause

# shellcheck disable=SC2030,SC2031 # what a subshell sets is meant for it alone

set -u
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/common.sh"

tested=no
if [ "${1:-}" = --tested ]; then
    tested=yes
    shift
fi
need dpkg-dev dpkg-buildpackage dpkg-gensymbols dpkg-deb
need debhelper dh
need lintian lintian
need devscripts hardening-check
need locales localedef
if [ $# -gt 0 ]; then
    mkdir -p "$1" && work=$(cd "$1" && pwd) || exit 1
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
library=$work/root/usr/lib/$triplet/libcae.so.$version
tool=$work/root/usr/bin/cae
expected='libcae-dev libcae-doc libcae-models libcae-tools libcae0 python3-cae'

# ---- building ------------------------------------------------------------------------------------

unpack() { # FOLDER: the source package there, ready to build
    rm -rf "$1"
    export_tree "$1/libcae-$version"
    pack "$1/libcae-$version" "$1/libcae_$version.orig.tar.xz"
    cp -R "$1/libcae-$version/docs/packaging/debian" "$1/libcae-$version/debian"
}

build() { # FOLDER ARGUMENT...
    folder=$1
    shift
    (cd "$folder/libcae-$version" && dpkg-buildpackage -us -uc "$@")
}

# ---- what a package holds --------------------------------------------------------------------------

debs() { # FOLDER: the packages, without those of debug symbols
    find "$1" -maxdepth 1 -name '*.deb' ! -name '*-dbgsym_*' | sort
}

deb() { # NAME: the file of that package in the first build
    echo "$work/one/$1_"*.deb
}

names_of() { # FOLDER
    debs "$1" | sed 's|.*/||; s|_.*||' | xargs
}

holds() { # NAME PATH...: that the package has these files (shell patterns)
    name=$1
    shift
    dpkg-deb --fsys-tarfile "$(deb "$name")" | tar -t | sed 's|^\./||' >"$work/files"
    for pattern in "$@"; do
        found=no
        while IFS= read -r file; do
            # shellcheck disable=SC2254 # a pattern is what it is
            case $file in $pattern) found=yes ;; esac
        done <"$work/files"
        [ $found = yes ] || { echo "$name has no $pattern"; return 1; }
    done
}

only() { # NAME PATTERN...: that every file that is not documentation fits one
    name=$1
    shift
    dpkg-deb --fsys-tarfile "$(deb "$name")" | tar -t | sed 's|^\./||' | grep '[^/]$' >"$work/files"
    while IFS= read -r file; do
        fits=no
        for pattern in 'usr/share/doc/*' 'usr/share/lintian/*' "$@"; do
            # shellcheck disable=SC2254
            case $file in $pattern) fits=yes ;; esac
        done
        [ $fits = yes ] || { echo "$name holds $file"; return 1; }
    done <"$work/files"
}

has_manual() {
    dpkg-deb --fsys-tarfile "$(deb libcae-dev)" | tar -t | sed -n 's|.*/man3/\(.*\)\.3\.gz$|\1|p' |
        sort >"$work/pages"
    manual_pages | sort | diff - "$work/pages" || return 1
    page=$(dpkg-deb --fsys-tarfile "$(deb libcae-dev)" | tar -xO ./usr/share/man/man3/cae_model_new.3.gz | gzip -d)
    case $page in *'Makes a model with initial weights'*) ;; *) return 1 ;; esac
}

field() { # NAME FIELD VALUE
    value=$(dpkg-deb -f "$(deb "$1")" "$2")
    [ "$value" = "$3" ] || { echo "$1: $2 is '$value', not '$3'"; return 1; }
}

depends() { # NAME PACKAGE...: exactly these, versions aside
    name=$1
    shift
    value=$(dpkg-deb -f "$(deb "$name")" Depends | tr ',' '\n' | sed 's/ *(.*//; s/^ *//' | sort | xargs)
    wanted=$(printf '%s\n' "$@" | sort | xargs)
    [ "$value" = "$wanted" ] || { echo "$name depends on: $value; expected: $wanted"; return 1; }
}

# ---- checks ----------------------------------------------------------------------------------------

lintian_clean() { # everything but what an override explains
    lintian --pedantic --display-info --tag-display-limit 0 \
        --fail-on error,warning,info,pedantic "$work"/one/*.changes
}

overrides_explained() { # each override stands below a comment, and each is used
    for file in "$root"/docs/packaging/debian/source/lintian-overrides \
        "$root"/docs/packaging/debian/*.lintian-overrides; do
        [ -f "$file" ] || continue
        awk -v file="$file" '
            /^#/ { explained = 1; next }
            /^$/ { explained = 0; next }
            !explained { print file ": no reason is given for " $0; wrong = 1 }
            END { exit wrong }' "$file" || return 1
    done
    ! lintian --tags unused-override,mismatched-override "$work"/one/*.changes | grep .
}

gensymbols() { # SYMBOLS-FILE
    (cd "$work/one/libcae-$version" &&
        dpkg-gensymbols -c4 -plibcae0 -Pdebian/libcae0 -v"$version-1" -I"$1" -O/dev/null)
}

symbols_missed() { # a list that lacks a symbol, and one that has one too many, must not pass
    list=$work/one/libcae-$version/debian/libcae0.symbols
    grep -v ' cae_encode@' "$list" >"$work/fewer"
    { cat "$list" && echo ' cae_none@LIBCAE_0.1 0.1.0'; } >"$work/more"
    ! gensymbols "$work/fewer" && ! gensymbols "$work/more"
}

# Every word of hardening-check is yes, but for three, of which the next two checks see what matters:
# a library has no other way to be loaded ("regular shared library"); of stack clash protection it knows
# loops alone, and our only frame of more than a page is probed line by line; and Debian 12's crti.o
# lacks the mark of control flow protection, which the linker therefore gives to no program.
hardened() {
    mkdir -p "$work/root"
    for name in libcae0 libcae-tools; do
        dpkg-deb -x "$(deb "$name")" "$work/root"
    done
    for file in "$library" "$tool"; do
        hardening-check --nocfprotection "$file" || return 1
        hardening-check "$file" | grep -E ': (no|unknown)' |
            grep -vE 'regular shared library|Stack clash|Control flow' && return 1
    done
    return 0
}

# x86-64: no frame grows by more than a page at once, and a step of a page is followed by a touch. One
# such frame there is, in the library.
probes_stacks() {
    objdump -d --no-show-raw-insn "$library" "$tool" >"$work/code"
    awk '/sub +\$0x1000,%rsp/ { steps++; next_touches = 1; next }
        next_touches && !/orq +\$0x0,\(%rsp\)/ { print "not touched: " $0; wrong = 1 }
        { next_touches = 0 }
        /sub +\$0x[0-9a-f]+,%rsp/ {
            size = $0; sub(/.*\$0x/, "", size); sub(/,.*/, "", size)
            shrinks = length(size) == 16 # of a negative number
            if (!shrinks && (length(size) > 4 || length(size) == 4 && size > "1000")) {
                print; wrong = 1
            }
        }
        END { print steps " steps of a page"; exit wrong || !steps }' "$work/code"
}

# x86-64: each function of the interface begins with endbr64; and the command, whose functions have no
# names here, has more of them than the few of the C library in every program.
marks_entries() {
    awk '/^[0-9a-f]+ <cae_[a-z_]+@@[A-Z_0-9.]+>:$/ { name = $2; next }
        name != "" { seen++; if ($0 !~ /endbr64/) { print name; wrong = 1 } name = "" }
        END { print seen " functions"; exit wrong || seen < 39 }' "$work/code" &&
        [ "$(objdump -d --section .text "$tool" | grep -c endbr64)" -gt 50 ]
}

# Machine-readable, and what it says of a file is what the file says of itself.
copyright_holds() {
    /usr/bin/python3 "$root/tests/package/copyright.py" "$work/one/libcae-$version"
}

# One file that another wrote, with another licence: no paragraph names it.
copyright_missed() {
    mkdir -p "$work/foreign/debian"
    cp "$work/one/libcae-$version/debian/copyright" "$work/foreign/debian"
    for line in 'Copyright 2001 somebody else' 'SPDX-License-Identifier: MIT'; do
        echo "/* $line */" >"$work/foreign/foreign.c"
        ! /usr/bin/python3 "$root/tests/package/copyright.py" "$work/foreign" || return 1
    done
}

same_version() { # the packaging is of this release
    head -n 1 "$root/docs/packaging/debian/changelog" | grep -q "^libcae ($version-"
}

names_no_place() { # no file of a package names the folder of the build
    mkdir -p "$work/places"
    for file in $(debs "$work/one"); do
        dpkg-deb -x "$file" "$work/places"
    done
    ! grep -rl "$work" "$work/places"
}

links_lead_somewhere() { # in all packages together, which lie in one place now
    ! find "$work/places" -xtype l | grep .
}

ran_tests() { # LOG
    grep -E '^Ok: +[1-9]' "$1"
}

runs_no_tests() { # LOG: none ran, and none was built
    ! grep -E '^Ok: +[1-9]|test_kernels' "$1"
}

identical() {
    for file in "$work"/one/*.deb; do
        cmp "$file" "$work/another/place/two/${file##*/}" || return 1
    done
}

nodoc_holds() { # no documentation but what the policy wants, and no Doxygen
    [ "$(names_of "$work/three")" = 'libcae-dev libcae-models libcae-tools libcae0 python3-cae' ] ||
        { echo "made: $(names_of "$work/three")"; return 1; }
    for file in $(debs "$work/three"); do
        ! dpkg-deb --fsys-tarfile "$file" | tar -t |
            grep -E '/man[0-9]?/|/usr/share/doc/[^/]+/.*[^/]$' |
            grep -vE '/(changelog(\.Debian)?\.gz|copyright)$' || return 1
    done
    ! grep -q 'Program doxygen found' "$work/three.log"
}

# ---- all of it -------------------------------------------------------------------------------------

check 'the packaging is of this version' same_version
unpack "$work/one"
[ $tested = yes ] || export DEB_BUILD_OPTIONS=nocheck
must "$work/one.log" build "$work/one"
unset DEB_BUILD_OPTIONS
if [ $tested = yes ]; then
    check 'the build runs the tests' ran_tests "$work/one.log"
fi
check "makes $expected" [ "$(names_of "$work/one")" = "$expected" ]
check 'lintian --pedantic' lintian_clean
check 'overrides are explained and used' overrides_explained
check 'symbols file: exact' gensymbols "$work/one/libcae-$version/debian/libcae0.symbols"
check 'symbols file: a wrong one is found' symbols_missed
check 'hardening-check: all yes' hardened
if [ "$(dpkg-architecture -qDEB_HOST_ARCH)" = amd64 ]; then
    check 'stack clash protection' probes_stacks
    check 'control flow protection' marks_entries
fi
check 'copyright in DEP-5' copyright_holds
check 'copyright: a foreign file is found' copyright_missed
check 'no path of the build' names_no_place
check 'no link that leads nowhere' links_lead_somewhere
check 'libcae0: files' only libcae0 "usr/lib/$triplet/libcae.so.*"
check 'libcae-dev: files' only libcae-dev "usr/lib/$triplet/*" 'usr/include/cae/cae.h' \
    'usr/share/man/man3/*.3.gz'
check 'libcae-dev: all files' holds libcae-dev "usr/lib/$triplet/libcae.so" \
    "usr/lib/$triplet/libcae.a" "usr/lib/$triplet/pkgconfig/libcae.pc" 'usr/share/man/man3/libcae.3.gz'
check 'libcae-dev: a manual page for each function' has_manual
check 'libcae-tools: files' only libcae-tools usr/bin/cae usr/share/man/man1/cae.1.gz
check 'libcae-models: files' only libcae-models 'usr/share/libcae/models/*'
# shellcheck disable=SC2046 # one word for each file
check 'libcae-models: all files' holds libcae-models 'usr/share/libcae/models/README.md*' \
    'usr/share/libcae/models/photos.txt' $(shipped_models)
check 'libcae-models: Architecture' field libcae-models Architecture all
check 'python3-cae: files' only python3-cae 'usr/lib/python3/dist-packages/cae/*' \
    "usr/lib/python3/dist-packages/libcae-$version.dist-info/METADATA"
check 'python3-cae: all files' holds python3-cae 'usr/lib/python3/dist-packages/cae/__init__.py' \
    "usr/lib/python3/dist-packages/libcae-$version.dist-info/METADATA"
check 'libcae-doc: files' only libcae-doc 'usr/share/doc-base/*'
check 'libcae-doc: all files' holds libcae-doc '*/html/index.html' '*/README.md*' '*/numerics.md*' \
    '*/examples/embed/embed.c*' '*/examples/mpi/train.c*' '*/examples/rust/Cargo.toml'
for name in libcae0 libcae-dev; do
    check "$name: Multi-Arch" field $name Multi-Arch same
done
check 'libcae0 depends on libc, libm and zlib alone' depends libcae0 libc6 zlib1g
check 'libcae-dev depends on the library and, static, on zlib' depends libcae-dev libcae0 zlib1g-dev
check 'libcae-models depends on nothing' depends libcae-models
check 'libcae-tools depends on its image libraries and zlib' depends libcae-tools libc6 libcae0 \
    libjpeg62-turbo libpng16-16 zlib1g
check 'python3-cae depends on the library' depends python3-cae libcae0 python3:any python3-numpy

# Turkish has a comma in numbers and its own idea of upper case.
mkdir -p "$work/locales"
must "$work/locales.log" localedef -i tr_TR -f UTF-8 "$work/locales/tr_TR.UTF-8"
check 'there is another locale' \
    [ "$(LOCPATH=$work/locales LC_ALL=tr_TR.UTF-8 locale decimal_point)" = , ]
unpack "$work/another/place/two"
(
    umask 002
    export TZ=Pacific/Kiritimati HOME=/nonexistent LOCPATH="$work/locales" LC_ALL=tr_TR.UTF-8
    export DEB_BUILD_OPTIONS='nocheck parallel=1'
    must "$work/two.log" build "$work/another/place/two" -b
) || exit 1
check 'nocheck runs no tests' runs_no_tests "$work/two.log"
check 'another folder, time zone, locale, umask: the same packages' identical

unpack "$work/three"
(
    export DEB_BUILD_OPTIONS='nocheck nodoc' DEB_BUILD_PROFILES='nocheck nodoc'
    must "$work/three.log" build "$work/three" -b
) || exit 1
check 'nodoc leaves documentation out' nodoc_holds
finish
