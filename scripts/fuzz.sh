#!/usr/bin/env bash
# Feeds every decoder of what comes from outside with made-up bytes: `scripts/fuzz.sh --help` explains.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
cd -- "$ROOT/fuzz"

usage() {
    cat <<'USAGE'
scripts/fuzz.sh [SECONDS [TARGET...]]   feed each decoder, or these, for so long (60)

Needs cargo-fuzz (cargo install cargo-fuzz) and a compiler for C++. Says how many inputs each target took. What breaks one is
left in fuzz/artifacts/. Mend it, add a unit test beside the decoder, and keep the input as fuzz/corpus/TARGET/fault-NAME:
`cargo test -p hither-fuzz`, which CI runs, gives each target its corpus, and some changes of that.
USAGE
}

die() {
    printf 'fuzz.sh: %s\n' "$*" >&2
    exit 2
}

fuzz() {
    local seconds=$1 log executions target outcome failed=0 total=0
    local -a targets=("${@:2}")
    [[ $seconds =~ ^[1-9][0-9]*$ ]] || die "'$seconds' is not a number of seconds: see scripts/fuzz.sh --help"
    cargo fuzz --version &>/dev/null || die 'cargo-fuzz is missing: cargo install cargo-fuzz'

    # What counts branches is for nightly compilers only, unless a stable one is told otherwise.
    export RUSTC_BOOTSTRAP=1
    # No sanitizer: no crate here has unsafe code, and without it several times as many inputs are tried. Overflows and
    # assertions of debug builds are looked for (fuzz/Cargo.toml).
    local -a build=(--sanitizer none --release)

    # The same crates as everywhere; what the fuzzer itself needs is added.
    cp -- "$ROOT/Cargo.lock" Cargo.lock
    if ((${#targets[@]} == 0)); then mapfile -t targets < <(cargo fuzz list); fi
    cargo fuzz build "${build[@]}"
    log=$(mktemp)
    # shellcheck disable=SC2064  # the name of now
    trap "rm -f -- '$log'" EXIT
    for target in "${targets[@]}"; do
        if cargo fuzz run "${build[@]}" "$target" -- -max_total_time="$seconds" -max_len=4096 -timeout=5 \
            -rss_limit_mb=1024 -malloc_limit_mb=256 -print_final_stats=1 -verbosity=0 &>"$log"; then
            outcome=held
        else
            outcome=BROKE
            failed=1
            tail -n 40 -- "$log"
        fi
        executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        total=$((total + ${executions:-0}))
        printf '%-14s  %-5s  %12s executions\n' "$target" "$outcome" "${executions:-?}"
    done
    printf '%-14s  %-5s  %12s executions\n' all '' "$total"
    return "$failed"
}

case ${1:-} in
    -h | --help) usage ;;
    -*) die "'$1' is not an option: see scripts/fuzz.sh --help" ;;
    *) fuzz "${1:-60}" "${@:2}" ;;
esac
