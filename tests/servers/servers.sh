#!/bin/bash
# Kafka, Redis and MongoDB for development, tests and the demo: one set of them an instance, on loopback only.
#
# An instance is a name; its state (data, logs, process ids, ports) lies in .dev/NAME of this checkout. Ports derive from the
# checkout's path and the name, are looked for nearby when taken, and stay the same until the state is removed. Every server
# runs in a session of its own. A server counts as ready when it has answered so, not when time has passed.
set -euo pipefail

program=servers.sh
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
checkout=$(cd "$setup_dir/../.." && pwd)

servers_all=(kafka redis mongodb)
ready_seconds_max=150 # for all that one command starts
stop_seconds_max=15  # from TERM to KILL, for each server
lock_seconds_max=180 # for another servers.sh at work on this instance
port_first=20000     # below the kernel's range for outgoing connections
port_slots=1500      # of port_slot_size ports each
port_slot_size=8

usage() {
    cat <<'USAGE'
usage: servers.sh [--instance NAME] [OPTION...] COMMAND [SERVER...]

Kafka, Redis and MongoDB on loopback for tests. SERVER is kafka, redis or mongodb; none means all of them.

  up        start what does not run yet, and wait until it answers
  down      stop: first politely, then for sure; data stays
  status    what runs: process id, address, version; exit code 3 unless all do
  env       print shell code that exports the addresses and process ids
  kill      kill -9
  start     start again on the same port with the same data
  stop      the same as down
  wipe      stop, remove the data, start anew
  logs      the last lines of the logs; -f follows

  --instance NAME   which set of servers (default: VIEWFOLD_INSTANCE, or else dev)
  --fresh           up: without the data of before.  down: remove the instance's state
  --appendonly      up, start, wipe: Redis keeps its data in an append-only file, until the next wipe
  --brief           up: Kafka for some minutes only, as tests need it: Java compiles quickly rather than well
  --quiet           say nothing unless something is wrong

Environment: VIEWFOLD_KAFKA_VERSION (3.9.1 or 4.1.1), and VIEWFOLD_KAFKA, VIEWFOLD_REDIS, VIEWFOLD_MONGODB: the address of a
server of yours, which is used then and neither started nor stopped. An address that `env` printed (a process id comes with
it) does not count as yours.
USAGE
}

# --- state ------------------------------------------------------------------------------------------------------------

quiet='' fresh='' appendonly='' brief='' follow=''
tell() { [[ -n $quiet ]] || say "$@"; }

# What is recorded about a server: get SERVER WHAT, put SERVER WHAT VALUE.
get() { cat "$state/$1/$2" 2>/dev/null || true; }
put() { printf '%s\n' "$3" >"$state/$1/.$2" && mv "$state/$1/.$2" "$state/$1/$2"; }

# A process's start time, by which a reused process id is told apart; nothing for one that has ended.
started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    # shellcheck disable=SC2086 # the fields after the name in brackets
    set -- ${stat##*) }
    [[ $1 == [ZX] ]] || say "${20}"
}

running_pid() {
    local pid start where
    read -r pid start where < <(get "$1" pid) || true
    # A checkout may have been copied together with its state: what runs is not the copy's.
    if [[ -n ${where:-} && $where == "$state" && $(started_at "$pid") == "$start" ]]; then say "$pid"; fi
}

# The user's own server: its address, or nothing.
given() {
    local name=VIEWFOLD_${1^^}
    local pid_name=${name}_PID
    if [[ -z ${!pid_name:-} ]]; then say "${!name:-}"; fi
}

address() {
    local given port
    given=$(given "$1")
    port=$(get "$1" port)
    if [[ -n $given ]]; then say "$given"; return; fi
    case $1 in
        kafka) say "127.0.0.1:$port" ;;
        redis) say "redis://127.0.0.1:$port/0" ;;
        mongodb) say "mongodb://127.0.0.1:$port/?replicaSet=rs0" ;;
    esac
}

