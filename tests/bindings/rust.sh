#!/bin/sh
# Builds and runs examples/rust with plain rustc against a shared library that is already built.
#
#     sh tests/bindings/rust.sh PATH_OF_LIBCAE_SO
#
# RUSTC is honoured. Exits with 77 (skipped) where there is no rustc.
# SPDX-License-Identifier: BSD-2-Clause

set -eu

if [ $# -ne 1 ]; then
    echo "usage: rust.sh PATH_OF_LIBCAE_SO" >&2
    exit 2
fi
libdir=$(cd "$(dirname "$1")" && pwd)
root=$(cd "$(dirname "$0")/../.." && pwd)
RUSTC=${RUSTC:-rustc}

if ! command -v "$RUSTC" >/dev/null; then
    echo "SKIP: the Rust example is left out: $RUSTC is missing (Debian: apt-get install rustc)"
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$RUSTC" --version
"$RUSTC" --edition 2021 -D warnings -C opt-level=1 -L "native=$libdir" -l cae \
    -o "$work/rust" "$root/examples/rust/main.rs"
cd "$work"
LD_LIBRARY_PATH=$libdir ./rust
[ -f rust.safetensors ] || {
    echo "FAILED: no rust.safetensors was written" >&2
    exit 1
}
