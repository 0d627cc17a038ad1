/**
 * The desk's state and everything an agent can do to it. Components read it and call it; it tells of every change by the event
 * `change`.
 *
 * The socket says *that* something happened; what the desk looks like then is read anew as a whole (coalesced), so a frame
 * that was lost or came twice cannot leave a wrong picture. Conversations are merged line by line, by their sequence.
 */
import { Client } from "../api/client.ts";
import { DeskApi, type Handing, type Outcome } from "../api/desk.ts";
import { PeopleApi, type Suggestion } from "../api/people.ts";
import { ApiError, type Problem } from "../api/problem.ts";
import type {
  Conversation,
  DeskQueue,
  DeskSnapshot,
  DomainEvent,
  Item,
  Message,
  Offer,
  Presence,
  Profile,
  Why,
} from "../api/vocabulary.ts";
import { Stream, type StreamState } from "../stream/stream.ts";
import { Coalesced } from "./coalesced.ts";
import { type FollowFrame, Following } from "./following.ts";
import { agentSession, forgetSession, takeCode } from "./session.ts";
import {
  fact,
  type Thread,
  threadOf,
  withEvent,
  withMessage,
  withOutgoing,
  withoutOutgoing,
  withSent,
} from "./thread.ts";

type DeskFrame =
  | {
      readonly type: "welcome";
      readonly incarnation: string;
      readonly agent_seq?: number;
      readonly desk?: DeskSnapshot | null;
    }
  | { readonly type: "event"; readonly event: DomainEvent }
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "error"; readonly problem: Problem };

export type Door = "opening" | "open" | "signed_out" | "failed";

/** All that is known of the person in an open conversation. */
export interface Known {
  readonly profile: Profile;
  readonly timeline: readonly Conversation[];
  readonly suggestions: readonly Suggestion[];
}

const OFFER_ENDS: ReadonlySet<string> = new Set([
  "offer.accepted",
  "offer.declined",
  "offer.expired",
  "offer.rescinded",
  "offer.revoked",
]);
/** Messages have gone to another conversation, come from one or count as a person's now: the thread is another than what was read of it. */
const REARRANGED: ReadonlySet<string> = new Set([
  "conversation.merged",
  "conversation.split",
  "message.moved",
  "message.made_work",
]);
const LOOK_MS = 10_000;
const HISTORY = 50;

