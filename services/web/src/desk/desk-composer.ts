/** The reply and who it goes to, and what becomes of the item: done with an outcome, parked until a time, or handed over. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Item, Recipient } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import { newId } from "../ui/ids.ts";
import "./desk-recipient.ts";
import "./desk-transfer.ts";
import { DeskPart } from "./part.ts";

type Menu = "done" | "park" | "transfer";

const WORKABLE: ReadonlySet<string> = new Set(["assigned", "parked", "wrapping"]);

export class DeskComposer extends DeskPart {
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        border-top: 1px solid var(--line);
        background: var(--surface);
      }
      form.reply {
        display: grid;
        gap: 0.5rem;
        padding: 0.75rem 1.25rem;
      }
      textarea {
        display: block;
        min-height: 4.25rem;
        max-height: 14rem;
        resize: none;
        field-sizing: content;
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.5rem;
      }
      .bar .way,
      .to {
        color: var(--ink-soft);
        font-size: var(--text-2);
      }
      .bar .way {
        flex: 1;
        min-width: 0;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .to {
        display: flex;
        flex-wrap: wrap;
        gap: 0.25rem 0.5rem;
        margin: 0;
        overflow-wrap: anywhere;
      }
      kbd {
        color: var(--ink-faint);
        font: inherit;
        font-size: var(--text-1);
      }
      .menu {
        display: grid;
        gap: 0.75rem;
        padding: 0.875rem 1.25rem;
        border-bottom: 1px solid var(--line);
        background: var(--canvas);
      }
      .choices {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem;
      }
      .choices label {
        display: inline-flex;
        align-items: center;
        gap: 0.375rem;
        padding: 0.3125rem 0.75rem;
        border: 1px solid var(--line-strong);
        border-radius: 1.25rem;
        background: var(--surface);
        font-size: var(--text-2);
        cursor: pointer;
      }
      .choices label:has(:checked) {
        border-color: var(--accent);
        background: var(--accent-soft);
        color: var(--accent-ink);
        font-weight: 600;
      }
      .choices input {
        margin: 0;
      }
      .readonly {
        padding: 0.875rem 1.25rem;
        color: var(--ink-soft);
        font-size: var(--text-2);
        text-align: center;
      }
      @media (max-width: 900px) {
        form.reply {
          padding: 0.625rem 0.75rem;
        }
        kbd {
          display: none;
        }
      }
    `,
  ];

  #menu: Menu | null = null;
  #conversation: string | null = null;
  #keys = new Map<string, string>();
  #asking = false;
  /** Recipients at another domain to whom the agent said yes, by conversation. */
  readonly #confirmed = new Map<string, string>();

  protected override willUpdate(): void {
    if (this.#conversation === this.store.selected) return;
    this.#conversation = this.store.selected;
    this.#menu = null;
    this.#asking = false;
  }

  /** Whom a mail would answer: null when nobody knows, undefined on channels that have one recipient only. */
  get #recipient(): Recipient | null | undefined {
    const conversation = this.store.thread?.conversation;
    const to = conversation?.reply_to;
    if (to) return to.kind === "email" ? to : undefined;
    return to === null && this.store.item?.channel === "email" ? null : undefined;
  }

  protected override render(): TemplateResult | typeof nothing {
    const id = this.store.selected;
    const item = this.store.item;
    if (!id) return nothing;
    if (item?.transfer) return html`<santral-desk-transfer .desk=${this.desk} .item=${item}></santral-desk-transfer>`;
    if (!item || !WORKABLE.has(item.state)) return html`<p class="readonly">${this.say.notMine}</p>`;
    const draft = this.store.drafts.get(id) ?? "";
    const busy = this.store.busy.has(`reply:${id}`);
    const open = this.store.thread?.conversation.visibility === "public";
    const to = this.#recipient;
    return html`${this.#open(item)}${this.#question(to, id)}
      <form class="reply" @submit=${(event: Event) => this.#send(event, id)}>
        ${to === undefined ? nothing : this.#to(to)}
        <label class="unseen" for="reply">${this.say.replyPlaceholder}</label>
        <textarea id="reply" class="field" rows="2" placeholder=${this.say.replyPlaceholder} .value=${draft}
          @input=${(event: Event) => this.#typed(event, id)} @keydown=${(event: KeyboardEvent) => this.#key(event, id)}></textarea>
        <div class="bar">
          <span class="way">${to === undefined ? this.say.replyTo(this.channel(item.channel)) : nothing}
            ${open ? html`<span class="chip warn">${this.say.publicReply}</span>` : nothing}</span>
          ${
            item.state === "assigned"
              ? html`<button class="button quiet" type="button" aria-expanded=${this.#menu === "transfer"}
                  @click=${() => this.openMenu("transfer")}>${icon("exit", 16)} ${this.say.transfer}</button>`
              : nothing
          }
          <button class="button quiet" type="button" aria-expanded=${this.#menu === "park"} @click=${() => this.openMenu("park")}>
            ${icon("pause", 16)} ${this.say.park}
          </button>
          <button class="button" type="button" aria-expanded=${this.#menu === "done"} @click=${() => this.openMenu("done")}>
            ${icon("check", 16)} ${this.say.done}
          </button>
          <kbd>${this.say.sendHint}</kbd>
          <button class="button primary" type="submit" ?disabled=${busy || !draft.trim() || to === null}>
            ${busy ? html`<span class="spinner"></span>` : icon("send", 16)} ${this.say.send}
          </button>
        </div>
      </form>`;
  }

  focusText(): void {
    this.renderRoot.querySelector("textarea")?.focus();
  }

  /** Opens the menu, or closes it when it is open. */
  async openMenu(menu: Menu): Promise<void> {
    this.#menu = this.#menu === menu ? null : menu;
    this.requestUpdate();
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(".menu input, .menu button")?.focus();
  }

  #to(to: Recipient | null): TemplateResult {
    if (!to) return html`<p class="to"><span class="chip warn">${this.say.recipientNone}</span></p>`;
    return html`<p class="to">${this.say.replyToAddress(to.value)}
      ${to.differs ? html`<span class="chip warn">${this.say.recipientElsewhere}</span>` : nothing}</p>`;
  }

  /** Asked once for each recipient; who comes to be answered instead is asked about anew. */
  #question(to: Recipient | null | undefined, id: string): TemplateResult | typeof nothing {
    if (!this.#asking || !to?.differs || this.#confirmed.get(id) === to.value) return nothing;
    return html`<santral-desk-recipient .desk=${this.desk} .recipient=${to}
      .customer=${this.store.thread?.conversation.customer.value ?? ""}
      @desk-confirmed=${(event: CustomEvent<boolean>) => this.#answered(event, to, id)}></santral-desk-recipient>`;
  }

  #answered(event: CustomEvent<boolean>, to: Recipient, id: string): void {
    this.#asking = false;
    if (event.detail) this.#confirmed.set(id, to.value);
    this.requestUpdate();
    this.focusText();
    if (event.detail) void this.#send(event, id);
  }

  #open(item: Item): TemplateResult | typeof nothing {
    if (this.#menu === "done") return this.#done(item);
    if (this.#menu === "park") return this.#park(item);
    if (this.#menu !== "transfer" || item.state !== "assigned") return nothing;
    return html`<santral-desk-transfer .desk=${this.desk} .item=${item} @keydown=${this.#escape}
      @desk-close=${() => this.openMenu("transfer")}></santral-desk-transfer>`;
  }

  #done(item: Item): TemplateResult {
    const [first] = Object.keys(this.say.outcomes);
    return html`<form class="menu" @submit=${(event: Event) => this.#finish(event, item)} @keydown=${this.#escape}>
      <div class="choices" role="radiogroup" aria-label=${this.say.doneAs}>
        ${Object.entries(this.say.outcomes).map(
          ([value, label]) =>
            html`<label><input type="radio" name="outcome" value=${value} ?checked=${value === first} />${label}</label>`,
        )}
      </div>
      <div class="bar">
        <label class="unseen" for="note">${this.say.note}</label>
        <input id="note" class="field" name="note" maxlength="500" placeholder=${this.say.note} autocomplete="off" />
        <button class="button primary" type="submit">${this.say.finish}</button>
        <button class="button quiet" type="button" @click=${() => this.openMenu("done")}>${this.say.dismiss}</button>
      </div>
    </form>`;
  }

  #park(item: Item): TemplateResult {
    return html`<div class="menu" @keydown=${this.#escape}>
      <strong>${this.say.parkUntil}</strong>
      <div class="choices">
        ${Object.entries(this.say.parks).map(
          ([value, label]) =>
            html`<button class="button" type="button" @click=${() => this.#rest(item, value)}>${label}</button>`,
        )}
        <button class="button quiet" type="button" @click=${() => this.openMenu("park")}>${this.say.dismiss}</button>
      </div>
    </div>`;
  }

  #typed(event: Event, id: string): void {
    this.store.drafts.set(id, (event.target as HTMLTextAreaElement).value);
    this.#keys.delete(id);
    this.requestUpdate();
  }

  #key(event: KeyboardEvent, id: string): void {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) this.#send(event, id);
  }

  async #send(event: Event, id: string): Promise<void> {
    event.preventDefault();
    const text = (this.store.drafts.get(id) ?? "").trim();
    // A mail's recipient stands in what is still being read.
    if (this.store.item?.channel === "email" && !this.store.thread) return;
    const to = this.#recipient;
    if (!text || to === null || this.store.busy.has(`reply:${id}`)) return;
    if (to?.differs && this.#confirmed.get(id) !== to.value) {
      this.#asking = true;
      this.requestUpdate();
      return;
    }
    // The same words sent again after a failure are the same reply: the key stays until the text changes.
    const key = this.#keys.get(id) ?? newId();
    this.#keys.set(id, key);
    this.store.drafts.delete(id);
    if (await this.store.reply(id, text, key, to?.value)) this.#keys.delete(id);
    else if (!this.store.drafts.has(id)) this.store.drafts.set(id, text);
    this.requestUpdate();
  }

  async #finish(event: Event, item: Item): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const note = String(form.get("note") ?? "").trim();
    const reason = String(form.get("outcome"));
    const outcome = { reason, resolved: reason === "resolved", ...(note ? { note } : {}) };
    if (await this.store.done(item, outcome)) this.#menu = null;
    this.requestUpdate();
  }

  async #rest(item: Item, choice: string): Promise<void> {
    if (await this.store.park(item, wakeAt(choice, new Date()))) this.#menu = null;
    this.requestUpdate();
  }

  readonly #escape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    this.#menu = null;
    this.requestUpdate();
    this.focusText();
  };
}

/** When a parked item comes back, in UTC; null waits for the customer. Tomorrow at nine is the agent's own nine o'clock. */
export function wakeAt(choice: string, now: Date): string | null {
  const at = new Date(now);
  if (choice === "hour") at.setHours(at.getHours() + 1);
  else if (choice === "four") at.setHours(at.getHours() + 4);
  else if (choice === "tomorrow") {
    at.setDate(at.getDate() + 1);
    at.setHours(9, 0, 0, 0);
  } else return null;
  return at.toISOString();
}

customElements.define("santral-desk-composer", DeskComposer);

declare global {
  interface HTMLElementTagNameMap {
    "santral-desk-composer": DeskComposer;
  }
}
