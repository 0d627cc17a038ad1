/** The decision record of an offer or an item, in sentences. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Why } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { DeskPart } from "./part.ts";
import { reasons } from "./why.ts";

export class DeskWhy extends DeskPart {
  static override properties = { ...DeskPart.properties, why: { attribute: false }, conversation: {} };
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        font-size: var(--text-2);
      }
      dl {
        display: grid;
        grid-template-columns: max-content 1fr;
        gap: 0.25rem 0.75rem;
        line-height: 1.4;
      }
      dt {
        color: var(--ink-faint);
      }
      dd {
        overflow-wrap: anywhere;
      }
    `,
  ];

  declare why: Why | null;
  declare conversation: string;

  protected override render(): TemplateResult | typeof nothing {
    if (!this.why) return nothing;
    const found = reasons(
      this.why,
      this.store.routes.get(this.conversation) ?? this.why,
      this.store.me?.id ?? "",
      this.say,
      (at) => this.desk.formats.full(at),
    );
    if (found.length === 0) return html`<p class="soft">${this.why.summary ?? ""}</p>`;
    return html`<dl>${found.map((one) => html`<dt>${one.label}</dt><dd>${one.text}</dd>`)}</dl>`;
  }
}

customElements.define("santral-desk-why", DeskWhy);
