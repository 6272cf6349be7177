# Debian packages for examples/quickstart.sh and tests/run.sh, which read this file with `.`:
# installs what is missing after printing the command, or says what to install.
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=sh

have() { # PROGRAM...
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
}

absent() { # PACKAGE...: those that are not installed
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
            printf '%s ' "$package"
    done
}

as_root() { # COMMAND...
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_get() { # ARGUMENT...: apt-get without questions, silent unless it fails
    log=$(mktemp) || return 1
    status=0
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >"$log" 2>&1 || status=$?
    [ $status -eq 0 ] || tail -n 5 "$log" >&2
    rm -f "$log"
    return $status
}

install_packages() { # PACKAGE...
    packages=$(absent "$@")
    [ -n "$packages" ] || return 0
    command="apt-get install -y --no-install-recommends $packages"
    if [ "$(id -u)" -ne 0 ] && ! have sudo; then
        echo "Neither root nor sudo; please install what is missing:"
        echo "    $command"
        return 1
    fi
    echo "\$ $command"
    apt_get update || true # an old list may do
    # shellcheck disable=SC2086 # one word for each package
    apt_get install -y --no-install-recommends $packages
}
