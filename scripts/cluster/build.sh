# shellcheck shell=bash
# Builds the web client and the server.

readonly BUILD_LOG=$LOGS/build.log

build() {
    need cargo 'install Rust from https://rustup.rs'
    need npm 'it comes with Node.js (https://nodejs.org)'
    : >"$BUILD_LOG"
    build_web
    build_server
}

build_web() {
    local web=$ROOT/web stamp=$ROOT/web/node_modules/.hither-built sources
    sources=$(fingerprint "$web")
    if [[ -f $web/dist/index.html && -f $stamp && $(<"$stamp") == "$sources" ]]; then return; fi
    say 'building the web client ...'
    if [[ ! $web/node_modules/.package-lock.json -nt $web/package-lock.json ]]; then
        logged 'the packages of the web client could not be installed' npm --prefix "$web" ci --no-audit --no-fund
    fi
    logged 'the web client did not build' npm --prefix "$web" run build
    printf '%s\n' "$sources" >"$stamp"
}

build_server() {
    say "building the server (minutes, the first time; to watch: tail -f ${BUILD_LOG@Q}) ..."
    # With the testbed, as scripts/test.sh builds it: on its own the server's dependencies have other features, and all that was
    # built for the one would be built again for the other.
    logged 'the server did not build' \
        cargo build --release --package hither-node --package hither --bin hither --example testbed \
        --manifest-path "$ROOT/Cargo.toml"
}

server_binary() { printf '%s\n' "${CARGO_TARGET_DIR:-$ROOT/target}/release/hither"; }

# One line for all that the build of DIRECTORY depends on: times may lie after a checkout, contents do not.
fingerprint() {
    (
        cd -- "$1" || exit
        find . \( -name node_modules -o -name dist \) -prune -o -type f -print0 |
            LC_ALL=C sort -z | xargs -0 --no-run-if-empty sha256sum | sha256sum
    )
}

# logged COMPLAINT COMMAND...: dies with the complaint and the first error when the command fails.
logged() {
    local complaint=$1 cause
    shift
    if "$@" >>"$BUILD_LOG" 2>&1 </dev/null 9>&-; then return; fi
    cause=$(grep --max-count=1 --ignore-case --word-regexp error -- "$BUILD_LOG") || cause=$(tail -n 1 -- "$BUILD_LOG")
    die "$complaint: $cause (all of it: $BUILD_LOG)"
}
