/**
 * The chat behind its page: the session, the socket, the talk. Tells of every change by calling `onChange`.
 *
 * A message is kept until the server has confirmed it, over reconnects and reloads, and sent again with the same id.
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
  #session: Session | null;
  #identity = "";
  #refusals = 0;
  #shown = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RoomOptions) {
    this.#options = options;
    this.#client = options.client ?? new Client();
    this.#session = options.memory.session();
    this.talk = { ...SILENT, pending: options.memory.unsent() };
    this.#stream = new Stream<ServerFrame, ClientFrame>({
      address: () => this.#client.socketAddress(this.#path("socket")),
      hello: () => this.#hello(),
      onFrame: (frame) => this.#frame(frame),
      onState: (state) => this.#linked(state),
    });
  }

  get hadSession(): boolean {
    return this.#session !== null;
  }

  get unread(): number {
    return this.#shown ? 0 : unread(this.talk, this.#options.memory.readSeq());
  }

  /** Takes or makes the session and connects. Repeats by itself while the server does not answer. */
  async enter(identity = ""): Promise<void> {
    clearTimeout(this.#timer);
    this.#identity = identity || this.#identity;
    try {
      await this.#configured();
      // A signed identity may name another person than the session that this browser kept.
      if (!this.#session || identity) await this.#begin();
    } catch (error) {
      this.#refused(error);
      return;
    }
    this.door = "open";
    this.#stream.start();
    this.#options.onChange();
  }

  leaveRoom(): void {
    clearTimeout(this.#timer);
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

  async #begin(): Promise<void> {
    const body = { ...(this.#identity ? { identity: this.#identity } : {}), locale: this.#options.locale };
    this.#session = await this.#client.json<Session>(this.#path("sessions"), { method: "POST", body });
    this.#options.memory.keepSession(this.#session);
  }

  #hello(): Hello {
    const { incarnation, conversationId, seq } = this.talk;
    const token = this.#session?.token ?? "";
    if (!incarnation) return { type: "hello", token };
    return { type: "hello", token, resume: { incarnation, conversation_id: conversationId, seq } };
  }

  #frame(frame: ServerFrame): void {
    this.#become(received(this.talk, frame));
    if (frame.type !== "welcome") return;
    this.#refusals = 0;
    for (const line of unconfirmed(this.talk)) this.#stream.send({ type: "message", id: line.id, text: line.text });
  }

  #linked(state: StreamState): void {
    this.link = state;
    this.#options.onChange();
    if (state !== "refused") return;
    // The session ran out or was revoked: a new one, once; the second refusal in a row waits like any other failure.
    this.#session = null;
    this.#options.memory.keepSession(null);
    this.#refusals += 1;
    if (this.#refusals === 1) void this.enter();
    else this.#later();
  }

  #refused(error: unknown): void {
    const known = error instanceof ApiError;
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
    this.#options.memory.keepUnsent(unconfirmed(talk));
    this.#seen();
    this.#options.onChange();
  }

  #seen(): void {
    if (this.#shown && this.talk.seq > this.#options.memory.readSeq()) this.#options.memory.keepReadSeq(this.talk.seq);
  }

  #path(end: string): string {
    return `/v1/chat/${encodeURIComponent(this.#options.inbox)}/${end}`;
  }
}
