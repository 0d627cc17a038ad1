/** What the API says about offers, items, conversations, messages, profiles and decisions. Times are ISO 8601 in UTC. */

export type Presence = "online" | "busy" | "away" | "not_responding" | "offline";
export type ItemState = "queued" | "offered" | "assigned" | "parked" | "wrapping" | "completed" | "abandoned" | "canceled";
export type Assurance = "asserted" | "channel_verified" | "authenticated";

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface Handle {
  readonly kind: string;
  readonly scope?: string;
  readonly value: string;
  readonly assurance?: Assurance;
}

export interface Profile {
  readonly id: string;
  readonly name?: string | null;
  readonly handles?: readonly Handle[];
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly tier?: string | null;
  readonly tags?: readonly string[];
  readonly language?: string | null;
}

export interface Conversation {
  readonly id: string;
  readonly subject?: string;
  readonly state?: "open" | "closed";
  readonly channel: string;
  readonly channels?: readonly string[];
  readonly visibility?: string;
  readonly language?: string;
  readonly seq?: number;
  readonly opened_at?: string;
  readonly last_in_at?: string | null;
  readonly last_out_at?: string | null;
  readonly closed_at?: string | null;
  readonly window_expires_at?: string | null;
  readonly profile_id?: string | null;
  readonly customer?: Profile | null;
  readonly preview?: string;
}

/** Why an item is where it is: the routing record (rule, queue) and the dispatch record (candidates), as far as known. */
export interface Why {
  readonly summary?: string;
  readonly queue?: string;
  readonly rule?: string | null;
  readonly matched?: readonly string[];
  readonly goal_s?: number;
  readonly boost_s?: number;
  readonly policy_version?: number;
  readonly comparator?: string;
  readonly personal?: boolean;
  readonly step?: number;
  readonly key?: { readonly class?: number; readonly due?: number };
  readonly waited_s?: number;
  readonly candidates?: readonly Candidate[];
  readonly excluded?: Readonly<Record<string, number>>;
  readonly tags?: readonly string[];
  readonly routing?: Why | null;
}

export interface Candidate {
  readonly agent_id: string;
  readonly name?: string;
  readonly load: number;
  readonly idle_s: number;
}

export interface Offer {
  readonly id: string;
  readonly item_id: string;
  readonly conversation_id: string;
  readonly made_at: string;
  readonly until: string;
  readonly queue: string;
  readonly channel: string;
  readonly why?: Why | null;
  readonly customer?: Profile | null;
  readonly preview?: string;
}

export interface Item {
  readonly id: string;
  readonly state: ItemState;
  readonly version: number;
  readonly conversation: Conversation;
  readonly queue: string;
  readonly channel: string;
  readonly due_at?: string | null;
  readonly customer?: Profile | null;
  readonly preview?: string;
  readonly why?: Why | null;
}

export interface DeskAgent {
  readonly id: string;
  readonly name: string;
  readonly presence: Presence;
  readonly used: number;
  readonly budget: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly channels?: Readonly<Record<string, { readonly cost?: number; readonly cap?: number }>>;
  readonly agent_seq: number;
}

export interface DeskSnapshot {
  readonly incarnation: string;
  readonly agent: DeskAgent;
  readonly offers: readonly Offer[];
  readonly items: readonly Item[];
}

export interface MessagePart {
  readonly name?: string;
  readonly content_type?: string;
  readonly size_bytes?: number;
  readonly role?: string;
  readonly inline?: boolean;
}

export interface CallRecord {
  readonly direction?: "in" | "out" | "internal";
  readonly answered?: boolean;
  readonly started_at?: string;
  readonly talk_s?: number;
  readonly wait_s?: number;
  readonly caller?: string;
  readonly callee?: string;
}

export interface Message {
  readonly id: string;
  readonly conversation_id?: string;
  readonly seq: number;
  readonly direction: "in" | "out";
  readonly kind: string;
  readonly channel: string;
  readonly visibility?: string;
  readonly subject?: string;
  readonly text?: string;
  readonly text_stripped?: string | null;
  readonly at: string;
  readonly agent_id?: string | null;
  readonly agent_name?: string | null;
  readonly sender_name?: string | null;
  readonly parts?: readonly MessagePart[];
  readonly call?: CallRecord | null;
  readonly has_html?: boolean;
  readonly state?: string | null;
}

export interface DomainEvent {
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly conversation_id?: string | null;
  readonly seq?: number | null;
  readonly agent_id?: string | null;
  readonly agent_seq?: number | null;
  readonly message_id?: string;
  readonly reason?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface Written {
  readonly id: string;
  readonly seq: number;
  readonly state: string;
}
