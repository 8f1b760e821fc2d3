/** A dictionary of a board that nothing is known of but its connections: these lines of it, and boot by itself. */
export const plainBoard = (...lines: readonly string[]): string => `{% extends 'base.jinja2' %}
${lines.join("\n")}
{% block body %}
actions:
  deploy:
    methods:
      image:
  boot:
    connections:
      serial:
    methods:
      minimal:
{% endblock body %}
`;

/** A job with these actions (YAML, a list) and short time-outs; `more` are lines of its time-outs. */
export const quickJob = (actions: string, more = ""): string => `job_name: a job
visibility: public
device_type: plain
timeouts:
  job: {minutes: 1}
  action: {seconds: 20}
  connection: {seconds: 20}
${more}
actions:
${actions}
`;
