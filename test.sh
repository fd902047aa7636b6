#!/usr/bin/env bash
# Checks the whole project and says in its last line what came of it: `N passed, M failed, K skipped`.
#
#   ./test.sh          everything: format, lints, tests, doc tests, clients, oracle, docs
#   ./test.sh quick    format, lints, unit tests, house rules: the short loop
#
# Environment: FULMAR_DATA          folder with recorded data (default ../shared/data); tests that need it are skipped where it is absent
#              REQUIRE_SERVICES=1   what is skipped for want of a program or service counts as failed
#              CARGO_TARGET_DIR     where to build (default target)
#
# Counted are the single tests of every part and, as one check each, the steps. A skip is an ignored test or a line that begins
# with `SKIPPED:`; a test that printed one counts as skipped, not as passed. Exit code 0 only where nothing failed.
set -euo pipefail
shopt -s nullglob
cd "$(dirname "${BASH_SOURCE[0]}")"
exec </dev/null

mode=${1:-full}
case $mode in
full | quick) ;;
*)
  echo "usage: ./test.sh [quick]" >&2
  exit 2
  ;;
esac

readonly require_services=${REQUIRE_SERVICES:-0}
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
export CARGO_TARGET_DIR=$target CARGO_TERM_COLOR=never PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
[[ $require_services == 1 ]] && export CARGO_INCREMENTAL=0
if [[ -z ${FULMAR_DATA:-} && -d ../shared/data ]]; then FULMAR_DATA=$(cd ../shared/data && pwd); fi
[[ -n ${FULMAR_DATA:-} ]] && export FULMAR_DATA

logs=$target/test-logs
rm -rf "$logs"
mkdir -p "$logs"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/fulmar-test.XXXXXX")
export TMPDIR=$scratch
# Every process that this script starts inherits the mark; what still carries it at the end was left running.
FULMAR_TEST_RUN="$$-$(basename "$scratch")"
export FULMAR_TEST_RUN
started=$SECONDS
passed=0 failed=0 skipped=0 number=0
children=()

# --- what was started is stopped, by pid -------------------------------------------------------------------------------------

stop_children() {
  local pid
  for pid in "${children[@]}"; do
    kill "$pid" 2>/dev/null || continue
    for _ in {1..100}; do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  children=()
}

