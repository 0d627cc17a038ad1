/**
 * The chat behind its page: the session, the socket, the talk. Tells of every change by calling `onChange`.
 *
 * A message is kept until the server has confirmed it, over reconnects and reloads, and sent again with the same id.
 * Whose chat it is the server says, from the page's identity and the token that this browser had: what is shown and what is unsent stays
 * when the session goes on, and is forgotten (`onForget`) when somebody else is there.
 */
import { Client } from "../api/client.ts";
import { ApiError } from "../api/problem.ts";
import { backoffMs } from "../stream/backoff.ts";
import { Stream, type StreamState } from "../stream/stream.ts";
import { newId } from "../ui/ids.ts";
import type { Memory, Session } from "./memory.ts";
import {
  type ClientFrame,
  received,
  retried,
  type ServerFrame,
  SILENT,
  type Talk,
  unconfirmed,
  unread,
  written,
} from "./talk.ts";

export const TEXT_CHARS_MAX = 8000;
const UNSENT_MAX = 50;

export type Door = "opening" | "open" | "unavailable" | "unknown";

export interface RoomOptions {
  readonly inbox: string;
  readonly locale: string;
  readonly memory: Memory;
  readonly onChange: () => void;
  /** Whoever was here is gone: nothing of theirs stays on the page. */
  readonly onForget?: () => void;
  /** The identity is not believed any more; a fresh one is wanted. */
  readonly onIdentityWanted?: () => void;
  readonly client?: Client;
}

interface Hello {
  readonly type: "hello";
  readonly token: string;
  readonly resume?: { readonly incarnation: string; readonly conversation_id: string | null; readonly seq: number };
}

