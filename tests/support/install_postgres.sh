#!/usr/bin/env bash
# The ledger is tested on a real PostgreSQL; install Debian's when there is none. It makes no cluster and starts nothing:
# the tests make a throwaway one of their own.
set -euo pipefail
shopt -s nullglob
if command -v postgres >/dev/null && command -v initdb >/dev/null; then exit 0; fi
servers=(/usr/lib/postgresql/*/bin/postgres)
if [ "${#servers[@]}" -gt 0 ]; then exit 0; fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then as_root="sudo"; fi
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends postgresql-common >/dev/null
echo "create_main_cluster = false" | $as_root tee -a /etc/postgresql-common/createcluster.conf >/dev/null
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends postgresql >/dev/null
