/** A question before an answer goes where its writer may not expect it: to an address at another domain than the customer's. */
import { css, html, type TemplateResult } from "lit";
import type { Recipient } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import { DeskPart } from "./part.ts";

export class DeskRecipient extends DeskPart {
  static override properties = { ...DeskPart.properties, recipient: { attribute: false }, customer: {} };
  static override styles = [
    controls,
    css`
      .question {
        display: grid;
        gap: 0.5rem;
        padding: 0.875rem 1.25rem;
        border-bottom: 1px solid var(--warn-line);
        background: var(--warn-soft);
        overflow-wrap: anywhere;
      }
      strong {
        display: flex;
        align-items: center;
        gap: 0.375rem;
      }
      p {
        margin: 0;
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem;
      }
    `,
  ];

  declare recipient: Recipient;
  declare customer: string;

  protected override firstUpdated(): void {
    // Not the one that sends: whoever types on and hits Enter must not confirm what they have not read.
    this.renderRoot.querySelector<HTMLElement>("button.quiet")?.focus();
  }

  protected override render(): TemplateResult {
    return html`<div class="question" role="alertdialog" aria-labelledby="title" aria-describedby="text" @keydown=${this.#escape}>
      <strong id="title">${icon("warning", 16)} ${this.say.recipientTitle}</strong>
      <p id="text">${this.say.recipientText(this.recipient.value, this.customer)}</p>
      <div class="bar">
        <button class="button primary" type="button" @click=${() => this.#answer(true)}>${this.say.recipientConfirm(this.recipient.value)}</button>
        <button class="button quiet" type="button" @click=${() => this.#answer(false)}>${this.say.dismiss}</button>
      </div>
    </div>`;
  }

  #answer(confirmed: boolean): void {
    this.dispatchEvent(
      new CustomEvent<boolean>("desk-confirmed", { detail: confirmed, bubbles: true, composed: true }),
    );
  }

  readonly #escape = (event: KeyboardEvent): void => {
    if (event.key === "Escape") this.#answer(false);
  };
}

customElements.define("santral-desk-recipient", DeskRecipient);

declare global {
  interface HTMLElementTagNameMap {
    "santral-desk-recipient": DeskRecipient;
  }
}
