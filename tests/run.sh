#!/bin/sh
# Builds libcae in every way that matters and runs every test; needs nothing but a clone. Results
# do not stop it: all stages run, and the last line sums up every `meson test`.
#
#     sh tests/run.sh            at most 20 minutes on 2 cores
#     sh tests/run.sh --long     and what takes longer: other processors, valgrind, LTO, long fuzzing
#     sh tests/run.sh STAGE...   these stages alone (--list names them)
#
# CAE_TEST_DATA may name a folder with real images; tests say so when they go without. Everything is
# built below build-tests/ in the root.
#
# SPDX-License-Identifier: BSD-2-Clause
set -u

STAGES='release cpus emulated clang sanitize threads contract plain quickstart package'
LONG='subproject spaces lto valgrind fuzz browser s390x aarch64 armhf riscv64 i386 buildd
    fresh'

NEEDED='gcc libc6-dev meson ninja-build pkg-config python3 zlib1g-dev'
WANTED='g++ clang clang-format check libpng-dev libjpeg62-turbo-dev liblapacke-dev libopenblas-dev
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
passed=0 failed=0 skipped=0
left_out=''
broken=''
build_only='' # targets; all of them if empty

# The stages decide about compilers and flags; a lower processor would hide the others' results.
unset CC CXX CFLAGS CXXFLAGS LDFLAGS CAE_CPU DESTDIR MESON_TESTTHREADS

# ---- counting ------------------------------------------------------------------------------------

now() {
    date +%s
}

leave_out() { # WHAT WHY
    echo "-- left out: $1: $2"
    left_out="$left_out
  $1: $2"
    skipped=$((skipped + 1))
}

fail() { # WHAT
    echo "-- FAILED: $1"
    broken="$broken
  $1"
    failed=$((failed + 1))
}

results() { # LOG PATTERN: how many tests ended so
    grep -cE "\"result\": \"($2)\"" "$1"
}

# ---- packages -------------------------------------------------------------------------------------

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

# ---- building and testing ----------------------------------------------------------------------------

build() { # NAME [MESON-OPTION...], compilers and flags from the environment
    name=$1
    shift
    folder=$BUILDS/$name
    rm -rf "$folder"
    mkdir -p "$folder"
    # shellcheck disable=SC2086 # one word for each target
    if ! meson setup "$folder" "$@" >"$folder.log" 2>&1 ||
        ! ninja -C "$folder" $build_only >>"$folder.log" 2>&1; then
        tail -n 30 "$folder.log"
        fail "build $name"
        return 1
    fi
}

run_tests() { # BUILD LABEL [ARGUMENT...]
    folder=$BUILDS/$1
    label=$2
    shift 2
    log=$folder/meson-logs/$label
    meson test -C "$folder" --no-rebuild --print-errorlogs --logbase "$label" "$@" >"$log.out" 2>&1
    status=$?
    json=$log.json
    for named in "$log"-*.json; do # a set-up adds its name
        [ ! -f "$named" ] || json=$named
    done
    if [ ! -f "$json" ]; then
        tail -n 20 "$log.out"
        fail "$label: no test ran"
        return
    fi
    ok=$(results "$json" 'OK|EXPECTEDFAIL')
    bad=$(results "$json" 'FAIL|TIMEOUT|ERROR|INTERRUPT|UNEXPECTEDPASS')
    off=$(results "$json" 'SKIP')
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + off))
    echo "   $label: $ok passed, $bad failed, $off skipped"
    grep -E '^ *[0-9]+/[0-9]+ .* SKIP ' "$log.out" | sed -E 's/^ *[0-9]+\/[0-9]+ +/     skipped: /; s/ +SKIP.*//'
    if [ "$bad" -gt 0 ] || [ $status -ne 0 ]; then
        sed -n '/^Summary of Failures/,$p' "$log.out" | grep -E '^ *[0-9]+/' | sed 's/^/   /'
        echo "   see $log.txt"
        [ "$bad" -gt 0 ] || fail "$label: meson test ended with $status"
    fi
}

