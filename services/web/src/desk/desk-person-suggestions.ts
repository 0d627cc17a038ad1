/** "These may be the same person": who the other is, what speaks for it and against it, and the two answers. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Link, Suggestion } from "../api/people.ts";
import { ApiError } from "../api/problem.ts";
import type { Profile } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import { PersonPart } from "./person-part.ts";
import { personStyles } from "./person-styles.ts";

const LITTLE_BITS = 0.5;

export class DeskPersonSuggestions extends PersonPart {
  static override properties = { ...PersonPart.properties, links: { attribute: false } };
  static override styles = [
    controls,
    personStyles,
    css`
      .evidence li {
        display: grid;
        grid-template-columns: 1.25rem minmax(0, 1fr);
        gap: 0.25rem;
      }
      .for svg {
        color: var(--ok);
      }
      .against svg {
        color: var(--danger);
      }
      svg {
        margin-top: 0.1875rem;
      }
    `,
  ];

  /** The person's ledger, where a claim of one to the other's address stands. */
  declare links: readonly Link[];
  readonly #others = new Map<string, Profile | null>();

  /** The others by name. One whom the role may not see has none. */
  protected override async read(): Promise<void> {
    for (const one of this.#open()) {
      const id = otherOf(one, this.profile.id);
      if (this.#others.has(id)) continue;
      try {
        this.#others.set(id, await this.people.profile(id));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        this.#others.set(id, null);
      }
      this.requestUpdate();
    }
  }

  protected override updated(): void {
    if (this.#open().some((one) => !this.#others.has(otherOf(one, this.profile.id)))) void this.read();
  }

  protected override render(): TemplateResult {
    const open = this.#open();
    return html`${this.tellings()}
      ${
        open.length
          ? html`<section><h3>${this.words.maybeSame}</h3>
              <ul class="list">${open.map((one) => this.#card(one))}</ul>
              <p class="soft small">${this.words.sameMore}</p></section>`
          : nothing
      }`;
  }

  #open(): readonly Suggestion[] {
    return this.store.customers.get(this.store.selected ?? "")?.suggestions ?? [];
  }

  #card(one: Suggestion): TemplateResult {
    const other = this.#others.get(otherOf(one, this.profile.id));
    const name = other ? this.named(other) : other === null ? this.words.unseen : "…";
    const handles = other?.handles.map((handle) => this.handleText(handle)).join(" · ") ?? "";
    const percent = Math.min(99, Math.max(1, Math.round(one.probability * 100)));
    return html`<li class="card">
      <div class="bar"><strong>${name}</strong><span class="chip">${this.words.likely(percent)}</span></div>
      ${handles && handles !== name ? html`<span class="soft small">${handles}</span>` : nothing}
      ${other && this.#claims(other) ? html`<p class="small">${this.words.claimed}</p>` : nothing}
      <ul class="evidence">
        ${one.evidence.map((said) => {
          const [look, label] =
            said.weight > LITTLE_BITS
              ? (["for", this.words.sayFor] as const)
              : said.weight < -LITTLE_BITS
                ? (["against", this.words.sayAgainst] as const)
                : (["", this.words.sayLittle] as const);
          const level = this.words.levels[said.level] ?? said.level;
          return html`<li class=${look} title=${label}>${icon(look === "for" ? "check" : look === "against" ? "close" : "other", 14)}
            <span><span class="unseen">${label}: </span>${this.words.fields[said.field] ?? said.field}: ${level}</span></li>`;
        })}
      </ul>
      <div class="bar">
        <button class="button primary" type="button" ?disabled=${this.busy} @click=${() => void this.#decide(one, true)}>${this.words.same}</button>
        <button class="button" type="button" ?disabled=${this.busy} @click=${() => void this.#decide(one, false)}>${this.words.notSame}</button>
      </div>
    </li>`;
  }

  #claims(other: Profile): boolean {
    const theirs = new Set(other.handles.map((one) => one.id));
    return this.links.some(
      (one) => one.assurance === "asserted" && !one.retracted_at && (theirs.has(one.a) || theirs.has(one.b)),
    );
  }

  #decide(one: Suggestion, same: boolean): Promise<boolean> {
    return this.doing(async () => {
      await this.people.decide(one.id, same);
      return same ? this.words.merged : this.words.rejected;
    });
  }
}

function otherOf(one: Suggestion, own: string): string {
  return one.one_id === own ? one.other_id : one.one_id;
}

customElements.define("santral-desk-person-suggestions", DeskPersonSuggestions);
