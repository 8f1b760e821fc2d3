const TABS = [
  ["/devices", "Board"],
  ["/device-types", "Types"],
] as const;

/** Between the lists of what the lab has. */
export const LabTabs = ({ open }: { open: (typeof TABS)[number][0] }) => (
  <nav class="tabs" aria-label="Devices and their types">
    {TABS.map(([path, name]) => (
      <a href={path} aria-current={path === open ? "page" : undefined}>
        {name}
      </a>
    ))}
  </nav>
);
