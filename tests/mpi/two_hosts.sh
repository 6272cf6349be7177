#!/bin/sh
# Runs an MPI program on two hosts that are network namespaces of this machine, joined by a cable:
#
#     two_hosts.sh RANKS RATE PROGRAM ARGUMENT...
#
# RANKS are started on each host; RATE is the cable's, as tc writes it (1gbit), or "full". Shared
# memory does not reach from one to the other: what ranks say to those of the other host goes by TCP
# through the cable, as does what mpirun says to its daemon there. Nothing of this is seen by, or
# lasts in, the machine's own network. $MPIRUN has more words for mpirun.
#
# Exit code: mpirun's, or 77 after saying why this machine has no such hosts.
# SPDX-License-Identifier: BSD-2-Clause
set -eu

ranks=$1 rate=$2
shift 2
a=cae-a-$$ b=cae-b-$$
scratch=$(mktemp -d)
job=

# Namespaces take the cable with them.
# shellcheck disable=SC2317 # called by the trap
clean_up() {
    [ -z "$job" ] || kill "$job" 2>/dev/null || :
    ip netns del "$a" 2>/dev/null || :
    ip netns del "$b" 2>/dev/null || :
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap '[ -z "$job" ] || kill -INT "$job"' INT
trap '[ -z "$job" ] || kill -TERM "$job"; exit 143' TERM

skip() {
    echo "two_hosts.sh: skipped: $*" >&2
    exit 77
}

command -v mpirun >/dev/null || skip 'no mpirun (Debian: openmpi-bin)'
command -v ip >/dev/null || skip 'no ip (Debian: iproute2)'
for host in "$a" "$b"; do
    ip netns add "$host" 2>"$scratch/why" ||
        skip "network namespaces are not allowed here: $(cat "$scratch/why")"
    ip netns exec "$host" true 2>"$scratch/why" ||
        skip "network namespaces run no programs here: $(cat "$scratch/why")"
done
ip link add cable netns "$a" type veth peer name cable netns "$b" 2>"$scratch/why" ||
    skip "veth pairs are not allowed here: $(cat "$scratch/why")"

number=0
for host in "$a" "$b"; do
    number=$((number + 1))
    ip -n "$host" address add "192.0.2.$number/30" dev cable
    ip -n "$host" link set lo up
    ip -n "$host" link set cable up
    # What may pass at once is little, so that the rate holds for short messages too.
    [ "$rate" = full ] ||
        tc -n "$host" qdisc add dev cable root tbf rate "$rate" burst 32kb latency 50ms \
            2>"$scratch/why" || skip "tc cannot limit the rate: $(cat "$scratch/why")"
done

# What mpirun takes for ssh: agent HOST COMMAND.
cat >"$scratch/agent" <<AGENT
#!/bin/sh
shift
exec ip netns exec $b unshare --uts sh -c 'hostname cae-b; exec sh -c "\$*"' sh "\$@"
AGENT
chmod +x "$scratch/agent"

# shellcheck disable=SC2016,SC2086 # the inner shell's words; MPIRUN is a list
ip netns exec "$a" unshare --uts sh -c 'hostname cae-a; exec "$@"' sh \
    mpirun ${MPIRUN-} --host "192.0.2.1:$ranks,192.0.2.2:$ranks" \
    --mca plm_rsh_agent "$scratch/agent" --mca plm_rsh_no_tree_spawn 1 \
    --mca oob_tcp_if_include cable --mca btl tcp,vader,self --mca btl_tcp_if_include cable \
    "$@" &
job=$!
code=0
wait "$job" || code=$?
while kill -0 "$job" 2>/dev/null; do # a signal ends the wait, not the job
    code=0
    wait "$job" || code=$?
done
job=
sent=0
for host in "$a" "$b"; do
    bytes=$(ip netns exec "$host" cat /sys/class/net/cable/statistics/tx_bytes)
    sent=$((sent + bytes))
done
echo "two_hosts.sh: $sent bytes went through the cable" >&2
exit "$code"
