/** Offers made to me, each with the time it is still mine, and why it came to me. */
import { css, html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Offer, Transfer } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { channelIcon, icon } from "../ui/icons.ts";
import { words } from "../ui/text.ts";
import { DeskPart } from "./part.ts";
import "./desk-why.ts";

const TICK_MS = 250;
const RING = 2 * Math.PI * 13;

export class DeskOffers extends DeskPart {
  static override styles = [
    controls,
    css`
      :host {
        display: block;
      }
      ul {
        display: grid;
        gap: 0.625rem;
        padding: 0 0.75rem 0.75rem;
      }
      li {
        display: grid;
        gap: 0.625rem;
        padding: 0.75rem;
        border: 1px solid var(--warn-line);
        border-radius: var(--radius);
        background: var(--warn-soft);
        box-shadow: var(--shadow);
      }
      .top {
        display: flex;
        gap: 0.625rem;
      }
      .who {
        flex: 1;
        min-width: 0;
      }
      .who strong {
        display: block;
        overflow: hidden;
        font-size: var(--text-4);
        line-height: 1.3;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .who p {
        display: flex;
        align-items: center;
        gap: 0.3125rem;
        color: var(--ink-soft);
        font-size: var(--text-2);
      }
      .ring {
        position: relative;
        display: grid;
        place-items: center;
        width: 2.25rem;
        height: 2.25rem;
        color: var(--warn);
        font-size: var(--text-1);
        font-weight: 700;
      }
      .ring svg {
        position: absolute;
        inset: 0;
        transform: rotate(-90deg);
      }
      .ring circle {
        fill: none;
        stroke: var(--warn-line);
        stroke-width: 3;
      }
      .ring .left {
        stroke: var(--warn);
        stroke-linecap: round;
        transition: stroke-dashoffset 250ms linear;
      }
      .preview {
        display: -webkit-box;
        overflow: hidden;
        -webkit-line-clamp: 3;
        -webkit-box-orient: vertical;
        overflow-wrap: anywhere;
      }
      .from {
        padding: 0.5rem 0.625rem;
        border-radius: var(--radius-small);
        background: var(--surface);
        font-size: var(--text-2);
      }
      .from strong {
        display: flex;
        align-items: center;
        gap: 0.375rem;
      }
      .from p {
        overflow-wrap: anywhere;
        white-space: pre-wrap;
      }
      .actions {
        display: flex;
        gap: 0.5rem;
      }
      .actions .primary {
        flex: 1;
      }
      .reasons {
        display: grid;
        gap: 0.375rem;
      }
      .reasons .button {
        justify-content: flex-start;
        font-weight: 400;
      }
      summary {
        display: inline-flex;
        align-items: center;
        gap: 0.25rem;
        color: var(--ink-soft);
        font-size: var(--text-2);
        font-weight: 600;
        cursor: pointer;
        list-style: none;
      }
      summary::-webkit-details-marker {
        display: none;
      }
      details[open] summary svg {
        transform: rotate(180deg);
      }
      details santral-desk-why {
        padding-top: 0.5rem;
      }
    `,
  ];

  #timer: ReturnType<typeof setInterval> | undefined;
  #declining: string | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#timer = setInterval(() => {
      if (this.store.offers.length > 0) this.requestUpdate();
    }, TICK_MS);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.#timer);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { offers } = this.store;
    if (offers.length === 0) return nothing;
    return html`<ul aria-live="polite">${repeat(
      offers,
      (offer) => offer.offer.id,
      (offer) => this.#offer(offer),
    )}</ul>`;
  }

  #offer(offer: Offer): TemplateResult {
    const busy = this.store.busy.has(offer.offer.id);
    return html`<li>
      <div class="top">
        <div class="who">
          <strong>${this.named(offer.customer)}</strong>
          <p>${channelIcon(offer.channel, 16)} ${this.channel(offer.channel)} · ${offer.queue_title || offer.queue}</p>
        </div>
        ${this.#ring(offer)}
      </div>
      ${offer.transfer ? this.#from(offer.transfer) : nothing}
      ${this.preview(offer) ? html`<p class="preview">${this.preview(offer)}</p>` : nothing}
      ${
        this.#declining === offer.offer.id
          ? this.#reasons(offer)
          : html`<div class="actions">
              <button class="button primary" type="button" ?disabled=${busy} @click=${() => void this.store.accept(offer)}>
                ${busy ? html`<span class="spinner"></span>` : icon("check", 16)} ${this.say.accept}
              </button>
              <button class="button" type="button" ?disabled=${busy} @click=${() => this.#ask(offer.offer.id)}>${this.say.decline}</button>
            </div>`
      }
      ${
        offer.why
          ? html`<details @toggle=${() => void this.store.explain(offer.conversation_id)}>
              <summary>${this.say.why} ${icon("down", 14)}</summary>
              <santral-desk-why .desk=${this.desk} .why=${offer.why} .conversation=${offer.conversation_id}></santral-desk-why>
            </details>`
          : nothing
      }
    </li>`;
  }

  #from(transfer: Transfer): TemplateResult {
    return html`<div class="from">
      <strong>${icon("exit", 14)} ${this.say.transferFrom(transfer.giver ?? this.say.agent)}</strong>
      ${transfer.note ? html`<p>${words(transfer.note)}</p>` : nothing}
    </div>`;
  }

  #ring(offer: Offer): TemplateResult {
    const until = Date.parse(offer.offer.until);
    const whole = Math.max(1, until - Date.parse(offer.offer.made_at));
    const left = Math.max(0, until - Date.now());
    const seconds = Math.ceil(left / 1000);
    return html`<div class="ring numbers" role="timer" aria-label=${this.say.secondsLeft(seconds)}>
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <circle cx="16" cy="16" r="13"></circle><circle class="left" cx="16" cy="16" r="13"
          stroke-dasharray=${RING} stroke-dashoffset=${RING * (1 - Math.min(1, left / whole))}></circle>
      </svg>
      ${seconds}
    </div>`;
  }

  #reasons(offer: Offer): TemplateResult {
    return html`<div class="reasons" role="group" aria-label=${this.say.declineWhy}>
      <strong>${this.say.declineWhy}</strong>
      ${Object.entries(this.say.declineReasons).map(
        ([reason, label]) =>
          html`<button class="button" type="button" @click=${() => this.#decline(offer, reason)}>${label}</button>`,
      )}
      <button class="button quiet" type="button" @click=${() => this.#ask(null)}>${this.say.dismiss}</button>
    </div>`;
  }

  #ask(id: string | null): void {
    this.#declining = id;
    this.requestUpdate();
  }

  #decline(offer: Offer, reason: string): void {
    this.#declining = null;
    void this.store.decline(offer, reason);
  }
}

customElements.define("santral-desk-offers", DeskOffers);
