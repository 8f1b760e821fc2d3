/** What is known of something, by name; what is undefined is left out. */
export const FactList = ({
  facts,
}: {
  facts: readonly (readonly [name: string, value: unknown])[];
}) => (
  <dl class="facts">
    {facts.map(([name, value]) =>
      value === undefined ? null : (
        <div>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ),
    )}
  </dl>
);
