/** Throws when the lab's log has a request that it could not answer for a fault of its own; forgets the log. */
export function requireNoFault(messages: string[]): void {
  const fault = messages.find((line) => /^request failed|unhandled/.test(line));
  const story = messages.splice(0);
  if (fault === undefined) return;
  const [, text = "{}"] = /^[^{]*(\{.*\})$/s.exec(fault) ?? [];
  const { error = fault } = JSON.parse(text) as { error?: string };
  const thrown = new Error(story.at(-1));
  thrown.stack = error;
  throw thrown;
}
