#!/bin/sh
# A `systemd --user` of its own, for test/support/systemd.ts: `join GROUP… -- FOLDER…` from outside. It ends with its
# standard input, and everything in its PID namespace with it.
#
# Never a system manager, never outside of these namespaces, and never with another unit path: one of the machine's own
# units (systemd-tmpfiles) would clear folders that are not ours.
set -eu

mode=$1
shift
if [ "$mode" = join ]; then
  while [ "$1" != -- ]; do
    echo $$ >"$1/cgroup.procs"
    shift
  done
  shift
  exec unshare --mount --propagation private --pid --mount-proc --fork --kill-child -- sh "$0" boot "$@"
fi

if [ $$ -ne 1 ]; then
  echo 'boot is for the first process of a PID namespace' >&2
  exit 1
fi

# What the test and its programs need stays where it is, be it in a folder that is replaced.
mount -t tmpfs none /run
number=0
for folder in "$@"; do
  number=$((number + 1))
  mkdir -p "/run/kept/$number"
  mount --rbind "$folder" "/run/kept/$number"
done
mount -t tmpfs none /tmp
mount -t tmpfs none /var
number=0
for folder in "$@"; do
  number=$((number + 1))
  mkdir -p "$folder"
  mount --rbind "/run/kept/$number" "$folder"
done

# Where it would write to the machine's console and kernel log.
mount --bind /dev/null /dev/console
mount --bind /dev/null /dev/kmsg

mkdir -p /run/systemd/system /run/none /run/home
mkdir -p -m 700 "$XDG_RUNTIME_DIR"
env -i PATH="$PATH" HOME=/run/home XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" SYSTEMD_UNIT_PATH="$SYSTEMD_UNIT_PATH" \
  SYSTEMD_GENERATOR_PATH=/run/none SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/run/none \
  /usr/lib/systemd/systemd --user --unit=basic.target --log-target=null &
read -r _ || true
