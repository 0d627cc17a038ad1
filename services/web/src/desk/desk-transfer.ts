/** Handing an item over: to whom, a note for them, and until somebody took it the way back. */
import { css, html, nothing, type TemplateResult } from "lit";
import { ApiError } from "../api/problem.ts";
import type { Item, Targets } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import { DeskPart } from "./part.ts";

const NOTE_CHARS_MAX = 4000;

export class DeskTransfer extends DeskPart {
  static override properties = { ...DeskPart.properties, item: { attribute: false } };
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        border-bottom: 1px solid var(--line);
        background: var(--canvas);
      }
      form,
      .way {
        display: grid;
        gap: 0.625rem;
        padding: 0.875rem 1.25rem;
      }
      .way {
        grid-template-columns: 1fr auto;
        align-items: center;
      }
      label {
        display: grid;
        gap: 0.25rem;
        font-size: var(--text-2);
        font-weight: 600;
      }
      label small {
        color: var(--ink-soft);
        font-size: var(--text-1);
        font-weight: 400;
      }
      textarea {
        min-height: 3.5rem;
        resize: none;
        field-sizing: content;
        font-weight: 400;
      }
      select {
        font-weight: 400;
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.5rem;
      }
      .problem {
        color: var(--danger);
        font-size: var(--text-2);
      }
    `,
  ];

  declare item: Item;
  #targets: Targets | null = null;
  #problem = "";

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.item.transfer) void this.#read();
  }

  protected override render(): TemplateResult {
    return this.item.transfer ? this.#way() : this.#form();
  }

  async #read(): Promise<void> {
    try {
      this.#targets = await this.store.api.targets();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#problem = error.problem.detail || error.problem.title;
    }
    this.requestUpdate();
    await this.updateComplete;
    this.renderRoot.querySelector("select")?.focus();
  }

  #form(): TemplateResult {
    if (this.#problem) return html`<p class="way problem" role="alert">${this.#problem}</p>`;
    if (!this.#targets) return html`<p class="way"><span class="spinner"></span></p>`;
    const { agents, queues } = this.#targets;
    const busy = this.store.busy.has(this.item.id);
    return html`<form @submit=${this.#send}>
      <label>${this.say.transferTo}
        <select class="field" name="target" required>
          <option value="">${this.say.transferChoose}</option>
          ${
            agents.length
              ? html`<optgroup label=${this.say.transferAgents}>
                  ${agents.map(
                    (one) =>
                      html`<option value="agent:${one.id}">${one.name} · ${this.say.presences[one.presence] ?? one.presence} · ${this.say.capacityOf(one.used, one.budget)}</option>`,
                  )}
                </optgroup>`
              : nothing
          }
          <optgroup label=${this.say.transferQueues}>
            ${queues.map((one) => html`<option value="queue:${one.name}">${one.title || one.name}</option>`)}
          </optgroup>
        </select>
      </label>
      <label>${this.say.transferNote} <small>${this.say.transferNoteHint}</small>
        <textarea class="field" name="note" rows="2" maxlength=${NOTE_CHARS_MAX}></textarea>
      </label>
      <div class="bar">
        <button class="button primary" type="submit" ?disabled=${busy}>
          ${busy ? html`<span class="spinner"></span>` : icon("exit", 16)} ${this.say.transfer}
        </button>
        <button class="button quiet" type="button" @click=${this.#close}>${this.say.dismiss}</button>
      </div>
    </form>`;
  }

  /** What I gave away and nobody took yet. */
  #way(): TemplateResult {
    const busy = this.store.busy.has(this.item.id);
    return html`<div class="way" role="status">
      <span>${icon("exit", 16)} ${this.say.transferWay(this.item.queue_title || this.item.queue)}</span>
      ${
        this.item.state === "queued"
          ? html`<button class="button" type="button" ?disabled=${busy} @click=${() => void this.store.takeBack(this.item)}>
              ${icon("back", 16)} ${this.say.transferBack}
            </button>`
          : nothing
      }
    </div>`;
  }

  readonly #send = async (event: Event): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const [kind, ...rest] = String(form.get("target")).split(":");
    const to = rest.join(":");
    const note = String(form.get("note") ?? "").trim();
    const target = kind === "agent" ? { to_agent: to } : { to_queue: to };
    if (await this.store.transfer(this.item, { ...target, note })) this.#close();
  };

  readonly #close = (): void => {
    this.dispatchEvent(new CustomEvent("desk-close", { bubbles: true, composed: true }));
  };
}

customElements.define("santral-desk-transfer", DeskTransfer);
