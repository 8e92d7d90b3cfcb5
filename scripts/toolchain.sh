# shellcheck shell=bash
# Checks what cargo needs before it can build, and installs it if possible. Sourced by
# the other scripts, which run on a machine that has Rust and little else.

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
    need_rust "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)"
    # One dependency has C code (ring), and cargo links with cc.
    can_link_c || apt_install gcc libc6-dev
    can_link_c || die 'needs a C compiler and its headers; on Debian: apt install gcc libc6-dev'
    # Downloads by cargo and pip need the authorities' certificates. Other systems than Debian have
    # them elsewhere; if they are missing there, the download fails with a message.
    [ ! -e /etc/debian_version ] || [ -e /etc/ssl/certs/ca-certificates.crt ] || apt_install ca-certificates
}

# Debian's own Rust is years older, and an old cargo cannot read this Cargo.toml.
need_rust() {
    local is
    is=$(rustc --version) || die 'rustc does not run; is there a toolchain? (rustup default stable)'
    read -r _ is _ <<<"$is"
    [ "$(printf '%s\n' "$1" "${is%%-*}" | sort -V | head -n 1)" = "$1" ] ||
        die "needs Rust $1, and this is $is; get it with 'rustup update stable', or from https://rustup.rs"
}

# need_tool NAME VERSION: installs cargo-NAME of exactly this version, under target/.
need_tool() {
    PATH=$PWD/target/tools/bin:$PATH
    [ "$(cargo "$1" --version 2>/dev/null)" = "cargo-$1 $2" ] ||
        cargo install --locked --root target/tools "cargo-$1" --version "$2" || die "cannot install cargo-$1 $2, see above"
}

can_link_c() {
    command -v cc >/dev/null && (
        probe=$(mktemp)
        trap 'rm -f "$probe"' EXIT
        printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' | cc -x c -o "$probe" - 2>/dev/null
    )
}

# Installs packages, only as root. It never fails: the caller checks again.
apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
    say "installing $* with apt"
    local log
    log=$(mktemp)
    # The package lists may be missing or too old: then they are updated first.
    if ! apt_quietly install -y --no-install-recommends "$@" >"$log" 2>&1; then
        apt_quietly update >"$log" 2>&1 || true
        apt_quietly install -y --no-install-recommends "$@" >>"$log" 2>&1 || tail -n 20 "$log" >&2
    fi
    rm -f "$log"
}

apt_quietly() { DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null; }
