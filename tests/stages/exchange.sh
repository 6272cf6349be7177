#!/bin/sh
# Twenty steps of training here and on another processor give the same file, and either reads what the
# other wrote.
#
#     sh tests/stages/exchange.sh TOOL 'EMULATOR OTHER-TOOL' WORK
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/../package/common.sh"

here=$1 there=$2
rm -rf "$3"
mkdir -p "$3"
cd "$3" || exit 1
work=$(pwd)

cae() { # SIDE ARGUMENT...
    command=$here
    [ "$1" = here ] || command=$there
    shift
    # shellcheck disable=SC2086 # the emulator's words
    $command "$@"
}

train() { # SIDE
    cae "$1" synth --quiet --count 4 --out "$1-faces" &&
        cae "$1" train --quiet --model cae-compress --data "$1-faces" --steps 20 --batch 1 \
            --threads 2 --reproducible --out "$1.safetensors" &&
        cae "$1" compress "$1.safetensors" "$1-faces/face-000001.png" "$1.cae"
}

read_both() { # SIDE
    cae "$1" decompress here.safetensors here.cae "here-$1.png" &&
        cae "$1" decompress there.safetensors there.cae "there-$1.png"
}

equal() {
    cmp here.safetensors there.safetensors && read_both here && read_both there &&
        cmp here-here.png there-here.png && cmp here-there.png there-there.png
}

check 'training here' train here
check 'training there' train there
check 'the same files, read by either' equal
finish
