#!/usr/bin/env bash
# A Hither cluster on this machine: starts, stops, breaks and watches its nodes. `scripts/cluster.sh help` explains.
set -euo pipefail
shopt -s inherit_errexit nullglob

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
readonly ROOT

# shellcheck source=scripts/cluster/settings.sh
source "$ROOT/scripts/cluster/settings.sh"
# shellcheck source=scripts/cluster/process.sh
source "$ROOT/scripts/cluster/process.sh"
# shellcheck source=scripts/cluster/choices.sh
source "$ROOT/scripts/cluster/choices.sh"
# shellcheck source=scripts/cluster/build.sh
source "$ROOT/scripts/cluster/build.sh"
# shellcheck source=scripts/cluster/node.sh
source "$ROOT/scripts/cluster/node.sh"
# shellcheck source=scripts/cluster/front.sh
source "$ROOT/scripts/cluster/front.sh"

usage() {
    cat <<'USAGE'
scripts/cluster.sh: a Hither cluster on this machine

  start [N] [--front nginx|haproxy] [--binary PATH] [-- FLAGS...]
              build what has changed, then start nodes 1 to N (3) as far as they do not run yet
  add         start one more node, which is told of one running node only
  kill N      end node N without warning (SIGKILL)
  drain N     have node N hand over all it owns, and end; wait until it has
  restart N   start node N again under its name, in its newest build; ask it to end first (SIGTERM) if it runs
  rolling-restart
              drain each node in turn and start it again, in its newest build; go on when the cluster has settled
  stop        end all nodes and the balancer; logs stay, and so does what the chat keeps (chat.db in the run folder)
  status      what runs, and what each node says of itself
  logs        follow the logs of all nodes together
  demo        fill rooms with people who talk, until Ctrl-C
  help        this text

  --front     put this balancer on the front port, with the file in deploy/;
              otherwise every node listens there too, and the kernel scatters connections over them
  --binary    run this server and build nothing (also: HITHER_BINARY)
  FLAGS       handed to every node, for instance: -- --placement spread --log-format json

To run several clusters side by side, set for each:
  HITHER_RUN_DIR (run/)  HITHER_FRONT_PORT (9000)  HITHER_HTTP_BASE (9000: node 1 on 9001)
  HITHER_ADMIN_BASE (10000: node 1 on 10001)  HITHER_CLUSTER_BASE (7000: node 1 on 7001, TCP and UDP)
Deadlines in seconds: HITHER_START_SECONDS (30), HITHER_STOP_SECONDS (--leave-grace, --leave-timeout and 10 more).
USAGE
}

command_start() {
    local count=3 front='' binary=${HITHER_BINARY:-} number
    local -a flags=() wanted=() missing=()
    while (($#)); do
        case $1 in
            --front)
                front=${2:-}
                [[ -n $front ]] || die '--front needs nginx or haproxy'
                shift 2
                ;;
            --binary)
                binary=${2:-}
                [[ -n $binary ]] || die '--binary needs the path of a server'
                shift 2
                ;;
            --)
                flags=("${@:2}")
                break
                ;;
            *)
                [[ $1 =~ ^[1-9][0-9]?$ ]] || die "start: '$1' is neither a number of nodes (1 to 99) nor an option (cluster.sh help)"
                count=$1
                shift
                ;;
        esac
    done
    need_node
    take_lock
    clear_dead
    settle_choices "$front" "$binary" "${flags[@]}"
    check_front "$(choice front)"
    if [[ -z $binary && $(choice binary) == "$(server_binary)" ]]; then build; fi

    for ((number = 1; number <= count; number++)); do
        wanted+=("$number")
        if node_runs "$number"; then say "node$number runs already"; else missing+=("$number"); fi
    done
    if [[ -z $(running_nodes) ]]; then put_old_logs_aside; fi
    launch_all "$(printf '%s\n' "${wanted[@]}" "$(known_nodes)")" "${missing[@]}"
    announce
}

