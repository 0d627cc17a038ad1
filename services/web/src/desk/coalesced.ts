/** Many wishes, few runs: a task that runs soon after the first wish, never twice at once, and again for a wish meanwhile. */
const WAIT_MS = 60;

export class Coalesced {
  readonly #task: () => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #again = false;

  constructor(task: () => Promise<void>) {
    this.#task = task;
  }

  soon(): void {
    if (this.#running) this.#again = true;
    else this.#timer ??= setTimeout(() => void this.#run(), WAIT_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#again = false;
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#running = true;
    try {
      await this.#task();
    } finally {
      this.#running = false;
      if (this.#again) {
        this.#again = false;
        this.soon();
      }
    }
  }
}
