/** A part of the desk: it has the store and the language, and draws itself anew when the store changes. */
import { LitElement } from "lit";
import type { Customer, Item, Participant, Profile } from "../api/vocabulary.ts";
import type { DeskMessages } from "../i18n/desk.ts";
import type { Formats, Locale } from "../i18n/locale.ts";
import type { DeskStore } from "./store.ts";

export interface DeskContext {
  readonly store: DeskStore;
  readonly say: DeskMessages;
  readonly formats: Formats;
  readonly locale: Locale;
}

export class DeskPart extends LitElement {
  static override properties = { desk: { attribute: false } };

  declare desk: DeskContext;

  readonly #changed = (): void => {
    this.requestUpdate();
  };

  override connectedCallback(): void {
    super.connectedCallback();
    this.desk.store.addEventListener("change", this.#changed);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.desk.store.removeEventListener("change", this.#changed);
  }

  get store(): DeskStore {
    return this.desk.store;
  }

  get say(): DeskMessages {
    return this.desk.say;
  }

  get formats(): Formats {
    return this.desk.formats;
  }

  /** A channel's name; channels are an open set, so an unknown one is shown as it is. */
  channel(name: string): string {
    return this.say.channels[name] ?? name;
  }

  /** Contents in the reader's language; a code that is not known here is shown as it is. */
  contents(codes: readonly string[] = []): string {
    return codes.map((one) => this.say.contents[one] ?? one).join(", ");
  }

  /** What came last in a line: contents and words; of a message with neither its subject. */
  preview(one: {
    readonly preview: string;
    readonly preview_contents?: readonly string[];
    readonly subject: string;
  }): string {
    const { preview, preview_contents: codes = [], subject } = one;
    if (subject && codes.length === 1 && codes[0] === "empty") return subject;
    return [this.contents(codes), preview].filter(Boolean).join(": ") || subject;
  }

  /** Whom the agent talks with: the name, else the best handle, else nobody in particular. */
  named(who: Profile | Customer | null | undefined): string {
    if (!who) return this.say.unknownCustomer;
    const handles = "handles" in who ? who.handles : [who];
    const handle = handles.find((one) => one.kind !== "visitor");
    return who.name || handle?.value || this.say.unknownCustomer;
  }
}

/** Somebody in a conversation who is neither the customer nor one of us. */
export function isOther(one: Participant): boolean {
  return one.role !== "customer" && one.role !== "agent";
}

/** Whether the customer waits for an answer: theirs is the last word. */
export function waits(item: Item): boolean {
  return (
    item.last_in_at !== null &&
    (item.last_out_at === null || Date.parse(item.last_out_at) < Date.parse(item.last_in_at))
  );
}

/** When an item's target is due and how near that is, as of now; null while nothing is being counted. */
export function target(
  item: Item,
  now: number = Date.now(),
): { readonly at: string; readonly look: "" | "warn" | "danger"; readonly missed: boolean } | null {
  const sla = item.sla;
  if (!sla?.due_at) return null;
  if (sla.state === "breached" || Date.parse(sla.due_at) <= now)
    return { at: sla.due_at, look: "danger", missed: true };
  const near = sla.state === "warned" || (sla.warn_at !== null && Date.parse(sla.warn_at) <= now);
  return { at: sla.due_at, look: near ? "warn" : "", missed: false };
}
