/**
 * What the chat remembers in this browser, in the iframe's own (partitioned) storage, by inbox: the visitor's token, unsent lines, how far
 * was read. An anonymous visitor is remembered across visits (localStorage); a customer only while this window lives (sessionStorage),
 * because the next page may be somebody else's. Where storage is forbidden the memory lives as long as the page.
 */
import type { Pending } from "./talk.ts";

export interface Session {
  readonly token: string;
  readonly visitor_id: string;
  readonly expires_at: string;
  readonly signed: boolean;
  /** Whether what was shown, and what was not sent yet, is still this visitor's. */
  readonly continues: boolean;
}

const NAMES = ["session", "unsent", "read"] as const;

export class Memory {
  readonly #key: string;
  readonly #kept = new Map<string, string>();
  #signed = false;

  constructor(inbox: string) {
    this.#key = `santral-chat:${inbox}`;
  }

  /** The token this browser had, whatever it is worth by now: the server says. */
  token(): string {
    return this.#read<Session>("session")?.token ?? "";
  }

  /** From now on what is kept is this session's. */
  keepSession(session: Session): void {
    this.#signed = session.signed;
    this.#write("session", { token: session.token });
    for (const name of ["unsent", "read"] as const) this.#write(name, this.#read(name));
  }

  /** Nothing of whoever was here stays. */
  forget(): void {
    for (const name of NAMES) this.#write(name, null);
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
      text ??= sessionStorage.getItem(key) ?? localStorage.getItem(key);
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
      sessionStorage.removeItem(key);
      localStorage.removeItem(key);
      if (text) (this.#signed ? sessionStorage : localStorage).setItem(key, text);
    } catch {
      return; // forbidden or full: the copy in memory is enough for this page
    }
  }
}
