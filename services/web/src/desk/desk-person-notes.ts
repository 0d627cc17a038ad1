/** What colleagues wrote down about the customer, newest first, and a field for the next note. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Actors, Entry } from "../api/people.ts";
import { controls } from "../ui/controls.ts";
import { words } from "../ui/text.ts";
import { PersonPart } from "./person-part.ts";
import { personStyles } from "./person-styles.ts";

const PAGE = 20;
const NOTE_CHARS_MAX = 10_000;

export class DeskPersonNotes extends PersonPart {
  static override styles = [
    controls,
    personStyles,
    css`
      textarea {
        display: block;
        min-height: 4rem;
        max-height: 12rem;
        resize: none;
        field-sizing: content;
      }
      .text {
        white-space: pre-wrap;
      }
    `,
  ];

  #notes: readonly Entry[] | null = null;
  #actors: Actors = {};
  #next: string | null = null;
  /** By person, so that a look at another conversation loses nothing that was typed. */
  readonly #drafts = new Map<string, string>();

  protected override async read(): Promise<void> {
    this.#notes = null;
    await this.#page(null);
  }

  protected override render(): TemplateResult {
    const draft = this.#drafts.get(this.profile.id) ?? "";
    return html`<section>
        <form class="list" @submit=${this.#save}>
          <label class="field-of">${this.words.noteWrite} <span class="soft small">${this.words.noteHint}</span>
            <textarea class="field" name="note" rows="2" maxlength=${NOTE_CHARS_MAX} .value=${draft} @input=${this.#typed}></textarea>
          </label>
          <div class="bar"><button class="button primary" type="submit" ?disabled=${this.busy || !draft.trim()}>${this.words.noteSave}</button></div>
        </form>
      </section>
      <section>${this.#notes ? this.#list(this.#notes) : this.waiting()}</section>`;
  }

  #list(notes: readonly Entry[]): TemplateResult {
    if (notes.length === 0) return html`<p class="soft">${this.words.notesNone}</p>`;
    return html`<ul class="list" aria-label=${this.words.tabs.notes}>${notes.map(
      (one) => html`<li class="card"><p class="text">${words(String(one.data.text ?? ""))}</p>
        <p class="soft small">${this.actor(one.data.actor, this.#actors)} · <time datetime=${one.at}>${this.formats.full(one.at)}</time></p></li>`,
    )}</ul>
    ${this.problem ? this.waiting() : nothing}
    ${
      this.#next && !this.problem
        ? html`<div class="bar"><button class="button" type="button" @click=${() => void this.#page(this.#next)}>${this.words.more}</button></div>`
        : nothing
    }`;
  }

  async #page(cursor: string | null): Promise<void> {
    await this.reading(
      () => this.people.history(this.profile.id, PAGE, cursor, "note"),
      (page) => {
        this.#notes = [...(cursor ? (this.#notes ?? []) : []), ...page.items];
        this.#actors = { ...this.#actors, ...page.actors };
        this.#next = page.next;
      },
    );
  }

  readonly #typed = (event: Event): void => {
    this.#drafts.set(this.profile.id, (event.target as HTMLTextAreaElement).value);
    this.requestUpdate();
  };

  readonly #save = async (event: Event): Promise<void> => {
    event.preventDefault();
    const { id } = this.profile;
    const text = (this.#drafts.get(id) ?? "").trim();
    if (!text || this.busy) return;
    const saved = await this.store.perform(`person:${id}`, () => this.people.write(id, text));
    if (!saved) return; // the page tells why, and the text stays in the field
    this.#drafts.delete(id);
    await this.#page(null);
  };
}

customElements.define("santral-desk-person-notes", DeskPersonNotes);
