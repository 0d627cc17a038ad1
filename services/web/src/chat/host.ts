/**
 * The page around the iframe. It tells whether the chat is shown and who the visitor is (a token signed by its server); it
 * hears "ready", "close", "session" and the number of unread messages. Nothing of the conversation crosses.
 */
const ANSWER_MS_MAX = 1500;

export interface HostWord {
  readonly shown: boolean;
  readonly identity: string;
}

export class Host {
  readonly embedded = window.parent !== window;
  #onWord: (word: HostWord) => void = () => {};

  /** The first word of the host; a page without our loader does not answer, and then the chat just starts. */
  async greet(onWord: (word: HostWord) => void): Promise<HostWord> {
    const alone: HostWord = { shown: true, identity: "" };
    if (!this.embedded) return alone;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(alone), ANSWER_MS_MAX);
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
  tell(word: { santral: "ready" | "close" | "session" } | { santral: "unread"; unread: number }): void {
    if (this.embedded) window.parent.postMessage(word, "*");
  }

  #heard(event: MessageEvent): void {
    const data: unknown = event.data;
    if (event.source !== window.parent || typeof data !== "object" || data === null) return;
    const { santral, shown, identity } = data as Record<string, unknown>;
    if (santral !== "host") return;
    this.#onWord({ shown: shown === true, identity: typeof identity === "string" ? identity : "" });
  }
}