has_release() { # some stages use the release build of another
    if [ -f "$BUILDS/release/build.ninja" ]; then
        meson compile -C "$BUILDS/release" >>"$BUILDS/release.log" 2>&1
    else
        CC=gcc CXX=g++ build release -Dwerror=true
    fi
}

# ---- stages -------------------------------------------------------------------------------------------

stage_release() { # gcc, everything
    rm -rf "$BUILDS/release"
    has_release && run_tests release release
}

# The contracts with lesser tiers. What knows no tiers, most units, is not run again; sse2, four lanes
# as c has them, is what two of the emulated processors run.
stage_cpus() {
    has_release || return
    for tier in c avx2 $(have qemu-x86_64 || echo sse2); do
        run_tests release "cpu_$tier" --setup "cpu_$tier" --suite contract --no-suite rules
    done
    run_tests release cpu_c_strips --setup cpu_c strips
}

# Kernels, the weights after twenty steps and some contracts on processors that this one is not: no
# instruction that they lack, the tier that they should have, and the same bits. Briefly: every fifth
# case of the kernels, one thread.
stage_emulated() { # other x86-64 processors
    have qemu-x86_64 || { leave_out emulated 'no qemu-x86_64'; return; }
    [ "$(uname -m)" = x86_64 ] || { leave_out emulated 'only for x86-64'; return; }
    has_release || return
    emulator_refuses || return
    # The baseline; AVX but no AVX2; all of it. What runs on the first runs on any between.
    for processor in qemu64:sse2 SandyBridge:sse2 Haswell:fma; do
        emulate "${processor%:*}" "${processor#*:}" &
    done
    wait
    for processor in qemu64 SandyBridge Haswell; do
        emulated_result "$processor"
    done
}

# An emulator that runs what its processor cannot would show nothing.
emulator_refuses() {
    cat >"$BUILDS/avx2.c" <<'END'
#include <immintrin.h>
int main(void)
{
    volatile int x[8] = {0};
    __m256i y = _mm256_loadu_si256((const __m256i *)x);
    y = _mm256_add_epi32(y, y);
    return _mm256_extract_epi32(y, 3);
}
END
    if gcc -O1 -mavx2 "$BUILDS/avx2.c" -o "$BUILDS/avx2" && "$BUILDS/avx2" &&
        qemu-x86_64 -cpu Haswell "$BUILDS/avx2" 2>/dev/null &&
        ! sh -c 'qemu-x86_64 -cpu SandyBridge "$1"; exit $?' sh "$BUILDS/avx2" >/dev/null 2>&1; then
        return 0
    fi
    leave_out emulated 'this qemu does not tell processors apart, or this one has no AVX2'
    return 1
}

emulate() { # PROCESSOR TIER: its log ends with "equal" when all is well
    log=$BUILDS/emulated-$1.log
    : >"$log"
    for test in kernels/test_kernels contract/test_equal_weights contract/test_golden \
        contract/test_odd_networks; do
        # What qemu reads too much, see tests/kernels/trial.h. The tiers c and sse2 are tried on the
        # lesser processors.
        slack=0 first=c
        [ "$2" != fma ] || slack=32 first=avx2
        CAE_TEST_SLACK=$slack CAE_TEST_FROM=$first CAE_TEST_SHORT=1 CAE_GOLDEN=$ROOT/tests/golden \
            qemu-x86_64 -cpu "$1" "$BUILDS/release/tests/$test" >>"$log" 2>&1 ||
            { echo "$test failed" >>"$log"; return; }
    done
    grep -q "^CAE_CPU=fma uses $2\$" "$log" || { echo "not tier $2" >>"$log"; return; }
    echo equal >>"$log"
}

emulated_result() { # PROCESSOR
    if [ "$(tail -n 1 "$BUILDS/emulated-$1.log")" = equal ]; then
        echo "   $1: $(sed -n 's/^CAE_CPU=fma uses \(.*\)/tier \1/p' "$BUILDS/emulated-$1.log"), the same bits"
        passed=$((passed + 1))
    else
        tail -n 10 "$BUILDS/emulated-$1.log"
        fail "emulated $1"
    fi
}

