/** What trying again does not mend: a wrong signature, a file that does not run. The message is told to the control plane. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
}

/** The link has run out; the next answer of sync has another one. */
export class LinkExpired extends Error {
  override readonly name = "LinkExpired";
}
