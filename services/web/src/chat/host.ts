/**
 * The page around the iframe. It tells whether the chat is shown, who the visitor is (a token signed by its server) and that they
 * logged out; it hears "ready", "close", "session", "identity" (a fresh token is wanted) and the number of unread messages. Nothing of
 * the conversation crosses.
 */
const ANSWER_MS_MAX = 1500;

export interface HostWord {
  readonly shown: boolean;
  readonly identity: string;
  readonly logout: boolean;
}

export class Host {
  readonly embedded = window.parent !== window;
  #onWord: (word: HostWord) => void = () => {};

  /** The first word of the host; a page without our loader does not answer, and then the chat just starts. */
  async greet(onWord: (word: HostWord) => void): Promise<HostWord> {
    const alone: HostWord = { shown: true, identity: "", logout: false };
    if (!this.embedded) return alone;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#onWord = onWord;
        resolve(alone);
      }, ANSWER_MS_MAX);
      this.#onWord = (word) => {
        clearTimeout(timer);
        this.#onWord = onWord;
        resolve(word);
      };
      window.addEventListener("message", (event) => this.#heard(event));
      this.tell({ santral: "ready" });
    });
  }

  /** Says it to whoever embeds us: only counts and commands, which any embedder may know. */
  tell(word: { santral: "ready" | "close" | "session" | "identity" } | { santral: "unread"; unread: number }): void {
    if (this.embedded) window.parent.postMessage(word, "*");
  }

  #heard(event: MessageEvent): void {
    const data: unknown = event.data;
    if (event.source !== window.parent || typeof data !== "object" || data === null) return;
    const { santral, shown, identity, logout } = data as Record<string, unknown>;
    if (santral !== "host") return;
    this.#onWord({
      shown: shown === true,
      identity: typeof identity === "string" ? identity : "",
      logout: logout === true,
    });
  }
}
