import { expect, test } from "vitest";
import type { Item, SlaTarget, Why } from "../../src/api/vocabulary.ts";
import { wakeAt } from "../../src/desk/desk-composer.ts";
import { target } from "../../src/desk/part.ts";
import { reasons } from "../../src/desk/why.ts";
import { chatMessages } from "../../src/i18n/chat.ts";
import { deskMessages } from "../../src/i18n/desk.ts";
import { Formats, localeOf } from "../../src/i18n/locale.ts";
import { shopMessages } from "../../src/i18n/shop.ts";
import { initials } from "../../src/ui/names.ts";

test("the first wish that is spoken wins", () => {
  expect(localeOf(null, "de-DE", "tr-TR", "en")).toBe("tr");
  expect(localeOf("TR")).toBe("tr");
  expect(localeOf("fr", undefined)).toBe("en");
});

/** Every text of a record, with its path; a function is called with numbers it takes. */
function texts(value: unknown, path = ""): Array<[string, string]> {
  if (typeof value === "string") return [[path, value]];
  if (typeof value === "function") return [[path, String((value as (...args: number[]) => string)(3, 5, 7))]];
  return Object.entries(value as object).flatMap(([name, inner]) => texts(inner, `${path}.${name}`));
}

test.each([
  ["chat", chatMessages],
  ["desk", deskMessages],
  ["shop", shopMessages],
])("%s says the same things in both languages, and nothing empty", (_, messages) => {
  const tr = texts(messages("tr"));
  const en = texts(messages("en"));
  expect(en.map(([path]) => path)).toEqual(tr.map(([path]) => path));
  expect([...tr, ...en].filter(([, text]) => !text.trim())).toEqual([]);
});

test("initials are Turkish where the page is", () => {
  expect(initials("ismail ışık", "tr")).toBe("İI");
  expect(initials("  ", "tr")).toBe("?");
  expect(initials("Deniz", "en")).toBe("D");
});

test("times are told in the largest unit that fits", () => {
  const en = new Formats("en");
  const now = Date.parse("2026-01-05T09:00:00Z");
  expect(en.ago("2026-01-05T08:55:00Z", now)).toBe("5 min. ago");
  expect(en.ago("2026-01-05T11:30:00Z", now)).toBe("in 2 hr.");
  expect(en.ago("2026-01-03T09:00:00Z", now)).toBe("2 days ago");
});

test("a decision is told in sentences: rule, agent, others, left out", () => {
  const why: Why = {
    comparator: "load",
    personal: false,
    step: 1,
    waited_s: 11.2,
    candidates: [
      { agent_id: "me", load: 0.33, idle_s: 252 },
      { agent_id: "b", name: "Ada", load: 0.5, idle_s: 30 },
      { agent_id: "c", name: null, load: 0.6, idle_s: 20 },
    ],
    key: { class: 1, due: 1767603600 },
    excluded: { offline: 4, never_heard_of: 1, budget: 0 },
  };
  const full = (iso: string) => iso.slice(0, 16);
  const told = reasons(why, { rule: "vip", queue: "destek" }, "me", deskMessages("en"), full).map(
    (one) => `${one.label}: ${one.text}`,
  );
  expect(told).toEqual([
    "Queue: rule “vip” matched",
    "Agent: You: load 33%, idle for 4 min",
    "Order: Least load, then longest idle",
    "Waited: 11 s",
    "Plan step: 2",
    "Turn: by its due time, 2026-01-05T09:00",
    "Other candidates: Ada: load 50%, idle 30 s · Agent: load 60%, idle 20 s",
    "Left out: 4 offline · 1 never_heard_of",
  ]);
  const urgent = reasons({ key: { class: 0, due: 1767603600 } }, {}, "me", deskMessages("en"), full);
  expect(urgent.map((one) => one.text)).toEqual(["before all other work, due 2026-01-05T09:00"]);
  expect(reasons({}, {}, "me", deskMessages("en"), full)).toEqual([]);
  const bulk = reasons({}, { queue: "toplu", rule: null, bulk: true }, "me", deskMessages("en"), full);
  expect(bulk.map((one) => one.text)).toEqual(["Bulk from somebody never in contact"]);
  const made = { queue: "destek", rule: null, made_work_by: "agent:a", made_work_by_name: "Ada" };
  expect(reasons({}, made, "me", deskMessages("en"), full).map((one) => `${one.label}: ${one.text}`)).toEqual([
    "Queue: No rule matched, default queue",
    "Made work by: Ada",
  ]);
  const unnamed = reasons({}, { ...made, made_work_by_name: null }, "me", deskMessages("en"), full);
  expect(unnamed.at(-1)?.text).toBe("another system");
});

test("a parked item comes back when it was said", () => {
  const now = new Date(2026, 0, 5, 17, 30);
  expect(wakeAt("answer", now)).toBeNull();
  expect(wakeAt("hour", now)).toBe(new Date(2026, 0, 5, 18, 30).toISOString());
  expect(wakeAt("tomorrow", now)).toBe(new Date(2026, 0, 6, 9, 0).toISOString());
});

test("an item's target is near once the warning has passed, and missed once it is due", () => {
  const at = (second: number): string => new Date(second * 1000).toISOString();
  const sla: SlaTarget = { kind: "first_response", target_s: 60, due_at: at(60), warn_at: at(48), state: "running" };
  const look = (second: number, more: Partial<SlaTarget> = {}) =>
    target({ sla: { ...sla, ...more } } as Item, second * 1000);
  expect(look(10)).toEqual({ at: at(60), look: "", missed: false });
  expect(look(48)).toEqual({ at: at(60), look: "warn", missed: false });
  expect(look(60)).toEqual({ at: at(60), look: "danger", missed: true });
  expect(look(10, { state: "warned" })?.look).toBe("warn");
  expect(look(10, { state: "breached" })?.missed).toBe(true);
  expect(look(99, { state: "paused", due_at: null, warn_at: null })).toBeNull();
  expect(target({ sla: null } as Item)).toBeNull();
});
