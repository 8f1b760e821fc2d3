import { shellQuote } from "../shell-quote.ts";
import { handshake, signal } from "./journal.ts";

/** What the helpers that ask about the group answer. */
export interface GroupFacts {
  readonly role: string;
  /** Role of each member by job id. */
  readonly roles: ReadonlyMap<string, string>;
}

/**
 * `ask WORD TEXT` says TEXT (`<LAVA_WAIT id>`) to the runner and reads the answer, `<LAVA_WORD_COMPLETE ...>`, which is typed. Where there is
 * a journal (docs/journal.md), the question is its entry: it is repeated from time to time until the answer has arrived
 * whole, by its sum, and what the runner wants to hear again is said meanwhile. A long answer comes in parts.
 * `LAVA_JOURNAL_POLLS` goes first: who looks for questions must not take the answer for one.
 */
const ask = `${signal}${handshake}
LAVA_JOURNAL_POLLS=
m_cache=\${LAVA_MULTI_NODE_CACHE:-/tmp/lava_multi_node_cache.txt}
m_say() {
  j_prefix="<LAVA_MULTI_NODE> "
  signal "$1"
  j_prefix=
}
m_tell() {
  m_pause=1
  while sleep "$m_pause"; do
    printf '%s\\n' "$1"
    [ "$m_pause" -ge 8 ] || m_pause=$((m_pause * 2))
  done
}
# A line's part behind "<LAVA_WORD_", without its end, into m_body.
m_whole() {
  m_body=\${1#*"<LAVA_\${m_word}_"}
  m_body=\${m_body%"$m_return"}
  case $m_body in
    *"> ~"*"~")
      m_sum=\${m_body##*"> ~"}
      m_sum=\${m_sum%"~"}
      m_body=\${m_body%"> ~$m_sum~"}
      j_sum "$m_number <LAVA_\${m_word}_$m_body>"
      [ "$j_sum" = "$m_sum" ]
      ;;
    *">")
      # Only of what has letters that nobody can sum up, or where nobody does.
      m_body=\${m_body%">"}
      case $m_body in *[!"$j_all"]*) ;; *) [ -z "$j_tail" ] ;; esac
      ;;
    *) return 1 ;;
  esac
}
m_join() {
  m_data= m_i=1
  while [ "$m_i" -le "$1" ]; do
    eval "m_part=\\$m_part_$m_i m_has=\\\${m_part_$m_i+yes}"
    [ -n "$m_has" ] || return 1
    m_data=$m_data$m_part
    m_i=$((m_i + 1))
  done
}
m_take() {
  case $m_body in
    COMPLETE) m_data= ;;
    "COMPLETE nack") return 2 ;;
    "COMPLETE "*) m_data=\${m_body#COMPLETE } ;;
    "PARTS "*[!0-9]*) return 1 ;;
    "PARTS "*) m_join "\${m_body#PARTS }" ;;
    "PART "*)
      m_body=\${m_body#PART }
      m_i=\${m_body%% *}
      case $m_i in *[!0-9]*) return 1 ;; esac
      m_part=\${m_body#* }
      eval "m_part_$m_i=\\$m_part"
      return 1
      ;;
    *) return 1 ;;
  esac
}
# 0: m_data is the answer; 2: there is none to be had; 1: nobody answers.
m_hear() {
  m_ends=0
  m_return=$(printf '\\r')
  while [ "$m_ends" -lt 5 ]; do
    if IFS= read -r m_line; then
      case $m_line in
        *"#LAVA_JOURNAL "*)
          j_n=0
          j_obey "$m_line"
          ;;
        *"<LAVA_\${m_word}_"*)
          if m_whole "$m_line"; then
            m_take
            m_taken=$?
            [ "$m_taken" -eq 1 ] || return "$m_taken"
          fi
          ;;
      esac
    else
      m_ends=$((m_ends + 1))
    fi
  done
  return 1
}
ask() {
  m_word=$1
  m_say "$2"
  m_number=\${j_tail#*.}
  m_number=\${m_number%%.*}
  {
    m_saved=
    if [ -t 0 ] && m_saved=$(stty -g); then
      # Noise must not be able to interrupt or stop the terminal, nor end its input.
      stty -isig -ixon eof undef || stty -isig -ixon
    fi
    m_teller=
    if [ -n "$j_tail" ]; then
      m_tell "<LAVA_MULTI_NODE> $2$j_tail" </dev/null 3<&- &
      m_teller=$!
    fi
    m_hear
    m_answer=$?
    if [ -n "$m_teller" ]; then
      kill -9 "$m_teller"
      wait "$m_teller"
    fi
    [ -z "$m_saved" ] || stty "$m_saved"
  } 2>/dev/null
  if [ "$m_answer" -ne 0 ]; then
    echo "Error:no-response \${2#<LAVA_}"
    exit 1
  fi
}
keep() {
  rm -f "$m_cache"
  if [ -z "$m_data" ]; then
    { true >"$m_cache"; } 2>/dev/null
    return 0
  fi
  printf '%s\\n' "$m_data" | sed 's/ \\([0-9][0-9]*:[^ =]*=\\)/\\
\\1/g' >"$m_cache"
}
words() {
  case $* in
    *">"* | *"
"*)
      echo "Error: expected one line without >: $*"
      exit 1
      ;;
  esac
}
`;

/** Helpers for definitions of multinode jobs, by name (TEST-SHELL.md 5, MULTINODE.md 3). */
export const multinodeScripts = ({
  role,
  roles,
}: GroupFacts): Readonly<Record<string, string>> => ({
  "lava-send": `${ask}
if [ $# -lt 1 ]; then
  echo "Usage: lava-send MESSAGE_ID [KEY=VALUE...]"
  exit 1
fi
words "$@"
m_say "<LAVA_SEND $*>"
# The others wait for it: it must have arrived before anything else is done.
if [ -n "$j_tail" ] && [ -t 0 ]; then handshake HOLDS; fi
exit 0
`,
  "lava-wait": `${ask}
if [ $# -ne 1 ]; then
  echo "Usage: lava-wait MESSAGE_ID"
  exit 1
fi
words "$1"
ask WAIT "<LAVA_WAIT $1>"
keep
`,
  "lava-wait-all": `${ask}
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  echo "Usage: lava-wait-all MESSAGE_ID [ROLE]"
  exit 1
fi
words "$@"
ask WAIT_ALL "<LAVA_WAIT_ALL $*>"
keep
`,
  "lava-sync": `${ask}
if [ $# -ne 1 ]; then
  echo "Usage: lava-sync MESSAGE_ID"
  exit 1
fi
words "$1"
ask SYNC "<LAVA_SYNC $1>"
exit 0
`,
  "lava-role": `if [ "$1" != list ]; then
  printf '%s\\n' ${shellQuote(role)}
  exit 0
fi
printf '%s\\n' ${[...new Set(roles.values())].map(shellQuote).join(" ")}
`,
  "lava-group": `found=1
show() {
  if [ -z "$wanted" ]; then
    printf '%s\\t%s\\n' "$1" "$2"
  elif [ "$wanted" = "$2" ]; then
    printf '%s\\n' "$1"
  else
    return
  fi
  found=0
}
wanted=$1
${[...roles].map(([id, of]) => `show ${shellQuote(id)} ${shellQuote(of)}\n`).join("")}exit "$found"
`,
  // What LAVA's groups could share once; no job has anything in it any more.
  "lava-echo-config": `echo "no shared config"
exit 1
`,
});
