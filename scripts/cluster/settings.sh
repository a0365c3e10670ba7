# shellcheck shell=bash
# shellcheck disable=SC2034  # read by the other parts
# Where things are, and how this script speaks.

RUN=$(realpath --canonicalize-missing -- "${HITHER_RUN_DIR:-$ROOT/run}")
readonly RUN
readonly PIDS=$RUN/pids
readonly EXITS=$RUN/exits
readonly LOGS=$RUN/logs
readonly NODES=$RUN/nodes
readonly CHOICES=$RUN/choices
readonly SECRET=$RUN/secret
readonly STORE=$RUN/chat.db

# Debian keeps nginx and haproxy where the PATH of an ordinary user does not lead.
export PATH=$PATH:/usr/local/sbin:/usr/sbin

readonly FRONT_PORT=${HITHER_FRONT_PORT:-9000}
readonly HTTP_BASE=${HITHER_HTTP_BASE:-9000}
readonly ADMIN_BASE=${HITHER_ADMIN_BASE:-10000}
readonly CLUSTER_BASE=${HITHER_CLUSTER_BASE:-7000}
readonly START_SECONDS=${HITHER_START_SECONDS:-30}
readonly STOP_SECONDS=${HITHER_STOP_SECONDS:-}

say() { printf '%s\n' "$*"; }
warn() { printf 'cluster.sh: %s\n' "$*" >&2; }
die() {
    warn "$*"
    exit 1
}

check_settings() {
    local name
    for name in FRONT_PORT HTTP_BASE ADMIN_BASE CLUSTER_BASE START_SECONDS STOP_SECONDS; do
        [[ -z ${!name} || ${!name} =~ ^[1-9][0-9]{0,4}$ ]] || die "HITHER_$name must be a whole number, not '${!name}'"
    done
    [[ -r /proc/self/stat ]] || die 'this script needs Linux: it knows its processes by /proc'
}

# Fails with one line that says what is missing and where it comes from.
need() {
    command -v "$1" >/dev/null || die "$1 is missing: $2"
}

need_node() {
    local advice='install Node.js 20 or newer (https://nodejs.org)' version
    need node "$advice"
    version=$(node --version) || die "node does not run: $advice"
    if [[ ! $version =~ ^v([0-9]+)\. ]] || ((BASH_REMATCH[1] < 20)); then
        die "node $version is too old: $advice"
    fi
}

# One command that changes the cluster at a time. Whatever is started meanwhile must close descriptor 9, or it holds the lock.
take_lock() {
    mkdir -p -- "$RUN" "$PIDS" "$EXITS" "$LOGS" "$NODES" "$CHOICES"
    exec 9>"$RUN/lock"
    flock --nonblock 9 && return
    warn "waiting for another cluster.sh that works in $RUN"
    flock 9
}
