import type { Child } from "hono/jsx";
import type { AssetName } from "./assets.ts";
import type { Said } from "./answer-form.ts";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

/** Path and name; what is below a path is its tab's, too. */
export const ADMIN_TABS = [
  ["/admin", "Overview"],
  ["/admin/users", "Users"],
  ["/admin/groups", "Groups"],
  ["/admin/permissions", "Permissions"],
  ["/admin/tokens", "Tokens"],
  ["/admin/releases", "Roll-outs"],
  ["/admin/notices", "Notices"],
  ["/admin/settings", "Settings"],
  ["/audit", "Audit"],
] as const;

interface AdminProps {
  view: View;
  title: string;
  tab: (typeof ADMIN_TABS)[number][0];
  message?: Said | undefined;
  /** A style sheet of this page's own. */
  style?: AssetName;
  children?: Child;
}

/** A page of the administrators, with the way to the others. */
export const AdminFrame = ({ view, title, tab, message, style, children }: AdminProps) => (
  <Page view={view} title={title} section="/admin" {...(style ? { style } : {})}>
    {view.user?.admin && (
      <nav class="tabs" aria-label="Administration">
        {ADMIN_TABS.map(([path, name]) => (
          <a href={path} aria-current={path === tab ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
    )}
    <h1>{title}</h1>
    <Message message={message} />
    {children}
  </Page>
);

/** What came of a form: read out by screen readers, too. */
export const Message = ({ message }: { message?: Said | undefined }) =>
  message ? (
    <p
      class={message.isBad ? "notice bad" : "notice good"}
      role={message.isBad ? "alert" : "status"}
    >
      {message.text}
    </p>
  ) : null;

/** What is shown this once, to be copied. */
export const ToCopy = ({ id, text, label }: { id: string; text: string; label: string }) => (
  <div class="copy">
    <code id={id}>{text}</code>
    <button type="button" data-copy={id} aria-label={`Copy ${label}`} hidden>
      Copy
    </button>
  </div>
);

/** A button that asks once more before it does what cannot be undone. */
export const Sure = ({
  ask,
  action,
  fields = {},
  yes,
  children,
}: {
  /** On the page; opened, the rest is there. */
  ask: string;
  action: string;
  fields?: Readonly<Record<string, string>>;
  /** On the button. */
  yes: string;
  /** What comes of it. */
  children?: Child;
}) => (
  <details class="sure">
    <summary>{ask}</summary>
    <form method="post" action={action}>
      <Hidden fields={fields} />
      {children && <p>{children}</p>}
      <button class="danger">{yes}</button>
    </form>
  </details>
);

export const Hidden = ({ fields }: { fields: Readonly<Record<string, string>> }) => (
  <>
    {Object.entries(fields).map(([name, value]) => (
      <input type="hidden" name={name} value={value} />
    ))}
  </>
);

/** A form of one button. */
export const Act = ({
  action,
  fields = {},
  label,
  words,
}: {
  action: string;
  fields?: Readonly<Record<string, string>>;
  label: string;
  /** Of the button, where `label` alone does not say of what. */
  words?: string;
}) => (
  <form method="post" action={action}>
    <Hidden fields={fields} />
    <button class="quiet" aria-label={words}>
      {label}
    </button>
  </form>
);

export const Older = ({ href, of }: { href: string | undefined; of: string }) =>
  href === undefined ? null : (
    <nav class="pages" aria-label={`Pages of ${of}`}>
      <a rel="next" href={href}>
        Next →
      </a>
    </nav>
  );
