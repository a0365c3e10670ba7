# shellcheck shell=bash
# Processes that outlive this script. Each has a name and is remembered in $PIDS by its pid and its birth: the kernel
# gives a pid away again, so the pid alone might by now be a stranger's. Each leads a process group of its own, so that
# its children are found too, even when it is gone. Each has a keeper, who waits for its end and writes its exit status
# into $EXITS: only a parent is told that.

read -r BOOT </proc/sys/kernel/random/boot_id
readonly BOOT

# Sets STATE, GROUP and BIRTH of the process PID; fails when there is no such process.
read_process() {
    local stat
    local -a fields
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # The second field is the program's name in brackets, and may itself hold spaces and brackets.
    read -ra fields <<<"${stat##*) }"
    STATE=${fields[0]:-} GROUP=${fields[2]:-} BIRTH=${fields[19]:-}@$BOOT
    [[ $STATE != [ZX] ]]
}

# spawn NAME LOG COMMAND...
spawn() {
    local name=$1 pid
    read -r pid < <(keep "$@")
    read_process "$pid" || BIRTH=unknown
    printf '%s %s\n' "$pid" "$BIRTH" >"$PIDS/$name"
}

# keep NAME LOG COMMAND...: prints the pid, and lives as long as the process.
keep() {
    local name=$1 log=$2 pid status=0
    shift 2
    # Job control gives the process its own group: Ctrl-C at the terminal is not for it.
    set -o monitor
    env --chdir="$RUN" nohup "$@" >>"$log" 2>&1 </dev/null 9>&- &
    pid=$!
    set +o monitor
    printf '%s\n' "$pid"
    # Nor is it for the keeper, who holds nothing open for which somebody might wait.
    trap '' HUP INT QUIT TERM
    exec </dev/null >/dev/null 2>&1 9>&-
    cd /
    wait "$pid" || status=$?
    printf '%s %s\n' "$pid" "$status" >"$EXITS/$name"
}

# Prints the exit status of NAME, which ran as PID and has ended; fails when nobody knows it.
exit_status() {
    local pid status tries
    for ((tries = 0; tries < 40; tries++)); do
        if read -r pid status 2>/dev/null <"$EXITS/$1" && [[ $pid == "$2" ]]; then
            printf '%s\n' "$status"
            return
        fi
        sleep 0.05
    done
    return 1
}

# Prints the pid of NAME; fails when it does not run.
running_pid() {
    local pid birth
    [[ -r $PIDS/$1 ]] || return 1
    read -r pid birth <"$PIDS/$1"
    read_process "$pid" && [[ $BIRTH == "$birth" ]] && printf '%s\n' "$pid"
}

is_running() { running_pid "$1" >/dev/null; }

# Prints the pids of NAME and all its children.
family() {
    local leader birth entry
    [[ -r $PIDS/$1 ]] || return 0
    read -r leader birth <"$PIDS/$1"
    # A group keeps its number from being given away: a stranger under that number means that the whole family is gone.
    if read_process "$leader" && [[ $BIRTH != "$birth" ]]; then return 0; fi
    for entry in /proc/[0-9]*; do
        if read_process "${entry#/proc/}" && [[ $GROUP == "$leader" && $entry/cwd -ef $RUN ]]; then
            printf '%s\n' "${entry#/proc/}"
        fi
    done
}

# send SIGNAL NAME: fails when NAME does not run.
send() {
    local pid
    pid=$(running_pid "$2") && kill -s "$1" "$pid" 2>/dev/null
}

# kill_process NAME: at once, children too; returns when they are gone.
kill_process() {
    local -a relatives
    while mapfile -t relatives < <(family "$1") && ((${#relatives[@]})); do
        kill -s KILL "${relatives[@]}" 2>/dev/null || true
        sleep 0.05
    done
    rm -f -- "$PIDS/$1"
}

# end_processes NAME...: asks all of them to end, and kills what has not ended by the deadline.
end_processes() {
    local name patience deadline
    patience=$(stop_seconds)
    deadline=$((SECONDS + patience))
    for name; do
        send TERM "$name" || true
    done
    for name; do
        while is_running "$name" && ((SECONDS < deadline)); do sleep 0.05; done
        ! is_running "$name" || warn "$name did not end within $patience s: killing it"
        kill_process "$name"
    done
}

# Clears away what is left of processes that died: their records, and children that outlived them.
clear_dead() {
    local record
    for record in "$PIDS"/*; do
        is_running "${record##*/}" || kill_process "${record##*/}"
    done
}
