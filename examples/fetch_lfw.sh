#!/bin/sh
# Fetches the data set "Labeled Faces in the Wild" (Huang et al. 2007): 13,233 images of 5,749 people,
# 250 x 250, one folder a person. It is for research, and not ours to pass on.
#
#     sh examples/fetch_lfw.sh [--url URL] [--sha256 SUM] [DIR]
#
# DIR, `lfw` unless given, appears when all is there; if it is there already, nothing is done. The
# archive (about 180 MB; --url and --sha256 name another one) is fetched with curl or wget to
# DIR.tgz.part, where a broken download goes on when the command is run again, and must have the right
# SHA-256 before it is opened. Needs room for about 600 MB.
#
# SPDX-License-Identifier: BSD-2-Clause
set -eu

# The archive that scikit-learn takes too.
url=https://ndownloader.figshare.com/files/5976018
sum=055f7d9c632d7370e6fb4afc7468d40f970c34a80d4c6f50ffec63f5a8d536c0

unpacked='' # a folder of our own, until it gets its name

stop() { # WORDS
    echo "fetch_lfw: $*" >&2
    exit 1
}

have() { # PROGRAM
    command -v "$1" >/dev/null 2>&1
}

clean_up() {
    [ -z "$unpacked" ] || rm -rf "$unpacked"
    [ -s "$part" ] || rm -f "$part"
}

# ---- Arguments -----------------------------------------------------------------------------------

usage() {
    echo "usage: sh examples/fetch_lfw.sh [--url URL] [--sha256 SUM] [DIR]" >&2
    exit 2
}

parse() { # ARGUMENT...
    folder=lfw
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h)
            sed -n '2,/^# SPDX/s/^# \{0,1\}//p' "$0" | sed '$d'
            exit 0
            ;;
        --url | --sha256)
            [ $# -ge 2 ] || usage
            if [ "$1" = --url ]; then url=$2; else sum=$2; fi
            shift 2
            ;;
        -* | '') usage ;;
        *)
            [ $# -eq 1 ] || usage
            folder=$1
            shift
            ;;
        esac
    done
    while [ "${folder%/}" != "$folder" ] && [ "$folder" != / ]; do folder=${folder%/}; done
    case $folder in # so that no program takes it for an option
    /*) ;;
    *) folder=./$folder ;;
    esac
    part=$folder.tgz.part
}

check_needs() {
    parent=${folder%/*}
    [ -d "${parent:-/}" ] || stop "$parent: no such folder"
    if ! true 2>/dev/null >>"$part"; then stop "$part: cannot be written"; fi
    have curl || have wget || stop "curl or wget is needed"
    have sha256sum || have shasum || have openssl ||
        stop "sha256sum, shasum or openssl is needed to check the archive"
}

# ---- Download ------------------------------------------------------------------------------------

checksum() { # FILE
    if have sha256sum; then
        sha256sum <"$1"
    elif have shasum; then
        shasum -a 256 <"$1"
    else
        openssl dgst -sha256 -r <"$1"
    fi | sed 's/[^0-9a-f].*//'
}

is_right() {
    [ -s "$part" ] && [ "$(checksum "$part")" = "$sum" ]
}

download() { # goes on where an earlier download ended
    if have curl; then
        curl --fail --location --retry 3 --continue-at - --output "$part" "$url"
    else
        wget --tries=3 --continue --output-document="$part" "$url"
    fi
}

fetch() {
    if ! is_right; then
        echo "Fetching $url"
        download || stop "the download failed; run this again to go on with it, or remove" \
            "$part to begin anew"
    fi
    is_right || {
        rm -f "$part" # what is wrong would be wrong for ever
        stop "the archive is not the right one: its SHA-256 is not $sum"
    }
}

# ---- Unpacking -----------------------------------------------------------------------------------

# The checksum vouches for LFW; an archive of the user's own, --sha256, may hold anything.
check_archive() {
    unpacked=$(mktemp -d "$folder.XXXXXX") || stop "$folder: cannot be written"
    LC_ALL=C tar -tzf "$part" >"$unpacked/names" || stop "$part: damaged"
    LC_ALL=C tar -tvzf "$part" >"$unpacked/list" || stop "$part: damaged"
    [ -s "$unpacked/names" ] || stop "$part: empty"
    if grep -E '^/|(^|/)\.\.(/|$)' "$unpacked/names" >&2; then
        stop "$part: names a place outside of its folder; not unpacked"
    fi
    if grep -v '^[-d]' "$unpacked/list" >&2; then # links, devices
        stop "$part: holds what is neither file nor folder; not unpacked"
    fi
    rm "$unpacked/names" "$unpacked/list"
}

unpack() {
    check_archive
    tar -xzf "$part" -o --no-same-permissions -C "$unpacked" || stop "$part: cannot be unpacked"
    chmod -R u+rwX,go+rX,go-w "$unpacked"
    images=$(find "$unpacked" -type f -name '*.jpg' | wc -l)
    [ "$images" -gt 0 ] || stop "$part: holds no .jpg files"

    # The archive's own folder, where it has just one, is the one that is wanted.
    whole=$unpacked
    set -- "$unpacked"/*
    if [ $# -eq 1 ] && [ -d "$1" ]; then whole=$1; fi
    [ ! -e "$folder" ] || stop "$folder: has appeared meanwhile"
    mv "$whole" "$folder"
    rm -f "$part"
}

# ---- All of it -----------------------------------------------------------------------------------

# A function, so that the shell has read it all before it starts.
main() {
    parse "$@"
    if [ -d "$folder" ]; then
        echo "$folder is there already; nothing to do."
        exit 0
    fi
    [ ! -e "$folder" ] || stop "$folder: is there and is no folder"
    trap clean_up EXIT
    trap 'exit 1' HUP INT TERM
    check_needs
    fetch
    unpack
    cat <<END
$folder: $((images)) images. To train on them as the data set LFWcrop cuts and scales them:

    cae train --model cae-compress --data $folder --crop 83,92,84x84 --size 64x64 \\
        --split-by-person --epochs 10 --out faces.safetensors
END
}

main "$@"
