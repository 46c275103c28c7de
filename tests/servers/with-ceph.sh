#!/bin/bash
# Runs a command beside a real S3 server that checks signatures: Ceph (monitor, one OSD in memory, manager, radosgw) on free loopback ports. All of it
# is gone when the command has ended. Not a test of durability.
#
# usage: with-ceph.sh COMMAND [ARGUMENT]…
#   The command finds the server in LAKEFEED_TEST_S3_ENDPOINT, its keys are AKLAKE and SKLAKE. Needs root, and Debian's packages ceph-mon, ceph-osd,
#   ceph-mgr and radosgw, which it installs when they are missing.
set -euo pipefail

[ $# -gt 0 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
for program in ceph-mon ceph-osd ceph-mgr radosgw; do
  if ! command -v "$program" >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends ceph-mon ceph-osd ceph-mgr radosgw >/dev/null
    break
  fi
done

folder=$(mktemp -d)
stop() {
  for file in "$folder"/run/*.pid; do
    [ -e "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
  done
  for file in "$folder"/run/*.pid; do
    for _ in $(seq 50); do
      [ -e "$file" ] && kill -0 "$(cat "$file")" 2>/dev/null || break
      sleep 0.1
    done
    [ -e "$file" ] && kill -9 "$(cat "$file")" 2>/dev/null || true
  done
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM

read -r mon_v2 mon_v1 s3 < <(python3 - <<'PORTS'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(one.getsockname()[1] for one in sockets))
PORTS
)
cd "$folder"
mkdir -p mon/a osd/0 mgr/x run log
uuid() { python3 -c 'import uuid; print(uuid.uuid4())'; }
cat > ceph.conf <<CONF
[global]
fsid=$(uuid)
mon host=[v2:127.0.0.1:$mon_v2,v1:127.0.0.1:$mon_v1]
mon initial members=a
public addr=127.0.0.1
cluster addr=127.0.0.1
auth cluster required=cephx
auth service required=cephx
auth client required=cephx
keyring=$folder/keyring
ms mon client mode=secure crc
osd pool default size=1
osd pool default min size=1
osd pool default pg num=4
osd pool default pgp num=4
osd crush chooseleaf type=0
mon allow pool size one=true
mon max pg per osd=2000
run dir=$folder/run
admin socket=$folder/run/\$name.asok
log file=$folder/log/\$name.log
pid file=$folder/run/\$name.pid
osd objectstore=memstore
memstore device bytes=2147483648
osd data=$folder/osd/\$id
mon data=$folder/mon/\$id
mgr data=$folder/mgr/\$id
[client.rgw]
rgw frontends=beast endpoint=127.0.0.1:$s3
rgw dns name=localhost
rgw enable apis=s3
CONF
export CEPH_CONF=$folder/ceph.conf

# Says what went wrong only when something does.
quietly() { "$@" > log/last 2>&1 || { echo "$* failed:" >&2; cat log/last >&2; exit 1; }; }
# usage: until_true SECONDS COMMAND…
until_true() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { echo "gave up waiting for: $*" >&2; tail -n 5 log/*.log >&2; exit 1; }
    sleep 0.3
  done
}

add_key() { quietly ceph-authtool keyring -g -n "$@"; }
quietly ceph-authtool -C keyring -g -n mon. --cap mon 'allow *'
add_key client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
add_key osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' --cap mgr 'allow profile osd'
add_key mgr.x --cap mon 'allow profile mgr' --cap osd 'allow *' --cap mds 'allow *'
add_key client.rgw --cap mon 'allow rw' --cap osd 'allow rwx'
quietly monmaptool --create --fsid "$(sed -n 's/^fsid=//p' ceph.conf)" --addv a "[v2:127.0.0.1:$mon_v2,v1:127.0.0.1:$mon_v1]" monmap
quietly ceph-mon --mkfs -i a --monmap monmap --keyring keyring
quietly ceph-mon -i a
until_true 60 timeout 3 ceph -s
quietly ceph auth import -i keyring
osd_uuid=$(uuid)
quietly ceph osd new "$osd_uuid"
quietly ceph-osd -i 0 --mkfs --osd-uuid "$osd_uuid"
quietly ceph-osd -i 0
ceph osd crush add osd.0 1.0 root=default host=here >/dev/null 2>&1 || true
osd_is_up() { ceph osd stat | grep -q '1 up'; }
until_true 60 osd_is_up
quietly ceph-mgr -i x
quietly radosgw -n client.rgw
gateway_answers() { python3 -c "import socket; socket.create_connection(('127.0.0.1', $s3), 1)"; }
until_true 120 gateway_answers
quietly radosgw-admin -n client.rgw user create --uid=lake --display-name=lake --access-key=AKLAKE --secret-key=SKLAKE
cd - >/dev/null
status=0
LAKEFEED_TEST_S3_ENDPOINT="http://127.0.0.1:$s3" "$@" || status=$?
exit $status
