#!/bin/sh
# Builds libcae in every way that matters and runs every test; needs nothing but a clone. Results
# do not stop it: all stages run, and the last line sums up every test.
#
#     sh tests/run.sh            at most 20 minutes on 2 cores
#     sh tests/run.sh --long     and what takes longer: other processors, valgrind, LTO, long fuzzing
#     sh tests/run.sh STAGE...   these stages alone (--list names them)
#
# CAE_TEST_DATA may name a folder with real images; tests say so when they go without. Everything is
# built below build-tests/ in the root. A stage is a few lines of the table below: what it shows, which
# programs it needs, and what it runs in which build.
#
# SPDX-License-Identifier: BSD-2-Clause
set -u

NEEDED='gcc libc6-dev meson ninja-build pkg-config python3 zlib1g-dev'
WANTED='g++ clang libclang-rt-dev clang-format check libpng-dev libjpeg62-turbo-dev liblapacke-dev libopenblas-dev
    curl python3-numpy python3-torch git qemu-user cmake cargo abigail-tools doxygen man-db mandoc
    groff libopenmpi-dev openmpi-bin iproute2 mypy python3-pip python3-setuptools build-essential
    debhelper dh-python lintian devscripts locales python3-debian rpm rpmlint debootstrap'
WANTED_LONG='valgrind libc6-dbg chromium gcc-s390x-linux-gnu libc6-dev-s390x-cross
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
    gcc-riscv64-linux-gnu libc6-dev-riscv64-cross gcc-i686-linux-gnu libc6-dev-i386-cross'

cd "$(dirname "$0")/.." || exit 1
# shellcheck source=examples/packages.sh
. examples/packages.sh
ROOT=$(pwd)
BUILDS=$ROOT/build-tests
WATCHED='-Dassertions=true -Dbuildtype=debugoptimized -Db_lundef=false'
LEAN='threads undefined memory libfuzzer' # builds of what their tests run and no more
BRIEF='CAE_TEST_SHORT=1' # every fifth case of the kernels
STOP='halt_on_error=1:print_stacktrace=1'

# The stages decide about compilers and flags; a lower processor would hide the others' results.
unset CC CXX CFLAGS CXXFLAGS LDFLAGS CAE_CPU DESTDIR MESON_TESTTHREADS

# ---- the table -----------------------------------------------------------------------------------

# What is built how: compiler, C flags, meson's options.
# shellcheck disable=SC2086 # one word for each option
how() { # BUILD
    case $1 in
    release) configure gcc '' -Dwerror=true ;;
    clang) configure clang '' -Dwerror=true -Ddefault_library=shared ;;
    contract) configure gcc -ffp-contract=fast -Ddefault_library=static -Djpeg=disabled -Dunity=on ;;
    plain) configure gcc '' -Dsimd=false -Dtools=disabled -Ddocs=disabled -Dassertions=true -Dbuildtype=debug ;;
    lto) configure gcc -ffp-contract=fast -Db_lto=true ;;
    'a build with spaces') source="$BUILDS/a path with spaces" && copy_tree && configure gcc '' ;;
    # A sanitizer's checks make gcc warn of what cannot be: no werror.
    sanitize) configure gcc '' -Db_sanitize=address,undefined $WATCHED ;;
    threads) configure gcc '' -Db_sanitize=thread $WATCHED ;;
    undefined) configure clang '' -Db_sanitize=undefined $WATCHED ;;
    memory) configure clang '' -Db_sanitize=memory $WATCHED ;;
    libfuzzer) configure clang '' -Db_sanitize=address,undefined -Dlibfuzzer=true $WATCHED ;;
    *) configure gcc '' -Dwerror=true --cross-file "$BUILDS/foreign-$1/cross.ini" ;;
    esac
}

