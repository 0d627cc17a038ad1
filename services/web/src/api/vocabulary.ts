/** What the API says about offers, items, conversations, messages, profiles and decisions. Times are ISO 8601 in UTC. */

export type Presence = "online" | "busy" | "away" | "not_responding" | "offline";
export type ItemState =
  | "queued"
  | "offered"
  | "assigned"
  | "parked"
  | "wrapping"
  | "completed"
  | "abandoned"
  | "canceled";
export type Assurance = "asserted" | "channel_verified" | "authenticated";

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface Handle {
  readonly id?: string;
  readonly kind: string;
  readonly scope?: string;
  readonly value: string;
  readonly assurance?: Assurance;
}

/** Who a conversation or item is with: the handle they wrote from, and the profile it belongs to, null where we do not see them. */
export interface Customer {
  readonly profile_id: string | null;
  readonly name: string;
  readonly kind: string;
  readonly value: string;
  readonly assurance: Assurance;
}

/** A person. An attribute is `{value, source, …}`; `name`, `tier`, `tags` and `language` are attributes like any other. */
export interface Profile {
  readonly id: string;
  readonly version?: number;
  readonly name: string;
  readonly handles: readonly Handle[];
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Who an answer goes to. `asked`: a Reply-To named the address; `differs`: and it is at another domain than the writer's own. */
export interface Recipient {
  readonly kind: string;
  readonly value: string;
  readonly name: string;
  readonly asked: boolean;
  readonly differs: boolean;
}

/** Who takes part in a conversation. An agent's handle is their id. */
export interface Participant {
  readonly role: "customer" | "forwarder" | "sender" | "to" | "cc" | "agent";
  readonly handle: { readonly kind: string; readonly value: string };
  readonly name: string;
  readonly profile_id: string | null;
}

export interface ConversationItem {
  readonly id: string;
  readonly state: ItemState;
  readonly version: number;
  readonly queue: string;
  readonly agent_id: string | null;
  readonly agent_name: string | null;
}

export interface Conversation {
  readonly id: string;
  readonly state: "open" | "closed";
  readonly seq: number;
  readonly channel: string;
  readonly channels: readonly string[];
  readonly visibility: string;
  readonly subject: string;
  readonly language: string;
  readonly customer: Customer;
  readonly preview: string;
  readonly preview_contents?: readonly string[];
  /** The last that came was written in a group, where others read it. */
  readonly group?: { readonly id: string } | null;
  readonly opened_at: string;
  readonly last_in_at: string | null;
  readonly last_out_at: string | null;
  readonly item: ConversationItem | null;
  readonly participants?: readonly Participant[];
  /** Null: nobody whose address is known. */
  readonly reply_to?: Recipient | null;
  readonly merged_into?: string | null;
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
  readonly transfer?: boolean;
  readonly step?: number;
  readonly unmet?: readonly number[];
  readonly key?: { readonly class?: number; readonly due?: number };
  readonly waited_s?: number;
  readonly candidates?: readonly Candidate[];
  readonly excluded?: Readonly<Record<string, number>>;
  readonly tags?: readonly string[];
  readonly bulk?: boolean;
  readonly made_work_by?: string;
  readonly made_work_by_name?: string | null;
}

/** An agent who was looked at. `name` is missing for one who is gone. */
export interface Candidate {
  readonly agent_id: string;
  readonly name?: string | null;
  readonly load: number;
  readonly idle_s: number;
}

/** The target that is due next. Paused while the customer is waited for, and then without times. */
export interface SlaTarget {
  readonly kind: "first_response" | "resolution";
  readonly target_s: number;
  readonly due_at: string | null;
  readonly warn_at: string | null;
  readonly state: "running" | "warned" | "breached" | "paused";
}

/** An item on its way: who gives it, to whom if to one agent, and what they say to them. */
export interface Transfer {
  readonly giver_id: string;
  readonly giver: string | null;
  readonly target_id: string | null;
  readonly note: string | null;
}

/** To whom an item can be handed. */
export interface Targets {
  readonly agents: readonly {
    readonly id: string;
    readonly name: string;
    readonly presence: Presence;
    readonly used: number;
    readonly budget: number;
  }[];
  readonly queues: readonly { readonly name: string; readonly title: string }[];
}

export interface Item {
  readonly id: string;
  readonly conversation_id: string;
  readonly state: ItemState;
  readonly version: number;
  readonly channel: string;
  readonly queue: string;
  readonly queue_title: string;
  readonly due_at: string | null;
  readonly sla?: SlaTarget | null;
  readonly enqueued_at: string;
  readonly subject: string;
  readonly visibility: string;
  readonly seq: number;
  readonly last_in_at: string | null;
  readonly last_out_at: string | null;
  readonly preview: string;
  /** What came beside words or instead, as of a message: `contents`, `gone`, or `empty`. */
  readonly preview_contents?: readonly string[];
  readonly customer: Customer;
  readonly offer: { readonly id: string; readonly made_at: string; readonly until: string } | null;
  readonly transfer?: Transfer | null;
  readonly failed?: { readonly message_id: string; readonly reason: string } | null;
  readonly decision_id: string | null;
  readonly why: Why | null;
}

/** An item that is offered: the offer is there. */
export type Offer = Item & { readonly offer: NonNullable<Item["offer"]> };

/** A queue that the agent works in, and how many wait in it. */
export interface DeskQueue {
  readonly name: string;
  readonly title: string;
  readonly mode: "push" | "pull" | "both";
  readonly waiting: number;
}

export interface DeskAgent {
  readonly id: string;
  readonly name: string;
  readonly presence: Presence;
  readonly used: number;
  readonly budget: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly channels?: Readonly<
    Record<string, { readonly cost?: number; readonly cap?: number; readonly enabled?: boolean }>
  >;
  readonly presences?: Readonly<Record<string, Presence>>;
  readonly off_shift?: boolean;
  readonly agent_seq: number;
}

export interface DeskSnapshot {
  readonly incarnation: string;
  readonly agent: DeskAgent;
  readonly offers: readonly Offer[];
  readonly items: readonly Item[];
  readonly queues?: readonly DeskQueue[];
}

export interface MessageFile {
  readonly n: number;
  readonly name: string;
  readonly content_type?: string | null;
  readonly size_bytes: number;
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

export type DeliveryState = "queued" | "sent" | "delivered" | "read" | "failed";

export interface Message {
  readonly id: string;
  readonly conversation_id: string;
  readonly seq: number;
  readonly direction: "in" | "out" | "note";
  readonly kind: string;
  readonly channel: string;
  readonly visibility: string;
  readonly subject: string;
  readonly text: string;
  readonly text_stripped: string | null;
  readonly html: boolean;
  readonly files: readonly MessageFile[];
  readonly call: CallRecord | null;
  readonly automatic: string | null;
  readonly marks?: readonly string[];
  /** What came beside words: photo, voice, order …; whether or not files were fetched. */
  readonly contents?: readonly string[];
  /** An ad's headline, a story's address. */
  readonly about?: string | null;
  readonly group?: { readonly id: string } | null;
  readonly edited_at?: string | null;
  /** Its words before, oldest first. */
  readonly earlier?: readonly { readonly text: string; readonly at: string }[];
  /** Why nothing of it is shown: deleted by its writer; redacted, erased or expired here. */
  readonly gone?: string | null;
  readonly reactions?: readonly { readonly text: string; readonly direction: string; readonly at: string }[];
  /** An edit, a deletion or a reaction: the message that it is about, which shows it. */
  readonly amends?: { readonly id: string; readonly seq: number } | null;
  readonly filtered?: { readonly verdict: string; readonly by: string; readonly score: number | null } | null;
  readonly authenticated: boolean;
  /** Where a mail asks to be answered, when that is not its sender's own address. */
  readonly reply_to?: string | null;
  /** Nobody vouches for it, and the answer goes to somebody else or elsewhere. */
  readonly aside?: boolean;
  readonly sender: { readonly name: string | null; readonly kind: string | null; readonly value: string | null } | null;
  readonly agent_id: string | null;
  readonly agent_name: string | null;
  readonly at: string;
  readonly delivery?: { readonly state: string; readonly reason: string } | null;
}

export interface DomainEvent {
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly conversation_id?: string | null;
  readonly seq?: number | null;
  readonly agent_id?: string | null;
  readonly agent_seq?: number | null;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface Written {
  readonly id: string;
  readonly seq: number;
  readonly state: string;
}
