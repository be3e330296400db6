#!/bin/bash
# ./dev bare: the demo, or the tests, on a Debian that was installed a moment ago, with empty caches: proves that nothing
# depends on what this machine happens to have, and that another release's libraries do.
#
# The Debian lies in a folder of its own (debootstrap). What runs there runs in name spaces of its own: its mounts and its
# processes end with its first process, and that one with this script, however this script ends. Carried in are the sources
# of HEAD, and how this machine reaches its package archives: apt's, pip's and Maven's settings, proxies and certificates.
set -euo pipefail

program='./dev bare'
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/servers/setup.sh
source "$checkout/tests/servers/setup.sh"

inside=/root/viewfold # the sources' folder, as seen from in there
declare -A codenames=([12]=bookworm [13]=trixie)

# Environment variables by which package clients find their archives. PIP_FIND_LINKS and the like are left out: they name
# folders of this machine.
carried='^(https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|all_proxy|ALL_PROXY|PIP_(INDEX_URL|EXTRA_INDEX_URL|CERT|CLIENT_CERT|PROXY|TRUSTED_HOST|DEFAULT_TIMEOUT|RETRIES)|MAVEN_(OPTS|ARGS)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE)='

usage() {
    cat <<'USAGE'
usage: ./dev bare [--release 12|13] [--test] [--filter REGEX] [--keep] [--again]

Installs a Debian in a folder (under ${TMPDIR:-/var/tmp}), puts the sources of HEAD there, runs ./dev demo or ./dev test in
it, tells how long each step took, and removes it. Needs root.

  --release 12    Debian 12 (the default): the demo
  --release 13    Debian 13: the tests
  --test          the tests in Debian 12, after the demo
  --filter REGEX  the tests whose names match
  --keep          leave the folder, for --again
  --again         in the folder that --keep left, with today's sources: no proof, but quick
USAGE
}

# --- what is carried in -----------------------------------------------------------------------------------------------