# Pids that carry this run's mark and are neither this shell nor one of its subshells.
left_running() {
  local environ pid parent
  for environ in /proc/[0-9]*/environ; do
    pid=${environ#/proc/}
    pid=${pid%/environ}
    [[ $pid == "$$" || $pid == "$BASHPID" ]] && continue
    grep -qszF "FULMAR_TEST_RUN=$FULMAR_TEST_RUN" "$environ" || continue
    parent=$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || continue
    [[ $parent == "$BASHPID" ]] && continue
    echo "$pid"
  done
}

finish() {
  local status=$? pid
  trap - EXIT INT TERM
  stop_children
  for pid in $(left_running); do kill -9 "$pid" 2>/dev/null || true; done
  rm -rf "$scratch"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- steps and counts --------------------------------------------------------------------------------------------------------

# Adds what a step's log says about single tests: cargo's and nextest's summaries, `SKIPPED:` lines, a part's own count line.
count_tests() {
  local log=$1 p f i skips services
  read -r p f i < <(awk '
    /^test result: / { for (n = 2; n <= NF; n++) { if ($n ~ /^passed/) p += $(n-1); if ($n ~ /^failed/) f += $(n-1); if ($n ~ /^ignored/) i += $(n-1) } }
    /^ *Summary \[/  { for (n = 2; n <= NF; n++) { if ($n ~ /^passed/) p += $(n-1); if ($n ~ /^failed/) f += $(n-1); if ($n ~ /^(timed|exec)$/) f += $(n-1); if ($n ~ /^skipped/) i += $(n-1) } }
    /^[A-Za-z0-9_ -]+: [0-9]+ passed, [0-9]+ failed$/ { p += $(NF-3); f += $(NF-1) }
    END { print p + 0, f + 0, i + 0 }' "$log")
  skips=$(grep -cE '^ *SKIPPED:' "$log" || true)
  services=0
  if [[ $require_services == 1 ]]; then services=$(grep -E '^ *SKIPPED:' "$log" | grep -vc FULMAR_DATA || true); fi
  p=$((p - skips))
  ((p < 0)) && p=0
  passed=$((passed + p))
  failed=$((failed + f + services))
  skipped=$((skipped + i + skips - services))
  grep -E '^ *SKIPPED:' "$log" | sed 's/^ */    /' | sort | uniq -c | sed -E 's/^ *1 +/    /' || true
  if ((services > 0)); then echo "    FAILED: $services skipped for want of a service, and REQUIRE_SERVICES=1"; fi
}

# step NAME COMMAND...: runs it, keeps its output in a log, prints the log where it failed.
step() {
  local name=$1 log begin=$SECONDS
  shift
  number=$((number + 1))
  log=$logs/$(printf '%02d' "$number")-${name//[^a-z0-9]/-}.log
  echo "==> $name"
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    count_tests "$log"
    echo "    ok, $((SECONDS - begin)) s"
  else
    failed=$((failed + 1))
    count_tests "$log"
    tail -n 400 "$log" | sed 's/^/    | /'
    echo "    FAILED after $((SECONDS - begin)) s: $* (whole output: $log)"
    return 0
  fi
}

# skip TEXT: something could not be done here.
skip() {
  echo "    SKIPPED: $1"
  if [[ $require_services == 1 && $1 != *FULMAR_DATA* ]]; then
    echo "    FAILED: REQUIRE_SERVICES=1"
    failed=$((failed + 1))
  else
    skipped=$((skipped + 1))
  fi
}

# --- what must be here -------------------------------------------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

install_missing() {
  local wanted=()
  have cc || wanted+=(build-essential)
  if [[ $mode == full ]]; then
    have python3 || wanted+=(python3)
    if ! have python3 || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then wanted+=(python3-venv); fi
    if ! have chromium && grep -rqsIl --include='*.rs' --include='*.py' --include='*.mjs' chromium tests; then
      if [[ $require_services == 1 ]]; then wanted+=(chromium); fi
    fi
  fi
  ((${#wanted[@]} == 0)) && return 0
  if [[ $(id -u) == 0 ]] && have apt-get; then
    echo "installing with apt: ${wanted[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q && apt-get install -qy --no-install-recommends "${wanted[@]}"
  else
    echo "missing and not installable without root: ${wanted[*]} (as root: apt-get install ${wanted[*]})" >&2
    have cc
  fi
}

rust_is_here() {
  local minimum version
  minimum=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
  if ! have cargo || ! have rustc; then
    echo "Rust $minimum or newer is needed: install it from https://rustup.rs (with the components rustfmt and clippy)"
    return 1
  fi
  version=$(rustc --version | awk '{ print $2 }')
  if [[ $(printf '%s\n%s\n' "$minimum" "${version%%-*}" | sort -V | head -n 1) != "$minimum" ]]; then
    echo "Rust $minimum or newer is needed, $version is here: rustup update stable"
    return 1
  fi
  if ! cargo fmt --version || ! cargo clippy --version; then
    echo "rustfmt and clippy are needed: rustup component add rustfmt clippy"
    return 1
  fi
}

# --- the parts ---------------------------------------------------------------------------------------------------------------

workspace_tests() {
  if cargo nextest --version >/dev/null 2>&1; then
    # Output of passed tests is wanted: that is where a skip says so.
    cargo nextest run --workspace --locked --no-fail-fast --success-output immediate --failure-output immediate --status-level fail "$@"
  else
    cargo test --workspace --locked --no-fail-fast "${@:---tests}" -- --show-output
  fi
}

# The environment of a requirements file, kept under the target folder by the file's hash.
python_for() {
  local requirements=$1 hash place
  hash=$({ python3 --version && cat "$requirements"; } | sha256sum | cut -c1-16)
  place=$target/venv-$hash
  if [[ ! -e $place/complete ]]; then
    rm -rf "$place"
    python3 -m venv "$place" >&2
    "$place/bin/pip" install --quiet --requirement "$requirements" >&2
    touch "$place/complete"
  fi
  echo "$place/bin/python"
}

# Starts `fulmar simex` on a free port, with the account and the books that the clients and the oracle want; sets $simex_url.
simex_url=
start_simex() {
  local name=$1 out=$scratch/simex-$1.out
  "$target/debug/fulmar" simex --listen 127.0.0.1:0 --speed 1 --symbols BTCUSDT,ETHUSDT,SOLUSDT \
    --account simexKey:simexSecret --ledger "$scratch/ledger-$name.jsonl" \
    >"$out" 2>"$logs/simex-$name.log" &
  children+=($!)
  for _ in {1..600}; do
    simex_url=$(sed -n 's/^simex listening on \(http:[^ ]*\).*$/\1/p' "$out" | head -n 1)
    [[ -n $simex_url ]] && return 0
    kill -0 "${children[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "fulmar simex did not say where it listens"
  cat "$out" "$logs/simex-$name.log"
  return 1
}

# Third-party clients trade on a fresh exchange each; afterwards the oracle reckons that exchange's books.
client_scripts() {
  local clients=(tests/clients/*_client.py) client python name
  ((${#clients[@]} > 0)) || return 0
  if ! have python3 || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    echo "==> clients"
    skip "tests/clients needs python3 with venv"
    return 0
  fi
  step "python packages of the clients" python_for tests/clients/requirements.txt
  python=$(python_for tests/clients/requirements.txt 2>/dev/null) || return 0
  for client in "${clients[@]}"; do
    name=$(basename "$client" .py)
    if start_simex "$name" >"$logs/start-$name.log" 2>&1; then
      step "client $name" env SIMEX_KEY=simexKey SIMEX_SECRET=simexSecret "$python" "$client" "$simex_url"
    else
      step "client $name" bash -c "cat '$logs/start-$name.log'; exit 1"
    fi
    stop_children
    if [[ -s $scratch/ledger-$name.jsonl && -e tests/oracle/oracle.py ]]; then
      step "oracle over the books of $name" python3 tests/oracle/oracle.py "$scratch/ledger-$name.jsonl"
    fi
  done
}

oracle() {
  [[ -e tests/oracle/oracle.py ]] || return 0
  if ! have python3; then
    echo "==> oracle"
    skip "tests/oracle needs python3"
    return 0
  fi
  step "oracle notices every altered figure" python3 tests/oracle/oracle.py --self-test
}

scripts() {
  local script
  for script in tests/*.sh; do
    [[ -x $script ]] || continue
    step "$(basename "$script")" env "FULMAR_BIN=$target/debug/fulmar" "$script"
  done
}

nothing_left() {
  local pids
  stop_children
  pids=$(left_running)
  [[ -z $pids ]] && return 0
  echo "left running:"
  ps -o pid,args -p "$(paste -sd, <<<"$pids")"
  return 1
}

# --- the run -----------------------------------------------------------------------------------------------------------------

step "install what is missing" install_missing
step "rust toolchain" rust_is_here
if ((failed == 0)); then
  step "format" cargo fmt --all --check
  step "lints" cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
  if [[ $mode == quick ]]; then
    step "unit tests" workspace_tests --lib --bins
    step "house rules" workspace_tests --test tidy
  else
    step "tests" workspace_tests
    step "doc tests" cargo test --workspace --locked --doc
    client_scripts
    oracle
    scripts
    step "docs" env RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
  fi
fi
step "nothing left running" nothing_left

echo "$mode run on $(nproc) cores, $((SECONDS - started)) s; logs in $logs"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