table() {
    stage release always 'gcc, warnings are errors: every test'
    tests release ''

    # What knows no tiers, most units, is not run again; sse2, four lanes as c has them, is what two
    # of the emulated processors run.
    stage cpus always 'the contracts with lesser tiers'
    for tier in c avx2 $(have qemu-x86_64 || echo sse2); do
        tests release '' --setup "cpu_$tier" --suite contract --no-suite rules
    done
    tests release '' --setup cpu_c strips

    stage emulated always 'other x86-64 processors: the tier that they should have, the same bits' qemu-x86_64
    needs release
    script emulated tests/stages/emulated.sh "$BUILDS/release" "$BUILDS/emulated"

    stage clang always 'clang, warnings are errors; only the shared library' clang
    tests clang '' --suite unit --suite kernels --suite contract

    stage sanitize always "gcc's sanitizers: addresses and undefined behaviour"
    tests sanitize "$BRIEF ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=$STOP" --no-suite rules

    stage undefined always "clang's sanitizer of undefined behaviour, which sees other things" clang
    tests undefined "$BRIEF UBSAN_OPTIONS=$STOP" --suite unit --suite kernels --suite contract --no-suite rules

    stage memory always "clang's sanitizer of memory: nothing depends on bytes that nobody wrote" clang
    tests memory "$BRIEF MSAN_OPTIONS=$STOP" --suite unit --suite kernels --suite contract --no-suite rules

    stage threads always 'data races: teams, models shared and moved, dense layers, parallel Adam'
    tests threads TSAN_OPTIONS=halt_on_error=1 --suite threads

    stage contract always "a user's flags do not change the numbers; static library, no libjpeg, unity"
    tests contract "$BRIEF" --suite unit --suite kernels --suite contract
    tests contract '' 'tool jpeg' 'tool faces' 'tool fetch_lfw'

    stage plain always 'without what is optional'
    tests plain "$BRIEF" --suite kernels --suite rules

    stage quickstart always "README's first command, with faces that it draws"
    # shellcheck disable=SC2016 # the inner shell expands
    program quickstart sh -c 'sh "$1" && test -s quickstart/report.html' sh "$ROOT/examples/quickstart.sh"

    stage package always 'what a distribution builds and its users install'
    [ $running = no ] || rm -rf "$BUILDS/package" "$BUILDS/package-rpm"
    beside rpm tests/package/rpm.sh "$BUILDS/package-rpm" # packing is work for one processor
    script deb tests/package/deb.sh "$BUILDS/package"
    [ ! -d "$BUILDS/package/one" ] || script tree tests/package/tree.sh "$BUILDS/package"
    wait
    count rpm

    stage subproject long 'inside another meson project, whose choices hold'
    script subproject tests/stages/subproject.sh "$BUILDS/outer"

    stage spaces long 'a clone in a path with spaces' git
    tests 'a build with spaces' '' --suite unit --suite contract --suite tool

    stage lto long 'link-time optimisation does not fuse what the tiers keep apart'
    tests lto '' --suite unit --suite kernels --suite contract

    stage valgrind long 'valgrind sees nothing in the units' valgrind
    tests release '' --setup valgrind --suite unit --no-suite threads

    stage fuzz long 'more of everything that has a measure'
    tests sanitize CAE_TEST_LONG=1 --suite fuzz --suite contract --suite kernels --no-suite rules \
        --timeout-multiplier 20
    tests release CAE_TEST_LONG=1 --suite kernels --suite contract --no-suite rules --timeout-multiplier 20

    stage libfuzzer long 'a million inputs of each fuzz target, found by what they reach' clang
    tests libfuzzer "UBSAN_OPTIONS=$STOP" --suite fuzz

    stage browser long 'the report of the study, as a browser shows it' chromium
    needs release
    program browser env "CAE_TOOL=$BUILDS/release/examples/tool/cae" \
        "CAE_PAPER=$BUILDS/release/examples/paper/cae-paper" python3 "$ROOT/tests/paper/test_browser.py"

    foreign s390x s390x s390x s390x-linux-gnu big 'big-endian'
    foreign aarch64 arm64 aarch64 aarch64-linux-gnu little '64 bits of another family'
    foreign armhf armhf arm arm-linux-gnueabihf little '32 bits, no vectors'
    foreign riscv64 riscv64 riscv64 riscv64-linux-gnu little 'RISC-V'
    foreign i386 i386 x86 i686-linux-gnu little '32 bits; without SSE2 a status in words'
    [ "$emulator" = "$runner" ] || # it runs natively
        tests i386 '' --suite contract --no-suite rules --timeout-multiplier 5
    script lesser tests/stages/lesser.sh "$BUILDS/i386" "$emulator" "$BUILDS/foreign-i386"

    stage buildd long "the builds as a distribution's machines do them, with all tests"
    script buildd tests/package/deb.sh --tested
    script rpmbuild tests/package/rpm.sh --tested

    stage fresh long "README's commands in a Debian that has nothing but a clone"
    script fresh tests/stages/fresh.sh "$BUILDS/fresh"
}

