#!/bin/bash
# Runs a command beside Garage, an S3 server that takes no notice of If-None-Match, on free loopback ports. All of it but the program is gone when the
# command has ended.
#
# usage: with-garage.sh COMMAND [ARGUMENT]…
#   The command is started with `ENDPOINT --key KEY --secret SECRET` after its arguments. Garage is built from its crate into target/garage when it is not
#   there, which takes minutes.
set -euo pipefail

[ $# -gt 0 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
garage=$root/target/garage/bin/garage
if [ ! -x "$garage" ]; then
  CARGO_TARGET_DIR=$root/target/garage/build CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet garage --version 2.5.0 --locked --debug \
    --no-default-features --features bundled-libs,sqlite --root "$root/target/garage"
  rm -rf "$root/target/garage/build"
fi

folder=$(mktemp -d)
server=
stop() {
  [ -n "$server" ] && kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

read -r rpc s3 secret < <(python3 - <<'NUMBERS'
import secrets, socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in sockets), secrets.token_hex(32))
NUMBERS
)
export GARAGE_CONFIG_FILE=$folder/garage.toml
cat > "$GARAGE_CONFIG_FILE" <<CONF
metadata_dir = "$folder/meta"
data_dir = "$folder/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:$rpc"
rpc_public_addr = "127.0.0.1:$rpc"
rpc_secret = "$secret"
[s3_api]
s3_region = "us-east-1"
api_bind_addr = "127.0.0.1:$s3"
CONF

# Says what went wrong only when something does.
quietly() { "$@" > "$folder/last" 2>&1 || { echo "$* failed:" >&2; cat "$folder/last" "$folder/log" >&2; exit 1; }; }
"$garage" server > "$folder/log" 2>&1 &
server=$!
for _ in $(seq 100); do
  node=$("$garage" node id -q 2>/dev/null | cut -d@ -f1) && "$garage" status >/dev/null 2>&1 && break
  sleep 0.2
done
quietly "$garage" layout assign -z here -c 1G "$node"
quietly "$garage" layout apply --version 1
quietly "$garage" bucket create lake
quietly "$garage" key create lake
key=$("$garage" key info lake --show-secret | sed -n 's/^Key ID: *//p')
secret=$("$garage" key info lake --show-secret | sed -n 's/^Secret key: *//p')
quietly "$garage" bucket allow --read --write --owner lake --key lake
"$@" "http://127.0.0.1:$s3" --key "$key" --secret "$secret"
