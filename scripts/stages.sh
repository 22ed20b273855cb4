# Sourced by the gates: runs named stages, times them, and ends with a table and `N passed, M failed`.
#
# A stage is a shell function with the name that is shown. It fails with its first failing command. Where a tool is
# missing it calls `skip`, which is loud, and in CI (CI=true) a failure.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target="${CARGO_TARGET_DIR:-$PWD/target}"
readonly target

# run_stages STAGE... -- [NAME...]: runs all stages, or those that are named.
run_stages() {
    local all=() wanted=() stage
    while [[ $1 != -- ]]; do all+=("$1") && shift; done
    shift
    for stage in "$@"; do
        [[ " ${all[*]} " == *" $stage "* ]] || { echo "$0: no stage \"$stage\". There are: ${all[*]}" >&2 && exit 2; }
        wanted+=("$stage")
    done
    (($#)) || wanted=("${all[@]}")

    local passed=0 failed=0 skipped=0 table='' verdict code start
    for stage in "${wanted[@]}"; do
        printf '\n=== %s ===\n' "$stage"
        start=$SECONDS
        # Not `if (...)`: bash switches -e off inside of a condition, and a stage would run on after a failure.
        set +e
        (set -e && "$stage")
        code=$?
        set -e
        case $code in
            0) verdict=passed && ((++passed)) ;;
            77) if [[ ${CI:-} == true ]]; then verdict='FAILED (skipped)' && ((++failed)); else verdict=SKIPPED && ((++skipped)); fi ;;
            *) verdict=FAILED && ((++failed)) ;;
        esac
        table+=$(printf '%-44s %5d s  %s' "$stage" $((SECONDS - start)) "$verdict")$'\n'
    done

    printf '\n%s%-44s %5d s\n\n' "$table" total "$SECONDS"
    if ((skipped)); then echo "$skipped SKIPPED: what a skipped stage shows has not been shown"; fi
    printf '%d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0))
}

# skip REASON: ends the stage without a verdict.
skip() {
    printf 'SKIPPED: %s\n' "$1" >&2
    exit 77
}

# need COMMAND HINT: skips the stage where the command is missing.
need() {
    command -v "$1" >/dev/null || skip "$1 is missing: $2"
}

# need_packages PATH=PACKAGE...: installs the Debian packages whose path is missing, as root; else says how.
need_packages() {
    local pair missing=()
    for pair in "$@"; do
        # Unquoted on purpose: a path may be a pattern.
        # shellcheck disable=SC2086
        compgen -G "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    ((${#missing[@]})) || return 0
    local install=(apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}")
    if ! command -v apt-get >/dev/null || ((EUID)); then
        skip "packages of Debian are missing. As root: ${install[*]}"
    fi
    echo "installing: ${missing[*]}"
    apt-get -o DPkg::Lock::Timeout=300 update -qq
    DEBIAN_FRONTEND=noninteractive "${install[@]}" >"$target/apt.log" 2>&1 || { tail -n 30 "$target/apt.log" && return 1; }
}

# Debian's own cargo, rustc and source of `core`: the three must match to the version, so rustup's do not serve.
debian_cargo() {
    RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc CARGO_TARGET_DIR="$target/cross" /usr/bin/cargo "$@"
}
# shellcheck disable=SC2034 # read by the scripts that source this one
debian_rust=(/usr/bin/rustc=rustc-web /usr/bin/cargo=cargo-web '/usr/src/rustc-*/library/core/Cargo.toml=rust-web-src')
mkdir -p "$target"
