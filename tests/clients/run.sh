#!/bin/sh
# Runs the third-party clients against a simulated exchange: the one at $1, or one that is started here and ended again.
# SIMEX_COMMAND starts it (the address is appended); the default is the built example. Traffic stays on loopback.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=${CLIENTS_VENV:-$root/target/clients-venv}
python=${PYTHON:-python3}

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c 'import ccxt, binance_sdk_derivatives_trading_usds_futures' 2>/dev/null; then
    if ! "$python" -m venv "$venv" || ! "$venv/bin/pip" install -q -r "$here/requirements.txt"; then
        echo "SKIPPED: tests/clients needs Python with venv and the packages of requirements.txt from PyPI"
        exit 0
    fi
fi

pid=
stop() { if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi; }
trap stop EXIT INT TERM

url=${1:-}
if [ -z "$url" ]; then
    port=${SIMEX_PORT:-8951}
    if [ -z "${SIMEX_COMMAND:-}" ]; then
        (cd "$root" && cargo build -q -p fulmar-simex --example serve)
        SIMEX_COMMAND="${CARGO_TARGET_DIR:-$root/target}/debug/examples/serve"
    fi
    $SIMEX_COMMAND "127.0.0.1:$port" >/dev/null &
    pid=$!
    url="http://127.0.0.1:$port"
    "$python" - "$url" <<'WAIT'
import sys, time, urllib.request
for _ in range(100):
    try:
        urllib.request.urlopen(sys.argv[1] + "/fapi/v1/ping", timeout=1).read()
        sys.exit(0)
    except OSError:
        time.sleep(0.1)
sys.exit("the simulated exchange did not come up at " + sys.argv[1])
WAIT
fi

failed=0
for script in ccxt_client.py sdk_client.py; do
    "$venv/bin/python" "$here/$script" "$url" || failed=1
done
exit $failed
