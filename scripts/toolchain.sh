# shellcheck shell=bash
# What cargo needs before it can build, installed where that is possible. Sourced
# by scripts/demo and scripts/test, which run on a machine that has Rust and little else.

# In French or in Chinese, grep and sort would read programs' output differently.
export LC_ALL=C.UTF-8

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    say "$*"
    exit 1
}

need_toolchain() {
    if ! command -v cargo >/dev/null; then
        # rustup's installer changes the PATH of new shells only.
        PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
        command -v cargo >/dev/null || die 'needs Rust; get it from https://rustup.rs'
    fi
    # Of C we build one dependency (ring); and cargo links with cc.
    can_link_c || apt_install gcc libc6-dev
    can_link_c || die 'needs a C compiler and its headers; on Debian: apt install gcc libc6-dev'
    # For cargo's and pip's downloads. Elsewhere they lie elsewhere, and it works or says why not.
    [ ! -e /etc/debian_version ] || [ -e /etc/ssl/certs/ca-certificates.crt ] || apt_install ca-certificates
}

can_link_c() {
    command -v cc >/dev/null && (
        probe=$(mktemp)
        trap 'rm -f "$probe"' EXIT
        printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' | cc -x c -o "$probe" - 2>/dev/null
    )
}

# Only as root, and never in the way: who called checks again.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    say "installing $* with apt"
    local log
    log=$(mktemp)
    # The lists may be there, or be too old.
    if ! apt_quietly install -y --no-install-recommends "$@" >"$log" 2>&1; then
        apt_quietly update >"$log" 2>&1 || true
        apt_quietly install -y --no-install-recommends "$@" >>"$log" 2>&1 || tail -n 20 "$log" >&2
    fi
    rm -f "$log"
}

apt_quietly() { DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null; }
