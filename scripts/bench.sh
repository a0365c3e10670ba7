#!/usr/bin/env bash
# Measures Hither beside socketioxide and socket.io: `scripts/bench.sh --help` explains.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
cd -- "$ROOT"

TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
readonly TARGET
readonly SOCKETIO=crates/bench/socketio

usage() {
    cat <<'USAGE'
scripts/bench.sh [OPTION...]    run the fixed set of benchmarks, and write crates/bench/RESULTS.md
scripts/bench.sh --smoke        few clients for a short time, on Hither alone: shows that the load generator works

Runs Hither on one and on three nodes, with and without replicas, and in the same run socketioxide and, if Node.js is there,
socket.io (on three processes if redis-server is there). Options of `hither-bench suite` can be added:
  --systems hither-1,socketioxide   these only: hither-1 hither-3 hither-3-spread hither-3-bare socketioxide
                                    socketio-1 socketio-3
  --works echo,one-room             these only: connect echo one-room many-rooms calm private direct polling
                                    echo-rate moves
  --seconds N                       how long to measure each (4)
  --rounds N                        how often to run each; the median counts (1)
  --out PATH                        where to write the report
USAGE
}

has() { command -v "$1" >/dev/null; }

commit() {
    local changed=''
    git diff --quiet HEAD 2>/dev/null || changed=' with changes'
    printf '%s%s' "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" "$changed"
}

# With the features that scripts/test.sh builds it with, so that nothing is built twice.
build_testbed() { cargo build --release --locked --package hither-node --package hither --example testbed; }

smoke() {
    cargo build --release --locked --package hither-bench
    build_testbed
    "$TARGET/release/hither-bench" suite --smoke --seconds 0.4 --testbed "$TARGET/release/examples/testbed" \
        --systems hither-1,hither-3 "$@"
}

suite() {
    local -a peers=(--socketioxide "$TARGET/release/socketioxide-testbed")
    cargo build --release --locked --package hither-bench --features socketioxide
    build_testbed
    if has node && has npm; then
        npm --prefix "$SOCKETIO" ci --no-audit --no-fund
        peers+=(--socketio "$SOCKETIO/server.mjs")
        if has redis-server; then peers+=(--redis "$(command -v redis-server)"); fi
    fi
    "$TARGET/release/hither-bench" suite --testbed "$TARGET/release/examples/testbed" "${peers[@]}" \
        --commit "$(commit)" --out crates/bench/RESULTS.md "$@"
}

case ${1:-} in
    -h | --help) usage ;;
    --smoke) smoke "${@:2}" ;;
    *) suite "$@" ;;
esac