export class Room {
  talk: Talk;
  door: Door = "opening";
  link: StreamState = "stopped";
  title = "";
  readonly #options: RoomOptions;
  readonly #client: Client;
  readonly #stream: Stream<ServerFrame, ClientFrame>;
  #session: Session | null = null;
  #identity = "";
  #turn = 0;
  #ending = "";
  #disbelieved: string | null = null;
  #refusals = 0;
  #shown = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #putOff: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RoomOptions) {
    this.#options = options;
    this.#client = options.client ?? new Client();
    this.talk = SILENT;
    this.#stream = new Stream<ServerFrame, ClientFrame>({
      address: () => this.#client.socketAddress(this.#path("socket")),
      hello: () => this.#hello(),
      onFrame: (frame) => this.#frame(frame),
      onState: (state) => this.#linked(state),
    });
  }

  get unread(): number {
    return this.#shown ? 0 : unread(this.talk, this.#options.memory.readSeq());
  }

  /** Takes or makes the session and connects. Repeats by itself while the server does not answer. */
  async enter(identity = this.#identity): Promise<void> {
    clearTimeout(this.#timer);
    this.#identity = identity;
    this.#turn += 1;
    const turn = this.#turn;
    try {
      await this.#configured();
      const session = this.#session ?? (await this.#begin());
      if (turn !== this.#turn) return; // somebody else is there by now
      if (session !== this.#session) this.#become(this.#taken(session));
    } catch (error) {
      if (turn === this.#turn) this.#refused(error);
      return;
    }
    this.door = "open";
    this.#stream.start();
    this.#options.onChange();
  }

  /** Who the page says is there now: a fresh word on the same customer changes nothing that is seen. */
  async identify(identity: string): Promise<void> {
    if (identity === this.#identity || identity === this.#disbelieved) return;
    const other = this.#identity !== "" && subjectOf(identity) !== subjectOf(this.#identity);
    if (other) this.#forget();
    this.#stream.stop();
    this.#session = null;
    await this.enter(identity);
  }

  /** The visitor logged out: the session ends on the server, and nothing of it stays here. */
  async logout(): Promise<void> {
    this.#ending = this.#options.memory.token();
    this.#stream.stop();
    this.#session = null;
    this.#forget();
    this.#options.memory.forget();
    await this.enter("");
  }

  leaveRoom(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#putOff);
    this.#putOff = undefined;
    this.#stream.stop();
  }

  /** Whether anybody sees the chat now: what was seen is read. */
  show(shown: boolean): void {
    this.#shown = shown;
    this.#seen();
    this.#options.onChange();
  }

  /** Returns false when the text cannot be taken (empty, too long, too many unsent). */
  write(text: string): boolean {
    const words = text.trim();
    if (!words || words.length > TEXT_CHARS_MAX || unconfirmed(this.talk).length >= UNSENT_MAX) return false;
    const id = newId();
    this.#become(written(this.talk, id, words, new Date().toISOString()));
    this.#stream.send({ type: "message", id, text: words });
    return true;
  }

  retry(id: string): void {
    this.#become(retried(this.talk, id));
    const line = this.talk.pending.find((one) => one.id === id);
    if (line) this.#stream.send({ type: "message", id, text: line.text });
  }

  /** The visitor leaves: the place in line is given up. */
  end(): boolean {
    if (!this.#stream.send({ type: "leave" })) return false;
    this.#become({ ...this.talk, state: "closed", position: null, wait: null, agent: null });
    return true;
  }

  async #configured(): Promise<void> {
    if (this.title) return;
    const config = await this.#client.json<{ title?: string }>(this.#path("config"));
    this.title = config.title ?? "";
  }

  async #begin(): Promise<Session> {
    if (this.#ending) {
      const token = this.#ending;
      await this.#client.json(this.#path("sessions/me"), { method: "DELETE", token }).catch(unlessOver);
      this.#ending = "";
    }
    const previous = this.#options.memory.token();
    const body = {
      locale: this.#options.locale,
      ...(this.#identity ? { identity: this.#identity } : {}),
      ...(previous ? { previous } : {}),
    };
    return this.#client.json<Session>(this.#path("sessions"), { method: "POST", body });
  }

  /** The talk as the session leaves it: with what an earlier page could not send, or without whatever was somebody else's. */
  #taken(session: Session): Talk {
    const memory = this.#options.memory;
    const first = this.talk.incarnation === null;
    if (!session.continues) {
      memory.forget();
      if (!first) this.#forget();
    }
    this.#session = session;
    memory.keepSession(session);
    const known = new Set(this.talk.pending.map((one) => one.id));
    const unsent = memory.unsent().filter((one) => !known.has(one.id));
    return { ...this.talk, pending: [...unsent, ...this.talk.pending] };
  }

  #forget(): void {
    this.talk = SILENT;
    this.#options.onForget?.();
    this.#options.onChange();
  }

  #hello(): Hello {
    const { incarnation, conversationId, seq } = this.talk;
    const token = this.#session?.token ?? "";
    if (!incarnation) return { type: "hello", token };
    return { type: "hello", token, resume: { incarnation, conversation_id: conversationId, seq } };
  }

  #frame(frame: ServerFrame): void {
    this.#become(received(this.talk, frame));
    if (frame.type === "error" && frame.retry_after_s !== undefined) this.#sendLater(frame.retry_after_s);
    if (frame.type !== "welcome") return;
    this.#refusals = 0;
    this.#sendUnconfirmed();
  }

  /** Too much was written in too short a time: what nobody has confirmed goes again, once, however many lines were put off. */
  #sendLater(seconds: number): void {
    if (this.#putOff !== undefined) return;
    this.#putOff = setTimeout(() => {
      this.#putOff = undefined;
      this.#sendUnconfirmed();
    }, seconds * 1000);
  }

  #sendUnconfirmed(): void {
    for (const line of unconfirmed(this.talk)) this.#stream.send({ type: "message", id: line.id, text: line.text });
  }

  #linked(state: StreamState): void {
    this.link = state;
    this.#options.onChange();
    if (state !== "refused") return;
    // The session ran out or was revoked: a new one, once; the second refusal in a row waits like any other failure.
    this.#session = null;
    this.#refusals += 1;
    if (this.#refusals === 1) void this.enter();
    else this.#later();
  }

  #refused(error: unknown): void {
    const known = error instanceof ApiError;
    if (known && error.status === 401 && this.#identity) {
      // It ran out, or was never good: nobody is signed in until the page says so anew.
      console.warn(error.message);
      this.#disbelieved = this.#identity;
      this.#options.onIdentityWanted?.();
      void this.enter("");
      return;
    }
    this.door = known && error.status === 404 ? "unknown" : "unavailable";
    if (!known) console.error(error);
    this.#options.onChange();
    if (this.door === "unavailable") this.#later();
  }

  #later(): void {
    this.#refusals += 1;
    this.#timer = setTimeout(() => void this.enter(), backoffMs(this.#refusals) + 1000);
  }

  #become(talk: Talk): void {
    this.talk = talk;
    // Before the session is known nobody can say whose memory this is.
    if (this.#session) this.#options.memory.keepUnsent(unconfirmed(talk));
    this.#seen();
    this.#options.onChange();
  }

  #seen(): void {
    if (this.#session && this.#shown && this.talk.seq > this.#options.memory.readSeq())
      this.#options.memory.keepReadSeq(this.talk.seq);
  }

  #path(end: string): string {
    return `/v1/chat/${encodeURIComponent(this.#options.inbox)}/${end}`;
  }
}

/** The customer that a token names, read and not believed: only the server does that. */
function subjectOf(token: string): string {
  try {
    const letters = token.split(".")[1]?.replaceAll("-", "+").replaceAll("_", "/") ?? "";
    const claims = JSON.parse(atob(letters)) as { external_id?: unknown; sub?: unknown };
    return String(claims.external_id || claims.sub || "");
  } catch {
    return "";
  }
}

/** A session that is not good any more has ended already. */
function unlessOver(error: unknown): void {
  if (!(error instanceof ApiError) || error.status !== 401) throw error;
}
