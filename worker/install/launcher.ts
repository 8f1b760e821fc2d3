/**
 * What the service manager starts, as `PREFIX/lib/pumice-worker/launch`: POSIX sh with `ln mv readlink rm` only. It runs
 * `current start`; a version on trial that was started three times and never reached its control plane is given up
 * for the one before. Each step is a rename, so that a power cut in between is mended by the next start.
 */
export const LAUNCHER = `#!/bin/sh
# Starts pumice-worker; written by "pumice-worker install". See docs/install.md and docs/upgrades.md.
set -u
case $0 in */*) dir=\${0%/*} ;; *) dir=. ;; esac
dir=$(cd -- "$dir" && pwd -P) || exit 1

replace() { # FILE TEXT
  printf '%s\\n' "$2" > "$1.new" && mv -f "$1.new" "$1"
}

go_back() { # VERSION
  echo "pumice-worker $1 is given up: $2; going back to $(readlink "$dir/previous")" >&2
  # A full disk must not keep a version that does not work.
  replace "$dir/rolled-back" "$1"
  rm -f "$dir/current.new" &&
    ln -s "$(readlink "$dir/previous")" "$dir/current.new" &&
    mv -f "$dir/current.new" "$dir/current" &&
    rm -f "$dir/trial"
}

file=$(readlink "$dir/current") || file=
current=\${file%/pumice-worker}
current=\${current##*/}
version= starts= confirmed=
if [ -f "$dir/trial" ]; then
  { read -r version; read -r starts; } < "$dir/trial"
  case $starts in '' | *[!0-9]* | ?????*) starts=0 ;; esac
  if [ -f "$dir/confirmed" ]; then read -r confirmed < "$dir/confirmed"; fi
fi

if [ ! -x "$dir/current" ]; then
  [ ! -x "$dir/previous" ] || go_back "\${current:-unknown}" "its file can't be run"
elif [ -z "$version" ] || [ "$version" != "$current" ]; then
  : # nothing is on trial, or something that does not run any more
elif [ "$version" = "$confirmed" ]; then
  rm -f "$dir/trial"
elif [ "$starts" -ge 3 ] && [ -x "$dir/previous" ]; then
  go_back "$version" "started $starts times, it has not reached its control plane"
else
  replace "$dir/trial" "$version
$((starts + 1))"
fi

exec "$dir/current" start "$@"
`;
