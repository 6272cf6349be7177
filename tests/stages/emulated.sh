#!/bin/sh
# Kernels, the weights after twenty steps and some contracts on other x86-64 processors, emulated: no
# instruction that they lack, the tier that they should have, and the same bits. Briefly: every fifth
# case of the kernels, one thread.
#
#     sh tests/stages/emulated.sh BUILD WORK
#
# SPDX-License-Identifier: BSD-2-Clause
set -u
# shellcheck source=tests/package/common.sh
. "$(dirname "$0")/../package/common.sh"

build=$1 work=$2
mkdir -p "$work"

# An emulator that runs what its processor cannot would show nothing.
refuses() {
    cat >"$work/avx2.c" <<'END'
#include <immintrin.h>
int main(void)
{
    volatile int x[8] = {0};
    __m256i y = _mm256_loadu_si256((const __m256i *)x);
    y = _mm256_add_epi32(y, y);
    return _mm256_extract_epi32(y, 3);
}
END
    gcc -O1 -mavx2 "$work/avx2.c" -o "$work/avx2" && "$work/avx2" &&
        qemu-x86_64 -cpu Haswell "$work/avx2" 2>/dev/null &&
        ! sh -c 'qemu-x86_64 -cpu SandyBridge "$1"; exit $?' sh "$work/avx2" >/dev/null 2>&1
}

emulate() { # PROCESSOR TIER: its log ends with "equal" when all is well
    # What qemu reads too much, see tests/kernels/trial.h. The tiers c and sse2 are tried on the
    # lesser processors.
    slack=0 first=c
    [ "$2" != fma ] || slack=32 first=avx2
    for test in kernels/test_kernels contract/test_equal_weights contract/test_golden \
        contract/test_odd_networks; do
        CAE_TEST_SLACK=$slack CAE_TEST_FROM=$first CAE_TEST_SHORT=1 CAE_GOLDEN=$root/tests/golden \
            qemu-x86_64 -cpu "$1" "$build/tests/$test" || { echo "$test failed"; return; }
    done
    echo equal
}

same() { # PROCESSOR TIER
    cat "$work/$1.log"
    [ "$(tail -n 1 "$work/$1.log")" = equal ] && grep -q "^CAE_CPU=[a-z0-9]* uses $2\$" "$work/$1.log"
}

[ "$(uname -m)" = x86_64 ] || { echo 'SKIP: only for x86-64'; exit 77; }
refuses || { echo 'SKIP: this qemu does not tell processors apart, or this one has no AVX2'; exit 77; }
# The baseline; AVX but no AVX2; all of it. What runs on the first runs on any between.
for processor in qemu64:sse2 SandyBridge:sse2 Haswell:fma; do
    emulate "${processor%:*}" "${processor#*:}" >"$work/${processor%:*}.log" 2>&1 &
done
wait
check 'qemu64: tier sse2, the same bits' same qemu64 sse2
check 'SandyBridge: tier sse2, the same bits' same SandyBridge sse2
check 'Haswell: tier fma, the same bits' same Haswell fma
finish