foreign() { # STAGE ARCHITECTURE FAMILY TRIPLET ENDIAN SHOWS: another processor, emulated
    qemu="qemu-$3" emulator='' runner=''
    [ "$3" != x86 ] || qemu="qemu-i386"
    stage "$1" long "$6" "$4-gcc" "$qemu" apt-get
    work=$BUILDS/foreign-$2
    script "root-$2" tests/stages/foreign.sh "$2" "$3" "$4" "$5" "$work" || running=no
    [ $running = no ] || { emulator=$(cat "$work/emulator") && runner=$(cat "$work/runner"); }
    tests "$2" CK_TIMEOUT_MULTIPLIER=20 --suite unit --suite kernels --suite files --timeout-multiplier 20
    needs release
    script "exchange-$2" tests/stages/exchange.sh "$BUILDS/release/examples/tool/cae" \
        "$runner $BUILDS/$2/examples/tool/cae" "$BUILDS/exchange-$2"
}

# ---- counting ------------------------------------------------------------------------------------

passed=0 failed=0 skipped=0
left_out=''
broken=''
running=no # whether the stage is wanted and can go on
built=''   # by this run, or found and brought up to date

add() { # PASSED FAILED SKIPPED
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

leave_out() { # WHAT WHY
    echo "-- left out: $1: $2"
    left_out="$left_out
  $1: $2"
    add 0 0 1
}

fail() { # WHAT
    echo "-- FAILED: $1"
    broken="$broken
  $1"
    add 0 1 0
}

# ---- the words of the table ------------------------------------------------------------------------

stage() { # NAME always|long SHOWS [PROGRAM...]
    if [ "$purpose" = list ]; then
        echo "$1 $2 $3"
        return
    fi
    end_stage
    case " $chosen " in
    *" $1 "*) ;;
    *) return ;;
    esac
    stage=$1 running=yes began_stage=$(date +%s)
    echo "== $1"
    shift 3
    for program in "$@"; do
        have "$program" || { leave_out "$stage" "no $program"; running=no; return; }
    done
}

end_stage() {
    [ -z "$stage" ] || echo "   $(($(date +%s) - began_stage)) s"
    stage='' running=no
}

configure() { # COMPILER FLAGS [OPTION...]
    compiler=$1 flags=$2
    shift 2
    CC=$compiler CXX=$(echo "$compiler" | sed 's/gcc/g++/; s/clang/clang++/') CFLAGS=$flags \
        meson setup "$folder" "$source" -Dtests=auto -Dexamples=auto "$@"
}

# A build, for the stage or for the tests that follow: made anew, but for what another stage has made of
# a shared one, which is brought up to date. Without it the stage ends.
needs() { # BUILD
    [ $running = yes ] || return 0
    case "|$built|" in
    *"|$1|"*) return ;;
    esac
    folder=$BUILDS/$1 source=$ROOT
    shared=no
    case $1 in
    release | sanitize) [ "$1" = "$stage" ] || shared=yes ;;
    esac
    [ $shared = yes ] || rm -rf "$folder"
    mkdir -p "$folder"
    : >"$folder.log"
    if [ ! -f "$folder/build.ninja" ]; then
        how "$1" >"$folder.log" 2>&1 || rm -f "$folder/build.ninja"
    fi
    case " $LEAN " in
    *" $1 "*) [ -f "$folder/build.ninja" ] ;;
    *) ninja -C "$folder" >>"$folder.log" 2>&1 ;;
    esac || {
        tail -n 30 "$folder.log"
        fail "build $1"
        running=no
        return
    }
    built="$built|$1"
}

sum() { # NAMES LOG: of the numbers behind these in meson's summary, which ends the log
    tail -n 12 "$2" | awk -F ': *' -v "names=^($1)\$" '$1 ~ names { n += $2 } END { print n + 0 }'
}

tests() { # BUILD VARIABLES [ARGUMENT...]: `meson test` in the build, which makes what is missing there
    needs "$1"
    [ $running = yes ] || return 0
    runs=$((runs + 1))
    folder=$BUILDS/$1 variables=$2 log=$BUILDS/$stage-$runs.log
    shift 2
    # shellcheck disable=SC2086 # one word for each variable
    env $variables meson test -C "$folder" --print-errorlogs --logbase "$stage-$runs" "$@" >"$log" 2>&1
    status=$?
    ok=$(sum 'Ok|Expected Fail' "$log") bad=$(sum 'Fail|Unexpected Pass|Timeout' "$log")
    off=$(sum Skipped "$log")
    add "$ok" "$bad" "$off"
    echo "   $stage${*:+ $*}: $ok passed, $bad failed, $off skipped"
    grep -E '^ *[0-9]+/[0-9]+ .* SKIP ' "$log" | sed -E 's/^ *[0-9]+\/[0-9]+ +/     skipped: /; s/ +SKIP.*//'
    if [ "$bad" -gt 0 ]; then
        sed -n '/^Summary of Failures/,$p' "$log" | grep -E '^ *[0-9]+/' | sed 's/^/   /'
        echo "   see $log"
    elif [ $status -ne 0 ] || [ $((ok + off)) -eq 0 ]; then
        tail -n 20 "$log"
        fail "$stage: meson test ended with $status"
    fi
}

