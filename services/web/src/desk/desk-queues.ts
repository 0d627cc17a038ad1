/** The queues I work in: how many wait, and, where agents may help themselves, a way to take the next one. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { DeskQueue } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { DeskPart } from "./part.ts";

export class DeskQueues extends DeskPart {
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        padding-bottom: 1rem;
      }
      li {
        display: flex;
        align-items: center;
        gap: 0.5rem;
        min-height: 2.125rem;
        padding: 0.125rem 1rem;
        font-size: var(--text-2);
      }
      .name {
        flex: 1;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .button {
        min-height: 1.75rem;
        padding: 0 0.625rem;
      }
    `,
  ];

  protected override render(): TemplateResult {
    return html`<ul>${(this.store.desk?.queues ?? []).map((queue) => this.#queue(queue))}</ul>`;
  }

  #queue(queue: DeskQueue): TemplateResult {
    const pull = queue.mode !== "push" && queue.waiting > 0;
    const busy = this.store.busy.has(`claim:${queue.name}`);
    return html`<li>
      <span class="name">${queue.title || queue.name}</span>
      <span class="${queue.waiting > 0 ? "" : "faint"} numbers">${this.say.waiting(queue.waiting)}</span>
      ${
        pull
          ? html`<button class="button" type="button" ?disabled=${busy} @click=${() => void this.store.claimNext(queue)}>
              ${this.say.take}
            </button>`
          : nothing
      }
    </li>`;
  }
}

customElements.define("santral-desk-queues", DeskQueues);
