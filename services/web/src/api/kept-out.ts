/** What is kept out of work: listed with its reason, made work; days of bulk mail. All raise `ApiError`. */
import type { Client } from "./client.ts";
import type { Page } from "./vocabulary.ts";

export interface KeptOut {
  readonly id: string;
  readonly conversation_id: string;
  readonly at: string;
  readonly kind: string;
  readonly marked_only: boolean;
  readonly evidence: readonly string[];
  readonly reason: string;
  readonly inbox: string;
  readonly sender: { readonly value: string | null; readonly name: string | null };
  readonly subject: string;
  readonly preview: string;
  readonly preview_contents?: readonly string[];
}

export interface MadeWork {
  readonly conversation_id: string;
  readonly item_id: string;
  readonly queue: string | null;
}

export interface BulkDigest {
  readonly day: string;
  readonly mails: number;
  readonly senders: number;
  readonly messages: ReadonlyArray<{
    readonly id: string;
    readonly conversation_id: string;
    readonly subject: string;
    readonly sender: string | null;
  }>;
}

/** What to look for; an empty text asks for everything. */
export interface Wanted {
  readonly q: string;
  readonly kind: string;
  readonly markedOnly: boolean;
}

export class KeptOutApi {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  list(wanted: Wanted, cursor: string | null, limit: number): Promise<Page<KeptOut>> {
    const query = {
      q: wanted.q,
      kind: wanted.kind,
      marked_only: wanted.markedOnly ? "true" : undefined,
      cursor: cursor ?? undefined,
      limit,
    };
    return this.#client.json("/v1/kept-out", { query });
  }

  /** `person`: a person wrote it and is to be answered; left out, as its kind says. Again gives the same answer. */
  makeWork(messageId: string, person?: boolean): Promise<MadeWork> {
    return this.#client.json(`/v1/kept-out/${messageId}/work`, {
      method: "POST",
      body: person === undefined ? {} : { person },
    });
  }

  digests(): Promise<Page<BulkDigest>> {
    return this.#client.json("/v1/kept-out/digests");
  }
}
