#!/usr/bin/env bash
# Everything that proves Hither, part by part: `scripts/test.sh --help` explains, .ci/run runs it all.
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT
cd -- "$ROOT"

# Debian keeps nginx and haproxy where the PATH of an ordinary user does not lead.
export PATH=$PATH:/usr/local/sbin:/usr/sbin
# And PostgreSQL in a folder for each version, which no PATH has.
postgres_in_path() {
    local folder
    for folder in /usr/lib/postgresql/*/bin; do
        if [[ -d $folder && :$PATH: != *:$folder:* ]]; then PATH=$PATH:$folder; fi
    done
}
postgres_in_path

readonly SABOTAGED=$ROOT/target/release/examples/testbed-sabotaged

# No part may hang for ever; the longest, a release build from nothing, takes far less.
readonly PART_SECONDS=${HITHER_PART_SECONDS:-1200}

# In the order of running. The web client comes before the server, which ships it.
#   name         | after          | programs          | what it proves
readonly PARTS='
    format       |                | cargo             | Rust code is formatted
    shell        |                | shellcheck        | shell scripts are free of known mistakes
    dependencies |                | cargo node python3| what Hither is built from has allowed licences, digests and sources
    scripts      |                | node nginx haproxy| cluster.sh, test.sh and the balancers in deploy/ do what they promise
    web-packages |                | node npm          | what the web client is built from can be installed
    web-format   | web-packages   |                   | the web client is formatted
    web-lint     | web-packages   |                   | the web client is free of lints
    web-test     | web-packages   |                   | unit tests of the web client
    web-build    | web-packages   |                   | the web client is type-correct and builds
    clippy       |                | cargo             | Rust code is free of lints
    unit         |                | cargo             | unit, property and integration tests of all crates
    store        |                | cargo postgres    | what the store promises, with PostgreSQL behind it, and with faults
    doctest      |                | cargo             | examples in the documentation
    doc          |                | cargo             | the documentation builds, and its links lead somewhere
    release      | web-build      | cargo             | the server and the testbed build as they ship
    bench        | release        |                   | the load generator works, on one node and on three
    tests-packages|               | node npm python3  | what the end-to-end tests need can be installed
    tests-format | tests-packages |                   | the end-to-end tests, and the scripts, are formatted
    tests-lint   | tests-packages |                   | the end-to-end tests are free of lints
    tests-types  | tests-packages |                   | the end-to-end tests are type-correct
    history      | tests-packages |                   | the checker of message histories finds what is wrong
    protocol     | tests-packages release |           | every rule of the protocols, on one node and on three
    cluster      | tests-packages release | nginx haproxy | three nodes behind balancers, with nodes that come and go
    faults       | tests-packages release | ip iptables   | nodes killed, stopped, drained and cut off while people chat
    attacks      | tests-packages release | ss ip iptables | hostile clients cost little and harm nobody else
    chat         | tests-packages release | postgres  | the chat over real connections, with both kinds of store, also while they fail
    browser      | tests-packages release | chromium firefox-esr | people who chat in real browsers
'

declare -Ar DEBIAN_PACKAGES=([chromium]=chromium [firefox-esr]=firefox-esr [haproxy]=haproxy [ip]=iproute2 [iptables]=iptables [nginx]=nginx-light [postgres]=postgresql [python3]=python3-venv [shellcheck]=shellcheck [ss]=iproute2)

part_format() { cargo fmt --all --check; }
part_shell() { shellcheck --external-sources .ci/run scripts/*.sh scripts/*/*.sh tests/*.sh tests/*/*.sh; }
part_dependencies() { scripts/dependencies.sh; }
part_scripts() { node --test --test-concurrency=1 scripts/tests/; }

part_web_packages() { npm_packages web; }
part_web_format() { npm --prefix web run format:check; }
part_web_lint() { npm --prefix web run lint; }
part_web_test() { npm --prefix web run test; }
part_web_build() { npm --prefix web run build; }

