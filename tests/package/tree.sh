#!/bin/sh
# Uses the packages that deb.sh built as a user of Debian 12 does, in a bare tree of its own
# (debootstrap, minbase): they install; autopkgtest, with its null runner, runs the packages' own
# tests (debian/tests); programs built against this release run unchanged with the next one, which
# is built from a copy with one function more; removed again, they leave nothing.
#
#     sh tests/package/tree.sh WORK
#
# WORK is the folder that deb.sh was given. Needs root, debootstrap and Debian's mirror; exits with
# 77 without. What is mounted goes with its name space.
# SPDX-License-Identifier: BSD-2-Clause

set -u
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/common.sh"

[ $# -eq 1 ] || { echo "usage: tree.sh WORK" >&2; exit 2; }
work=$(cd "$1" && pwd) || exit 1
need debootstrap debootstrap
[ "$(id -u)" -eq 0 ] || { echo 'SKIP: debootstrap needs root'; exit 77; }
[ -n "$(find "$work/one" -name 'libcae0_*.deb')" ] || { echo "no packages in $work/one"; exit 2; }
tree=$work/tree

in_tree() { # COMMAND: one line of shell, in the tree
    # shellcheck disable=SC2016 # the inner shell expands
    unshare --mount --pid --fork sh -ec '
        mount -t proc proc "$1/proc"
        mount --rbind /dev "$1/dev"
        export DEBIAN_FRONTEND=noninteractive HOME=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin
        exec chroot "$1" sh -ec "$2"
    ' sh "$tree" "$1"
}

# The next release, its architecture's packages alone, as the machines of a distribution build them.
build_next() {
    rm -rf "$work/next"
    export_tree "$work/next/libcae"
    python3 "$root/tests/package/next_version.py" "$work/next/libcae" >"$work/next/version" &&
        cp -R "$work/next/libcae/docs/packaging/debian" "$work/next/libcae/debian" &&
        (cd "$work/next/libcae" && DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -us -uc -B --no-sign)
}

# ---- what is done in the tree ----------------------------------------------------------------------

apt='apt-get -qq -y --no-install-recommends install'
installs() { # each alone with what it depends on, then all; a name in the tree is enough
    in_tree "
        $apt /packages/one/libcae0_*.deb
        ldconfig -p | grep -q 'libcae.so.0 '
        $apt /packages/one/*.deb
        cae --version
        python3 -W error -c 'import cae; print(cae.__file__)'
    "
}

autopkgtest_passes() {
    in_tree "
        $apt autopkgtest
        cd /packages/one
        autopkgtest --no-built-binaries libcae_*.dsc -- null
    " && grep -qE '^embed +PASS' "$work/check.log" && grep -qE '^python +PASS' "$work/check.log" &&
        grep -qE '^tool +PASS' "$work/check.log"
}

builds_programs() { # with this release, kept for the next
    in_tree "
        $apt gcc g++ libc6-dev pkgconf
        cd /programs
        cc -o c embed.c \$(pkgconf --cflags --libs libcae)
        c++ -o cxx embed.cpp \$(pkgconf --cflags --libs libcae)
        sha256sum c cxx denoise.py >sums
        for name in c cxx; do ./\$name >\$name.then; done
        python3 denoise.py >python.then
        CAE_CPU=sse2 cae synth --quiet --count 4 --out faces
        cae train --quiet --reproducible --model cae-compress --data faces --steps 3 --out then.safetensors
    "
}

# What a program says names the library's version: that line must change, and no other.
runs_unchanged() {
    in_tree "
        $apt /packages/next/libcae0_*.deb /packages/next/libcae-tools_*.deb /packages/next/libcae-dev_*.deb
        cd /programs
        sha256sum -c sums
        for name in c cxx; do
            ./\$name >\$name.now
            grep -q '$next' \$name.now
            sed 's/$next/$version/' \$name.now | cmp - \$name.then
        done
        python3 denoise.py >python.now
        sed 's/$next/$version/' python.now | cmp - python.then
        cae train --quiet --reproducible --model cae-compress --data faces --steps 3 --out now.safetensors
        cmp then.safetensors now.safetensors
    "
}

# A program that calls what only the next release has: its package would depend on that release, and
# the first one refuses it with the function's version, not in the midst of running.
tells_versions_apart() {
    in_tree "
        $apt dpkg-dev
        cd /programs
        echo '#include <cae/cae.h>' >new.c
        echo 'int main(void) { return cae_next_version_only() != 42; }' >>new.c
        cc -o new new.c \$(pkgconf --cflags --libs libcae)
        ./new
        mkdir -p debian && printf 'Source: x\\n\\nPackage: x\\nArchitecture: any\\n' >debian/control
        dpkg-shlibdeps -O c >c.needs
        dpkg-shlibdeps -O new >new.needs
        grep 'libcae0 (>= $oldest)' c.needs
        grep 'libcae0 (>= $next)' new.needs
        $apt --allow-downgrades /packages/one/libcae0_*.deb /packages/one/libcae-tools_*.deb \
            /packages/one/libcae-dev_*.deb
        ! ./new 2>refused
        grep 'LIBCAE_${next%.*}' refused
    "
}

leaves_nothing() {
    in_tree "
        apt-get -qq -y purge libcae0 libcae-dev libcae-tools libcae-doc libcae-models python3-cae
        ldconfig
        ! find / -xdev \( -path /packages -o -path /programs -o -path /var/cache \) -prune -o -print |
            grep -E '/(lib|python3-)?cae[^/]*\$'
    "
}

# ---- all of it ---------------------------------------------------------------------------------------

must "$work/next.log" build_next
next=$(cat "$work/next/version")
oldest=$(sed -n 's/^ cae_train_step@[^ ]* //p' "$root/docs/packaging/debian/libcae0.symbols")
rm -rf "$tree"
if ! debootstrap --variant=minbase bookworm "$tree" >"$work/debootstrap.log" 2>&1; then
    echo 'SKIP: debootstrap could not finish'
    exit 77
fi
mkdir -p "$tree/packages/one" "$tree/packages/next" "$tree/programs"
find "$work/one" -maxdepth 1 -type f ! -name '*-dbgsym_*' -exec cp -t "$tree/packages/one" {} +
find "$work/next" -maxdepth 1 -type f ! -name '*-dbgsym_*' -exec cp -t "$tree/packages/next" {} +
cp "$root/examples/embed/embed.c" "$root/examples/embed/embed.cpp" \
    "$root/examples/python/denoise.py" "$tree/programs"
must "$work/update.log" in_tree 'apt-get -qq update'

check 'a bare Debian: the packages install' installs
check "autopkgtest: the packages' own tests" autopkgtest_passes
check 'programs built against this release' builds_programs
check 'the next release: the same programs, the same results' runs_unchanged
check 'a program of the next release says what it needs' tells_versions_apart
check 'purged, they leave nothing' leaves_nothing
finish
