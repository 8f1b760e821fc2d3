/**
 * Functions of the journal (docs/journal.md) for the helpers: plain POSIX sh, and nothing but built-in commands for
 * each signal, as forks are what costs on a small DUT. Names begin with `j_`: helpers share them with nobody.
 *
 * - `j_sum TEXT` leaves the text's sum in `j_sum` (`journalSum` of journal-lines.ts is the other end).
 * - `j_claim` leaves a number that nobody else has in `j_n`: whose file can be made, once. The place to look from is
 *   a number of always nine digits, written over: no reader ever finds a part of it. Files of the last two or three thousand
 *   numbers stay, as nobody is so late as to claim an older one: a long suite must not fill a small file system with files.
 * - `j_enter` puts `j_text` into the journal and leaves its tail in `j_tail`; without a journal, or where none can be
 *   kept, nothing.
 * - `j_obey LINE` does what the runner's line asks for: 0 when it says that all up to `j_n` is there (or the journal is
 *   not, any more), 2 when entries were printed again.
 */
const journal = `j_all=' !"#$%&'\\''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_\`abcdefghijklmnopqrstuvwxyz{|}~'
j_sum() {
  j_rest=$1 j_a=1 j_b=1
  while [ -n "$j_rest" ]; do
    j_next=\${j_rest#?}
    j_before=\${j_all%%"\${j_rest%"$j_next"}"*}
    j_a=$(((j_a * 8191 + \${#j_before}) % 65521)) j_b=$(((j_b * 30011 + \${#j_before}) % 65497))
    j_rest=$j_next
  done
  j_sum=$j_a-$j_b
}
j_claim() {
  { read -r j_n <"$LAVA_JOURNAL/next"; } 2>/dev/null || return 1
  j_n=$((j_n - 100000000))
  set -C
  until { true >"$LAVA_JOURNAL/$j_n"; } 2>/dev/null; do
    if [ ! -e "$LAVA_JOURNAL/$j_n" ]; then
      set +C
      return 1
    fi
    j_n=$((j_n + 1))
  done
  set +C
  case $j_n in *000) j_tidy ;; esac
  echo $((j_n + 100000001)) 1<>"$LAVA_JOURNAL/next"
}
j_tidy() {
  [ "$j_n" -ge 3000 ] || return 0
  j_i=$((j_n - 2999)) j_old=
  while [ "$j_i" -le $((j_n - 2000)) ]; do
    j_old="$j_old $j_i"
    j_i=$((j_i + 1))
  done
  (cd "$LAVA_JOURNAL" && rm -f $j_old)
}
j_enter() {
  j_tail=
  case $LAVA_JOURNAL in */*) ;; *) return ;; esac
  case $j_text in
    *[!"$j_all"]*)
      j_text=$(printf '%s' "$j_text" | tr '\\001-\\037\\177' ' ')
      case $j_text in *[!"$j_all"]*) return ;; esac
      ;;
  esac
  [ "\${#j_text}" -le 1000 ] && j_claim || return
  j_sum "\${LAVA_JOURNAL##*-}.$j_n $j_text"
  { printf '%s\\n' "$j_n $j_sum $j_text" >>"$LAVA_JOURNAL/entries"; } 2>/dev/null
  j_tail=" ~\${LAVA_JOURNAL##*-}.$j_n.$j_sum~"
}
j_obey() {
  j_words=\${1##*"#LAVA_JOURNAL "}
  # Without a fork where the terminal has taken the line's end away already.
  case $j_words in *[0-9]) ;; *) j_words=\${j_words%"$(printf '\\r')"} ;; esac
  j_given=\${j_words##* }
  j_words=\${j_words% *}
  j_sum "$j_words"
  [ "$j_given" = "$j_sum" ] || return 1
  case $j_words in
    "\${LAVA_JOURNAL##*-} OK "*) [ "\${j_words##* }" -ge "$j_n" ] || [ ! -e "$LAVA_JOURNAL/next" ] ;;
    "\${LAVA_JOURNAL##*-} WANT "*) j_again "\${j_words##* }"; return 2 ;;
    *) return 1 ;;
  esac
}
j_again() {
  j_left=$1, j_script=
  while [ -n "$j_left" ]; do
    j_i=\${j_left%%,*}
    j_left=\${j_left#*,}
    j_last=\${j_i#*-}
    j_i=\${j_i%-*}
    while [ "$j_i" -le "$j_last" ]; do
      j_script="$j_script/^$j_i /b y
"
      j_i=$((j_i + 1))
    done
  done
  sed -n "\${j_script}b
:y
s/^\\([0-9]*\\) \\([0-9-]*\\) \\(.*\\)$/\\3 ~\${LAVA_JOURNAL##*-}.\\1.\\2~/p" "$LAVA_JOURNAL/entries"
}
`;

