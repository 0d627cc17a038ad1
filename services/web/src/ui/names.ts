/** How a person's name is shortened for an avatar. */
export function initials(name: string, locale: string): string {
  const parts = name.trim().split(/\s+/u).filter(Boolean);
  const letters = [parts[0], parts.length > 1 ? parts.at(-1) : undefined].map((part) => [...(part ?? "")][0] ?? "");
  return letters.join("").toLocaleUpperCase(locale) || "?";
}
