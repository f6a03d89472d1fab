/** Text between quotes with everything escaped that a terminal would act on, cut to a length that stays on a line. */
export function quoted(text: string, maxLength = 60): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength - 1).toWellFormed()}…` : text;
  return JSON.stringify(cut).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** `"app/greeting"` or `"app/greeting" (label "dev")`. */
export const nameOf = ({ key, label }: { key: string; label: string }): string =>
  label === '' ? quoted(key) : `${quoted(key)} (label ${quoted(label)})`;
