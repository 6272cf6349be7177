#!/bin/sh
# Tests examples/rust as a new user would find it: a copy of the crate, an installed libcae found
# through pkg-config, both in paths with spaces, no network and an empty home of cargo's. Each cargo
# of the PATH runs the crate's tests, its example and README's program; the first of them also what
# build.rs decides and says, and the program with a library that is too old.
#
#     sh tests/bindings/rust.sh BUILD_DIRECTORY
#
# CARGO names one cargo alone. In a clone, warnings are errors, clippy and rustfmt have their say
# where they are there. Exits with 77 (skipped) where there is no cargo.
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2030,SC2031  # variables are meant for their subshell alone

set -eu

if [ $# -ne 1 ]; then
    echo "usage: rust.sh BUILD_DIRECTORY" >&2
    exit 2
fi
build=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/bindings/installed.sh
. "$root/tests/bindings/installed.sh"

# A program and the others of its folder: cargo takes rustc from the PATH. Each version once.
cargos=$work/cargos
each_cargo()
{
    if [ -n "${CARGO:-}" ]; then
        command -v "$CARGO"
        return
    fi
    echo "$PATH" | tr : '\n' | while read -r folder; do
        version=$("$folder/cargo" --version 2>/dev/null) || continue
        grep -qxF "$version" "$work/versions" 2>/dev/null && continue
        echo "$version" >>"$work/versions"
        echo "$folder/cargo"
    done
}
each_cargo >"$cargos" || true
[ -s "$cargos" ] || skip "the Rust crate is left out: ${CARGO:-cargo} is missing" cargo

install_build "$work/a libcae"
crate="$work/a crate"
mkdir "$crate"
(cd "$root/examples/rust" && cp -r Cargo.toml Cargo.lock build.rs rustfmt.toml src examples tests "$crate")
awk '/^```/ { inside = $0 == "```rust"; next } inside' "$root/README.md" >"$crate/examples/readme.rs"
cp -r "$crate" "$work/as it was"

export CARGO_HOME="$work/cargo home" CARGO_NET_OFFLINE=true
unset LIBCAE_LIB_DIR LIBCAE_STATIC RUSTFLAGS RUSTDOCFLAGS CARGO_BUILD_TARGET RUST_BACKTRACE
[ ! -e "$root/.git" ] || export RUSTFLAGS='-D warnings' RUSTDOCFLAGS='-D warnings'

# run_cargo TARGET ARGUMENT...: with the tools of its folder before others. $cargo, $libdir.
run_cargo()
{
    target=$1
    shift
    (cd "$crate" && PATH="$(dirname "$cargo"):$PATH" LD_LIBRARY_PATH=$libdir \
        CARGO_TARGET_DIR="$work/$target" "$cargo" "$@" --offline </dev/null)
}

whole() # TARGET
{
    "$cargo" --version
    run_cargo "$1" test --quiet || fail "cargo test"
    run_cargo "$1" build --quiet --example denoise || fail "cargo build"
    needs_library "$work/$1/debug/examples/denoise" yes
    use "$work/$1/debug/examples/denoise" "$1" denoise.safetensors
    run_cargo "$1" build --quiet --example clean || fail "cargo build of clean"
    cleans "$work/$1/debug/examples/clean" "clean-$1" "$work/run-$1/denoise.safetensors"
    readme "$1"
    run_cargo "$1" doc --quiet --no-deps || fail "cargo doc"
    [ -e "$root/.git" ] || return 0
    if [ -x "$(dirname "$cargo")/cargo-clippy" ]; then
        run_cargo "$1" clippy --quiet --all-targets || fail "clippy"
    fi
}

# README's program, as it stands there, learns something and saves it.
readme() # TARGET
{
    run_cargo "$1" build --quiet --example readme || fail "README's program"
    mkdir "$work/readme-$1"
    (cd "$work/readme-$1" && LD_LIBRARY_PATH=$libdir "$work/$1/debug/examples/readme") >"$work/readme.out"
    [ -s "$work/readme-$1/denoiser.safetensors" ] || fail "README's program saves nothing"
    awk 'NR == 1 { first = $1 } END { exit !(NR == 20 && $1 < first) }' "$work/readme.out" ||
        fail "README's program learns nothing: $(cat "$work/readme.out")"
}

# ---- what build.rs decides and says ---------------------------------------------------------------

# refuses LABEL WORD...: the build ends with a message that has the words, and without a panic.
refuses()
{
    label=$1
    shift
    if run_cargo "$label" build >"$work/$label.log" 2>&1; then
        fail "$label: the crate builds"
    fi
    for word in "$@"; do
        grep -qF -- "$word" "$work/$label.log" || fail "$label: no '$word' in $(cat "$work/$label.log")"
    done
    grep -q 'exit status: 1)' "$work/$label.log" || fail "$label: $(cat "$work/$label.log")"
    ! grep -q 'panicked' "$work/$label.log" || fail "$label: $(cat "$work/$label.log")"
    grep '^  error:' "$work/$label.log"
}

messages()
{
    (
        export PKG_CONFIG=/nonexistent/pkg-config
        refuses no-pkg-config 'apt-get install pkg-config' /nonexistent/pkg-config LIBCAE_LIB_DIR
    )
    mkdir "$work/pc-none" "$work/pc-old" "$work/pc-broken"
    sed 's/^Version:.*/Version: 0.0.9/' "$PKG_CONFIG_PATH/libcae.pc" >"$work/pc-old/libcae.pc"
    sed 's/^Requires.*/Requires.private: gone/' "$PKG_CONFIG_PATH/libcae.pc" \
        >"$work/pc-broken/libcae.pc"
    (
        export PKG_CONFIG_LIBDIR="$work/pc-none" PKG_CONFIG_PATH=
        refuses no-libcae 'apt-get install libcae-dev' PKG_CONFIG_PATH LIBCAE_LIB_DIR
    )
    (
        export PKG_CONFIG_LIBDIR="$work/pc-old" PKG_CONFIG_PATH=
        refuses old-libcae 'libcae 0.0.9 is too old' 0.1.0 libcae-dev
    )
    (
        export PKG_CONFIG_LIBDIR="$work/pc-broken" PKG_CONFIG_PATH=
        refuses broken-libcae gone
    )
    (
        export LIBCAE_LIB_DIR="$work/pc-none"
        refuses wrong-folder LIBCAE_LIB_DIR "$work/pc-none"
    )
    (
        cp "$libdir/libcae.so" "$crate/src" # there it would be found, from the crate's folder
        export LIBCAE_LIB_DIR=src
        refuses relative-folder LIBCAE_LIB_DIR 'the whole path'
        rm "$crate/src/libcae.so"
    )
    echo "ok: what build.rs says"
}

# links LABEL yes|no: the example works, and with the shared library or without.
links()
{
    run_cargo "$1" build --quiet --example denoise || fail "$1: cargo build"
    needs_library "$work/$1/debug/examples/denoise" "$2"
    use "$work/$1/debug/examples/denoise" "$1" denoise.safetensors
}

other_ways()
{
    (
        export LIBCAE_LIB_DIR="$libdir" PKG_CONFIG=/nonexistent/pkg-config
        links folder yes
    )
    [ -f "$libdir/libcae.a" ] || {
        echo "left out: static (this build has no libcae.a)"
        return 0
    }
    export LIBCAE_STATIC=1
    links static no
    (
        export LIBCAE_LIB_DIR="$libdir" PKG_CONFIG=/nonexistent/pkg-config
        links static-folder no
    )
    unset LIBCAE_STATIC
}

# crosses EXPECTED WORDS VARIABLE=VALUE...: build.rs alone, as cargo runs it for another target.
crosses()
{
    expected=$1 words=$2
    shift 2
    env HOST=x86_64-unknown-linux-gnu TARGET=aarch64-unknown-linux-gnu "$@" "$work/build-rs" \
        >"$work/cross.log" 2>&1 && code=0 || code=$?
    if [ "$code" != "$expected" ] || ! grep -qF -- "$words" "$work/cross.log"; then
        fail "cross build with $*: no '$words' in $(cat "$work/cross.log")"
    fi
}

# A build for another machine is not given the library of this one.
cross_builds()
{
    PATH="$(dirname "$cargo"):$PATH" rustc --edition 2021 -o "$work/build-rs" "$crate/build.rs" ||
        fail "build.rs alone"
    cat >"$work/target-pkg-config" <<END
#!/bin/sh
case \$1 in
--modversion) echo 9.9.9 ;;
--cflags) echo "-I/target/include -L\$PKG_CONFIG_SYSROOT_DIR/target/lib -lcae" ;;
esac
END
    chmod +x "$work/target-pkg-config"
    theirs='rustc-link-search=native=/target/lib'
    mine="rustc-link-search=native=$libdir"
    program=$work/target-pkg-config
    (
        unset PKG_CONFIG
        crosses 1 'for aarch64-unknown-linux-gnu, and pkg-config would name' A=1
        crosses 1 LIBCAE_LIB_DIR A=1
        crosses 1 'would name' "PKG_CONFIG=$program" PKG_CONFIG_ALLOW_CROSS=0
        crosses 1 'would name' "HOST_PKG_CONFIG=$program"
        crosses 1 'would name' "PKG_CONFIG_x86_64_unknown_linux_gnu=$program"
        for name in PKG_CONFIG PKG_CONFIG_aarch64-unknown-linux-gnu \
            PKG_CONFIG_aarch64_unknown_linux_gnu TARGET_PKG_CONFIG; do
            crosses 0 "$theirs" "$name=$program"
            crosses 0 "rustc-link-search=native=/arm/target/lib" "$name=$program" \
                TARGET_PKG_CONFIG_SYSROOT_DIR=/arm
        done
        crosses 0 "$theirs" "TARGET_PKG_CONFIG=$program" PKG_CONFIG=/nonexistent
        crosses 0 "$mine" PKG_CONFIG_ALLOW_CROSS=1
        crosses 0 'rustc-link-lib=cae' "PKG_CONFIG_SYSROOT_DIR=$work/root"
        crosses 0 "$mine" "LIBCAE_LIB_DIR_aarch64_unknown_linux_gnu=$libdir" LIBCAE_LIB_DIR=/nonexistent
        crosses 0 'rustc-link-lib=cae' TARGET=x86_64-unknown-linux-gnu
        crosses 1 'would name' TARGET=x86_64-unknown-linux-musl
        export CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu
        refuses cross 'for aarch64-unknown-linux-gnu' LIBCAE_LIB_DIR
    )
    echo "ok: cross builds"
}

