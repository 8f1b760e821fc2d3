import type { TokenView } from "#protocol/tokens.ts";
import { AdminFrame, Older, ToCopy } from "./admin-frame.tsx";
import { TokensTable } from "./admin-tokens-table.tsx";
import type { Said } from "./answer-form.ts";
import { TokenFields } from "./token-form.tsx";
import type { View } from "./view.ts";

interface TokensProps {
  view: View;
  tokens: readonly TokenView[];
  nextCursor: string | undefined;
  message?: Said | undefined;
  made?: { token: string; subject: string } | undefined;
}

/** `/admin/tokens`: everybody's, newest first. */
export const AdminTokensPage = ({ view, tokens, nextCursor, message, made }: TokensProps) => (
  <AdminFrame view={view} title="Tokens" tab="/admin/tokens" message={message}>
    {made && (
      <div class="notice good" role="status">
        <p>{`The new token of ${made.subject}, shown this once:`}</p>
        <ToCopy id="made" text={made.token} label="the token" />
      </div>
    )}
    <p class="muted">
      Of people, browsers and workers, newest first. Your own are on{" "}
      <a href="/account">your page</a>.
    </p>
    <TokensTable tokens={tokens} now={view.now} next="/admin/tokens" ofAll />
    <Older
      of="tokens"
      href={nextCursor && `/admin/tokens?${new URLSearchParams({ cursor: nextCursor })}`}
    />
    <section aria-labelledby="make">
      <h2 id="make">Make a token for somebody</h2>
      <form method="post" action="/admin/tokens" class="fields">
        <label>
          User
          <input name="subject" required maxlength={100} autocomplete="off" autocapitalize="none" />
        </label>
        <TokenFields />
        <button>Make a token</button>
      </form>
    </section>
  </AdminFrame>
);
