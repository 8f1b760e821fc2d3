import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import type { AssetName } from "./assets.ts";
import type { View } from "./view.ts";

const SECTIONS = [
  ["/", "Jobs"],
  ["/queue", "Queue"],
  ["/queries", "Queries"],
  ["/devices", "Devices"],
  ["/workers", "Workers"],
  ["/submit", "Submit"],
] as const;
/** Of administrators only. */
const ADMIN_SECTIONS = [["/audit", "Audit"]] as const;
type Section = (typeof SECTIONS | typeof ADMIN_SECTIONS)[number][0];

interface PageProps {
  view: View;
  title: string;
  /** Path of the section that is open. */
  section?: Section;
  script?: AssetName;
  /** A style sheet of this page's own. */
  style?: AssetName;
  /** Class of `main`. */
  layout?: "wide" | "narrow";
  children?: Child;
}

/** A whole page: head, header with the sections, `main`. */
export function Page({ view, title, section, script, style, layout, children }: PageProps) {
  return (
    <>
      {raw("<!doctype html>")}
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content="light dark" />
          <title>{`${title} · Pumice`}</title>
          <link rel="icon" href={view.assets.url("icon.svg")} />
          <link rel="stylesheet" href={view.assets.url("style.css")} />
          {style && <link rel="stylesheet" href={view.assets.url(style)} />}
          {script && <script type="module" src={view.assets.url(script)}></script>}
        </head>
        <body>
          <a class="skip-link" href="#main">
            Skip to content
          </a>
          <Header view={view} section={section} />
          {view.archive && (
            <p class="archive" role="note">
              This lab is an archive: all of it can be read, nothing can be changed.
            </p>
          )}
          <main id="main" class={layout}>
            {children}
          </main>
        </body>
      </html>
    </>
  );
}

const sectionsOf = ({ user, archive }: View) =>
  [...SECTIONS, ...(user?.admin ? ADMIN_SECTIONS : [])].filter(
    ([path]) => !archive || path !== "/submit",
  );

function Header({ view, section }: { view: View; section: PageProps["section"] }) {
  return (
    <header class="site">
      <a class="brand" href="/" aria-label="Pumice">
        <img src={view.assets.url("icon.svg")} alt="" width="20" height="20" />
        <span>Pumice</span>
      </a>
      {view.user && (
        <>
          <nav aria-label="Sections">
            {sectionsOf(view).map(([path, name]) => (
              <a href={path} aria-current={path === section ? "page" : undefined}>
                {name}
              </a>
            ))}
          </nav>
          <form class="who" method="post" action="/sign-out">
            <a class="wide-only" href="/account">
              {view.user.name}
            </a>
            <button class="quiet">Sign out</button>
          </form>
        </>
      )}
    </header>
  );
}