# An address as people may see it: without the user's name and password, which end at the last '@'.
masked() {
    if [[ $1 == *://*@* ]]; then say "${1%%://*}://***@${1##*@}"; else say "$1"; fi
}

# The address of a MongoDB with a database in it, as viewfold's configuration wants it: URL DATABASE. A URL's own one stays.
with_database() {
    local url=$1 base query='' path=''
    base=${url%%\?*}
    [[ $base == "$url" ]] || query="?${url#*\?}"
    [[ ${base#*://} != */* ]] || path=${base#*://*/}
    base=${base%"/$path"}
    say "$base/${path:-$2}$query"
}

title() {
    case $1 in
        kafka) say Kafka ;;
        redis) say Redis ;;
        mongodb) say MongoDB ;;
    esac
}

lock_instance() {
    mkdir -p "$state"
    exec 9>"$state/lock"
    flock -w "$lock_seconds_max" 9 || die "another servers.sh has been busy with instance $instance for $lock_seconds_max s: is it stuck?"
}

# --- ports ------------------------------------------------------------------------------------------------------------

port_listens() { (exec 7<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

port_recorded() { cat "$checkout"/.dev/*/*/{port,controller_port,login_port} 2>/dev/null | grep -qx "$1"; }

# choose_port N: a port that nobody uses or has recorded, for the Nth listener of this instance.
choose_port() {
    local slot port tries
    slot=$(($(cksum <<<"$checkout//$instance" | cut -d' ' -f1) % port_slots))
    for ((tries = 0; tries < 200; tries++)); do
        port=$((port_first + (slot + tries) % port_slots * port_slot_size + $1))
        if ! port_recorded "$port" && ! port_listens "$port"; then
            say "$port"
            return
        fi
    done
    die "found no free port from $port_first on"
}

# Sees to it that a server that is about to start has ports. Another one's port is given up when NEW may be chosen.
need_ports() {
    local server=$1 may_choose=$2 file number=0 port
    case $server in
        kafka) set -- port:0 controller_port:1 login_port:4 ;;
        redis) set -- port:2 ;;
        mongodb) set -- port:3 ;;
    esac
    for file in "$@"; do
        number=${file#*:} file=${file%:*}
        port=$(get "$server" "$file")
        if [[ -n $port ]] && port_listens "$port"; then
            [[ -n $may_choose ]] || die "$(title "$server"): port $port is taken by another program: stop that one, or use 'up', which chooses another port"
            port=''
        fi
        [[ -n $port ]] || put "$server" "$file" "$(choose_port "$number")"
    done
}

# --- starting ---------------------------------------------------------------------------------------------------------

# spawn SERVER COMMAND...: in a session of its own, with nothing of ours open, output to its log; records the process.
spawn() {
    local server=$1 pid start
    shift
    (
        cd "$state/$server"
        for fd in /proc/"$BASHPID"/fd/*; do
            fd=${fd##*/}
            ((fd <= 2 || fd == 255)) || eval "exec $fd>&-"
        done
        exec setsid "$@" </dev/null >>log 2>&1
    ) &
    pid=$!
    start=$(started_at "$pid")
    put "$server" pid "$pid ${start:-0} $state"
}

java_program() {
    if [[ -n ${JAVA_HOME:-} && -x $JAVA_HOME/bin/java ]]; then say "$JAVA_HOME/bin/java"; else say java; fi
}

start_kafka() {
    local home=$state/kafka made_by java id logging settings compiler=()
    java=$(java_program)
    made_by=$(get kafka version)
    if [[ -n $made_by && $made_by != "$kafka_version" && -d $home/data ]]; then
        die "the data of instance $instance is Kafka $made_by's, not $kafka_version's: 'wipe kafka' or 'up --fresh' begins anew"
    fi
    put kafka version "$kafka_version"
    [[ -z $brief ]] || put kafka brief yes
    [[ -z $(get kafka brief) ]] || compiler=(-XX:TieredStopAtLevel=1) # a third less work at the start
    mkdir -p "$home/tmp"
    settings=$(<"$setup_dir/server.properties.in")
    settings=${settings//@PORT@/"$(get kafka port)"}
    settings=${settings//@CONTROLLER_PORT@/"$(get kafka controller_port)"}
    settings=${settings//@LOGIN_PORT@/"$(get kafka login_port)"}
    say "${settings//@DATA@/"$home/data"}" >"$home/server.properties"
    if [[ ! -f $home/data/meta.properties ]]; then
        id=A$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22) # any 16 bytes in base64 that don't begin with a dash
        "$java" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -cp "$kafka_lib/*" \
            kafka.tools.StorageTool format --ignore-formatted -t "$id" -c "$home/server.properties" </dev/null >>"$home/log" 2>&1 9>&- || {
            tail -n 20 "$home/log" >&2
            die "Kafka could not format $home/data"
        }
    fi
    logging=-Dlog4j.configuration=file:$setup_dir/kafka-$kafka_version/log4j.properties
    [[ -f ${logging#*file:} ]] || logging=-Dlog4j2.configurationFile=$setup_dir/kafka-$kafka_version/log4j2.properties
    spawn kafka "$java" -Xmx1g -XX:+UseSerialGC ${compiler[@]+"${compiler[@]}"} -XX:-UsePerfData -Djava.io.tmpdir="$home/tmp" "$logging" \
        -cp "$kafka_lib/*" kafka.Kafka "$home/server.properties"
}

start_redis() {
    local home=$state/redis mode=no
    [[ -z $appendonly ]] || put redis appendonly yes
    [[ -z $(get redis appendonly) ]] || mode=yes
    mkdir -p "$home/data"
    ln -sfn "$redis_program" "$home/redis-server" # the program goes by the name that it is called
    put redis version "$("$home/redis-server" --version | sed -n 's/.* v=\([^ ]*\).*/\1/p')"
    spawn redis "$home/redis-server" --port "$(get redis port)" --bind 127.0.0.1 --dir "$home/data" --daemonize no \
        --save '' --appendonly "$mode" --maxmemory-policy noeviction
}

start_mongodb() {
    local home=$state/mongodb
    mkdir -p "$home/data"
    ln -sfn "$mongod" "$home/mongod"
    put mongodb version "$("$mongod" --version | sed -n 's/^db version v//p')"
    spawn mongodb "$mongod" --dbpath "$home/data" --bind_ip 127.0.0.1 --port "$(get mongodb port)" --nounixsocket \
        --replSet rs0 --oplogSize 512 --wiredTigerCacheSizeGB 1 --setParameter enableTestCommands=1 \
        --setParameter transactionLifetimeLimitSeconds=3 --setParameter diagnosticDataCollectionEnabled=false
}

# launch MAY_CHOOSE SERVER...: starts those that don't run, and waits for all. Where a port was taken between the look and
# the start, tries again with another one, if it may.
launch() {
    local may_choose=$1 server tries why code arguments
    shift
    (($# > 0)) || return 0
    for ((tries = 1; ; tries++)); do
        arguments=()
        for server in "$@"; do
            if [[ -z $(running_pid "$server") ]]; then
                mkdir -p "$state/$server"
                need_ports "$server" "$may_choose"
                say "--- $(date '+%F %T') starting" >>"$state/$server/log"
                "start_$server"
            fi
            arguments+=("$server=$(address "$server"),$(get "$server" pid | cut -d' ' -f1)")
        done
        code=0
        why=$("$python" "$setup_dir/ask.py" wait "$ready_seconds_max" "${arguments[@]}" 2>&1 9>&-) || code=$?
        ((code != 0)) || return 0
        server=${why%% *}
        if ((code == 4 && tries < 3)) && [[ -n $may_choose ]] && port_listens "$(get "$server" port)"; then
            continue
        fi
        if [[ -s $state/$server/log ]]; then
            warn "--- the end of $state/$server/log:"
            tail -n 20 "$state/$server/log" >&2
        fi
        die "$why"
    done
}

# --- stopping ---------------------------------------------------------------------------------------------------------

# wait_gone PID SECONDS: until the process has ended; false when it has not.
wait_gone() {
    local pid=$1 tries
    for ((tries = $2 * 50; tries > 0; tries--)); do
        [[ -n $(started_at "$pid") ]] || return 0
        sleep 0.02
    done
    return 1
}

halt() {
    local server pid stopping=()
    for server in "$@"; do
        pid=$(running_pid "$server")
        [[ -n $pid ]] || continue
        kill -TERM "$pid" 2>/dev/null || true
        kill -CONT "$pid" 2>/dev/null || true # one that a test has stopped could not end otherwise
        stopping+=("$server")
    done
    for server in ${stopping[@]+"${stopping[@]}"}; do
        pid=$(running_pid "$server")
        if [[ -n $pid ]] && ! wait_gone "$pid" "$stop_seconds_max"; then
            kill -KILL "$pid" 2>/dev/null || true
            wait_gone "$pid" "$stop_seconds_max" || die "$(title "$server"): process $pid cannot be killed"
        fi
        tell "stopped: $(title "$server")"
    done
}

# --- commands ---------------------------------------------------------------------------------------------------------

describe() {
    local server=$1 given pid
    given=$(given "$server")
    pid=$(running_pid "$server")
    if [[ -n $given ]]; then
        printf '%-8s yours    %-44s %s\n' "$(title "$server")" "$(masked "$given")" "${2:-}"
    elif [[ -n $pid ]]; then
        printf '%-8s runs     %-44s %s, process %s\n' "$(title "$server")" "$(address "$server")" "$(get "$server" version)" "$pid"
    else
        printf '%-8s stopped\n' "$(title "$server")"
        return 1
    fi
}

do_up() {
    local server
    local -A versions=()
    need_servers "${ours[@]}"
    for server in "${servers[@]}"; do
        [[ -n $(given "$server") ]] || continue
        versions[$server]=$("$python" "$setup_dir/ask.py" version "$server=$(given "$server")") ||
            die "VIEWFOLD_${server^^} gives the address of a server of yours: start it, or unset the variable"
    done
    if [[ -n $fresh ]]; then
        halt "${ours[@]}"
        for server in "${ours[@]}"; do rm -rf "${state:?}/$server"; done
    fi
    for server in "${ours[@]}"; do
        if [[ $server == kafka && -n $(running_pid kafka) && $(get kafka version) != "$kafka_version" ]]; then
            die "Kafka $(get kafka version) runs in instance $instance: 'down kafka' first, then 'up --fresh' with $kafka_version"
        fi
    done
    launch yes "${ours[@]}"
    if [[ -n $appendonly && " ${ours[*]} " == *' redis '* && -z $(get redis appendonly) ]]; then # it ran already
        put redis appendonly yes
        "$python" -c 'import redis, sys; redis.Redis.from_url(sys.argv[1]).config_set("appendonly", "yes")' "$(address redis)"
    fi
    for server in "${servers[@]}"; do tell "$(describe "$server" "${versions[$server]:-}")"; done
}

do_down() {
    halt "${ours[@]}"
    if [[ -n $fresh ]]; then rm -rf "$state"; fi
}

do_start() {
    need_servers "${ours[@]}"
    launch '' "${ours[@]}"
    for server in "${ours[@]}"; do tell "$(describe "$server")"; done
}

do_kill() {
    local server pid
    for server in "${ours[@]}"; do
        pid=$(running_pid "$server")
        [[ -n $pid ]] || die "$(title "$server") does not run in instance $instance"
        kill -KILL "$pid"
        wait_gone "$pid" "$stop_seconds_max" || die "$(title "$server"): process $pid cannot be killed"
        tell "killed: $(title "$server")"
    done
}

do_wipe() {
    local server
    halt "${ours[@]}"
    for server in "${ours[@]}"; do
        rm -rf "$state/$server/"{data,tmp,log,appendonly,version}
    done
    do_start
}

do_status() {
    local server code=0
    for server in "${servers[@]}"; do describe "$server" || code=3; done
    return "$code"
}

do_env() {
    local server pid address
    for server in "${servers[@]}"; do
        pid=$(running_pid "$server")
        address=$(address "$server")
        if [[ -n $(given "$server") ]]; then
            say "export VIEWFOLD_${server^^}=${address@Q}"
        else
            [[ -n $pid ]] || die "$(title "$server") does not run in instance $instance: 'up' first"
            say "export VIEWFOLD_${server^^}=${address@Q} VIEWFOLD_${server^^}_PID=$pid"
        fi
        if [[ $server == mongodb ]]; then
            address=$(with_database "$address" shop)
            say "export VIEWFOLD_MONGODB_URL=${address@Q}" # the samples' database
        fi
        if [[ $server == kafka && -z $(given kafka) && -n $(get kafka login_port) ]]; then
            say "export VIEWFOLD_KAFKA_LOGIN='127.0.0.1:$(get kafka login_port)'" # the same broker, for a login with few rights
        fi
        if [[ $server == mongodb && -z $(given mongodb) ]]; then
            say "export VIEWFOLD_MONGODB_SERVER='$state/mongodb/mongod'"
        fi
        if [[ $server == redis && -z $(given redis) ]]; then
            say "export VIEWFOLD_REDIS_SERVER='$state/redis/redis-server'" # for tests that start further ones
        fi
    done
    say "export VIEWFOLD_SERVERS='$setup_dir/servers.sh' VIEWFOLD_INSTANCE='$instance' VIEWFOLD_PYTHON='$python'"
}

do_logs() {
    local server files=()
    for server in "${ours[@]}"; do
        [[ ! -f $state/$server/log ]] || files+=("$state/$server/log")
    done
    ((${#files[@]} > 0)) || die "there is no log yet in $state"
    exec tail -n "$((60 / ${#files[@]}))" ${follow:+-F} "${files[@]}"
}

main() {
    local command='' server
    instance=${VIEWFOLD_INSTANCE:-dev}
    servers=()
    while (($# > 0)); do
        case $1 in
            --instance) (($# > 1)) || die "--instance needs a name"; instance=$2; shift ;;
            --instance=*) instance=${1#*=} ;;
            --fresh) fresh=yes ;;
            --appendonly) appendonly=yes ;;
            --brief) brief=yes ;;
            --quiet) quiet=yes ;;
            -f) follow=yes ;;
            -h | --help | help) usage; exit 0 ;;
            -*) die "there is no option $1 (see --help)" ;;
            *)
                if [[ -z $command ]]; then
                    command=$1
                elif [[ " ${servers_all[*]} " == *" $1 "* ]]; then
                    servers+=("$1")
                else
                    die "there is no server '$1': ${servers_all[*]}"
                fi
                ;;
        esac
        shift
    done
    [[ $instance =~ ^[A-Za-z0-9][A-Za-z0-9_.-]*$ ]] || die "an instance's name is made of letters, digits, dots, dashes and underscores: not '$instance'"
    ((${#servers[@]} > 0)) || servers=("${servers_all[@]}")
    state=$checkout/.dev/$instance
    kafka_version=${VIEWFOLD_KAFKA_VERSION:-}
    if [[ -z $kafka_version && -z $fresh ]]; then kafka_version=$(get kafka version); fi
    kafka_version=${kafka_version:-$kafka_version_default}
    ours=()
    for server in "${servers[@]}"; do
        if [[ -z $(given "$server") ]]; then
            ours+=("$server")
        elif [[ " kill start stop wipe " == *" $command "* ]]; then
            die "VIEWFOLD_${server^^} gives the address of a server of yours, which is neither started nor stopped here"
        fi
    done
    case $command in
        up | down | start | kill | wipe) lock_instance && "do_$command" ;;
        stop) lock_instance && do_down ;;
        status) do_status ;;
        env) need_python >&2 && do_env ;; # what it prints is run as shell code
        logs) do_logs ;;
        '') usage >&2; exit 2 ;;
        *) die "there is no command '$command' (see --help)" ;;
    esac
}

main "$@"
