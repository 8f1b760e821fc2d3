/** Helpers that keep a process running beside the tests, by name (TEST-SHELL.md 5). */
export const processScripts: Readonly<Record<string, string>> = {
  "lava-background-process-start": `usage() {
  echo "Usage: lava-background-process-start NAME --cmd PROCESS..."
  exit 1
}
[ $# -ge 3 ] && [ "$2" = --cmd ] || usage
dir="$LAVA_RESULT_DIR/results/$1"
shift 2
mkdir -p "$dir"
cat >"$dir/bg_run.sh" <<EOF
child=
trap 'kill \\$child 2>/dev/null; exit 0' TERM
while :; do
  $* &
  child=\\$!
  wait \\$child
  sleep 1 &
  child=\\$!
  wait \\$child
done
EOF
shell=/bin/bash
[ -x "$shell" ] || shell=/bin/sh
"$shell" "$dir/bg_run.sh" >/dev/null 2>&1 </dev/null &
echo $! >"$dir/pid"
`,

  "lava-background-process-stop": `if [ $# -ne 1 ]; then
  echo "Usage: lava-background-process-stop NAME"
  exit 1
fi
pid=$(cat "$LAVA_RESULT_DIR/results/$1/pid" 2>/dev/null)
[ -z "$pid" ] || kill "$pid" 2>/dev/null
exit 0
`,
};
