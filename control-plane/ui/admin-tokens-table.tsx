import type { TokenView } from "#protocol/tokens.ts";
import { Sure } from "./admin-frame.tsx";
import { Ago } from "./time.tsx";

const KINDS = { user: "API token", session: "browser", worker: "worker" } as const;

interface TokensTableProps {
  tokens: readonly TokenView[];
  now: number;
  /** Where the page goes on after one was revoked. */
  next: string;
  /** Whether it says whose each is. */
  ofAll?: boolean;
}

/** Tokens and sessions for an administrator, each to be revoked. */
export const TokensTable = ({ tokens, now, next, ofAll = false }: TokensTableProps) =>
  tokens.length === 0 ? (
    <p class="nothing">None.</p>
  ) : (
    <table class="stacked">
      <thead>
        <tr>
          <th scope="col">Token</th>
          {ofAll && <th scope="col">Of</th>}
          <th scope="col">Kind</th>
          <th scope="col">Scopes</th>
          <th scope="col">Last used</th>
          <th scope="col">Expires</th>
          <th scope="col">Revoke</th>
        </tr>
      </thead>
      <tbody>
        {tokens.map((token) => (
          <tr>
            <td class="name">
              {token.id} <small>{token.description}</small>
            </td>
            {ofAll && (
              <td data-label="Of">
                <a href={ownerPath(token)}>{token.subject}</a>
              </td>
            )}
            <td data-label="Kind">{KINDS[token.kind]}</td>
            <td data-label="Scopes">
              {token.scopes?.join(", ") ?? (token.kind === "worker" ? "a worker’s" : "all")}
            </td>
            <td data-label="Last used">
              {token.last_used ? <Ago iso={token.last_used} now={now} /> : "–"}
            </td>
            <td data-label="Expires">{token.expires?.slice(0, 10) ?? "never"}</td>
            <td>
              <Sure
                ask="Revoke"
                action="/admin/tokens/revoke"
                fields={{ id: token.id, next }}
                yes={`Revoke ${token.id}`}
              >
                {token.kind === "worker"
                  ? "The worker can no longer reach the lab; it must be enrolled anew."
                  : "Whatever uses it is refused at once."}
              </Sure>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );

const ownerPath = ({ kind, subject }: TokenView): string =>
  `/${kind === "worker" ? "workers" : "admin/users"}/${encodeURIComponent(subject)}`;