/**
 * `signal TEXT` sends a line that the runner understands, to the console or (KMSG) through the kernel's log, which
 * no other output can cut in two. One write, so that it stays whole. Where the shell can look whether something was
 * typed, it does what the runner asked for meanwhile. `j_prefix`, mostly empty, stands before it and belongs to no entry.
 */
export const signal = `${journal}signal() {
  if [ -n "$CHARACTER_DELAY" ]; then sleep "$CHARACTER_DELAY"; fi
  j_text=$1
  j_enter
  if [ "$KMSG" = true ]; then
    printf '<0>%s%s%s\\n' "$j_prefix" "$j_text" "$j_tail" >/dev/kmsg
  else
    printf '%s%s%s\\n' "$j_prefix" "$j_text" "$j_tail"
  fi
  [ -n "$LAVA_JOURNAL_POLLS" ] && [ -t 0 ] || return 0
  while read -t 0; do
    # With a time-out, as in a raw terminal a part of a line can be there for ever.
    IFS= read -t 1 -r j_line || return 0
    j_n=0
    j_obey "$j_line"
  done
  return 0
}
`;

/**
 * `handshake WORD` says what number the journal ends with until the runner answers that it has all up to there, for
 * about a minute since its last sign of life (where it never gave one: a few seconds). Noise must not be able to
 * interrupt or stop the terminal, nor end its input, meanwhile.
 */
export const handshake = `j_look() {
  # A test may have taken the journal away: what was printed is known without it.
  read -r j_n <"$LAVA_JOURNAL/next" || j_n=100000001
  j_n=$((j_n - 100000001))
  while [ -e "$LAVA_JOURNAL/$((j_n + 1))" ]; do j_n=$((j_n + 1)); done
}
j_say() {
  j_look
  j_sum "\${LAVA_JOURNAL##*-}.$j_n <LAVA_JOURNAL $1>"
  printf '%s\\n' "<LAVA_JOURNAL $1> ~\${LAVA_JOURNAL##*-}.$j_n.$j_sum~"
}
j_hear() {
  j_ends=0
  while [ "$j_ends" -lt 5 ]; do
    if IFS= read -r j_line; then
      # Whoever runs the tests by hand.
      case $j_line in off*) exit 2 ;; *WANT*) true >"$LAVA_JOURNAL/busy" ;; esac
      j_obey "$j_line"
      j_said=$?
      [ "$j_said" -ne 0 ] || exit 0
      [ "$j_said" -ne 2 ] || j_say "$1"
      true >"$LAVA_JOURNAL/heard"
      rm -f "$LAVA_JOURNAL/busy"
    else
      j_ends=$((j_ends + 1))
    fi
  done
  exit 1
}
j_tell() {
  j_ticks=0 j_limit=120
  [ ! -e "$LAVA_JOURNAL/alone" ] || j_limit=6
  while [ "$j_ticks" -lt "$j_limit" ]; do
    # While entries are printed again, who reads them would only ask for more.
    [ -e "$LAVA_JOURNAL/busy" ] || j_say "$1"
    [ "$1$j_ticks" != "STARTS\${LAVA_JOURNAL_POLLS:+ POLLS}4" ] ||
      echo "lava-test-runner waits for the lab's answer. By hand: type off"
    # What is killed leaves its sleep behind, which must not keep a terminal open that others wait to be closed.
    sleep 0.5 >/dev/null || sleep 1 >/dev/null
    j_ticks=$((j_ticks + 1))
    if [ -e "$LAVA_JOURNAL/heard" ]; then
      rm -f "$LAVA_JOURNAL/heard"
      j_ticks=0
    fi
  done
  kill -9 "$2"
}
# A redirection that fails ends a shell where the command is a special one, as a colon is: hence true.
handshake() {
  case $LAVA_JOURNAL in */*) ;; *) return ;; esac
  {
    j_saved=
    if [ -t 0 ] && j_saved=$(stty -g); then
      stty -isig -ixon -echo eof undef || stty -isig -ixon -echo
    fi
    j_look
    [ ! -e "$LAVA_JOURNAL/busy" ] || rm -f "$LAVA_JOURNAL/busy"
    # A process in the background has no other input than what it is given.
    j_hear "$1" <&4 3<&- &
    j_hearer=$!
    j_tell "$1" "$j_hearer" 3<&- 4<&- &
    j_teller=$!
    wait "$j_hearer"
    case $? in
      0) [ ! -e "$LAVA_JOURNAL/alone" ] || rm -f "$LAVA_JOURNAL/alone" ;;
      2) LAVA_JOURNAL=off ;;
      *) true >"$LAVA_JOURNAL/alone" ;;
    esac
    # What has just been forked may still have its parent's traps, and so ignore gentler words.
    kill -9 "$j_teller"
    wait "$j_teller"
    [ -z "$j_saved" ] || stty "$j_saved"
  } 4<&0 2>/dev/null
  return 0
}
`;
