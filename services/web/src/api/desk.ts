/** The calls of an agent's page, one function each. All raise `ApiError`; reads and presence are safe to repeat. */
import type { Client } from "./client.ts";
import type {
  Conversation,
  DeskSnapshot,
  DomainEvent,
  Item,
  Message,
  Page,
  Presence,
  Targets,
  Why,
  Written,
} from "./vocabulary.ts";

const PAGE = 200;
const PAGES_MAX = 10;

export interface AgentSession {
  readonly token: string;
  readonly agent_id: string;
  readonly expires_at: string;
}

/** What came of an item. */
export interface Outcome {
  readonly reason: string;
  readonly resolved: boolean;
  readonly note?: string;
}

/** To whom an item goes, and a note that only agents see. */
export interface Handing {
  readonly to_agent?: string;
  readonly to_queue?: string;
  readonly note: string;
}

export class DeskApi {
  readonly client: Client;

  constructor(client: Client) {
    this.client = client;
  }

  /** A page's one-time code for a token. The second exchange of a code is refused. */
  exchange(code: string): Promise<AgentSession> {
    return this.client.json("/v1/sessions/exchange", { method: "POST", body: { code } });
  }

  desk(): Promise<DeskSnapshot> {
    return this.client.json("/v1/agents/me/desk");
  }

  /** `channels` closes single ones; left out, what was closed stays closed. */
  setPresence(presence: Presence, reason: string, channels?: Readonly<Record<string, Presence>>): Promise<unknown> {
    return this.client.json("/v1/agents/me/presence", {
      method: "PUT",
      body: { presence, reason, ...(channels && { channels }) },
    });
  }

  accept(offerId: string): Promise<unknown> {
    return this.client.json(`/v1/offers/${offerId}/accept`, { method: "POST", body: {} });
  }

  decline(offerId: string, reason: string): Promise<unknown> {
    return this.client.json(`/v1/offers/${offerId}/decline`, { method: "POST", body: { reason } });
  }

  done(itemId: string, outcome: Outcome): Promise<unknown> {
    return this.client.json(`/v1/items/${itemId}/done`, { method: "POST", body: outcome });
  }

  park(itemId: string, wakeAt: string | null): Promise<unknown> {
    return this.client.json(`/v1/items/${itemId}/park`, { method: "POST", body: { wake_at: wakeAt } });
  }

  targets(): Promise<Targets> {
    return this.client.json("/v1/targets");
  }

  transfer(itemId: string, handing: Handing): Promise<unknown> {
    return this.client.json(`/v1/items/${itemId}/transfer`, { method: "POST", body: handing });
  }

  /** Who waits in a queue, in the order they are served. */
  waiting(queue: string, limit: number): Promise<Page<Item>> {
    return this.client.json("/v1/items", { query: { queue, state: "queued", limit } });
  }

  claim(itemId: string): Promise<unknown> {
    return this.client.json(`/v1/items/${itemId}/claim`, { method: "POST", body: {} });
  }

  conversation(id: string): Promise<Conversation> {
    return this.client.json(`/v1/conversations/${id}`);
  }

  messages(id: string): Promise<Message[]> {
    return this.#after(`/v1/conversations/${id}/messages`);
  }

  events(id: string): Promise<DomainEvent[]> {
    return this.#after(`/v1/conversations/${id}/events`);
  }

  /** `replyTo` is who the agent saw it go to: refused when it would go to somebody else by now. */
  reply(conversationId: string, key: string, text: string, replyTo?: string): Promise<Written> {
    const body = { content: { kind: "text", text }, ...(replyTo && { reply_to: replyTo }) };
    return this.client.json(`/v1/conversations/${conversationId}/replies`, {
      method: "POST",
      body,
      idempotencyKey: key,
    });
  }

  mailHtml(conversationId: string, seq: number): Promise<string> {
    return this.client.text(`/v1/conversations/${conversationId}/messages/${seq}/html`);
  }

  file(conversationId: string, seq: number, n: number): Promise<Blob> {
    return this.client.blob(`/v1/conversations/${conversationId}/messages/${seq}/parts/${n}`);
  }

  /** A small picture of a file, at most `edge` pixels long; an `ApiError` where there is none. */
  thumbnail(conversationId: string, seq: number, n: number, edge: number): Promise<Blob> {
    return this.client.blob(`/v1/conversations/${conversationId}/messages/${seq}/parts/${n}/thumbnail?edge=${edge}`);
  }

  /** The record of a decision: why a queue, or why an agent. */
  decision(id: string): Promise<{ readonly record: Why }> {
    return this.client.json(`/v1/decisions/${id}`);
  }

  /** Everything with a place in the conversation's order, page by page, oldest first. */
  async #after<T>(path: string): Promise<T[]> {
    const found: T[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const { items, next } = await this.client.json<Page<T>>(path, {
        query: { limit: PAGE, ...(cursor && { cursor }) },
      });
      found.push(...items);
      if (next === null) break;
      cursor = next;
    }
    return found;
  }
}
