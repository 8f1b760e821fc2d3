import { PERMISSIONS, type Grants } from "#protocol/people.ts";

/** Who may what with a thing, beside what `others` grant: "the lab". */
export function GrantsTable({ grants, others }: { grants: Grants; others: string }) {
  const granted = PERMISSIONS.filter((permission) => (grants[permission]?.length ?? 0) > 0);
  if (granted.length === 0) {
    return <p class="nothing">{`It grants nothing itself; ${others} may.`}</p>;
  }
  return (
    <dl class="facts">
      {granted.map((permission) => (
        <div>
          <dt>{permission}</dt>
          <dd>{grants[permission]?.join(", ")}</dd>
        </div>
      ))}
    </dl>
  );
}
