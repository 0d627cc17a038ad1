/**
 * What the chat remembers in this browser: the visitor's token and unsent lines, in the iframe's own (partitioned) storage.
 * Where storage is forbidden the memory lives as long as the page.
 */
import type { Pending } from "./talk.ts";

export interface Session {
  readonly token: string;
  readonly visitor_id: string;
  readonly expires_at: string;
}

export class Memory {
  readonly #key: string;
  readonly #kept = new Map<string, string>();

  constructor(inbox: string) {
    this.#key = `santral-chat:${inbox}`;
  }

  /** The session that is still good for a minute at least. */
  session(now: number = Date.now()): Session | null {
    const session = this.#read<Session>("session");
    return session?.token && Date.parse(session.expires_at) > now + 60_000 ? session : null;
  }

  keepSession(session: Session | null): void {
    this.#write("session", session);
  }

  unsent(): Pending[] {
    const found = this.#read<Pending[]>("unsent");
    return Array.isArray(found) ? found : [];
  }

  keepUnsent(lines: readonly Pending[]): void {
    this.#write("unsent", lines.length > 0 ? lines : null);
  }

  readSeq(): number {
    return this.#read<number>("read") ?? 0;
  }

  keepReadSeq(seq: number): void {
    this.#write("read", seq);
  }

  #read<T>(name: string): T | null {
    const key = `${this.#key}:${name}`;
    let text: string | null | undefined = this.#kept.get(key);
    try {
      text ??= localStorage.getItem(key);
      return text ? (JSON.parse(text) as T) : null;
    } catch {
      return null;
    }
  }

  #write(name: string, value: unknown): void {
    const key = `${this.#key}:${name}`;
    const text = value === null ? "" : JSON.stringify(value);
    this.#kept.set(key, text);
    try {
      if (text) localStorage.setItem(key, text);
      else localStorage.removeItem(key);
    } catch {
      return; // forbidden or full: the copy in memory is enough for this page
    }
  }
}
