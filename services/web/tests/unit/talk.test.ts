import { expect, test } from "vitest";
import {
  minutes,
  type PublicMessage,
  received,
  retried,
  SILENT,
  type Talk,
  unconfirmed,
  unread,
  written,
} from "../../src/chat/talk.ts";

const AT = "2026-01-05T09:00:00Z";
const own = (seq: number, text: string, client_id?: string): PublicMessage => ({
  seq,
  direction: "in",
  text,
  at: AT,
  ...(client_id ? { client_id } : {}),
});
const answer = (seq: number, text: string): PublicMessage => ({
  seq,
  direction: "out",
  text,
  at: AT,
  agent_name: "Deniz",
});
const texts = (talk: Talk) => [
  ...talk.messages.map((one) => one.text),
  ...talk.pending.map((one) => `${one.text} (${one.state})`),
];

test("a line is sending, then accepted, then the server's own", () => {
  let talk = written(SILENT, "k1", "Merhaba", AT);
  expect(texts(talk)).toEqual(["Merhaba (sending)"]);
  talk = received(talk, { type: "accepted", id: "k1", message_id: "m1" });
  expect(texts(talk)).toEqual(["Merhaba (accepted)"]);
  expect(unconfirmed(talk)).toEqual([]);
  talk = received(talk, { type: "message", message: own(1, "Merhaba", "k1") });
  expect(texts(talk)).toEqual(["Merhaba"]);
});

test("a message that comes twice, or out of order, is one line in its place", () => {
  let talk = SILENT;
  for (const message of [answer(3, "c"), own(1, "a"), answer(3, "c"), own(2, "b")]) {
    talk = received(talk, { type: "message", message });
  }
  expect(texts(talk)).toEqual(["a", "b", "c"]);
  expect(talk.seq).toBe(3);
});

test("what nobody confirmed is kept over a reconnect; what the welcome brings is not sent again", () => {
  let talk = written(written(SILENT, "k1", "bir", AT), "k2", "iki", AT);
  talk = received(talk, {
    type: "welcome",
    incarnation: "i",
    conversation_id: "c",
    seq: 1,
    messages: [own(1, "bir", "k1")],
    position: 2,
    agent: null,
  });
  expect(unconfirmed(talk).map((one) => one.id)).toEqual(["k2"]);
  expect(talk).toMatchObject({ state: "waiting", position: 2 });
});

test("a resumed welcome adds to what is there; another incarnation or conversation starts anew", () => {
  const welcome = {
    type: "welcome",
    incarnation: "i",
    conversation_id: "c",
    seq: 2,
    messages: [own(1, "a"), answer(2, "b")],
  } as const;
  const talk = received(SILENT, welcome);
  const resumed = received(talk, { ...welcome, seq: 3, messages: [answer(3, "c")] });
  expect(texts(resumed)).toEqual(["a", "b", "c"]);
  expect(texts(received(resumed, { ...welcome, incarnation: "j", messages: [own(1, "x")], seq: 1 }))).toEqual(["x"]);
  expect(texts(received(resumed, { ...welcome, conversation_id: "d", messages: [], seq: 0 }))).toEqual([]);
});

test("the place in line is forgotten once an agent is there", () => {
  let talk = received(SILENT, { type: "position", position: 3 });
  expect(talk).toMatchObject({ state: "waiting", position: 3 });
  talk = received(talk, { type: "state", state: "with_agent", agent: "Deniz" });
  expect(talk).toMatchObject({ state: "with_agent", position: null, agent: "Deniz" });
  talk = received(talk, { type: "state", state: "closed", agent: null });
  expect(talk).toMatchObject({ state: "closed", agent: null });
});

test("a predicted wait is said in whole minutes and goes with the place", () => {
  let talk = received(SILENT, { type: "position", position: 3, wait: { p50_s: 130, p90_s: 290 } });
  expect(talk.wait && minutes(talk.wait)).toEqual([2, 5]);
  expect(minutes({ p50_s: 8, p90_s: 31 })).toEqual([1, 1]);
  talk = received(talk, { type: "position", position: 2 });
  expect(talk).toMatchObject({ position: 2, wait: null });
  talk = received(talk, { type: "state", state: "with_agent", agent: "Deniz" });
  expect(talk.wait).toBeNull();
});

test("a refused line says why and may be sent again; an error about no line changes nothing", () => {
  const talk = written(SILENT, "k1", "x", AT);
  const refused = received(talk, { type: "error", id: "k1", problem: { detail: "too long" } });
  expect(refused.pending[0]).toMatchObject({ state: "failed", reason: "too long" });
  expect(unconfirmed(retried(refused, "k1"))).toHaveLength(1);
  expect(received(talk, { type: "error", problem: { detail: "?" } })).toBe(talk);
});

test("a line that is only put off stays to be sent, and is not shown as refused", () => {
  const talk = written(SILENT, "k1", "x", AT);
  const later = received(talk, {
    type: "error",
    id: "k1",
    retry_after_s: 20,
    problem: { detail: "more than 60 in 60 s" },
  });
  expect(unconfirmed(later).map((one) => one.id)).toEqual(["k1"]);
});

test("only an agent's messages after the last read one are unread", () => {
  const talk = received(SILENT, {
    type: "welcome",
    incarnation: "i",
    conversation_id: "c",
    seq: 4,
    messages: [own(1, "a"), answer(2, "b"), own(3, "c"), answer(4, "d")],
  });
  expect(unread(talk, 0)).toBe(2);
  expect(unread(talk, 2)).toBe(1);
  expect(unread(talk, 4)).toBe(0);
});
