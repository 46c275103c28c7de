#!/bin/bash
# Runs a command beside s3rver, an S3 server for tests that takes no notice of If-None-Match.
#
# usage: with-s3rver.sh COMMAND [ARGUMENT]…
#   The command is started with `ENDPOINT --key KEY --secret SECRET` after its arguments. Needs npm.
set -euo pipefail

[ $# -gt 0 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$(mktemp -d)
server=
stop() {
  [ -n "$server" ] && kill "$server" 2>/dev/null || true
  [ -e "$folder/pid" ] && kill "$(cat "$folder/pid")" 2>/dev/null || true
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM
npm install --silent --no-audit --no-fund --prefix "$folder" s3rver@3.7.1 >/dev/null
port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
mkdir "$folder/data"
# It dies when one client deletes the last object of a folder into which another one writes; then it is started again.
serve() {
  while [ -d "$folder/data" ]; do
    node "$folder/node_modules/s3rver/bin/s3rver.js" --silent -d "$folder/data" -p "$port" -a 127.0.0.1 --configure-bucket lake 2>/dev/null &
    echo $! > "$folder/pid"
    wait $! || true
  done
}
serve &
server=$!
for _ in $(seq 100); do
  python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null && break
  sleep 0.1
done
"$@" "http://127.0.0.1:$port" --key S3RVER --secret S3RVER
