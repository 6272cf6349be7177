#!/bin/sh
# On a 32-bit x86 without SSE2 library and command say so, and end without an illegal instruction.
#
#     sh tests/stages/lesser.sh BUILD 'EMULATOR' WORK
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/../package/common.sh"

build=$1 emulator=$2 work=$3

refuses() { # PROCESSOR
    # shellcheck disable=SC2086 # the emulator's words
    $emulator -cpu "$1" "$build/tests/contract/test_processor" lesser || return
    # shellcheck disable=SC2086
    $emulator -cpu "$1" "$build/examples/tool/cae" --version >"$work/words" 2>&1
    status=$?
    cat "$work/words"
    [ $status -eq 1 ] && grep -q 'no SSE2' "$work/words"
}

for processor in pentium2 pentium3; do
    check "$processor: refused in words" refuses $processor
done
finish