stage_clang() { # warnings are errors; only the shared library
    have clang || { leave_out clang 'not installed'; return; }
    CC=clang CXX=clang++ build clang -Dwerror=true -Ddefault_library=shared &&
        run_tests clang clang --suite unit --suite kernels --suite contract
}

build_sanitize() { # a sanitizer's checks make gcc warn of what cannot be: no werror
    CC=gcc CXX=g++ build sanitize -Db_sanitize=address,undefined -Dbuildtype=debugoptimized \
        -Db_lundef=false
}

# Addresses and undefined behaviour. Every fifth case of the kernels; the stage fuzz takes all.
stage_sanitize() {
    build_sanitize &&
        CAE_TEST_SHORT=1 ASAN_OPTIONS=detect_stack_use_after_return=1 \
            UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run_tests sanitize sanitize --no-suite rules
}

stage_threads() { # data races; of all programs only those that the suite runs are built
    build_only='tests/unit/test_team tests/contract/test_threads tests/contract/test_fit_code'
    CC=gcc CXX=g++ build threads -Db_sanitize=thread -Dbuildtype=debugoptimized -Db_lundef=false &&
        TSAN_OPTIONS=halt_on_error=1 run_tests threads threads --suite threads
    build_only=''
}

# A user's flags do not change the numbers, as every fifth case of the kernels shows; only the static
# library; no libjpeg; unity does no harm.
stage_contract() {
    CC=gcc CXX=g++ CFLAGS=-ffp-contract=fast build contract -Ddefault_library=static \
        -Djpeg=disabled -Dunity=on &&
        CAE_TEST_SHORT=1 run_tests contract contract --suite unit --suite kernels --suite contract &&
        run_tests contract no-jpeg 'tool jpeg' 'tool faces' 'tool fetch_lfw'
}

stage_plain() { # without what is optional; kernels briefly, as above
    CC=gcc CXX=g++ build plain -Dsimd=false -Dtools=disabled -Ddocs=disabled -Dbuildtype=debug &&
        CAE_TEST_SHORT=1 run_tests plain plain --suite kernels --suite rules
}

stage_quickstart() { # the README's first command, with faces that it draws
    folder=$BUILDS/quick
    rm -rf "$folder"
    mkdir -p "$folder"
    start_quick=$(now)
    if (cd "$folder" && sh "$ROOT/examples/quickstart.sh") >"$folder.log" 2>&1 &&
        [ -s "$folder/quickstart/report.html" ]; then
        echo "   quick start: a report after $(($(now) - start_quick)) s"
        passed=$((passed + 1))
    else
        tail -n 20 "$folder.log"
        fail 'quick start'
    fi
}

# A script of tests/package, which counts its own checks.
checks() { # LABEL SCRIPT ARGUMENT...
    start_checks "$@"
    wait $!
    count_checks "$1"
}

start_checks() { # LABEL SCRIPT ARGUMENT...: beside what follows
    log=$BUILDS/package-$1.log
    shift
    (
        sh "$@" >"$log" 2>&1
        echo $? >"$log.status"
    ) &
}

count_checks() { # LABEL
    label=$1
    log=$BUILDS/package-$label.log
    status=$(cat "$log.status")
    if [ "$status" -eq 77 ]; then
        leave_out "$label" "$(tail -n 1 "$log" | sed 's/^SKIP: //')"
        return
    fi
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
    ok=${line%% *} bad=$(echo "$line" | sed 's/.*, \([0-9]*\) failed/\1/')
    passed=$((passed + ${ok:-0})) failed=$((failed + ${bad:-0}))
    echo "   $label: ${line:-ended early}"
    if [ "$status" -ne 0 ]; then
        grep -A 20 '^FAILED' "$log"
        [ "${bad:-0}" -gt 0 ] || fail "$label"
    fi
}

