import type { QueryAnswer } from "#protocol/queries.ts";
import { ENTITIES, OPERATORS, TABLES } from "#protocol/saved-query.ts";
import { fieldNames } from "../domain/queries/conditions.ts";
import { Page } from "./page.tsx";
import { QueryRows } from "./query-rows.tsx";
import type { View } from "./view.ts";

/** A condition as it stands in the form, good or not. */
export interface ConditionRow {
  table: string;
  field: string;
  operator: string;
  value: string;
  /** Why it can't be asked. */
  problem?: string | undefined;
}

export interface QueryFields {
  name: string;
  description: string;
  entity: string;
  limit: string;
  published: boolean;
  group: string;
  conditions: ConditionRow[];
}

interface QueryFormProps {
  view: View;
  fields: QueryFields;
  /** `OWNER/NAME` of one that is there. */
  title?: string | undefined;
  path: string;
  /** Those of the person. */
  groups: readonly string[];
  refusal?: string | undefined;
  answer?: QueryAnswer | undefined;
}

/** `/queries/new` and `/queries/OWNER/NAME/edit`: a query by form, to try before it is kept. */
export function QueryFormPage(props: QueryFormProps) {
  const { view, title, path, refusal, answer } = props;
  const heading = title === undefined ? "New query" : `Edit ${title}`;
  return (
    <Page view={view} title={heading} section="/queries">
      <h1>{heading}</h1>
      {refusal !== undefined && (
        <p class="notice bad" role="alert">
          {refusal}
        </p>
      )}
      <form method="post" action={path} class="query-form">
        <MainFields {...props} />
        <Conditions {...props} />
        <p class="buttons">
          <button class="primary" name="do" value="save">
            Save
          </button>
          <button name="do" value="try">
            Try
          </button>
          <button name="do" value="more">
            More conditions
          </button>
          <a href={title === undefined ? "/queries" : path}>Cancel</a>
        </p>
      </form>
      {answer && (
        <section>
          <h2>What it finds</h2>
          <QueryRows answer={answer} now={view.now} />
        </section>
      )}
      {title !== undefined && (
        <details class="sure">
          <summary>Remove this query</summary>
          <form method="post" action={`${path}/remove`}>
            <p>Charts and links that name it will find nothing.</p>
            <button class="danger">{`Remove ${title}`}</button>
          </form>
        </details>
      )}
    </Page>
  );
}

function MainFields({ fields, title, groups }: QueryFormProps) {
  const known = new Set([...groups, ...(fields.group === "" ? [] : [fields.group])]);
  return (
    <div class="fields">
      {title === undefined && (
        <label>
          Name
          <input
            name="name"
            value={fields.name}
            required
            maxlength={100}
            pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
          />
          <small>letters, digits, - _ .</small>
        </label>
      )}
      <label>
        Description
        <input name="description" value={fields.description} maxlength={1000} />
      </label>
      <label>
        Rows are
        <select name="entity">
          {ENTITIES.map((entity) => (
            <option value={entity} selected={entity === fields.entity}>
              {{ testjob: "jobs", testsuite: "test suites", testcase: "test cases" }[entity]}
            </option>
          ))}
        </select>
      </label>
      <label>
        Rows at a time
        <input name="limit" type="number" min={1} max={1000} value={fields.limit} />
      </label>
      <label>
        Group that uses and changes it
        <select name="group">
          <option value="">none</option>
          {[...known].map((group) => (
            <option value={group} selected={group === fields.group}>
              {group}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input type="checkbox" name="published" checked={fields.published} />
        Everybody may use it
      </label>
    </div>
  );
}

const Conditions = ({ fields }: QueryFormProps) => (
  <fieldset>
    <legend>All of these hold</legend>
    <datalist id="condition-fields">
      {fieldNames().map((name) => (
        <option value={name}></option>
      ))}
    </datalist>
    {fields.conditions.map((one, n) => (
      <Condition row={one} n={n} />
    ))}
    <p class="muted">
      A row without a field does not count. Attributes of a job (<code>metadata</code>) go by their
      own names.
    </p>
  </fieldset>
);

function Condition({ row, n }: { row: ConditionRow; n: number }) {
  const of = `of condition ${n + 1}`;
  const problem = row.problem === undefined ? undefined : `problem-${n}`;
  return (
    <div class="condition">
      <Pick name={`table${n}`} label={`Table ${of}`} options={TABLES} value={row.table} />
      <input
        name={`field${n}`}
        aria-label={`Field ${of}`}
        list="condition-fields"
        value={row.field}
        placeholder="field"
        maxlength={100}
        autocomplete="off"
        aria-invalid={problem === undefined ? undefined : "true"}
        aria-describedby={problem}
      />
      <Pick
        name={`operator${n}`}
        label={`Operator ${of}`}
        options={OPERATORS}
        value={row.operator}
      />
      <input
        name={`value${n}`}
        aria-label={`Value ${of}`}
        value={row.value}
        placeholder="value"
        maxlength={1000}
        autocomplete="off"
      />
      {row.problem !== undefined && (
        <p id={problem} class="bad">
          {row.problem}
        </p>
      )}
    </div>
  );
}

const Pick = ({
  name,
  label,
  options,
  value,
}: {
  name: string;
  label: string;
  options: readonly string[];
  value: string;
}) => (
  <select name={name} aria-label={label}>
    {options.map((option) => (
      <option selected={option === value}>{option}</option>
    ))}
  </select>
);
