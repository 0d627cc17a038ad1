/** The work in my hands: one row per open item, the one that waits for my answer marked. */
import { css, html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Item } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { channelIcon, icon } from "../ui/icons.ts";
import { DeskPart, target, waits } from "./part.ts";
import { lastSaid } from "./thread.ts";

export class DeskItems extends DeskPart {
  static override styles = [
    controls,
    css`
      :host {
        display: block;
      }
      ul {
        display: grid;
        gap: 1px;
      }
      button.row {
        position: relative;
        display: grid;
        grid-template-columns: auto 1fr auto;
        gap: 0.125rem 0.625rem;
        width: 100%;
        padding: 0.625rem 1rem;
        border: 0;
        border-left: 3px solid transparent;
        background: transparent;
        text-align: left;
        cursor: pointer;
      }
      button.row:hover {
        background: var(--sunken);
      }
      button.row:focus-visible {
        outline-offset: -2px;
      }
      button.row[aria-current="true"] {
        border-left-color: var(--accent);
        background: var(--accent-soft);
      }
      .target {
        display: inline-flex;
        grid-column: 2 / span 2;
        align-items: center;
        gap: 0.25rem;
        color: var(--ink-faint);
        font-size: var(--text-1);
      }
      .target.warn {
        color: var(--warn);
        font-weight: 600;
      }
      .target.danger {
        color: var(--danger);
        font-weight: 600;
      }
      .channel {
        grid-row: span 2;
        display: grid;
        place-items: center;
        width: 2.25rem;
        height: 2.25rem;
        border-radius: 50%;
        background: var(--sunken);
        color: var(--ink-soft);
      }
      [aria-current="true"] .channel {
        background: var(--surface);
        color: var(--accent-ink);
      }
      .name {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .unread .name {
        font-weight: 700;
      }
      .when {
        justify-self: end;
        color: var(--ink-faint);
        font-size: var(--text-1);
        white-space: nowrap;
      }
      .preview {
        overflow: hidden;
        color: var(--ink-soft);
        font-size: var(--text-2);
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .unread .preview {
        color: var(--ink);
      }
      .state {
        align-self: center;
        justify-self: end;
      }
      .mark {
        width: 0.5625rem;
        height: 0.5625rem;
        border-radius: 50%;
        background: var(--accent);
      }
    `,
  ];

  protected override render(): TemplateResult {
    const items = this.store.desk?.items ?? [];
    if (items.length === 0) return this.#none();
    return html`<ul>${repeat(
      items,
      (item) => item.id,
      (item) => html`<li>${this.#row(item)}</li>`,
    )}</ul>`;
  }

  #none(): TemplateResult {
    const online = this.store.me?.presence === "online";
    return html`<div class="empty">
      ${icon("tray", 36)}
      <strong>${this.say.workNone}</strong>
      <span>${online ? this.say.workNoneOnline : this.say.workNoneOffline}</span>
      ${
        online
          ? nothing
          : html`<button class="button primary" type="button" @click=${() => void this.store.setPresence("online")}>
              ${this.say.goOnline}
            </button>`
      }
    </div>`;
  }

  #row(item: Item): TemplateResult {
    const unread = this.store.unread.has(item.conversation_id);
    const current = this.store.selected === item.conversation_id;
    const at = item.last_in_at ?? item.enqueued_at;
    return html`<button class="row ${unread ? "unread" : ""}" type="button" aria-current=${current}
      @click=${() => void this.store.select(item.conversation_id)}>
      <span class="channel" title=${this.channel(item.channel)}>${channelIcon(item.channel, 18)}</span>
      <span class="name">${this.named(item.customer)}</span>
      <span class="when">${this.formats.ago(at)}</span>
      <span class="preview">${this.#preview(item)}</span>
      <span class="state">${this.#state(item, unread)}</span>
      ${this.#target(item)}
    </button>`;
  }

  #target(item: Item): TemplateResult | typeof nothing {
    const due = target(item);
    if (!due) return nothing;
    const when = this.formats.ago(due.at);
    return html`<span class="target ${due.look}" title=${this.formats.full(due.at)}>
      ${icon("clock", 13)} ${due.missed ? this.say.dueMissed(when) : this.say.due(when)}
    </span>`;
  }

  #preview(item: Item): string {
    const last = lastSaid(this.store.threads.get(item.conversation_id));
    const text = last?.text_stripped || last?.text || "";
    const made = this.contents(last?.gone ? [last.gone] : last?.contents);
    return [made, text].filter(Boolean).join(": ") || this.preview(item);
  }

  #state(item: Item, unread: boolean): TemplateResult | typeof nothing {
    if (unread)
      return html`<span class="mark" title=${this.say.unread}></span><span class="unseen">${this.say.unread}</span>`;
    if (item.transfer) return html`<span class="chip">${this.say.transferring}</span>`;
    if (item.failed && item.state === "assigned")
      return html`<span class="chip danger" title=${item.failed.reason}>${this.say.delivery.failed}</span>`;
    if (item.state !== "assigned") return html`<span class="chip">${this.say.states[item.state] ?? item.state}</span>`;
    return waits(item) ? html`<span class="chip warn">${this.say.needsReply}</span>` : nothing;
  }
}

customElements.define("santral-desk-items", DeskItems);