stage_package() { # what a distribution builds and its users install
    folder=$BUILDS/package
    rm -rf "$folder" "$folder-rpm"
    start_checks rpm tests/package/rpm.sh "$folder-rpm" # packing is work for one processor
    checks deb tests/package/deb.sh "$folder"
    if [ -d "$folder/one" ]; then
        checks tree tests/package/tree.sh "$folder"
    fi
    wait
    count_checks rpm
}

stage_buildd() { # the builds as a distribution's machines do them, with all tests
    checks buildd tests/package/deb.sh --tested
    checks rpmbuild tests/package/rpm.sh --tested
}

stage_subproject() { # inside of another meson project, whose choices hold
    outer=$BUILDS/outer
    rm -rf "$outer"
    mkdir -p "$outer/subprojects"
    ln -s "$ROOT" "$outer/subprojects/libcae"
    cat >"$outer/meson.build" <<'END'
project('outer', 'c')
test('outer', executable('outer', 'outer.c', dependencies: dependency('libcae')))
END
    cat >"$outer/outer.c" <<'END'
#include <cae/cae.h>
int main(void)
{
    cae_model *model;
    const int status = cae_model_new(&model, "cae-compress", 1);
    cae_model_free(model);
    return status != CAE_OK;
}
END
    cd "$outer" || exit 1
    for kind in shared static both; do
        # By its own default or by the option.
        sed -i "s/^project.*/project('outer', 'c', default_options: ['default_library=$kind'])/" \
            meson.build
        outer_has "subproject_$kind" $kind
    done
    outer_has subproject_asked static -Ddefault_library=static -Dunity=subprojects
    sed -i "s/^project.*/project('outer', 'c')/; s/('libcae')/('libcae', static: true)/" meson.build
    outer_has subproject_dependency static
    cd "$ROOT" || exit 1
}

outer_has() { # BUILD KIND [MESON-OPTION...]: libraries of this kind are made and used, no others
    outer_build=$BUILDS/$1 wanted=$2
    shift 2
    build "${outer_build##*/}" --wrap-mode=forcefallback --force-fallback-for=libcae "$@" || return
    run_tests "${outer_build##*/}" "${outer_build##*/}"
    made=$(find "$outer_build" -name libcae.so -o -name libcae.a | sed 's/.*\.//' | sort | xargs)
    needs=$(readelf -d "$outer_build/outer" | grep -c 'NEEDED.*libcae\.so')
    case $wanted:$made:$needs in
    shared:so:1 | static:a:0 | 'both:a so:1') ;;
    *) fail "${outer_build##*/}: a parent that wants $wanted got $made" ;;
    esac
}

stage_spaces() { # a clone in a path with spaces
    copy="$BUILDS/a path with spaces"
    copy_tree "$copy" && cd "$copy" && build 'a build with spaces' &&
        run_tests 'a build with spaces' spaces --suite unit --suite contract --suite tool
    cd "$ROOT" || exit 1
}

copy_tree() { # FOLDER: what a clone would hold, with changes not yet committed
    rm -rf "$1"
    mkdir -p "$1"
    if ! have git || ! git rev-parse --git-dir >/dev/null 2>&1; then
        leave_out "${1##*/}" 'no git repository to copy'
        return 1
    fi
    git ls-files -co --exclude-standard | tar -cf - -T - | tar -xf - -C "$1"
}

stage_lto() { # link-time optimisation must not fuse what the tiers keep apart
    CC=gcc CXX=g++ CFLAGS=-ffp-contract=fast build lto -Db_lto=true &&
        run_tests lto lto --suite unit --suite kernels --suite contract
}

stage_valgrind() {
    have valgrind || { leave_out valgrind 'not installed'; return; }
    has_release && run_tests release valgrind --setup valgrind --suite unit --no-suite threads
}

stage_fuzz() { # more of everything that has a measure
    [ -f "$BUILDS/sanitize/build.ninja" ] || build_sanitize || return
    CAE_TEST_LONG=1 run_tests sanitize fuzz --suite fuzz --suite contract --suite kernels \
        --no-suite rules --timeout-multiplier 20
    has_release && CAE_TEST_LONG=1 run_tests release long --suite kernels --suite contract \
        --no-suite rules --timeout-multiplier 20
}

