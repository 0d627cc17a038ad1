/** What the API says and takes about a person: evidence, history, suggestions, consent, notes. All raise `ApiError`. */
import type { Client } from "./client.ts";
import type { Assurance, Conversation, Handle, Page, Profile } from "./vocabulary.ts";

/** Evidence that two handles are one person; `a` and `b` are ids of handles. */
export interface Link {
  readonly id: string;
  readonly a: string;
  readonly b: string;
  readonly kind: string;
  readonly assurance: Assurance;
  readonly source: string;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly actor: string | null;
  readonly first_seen_at: string;
  readonly last_seen_at: string;
  readonly expires_at: string | null;
  readonly retracted_at: string | null;
  readonly retracted_by: string | null;
}

/** Names of agents by actor (`agent:<id>`). */
export type Actors = Readonly<Record<string, string>>;

export interface Links {
  readonly items: readonly Link[];
  readonly actors: Actors;
}

export interface Explanation {
  readonly together: boolean;
  readonly path: readonly { readonly from_handle: string; readonly to_handle: string; readonly link: Link }[];
}

/** Two people who may be one. `evidence`: what each field says, in bits; never a value. */
export interface Suggestion {
  readonly id: string;
  readonly one_id: string;
  readonly other_id: string;
  readonly weight: number;
  readonly probability: number;
  readonly evidence: readonly { readonly field: string; readonly level: string; readonly weight: number }[];
}

/** One thing in a history; `data` by kind. */
export interface Entry {
  readonly kind: string;
  readonly at: string;
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface History {
  readonly profile_id: string;
  readonly items: readonly Entry[];
  readonly conversations: readonly Conversation[];
  readonly actors: Actors;
  readonly next: string | null;
}

export interface Statement {
  readonly id: string;
  readonly purpose: string;
  readonly channel: string;
  readonly granted: boolean;
  readonly explicit: boolean;
  readonly source: string;
  readonly stated_at: string;
  readonly expires_at: string | null;
}

export interface Consent {
  readonly purpose: string;
  readonly channel: string;
  readonly granted: boolean | null;
  readonly by: Statement | null;
}

/** Whether we may write first now; a refusal says why and, for the hour, until when. */
export interface Verdict {
  readonly allowed: boolean;
  readonly reason: string;
  readonly not_before: string | null;
}

export interface Found {
  readonly id: string;
  readonly name: string;
  readonly handles: readonly Handle[];
}

export interface Unmerged {
  readonly apart: boolean;
}

const PAIRS_MAX = 12;
const FOUND_MAX = 10;

export class PeopleApi {
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  profile(id: string): Promise<Profile> {
    return this.#client.json(`/v1/profiles/${id}`);
  }

  links(id: string): Promise<Links> {
    return this.#client.json(`/v1/profiles/${id}/links`);
  }

  /** Why two handles are one person, by the handles' ids. */
  explain(a: string, b: string): Promise<Explanation> {
    return this.#client.json("/v1/profiles/explain", { query: { a, b } });
  }

  suggestions(id: string): Promise<Page<Suggestion>> {
    return this.#client.json(`/v1/profiles/${id}/suggestions`);
  }

  /** Deciding the same again changes nothing. */
  decide(suggestionId: string, same: boolean): Promise<unknown> {
    const verb = same ? "confirm" : "reject";
    return this.#client.json(`/v1/suggestions/${suggestionId}/${verb}`, { method: "POST", body: {} });
  }

  unmerge(id: string, link: string, keepApart: boolean, reason: string): Promise<Unmerged> {
    const body = { link, keep_apart: keepApart, reason };
    return this.#client.json(`/v1/profiles/${id}/unmerge`, { method: "POST", body });
  }

  merge(id: string, other: string, reason: string, overrule: boolean): Promise<unknown> {
    return this.#client.json(`/v1/profiles/${id}/merge`, { method: "POST", body: { with: other, reason, overrule } });
  }

  search(text: string): Promise<Page<Found>> {
    return this.#client.json("/v1/profiles/search", { method: "POST", body: { text, limit: FOUND_MAX } });
  }

  history(id: string, limit: number, cursor: string | null, kind?: string): Promise<History> {
    return this.#client.json(`/v1/profiles/${id}/timeline`, { query: { limit, cursor: cursor ?? undefined, kind } });
  }

  write(id: string, text: string): Promise<unknown> {
    return this.#client.json(`/v1/profiles/${id}/notes`, { method: "POST", body: { text } });
  }

  mayContact(id: string, purpose: string, channel: string): Promise<Verdict> {
    return this.#client.json(`/v1/profiles/${id}/may-contact`, { query: { purpose, channel } });
  }

  /** What holds for every purpose and channel that somebody ever said anything about. */
  async consents(id: string, channel: string): Promise<Consent[]> {
    const path = `/v1/profiles/${id}/consents`;
    type Answer = { readonly effective: Consent; readonly items: readonly Statement[] };
    const { items } = await this.#client.json<Answer>(path, { query: { purpose: "service", channel } });
    const pairs = new Map(items.map((one) => [`${one.purpose}/${one.channel}`, one]));
    const asked = [...pairs.values()].slice(0, PAIRS_MAX).map(async (one) => {
      const query = { purpose: one.purpose, channel: one.channel };
      return (await this.#client.json<Answer>(path, { query })).effective;
    });
    return Promise.all(asked);
  }
}
