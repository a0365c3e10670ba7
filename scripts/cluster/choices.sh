# shellcheck shell=bash
# What `start` was told about the whole cluster, kept in $CHOICES for the nodes that come later: the front, the binary,
# and the flags handed to every node.

# settle_choices FRONT BINARY FLAG...: an empty FRONT or BINARY stands for what holds already, else for the default.
settle_choices() {
    local front=$1 binary=$2
    local -a flags=("${@:3}")
    if [[ -n $binary ]]; then
        [[ -f $binary && -x $binary ]] || die "there is no program at '$binary'"
        binary=$(realpath -- "$binary")
    fi
    if [[ -n $(running_nodes) ]]; then
        keep_choice front "$front"
        keep_choice binary "$binary"
        keep_choice flags "$(write_lines "${flags[@]}")"
    else
        printf '%s\n' "${front:-none}" >"$CHOICES/front"
        printf '%s\n' "${binary:-$(server_binary)}" >"$CHOICES/binary"
        write_lines "${flags[@]}" >"$CHOICES/flags"
    fi
}

choice() { cat -- "$CHOICES/$1"; }

# How long a node may take to end: somewhat longer than it gives itself.
stop_seconds() {
    local flag timeout=30s grace=2s
    if [[ -n $STOP_SECONDS ]]; then say "$STOP_SECONDS" && return; fi
    while read -r flag; do
        case $flag in
            --leave-timeout) read -r timeout ;;
            --leave-timeout=*) timeout=${flag#*=} ;;
            --leave-grace) read -r grace ;;
            --leave-grace=*) grace=${flag#*=} ;;
        esac
    done < <(cat -- "$CHOICES/flags" 2>/dev/null)
    say $(($(whole_seconds "$timeout") + $(whole_seconds "$grace") + 10))
}

# whole_seconds TIME: as flags have it, rounded down.
whole_seconds() {
    case $1 in
        *ms) say $((10#${1%ms} / 1000)) ;;
        *s) say $((10#${1%s})) ;;
        *m) say $((10#${1%m} * 60)) ;;
    esac
}

# A cluster that runs cannot change its mind.
keep_choice() {
    [[ -z $2 || $2 == "$(choice "$1")" ]] ||
        die "the nodes that run here were started with another $1 ($(choice "$1" | xargs)): stop them first"
}

write_lines() { if (($#)); then printf '%s\n' "$@"; fi; }