part_clippy() { cargo clippy --locked --workspace --all-targets -- -D warnings; }
part_unit() {
    if cargo nextest --version &>/dev/null; then
        cargo nextest run --locked --workspace
    else
        say 'cargo-nextest is missing: running cargo test instead'
        cargo test --locked --workspace --lib --bins --tests --examples
    fi
}
part_store() {
    local -a skipped=()
    # Small file systems, which fill up, are for root to mount.
    if ((EUID != 0)); then skipped=(--skip a_full_disk --skip a_disk_that_is_read_only); fi
    cargo test --locked --package hither-store --tests -- --ignored --test-threads=2 "${skipped[@]}"
}
part_doctest() { cargo test --locked --workspace --doc; }
part_doc() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps; }
part_release() {
    # Both packages in each build: the features of what they depend on are then the same, and it is built once.
    local -a build=(cargo build --release --locked --package hither-node --package hither)
    # A testbed that makes mistakes on purpose, for the tests to find. Built first, for both come to the same place.
    "${build[@]}" --example testbed --features hither/fault-injection
    cp target/release/examples/testbed "$SABOTAGED"
    "${build[@]}" --bin hither --example testbed
}

part_bench() { scripts/bench.sh --smoke; }

part_tests_packages() {
    npm_packages tests
    tests/python/install.sh
}
part_tests_format() {
    npm --prefix tests run format:check
    tests/node_modules/.bin/prettier --config tests/.prettierrc.json --check scripts crates/bench/socketio
}
part_tests_lint() { npm --prefix tests run lint; }
part_tests_types() { npm --prefix tests run typecheck; }
part_history() { npm --prefix tests run test:history; }
part_protocol() { npm --prefix tests run test:protocol; }
part_cluster() { npm --prefix tests run test:cluster; }
part_faults() { HITHER_SABOTAGED=$SABOTAGED npm --prefix tests run test:faults; }
part_attacks() { npm --prefix tests run test:attacks; }
part_chat() { npm --prefix tests run test:chat; }
part_browser() { npm --prefix tests run test:browser; }

npm_packages() {
    if [[ $1/node_modules/.package-lock.json -nt $1/package-lock.json ]]; then
        say "the packages of $1/ are those of its package-lock.json"
    else
        npm --prefix "$1" ci --no-audit --no-fund
    fi
}

usage() {
    cat <<'USAGE'
scripts/test.sh                 run every part
scripts/test.sh --only PART...  run these parts, and first what they need
scripts/test.sh --list          name the parts

Installs what is missing (nginx, haproxy, postgresql, chromium, firefox, shellcheck) where it can: on Debian, as root. A part
whose programs are missing, or whose groundwork failed, is skipped. Fails when a part failed, and with CI=true when one
was skipped.
A part that is not done after HITHER_PART_SECONDS (1200) fails.
USAGE
}

declare -a ORDER=()
declare -A AFTER=() PROGRAMS=() PURPOSE=() RESULT=() REASON=() TOOK=()

say() { printf '%s\n' "$*"; }
die() {
    printf 'test.sh: %s\n' "$*" >&2
    exit 2
}

