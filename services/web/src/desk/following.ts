/** Which conversations the socket shows: those in hand and the open one, asked for once each, given up when nobody wants them. */
const FOLLOWED_MAX = 60;

export type FollowFrame =
  | { readonly type: "follow"; readonly conversation_id: string; readonly seq: number }
  | { readonly type: "unfollow"; readonly conversation_id: string };

export class Following {
  readonly #send: (frame: FollowFrame) => boolean;
  readonly #followed = new Set<string>();

  /** `send` says whether the frame went out; what did not is asked for again the next time. */
  constructor(send: (frame: FollowFrame) => boolean) {
    this.#send = send;
  }

  /** Conversations by id, with the sequence after which they are wanted. */
  want(wanted: ReadonlyMap<string, number>): void {
    for (const id of this.#followed) {
      if (!wanted.has(id) && this.#send({ type: "unfollow", conversation_id: id })) this.#followed.delete(id);
    }
    for (const [id, seq] of wanted) {
      if (this.#followed.has(id) || this.#followed.size >= FOLLOWED_MAX) continue;
      if (this.#send({ type: "follow", conversation_id: id, seq })) this.#followed.add(id);
    }
  }

  /** The resume position: what is followed and how far it was seen. */
  seen(seqOf: (id: string) => number | undefined): Readonly<Record<string, number>> {
    const known = [...this.#followed].map((id) => [id, seqOf(id)] as const);
    return Object.fromEntries(known.filter((one): one is readonly [string, number] => one[1] !== undefined));
  }

  /** One conversation is asked for anew, or, on a new connection, all. */
  forget(id?: string): void {
    if (id === undefined) this.#followed.clear();
    else this.#followed.delete(id);
  }
}
