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

/** A word to filter by. */
export const Field = ({ name, label, value }: Omit<ChoiceProps, "options">) => (
  <label>
    {label}
    <input name={name} value={value ?? ""} size={12} autocomplete="off" spellcheck={false} />
  </label>
);