read_parts() {
    local name after programs purpose
    while IFS='|' read -r name after programs purpose; do
        name=${name// /}
        [[ -n $name ]] || continue
        ORDER+=("$name")
        AFTER[$name]=$after
        PROGRAMS[$name]=$programs
        PURPOSE[$name]=${purpose# }
    done <<<"$PARTS"
}

list_parts() {
    local part
    for part in "${ORDER[@]}"; do printf '%-14s  %s\n' "$part" "${PURPOSE[$part]}"; done
}

# Prints the given parts and all that they need, one a line, some perhaps twice.
with_groundwork() {
    local part
    for part; do
        [[ -n ${PURPOSE[$part]:-} ]] || die "there is no part '$part': see scripts/test.sh --list"
        # shellcheck disable=SC2086  # words
        with_groundwork ${AFTER[$part]}
        say "$part"
    done
}

# Installs the programs that PART... need, as far as Debian has them and we may.
install_programs() {
    local part program
    local -a packages=()
    for part; do
        for program in ${PROGRAMS[$part]}; do
            has "$program" || packages+=(${DEBIAN_PACKAGES[$program]:+"${DEBIAN_PACKAGES[$program]}"})
        done
    done
    if ((${#packages[@]} == 0 || EUID != 0)) || ! has apt-get; then return; fi
    say "== installing ${packages[*]}"
    if ! apt_install "${packages[@]}"; then say 'not everything could be installed'; fi
    postgres_in_path
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -qq --yes --no-install-recommends "$@"
}

has() { command -v "$1" >/dev/null; }

# Says why PART cannot run; says nothing when it can.
obstacle() {
    local needed
    for needed in ${AFTER[$1]}; do
        [[ ${RESULT[$needed]} == passed ]] || { say "$needed ${RESULT[$needed]}" && return; }
    done
    for needed in ${PROGRAMS[$1]}; do
        has "$needed" && continue
        say "$needed is missing${DEBIAN_PACKAGES[$needed]:+ (Debian: apt install ${DEBIAN_PACKAGES[$needed]})}"
        return
    done
}

run_part() {
    local part=$1 began=$SECONDS status
    REASON[$part]=$(obstacle "$part")
    if [[ -n ${REASON[$part]} ]]; then
        say "== $part: skipped: ${REASON[$part]}"
        RESULT[$part]=skipped
    else
        say "== $part: ${PURPOSE[$part]}"
        # Not in a condition, where a failing command in the middle of a part would go unnoticed.
        set +e
        bounded "$part"
        status=$?
        set -e
        case $status in
            0) RESULT[$part]=passed ;;
            124 | 137) RESULT[$part]=failed REASON[$part]="not done after $PART_SECONDS s" ;;
            *) RESULT[$part]=failed REASON[$part]="exit status $status" ;;
        esac
    fi
    TOOK[$part]=$((SECONDS - began))
}

# A part in a process of its own, with everything it starts, so that all of it can be ended at the deadline. At a terminal
# it stays in the foreground, where Ctrl-C reaches it.
bounded() {
    local -a foreground=()
    if [[ -t 0 ]]; then foreground=(--foreground); fi
    timeout "${foreground[@]}" --kill-after=10 "$PART_SECONDS" "$ROOT/scripts/test.sh" --just "$1"
}

# Prints the table and the last line; fails when the parts did not pass.
summarize() {
    local part
    local -A count=([passed]=0 [failed]=0 [skipped]=0)
    say ''
    for part; do
        printf '%-14s  %-7s  %5d s%s\n' "$part" "${RESULT[$part]}" "${TOOK[$part]}" "${REASON[$part]:+  ${REASON[$part]}}"
        count[${RESULT[$part]}]=$((count[${RESULT[$part]}] + 1))
    done
    printf '%-14s  %-7s  %5d s\n\n' all '' "$SECONDS"
    say "${count[passed]} passed, ${count[failed]} failed, ${count[skipped]} skipped"
    ((count[failed] == 0)) && [[ ${CI:-} != true || ${count[skipped]} -eq 0 ]]
}

main() {
    local -a parts=()
    local part selection
    read_parts
    case ${1:-} in
        '') parts=("${ORDER[@]}") ;;
        --only)
            (($# > 1)) || die '--only needs the name of a part: see scripts/test.sh --list'
            selection=$(with_groundwork "${@:2}")
            for part in "${ORDER[@]}"; do
                if grep --quiet --line-regexp "$part" <<<"$selection"; then parts+=("$part"); fi
            done
            ;;
        --just)
            "part_${2//-/_}"
            return
            ;;
        --list) list_parts && return ;;
        -h | --help) usage && return ;;
        *) die "'$1' is not an option: see scripts/test.sh --help" ;;
    esac
    install_programs "${parts[@]}"
    for part in "${parts[@]}"; do run_part "$part"; done
    summarize "${parts[@]}"
}

main "$@"
