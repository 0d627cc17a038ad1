import { expect, test } from "vitest";
import type { Link } from "../../src/api/people.ts";
import { sides, uncounted } from "../../src/desk/person-evidence.ts";

const NOW = Date.parse("2026-05-01T00:00:00Z");

function link(id: string, a: string, b: string, more: Partial<Link> = {}): Link {
  return {
    id,
    a,
    b,
    kind: "same_message",
    assurance: "channel_verified",
    source: "message:1",
    evidence: {},
    actor: null,
    first_seen_at: "2026-01-01T00:00:00Z",
    last_seen_at: "2026-01-01T00:00:00Z",
    expires_at: null,
    retracted_at: null,
    retracted_by: null,
    ...more,
  };
}

test("a link counts between the person's own handles while it holds", () => {
  const own = new Set(["mail", "phone"]);
  const look = (more: Partial<Link>) => uncounted(link("1", "mail", "phone", more), own, NOW);
  expect(look({})).toBeNull();
  expect(look({ expires_at: "2026-06-01T00:00:00Z" })).toBeNull();
  expect(look({ expires_at: "2026-04-01T00:00:00Z" })).toBe("expired");
  expect(look({ assurance: "asserted" })).toBe("onlyClaimed");
  expect(look({ assurance: "asserted", retracted_at: "2026-02-01T00:00:00Z" })).toBe("retracted");
  expect(look({ b: "somebody" })).toBe("elsewhere");
});

test("without a link there are two people, each with the handles on their side", () => {
  const handles = ["visitor", "number", "mail", "phone"];
  const links = [link("1", "number", "visitor"), link("2", "number", "mail"), link("3", "mail", "phone")];
  expect(sides(links[1] as Link, links, handles)).toEqual([
    ["visitor", "number"],
    ["mail", "phone"],
  ]);
  expect(sides(links[2] as Link, links, handles)).toEqual([["visitor", "number", "mail"], ["phone"]]);
});

test("there are no two people while other evidence leads around the link", () => {
  const links = [link("1", "a", "b"), link("2", "b", "c"), link("3", "c", "a"), link("4", "a", "b")];
  expect(sides(links[0] as Link, links, ["a", "b", "c"])).toBeNull();
});
