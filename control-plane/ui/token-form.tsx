import { SCOPES } from "#protocol/sign-in.ts";

const DAY_SECONDS = 86_400;

/** What a form with `TokenFields` asks for, for somebody. */
export function tokenRequest(fields: URLSearchParams, subject: string) {
  const scopes = fields.getAll("scope").filter(Boolean);
  return {
    subject,
    description: fields.get("description") ?? "",
    expires_seconds: Number(fields.get("days")) * DAY_SECONDS,
    ...(scopes.length > 0 ? { scopes } : {}),
  };
}

/** Fields of a form that makes a token. */
export const TokenFields = () => (
  <>
    <label>
      For
      <input name="description" maxlength={200} autocomplete="off" />
    </label>
    <label>
      Scope
      <select name="scope">
        <option value="">everything</option>
        {SCOPES.map((scope) => (
          <option value={scope}>{scope}</option>
        ))}
      </select>
    </label>
    <label>
      Days
      <input name="days" type="number" min={1} max={3650} value="90" required />
    </label>
  </>
);