command_add() {
    local number=1 seed
    (($# == 0)) || die 'add takes no arguments: it starts one node, with the next free number'
    need_node
    take_lock
    clear_dead
    seed=$(running_nodes)
    seed=${seed%%$'\n'*}
    [[ -n $seed ]] || die 'no node runs that a new one could join: scripts/cluster.sh start'
    while is_known "$number"; do ((++number)); done
    launch_all "$seed" "$number"
    say "node$number joined by node$seed: $(node_url "$number") (log: $(node_log "$number"))"
}

command_kill() {
    local number
    (($# == 1)) || die 'kill takes the number of one node'
    take_lock
    number=$(known_number "$1")
    node_runs "$number" || die "node$number does not run"
    kill_process "node$number"
    say "node$number killed"
}

command_drain() {
    local number
    (($# == 1)) || die 'drain takes the number of one node'
    take_lock
    number=$(known_number "$1")
    if [[ $(running_nodes) == "$number" ]]; then warn "there is no other node to take over what node$number owns"; fi
    drain_node "$number"
}

command_rolling_restart() {
    local number began
    local -a numbers
    (($# == 0)) || die 'rolling-restart takes no arguments: it restarts every node that runs'
    need_node
    take_lock
    clear_dead
    mapfile -t numbers < <(running_nodes)
    ((${#numbers[@]} > 1)) || die 'two nodes must run at least, so that one can take over what the other owns (cluster.sh add)'
    await_settled
    for number in "${numbers[@]}"; do
        began=$EPOCHREALTIME
        drain_node "$number"
        launch_all "$(known_nodes)" "$number"
        await_settled
        say "node$number runs again, after $(seconds_since "$began") s in all"
    done
}

command_restart() {
    local number
    (($# == 1)) || die 'restart takes the number of one node'
    need_node
    take_lock
    number=$(known_number "$1")
    end_processes "node$number"
    clear_dead
    launch_all "$(known_nodes)" "$number"
    say "node$number runs again: $(node_url "$number")"
}

command_stop() {
    local -a names
    (($# == 0)) || die 'stop takes no arguments: it ends all'
    take_lock
    names=("$PIDS"/*)
    names=("${names[@]#"$PIDS/"}")
    end_processes "${names[@]}"
    rm -rf -- "$PIDS" "$EXITS" "$NODES" "$CHOICES" "$FRONT"
    say "stopped: ${names[*]:-nothing ran}"
}

command_status() {
    local number rows
    [[ -n $(known_nodes) ]] || die 'no cluster runs here: scripts/cluster.sh start'
    rows=$(
        for number in $(known_nodes); do
            say "node$number $(running_pid "node$number" || say -) $(node_url "$number") $(node_admin_url "$number")"
        done
    )
    if command -v node >/dev/null; then
        node "$ROOT/scripts/cluster/status.mjs" <<<"$rows"
    else
        say "$rows"
        warn 'node is missing, so only the processes are shown: install Node.js 20 or newer (https://nodejs.org)'
    fi
    describe_front
}

command_demo() {
    (($# == 0)) || die 'demo takes no arguments: it goes on until Ctrl-C'
    need_node
    [[ -n $(running_nodes) ]] || die 'no node runs here: scripts/cluster.sh start'
    exec node "$ROOT/scripts/cluster/demo.mjs" "http://127.0.0.1:$FRONT_PORT"
}

command_logs() {
    local log
    local -A followed=()
    trap 'kill $(jobs -p) 2>/dev/null' EXIT
    # A node that is added meanwhile gets a log meanwhile.
    while true; do
        for log in "$LOGS"/node*.log; do
            [[ -z ${followed[$log]:-} ]] || continue
            followed[$log]=yes
            # Line by line, so that lines of two nodes never mix.
            tail --lines=20 --follow=name --retry --pid=$$ -- "$log" 2>/dev/null | sed --unbuffered '' &
        done
        sleep 0.5
    done
}

command_help() { usage; }

# launch_all SEEDS NUMBER...: starts these nodes, waits until they are healthy, and tells the balancer.
launch_all() {
    local number seed
    local -a ports=() seeds
    for number in "${@:2}"; do
        mapfile -t -O ${#ports[@]} ports < <(node_ports "$number")
    done
    if ! front_is_ours; then ports+=("tcp:$FRONT_PORT"); fi
    check_ports "${ports[@]}"
    make_secret
    for number in "${@:2}"; do
        mapfile -t seeds < <(sort -nu <<<"$1" | grep -vx -e "$number" -e '')
        launch_node "$number" "${seeds[@]}"
    done
    for number in "${@:2}"; do await_node "$number"; done
    refresh_front
}

announce() {
    local number
    say "open http://localhost:$FRONT_PORT"
    for number in $(running_nodes); do
        say "  node$number  $(node_url "$number")  log: $(node_log "$number")"
    done
    describe_front
    say "the cluster page: http://localhost:$FRONT_PORT/cluster"
    say 'watch: scripts/cluster.sh logs, scripts/cluster.sh status'
}

main() {
    local command=${1:-help}
    [[ $command != -h && $command != --help ]] || command=help
    declare -F "command_${command//-/_}" >/dev/null || die "there is no command '$command' (cluster.sh help)"
    check_settings
    "command_${command//-/_}" "${@:2}"
}

main "$@"