# The archives that this machine's apt uses, with the release's own names in them: sets `sources`, and `mirror`, the first.
read_archives() {
    local here uri suite component
    here=$(. /etc/os-release && say "${VERSION_CODENAME:-}")
    sources='' mirror=''
    while read -r uri suite component; do
        [[ -n $here && $suite == "$here"* ]] || continue
        suite=$codename${suite#"$here"}
        if [[ $suite == "$codename" && -z $mirror ]]; then mirror=$uri; fi
        sources+="deb $uri $suite $component"$'\n'
    done < <(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u)
    [[ -n $mirror ]] || die "apt's settings here name no archive of Debian $here: this works on Debian only"
}

# carry FILE...: those that exist, to the same place.
carry() {
    local file
    for file in "$@"; do
        [[ -f $file ]] || continue
        mkdir -p "$root${file%/*}"
        cp -L "$file" "$root$file"
    done
}

carry_settings() {
    local file
    printf '%s' "$sources" >"$root/etc/apt/sources.list"
    for file in /etc/apt/apt.conf.d/*; do
        if [[ -f $file ]] && grep -qE '^[[:space:]]*Acquire' "$file"; then carry "$file"; fi
    done
    carry /etc/apt/apt.conf /etc/apt/auth.conf /etc/apt/auth.conf.d/* /etc/pip.conf /usr/local/share/ca-certificates/*.crt /etc/resolv.conf
    for file in .config/pip/pip.conf .pip/pip.conf .m2/settings.xml .m2/settings-security.xml; do
        [[ -f $HOME/$file ]] || continue
        mkdir -p "$root/root/${file%/*}"
        cp -L "$HOME/$file" "$root/root/$file"
    done
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$(uname -n)" >"$root/etc/hosts"
}

# The sources of HEAD, without their history. What was built there before stays, for --again.
carry_sources() {
    mkdir -p "$root$inside"
    find "$root$inside" -mindepth 1 -maxdepth 1 ! -name build ! -name .dev -exec rm -rf {} +
    git -C "$checkout" archive "$commit" | tar -x -m -C "$root$inside"
    [[ -z $(git -C "$checkout" status --porcelain) ]] || warn "note: what is not committed does not come along"
}

# --- running in there -------------------------------------------------------------------------------------------------

# The first process in there. With it end all others, and the mounts. A command that leaves a process behind has failed.
# shellcheck disable=SC2016 # for the other shell
first_process='
    root=$1 inside=$2
    shift 2
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t tmpfs tmpfs "$root/tmp"
    mount --rbind /dev "$root/dev"
    chroot "$root" /bin/bash -c '\''cd "$0" && exec "$@"'\'' "$inside" "$@" &
    trap "kill -TERM $!" TERM INT HUP
    until wait $!; code=$?; ! kill -0 $! 2>/dev/null; do :; done
    trap "" TERM INT HUP
    for left in /proc/[0-9]*; do
        [ "$left" = /proc/1 ] || [ ! -s "$left/cmdline" ] || { echo "left running: $(tr "\0" " " <"$left/cmdline")" >&2; code=1; }
    done
    exit $code'

# within COMMAND...: runs it in there, in the sources' folder.
within() {
    local variables=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "TERM=${TERM:-dumb}")
    readarray -t -O "${#variables[@]}" variables < <(env | grep -E "$carried" || true)
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
        env -i "${variables[@]}" /bin/bash -c "$first_process" bash "$root" "$inside" "$@" </dev/null &
    child=$!
    code=0
    wait "$child" || code=$?
    child=''
    return "$code"
}

# --- steps ------------------------------------------------------------------------------------------------------------

root='' child='' keep='' times='' commit=''

clean_up() {
    local code=$?
    trap '' INT TERM HUP
    if [[ -n $child ]]; then
        pkill -TERM -P "$child" 2>/dev/null || true # the first process in there, which passes it on
        for ((tries = 300; tries > 0; tries--)); do
            kill -0 "$child" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    if [[ -n $root && -z $keep ]]; then rm -rf --one-file-system "$root"; fi
    exit "$code"
}

# step WHAT COMMAND...: tells how long it took.
step() {
    local what=$1 began=$SECONDS code=0
    shift
    say "--- Debian $release: $what"
    "$@" || code=$?
    times+=$(printf '%5d s  %s%s' $((SECONDS - began)) "$what" "$( ((code == 0)) || say ' FAILED')")$'\n'
    if ((code != 0)); then
        summary
        die "$what failed in Debian $release"
    fi
}

summary() { printf -- '--- Debian %s, %s: %s\n%s' "$release" "$codename" "$(git -C "$checkout" log -1 --format='%h %s' "$commit")" "$times"; }

install_debian() {
    local log=$root.log options=(--variant=minbase)
    # A mirror behind https cannot be read without certificates.
    [[ $mirror != https:* ]] || options+=(--include=ca-certificates)
    rm -rf --one-file-system "$root"
    mkdir -p "$root"
    debootstrap "${options[@]}" "$codename" "$root" "$mirror" >"$log" 2>&1 || {
        tail -n 15 "$log" >&2
        return 1
    }
    rm -f "$log"
}

main() {
    local release=12 test='' filter=() again='' demo=''
    while (($# > 0)); do
        case $1 in
            --release) (($# > 1)) || die "--release needs a number"; release=$2; shift ;;
            --filter) (($# > 1)) || die "--filter needs a regular expression"; filter=(--filter "$2") test=yes; shift ;;
            --test) test=yes ;;
            --keep) keep=yes ;;
            --again) again=yes keep=yes ;;
            -h | --help) usage; exit 0 ;;
            *) die "there is no option '$1' (see ./dev bare --help)" ;;
        esac
        shift
    done
    codename=${codenames[$release]:-}
    [[ -n $codename ]] || die "Debian $release is not among those tried: ${!codenames[*]}"
    ((EUID == 0)) || die "installing a Debian in a folder needs root: sudo ./dev bare"
    if [[ $release == 12 && ${#filter[@]} == 0 ]]; then demo=yes; else test=yes; fi
    need_packages debootstrap:debootstrap git:git
    commit=$(git -C "$checkout" rev-parse HEAD) || die "the sources of HEAD are what is tried, and $checkout is no git checkout"
    read_archives

    root=${TMPDIR:-/var/tmp}/viewfold-bare-$release-$(cksum <<<"$checkout" | cut -d' ' -f1)
    mkdir -p "${root%/*}"
    exec 6>"$root.lock"
    flock -n 6 || { root='' && die "another ./dev bare --release $release of this checkout is at work"; }
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [[ -z $again ]]; then
        step "installing it" install_debian
        carry_settings
    elif [[ ! -d $root$inside ]]; then
        keep='' && die "there is no folder of --keep: run ./dev bare --keep first"
    fi
    carry_sources
    [[ -z $demo ]] || step "./dev demo" within ./dev demo
    [[ -z $test ]] || step "./dev test ${filter[*]}" within ./dev test ${filter[@]+"${filter[@]}"}
    summary
    [[ -z $keep ]] || say "left for --again: $root"
}

# On one line: who edits this file while it runs does no harm.
main "$@"; exit