program() { # LABEL COMMAND...: one check, in a folder of its own
    [ $running = yes ] || return 0
    folder=$BUILDS/program-$1 label=$1
    shift
    rm -rf "$folder"
    mkdir -p "$folder"
    if (cd "$folder" && "$@") >"$folder.log" 2>&1; then
        echo "   $label: as it should be"
        add 1 0 0
    else
        tail -n 20 "$folder.log"
        fail "$label"
    fi
}

script() { # LABEL SCRIPT ARGUMENT...: it counts its own checks, and exits with 77 when it can make none
    beside "$@"
    [ $running = no ] || wait $!
    count "$1"
}

beside() { # LABEL SCRIPT ARGUMENT...: beside what follows, up to `count LABEL`
    [ $running = yes ] || return 0
    log=$BUILDS/script-$1.log
    shift
    (
        sh "$@" >"$log" 2>&1
        echo $? >"$log.status"
    ) &
}

count() { # LABEL
    [ $running = yes ] || return 0
    log=$BUILDS/script-$1.log
    status=$(cat "$log.status")
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
    ok=${line%% *} bad=$(echo "$line" | sed 's/.*, \([0-9]*\) failed/\1/')
    if [ "$status" -eq 77 ]; then
        leave_out "$1" "$(tail -n 1 "$log" | sed 's/^SKIP: //')"
        return 77
    fi
    add "${ok:-0}" "${bad:-0}" 0
    echo "   $1: ${line:-ended early}"
    if [ "$status" -ne 0 ]; then
        grep -A 20 '^FAILED' "$log"
        [ "${bad:-0}" -gt 0 ] || fail "$1"
    fi
    return "$status"
}

copy_tree() { # to $source: what a clone would hold, with changes not yet committed
    rm -rf "$source"
    mkdir -p "$source"
    git ls-files -co --exclude-standard | tar -cf - -T - | tar -xf - -C "$source"
}

# ---- all of it ----------------------------------------------------------------------------------------

prepare() {
    mkdir -p "$BUILDS" || exit 1
    if ! have apt-get dpkg-query; then
        echo "No apt here. Wanted: a C compiler, meson, ninja, pkg-config, zlib, Check, libpng, NumPy."
    else
        packages=$WANTED
        [ "$long" = no ] || packages="$WANTED $WANTED_LONG"
        # shellcheck disable=SC2086
        install_packages $NEEDED $packages || install_packages $NEEDED || true
    fi
    have meson ninja pkg-config python3 || {
        echo "meson, ninja, pkg-config and python3 are needed to go on"
        exit 1
    }
    [ -n "${CAE_TEST_DATA:-}" ] || leave_out 'real images' 'CAE_TEST_DATA is not set'
    /usr/bin/python3 -c 'import torch' 2>/dev/null || leave_out PyTorch 'python3-torch is not installed'
}

# A function, so that the shell has read it all before it starts.
main() {
    purpose=list stage='' runs=0 long=no
    rows=$(table)
    always=$(echo "$rows" | sed -n 's/ always .*//p' | xargs)
    lengthy=$(echo "$rows" | sed -n 's/ long .*//p' | xargs)
    chosen=''
    for argument in "$@"; do
        case $argument in
        --long) long=yes ;;
        --list)
            echo "$rows" | sed -E 's/^([a-z0-9]+) always /\1: /; s/^([a-z0-9]+) long /\1 (--long): /'
            exit 0
            ;;
        --help | -h) sed -n '2,/^# SPDX/s/^# \{0,1\}//p' tests/run.sh | sed '$d'; exit 0 ;;
        *)
            case " $always $lengthy " in
            *" $argument "*) chosen="$chosen $argument" ;;
            *) echo "run.sh: unknown stage $argument; there are: $always $lengthy" >&2; exit 2 ;;
            esac
            ;;
        esac
    done
    if [ -z "$chosen" ]; then
        chosen=$always
        [ "$long" = no ] || chosen="$always $lengthy"
    fi
    for name in $chosen; do # a stage asked for by name may need what only --long installs
        case " $lengthy " in *" $name "*) long=yes ;; esac
    done

    began=$(date +%s) purpose=run
    echo "== packages"
    prepare
    table
    end_stage
    echo "== result, after $(($(date +%s) - began)) s"
    [ -z "$left_out" ] || echo "Left out:$left_out"
    [ -z "$broken" ] || echo "Failed beside single tests:$broken"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

main "$@"; exit # and no line of a file that has changed meanwhile is read
