/**
 * A visitor's conversation as the chat shows it: pure functions from one state to the next.
 *
 * Confirmed lines carry the server's `seq` and are ordered by it; what the visitor wrote and the server has not confirmed yet
 * stands after them, in the order of writing. **Identity** of an unconfirmed line is the id this browser gave it; the server
 * answers a resend of the same id with the same message, so sending again is always safe.
 * Units: `at` is ISO 8601 in UTC.
 */
export interface PublicMessage {
  readonly seq: number;
  readonly direction: "in" | "out";
  readonly text: string;
  readonly at: string;
  readonly agent_name?: string | null;
  readonly client_id?: string | null;
}

export interface Pending {
  readonly id: string;
  readonly text: string;
  readonly at: string;
  readonly state: "sending" | "accepted" | "failed";
  readonly reason?: string;
}

export type TalkState = "idle" | "waiting" | "with_agent" | "closed";

export interface Talk {
  readonly incarnation: string | null;
  readonly conversationId: string | null;
  readonly seq: number;
  readonly messages: readonly PublicMessage[];
  readonly pending: readonly Pending[];
  readonly state: TalkState;
  readonly position: number | null;
  readonly wait: Wait | null;
  readonly agent: string | null;
}

/** Half of those who stand there wait at most `p50_s` seconds, nine of ten at most `p90_s`. */
export interface Wait {
  readonly p50_s: number;
  readonly p90_s: number;
}

export type ServerFrame =
  | {
      readonly type: "welcome";
      readonly incarnation: string;
      readonly conversation_id: string | null;
      readonly seq: number;
      readonly messages?: readonly PublicMessage[];
      readonly position?: number | null;
      readonly wait?: Wait | null;
      readonly agent?: string | null;
      readonly state?: TalkState | null;
    }
  | { readonly type: "accepted"; readonly id: string; readonly message_id: string }
  | { readonly type: "message"; readonly message: PublicMessage; readonly conversation_id?: string }
  | { readonly type: "position"; readonly position: number | null; readonly wait?: Wait | null }
  | {
      readonly type: "state";
      readonly state: TalkState;
      readonly agent?: string | null;
      readonly conversation_id?: string;
    }
  | {
      readonly type: "error";
      readonly id?: string;
      /** The line was not taken now: it stays, and is sent again after so many seconds. */
      readonly retry_after_s?: number;
      readonly problem: { readonly detail?: string; readonly title?: string };
    };

export type ClientFrame =
  | { readonly type: "message"; readonly id: string; readonly text: string }
  | { readonly type: "leave" };

export const SILENT: Talk = {
  incarnation: null,
  conversationId: null,
  seq: 0,
  messages: [],
  pending: [],
  state: "idle",
  position: null,
  wait: null,
  agent: null,
};

/** What the visitor wrote, before the server knows of it. */
export function written(talk: Talk, id: string, text: string, at: string): Talk {
  const state = talk.state === "closed" ? "idle" : talk.state;
  return { ...talk, state, pending: [...talk.pending, { id, text, at, state: "sending" }] };
}

/** The visitor asks to send a refused line once more. */
export function retried(talk: Talk, id: string): Talk {
  return { ...talk, pending: talk.pending.map((one) => (one.id === id ? { ...one, state: "sending" as const } : one)) };
}

export function received(talk: Talk, frame: ServerFrame): Talk {
  switch (frame.type) {
    case "welcome":
      return welcomed(talk, frame);
    case "accepted":
      return marked(talk, frame.id, { state: "accepted" });
    case "message":
      return merged({ ...talk, conversationId: frame.conversation_id ?? talk.conversationId }, [frame.message]);
    case "position":
      return {
        ...talk,
        position: frame.position,
        wait: frame.wait ?? null,
        state: talk.state === "idle" ? "waiting" : talk.state,
      };
    case "state":
      return {
        ...talk,
        state: frame.state,
        conversationId: frame.conversation_id ?? talk.conversationId,
        agent: frame.agent ?? (frame.state === "with_agent" ? talk.agent : null),
        position: frame.state === "waiting" ? talk.position : null,
        wait: frame.state === "waiting" ? talk.wait : null,
      };
    case "error":
      return frame.id && frame.retry_after_s === undefined
        ? marked(talk, frame.id, { state: "failed", reason: frame.problem.detail ?? frame.problem.title ?? "" })
        : talk;
    default:
      return talk;
  }
}

/** A wait in whole minutes as people say it: the usual one, and what nine of ten do not exceed. */
export function minutes(wait: Wait): [number, number] {
  const usual = Math.max(1, Math.round(wait.p50_s / 60));
  return [usual, Math.max(usual, Math.ceil(wait.p90_s / 60))];
}

/** Lines that must be sent again on a new connection: nobody has confirmed them. */
export function unconfirmed(talk: Talk): readonly Pending[] {
  return talk.pending.filter((one) => one.state === "sending");
}

/** The agent's messages after the given place. */
export function unread(talk: Talk, readSeq: number): number {
  return talk.messages.filter((one) => one.direction === "out" && one.seq > readSeq).length;
}

function welcomed(talk: Talk, frame: Extract<ServerFrame, { type: "welcome" }>): Talk {
  // Another incarnation counts from anew (a restored database), another conversation has its own numbers.
  const same = talk.incarnation === frame.incarnation && talk.conversationId === frame.conversation_id;
  const base: Talk = { ...talk, ...(same ? {} : { messages: [], seq: 0 }) };
  const agent = frame.agent ?? null;
  const open: TalkState = frame.conversation_id === null ? "idle" : agent ? "with_agent" : "waiting";
  return merged(
    {
      ...base,
      incarnation: frame.incarnation,
      conversationId: frame.conversation_id,
      seq: Math.max(base.seq, frame.messages === undefined ? frame.seq : 0),
      state: frame.state ?? open,
      position: frame.position ?? null,
      wait: frame.wait ?? null,
      agent,
    },
    frame.messages ?? [],
    frame.seq,
  );
}

function merged(talk: Talk, incoming: readonly PublicMessage[], seq = 0): Talk {
  const bySeq = new Map(talk.messages.map((one) => [one.seq, one]));
  let pending = talk.pending;
  for (const message of incoming) {
    bySeq.set(message.seq, message);
    if (message.direction === "in") pending = without(pending, message);
  }
  const messages = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  return { ...talk, messages, pending, seq: Math.max(talk.seq, seq, messages.at(-1)?.seq ?? 0) };
}

/** The confirmed line replaces the one this browser showed: by its id, else the oldest accepted one with these words. */
function without(pending: readonly Pending[], message: PublicMessage): readonly Pending[] {
  const found =
    pending.find((one) => one.id === message.client_id) ??
    (message.client_id ? undefined : pending.find((one) => one.state === "accepted" && one.text === message.text));
  return found ? pending.filter((one) => one !== found) : pending;
}

function marked(talk: Talk, id: string, change: Pick<Pending, "state"> & { reason?: string }): Talk {
  return { ...talk, pending: talk.pending.map((one) => (one.id === id ? { ...one, ...change } : one)) };
}
