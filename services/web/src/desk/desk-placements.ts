/** Arranging the open conversation: merging it into another, messages into a new one or another, and what was done, with its undo. */
import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { type Operation, PlacementsApi } from "../api/placements.ts";
import { ApiError } from "../api/problem.ts";
import type { Conversation } from "../api/vocabulary.ts";
import type { PlacementMessages } from "../i18n/desk-placement-tr.ts";
import { controls } from "../ui/controls.ts";
import { channelIcon, icon } from "../ui/icons.ts";
import { DeskPart } from "./part.ts";

export type PlacementMode = "merge" | "pick" | "list";

const MODES: readonly PlacementMode[] = ["merge", "pick", "list"];
const NEW = "new";
const BY_ID = "id";

export class DeskPlacements extends DeskPart {
  static override properties = { ...DeskPart.properties, mode: {}, picked: { attribute: false } };
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        max-height: 60%;
        border-bottom: 1px solid var(--line);
        background: var(--canvas);
        overflow-y: auto;
      }
      .frame,
      form,
      fieldset,
      .list {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.625rem;
      }
      .frame {
        padding: 0.75rem 1.25rem 0.875rem;
        font-size: var(--text-2);
      }
      fieldset {
        gap: 0.25rem;
        min-width: 0;
        margin: 0;
        padding: 0;
        border: 0;
      }
      legend {
        margin-bottom: 0.25rem;
        padding: 0;
        font-weight: 600;
      }
      fieldset label {
        display: grid;
        grid-template-columns: auto auto minmax(0, 1fr) auto;
        gap: 0.5rem;
        align-items: center;
        padding: 0.25rem 0;
      }
      fieldset label.bare {
        grid-template-columns: auto minmax(0, 1fr);
      }
      label input[type="radio"] {
        margin: 0;
      }
      label span:first-of-type {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        gap: 0.5rem;
        align-items: center;
      }
      .bar .field {
        flex: 1 1 14rem;
        width: auto;
      }
      .bar .last {
        margin-left: auto;
      }
      .modes .button[aria-pressed="true"] {
        border-color: var(--accent);
        background: var(--accent-soft);
        color: var(--accent-ink);
      }
      .list li {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 0.125rem 0.75rem;
        align-items: center;
        padding: 0.5rem 0.75rem;
        border: 1px solid var(--line);
        border-radius: var(--radius-small);
        background: var(--surface);
      }
      .list p {
        grid-column: 1;
        overflow-wrap: anywhere;
      }
      .list .do {
        grid-column: 2;
        grid-row: 1 / span 3;
      }
      button.plain {
        padding: 0;
        border: 0;
        background: transparent;
        color: var(--accent-ink);
        font-size: var(--text-1);
        font-weight: 600;
        text-decoration: underline;
        text-underline-offset: 0.15em;
        cursor: pointer;
      }
      .wait {
        display: grid;
        place-items: center;
      }
      .told {
        color: var(--accent-ink);
        font-weight: 600;
      }
      .field {
        background: var(--surface);
      }
      @media (max-width: 900px) {
        .frame {
          padding: 0.625rem 0.75rem;
        }
      }
    `,
  ];

  declare mode: PlacementMode;
  declare picked: readonly string[];
  #operations: readonly Operation[] | null = null;
  #target = "";
  #told = "";
  #other = "";
  #problem = "";
  #conversation: string | null = null;

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    if (this.#conversation === this.store.selected) return;
    this.#conversation = this.store.selected;
    this.#target = "";
    this.#told = "";
    this.#operations = null;
    void this.#read();
  }

  protected override render(): TemplateResult {
    return html`<div class="frame" @keydown=${this.#escape}>
      <div class="bar modes" role="group" aria-label=${this.words.open}>
        ${this.#modes().map(
          (one) => html`<button class="button" type="button" aria-pressed=${this.mode === one}
            @click=${() => this.#show(one)}>${this.words.modes[one]}${
              one === "list" && this.#operations?.length
                ? html` <span class="chip numbers">${this.#operations.length}</span>`
                : nothing
            }</button>`,
        )}
        <button class="button quiet icon last" type="button" aria-label=${this.say.dismiss} @click=${this.#close}>${icon("close", 16)}</button>
      </div>
      ${
        this.#told
          ? html`<p class="told" role="status">${this.#told}
              ${this.#other ? html`<button class="plain" type="button" @click=${() => this.#go(this.#other)}>${this.words.other}</button>` : nothing}</p>`
          : nothing
      }
      ${this.mode === "list" ? this.#list() : this.#form()}
    </div>`;
  }

  #form(): TemplateResult {
    const pick = this.mode === "pick";
    const several = this.picked.length > 1;
    const chosen = this.#chosen();
    const splits = pick && chosen === NEW;
    const label = !pick ? this.words.merge : splits ? this.words.split : this.words.move;
    const ready = chosen !== "" && (!pick || this.picked.length > 0);
    return html`<form @submit=${this.#submit}>
      <p class="soft">${pick ? this.words.pickWill : this.words.mergeWill}</p>
      ${pick ? html`<p role="status"><strong>${this.words.picked(this.picked.length)}</strong></p>` : nothing}
      <fieldset>
        <legend>${pick ? this.words.to : this.words.into}</legend>
        ${pick ? this.#choice(NEW, icon("chat", 16), this.words.newOne, "") : nothing}
        ${
          several
            ? nothing
            : html`${this.#nearby().map((one) =>
                this.#choice(
                  one.id,
                  channelIcon(one.channel, 16),
                  one.subject || this.preview(one) || this.channel(one.channel),
                  this.formats.ago(one.opened_at),
                ),
              )}
              <label class="bare"><input type="radio" name="target" value=${BY_ID} .checked=${chosen === BY_ID} @change=${this.#choose} />
                <span>${this.words.byId}</span></label>`
        }
      </fieldset>
      ${
        chosen === BY_ID
          ? html`<input class="field" name="id" required pattern="[0-9a-fA-F\\-]{36}" autocomplete="off" spellcheck="false"
              placeholder=${this.words.id} aria-label=${this.words.id} title=${this.words.id} />`
          : nothing
      }
      <div class="bar">
        <input class="field" name="reason" maxlength="500" autocomplete="off" placeholder=${this.words.reason} aria-label=${this.words.reason} />
        <button class="button primary" type="submit" ?disabled=${this.#busy || !ready}>${label}</button>
      </div>
    </form>`;
  }

  #choice(id: string, sign: TemplateResult, text: string, when: string): TemplateResult {
    return html`<label><input type="radio" name="target" value=${id} .checked=${this.#chosen() === id} @change=${this.#choose} />
      ${sign}<span>${text}</span><span class="faint small">${when}</span></label>`;
  }

  #list(): TemplateResult {
    if (this.#problem)
      return html`<div class="notice danger" role="alert">${icon("warning", 16)}<span>${this.#problem}</span></div>
        <div class="bar"><button class="button" type="button" @click=${() => void this.#read()}>${this.say.retry}</button></div>`;
    if (!this.#operations)
      return html`<p class="wait"><span class="spinner"></span><span class="unseen">${this.say.loading}</span></p>`;
    if (this.#operations.length === 0) return html`<p class="soft">${this.words.none}</p>`;
    return html`<ul class="list" aria-label=${this.words.modes.list}>${this.#operations.map((one) => this.#operation(one))}</ul>`;
  }

  #operation(one: Operation): TemplateResult {
    const out = one.from === this.store.selected;
    const mine = one.actor.kind === "agent" && one.actor.id === this.store.me?.id;
    const who = mine ? this.say.you : (one.actor.name ?? this.say.person.system);
    const where = out ? this.words.outOf : this.words.hither;
    const other = out ? one.to : one.from;
    return html`<li>
      <p><strong>${this.words.kinds[one.kind]}</strong> · ${where} · ${this.words.messages(one.messages.length)}</p>
      <p class="soft small">${who} · <time datetime=${one.at}>${this.formats.full(one.at)}</time>${one.reason ? html` · “${one.reason}”` : nothing}</p>
      <p class="small">${other ? html`<button class="plain" type="button" @click=${() => this.#go(other)}>${this.words.other}</button>` : nothing}
        ${one.undone_at || one.undoable ? nothing : html`<span class="soft">${this.words.blocked}</span>`}</p>
      <div class="do">${
        one.undone_at
          ? html`<span class="chip">${this.words.undone}</span>`
          : html`<button class="button" type="button" title=${one.why_not ?? ""} ?disabled=${!one.undoable || this.#busy}
              @click=${() => void this.#undo(one)}>${icon("back", 16)} ${this.words.undo}</button>`
      }</div>
    </li>`;
  }

  /** From a conversation that is gone into another nothing can be taken; only its undo is left. */
  #modes(): readonly PlacementMode[] {
    return this.store.thread?.conversation.merged_into ? ["list"] : MODES;
  }

  get words(): PlacementMessages {
    return this.say.placement;
  }

  get #busy(): boolean {
    return this.store.busy.has(`placement:${this.#conversation}`);
  }

  get #api(): PlacementsApi {
    return new PlacementsApi(this.store.api.client);
  }

  /** The person's other conversations that are there, open ones first. */
  #nearby(): readonly Conversation[] {
    const known = this.store.customers.get(this.store.selected ?? "")?.timeline ?? [];
    const others = known.filter((one) => one.id !== this.store.selected && !one.merged_into);
    return [
      ...others.filter((one) => one.state === "open"),
      ...others.filter((one) => one.state !== "open").slice(0, 3),
    ];
  }

  /** The chosen target; several messages can only become a new conversation. */
  #chosen(): string {
    if (this.mode === "pick") return this.picked.length > 1 ? NEW : this.#target || NEW;
    return this.#target === NEW ? "" : this.#target;
  }

  async #read(): Promise<void> {
    const id = this.store.selected;
    if (!id) return;
    this.#problem = "";
    try {
      const found = await this.#api.list(id);
      if (id === this.store.selected) this.#operations = found;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#problem = error.problem.detail || error.problem.title;
    }
    this.requestUpdate();
  }

  readonly #choose = (event: Event): void => {
    this.#target = (event.target as HTMLInputElement).value;
    this.requestUpdate();
  };

  readonly #submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const id = this.store.selected;
    if (!id) return;
    const form = new FormData(event.target as HTMLFormElement);
    const reason = String(form.get("reason") ?? "").trim();
    const chosen = this.#chosen();
    const target = chosen === BY_ID ? String(form.get("id") ?? "").trim() : chosen;
    if (this.mode === "merge") await this.#done("merge", () => this.#api.merge(id, target, reason), target);
    else if (chosen === NEW) await this.#done("split", () => this.#api.split(id, this.picked, reason), id);
    else await this.#done("move", () => this.#api.move(this.picked[0] ?? "", target, reason), id);
  };

  #undo(one: Operation): Promise<void> {
    return this.#done("undo", () => this.#api.undo(one.id), this.store.selected ?? "");
  }

  /** Runs a command, tells what it did, and shows the conversation where the messages are, or are no more, as it is then. */
  async #done(what: string, command: () => Promise<Operation>, shown: string): Promise<void> {
    const made: Operation[] = [];
    await this.store.perform(`placement:${this.#conversation}`, async () => {
      made.push(await command());
    });
    const [operation] = made;
    if (!operation) return;
    this.#show("list");
    this.#target = "";
    this.#told = this.words.done[what] ?? "";
    this.#other = (operation.to === shown ? operation.from : operation.to) ?? "";
    if (shown !== this.#conversation) this.#operations = null;
    this.#conversation = shown; // its list is read here, after the command
    await this.store.select(shown);
    await this.#read();
  }

  #go(id: string): void {
    this.#told = "";
    void this.store.select(id);
  }

  #show(mode: PlacementMode): void {
    this.#told = "";
    this.dispatchEvent(new CustomEvent("placement-mode", { detail: mode, bubbles: true, composed: true }));
  }

  readonly #close = (): void => {
    this.dispatchEvent(new CustomEvent("placement-close", { bubbles: true, composed: true }));
  };

  readonly #escape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.#close();
  };
}

customElements.define("santral-desk-placements", DeskPlacements);