export class DeskStore extends EventTarget {
  door: Door = "opening";
  link: StreamState = "stopped";
  desk: DeskSnapshot | null = null;
  problem: Problem | null = null;
  selected: string | null = null;
  readonly threads = new Map<string, Thread>();
  readonly customers = new Map<string, Known>();
  /** Why each conversation went to its queue, once somebody asked. */
  readonly routes = new Map<string, Why>();
  readonly unread = new Set<string>();
  readonly drafts = new Map<string, string>();
  readonly busy = new Set<string>();
  readonly api: DeskApi;
  readonly #stream: Stream<DeskFrame, FollowFrame>;
  readonly #refresh = new Coalesced(() => this.#read());
  readonly #rearranged = new Coalesced(async () => {
    if (this.selected) await this.#load(this.selected);
  });
  readonly #following = new Following((frame) => this.#stream.send(frame));
  #token = "";
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(origin = "") {
    super();
    this.api = new DeskApi(new Client(origin));
    this.#stream = new Stream<DeskFrame, FollowFrame>({
      address: () => this.api.client.socketAddress("/v1/stream"),
      hello: () => this.#hello(),
      onFrame: (frame) => this.#frame(frame),
      onState: (state) => this.#linked(state),
    });
  }

  async start(givenToken = ""): Promise<void> {
    try {
      const session = givenToken ? { token: givenToken } : await agentSession(this.api, takeCode());
      if (!session) {
        this.#enter("signed_out");
        return;
      }
      this.#token = session.token;
      this.api.client.signIn(session.token, () => this.#signOut());
    } catch (error) {
      this.problem = problemFrom(error);
      this.#enter(error instanceof ApiError && error.passing ? "failed" : "signed_out");
      return;
    }
    this.#stream.start();
    // Who waits in the queues changes without an event of mine; and whatever was missed is right again after this.
    this.#timer = setInterval(() => {
      if (document.visibilityState === "visible" && this.link === "open") this.#refresh.soon();
    }, LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stream.stop();
    this.#refresh.stop();
    this.#rearranged.stop();
  }

  get me(): DeskSnapshot["agent"] | null {
    return this.desk?.agent ?? null;
  }

  get thread(): Thread | null {
    return this.selected ? (this.threads.get(this.selected) ?? null) : null;
  }

  get item(): Item | null {
    return this.desk?.items.find((one) => one.conversation_id === this.selected) ?? null;
  }

  get offers(): readonly Offer[] {
    return this.desk?.offers ?? [];
  }

  async select(conversationId: string | null): Promise<void> {
    this.selected = conversationId;
    if (conversationId) {
      this.unread.delete(conversationId);
      this.#changed();
      await this.#load(conversationId);
    }
    this.#changed();
  }

  setPresence(presence: Presence): Promise<boolean> {
    return this.#doing("presence", async () => {
      await this.api.setPresence(presence, "");
      if (this.desk) this.desk = { ...this.desk, agent: { ...this.desk.agent, presence } };
    });
  }

  /** Opens or closes one channel while the others stay as they are. */
  setChannel(channel: string, open: boolean): Promise<boolean> {
    return this.#doing("presence", async () => {
      const me = this.me;
      if (!me) return;
      const closed = Object.fromEntries(Object.entries(me.presences ?? {}).filter(([name]) => name !== channel));
      await this.api.setPresence(me.presence, "", open ? closed : { ...closed, [channel]: "away" });
      await this.#read();
    });
  }

  accept(offer: Offer): Promise<boolean> {
    return this.#doing(offer.offer.id, async () => {
      try {
        await this.api.accept(offer.offer.id);
      } finally {
        this.#withoutOffer(offer.offer.id); // accepted or gone: in both cases it is no offer any more
      }
      await this.#read();
      await this.select(offer.conversation_id);
    });
  }

  decline(offer: Offer, reason: string): Promise<boolean> {
    return this.#doing(offer.offer.id, async () => {
      await this.api.decline(offer.offer.id, reason);
      this.#withoutOffer(offer.offer.id);
    });
  }

  done(item: Item, outcome: Outcome): Promise<boolean> {
    return this.#doing(item.id, () => this.api.done(item.id, outcome));
  }

  park(item: Item, wakeAt: string | null): Promise<boolean> {
    return this.#doing(item.id, () => this.api.park(item.id, wakeAt));
  }

  transfer(item: Item, handing: Handing): Promise<boolean> {
    return this.#doing(item.id, () => this.api.transfer(item.id, handing));
  }

  /** What I gave away and nobody took is mine again. */
  takeBack(item: Item): Promise<boolean> {
    return this.#doing(item.id, () => this.api.claim(item.id));
  }

  /** Takes the first who waits in a queue from which agents may help themselves. */
  claimNext(queue: DeskQueue): Promise<boolean> {
    return this.#doing(`claim:${queue.name}`, async () => {
      const { items } = await this.api.waiting(queue.name, 1);
      const [first] = items;
      if (!first) return;
      await this.api.claim(first.id);
      await this.#read();
      await this.select(first.conversation_id);
    });
  }

  /** Sends the draft of a conversation to who was shown; a failure leaves it in the field. */
  async reply(conversationId: string, text: string, key: string, replyTo?: string): Promise<boolean> {
    const at = new Date().toISOString();
    this.#thread(conversationId, (thread) => withOutgoing(thread, { key, text, at, messageId: null }));
    const sent = await this.#doing(`reply:${conversationId}`, async () => {
      const written = await this.api.reply(conversationId, key, text, replyTo);
      this.#thread(conversationId, (thread) => withSent(thread, key, written.id));
    });
    if (!sent) {
      this.#thread(conversationId, (thread) => withoutOutgoing(thread, key));
      if (replyTo) void this.#loadParties(conversationId);
    }
    return sent;
  }

  /** Reads why a conversation went to its queue. Asking again changes nothing. */
  async explain(conversationId: string): Promise<void> {
    if (this.routes.has(conversationId)) return;
    try {
      const known = this.threads.get(conversationId)?.events.values();
      const queued = (known ? [...known] : await this.api.events(conversationId)).findLast(
        (one) => one.type === "item.queued",
      );
      const decision = queued ? fact(queued, "decision_id") : "";
      if (decision) this.routes.set(conversationId, (await this.api.decision(decision)).record);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      console.warn("the routing decision could not be read", error.message); // the agent's own part is shown without it
    }
    this.#changed();
  }

  /** A command of a part of the page: marked as under way by its key, its problem told above. Whether it was done. */
  perform(key: string, command: () => Promise<unknown>): Promise<boolean> {
    return this.#doing(key, command);
  }

  forget(): void {
    this.problem = null;
    this.#changed();
  }

  /** Runs a command: marks it as under way, shows its problem, reads the desk anew. Returns whether it was done. */
  async #doing(key: string, command: () => Promise<unknown>): Promise<boolean> {
    if (this.busy.has(key)) return false;
    this.busy.add(key);
    this.problem = null;
    this.#changed();
    try {
      await command();
      return true;
    } catch (error) {
      this.problem = problemFrom(error);
      return false;
    } finally {
      this.busy.delete(key);
      this.#refresh.soon();
      this.#changed();
    }
  }

  #hello(): { type: "hello"; token: string; resume?: unknown } {
    if (!this.desk) return { type: "hello", token: this.#token };
    const conversations = this.#following.seen((id) => this.threads.get(id)?.seq);
    const { incarnation, agent } = this.desk;
    return { type: "hello", token: this.#token, resume: { incarnation, agent_seq: agent.agent_seq, conversations } };
  }

  #frame(frame: DeskFrame): void {
    if (frame.type === "welcome") this.#welcomed(frame);
    else if (frame.type === "event") this.#happened(frame.event);
    else if (frame.type === "message") this.#said(frame.message, frame.message.conversation_id);
    else if (frame.type === "error") this.problem = frame.problem;
    this.#changed();
  }

  #welcomed(frame: Extract<DeskFrame, { type: "welcome" }>): void {
    const restarted = this.desk !== null && this.desk.incarnation !== frame.incarnation;
    if (restarted) this.threads.clear();
    this.#following.forget();
    this.door = "open";
    if (frame.desk) this.#snapshot(frame.desk);
    else this.#refresh.soon();
    this.#follow();
    if (this.selected) void this.#load(this.selected);
  }

  #happened(event: DomainEvent): void {
    const id = event.conversation_id ?? "";
    this.#thread(id, (thread) => withEvent(thread, event));
    if (OFFER_ENDS.has(event.type)) {
      const ended = fact(event, "offer_id");
      if (ended) this.#withoutOffer(ended);
    }
    // Any other conversation is read anew when it is opened.
    if (REARRANGED.has(event.type) && id === this.selected) this.#rearranged.soon();
    this.#refresh.soon();
  }

  #said(message: Message, conversationId: string): void {
    const known = this.threads.get(conversationId)?.messages.has(message.seq) ?? false;
    this.#thread(conversationId, (thread) => withMessage(thread, message));
    // A mail may bring others into the conversation and move who is answered; chats and calls have nobody on a copy.
    if (message.channel === "email" || this.threads.get(conversationId)?.conversation.reply_to?.kind === "email")
      void this.#loadParties(conversationId);
    const seen = conversationId === this.selected && document.visibilityState === "visible";
    if (message.direction === "in" && !seen && !known) this.unread.add(conversationId);
    // Amended before it came: what stood for itself until now belongs to it.
    if (!known && (message.edited_at || message.gone) && conversationId === this.selected) this.#rearranged.soon();
    this.#refresh.soon();
  }

  #snapshot(desk: DeskSnapshot): void {
    const before = new Set(this.desk?.items.map((one) => one.conversation_id));
    const first = this.desk === null;
    this.desk = desk;
    for (const item of desk.items) {
      const id = item.conversation_id;
      if (!first && !before.has(id) && id !== this.selected) this.unread.add(id);
    }
    this.#follow();
  }

  /** Follows the conversations in hand, so that their new messages arrive while another one is open. */
  #follow(): void {
    const wanted = new Map<string, number>();
    for (const item of this.desk?.items ?? []) wanted.set(item.conversation_id, item.seq);
    if (this.selected && !wanted.has(this.selected)) wanted.set(this.selected, 0);
    for (const id of wanted.keys()) {
      const seq = this.threads.get(id)?.seq;
      if (seq !== undefined) wanted.set(id, seq);
    }
    this.#following.want(wanted);
  }

  async #load(id: string): Promise<void> {
    try {
      const [conversation, messages, events] = await Promise.all([
        this.api.conversation(id),
        this.api.messages(id),
        this.api.events(id),
      ]);
      const outgoing = this.threads.get(id)?.outgoing ?? [];
      this.threads.set(id, { ...threadOf(conversation, messages, events), outgoing });
    } catch (error) {
      this.problem = problemFrom(error);
      return;
    }
    // Followed again from what was read: nothing between the reading and the following is missed.
    this.#following.forget(id);
    this.#follow();
    this.#changed();
    await Promise.all([this.#loadCustomer(id), this.explain(id)]);
  }

  async #loadCustomer(id: string): Promise<void> {
    const profileId = this.threads.get(id)?.conversation.customer.profile_id;
    if (!profileId) return;
    try {
      const people = new PeopleApi(this.api.client);
      const [profile, timeline, suggestions] = await Promise.all([
        people.profile(profileId),
        people.history(profileId, HISTORY, null, "conversation"),
        people.suggestions(profileId),
      ]);
      this.customers.set(id, { profile, timeline: timeline.conversations, suggestions: suggestions.items });
    } catch (error) {
      // The conversation can be worked on without its customer's panel; what the conversation says is shown instead.
      console.warn("the customer's profile could not be read", error);
    }
    this.#changed();
  }

  async #loadParties(id: string): Promise<void> {
    if (!this.threads.has(id)) return;
    try {
      const { participants = [], reply_to = null } = await this.api.conversation(id);
      this.#thread(id, (thread) => ({ ...thread, conversation: { ...thread.conversation, participants, reply_to } }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      console.warn("who takes part could not be read", error.message); // the ones who were known stay on the page
    }
  }

  async #read(): Promise<void> {
    try {
      this.#snapshot(await this.api.desk());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (!error.passing) this.problem = error.problem;
    }
    this.#changed();
  }

  #withoutOffer(id: string): void {
    if (this.desk) this.desk = { ...this.desk, offers: this.desk.offers.filter((one) => one.offer.id !== id) };
  }

  #thread(id: string, change: (thread: Thread) => Thread): void {
    const thread = this.threads.get(id);
    if (!thread) return;
    this.threads.set(id, change(thread));
    this.#changed();
  }

  #linked(state: StreamState): void {
    this.link = state;
    if (state === "refused") this.#signOut();
    this.#changed();
  }

  #signOut(): void {
    forgetSession();
    this.#stream.stop();
    this.#enter("signed_out");
  }

  #enter(door: Door): void {
    this.door = door;
    this.#changed();
  }

  #changed(): void {
    this.dispatchEvent(new Event("change"));
  }
}

function problemFrom(error: unknown): Problem {
  if (error instanceof ApiError) return error.problem;
  console.error(error);
  return { type: "about:blank", title: "", status: 0, detail: error instanceof Error ? error.message : String(error) };
}
