# shellcheck shell=bash
# Sourced by scripts/rasa, whose variables and functions it uses: installs a pinned Rasa into $VENV.

install() {
    installed && return 0
    [ "$(uname -sm)" = 'Linux x86_64' ] || fail 3 'the pinned packages exist for Linux on x86_64 only'
    with_lock install do_install
}

# The stamp is written last, so an interrupted install is never taken for a whole one.
installed() {
    local version sum
    [ -x "$VENV/bin/python" ] && read -r version sum 2>/dev/null <"$VENV/stamp" &&
        [ "$sum" = "$(pins_sum "$version")" ]
}

pins() {
    case $VERSION in
        3.6.21) echo "$ROOT/rasa/requirements-py${1/./}.txt" ;;
        *) echo "$ROOT/rasa/older/requirements-$VERSION.txt" ;;
    esac
}
pins_sum() { checksum <"$(pins "$1")"; }
checksum() { sha256sum | cut -d ' ' -f 1; }

do_install() {
    # Another process may have installed Rasa while this one waited for the lock.
    installed && return
    local python version build_pins
    python=$(find_python)
    version=$(python_version "$python")
    say "installing Rasa $VERSION for Python $version into $VENV (a few minutes, 1.7 GB)"
    if ! venv_works "$version"; then
        rm -rf "$VENV"
        "$python" -m venv "$VENV" >&2
    fi
    rm -f "$VENV/stamp"
    forget_half_installed
    # Some packages come as sources. They are built with the pinned setuptools, because
    # the newest one lacks what they need; and without a C compiler, which multidict
    # does not need.
    mapfile -t build_pins < <(grep -E "^(setuptools|wheel)==" "$(pins "$version")")
    pip_install "${build_pins[@]}"
    # Rasa's own metadata excludes Python 3.11 and asks for versions that conflict.
    MULTIDICT_NO_EXTENSIONS=1 pip_install --no-build-isolation --ignore-requires-python -r "$(pins "$version")"
    (
        rasa_environment
        exec "$VENV/bin/python" -c 'import rasa.core.run, rasa_sdk.endpoint'
    ) >"$DIR/install.log" 2>&1 ||
        fail_with_log "the installed Rasa does not work; delete $VENV and try again" "$DIR/install.log"
    echo "$version $(pins_sum "$version")" >"$VENV/stamp"
}

pip_install() {
    "$VENV/bin/python" -m pip --disable-pip-version-check install --quiet --root-user-action ignore \
        --no-deps "$@" >&2 || fail 1 'pip failed, see above; the next try goes on from here'
}

venv_works() {
    [ -x "$VENV/bin/python" ] && [ "$(python_version "$VENV/bin/python")" = "$1" ] &&
        "$VENV/bin/python" -m pip --version >/dev/null 2>&1
}

# Removes packages whose installation was interrupted. pip takes a package for
# installed as soon as it has metadata, but writes RECORD last.
forget_half_installed() {
    local info
    for info in "$VENV"/lib/python*/site-packages/*.dist-info; do
        [ -e "$info/RECORD" ] || rm -rf "$info"
    done
}

# Prints the version of a Python if Rasa runs on it. It runs that Python, because a
# name in the PATH may be a shim without a Python behind it.
python_version() {
    local version
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || return 0
    [[ " $PYTHONS " != *" $version "* ]] || echo "$version"
}

python_has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

find_python() {
    local found
    if found=$(usable_python); then
        echo "$found"
        return
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "no usable Python (${PYTHONS// / or }): trying apt"
        install_python >"$DIR/apt.log" 2>&1
        if found=$(usable_python); then
            echo "$found"
            return
        fi
    fi
    fail 3 "needs Python ${PYTHONS// / or } with its venv module (on Debian 12: apt install python3 python3-venv); PYTHON may name it"
}

usable_python() {
    local python version names=()
    for version in $PYTHONS; do
        # The Pythons of pyenv need not be in the PATH.
        names+=("python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python3)
    done
    for python in ${PYTHON:+"$PYTHON"} "${names[@]}" python3; do
        if [ -n "$(python_version "$python")" ] && python_has_venv "$python"; then
            echo "$python"
            return
        fi
    done
    return 1
}

# On Debian and Ubuntu the module venv is a package of its own, which may be missing.
install_python() {
    local version
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update || true
    for version in $PYTHONS; do
        if apt-get -qq -y install --no-install-recommends "python$version" "python$version-venv"; then
            return
        fi
    done
}
