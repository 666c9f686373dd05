#!/usr/bin/env bash
# The browser tests drive a real Chromium; install Debian's when there is none.
set -euo pipefail
if command -v chromium >/dev/null; then exit 0; fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then as_root="sudo"; fi
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium >/dev/null
