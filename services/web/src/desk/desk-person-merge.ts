/** Joining the customer with another record: found by search, then said in words what will happen, then done. */
import { html, nothing, type TemplateResult } from "lit";
import type { Found } from "../api/people.ts";
import { ApiError } from "../api/problem.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import { PersonPart } from "./person-part.ts";
import { personStyles } from "./person-styles.ts";

export class DeskPersonMerge extends PersonPart {
  static override styles = [controls, personStyles];

  #open = false;
  #found: readonly Found[] | null = null;
  #chosen: Found | null = null;
  /** Somebody said before that they are two people; saying otherwise needs a word of its own. */
  #apart = false;

  protected override async read(): Promise<void> {
    this.#reset(false);
  }

  protected override render(): TemplateResult {
    return html`${this.tellings()}<section @keydown=${this.#escape}>
      ${
        this.#open
          ? html`<h3>${this.words.merge}</h3>${this.#search()} ${this.#chosen ? this.#ask(this.#chosen) : this.#results()}`
          : html`<button class="button" type="button" aria-expanded="false" @click=${() => void this.#show()}>${icon("link", 16)} ${this.words.merge}</button>`
      }
    </section>`;
  }

  #search(): TemplateResult {
    return html`<form role="search" class="list" @submit=${this.#look}>
      <input class="field" type="search" name="text" maxlength="200" required autocomplete="off"
        placeholder=${this.words.mergeFind} aria-label=${this.words.mergeFind} />
      <div class="bar">
        <button class="button primary" type="submit" ?disabled=${this.busy}>${this.words.mergeSearch}</button>
        <button class="button quiet" type="button" @click=${() => this.#reset(false)}>${this.words.cancel}</button>
      </div>
    </form>`;
  }

  #results(): TemplateResult | typeof nothing {
    if (this.problem)
      return html`<div class="notice danger" role="alert">${icon("warning", 16)}<span>${this.problem}</span></div>`;
    if (!this.#found) return nothing;
    if (this.#found.length === 0) return html`<p class="soft small" role="status">${this.words.mergeNone}</p>`;
    return html`<p class="small">${this.words.mergeChoose}</p>
      <ul class="where" aria-label=${this.words.mergeChoose}>${this.#found.map(
        (one) => html`<li><button type="button" @click=${() => void this.#choose(one)}>
          ${icon("person", 16)}<span>${this.#name(one)}</span><span class="faint small">${one.handles.length}</span></button></li>`,
      )}</ul>`;
  }

  #ask(other: Found): TemplateResult {
    return html`<form class="card ask" @submit=${(event: Event) => this.#merge(event, other)}>
      <strong>${this.words.mergeWill(this.named(this.profile), this.#name(other))}</strong>
      <p class="soft small">${other.handles.map((one) => this.handleText(one)).join(" · ")}</p>
      <p class="small">${this.words.mergeMore}</p>
      ${this.problem ? html`<div class="notice danger" role="alert">${icon("warning", 16)}<span>${this.problem}</span></div>` : nothing}
      <input class="field" name="reason" maxlength="500" autocomplete="off" placeholder=${this.words.reason} aria-label=${this.words.reason} />
      <div class="bar">
        <button class="button primary" type="submit" ?disabled=${this.busy}>${this.#apart ? this.words.mergeAnyway : this.words.mergeDo}</button>
        <button class="button quiet" type="button" @click=${() => this.#reset(true)}>${this.words.cancel}</button>
      </div>
    </form>`;
  }

  readonly #look = async (event: Event): Promise<void> => {
    event.preventDefault();
    const text = String(new FormData(event.target as HTMLFormElement).get("text") ?? "").trim();
    if (!text) return;
    this.#chosen = null;
    await this.reading(
      () => this.people.search(text),
      ({ items }) => {
        this.#found = items.filter((one) => one.id !== this.profile.id);
      },
    );
  };

  async #choose(one: Found): Promise<void> {
    this.#chosen = one;
    this.#apart = false;
    this.problem = "";
    this.requestUpdate();
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(".ask input")?.focus();
  }

  async #merge(event: Event, other: Found): Promise<void> {
    event.preventDefault();
    const reason = String(new FormData(event.target as HTMLFormElement).get("reason") ?? "").trim();
    const overrule = this.#apart;
    this.problem = "";
    await this.doing(async () => {
      try {
        await this.people.merge(this.profile.id, other.id, reason, overrule);
      } catch (error) {
        const rule = error instanceof ApiError ? error.problem.rule : undefined;
        if (!(error instanceof ApiError) || !rule) throw error;
        // Told here, where something else can be chosen; one of the rules can be overruled.
        this.problem = this.words.rules[rule] ?? this.problemText(error);
        this.#apart = rule === "cannot_link";
        return "";
      }
      return this.words.merged;
    });
  }

  async #show(): Promise<void> {
    this.#reset(true);
    await this.updateComplete;
    this.renderRoot.querySelector("input")?.focus();
  }

  #reset(open: boolean): void {
    this.#open = open;
    this.#found = null;
    this.#chosen = null;
    this.#apart = false;
    this.problem = "";
    this.requestUpdate();
  }

  readonly #escape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.#reset(false);
  };

  #name(one: Found): string {
    const [first] = one.handles;
    return one.name || (first ? this.handleText(first) : this.say.unknownCustomer);
  }
}

customElements.define("santral-desk-person-merge", DeskPersonMerge);
