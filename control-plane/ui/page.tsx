import { raw } from "hono/html";
import type { Child } from "hono/jsx";
import type { AssetName } from "./assets.ts";
import { SiteHeader, type Section } from "./site-header.tsx";
import type { View } from "./view.ts";

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
      <html lang="en" data-theme={view.theme}>
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <meta name="color-scheme" content={view.theme ?? "light dark"} />
          <title>{`${title} · Pumice`}</title>
          <link rel="icon" href={view.assets.url("icon.svg")} />
          <link rel="stylesheet" href={view.assets.url("style.css")} />
          {style && <link rel="stylesheet" href={view.assets.url(style)} />}
          <script type="module" src={view.assets.url("shell.js")}></script>
          {script && <script type="module" src={view.assets.url(script)}></script>}
        </head>
        <body>
          <a class="skip-link" href="#main">
            Skip to content
          </a>
          <SiteHeader view={view} section={section} />
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
