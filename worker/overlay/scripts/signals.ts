import { handshake, signal } from "./journal.ts";

/** Helpers that report to the runner, by name; the bodies follow TEST-SHELL.md 4 and 5. */
export const signalScripts: Readonly<Record<string, string>> = {
  "lava-test-runner": `${signal}${handshake}
dir=\${1:-/lava}
dir=\${dir%/}
lava=.
case $dir in */*) lava=\${dir%/*} ;; esac
kernel_log= terminal=
finish() {
  trap - EXIT INT TERM
  # After signals in the kernel's log the end goes there too, or it could overtake them.
  KMSG=$kernel_log
  signal "<LAVA_TEST_RUNNER EXIT>"
  handshake ENDS
  case $LAVA_JOURNAL in */*) j_say DONE 2>/dev/null ;; esac
  [ -z "$terminal" ] || stty "$terminal"
  exit 0
}
start_journal() {
  id=$$
  [ -d "$dir" ] || mkdir -p "$dir"
  until mkdir "$dir/journal-$id" 2>/dev/null; do
    # One of the same number is from before a reboot.
    [ -d "$dir/journal-$id" ] || return 1
    id=$((id + 1))
  done
  LAVA_JOURNAL="$dir/journal-$id"
  { true >"$LAVA_JOURNAL/entries" && echo 100000001 >"$LAVA_JOURNAL/next"; } 2>/dev/null || return 1
  # Tests may report as other users.
  chmod a+rwX "$LAVA_JOURNAL" "$LAVA_JOURNAL/entries" "$LAVA_JOURNAL/next"
}
trap finish EXIT INT TERM

if [ "$LAVA_JOURNAL" = off ] || ! start_journal; then
  LAVA_JOURNAL=off
  echo "<LAVA_JOURNAL OFF>"
fi
LAVA_JOURNAL_POLLS=
# A shell that can see, without waiting, whether something was typed, and takes nothing by looking.
j_sees() { read -t 0 && IFS= read -t 1 -r word && echo "$word"; }
if [ "$(j_sees 2>/dev/null <"$LAVA_JOURNAL/next")" = 100000001 ]; then LAVA_JOURNAL_POLLS=1; fi
export LAVA_JOURNAL LAVA_JOURNAL_POLLS
handshake "STARTS\${LAVA_JOURNAL_POLLS:+ POLLS}"
# What the runner asks in the middle of a definition may arrive as a Ctrl-C, which would end the tests.
if [ -n "$LAVA_JOURNAL_POLLS" ] && [ -t 0 ] && terminal=$(stty -g 2>/dev/null); then
  stty -isig -ixon eof undef 2>/dev/null || stty -isig -ixon
fi

PATH="$lava/bin:$PATH"
SHELL=\${SHELL:-/bin/sh}
export PATH SHELL
mkdir -p "$dir/results"
now=$(date +%s)
list="$dir/lava-test-runner.conf-$now"
# Renamed, so that a DUT that reboots and starts the runner again doesn't repeat its tests.
mv "$dir/lava-test-runner.conf" "$list" || exit 1

ran=
while read -r test <&3; do
  [ -n "$test" ] || continue
  [ -z "$ran" ] || handshake HOLDS
  ran=true
  results="$dir/results/\${test##*/}-$now"
  mkdir -p "$results"
  KMSG=
  if grep -q '^# USE_KMSG$' "$test/run.sh"; then KMSG=true kernel_log=true; fi
  if [ -e "$test/install.sh" ]; then
    /bin/sh "$test/install.sh" 3<&-
    code=$?
    echo "$code" >"$results/install_return_code"
    if [ "$code" -ne 0 ]; then
      signal "<LAVA_TEST_RUNNER INSTALL_FAIL>"
      continue
    fi
  fi
  lava-test-shell --output_dir "$results" "$SHELL" -e "$test/run.sh" 3<&-
done 3<"$list"
`,

  "lava-signal": `${signal}${handshake}
# For run.sh. With --wait it is known to have started before it prints results that only its own pattern finds.
signal "$1"
[ "$2" != --wait ] || handshake HOLDS
exit 0
`,

  "lava-test-shell": `if [ "$1" = --output_dir ]; then
  LAVA_RESULT_DIR=$2
  export LAVA_RESULT_DIR
  shift 2
fi
"$@"
code=$?
if [ -n "$LAVA_RESULT_DIR" ]; then echo "$code" >"$LAVA_RESULT_DIR/return_code"; fi
exit 0
`,

  "lava-test-case": `${signal}
usage() {
  echo "Usage: lava-test-case TEST_CASE_ID --shell COMMAND..."
  echo "       lava-test-case TEST_CASE_ID --result RESULT [--measurement NUMBER] [--units UNITS] [--output FILE]"
  exit 1
}
[ $# -gt 0 ] || usage
TEST_CASE_ID=$1
export TEST_CASE_ID
shift
result= measurement= units= output=
if [ "$1" = --shell ]; then
  shift
  [ $# -gt 0 ] || usage
  signal "<LAVA_SIGNAL_STARTTC $TEST_CASE_ID>"
  if [ $# -eq 1 ]; then (eval "$1"); else "$@"; fi
  if [ $? -eq 0 ]; then result=pass; else result=fail; fi
  signal "<LAVA_SIGNAL_ENDTC $TEST_CASE_ID>"
else
  while [ $# -gt 0 ]; do
    case "$1" in
      --result) result=$2 ;;
      --measurement) measurement=$2 ;;
      --units) units=$2 ;;
      --output) output=$2 ;;
      *) usage ;;
    esac
    shift
    [ $# -eq 0 ] || shift
  done
  if [ -z "$result" ]; then
    echo "--result must be specified"
    exit 1
  fi
  if [ -n "$output" ]; then
    signal "<LAVA_SIGNAL_STARTTC $TEST_CASE_ID>"
    cat "$output"
    signal "<LAVA_SIGNAL_ENDTC $TEST_CASE_ID>"
  fi
fi
line="TEST_CASE_ID=$TEST_CASE_ID RESULT=$result"
[ -z "$units" ] || line="$line UNITS=$units"
[ -z "$measurement" ] || line="$line MEASUREMENT=$measurement"
signal "<LAVA_SIGNAL_TESTCASE $line>"
if [ -n "$LAVA_RESULT_DIR" ]; then
  kept="$LAVA_RESULT_DIR/results/$TEST_CASE_ID"
  mkdir -p "$kept"
  echo "$result" >"$kept/result"
  [ -z "$units" ] || echo "$units" >"$kept/units"
  [ -z "$measurement" ] || echo "$measurement" >"$kept/measurement"
fi
exit 0
`,

  "lava-test-set": `${signal}
case "$1" in
  start)
    if [ -n "$2" ]; then
      signal "<LAVA_SIGNAL_TESTSET START $2>"
      exit 0
    fi
    ;;
  stop)
    signal "<LAVA_SIGNAL_TESTSET STOP>"
    exit 0
    ;;
esac
echo "Usage: lava-test-set start NAME | stop"
exit 1
`,

  "lava-test-reference": `${signal}
usage() {
  echo "Usage: lava-test-reference TEST_CASE_ID --result RESULT --reference URL"
  exit 1
}
[ $# -gt 0 ] || usage
TEST_CASE_ID=$1
shift
result= reference=
while [ $# -gt 0 ]; do
  case "$1" in
    --result) result=$2 ;;
    --reference) reference=$2 ;;
    *) usage ;;
  esac
  shift
  [ $# -eq 0 ] || shift
done
if [ -z "$result" ]; then
  echo "--result must be specified"
  exit 1
fi
if [ -z "$reference" ]; then
  echo "--reference must be specified"
  exit 1
fi
signal "<LAVA_SIGNAL_TESTREFERENCE $TEST_CASE_ID $result $reference>"
`,

  "lava-test-raise": `${signal}
signal "<LAVA_SIGNAL_TESTRAISE $*>"
exit 1
`,

  "lava-test-event": `${signal}
if [ $# -ne 1 ]; then
  echo "Usage: lava-test-event MESSAGE"
  exit 1
fi
signal "<LAVA_SIGNAL_TESTEVENT $1>"
`,

  "lava-test-feedback": `${signal}
if [ "$1" != --namespace ] || [ -z "$2" ]; then
  echo "Usage: lava-test-feedback --namespace NAMESPACE"
  exit 1
fi
signal "<LAVA_SIGNAL_TESTFEEDBACK $2>"
`,
};
