/**
 * One conversation as the desk shows it: messages and what happened between them, in one order.
 *
 * Messages and events share a conversation's sequence: the event of a message carries the message's own number, so a number is
 * one line. Pure: functions from one thread to the next.
 */
import type { Conversation, DeliveryState, DomainEvent, Message } from "../api/vocabulary.ts";

export interface Delivery {
  readonly state: DeliveryState;
  readonly reason: string;
}

export interface Outgoing {
  readonly key: string;
  readonly text: string;
  readonly at: string;
  readonly messageId: string | null;
}

export interface Thread {
  readonly conversation: Conversation;
  readonly messages: ReadonlyMap<number, Message>;
  readonly events: ReadonlyMap<number, DomainEvent>;
  readonly outgoing: readonly Outgoing[];
  readonly seq: number;
}

export type ThreadLine =
  | {
      readonly kind: "message";
      readonly seq: number;
      readonly at: string;
      readonly message: Message;
      readonly delivery: Delivery | null;
    }
  | { readonly kind: "event"; readonly seq: number; readonly at: string; readonly event: DomainEvent }
  | { readonly kind: "outgoing"; readonly seq: number; readonly at: string; readonly outgoing: Outgoing };

/** Events that an agent wants to see between messages; the rest are steps of the machine. */
const TOLD: ReadonlySet<string> = new Set([
  "conversation.opened",
  "conversation.closed",
  "conversation.left",
  "item.assigned",
  "offer.accepted",
  "item.parked",
  "item.woken",
  "item.requeued",
  "item.completed",
  "item.abandoned",
  "item.canceled",
  "offer.declined",
  "offer.expired",
  "offer.revoked",
  "profile.merged",
  "conversation.merged",
  "conversation.split",
  "message.moved",
  "message.made_work",
  "reply.stopped",
]);

/** What an event makes of the conversation: it is open while it has open work. */
const STATES: Readonly<Record<string, Conversation["state"]>> = {
  "conversation.opened": "open",
  "item.queued": "open",
  "conversation.closed": "closed",
  "item.completed": "closed",
  "item.abandoned": "closed",
  "item.canceled": "closed",
};

export function threadOf(
  conversation: Conversation,
  messages: readonly Message[],
  events: readonly DomainEvent[],
): Thread {
  const empty: Thread = { conversation, messages: new Map(), events: new Map(), outgoing: [], seq: 0 };
  let thread = empty;
  for (const message of messages) thread = withMessage(thread, message);
  for (const event of events) thread = withEvent(thread, event);
  return thread;
}

export function withMessage(thread: Thread, message: Message): Thread {
  const messages = new Map(thread.messages).set(message.seq, message);
  const outgoing = thread.outgoing.filter((one) => one.messageId !== message.id);
  return { ...thread, messages, outgoing, seq: Math.max(thread.seq, message.seq) };
}

export function withEvent(thread: Thread, event: DomainEvent): Thread {
  if (typeof event.seq !== "number") return thread;
  const newest = Math.max(thread.seq, event.seq);
  const state = event.seq === newest ? STATES[event.type] : undefined;
  const conversation = state ? { ...thread.conversation, state } : thread.conversation;
  return { ...thread, conversation, events: new Map(thread.events).set(event.seq, event), seq: newest };
}

export function withOutgoing(thread: Thread, outgoing: Outgoing): Thread {
  return { ...thread, outgoing: [...thread.outgoing.filter((one) => one.key !== outgoing.key), outgoing] };
}

/** The reply has its id. When its message was streamed before the answer came, nothing is left to wait for. */
export function withSent(thread: Thread, key: string, messageId: string): Thread {
  const known = [...thread.messages.values()].some((one) => one.id === messageId);
  const outgoing = known
    ? thread.outgoing.filter((one) => one.key !== key)
    : thread.outgoing.map((one) => (one.key === key ? { ...one, messageId } : one));
  return { ...thread, outgoing };
}

export function withoutOutgoing(thread: Thread, key: string): Thread {
  return { ...thread, outgoing: thread.outgoing.filter((one) => one.key !== key) };
}

/** A word that an event carries; empty when it does not. */
export function fact(event: DomainEvent, name: string): string {
  const value = event.data?.[name];
  return typeof value === "string" ? value : "";
}

const AMENDMENTS: ReadonlySet<string> = new Set(["edit", "delete", "reaction"]);

/** Whether a message is a bubble: what amends another one is shown there, and by itself only where it has words and that one is unknown. */
export function isBubble(message: Message): boolean {
  return !message.amends && !(AMENDMENTS.has(message.kind) && !message.text);
}

/** The last bubble. */
export function lastSaid(thread: Thread | undefined): Message | undefined {
  return thread ? [...thread.messages.values()].filter(isBubble).at(-1) : undefined;
}

/** Whether the last that came was written where others read it. */
export function isOfGroup(thread: Thread): boolean {
  const came = [...thread.messages.values()].filter((one) => one.direction === "in" && isBubble(one));
  return Boolean(came.at(-1)?.group);
}

/** The latest word about each reply's delivery, by message id. */
export function deliveries(thread: Thread): ReadonlyMap<string, Delivery> {
  const found = new Map<string, Delivery>();
  for (const seq of [...thread.events.keys()].sort((a, b) => a - b)) {
    const event = thread.events.get(seq);
    // What was stopped never became a message.
    if (!event?.type.startsWith("reply.") || event.type === "reply.stopped") continue;
    const state = event.type.slice("reply.".length) as Delivery["state"];
    found.set(fact(event, "message_id"), { state, reason: fact(event, "reason") });
  }
  return found;
}

/** Everything to show, oldest first; what is being sent stands at the end. */
export function lines(thread: Thread): ThreadLine[] {
  const delivery = deliveries(thread);
  const found: ThreadLine[] = [];
  for (const message of thread.messages.values()) {
    if (!isBubble(message)) continue;
    const state = message.direction === "out" ? (delivery.get(message.id) ?? known(message)) : null;
    found.push({ kind: "message", seq: message.seq, at: message.at, message, delivery: state });
  }
  for (const [seq, event] of thread.events) {
    if (TOLD.has(event.type) && !thread.messages.has(seq) && !repeated(event))
      found.push({ kind: "event", seq, at: event.at, event });
  }
  found.sort((a, b) => a.seq - b.seq);
  for (const outgoing of thread.outgoing) {
    found.push({ kind: "outgoing", seq: Number.MAX_SAFE_INTEGER, at: outgoing.at, outgoing });
  }
  return found;
}

/** One that tells the agent who lost the item what the line before told of the one who has it. */
function repeated(event: DomainEvent): boolean {
  const holder = fact(event, "holder_id");
  return holder !== "" && Boolean(event.agent_id) && event.agent_id !== holder;
}

function known(message: Message): Delivery {
  const states = ["sent", "delivered", "read", "failed"] as const;
  const { state, reason = "" } = message.delivery ?? {};
  return { state: states.find((one) => one === state) ?? "queued", reason };
}
