# shellcheck shell=bash
# What listens on the front port: the nodes themselves (none), or a balancer with the file in deploy/.

readonly FRONT=$RUN/front

check_front() {
    case $1 in
        none) ;;
        nginx) need nginx 'install it (Debian: apt install nginx-light), or leave out --front' ;;
        haproxy) need haproxy 'install it (Debian: apt install haproxy), or leave out --front' ;;
        *) die "--front knows nginx and haproxy, not '$1'" ;;
    esac
}

# Brings the balancer in line with the known nodes: starts it, or has it read its file again.
refresh_front() {
    local kind before
    kind=$(choice front)
    case $kind in
        nginx) local template=nginx.conf reload=HUP ;;
        haproxy) local template=haproxy.cfg reload=USR2 ;;
        none) return ;;
    esac
    mkdir -p -- "$FRONT"
    before=$(cat -- "$FRONT/$template" 2>/dev/null) || true
    render_front <"$ROOT/deploy/$template" >"$FRONT/$template"
    if ! is_running front; then
        start_front "$kind"
    elif [[ $before != "$(<"$FRONT/$template")" ]]; then
        send "$reload" front
    fi
}

start_front() {
    local log=$LOGS/$1.log deadline=$((SECONDS + START_SECONDS))
    case $1 in
        nginx) spawn front "$log" nginx -p "$FRONT" -c "$FRONT/nginx.conf" -e stderr ;;
        haproxy) spawn front "$log" haproxy -W -db -f "$FRONT/haproxy.cfg" ;;
    esac
    until answers_health "$FRONT_PORT"; do
        is_running front || die "$1 ended at once: $(last_line "$log") (all of it: $log)"
        ((SECONDS < deadline)) || die "$1 reached no node within $START_SECONDS s: $(last_line "$log") (all of it: $log)"
        sleep 0.1
    done
}

# The file of deploy/ with our ports: its line for node1 becomes a line for each known node.
render_front() {
    local line number
    while IFS= read -r line; do
        case $line in
            *127.0.0.1:9001*)
                for number in $(known_nodes); do
                    line=${line/node[0-9]/node$number}
                    printf '%s\n' "${line/127.0.0.1:9001/127.0.0.1:$((HTTP_BASE + number))}"
                done
                ;;
            *127.0.0.1:900[2-9]*) ;;
            *) printf '%s\n' "${line/127.0.0.1:9000/127.0.0.1:$FRONT_PORT}" ;;
        esac
    done
}

# Whether the front port is already in the hands of this cluster.
front_is_ours() {
    if [[ $(choice front) == none ]]; then [[ -n $(running_nodes) ]]; else is_running front; fi
}

describe_front() {
    local kind
    kind=$(choice front)
    if [[ $kind == none ]]; then
        say "front: http://localhost:$FRONT_PORT, where every node listens"
    else
        say "front: http://localhost:$FRONT_PORT, $kind ($(running_pid front || say down))"
    fi
}
