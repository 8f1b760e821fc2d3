import { raw } from "hono/html";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

/** A page of the documentation in the lab's shell. `html` is our own generator's: it shows HTML in the sources as text. */
export const DocsPage = ({ view, title, html }: { view: View; title: string; html: string }) => (
  <Page
    view={view}
    title={`${title} · Docs`}
    section="/docs"
    style="docs.css"
    script="docs-page.js"
  >
    {raw(html)}
  </Page>
);
