/**
 * What the ledger says about one person, as the panel shows it. Pure.
 *
 * A link counts when it was not taken back, has not expired, is more than a claim and lies between two of the person's own
 * handles. Handles are named by id.
 */
import type { Link } from "../api/people.ts";

export type Uncounted = "retracted" | "expired" | "onlyClaimed" | "elsewhere";

/** Why a link joins nothing here; null for one that counts. */
export function uncounted(link: Link, handles: ReadonlySet<string>, now: number = Date.now()): Uncounted | null {
  if (link.retracted_at) return "retracted";
  if (link.expires_at && Date.parse(link.expires_at) <= now) return "expired";
  if (link.assurance === "asserted") return "onlyClaimed";
  return handles.has(link.a) && handles.has(link.b) ? null : "elsewhere";
}

/**
 * The two people there would be without a link: the handles on its side `a`, and those on its side `b`, in the order given.
 * Null when other links that count still lead from one side to the other.
 */
export function sides(
  link: Link,
  counting: readonly Link[],
  handles: readonly string[],
): readonly [readonly string[], readonly string[]] | null {
  const rest = counting.filter((one) => one.id !== link.id);
  const here = reached(link.a, rest);
  if (here.has(link.b)) return null;
  const there = reached(link.b, rest);
  return [handles.filter((one) => here.has(one)), handles.filter((one) => there.has(one))];
}

function reached(from: string, links: readonly Link[]): ReadonlySet<string> {
  const found = new Set([from]);
  const waiting = [from];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const link of links) {
      const next = link.a === at ? link.b : link.b === at ? link.a : undefined;
      if (next === undefined || found.has(next)) continue;
      found.add(next);
      waiting.push(next);
    }
  }
  return found;
}