stage_browser() { # the report of the study, as a browser shows it
    have chromium || { leave_out browser 'no chromium'; return; }
    has_release || return
    examples=$BUILDS/release/examples
    if CAE_TOOL=$examples/tool/cae CAE_PAPER=$examples/paper/cae-paper \
        python3 tests/paper/test_browser.py >"$BUILDS/browser.log" 2>&1; then
        echo '   the report of the study in Chromium: as it should be'
        passed=$((passed + 1))
    else
        tail -n 20 "$BUILDS/browser.log"
        fail 'the report of the study in Chromium'
    fi
}

# A piece of foreign Debian in a folder: the libraries of that architecture, fetched through an apt
# state of its own, so that the machine's list of architectures stays as it is.
foreign_root() { # ARCHITECTURE FOLDER
    state=$BUILDS/apt-$1
    rm -rf "$state" "$2"
    mkdir -p "$state/lists/partial" "$state/archives/partial" "$2"
    : >"$state/status"
    suite=bookworm packages='zlib1g zlib1g-dev libpng16-16 libpng-dev check libsubunit0 libsubunit-dev'
    if [ "$1" = riscv64 ]; then # Debian's since 13
        suite=trixie
        packages=$(echo "$packages" | sed 's/libpng16-16/libpng16-16t64/')
    fi
    echo "deb http://deb.debian.org/debian $suite main" >"$state/sources"
    apt_get="apt-get -qq -o Dir::State=$state -o Dir::State::status=$state/status
        -o Dir::Cache=$state -o APT::Architecture=$1 -o APT::Architectures::=$1
        -o Dir::Etc::SourceList=$state/sources -o Dir::Etc::SourceParts=/dev/null"
    # shellcheck disable=SC2086 # one word for each package
    (
        cd "$state/archives" && $apt_get update && $apt_get download $packages
    ) >"$state/log" 2>&1 || { tail -n 3 "$state/log"; return 1; }
    for package in "$state"/archives/*.deb; do
        dpkg-deb -x "$package" "$2" || return 1
    done
    if [ "$1" = riscv64 ]; then # its Check wants a newer C library for this name alone
        for library in "$2"/usr/lib/riscv64-linux-gnu/libcheck*.a; do
            riscv64-linux-gnu-objcopy --redefine-sym __isoc23_strtoul=strtoul "$library"
        done
    fi
}

foreign() { # ARCHITECTURE FAMILY TRIPLET ENDIAN
    emulator=qemu-$(case $2 in x86) echo i386 ;; *) echo "$2" ;; esac)
    have "$3-gcc" "$emulator" apt-get || { leave_out "$1" "no $3-gcc, $emulator or apt"; return 1; }
    case $BUILDS in
    *' '*) leave_out "$1" 'apt cannot be told a path with spaces'; return 1 ;;
    esac
    root=$BUILDS/root-$1
    foreign_root "$1" "$root" || { leave_out "$1" 'its zlib could not be fetched'; return 1; }
    multiarch=$(case $1 in i386) echo i386-linux-gnu ;; *) echo "$3" ;; esac)
    libraries=$root/usr/lib/$multiarch
    emulator="$emulator -L /usr/$3 -E LD_LIBRARY_PATH=$libraries:$root/lib/$multiarch"
    runner=$emulator
    loader=/usr/$3/lib/ld-linux.so.2
    if [ "$1" = i386 ] && $loader --version >/dev/null 2>&1; then # most x86-64 run it themselves
        runner="$loader --library-path /usr/$3/lib:$libraries:$root/lib/$multiarch"
    fi
    # shellcheck disable=SC2086 # words of a list
    cat >"$BUILDS/$1.ini" <<END
[binaries]
c = '$3-gcc'
ar = '$3-ar'
nm = '$3-nm'
objdump = '$3-objdump'
strip = '$3-strip'
pkgconfig = 'pkg-config'
exe_wrapper = [$(printf "'%s', " $runner)]
[properties]
sys_root = '$root'
pkg_config_libdir = '$libraries/pkgconfig'
[built-in options]
c_args = ['-isystem', '$root/usr/include', '-isystem', '$root/usr/include/$multiarch']
c_link_args = ['-L$libraries', '-Wl,-rpath-link,$libraries:$root/lib/$multiarch']
[host_machine]
system = 'linux'
cpu_family = '$2'
cpu = '$2'
endian = '$4'
END
    build "$1" -Dwerror=true --cross-file "$BUILDS/$1.ini" &&
        CK_TIMEOUT_MULTIPLIER=20 run_tests "$1" "$1" --suite unit --suite kernels --suite files \
            --timeout-multiplier 20 &&
        exchange "$1" "$runner"
}

# Twenty steps of training here and there give the same file, and either reads what the other wrote.
exchange() { # ARCHITECTURE EMULATOR
    has_release || return
    folder=$BUILDS/exchange-$1
    rm -rf "$folder"
    mkdir -p "$folder"
    if (cd "$folder" && sh -exc '
        here=$1 there=$2
        for side in here there; do
            cae=$here
            [ $side = here ] || cae=$there
            $cae synth --quiet --count 4 --out $side-faces
            $cae train --quiet --model cae-compress --data $side-faces --steps 20 --batch 1 \
                --threads 2 --reproducible --out $side.safetensors
            $cae compress $side.safetensors $side-faces/face-000001.png $side.cae
        done
        cmp here.safetensors there.safetensors
        for reader in here there; do
            cae=$here
            [ $reader = here ] || cae=$there
            for writer in here there; do
                $cae decompress $writer.safetensors $writer.cae $writer-$reader.png
            done
            cmp here-$reader.png there-$reader.png
        done
    ' sh ../release/examples/tool/cae "$2 ../$1/examples/tool/cae") >"$folder.log" 2>&1; then
        echo "   files of $1 and this machine: equal"
        passed=$((passed + 1))
    else
        tail -n 5 "$folder.log"
        fail "files of $1 and this machine"
    fi
}

stage_s390x() { # big-endian
    foreign s390x s390x s390x-linux-gnu big
}

stage_aarch64() {
    foreign arm64 aarch64 aarch64-linux-gnu little
}

stage_armhf() { # 32 bits, no vectors
    foreign armhf arm arm-linux-gnueabihf little
}

stage_riscv64() {
    foreign riscv64 riscv64 riscv64-linux-gnu little
}

stage_i386() { # 32 bits; without SSE2 a status in words and not the end of the process
    foreign i386 x86 i686-linux-gnu little || return
    [ "$runner" = "$emulator" ] ||
        run_tests i386 i386-contract --suite contract --no-suite rules --timeout-multiplier 5
    for processor in pentium2 pentium3; do
        log=$BUILDS/i386-$processor.log
        $emulator -cpu $processor "$BUILDS/i386/tests/contract/test_processor" lesser >"$log" 2>&1
        library=$?
        $emulator -cpu $processor "$BUILDS/i386/examples/tool/cae" --version >>"$log" 2>&1
        if [ "$library.$?" = 0.1 ] && grep -q 'no SSE2' "$log"; then
            echo "   $processor: refused in words"
            passed=$((passed + 1))
        else
            tail -n 5 "$log"
            fail "i386 on $processor"
        fi
    done
}

# README's commands, word for word, each in a new Debian 12 of its own that has nothing but a clone,
# what makes one (git and ca-certificates) and the network.
stage_fresh() {
    [ "$(id -u)" -eq 0 ] || { leave_out fresh 'debootstrap needs root'; return; }
    have debootstrap git || { leave_out fresh 'no debootstrap or no git'; return; }
    bare=$BUILDS/fresh-bare
    rm -rf "$bare"
    debootstrap --variant=minbase --include=ca-certificates,git bookworm "$bare" >"$bare.log" 2>&1 ||
        { leave_out fresh 'debootstrap could not finish'; return; }
    git clone --quiet --no-local "$ROOT" "$bare/libcae" || { fail 'fresh: git clone'; return; }
    git ls-files -co --exclude-standard | tar -cf - --ignore-failed-read -T - 2>/dev/null |
        tar -xf - -C "$bare/libcae" # what is not yet committed
    echo 'APT::Get::Assume-Yes "true";' >"$bare/etc/apt/apt.conf.d/yes"

    in_fresh suite "$(grep '^    sh tests/run.sh ' README.md)" &&
        fresh_result suite "$(tail -n 1 "$BUILDS/fresh-suite.log")"
    in_fresh quickstart "$(grep '^    sh examples/quickstart.sh ' README.md)" &&
        fresh_result quickstart "$(tail -n 1 "$BUILDS/fresh-quickstart.log")"
    in_fresh installing "
        apt-get -qq update
        $(sed -n '/^## Installing/,/^## Doc/s/^    //p' README.md)
        cae --version
        pkg-config --modversion libcae" &&
        fresh_result installing "cae $(tail -n 1 "$BUILDS/fresh-installing.log")"
}

in_fresh() { # NAME COMMANDS
    [ -n "$2" ] || { fail "fresh Debian: README does not say what $1 is"; return 1; }
    tree=$BUILDS/fresh-$1
    rm -rf "$tree"
    cp -a "$bare" "$tree"
    # What it mounts goes with its name space. As a mount, the tree may make namespaces of its own.
    unshare --mount --pid --fork sh -ec '
        mount --bind "$1" "$1"
        mount -t proc proc "$1/proc"
        mount -t sysfs sysfs "$1/sys"
        mount --rbind /dev "$1/dev"
        exec env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            chroot "$1" sh -exc "cd /libcae; $2"
    ' sh "$tree" "$2" >"$tree.log" 2>&1 && return
    tail -n 20 "$tree.log"
    fail "fresh Debian: $1, see $tree.log"
    return 1
}

# Nothing may be missing there but real images, which are no part of a clone: no stage is left out, and
# no test of the release build. (Other builds leave out on purpose what they cannot show.)
fresh_result() { # NAME WORDS
    if sed -n 's/^-- left out: //p; /^== release/,/^== cpus/s/^ *skipped: //p' "$BUILDS/fresh-$1.log" |
        grep -vE '^real images:|/ tool pngsuite$'; then
        fail "fresh Debian: $1 leaves out what is above, see $BUILDS/fresh-$1.log"
    else
        echo "   fresh Debian: $1: $2"
        passed=$((passed + 1))
    fi
}

# ---- all of it ----------------------------------------------------------------------------------------

# A function, so that the shell has read it all before it starts.
main() {
    long=no
    chosen=''
    for argument in "$@"; do
        case $argument in
        --long) long=yes ;;
        --list) echo "$STAGES; with --long also: $LONG"; exit 0 ;;
        --help | -h) sed -n '2,/^# SPDX/s/^# \{0,1\}//p' tests/run.sh | sed '$d'; exit 0 ;;
        *)
            case " $STAGES $LONG " in
            *" $argument "*) chosen="$chosen $argument" ;;
            *) echo "run.sh: unknown stage $argument; there are: $STAGES $LONG" >&2; exit 2 ;;
            esac
            ;;
        esac
    done
    if [ -z "$chosen" ]; then
        chosen=$STAGES
        [ "$long" = no ] || chosen="$STAGES $LONG"
    fi
    for stage in $chosen; do # a stage asked for by name may need what only --long installs
        case " $LONG " in *" $stage "*) long=yes ;; esac
    done

    began=$(now)
    echo "== packages"
    prepare
    for stage in $chosen; do
        start=$(now)
        echo "== $stage"
        "stage_$stage"
        echo "   $(($(now) - start)) s"
    done

    echo "== result, after $(($(now) - began)) s"
    [ -z "$left_out" ] || echo "Left out:$left_out"
    [ -z "$broken" ] || echo "Failed beside single tests:$broken"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}

main "$@"; exit # and no line of a file that has changed meanwhile is read
