#!/bin/sh
# From a fresh clone to a report in a few minutes: builds libcae, trains a simple and a
# convolutional autoencoder to compress faces, and the paper's convolutional one and a U-net to
# remove noise, and tries them on faces that they have not seen.
#
#     sh examples/quickstart.sh          draws the faces itself
#     sh examples/quickstart.sh DIR      takes the pictures in DIR (PNG, PGM, PPM); if it holds the
#                                        folders train and val, the unseen ones come from val
#
# Leaves quickstart/report.html in the current folder, with everything that it was made from beside
# it. Exits with 1 if restoring does not beat the mean face or a de-noiser does not beat its input.
# On Debian it installs missing packages, after printing the command.
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu

NEEDED='gcc libc6-dev meson ninja-build pkg-config python3 zlib1g-dev libpng-dev'
SIGMA=25
SHOWN=10 # faces in the report
FOLDERS='faces networks noisy denoised-cae denoised-unet compressed restored-sae restored-cae
    restored-file'

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$root/build-quickstart
cae=$build/examples/tool/cae
out=$(pwd)/quickstart
began=$(date +%s)

# shellcheck source=examples/packages.sh
. "$root/examples/packages.sh"

stop() { # WORDS
    echo "quickstart: $*" >&2
    exit 1
}

headline() { # WORDS
    echo "== $(($(date +%s) - began)) s: $*"
}

# ---- Packages and build --------------------------------------------------------------------------

ready() { # is all there, whoever installed it?
    have cc meson ninja pkg-config python3 && pkg-config --exists zlib libpng
}

prepare() {
    ready && return
    have apt-get dpkg-query ||
        stop "please install a C compiler, meson, ninja, pkg-config, Python 3, zlib and libpng"
    # shellcheck disable=SC2086 # one word for each package
    install_packages $NEEDED || stop "packages are missing"
    ready || stop "something is still missing of: $NEEDED"
}

build_tool() {
    [ -f "$build/build.ninja" ] || {
        rm -rf "$build"
        meson setup "$build" "$root" --buildtype=release -Ddefault_library=static \
            -Dtools=enabled || return
    }
    meson compile -C "$build"
}

# ---- Faces and networks, all in the folder quickstart --------------------------------------------

clear_folder() { # of what an earlier run has left, and of nothing else
    mkdir -p "$out"
    cd "$out"
    # shellcheck disable=SC2086 # one word for each folder
    rm -rf $FOLDERS
    rm -f report.html commands.txt version.txt build.log
    # shellcheck disable=SC2086
    mkdir $FOLDERS
}

run() { # ARGUMENT...: runs the command cae, and notes it for the report
    echo "cae $*" >>commands.txt
    "$cae" "$@"
}

get_faces() {
    if [ -n "$source" ]; then
        python3 "$root/examples/report/faces.py" "$cae" "$source" faces
    else
        run synth --count 300 --seed 1 --out faces/train
        run synth --count 100 --seed 2 --out faces/unseen
    fi
}

train() { # NAME MODEL SIGMA OPTION...: and measures, on faces trained on and on unseen ones
    headline "training $1"
    network=networks/$1
    model=$2
    sigma=$3
    shift 3
    run train --model "$model" --data faces/train --val faces/unseen "$@" --reproducible \
        --log "$network.csv" --out "$network.safetensors"
    run eval "$network.safetensors" faces/unseen --noise "$sigma" --json >"$network.unseen.json"
    run eval "$network.safetensors" faces/train --noise "$sigma" --json >"$network.train.json"
    run info "$network.safetensors" --json >"$network.info.json"
}

use_networks() { # on every unseen face, each with noise of its own
    cat >>commands.txt <<END
cae compress networks/cae-compress.safetensors faces/unseen/FACE.png compressed/FACE.cae
cae decompress networks/cae-compress.safetensors compressed/FACE.cae restored-file/FACE.png
cae noise --sigma $SIGMA --seed N faces/unseen/FACE.png noisy/FACE.png
cae denoise networks/cae-denoise.safetensors noisy/FACE.png denoised-cae/FACE.png
cae denoise --sigma $SIGMA networks/unet-denoise-fast.safetensors noisy/FACE.png \\
    denoised-unet/FACE.png
END
    number=0
    for face in faces/unseen/*.png; do
        name=$(basename "$face" .png)
        number=$((number + 1))
        "$cae" compress networks/cae-compress.safetensors "$face" "compressed/$name.cae"
        "$cae" decompress networks/cae-compress.safetensors "compressed/$name.cae" \
            "restored-file/$name.png"
        "$cae" noise --sigma $SIGMA --seed $number "$face" "noisy/$name.png"
        "$cae" denoise networks/cae-denoise.safetensors "noisy/$name.png" \
            "denoised-cae/$name.png"
        "$cae" denoise --sigma $SIGMA networks/unet-denoise-fast.safetensors "noisy/$name.png" \
            "denoised-unet/$name.png"
    done
}

restore_shown() { # without quantiser; only some faces, for the simple network is slow to load
    every=$(((number + SHOWN - 1) / SHOWN))
    number=0
    for face in faces/unseen/*.png; do
        name=$(basename "$face")
        if [ $((number % every)) -eq 0 ]; then
            "$cae" denoise networks/sae-compress.safetensors "$face" "restored-sae/$name"
            "$cae" denoise networks/cae-compress.safetensors "$face" "restored-cae/$name"
        fi
        number=$((number + 1))
    done
}

# ---- All of it -----------------------------------------------------------------------------------

# A function, so that the shell has read it all before it starts.
main() {
    source=''
    [ $# -le 1 ] || set -- -
    case ${1:-} in
    --help | -h)
        sed -n '2,/^# SPDX/s/^# \{0,1\}//p' "$0" | sed '$d'
        exit 0
        ;;
    -*)
        echo "usage: sh examples/quickstart.sh [DIR]" >&2
        exit 2
        ;;
    '') ;;
    *)
        source=$(CDPATH='' cd -- "$1" && pwd) || stop "$1: no such folder"
        case $source/ in
        "$out"/*) stop "$1: this folder is emptied at the start; move the faces elsewhere" ;;
        esac
        ;;
    esac

    headline "packages"
    prepare
    began=$(date +%s) # how long packages take is the network's affair

    headline "building in $build"
    clear_folder
    build_tool >build.log 2>&1 || {
        tail -n 30 build.log >&2
        stop "the build failed; all of it is in $out/build.log"
    }
    "$cae" --version >version.txt

    headline "faces"
    get_faces
    # The two that are compared learn alike. De-noising takes longer to learn: more, smaller steps.
    train sae-compress sae-compress 0 --steps 400 --batch 32
    train cae-compress cae-compress 0 --steps 400 --batch 32
    train cae-denoise cae-denoise $SIGMA --noise $SIGMA --steps 800 --batch 16 --lr 0.002
    # As many steps of as many faces, for all levels of noise.
    train unet-denoise-fast "$root/examples/report/unet-denoise-64.txt" $SIGMA --noise 5-75 \
        --steps 800 --batch 16 --lr 0.005 --schedule linear --warmup 0.05

    headline "compressing, restoring and de-noising unseen faces"
    use_networks
    restore_shown

    headline "report"
    status=0
    python3 "$root/examples/report/report.py" . "${source:-synth}" || status=$?
    headline "done"
    [ ! -f report.html ] || echo "The report: $out/report.html"
    [ $status -eq 0 ] || stop "the networks did not learn what they should (see above)"
}

main "$@"
