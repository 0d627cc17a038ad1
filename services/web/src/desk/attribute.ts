/** Attributes of a person: a value with its source, or the value alone. */

/** The value without its source. */
export function bare(attribute: unknown): unknown {
  return attribute !== null && typeof attribute === "object" && "value" in attribute ? attribute.value : attribute;
}

/** The value as text. */
export function told(attribute: unknown): string {
  const found = bare(attribute);
  return typeof found === "string" ? found : JSON.stringify(found);
}
