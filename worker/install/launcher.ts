/**
 * What the service manager starts, as `PREFIX/lib/pumice-worker/launch`: POSIX sh, with few programs that busybox has too.
 * It runs `current start`. A version on trial is given up for the one before when it was started three times without
 * removing `trial`, which the agent does at its first sync, or hangs. Each step is a rename, so that a power cut in
 * between is mended by the next start.
 */
export const LAUNCHER = `#!/bin/sh
# Starts pumice-worker; written by "pumice-worker install". See docs/install.md and docs/upgrades.md.
set -u
case $0 in */*) dir=\${0%/*} ;; *) dir=. ;; esac
dir=$(cd -- "$dir" && pwd -P) || exit 1
export PUMICE_INSTALL_DIR="$dir"

replace() { # FILE TEXT
  printf '%s\\n' "$2" > "$1.new" && mv -f "$1.new" "$1"
}

go_back() { # VERSION WHY
  echo "pumice-worker $1 is given up: $2; going back to $(readlink "$dir/previous")" >&2
  # A full disk must not keep a version that does not work.
  replace "$dir/rolled-back" "$1
$2"
  rm -f "$dir/current.new" &&
    ln -s "$(readlink "$dir/previous")" "$dir/current.new" &&
    mv -f "$dir/current.new" "$dir/current" &&
    rm -f "$dir/trial"
}

read_trial() {
  version= starts=
  [ ! -f "$dir/trial" ] || { read -r version; read -r starts; } < "$dir/trial"
  case $starts in '' | *[!0-9]* | ?????*) starts=0 ;; esac
}

born() { # PID; when it was started, which exec does not change and no other process has
  read -r stat < "/proc/$1/stat" || return
  # Behind the name, which may have blanks, it is the 20th word.
  set -f
  set -- \${stat##*) }
  echo "\${20}"
}

watch() { # VERSION STARTS BORN
  exec < /dev/null > /dev/null 2>&1
  # Killed, or told nonsense: then there is no watch.
  sleep "\${PUMICE_UPGRADE_WATCHDOG_SECONDS:-360}" || return
  read_trial
  [ "$version $starts" = "$1 $2" ] && [ "$(born $$)" = "$3" ] || return
  go_back "$1" "it runs, but has not reached its control plane"
  kill -KILL $$
}

file=$(readlink "$dir/current") || file=
current=\${file%/pumice-worker}
current=\${current##*/}
read_trial

if [ ! -x "$dir/current" ]; then
  [ ! -x "$dir/previous" ] || go_back "\${current:-unknown}" "its file can't be run"
elif [ -n "$version" ] && [ "$version" = "$current" ]; then
  if [ "$starts" -ge 3 ] && [ -x "$dir/previous" ]; then
    go_back "$version" "started $starts times, it ended each time before it reached its control plane"
  else
    starts=$((starts + 1))
    if replace "$dir/trial" "$version
$starts"; then
      # $$ is the agent's number as well, after exec.
      [ ! -x "$dir/previous" ] || watch "$version" "$starts" "$(born $$)" &
    elif [ -x "$dir/previous" ]; then
      # Uncounted it would be tried for ever.
      go_back "$version" "its start can't be noted in $dir: is the disk full?"
    fi
  fi
fi

exec "$dir/current" start "$@"
`;
