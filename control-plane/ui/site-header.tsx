import { THEMES, type View } from "./view.ts";

/** Path, name and, after `g`, the key that leads there. */
const SECTIONS = [
  ["/", "Jobs", "j"],
  ["/queue", "Queue", "q"],
  ["/devices", "Devices", "d"],
  ["/workers", "Workers", "w"],
  ["/tests", "Tests", "t"],
  ["/reports", "Reports", "r"],
  ["/queries", "Queries", "u"],
  ["/submit", "Submit", "s"],
  ["/docs", "Docs", "h"],
] as const;
/** Of administrators only. */
const ADMIN_SECTIONS = [["/admin", "Admin", "a"]] as const;
export type Section = (typeof SECTIONS | typeof ADMIN_SECTIONS)[number][0];

/** Which of the sections somebody has. */
const sectionsOf = ({ user, archive }: View) =>
  [...SECTIONS, ...(user?.admin ? ADMIN_SECTIONS : [])].filter(
    ([path]) => !archive || path !== "/submit",
  );

/** Of every page: the sections, search, the theme, who. The browser itself opens and closes the menu of a small screen. */
export function SiteHeader({ view, section }: { view: View; section: Section | undefined }) {
  return (
    <header class="site">
      <a class="brand" href="/" aria-label="Pumice">
        <img src={view.assets.url("icon.svg")} alt="" width="20" height="20" />
        <span>Pumice</span>
      </a>
      {view.user && <Sections view={view} section={section} />}
      {view.user && (
        <form class="find" role="search" aria-label="The lab" action="/search">
          <input
            type="search"
            name="q"
            aria-label="Search the lab"
            aria-keyshortcuts="/"
            placeholder="Search"
            maxlength={200}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
          />
        </form>
      )}
      <ThemeSwitch view={view} />
      {view.user && (
        <form class="who" method="post" action="/sign-out">
          <a href="/account" title="Your account">
            {view.user.name}
          </a>
          <button class="quiet">Sign out</button>
        </form>
      )}
    </header>
  );
}

const Sections = ({ view, section }: { view: View; section: Section | undefined }) => (
  <>
    <button type="button" class="menu-button" popovertarget="sections">
      Menu
    </button>
    <nav id="sections" aria-label="Sections" popover="auto">
      {sectionsOf(view).map(([path, name, key]) => (
        <a href={path} data-key={key} aria-current={path === section ? "page" : undefined}>
          {name}
        </a>
      ))}
      <a class="phone-only" href="/account">{`${view.user?.name}: account`}</a>
    </nav>
  </>
);

/** A button that goes round: as the system prefers, light, dark. */
function ThemeSwitch({ view: { theme } }: { view: View }) {
  const now = theme ?? "auto";
  const next = theme === undefined ? THEMES[0] : (THEMES[THEMES.indexOf(theme) + 1] ?? "auto");
  const label = `Colours: ${now}; change to ${next}`;
  return (
    <form class="theme" method="post" action="/theme">
      <button name="theme" value={next} title={label} aria-label={label}>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          {ICONS[now]}
        </svg>
      </button>
    </form>
  );
}

const ICONS = {
  auto: (
    <>
      <circle cx="8" cy="8" r="6" />
      <path class="solid" d="M8 2a6 6 0 0 1 0 12z" />
    </>
  ),
  light: (
    <>
      <circle cx="8" cy="8" r="3" />
      <path d="M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" />
    </>
  ),
  dark: <path d="M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z" />,
} as const;
