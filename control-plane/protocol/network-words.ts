const OF_CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there: is it started, is the port right?",
  ENOTFOUND: "the name is not known here: is it right, does DNS answer?",
  EAI_AGAIN: "DNS does not answer: is this machine in a network?",
  EHOSTUNREACH: "no way leads there: is that machine on, is this one in its network?",
  ENETUNREACH: "no way leads there: is this machine in a network?",
  ETIMEDOUT: "nobody answers there: is that machine on, does a firewall stand between?",
};

/** What an error of the network may mean, by its code; undefined for others. */
export const networkHint = (code: string | undefined): string | undefined =>
  code === undefined ? undefined : OF_CODES[code];
