#!/bin/sh
# Whatever a process of the container makes is its user's alone.
set -eu
umask 077
exec "$@"