# The binding is newer than the library that the program finds.
old_library()
{
    cat >"$work/old.c" <<'END'
unsigned cae_version(void) { return 0x000009; }
const char *cae_version_string(void) { return "0.0.9"; }
END
    $CC -shared -fPIC -o "$work/old.so" "$work/old.c" || fail "$CC makes no library"
    if LD_LIBRARY_PATH=$libdir LD_PRELOAD=$work/old.so "$1" >"$work/old.log" 2>&1; then
        fail "an old library is taken"
    fi
    grep 'the library in use is libcae 0.0.9, this program needs 0.1.0 or newer' "$work/old.log" ||
        fail "an old library: $(cat "$work/old.log")"
    echo "ok: an old library"
}

# ---- all of it --------------------------------------------------------------------------------------

number=0
while read -r cargo; do
    number=$((number + 1))
    whole "target-$number"
done <"$cargos"
cargo=$(head -n 1 "$cargos")
messages
cross_builds
other_ways
old_library "$work/target-1/debug/examples/denoise"
if [ -e "$root/.git" ] && command -v cargo-fmt >/dev/null; then
    (cd "$crate" && cargo fmt --check) || fail "rustfmt would write it otherwise"
fi
diff -r "$work/as it was" "$crate" || fail "the crate's folder is not as it was"
