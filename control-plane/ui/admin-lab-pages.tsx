import type { SourceProblem } from "#protocol/api.ts";
import { SETTINGS_NAMES, type LabSettings, type SettingsSection } from "#protocol/lab-settings.ts";
import { VERSION } from "#protocol/version.ts";
import { writeYaml } from "#protocol/write-yaml.ts";
import { ADMIN_TABS, AdminFrame, Sure } from "./admin-frame.tsx";
import type { Said } from "./answer-form.ts";
import { ProblemList } from "./problem-list.tsx";
import type { View } from "./view.ts";

const ABOUT: Readonly<Record<(typeof ADMIN_TABS)[number][0], string>> = {
  "/admin": "",
  "/admin/users": "Who they are, whether they may sign in, password links.",
  "/admin/groups": "Whom permissions, quotas and jobs can name together.",
  "/admin/permissions": "Who may see, use, change and administer what.",
  "/admin/tokens": "What scripts, browsers and workers come with.",
  "/admin/releases": "Which version the workers have, and the next.",
  "/admin/notices": "Webhooks, what was sent, and sending it again.",
  "/admin/settings": "Scheduling, quotas, signing in, retention.",
  "/audit": "Who changed what, and when.",
};

/** `/admin` */
export const OverviewPage = ({ view, engine }: { view: View; engine: string }) => (
  <AdminFrame view={view} title="Administration" tab="/admin">
    <p class="muted">{`Pumice ${VERSION}, engine ${engine}.`}</p>
    <div class="cards">
      {ADMIN_TABS.slice(1).map(([path, name]) => (
        <div class="card">
          <h2>
            <a href={path}>{name}</a>
          </h2>
          <p class="muted">{ABOUT[path]}</p>
        </div>
      ))}
    </div>
    <section aria-labelledby="backup">
      <h2 id="backup">Backup</h2>
      <p>
        One folder carries the whole lab: configuration, jobs, logs. Take it from a shell, with an
        administrator’s token; the lab goes on meanwhile.
      </p>
      <pre class="code">
        pumice export --all backup-2026-11-22{"\n"}pumice import --check backup-2026-11-22
      </pre>
    </section>
  </AdminFrame>
);

export interface TypedSection {
  section: string;
  text: string;
  problems: readonly SourceProblem[];
}

interface SettingsProps {
  view: View;
  settings: LabSettings;
  /** That was read: a change meanwhile is refused. */
  version: number;
  message?: Said | undefined;
  /** A section as it was typed, when it was refused, and what is wrong with it where. */
  typed?: TypedSection | undefined;
}

const SECTION_WORDS: Readonly<Record<SettingsSection, string>> = {
  scheduling: "Scheduling: fair share, queue time, health checks",
  quotas: "Quotas of users and groups",
  reservations: "Reservations",
  consoles: "Remote consoles",
  stock_workers: "LAVA’s own workers",
  access: "Access: the rule, and what the lab grants",
  sign_in: "Signing in: passwords, sessions, providers",
  notices: "Notices: mail, hosts that may be called",
  retention: "Retention: what is removed, and when",
};

/** `/admin/settings`: each section as YAML, with every default. */
export const SettingsPage = ({ view, settings, version, message, typed }: SettingsProps) => (
  <AdminFrame
    view={view}
    title="Settings"
    tab="/admin/settings"
    message={message}
    style="submit.css"
  >
    <p class="muted">
      Each section as YAML, with its defaults. What the fields mean:{" "}
      <a href="/docs/settings/">the documentation</a>.
    </p>
    {SETTINGS_NAMES.map((name) => {
      const refused = typed?.section === name ? typed : undefined;
      const text = refused?.text ?? writeYaml(settings[name]);
      const problems = refused?.problems ?? [];
      return (
        <section aria-labelledby={`${name}-title`} id={name}>
          <h2 id={`${name}-title`}>{SECTION_WORDS[name]}</h2>
          <form method="post" action="/admin/settings">
            <input type="hidden" name="section" value={name} />
            <input type="hidden" name="version" value={String(version)} />
            {problems.length > 0 && (
              <div class="problems" id={`${name}-problems`}>
                <ProblemList text={text} problems={problems} field={`${name}-text`} />
              </div>
            )}
            <textarea
              class="yaml"
              id={`${name}-text`}
              autofocus={problems.length > 0}
              aria-describedby={problems.length > 0 ? `${name}-problems` : undefined}
              aria-invalid={problems.length > 0 ? "true" : undefined}
              name="text"
              rows={Math.min(24, text.split("\n").length)}
              aria-label={SECTION_WORDS[name]}
              spellcheck={false}
            >
              {text}
            </textarea>
            <button>Save</button>
          </form>
          <Sure
            ask="Back to the defaults"
            action="/admin/settings"
            fields={{ section: name, version: String(version), reset: "yes" }}
            yes="Take the defaults"
          >
            What was set in this section is forgotten.
          </Sure>
        </section>
      );
    })}
  </AdminFrame>
);
