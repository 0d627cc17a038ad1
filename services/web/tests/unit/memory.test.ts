// @vitest-environment happy-dom
import { beforeEach, expect, test } from "vitest";
import { Memory, type Session } from "../../src/chat/memory.ts";

const session = (signed: boolean): Session => ({
  token: signed ? "a-customer" : "anonymous",
  visitor_id: "v",
  expires_at: "2026-11-29T12:00:00Z",
  signed,
  continues: true,
});
const line = { id: "line-0001", text: "Merhaba", at: "2026-11-29T12:00:00Z", state: "sending" as const };
const kept = (storage: Storage): string => JSON.stringify({ ...storage });

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});

test("an anonymous visitor is remembered across visits", () => {
  new Memory("shop").keepSession(session(false));
  sessionStorage.clear();
  expect(new Memory("shop").token()).toBe("anonymous");
  expect(new Memory("another").token()).toBe("");
});

test("a customer is remembered by their window only, with all that is theirs", () => {
  const memory = new Memory("shop");
  memory.keepSession(session(true));
  memory.keepUnsent([line]);
  memory.keepReadSeq(7);
  expect(kept(localStorage)).toBe("{}");
  sessionStorage.clear();
  const next = new Memory("shop");
  expect([next.token(), next.unsent(), next.readSeq()]).toEqual(["", [], 0]);
});

test("what an anonymous visitor could not send goes where their customer's is kept", () => {
  const memory = new Memory("shop");
  memory.keepSession(session(false));
  memory.keepUnsent([line]);
  memory.keepSession(session(true));
  expect(memory.unsent()).toEqual([line]);
  expect(kept(localStorage)).toBe("{}");
});

test("forgetting leaves nothing, also of what release 0.1.0 kept", () => {
  localStorage.setItem(
    "santral-chat:shop:session",
    JSON.stringify({ token: "old", visitor_id: "v", expires_at: "2099" }),
  );
  const memory = new Memory("shop");
  expect(memory.token()).toBe("old");
  memory.keepUnsent([line]);
  memory.forget();
  expect([memory.token(), memory.unsent(), kept(localStorage), kept(sessionStorage)]).toEqual(["", [], "{}", "{}"]);
});
