// @vitest-environment happy-dom
import { beforeEach, expect, test, vi } from "vitest";
import type { Call, Client } from "../../src/api/client.ts";
import { ApiError } from "../../src/api/problem.ts";
import { Memory } from "../../src/chat/memory.ts";
import { Room } from "../../src/chat/room.ts";

type Answer = { token: string; signed: boolean; continues: boolean };
let calls: Array<{ path: string; call: Call }>;
let answers: Array<Answer | ApiError>;
let forgotten: number;
let wanted: number;

const client = {
  socketAddress: () => "ws://127.0.0.1:1/",
  json: async (path: string, call: Call = {}) => {
    if (path.endsWith("/config")) return { title: "Yayla" };
    calls.push({ path, call });
    if (call.method === "DELETE") return undefined;
    const answer = answers.shift();
    if (answer instanceof ApiError) throw answer;
    return { visitor_id: "v", expires_at: "2099-01-01T00:00:00Z", ...answer };
  },
} as unknown as Client;

const identity = (sub: string, more = ""): string => `h.${btoa(JSON.stringify({ sub, more }))}.s`;
const anonymous = (token: string, continues = false): Answer => ({ token, signed: false, continues });
const customer = (token: string, continues = false): Answer => ({ token, signed: true, continues });
const opened = (): Room =>
  new Room({
    inbox: "shop",
    locale: "tr",
    memory: new Memory("shop"),
    onChange: () => {},
    onForget: () => {
      forgotten += 1;
    },
    onIdentityWanted: () => {
      wanted += 1;
    },
    client,
  });
const said = (): unknown[] => calls.map(({ call }) => call.body ?? call.token);

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
  [calls, answers, forgotten, wanted] = [[], [], 0, 0];
  vi.stubGlobal("WebSocket", class {});
});

test("a page shows the token its browser had, whoever is there", async () => {
  answers = [anonymous("one"), anonymous("one", true)];
  await opened().enter("");
  await opened().enter("");
  expect(said()).toEqual([{ locale: "tr" }, { locale: "tr", previous: "one" }]);
});

test("signing in shows both, and keeps what is on the page", async () => {
  answers = [anonymous("one"), customer("two", true)];
  const room = opened();
  await room.enter("");
  room.write("Merhaba");
  await room.identify(identity("ayse"));
  expect(said().at(-1)).toEqual({ locale: "tr", previous: "one", identity: identity("ayse") });
  expect([room.talk.pending.map((one) => one.text), forgotten]).toEqual([["Merhaba"], 0]);
});

test("when the customer goes or is another, the page is empty before the server answers", async () => {
  for (const next of ["", identity("mehmet")]) {
    answers = [customer("one"), anonymous("two")];
    const room = opened();
    await room.enter(identity("ayse"));
    room.write("Ayşe'nin sırrı");
    const asked = room.identify(next);
    expect(room.talk.pending).toEqual([]);
    await asked;
    expect([room.talk.pending, JSON.stringify({ ...localStorage, ...sessionStorage }).includes("sırrı")]).toEqual([
      [],
      false,
    ]);
  }
  expect(forgotten).toBe(2);
});

test("unsent words of a customer are not the next visitor's", async () => {
  answers = [customer("one"), anonymous("two")];
  const first = opened();
  await first.enter(identity("ayse"));
  first.write("Ayşe'nin sırrı");
  const second = opened();
  expect(second.talk.pending).toEqual([]);
  await second.enter("");
  expect(second.talk.pending).toEqual([]);
});

test("a fresh token of the same customer changes nothing that is seen", async () => {
  answers = [customer("one"), customer("one", true)];
  const room = opened();
  await room.enter(identity("ayse"));
  room.write("Merhaba");
  await room.identify(identity("ayse", "fresh"));
  expect([room.talk.pending.length, forgotten]).toEqual([1, 0]);
});

test("logging out ends the session on the server and leaves nothing here", async () => {
  answers = [customer("one"), anonymous("two")];
  const room = opened();
  await room.enter(identity("ayse"));
  room.write("Ayşe'nin sırrı");
  await room.logout();
  expect(said().slice(1)).toEqual(["one", { locale: "tr" }]);
  expect(calls[1]?.path).toBe("/v1/chat/shop/sessions/me");
  expect([room.talk.pending, forgotten]).toEqual([[], 1]);
});

test("an identity that is not believed leaves nobody signed in, and is asked for once", async () => {
  const refusal = new ApiError({ status: 401, title: "Who are you", detail: "the identity is not good" } as never);
  answers = [refusal, anonymous("two"), customer("three", true)];
  const room = opened();
  await room.enter(identity("ayse"));
  await vi.waitFor(() => expect(room.door).toBe("open"));
  await room.identify(identity("ayse"));
  expect([wanted, calls.length]).toEqual([1, 2]);
  await room.identify(identity("ayse", "fresh"));
  expect(said().at(-1)).toEqual({ locale: "tr", previous: "two", identity: identity("ayse", "fresh") });
});
