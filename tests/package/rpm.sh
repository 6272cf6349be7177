#!/bin/sh
# Builds the RPMs of docs/packaging/libcae.spec from a clean export with Debian's rpmbuild, and checks
# them as far as that goes: rpmlint, names, files, what they need and give. Debian has none of
# Fedora's macros for meson and Python, and none of its packages: the macros stand here, and
# what the spec requires for building is taken on trust.
#
#     sh tests/package/rpm.sh [--tested] [WORK]
#
# --tested: the build runs the tests (%check). Exits with 77 where there is no rpmbuild.
# SPDX-License-Identifier: BSD-2-Clause

set -u
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/common.sh"

need rpm rpmbuild rpm
tests=--without=check
if [ "${1:-}" = --tested ]; then
    tests=--with=check
    shift
fi
if [ $# -gt 0 ]; then
    mkdir -p "$1" && work=$(cd "$1" && pwd) || exit 1
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
top=$work/rpm
spec=$root/docs/packaging/libcae.spec

# As in Fedora's meson and python3-devel, but for the folders of this system.
write_macros() {
    sitelib=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("purelib", "deb_system"))')
    cat >"$work/macros" <<END
%_topdir $top
%_libdir /usr/lib64
%_docdir /usr/share/doc
%python3_sitelib $sitelib
%meson meson setup _build --prefix=/usr --libdir=%{_libdir} --buildtype=plain --auto-features=enabled
%meson_build meson compile -C _build
%meson_install DESTDIR=%{buildroot} meson install -C _build --no-rebuild
%meson_test meson test -C _build --print-errorlogs
END
}

build() {
    rm -rf "$top" "$work/tree"
    mkdir -p "$top/SOURCES"
    export_tree "$work/tree/libcae-$version"
    pack "$work/tree/libcae-$version" "$top/SOURCES/libcae-$version.tar.xz"
    CFLAGS='-O2 -g' rpmbuild -ba --nodeps "$tests" --load "$work/macros" "$spec"
}

names() {
    find "$top/RPMS" -name '*.rpm' -exec rpm -qp --qf '%{NAME} ' {} + | tr ' ' '\n' | sort | xargs
}

query() { # NAME FLAGS...: asks the package of that name
    name=$1
    shift
    rpm -qp "$@" "$(find "$top/RPMS" -name "$name-$version-*.rpm")"
}

files() { # NAME FILE...: the package has exactly these, licence and debug links aside
    name=$1
    shift
    query "$name" -l | grep -vE '/\.build-id|/licenses/' | sed 's/\.gz$//' | sort >"$work/has"
    printf '%s\n' "$@" | sort >"$work/should"
    diff "$work/should" "$work/has"
}

python_files() { # each module of the sources, and what Python and its installers add
    query python3-cae -l | grep '/cae/[^/]*\.py' | grep -v __pycache__ | sed 's|.*/||' | sort >"$work/has"
    (cd "$root/examples/python/cae" && ls -- *.py*) | sort | diff - "$work/has" &&
        ! query python3-cae -l | grep -vE '^/usr/lib/python3[^/]*/(dist|site)-packages/(lib)?cae(-|/|$)|/licenses/'
}

model_files() {
    query libcae-models -l >"$work/has"
    for file in usr/share/libcae/models/README.md usr/share/libcae/models/photos.txt $(shipped_models); do
        grep -qx "/$file" "$work/has" || { echo "no $file"; return 1; }
    done
    ! grep -vE '^/usr/share/(libcae(/|$)|licenses/)' "$work/has"
}

doc_files() {
    query libcae-doc -l >"$work/has"
    for file in README.md NEWS.md PACKAGING.md docs/numerics.md html/index.html examples/embed/embed.c \
        examples/mpi/train.c examples/python/denoise.py examples/rust/Cargo.toml; do
        grep -qx "/usr/share/doc/libcae/$file" "$work/has" || { echo "no $file"; return 1; }
    done
    ! grep -vE '^/usr/share/(doc/libcae|licenses/)' "$work/has"
}

has_line() { # NAME --provides|--requires: the soname and the node of its symbols
    query "$1" "$2" | grep -F 'libcae.so.0(LIBCAE_0.1)(64bit)'
}

lints() { # no errors, and no warning that is not explained in the file of filters
    find "$top" -name '*.rpm' -exec rpmlint -c "$root/tests/package/rpmlint.toml" "$spec" {} + \
        >"$work/rpmlint" 2>&1
    cat "$work/rpmlint"
    grep -q ' 0 errors, 0 warnings' "$work/rpmlint"
}

same_version() {
    grep -q "^Version: *$version\$" "$spec" && grep -q "$version-1\$" "$spec"
}

write_macros
check 'the spec is of this version' same_version
must "$work/build.log" build
check 'the packages' [ "$(names)" = 'libcae libcae-devel libcae-doc libcae-models libcae-static libcae-tools python3-cae' ]
check 'rpmlint' lints
check 'libcae: files' files libcae /usr/lib64/libcae.so.0 "/usr/lib64/libcae.so.$version"
# shellcheck disable=SC2046 # one word for each page
check 'libcae-devel: files' files libcae-devel /usr/include/cae /usr/include/cae/cae.h \
    /usr/lib64/libcae.so /usr/lib64/pkgconfig/libcae.pc \
    $(manual_pages | sed 's|.*|/usr/share/man/man3/&.3|')
check 'libcae-static: files' files libcae-static /usr/lib64/libcae.a
check 'libcae-tools: files' files libcae-tools /usr/bin/cae /usr/share/man/man1/cae.1
check 'libcae-models: files' model_files
check 'python3-cae: files' python_files
check 'libcae-doc: files' doc_files
check 'libcae gives its soname, with the node of its symbols' has_line libcae --provides
check 'libcae-tools needs it' has_line libcae-tools --requires
finish
