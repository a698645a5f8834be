#!/usr/bin/env bash
# Tests the settings of all editors that are installed, and tells what it skipped. The program is that which `HLO2ONNX`
# names, or target/release/hlo2onnx, or the one on `PATH`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

skipped=()
failed=()
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

program=${HLO2ONNX:-}
if [ -z "$program" ] && [ -x ../target/release/hlo2onnx ]; then
    program=$PWD/../target/release/hlo2onnx
fi
# The name of a binary in a folder of builds may be another one.
if [ -n "$program" ]; then
    ln -s "$(realpath "$program")" "$folder/hlo2onnx"
    export PATH="$folder:$PATH"
fi
if command -v hlo2onnx >/dev/null; then
    HLO2ONNX=$(command -v hlo2onnx)
    export HLO2ONNX
else
    echo "there is no hlo2onnx: build it, or name it in HLO2ONNX" >&2
    exit 1
fi

# run NAME COMMAND...: its lines `skipped: ...` are repeated at the end.
run() {
    local name=$1
    shift
    echo "== $name"
    if ! "$@" 2>&1 | tee "$folder/output"; then
        failed+=("$name")
    fi
    while IFS= read -r line; do
        skipped+=("${line#skipped: }")
    done < <(grep '^skipped: ' "$folder/output" || true)
}

vscode() {
    (cd vscode && npm ci --no-audit --no-fund --loglevel=error && npm test)
}

zed() {
    (cd zed && cargo build --locked --quiet --target wasm32-wasip2) && echo "ok: the extension builds"
}

if command -v node >/dev/null && [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ]; then
    run "VS Code" vscode
else
    skipped+=("VS Code: Node 20 or later is not installed")
fi

nvim=${NVIM:-nvim}
if ! command -v "$nvim" >/dev/null; then
    skipped+=("Neovim is not on PATH, and NVIM does not name it")
elif [ "$("$nvim" --clean --headless --cmd 'echo has("nvim-0.11")' --cmd q 2>&1 | tr -dc 01)" != 1 ]; then
    skipped+=("Neovim is older than 0.11")
else
    run "Neovim" "$nvim" --clean --headless -l neovim/test/settings.lua
fi

if command -v python3 >/dev/null; then
    run "Helix" python3 helix/test/session.py
    run "Queries of Helix and Zed" python3 queries.py
else
    skipped+=("Helix and the queries of Zed: Python is not installed")
fi

# Each target has its own standard library.
if command -v cargo >/dev/null && [ -d "$(rustc --print target-libdir --target wasm32-wasip2 2>/dev/null)" ]; then
    run "Zed" zed
else
    skipped+=("Zed: rustup target add wasm32-wasip2")
fi
skipped+=("Zed itself: the extension is only built")

if [ ${#failed[@]} -gt 0 ]; then
    printf 'FAILED: %s\n' "${failed[@]}"
fi
echo "Skipped:"
printf -- '- %s\n' "${skipped[@]}"
[ ${#failed[@]} -eq 0 ]
