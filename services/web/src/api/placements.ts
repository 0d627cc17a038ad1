/** Messages between conversations: merge, split, move, and the undo of each. All raise `ApiError`. */
import type { Client } from "./client.ts";

/** `from` and `to`: null for a conversation that the reader does not see. */
export interface Operation {
  readonly id: string;
  readonly kind: "merge" | "split" | "move";
  readonly from: string | null;
  readonly to: string | null;
  readonly messages: readonly string[];
  readonly reason: string | null;
  readonly actor: { readonly kind: string; readonly id: string; readonly name: string | null };
  readonly at: string;
  readonly undone_at: string | null;
  readonly undoable: boolean;
  readonly why_not: string | null;
}

export class PlacementsApi {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async list(conversationId: string): Promise<readonly Operation[]> {
    type Answer = { readonly data: readonly Operation[] };
    return (await this.#client.json<Answer>(`/v1/conversations/${conversationId}/placements`)).data;
  }

  merge(conversationId: string, into: string, reason: string): Promise<Operation> {
    return this.#post(`/v1/conversations/${conversationId}/merge`, { into, reason: reason || null });
  }

  /** `to` of the answer is the new conversation. */
  split(conversationId: string, messages: readonly string[], reason: string): Promise<Operation> {
    return this.#post(`/v1/conversations/${conversationId}/split`, { messages, reason: reason || null });
  }

  move(messageId: string, conversation: string, reason: string): Promise<Operation> {
    return this.#post(`/v1/messages/${messageId}/move`, { conversation, reason: reason || null });
  }

  undo(operationId: string): Promise<Operation> {
    return this.#post(`/v1/placements/${operationId}/undo`, {});
  }

  #post(path: string, body: unknown): Promise<Operation> {
    return this.#client.json(path, { method: "POST", body });
  }
}
