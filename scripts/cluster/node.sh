# shellcheck shell=bash
# Nodes: node N answers HTTP on HTTP_BASE + N, operators on ADMIN_BASE + N, and speaks to its peers on CLUSTER_BASE + N.
# A node is known from its first start until `stop`, whether it runs or not: the file $NODES/nodeN holds its arguments.

node_url() { printf 'http://127.0.0.1:%s\n' "$((HTTP_BASE + $1))"; }
node_admin_url() { printf 'http://127.0.0.1:%s\n' "$((ADMIN_BASE + $1))"; }
node_log() { printf '%s\n' "$LOGS/node$1.log"; }
node_seed() { printf '127.0.0.1:%s\n' "$((CLUSTER_BASE + $1))"; }

is_known() { [[ -e $NODES/node$1 ]]; }
node_runs() { is_running "node$1"; }

known_nodes() {
    local file
    for file in "$NODES"/node*; do printf '%s\n' "${file##*/node}"; done | sort -n
}

running_nodes() {
    local number
    for number in $(known_nodes); do
        if node_runs "$number"; then printf '%s\n' "$number"; fi
    done
}

# Prints the number that a user means by `2` or `node2`; only a known node will do.
known_number() {
    local number=${1#node}
    [[ $number =~ ^[1-9][0-9]*$ ]] || die "'$1' is not a node: give its number, for instance 2"
    is_known "$number" || die "there is no node$number here; known: $(known_nodes | xargs)"
    printf '%s\n' "$number"
}

# launch_node N SEED...: seeds by their numbers.
launch_node() {
    local number=$1 seed
    local -a arguments flags
    shift
    mapfile -t flags < <(choice flags)
    arguments=(node --name "node$number" --http "127.0.0.1:$((HTTP_BASE + number))" --cluster "$(node_seed "$number")")
    # The cluster page is shown where the chat is, too: everybody here is an operator.
    arguments+=(--admin "127.0.0.1:$((ADMIN_BASE + number))" --public-status)
    for seed; do arguments+=(--seed "$(node_seed "$seed")"); done
    arguments+=(--secret-file "$SECRET")
    # The nodes share one store, which outlives them; people come by one address, this machine's, and may come as guests.
    arguments+=(--store "sqlite:$STORE" --guests --sign-in-limit 100000)
    # Without a balancer every node listens on the front port too, and the kernel scatters connections over them.
    if [[ $(choice front) == none ]]; then
        arguments+=(--front "127.0.0.1:$FRONT_PORT")
    else
        arguments+=(--trust-proxy 127.0.0.1)
    fi
    arguments+=("${flags[@]}")
    printf '%s\n' "${arguments[@]}" >"$NODES/node$number"
    spawn "node$number" "$(node_log "$number")" "$(choice binary)" "${arguments[@]}"
}

# Waits until node N is healthy.
await_node() {
    local number=$1 deadline=$((SECONDS + START_SECONDS)) log
    log=$(node_log "$number")
    until answers_health "$((ADMIN_BASE + number))"; do
        node_runs "$number" || die "node$number ended before it was healthy: $(last_line "$log") (all of it: $log)"
        ((SECONDS < deadline)) || die "node$number was not healthy within $START_SECONDS s: $(last_line "$log") (all of it: $log)"
        sleep 0.1
    done
}

# Has node N hand over what it owns and end, and waits for that.
drain_node() {
    local number=$1 pid status patience deadline log
    local began=$EPOCHREALTIME
    log=$(node_log "$number")
    patience=$(stop_seconds)
    deadline=$((SECONDS + patience))
    pid=$(running_pid "node$number") || die "node$number does not run"
    say "node$number leaves ..."
    send TERM "node$number" || true
    while node_runs "$number"; do
        ((SECONDS < deadline)) || die "node$number has not left within $patience s: $(last_line "$log") (all of it: $log)"
        sleep 0.05
    done
    status=$(exit_status "node$number" "$pid") || die "node$number has ended, and nobody saw how: $(last_line "$log") (all of it: $log)"
    kill_process "node$number"
    ((status == 0)) || die "node$number ended with exit status $status: $(last_line "$log") (all of it: $log)"
    say "node$number left within $(seconds_since "$began") s"
}

# Waits until all running nodes see exactly each other up, and no session moves.
await_settled() {
    local number
    for number in $(running_nodes); do
        say "node$number $(node_admin_url "$number")"
    done | node "$ROOT/scripts/cluster/settled.mjs" "$START_SECONDS" || die "the cluster has not settled within $START_SECONDS s"
}

# seconds_since EPOCHREALTIME, with one decimal.
seconds_since() {
    local microseconds=$((${EPOCHREALTIME//[!0-9]/} - ${1//[!0-9]/}))
    printf '%d.%d\n' $((microseconds / 1000000)) $((microseconds / 100000 % 10))
}

last_line() { tail -n 1 -- "$1"; }

# Whether GET /health on 127.0.0.1:PORT answers 200.
answers_health() (
    exec 3<>"/dev/tcp/127.0.0.1/$1"
    printf 'GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
    read -r -t 2 _ code _ <&3
    [[ $code == 200 ]]
) 2>/dev/null

# check_ports PROTOCOL:PORT...: dies when another program has one of them.
check_ports() {
    local taken
    taken=$(node "$ROOT/scripts/cluster/ports.mjs" "$@") || die 'the ports could not be checked'
    [[ -z $taken ]] || die "port $taken is in use by another program: end it, or choose other ports (cluster.sh help)"
}

node_ports() { printf '%s\n' "tcp:$((HTTP_BASE + $1))" "tcp:$((ADMIN_BASE + $1))" {tcp,udp}":$((CLUSTER_BASE + $1))"; }

make_secret() {
    [[ -s $SECRET ]] || (umask 077 && od --address-radix=n --format=x1 --read-bytes=32 /dev/urandom | tr -d ' \n' >"$SECRET")
}

# A new cluster begins new logs; those of the last one are kept once.
put_old_logs_aside() {
    local log
    for log in "$LOGS"/*.log; do
        [[ $log == "$LOGS/build.log" ]] || mv -- "$log" "$log.1"
    done
}
