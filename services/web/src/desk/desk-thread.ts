/** The open conversation: its head, its lines in order, and the composer under them. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Conversation, DomainEvent, Item, Message } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { channelIcon, icon } from "../ui/icons.ts";
import { words } from "../ui/text.ts";
import "./desk-composer.ts";
import "./desk-message.ts";
import "./desk-placements.ts";
import type { PlacementMode } from "./desk-placements.ts";
import { threadStyles } from "./desk-thread-styles.ts";
import { DeskPart, isOther, target, waits } from "./part.ts";
import { fact, isOfGroup, lines, type Thread, type ThreadLine } from "./thread.ts";

const NEAR_PX = 120;
const OTHERS = 3;
const LABEL_CHARS = 60;

export class DeskThread extends DeskPart {
  static override styles = [controls, threadStyles];

  #shown = "";
  #count = 0;
  #atEnd = true;
  /** Controls above and a reply below take room from the log; who read its end goes on reading it. */
  readonly #sized = new ResizeObserver(([entry]) => {
    if (this.#atEnd && entry) entry.target.scrollTop = entry.target.scrollHeight;
  });
  #arranging: PlacementMode | null = null;
  readonly #picked = new Set<string>();
  #conversation: string | null = null;

  protected override willUpdate(): void {
    if (this.#conversation === this.store.selected) return;
    this.#conversation = this.store.selected;
    this.#picked.clear();
    // What was just done stays told when its end is another conversation; nothing else is carried over.
    if (this.#arranging !== "list") this.#arranging = null;
  }

  protected override render(): TemplateResult {
    const { thread, selected } = this.store;
    if (!selected) return this.#pick();
    // One shape while the next thread is read: what the controls just told stays on the page.
    return html`${thread ? this.#head(thread) : nothing} ${this.#arrange(thread)}
      ${
        thread
          ? this.#log(thread)
          : html`<div class="empty middle"><span class="spinner"></span><span>${this.say.loading}</span></div>`
      }`;
  }

  #log(thread: Thread): TemplateResult {
    const found = lines(thread);
    return html`<div class="log" role="log" aria-label=${this.say.conversation} tabindex="0" @scroll=${this.#scrolled}>
        ${repeat(
          found,
          (line) => (line.kind === "outgoing" ? line.outgoing.key : line.seq),
          (line, index) => html`${this.#day(found[index - 1], line)}${this.#line(line)}`,
        )}
      </div>
      <santral-desk-composer .desk=${this.desk}></santral-desk-composer>`;
  }

  protected override updated(): void {
    const log = this.renderRoot.querySelector(".log");
    const thread = this.store.thread;
    if (!log || !thread) return;
    this.#sized.observe(log);
    const count = thread.messages.size + thread.outgoing.length;
    const opened = this.#shown !== thread.conversation.id;
    const near = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX * 4;
    if (opened || (count !== this.#count && near)) {
      // The messages are elements that lay themselves out after us.
      requestAnimationFrame(() => {
        log.scrollTop = log.scrollHeight;
      });
    }
    this.#shown = thread.conversation.id;
    this.#count = count;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#sized.disconnect();
  }

  readonly #scrolled = (event: Event): void => {
    const log = event.target as HTMLElement;
    this.#atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
  };

  /** Puts the cursor into the reply. */
  focusReply(): void {
    this.renderRoot.querySelector("santral-desk-composer")?.focusText();
  }

  openDone(): void {
    this.renderRoot.querySelector("santral-desk-composer")?.openMenu("done");
  }

  /** Where the messages went, and the means to arrange them. */
  #arrange(thread: Thread | null): TemplateResult {
    const into = thread?.conversation.merged_into;
    return html`${
      into
        ? html`<div class="gone"><span>${icon("link", 16)} ${this.say.placement.goneInto}</span>
            <button class="button" type="button" @click=${() => void this.store.select(into)}>${this.say.placement.goThere}</button></div>`
        : nothing
    }
    ${
      this.#arranging
        ? html`<santral-desk-placements .desk=${this.desk} .mode=${this.#arranging} .picked=${[...this.#picked]}
            @placement-mode=${this.#moded} @placement-close=${this.#arranged}></santral-desk-placements>`
        : nothing
    }`;
  }

  readonly #moded = (event: Event): void => {
    this.#arranging = (event as CustomEvent<PlacementMode>).detail;
    this.#picked.clear();
    this.requestUpdate();
  };

  readonly #arranged = async (): Promise<void> => {
    const gone = this.store.thread?.conversation.merged_into;
    this.#arranging = this.#arranging ? null : gone ? "list" : "merge";
    this.#picked.clear();
    this.requestUpdate();
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("button.arrange")?.focus();
  };

  #pick(): TemplateResult {
    return html`<div class="empty middle">
      ${icon("chat", 44)}<strong>${this.say.pickTitle}</strong><span>${this.say.pickMore}</span>
    </div>`;
  }

  #head(thread: Thread): TemplateResult {
    const { conversation } = thread;
    const item = this.store.item;
    const channels = conversation.channels.length ? conversation.channels : [conversation.channel];
    const customer = this.store.customers.get(conversation.id)?.profile ?? conversation.customer;
    const closed = conversation.state === "closed" ? this.say.system["conversation.closed"] : "";
    const state = item ? (this.say.states[item.state] ?? item.state) : closed;
    return html`<header>
      <button class="button quiet icon back" type="button" aria-label=${this.say.back} @click=${() => void this.store.select(null)}>
        ${icon("back")}
      </button>
      <div class="title">
        <h1>${this.named(customer)}</h1>
        <p>
          ${channels.map((one) => html`<span class="with" title=${this.channel(one)}>${channelIcon(one, 15)} ${this.channel(one)}</span>`)}
          ${conversation.subject ? html`<span class="subject">${conversation.subject}</span>` : nothing}
        </p>
        ${this.#others(conversation)}
      </div>
      ${isOfGroup(thread) ? html`<span class="chip warn" title=${this.say.groupMore}>${this.say.group}</span>` : nothing}
      ${item ? html`<span class="chip">${item.queue_title || item.queue}</span>` : nothing}
      ${item && waits(item) ? this.#due(item) : nothing}
      ${state ? html`<span class="chip ${item?.state === "assigned" ? "accent" : ""}">${state}</span>` : nothing}
      <button class="button quiet icon arrange" type="button" title=${this.say.placement.open} aria-label=${this.say.placement.open}
        aria-expanded=${this.#arranging !== null} @click=${this.#arranged}>${icon("arrange")}</button>
      <button class="button quiet icon details" type="button" title=${this.say.details} aria-label=${this.say.details}
        @click=${() => this.dispatchEvent(new CustomEvent("desk-ask", { detail: "customer", bubbles: true, composed: true }))}>
        ${icon("person")}
      </button>
    </header>`;
  }

  /** Who else reads and writes here: an agent sees it before they answer. */
  #others(conversation: Conversation): TemplateResult | typeof nothing {
    const others = (conversation.participants ?? []).filter(isOther);
    if (others.length === 0) return nothing;
    const shown = others.slice(0, OTHERS).map((one) => {
      const role = this.say.person.roles[one.role] ?? one.role;
      return `${one.name || one.handle.value} (${role.toLocaleLowerCase(this.desk.locale)})`;
    });
    if (others.length > OTHERS) shown.push(this.say.person.andMore(others.length - OTHERS));
    const text = `${this.say.person.alsoHere} ${shown.join(", ")}`;
    return html`<p class="also" title=${text}><span>${text}</span></p>`;
  }

  #due(item: Item): TemplateResult | typeof nothing {
    const due = target(item) ?? (item.due_at ? { at: item.due_at, look: "", missed: false } : null);
    if (!due) return nothing;
    const when = this.formats.ago(due.at);
    return html`<span class="chip ${due.look}">${icon("clock", 13)} ${due.missed ? this.say.dueMissed(when) : this.say.due(when)}</span>`;
  }

  #day(before: ThreadLine | undefined, line: ThreadLine): TemplateResult | typeof nothing {
    const day = this.formats.day(line.at);
    if (before && this.formats.day(before.at) === day) return nothing;
    return html`<p class="day"><span>${day}</span></p>`;
  }

  #line(line: ThreadLine): TemplateResult {
    if (line.kind === "event") return this.#event(line.event);
    if (line.kind === "outgoing") {
      return html`<div class="sending"><p>${words(line.outgoing.text)}</p>
        <span>${icon("clock", 14)} ${this.say.delivery.sending}</span></div>`;
    }
    const customer =
      this.store.customers.get(line.message.conversation_id)?.profile ?? this.store.thread?.conversation.customer;
    const message = html`<santral-desk-message .desk=${this.desk} .message=${line.message} .delivery=${line.delivery}
      .customer=${this.named(customer)}></santral-desk-message>`;
    return this.#arranging === "pick" ? this.#pickable(line.message, message) : message;
  }

  #pickable({ id, text, subject, contents, gone }: Message, message: TemplateResult): TemplateResult {
    const made = this.contents(gone ? [gone] : contents) || this.contents(["empty"]);
    const label = this.say.placement.pick((text || subject || made).slice(0, LABEL_CHARS));
    return html`<div class="pick"><input type="checkbox" aria-label=${label} .checked=${this.#picked.has(id)}
      @change=${() => this.#picks(id)} />${message}</div>`;
  }

  #picks(id: string): void {
    if (!this.#picked.delete(id)) this.#picked.add(id);
    this.requestUpdate();
  }

  #event(event: DomainEvent): TemplateResult {
    const mine = event.agent_id && event.agent_id === this.store.me?.id;
    const reason = fact(event, "reason");
    const handed = fact(event, "trigger") === "transfer" ? this.say.transferred : "";
    const undone = event.data?.undone === true ? this.say.placement.undone : "";
    const because =
      this.say.declineReasons[reason] ?? this.say.stopReasons[reason] ?? this.say.placement.because[reason] ?? reason;
    const told = [because, undone].filter(Boolean).join(" · ");
    return html`<p class="event">
      <span>${handed || (this.say.system[event.type] ?? event.type)}${mine ? ` · ${this.say.you}` : nothing}${told ? ` · ${told}` : nothing}</span>
      <time datetime=${event.at}>${this.formats.time(event.at)}</time>
    </p>`;
  }
}

customElements.define("santral-desk-thread", DeskThread);

declare global {
  interface HTMLElementTagNameMap {
    "santral-desk-thread": DeskThread;
  }
}
