interface ChoiceProps {
  name: string;
  label: string;
  options: readonly string[];
  value: string | undefined;
}

/** One of a few, or any. */
export const Choice = ({ name, label, options, value }: ChoiceProps) => (
  <label>
    {label}
    <select name={name}>
      <option value="">any</option>
      {options.map((option) => (
        <option value={option} selected={option === value}>
          {option}
        </option>
      ))}
      {value !== undefined && !options.includes(value) && (
        <option value={value} selected>
          {value}
        </option>
      )}
    </select>
  </label>
);

/** A word to filter by, or a day. */
export const Field = ({
  name,
  label,
  value,
  type = "text",
}: Omit<ChoiceProps, "options"> & { type?: "text" | "date" }) => (
  <label>
    {label}
    <input
      type={type}
      name={name}
      value={value ?? ""}
      size={type === "text" ? 14 : undefined}
      autocomplete="off"
      spellcheck={false}
    />
  </label>
);
