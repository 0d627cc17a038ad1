/** Everything that happened with the customer, on every channel, newest first, a page at a time. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Actors, Entry } from "../api/people.ts";
import type { Conversation } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { channelIcon, type IconName, icon } from "../ui/icons.ts";
import { words } from "../ui/text.ts";
import { PersonPart } from "./person-part.ts";
import { personStyles } from "./person-styles.ts";

const PAGE = 20;
const ICONS: Readonly<Record<string, IconName>> = {
  note: "pencil",
  granted: "check",
  refused: "close",
  merged: "link",
  linked: "link",
  unmerged: "exit",
  link_retracted: "exit",
  kept_apart: "exit",
  handle_seen: "person",
};

export class DeskPersonHistory extends PersonPart {
  static override styles = [
    controls,
    personStyles,
    css`
      ol {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.75rem;
        font-size: var(--text-2);
        line-height: 1.4;
      }
      .entry {
        display: grid;
        grid-template-columns: 1.5rem minmax(0, 1fr) auto;
        gap: 0 0.5rem;
      }
      .entry > svg {
        margin-top: 0.125rem;
        color: var(--ink-faint);
      }
      .entry > :nth-child(n + 4) {
        grid-column: 2 / -1;
      }
      .text {
        white-space: pre-wrap;
      }
      button.plain {
        font-size: var(--text-2);
        text-align: left;
        overflow-wrap: anywhere;
      }
    `,
  ];

  #entries: readonly Entry[] | null = null;
  #actors: Actors = {};
  #next: string | null = null;

  protected override async read(): Promise<void> {
    this.#entries = null;
    await this.#page(null);
  }

  protected override render(): TemplateResult {
    const entries = this.#entries;
    if (!entries) return html`<section>${this.waiting()}</section>`;
    return html`<section>
      ${
        entries.length === 0
          ? html`<p class="soft">${this.words.historyNone}</p>`
          : html`<ol aria-label=${this.words.tabs.history}>${entries.map((one) => html`<li class="entry">${this.#entry(one)}</li>`)}</ol>`
      }
      ${this.problem ? this.waiting() : nothing}
      ${
        this.#next && !this.problem
          ? html`<div class="bar"><button class="button" type="button" @click=${() => void this.#page(this.#next)}>${this.words.more}</button></div>`
          : nothing
      }
    </section>`;
  }

  async #page(cursor: string | null): Promise<void> {
    await this.reading(
      () => this.people.history(this.profile.id, PAGE, cursor),
      (page) => {
        this.#entries = [...(cursor ? (this.#entries ?? []) : []), ...page.items];
        this.#actors = { ...this.#actors, ...page.actors };
        this.#next = page.next;
      },
    );
  }

  #entry(one: Entry): TemplateResult {
    const { data } = one;
    const at = html`<time class="faint small" datetime=${one.at} title=${this.formats.full(one.at)}>${this.formats.ago(one.at)}</time>`;
    if (one.kind === "conversation") return this.#conversation(data as unknown as Conversation, at);
    if (one.kind === "call") return this.#call(data, at);
    const kind = one.kind === "consent" ? (data.granted ? "granted" : "refused") : one.kind;
    const by = one.kind === "handle_seen" ? "" : this.actor(data.actor, this.#actors);
    return html`${icon(ICONS[kind] ?? "clock", 16)}<span>${this.words.entries[kind] ?? kind}${this.#about(one)}</span>${at}
      ${one.kind === "note" ? html`<p class="text">${words(String(data.text ?? ""))}</p>` : nothing}
      ${by ? html`<span class="soft small">${by}</span>` : nothing}`;
  }

  /** What a line is about, after its name. */
  #about({ kind, data }: Entry): string {
    if (kind === "consent") {
      const channel = data.channel === "all" ? this.words.everyChannel : this.channel(String(data.channel));
      return `: ${this.words.purposes[String(data.purpose)] ?? data.purpose} · ${channel}`;
    }
    if (kind === "handle_seen") {
      const handle = this.profile.handles.find((one) => one.id === data.handle_id);
      return `: ${handle ? this.handleText(handle) : (this.say.kinds[String(data.kind)] ?? data.kind)}`;
    }
    if (kind === "linked") return `: ${this.words.kinds[String(data.kind)] ?? data.kind}`;
    return "";
  }

  #conversation(one: Conversation, at: TemplateResult): TemplateResult {
    const current = one.id === this.store.selected;
    const text = current ? this.say.thisOne : one.subject || this.preview(one) || this.channel(one.channel);
    const kept = one.item ? (this.say.states[one.item.state] ?? one.item.state) : "";
    const state = one.merged_into ? this.say.placement.goneShort : kept;
    return html`${channelIcon(one.channel, 16)}
      <button class="plain" type="button" aria-current=${current} @click=${() => void this.store.select(one.id)}>${text}</button>${at}
      <span class="soft small">${[this.channel(one.channel), state].filter(Boolean).join(" · ")}</span>`;
  }

  #call(data: Entry["data"], at: TemplateResult): TemplateResult {
    const name = this.words.entries[String(data.kind)] ?? this.words.entries.call;
    const id = String(data.conversation_id ?? "");
    return html`${icon("phone", 16)}<button class="plain" type="button" @click=${() => void this.store.select(id)}>${name}</button>${at}`;
  }
}

customElements.define("santral-desk-person-history", DeskPersonHistory);
