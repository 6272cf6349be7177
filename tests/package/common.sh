# What the scripts of this folder share; they read it with `.`: counting of checks, and the source
# package as a distribution would get it.
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh disable=SC2034,SC2154 # `version` is for the scripts, `work` is theirs

root=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" "$root/meson.build")
passed=0 failed=0

# A caller's flags, locale and own programs are not the package's.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
unset CC CXX CFLAGS CXXFLAGS LDFLAGS CAE_CPU DESTDIR LIBCAE MAKEFLAGS
unset DEB_BUILD_OPTIONS DEB_BUILD_PROFILES SOURCE_DATE_EPOCH
export LC_ALL=C.UTF-8

ok() { # WHAT
    echo "ok: $*"
    passed=$((passed + 1))
}

bad() { # WHAT
    echo "FAILED: $*"
    failed=$((failed + 1))
}

check() { # WHAT COMMAND...: one check; what it prints is shown if it fails
    what=$1
    shift
    if "$@" >"$work/check.log" 2>&1; then
        ok "$what"
    else
        bad "$what"
        tail -n 20 "$work/check.log" | sed 's/^/    /'
    fi
}

must() { # LOG COMMAND...: a step without which nothing else makes sense
    log=$1
    shift
    "$@" >"$log" 2>&1 && return 0
    tail -n 30 "$log"
    echo "FAILED: $* (see $log)"
    exit 1
}

finish() { # the closing line, and the exit status
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

need() { # PACKAGE PROGRAM...: or the script is skipped
    package=$1
    shift
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 && continue
        echo "SKIP: $program is missing (Debian: apt-get install $package)"
        exit 77
    done
}

manual_pages() { # the names in section 3: the library's page, and one for each function
    echo libcae
    sed -n 's/^    \(cae_.*\);/\1/p' "$root/lib/cae.map"
}

shipped_models() { # the files of the models that are finished, as they are installed
    for file in "$root"/examples/models/*.safetensors; do
        [ ! -e "$file" ] || echo "usr/share/libcae/models/${file##*/}"
    done
}

# The tree as a release holds it: what git tracks and what is not yet committed, but for what is
# ignored. Where there is no git, the folder as it is without builds.
export_tree() { # FOLDER
    mkdir -p "$1"
    if git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
        (cd "$root" && git ls-files -co --exclude-standard |
            while IFS= read -r file; do [ ! -e "$file" ] || printf '%s\n' "$file"; done |
            tar -cf - -T -) | tar -xf - -C "$1"
    else
        (cd "$root" && tar -cf - --exclude='./build*' .) | tar -xf - -C "$1"
    fi
}

# The archive of a release: the same bytes for the same files, whoever packs it.
pack() { # FOLDER ARCHIVE.tar.xz
    (cd "$(dirname "$1")" && tar --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner \
        --mode=go+rX,u+rw,go-w -cf - "$(basename "$1")" | xz -1 -T1 >"$2")
}
