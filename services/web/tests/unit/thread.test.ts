import { expect, test } from "vitest";
import type { Conversation, DomainEvent, Message } from "../../src/api/vocabulary.ts";
import {
  deliveries,
  lastSaid,
  lines,
  threadOf,
  withEvent,
  withMessage,
  withOutgoing,
  withSent,
} from "../../src/desk/thread.ts";

const AT = "2026-01-05T09:00:00Z";
const conversation = { id: "c" } as Conversation;
const message = (seq: number, more: Partial<Message> = {}) =>
  ({ id: `m${seq}`, conversation_id: "c", seq, direction: "in", text: `t${seq}`, at: AT, ...more }) as Message;
const event = (seq: number, type: string, data: Record<string, string> = {}): DomainEvent => ({
  id: `e${seq}`,
  type,
  seq,
  at: AT,
  data,
});

test("messages and events stand in one order, and a message hides its own event", () => {
  const thread = threadOf(
    conversation,
    [message(4), message(1)],
    [event(1, "message.received"), event(2, "item.assigned"), event(3, "item.offered"), event(4, "message.received")],
  );
  expect(lines(thread).map((line) => `${line.kind} ${line.seq}`)).toEqual(["message 1", "event 2", "message 4"]);
  expect(thread.seq).toBe(4);
});

test("what one agent took from another is told once", () => {
  const taken = { ...event(2, "offer.accepted", { holder_id: "ece" }), agent_id: "ece" };
  const lost = { ...event(3, "offer.accepted", { holder_id: "ece" }), agent_id: "deniz" };
  expect(
    lines(threadOf(conversation, [], [taken, lost])).map((line) => (line.kind === "event" ? line.seq : 0)),
  ).toEqual([2]);
});

test("the same message or event twice changes nothing", () => {
  const once = threadOf(conversation, [message(1)], [event(2, "item.assigned")]);
  const twice = withEvent(withMessage(once, message(1)), event(2, "item.assigned"));
  expect(lines(twice)).toEqual(lines(once));
});

test("the last word about a reply's delivery counts", () => {
  const reply = message(2, { direction: "out", delivery: { state: "sent", reason: "" } });
  const sent = threadOf(conversation, [reply], []);
  expect(lines(sent)[0]).toMatchObject({ delivery: { state: "sent" } });
  const failed = withEvent(
    withEvent(sent, event(5, "reply.failed", { message_id: "m2", reason: "mailbox full" })),
    event(4, "reply.sent", { message_id: "m2" }),
  );
  expect(deliveries(failed).get("m2")).toEqual({ state: "failed", reason: "mailbox full" });
});

test("a reply under way stands last and goes when its message is there, whichever comes first", () => {
  const outgoing = { key: "k", text: "yanıt", at: AT, messageId: null };
  const waiting = withOutgoing(threadOf(conversation, [message(1)], []), outgoing);
  expect(lines(waiting).at(-1)).toMatchObject({ kind: "outgoing" });
  const reply = message(2, { id: "r", direction: "out" });
  expect(withMessage(withSent(waiting, "k", "r"), reply).outgoing).toEqual([]);
  expect(withSent(withMessage(waiting, reply), "k", "r").outgoing).toEqual([]);
});

test("the conversation is closed when its work is, and open again with new work", () => {
  const done = withEvent(threadOf(conversation, [message(1)], []), event(2, "item.completed"));
  expect(done.conversation.state).toBe("closed");
  const again = withEvent(done, event(4, "item.queued"));
  expect(again.conversation.state).toBe("open");
  expect(withEvent(again, event(3, "conversation.closed")).conversation.state).toBe("open");
});

test("a stopped automatic answer is a line of its own and no delivery", () => {
  const thread = threadOf(conversation, [message(1)], [event(2, "reply.stopped", { reason: "too_many" })]);
  expect(lines(thread).map((line) => line.kind)).toEqual(["message", "event"]);
  expect(deliveries(thread).size).toBe(0);
});

test("what amends another message is no line of its own, and the last said is the last line", () => {
  const edited = message(1, { text: "cuma", edited_at: AT });
  const thread = threadOf(
    conversation,
    [
      edited,
      message(2, { kind: "edit", text: "cuma", amends: { id: "m1", seq: 1 } }),
      message(3, { kind: "delete", text: "" }),
      message(4, { kind: "edit", text: "kimin olduğu bilinmeyen söz" }),
      message(5, { kind: "reaction", text: "❤", amends: { id: "m1", seq: 1 } }),
    ],
    [event(2, "message.amended")],
  );
  expect(lines(thread).map((line) => line.seq)).toEqual([1, 4]);
  expect(lastSaid(thread)?.seq).toBe(4);
  const anew = withMessage(thread, message(1, { text: "", gone: "deleted" }));
  expect(lines(anew)[0]).toMatchObject({ message: { gone: "deleted" } });
  expect(anew.seq).toBe(5);
});
