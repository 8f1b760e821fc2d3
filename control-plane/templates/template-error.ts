/** What is wrong in a template, and where. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  /** Name of the template, as in `{% extends %}`. */
  readonly template: string;
  /** From 1. */
  readonly line: number;

  constructor(message: string, template: string, line: number, options?: { cause?: unknown }) {
    super(message, options);
    this.template = template;
    this.line = line;
  }
}
