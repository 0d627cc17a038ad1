/** Why the customer is one person, link by link; and "these are two people", by choosing the link. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Explanation, Link, Links } from "../api/people.ts";
import type { Handle } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import "./desk-person-merge.ts";
import "./desk-person-suggestions.ts";
import { sides, uncounted } from "./person-evidence.ts";
import { PersonPart } from "./person-part.ts";
import { personStyles } from "./person-styles.ts";

/** How much evidence is shown at once: a reception's address can have hundreds of links. */
const PAGE = 40;

export class DeskPersonIdentity extends PersonPart {
  static override styles = [
    controls,
    personStyles,
    css`
      .ends {
        display: grid;
        grid-template-columns: 1.125rem minmax(0, 1fr);
        gap: 0.25rem 0.375rem;
      }
      .ends svg {
        grid-row: span 2;
        align-self: center;
        color: var(--accent-ink);
      }
      .ends span,
      .apart li {
        overflow-wrap: anywhere;
      }
      .apart {
        display: grid;
        gap: 0.25rem;
        padding-left: 1.25rem;
        list-style: decimal;
      }
      .path {
        display: grid;
        gap: 0.375rem;
        padding-left: 1.25rem;
        list-style: decimal;
        font-size: var(--text-2);
      }
    `,
  ];

  #links: Links | null = null;
  #chosen = "";
  #shown = PAGE;
  readonly #paths = new Map<string, Explanation>();

  protected override async read(): Promise<void> {
    this.#chosen = "";
    this.#shown = PAGE;
    this.#paths.clear();
    await this.reading(
      () => this.people.links(this.profile.id),
      (links) => {
        this.#links = links;
      },
    );
  }

  protected override render(): TemplateResult {
    return html`${this.tellings()}
      <santral-desk-person-suggestions .desk=${this.desk} .profile=${this.profile} .links=${this.#links?.items ?? []}></santral-desk-person-suggestions>
      <section><h3>${this.words.whyOne}</h3>${this.#links && !this.problem ? this.#evidence(this.#links) : this.waiting()}</section>
      ${this.#explained()}
      <santral-desk-person-merge .desk=${this.desk} .profile=${this.profile}></santral-desk-person-merge>`;
  }

  #evidence(links: Links): TemplateResult {
    const own = new Set(this.#own());
    const counting = links.items.filter((one) => uncounted(one, own) === null);
    const others = links.items.filter((one) => uncounted(one, own) !== null);
    return html`${
      counting.length === 0
        ? html`<p class="soft small">${this.words.oneHandle}</p>`
        : html`<ul class="list">${counting.slice(0, this.#shown).map((one) => html`<li class="card">${this.#link(one, links)}${this.#choice(one, counting)}</li>`)}</ul>
            ${this.#rest(counting)}`
    }
    ${
      others.length
        ? html`<details><summary>${this.words.notCounted(others.length)}</summary>
            <ul class="list">${others.slice(0, this.#shown).map((one) => {
              const why = uncounted(one, own);
              const by = why === "retracted" ? this.actor(one.retracted_by, links.actors) : "";
              return html`<li class="card">${this.#link(one, links)}
                <p class="soft small"><span class="chip">${why ? this.words[why] : nothing}</span> ${by}</p></li>`;
            })}</ul>${this.#rest(others)}</details>`
        : nothing
    }`;
  }

  #link(link: Link, { actors }: Links): TemplateResult {
    const first = this.formats.date(link.first_seen_at);
    const last = this.formats.date(link.last_seen_at);
    const reason = typeof link.evidence.reason === "string" ? link.evidence.reason : "";
    const facts = [
      link.kind === "agent" || !link.actor ? "" : this.actor(link.actor, actors),
      this.say.assurance[link.assurance] ?? link.assurance,
      first === last ? first : `${this.words.seenOn(first)}, ${this.words.lastOn(last)}`,
    ];
    const who = link.kind === "agent" ? this.actor(link.actor, actors) : "";
    return html`<div class="ends">${icon("link", 18)}<span>${this.#handle(link.a)}</span><span>${this.#handle(link.b)}</span></div>
      <p class="small">${this.words.kinds[link.kind] ?? link.kind}${who ? ` (${who})` : nothing}
        ${reason && !reason.startsWith("suggestion ") ? html`<br />“${reason}”` : nothing}
        <br /><span class="soft">${facts.filter(Boolean).join(" · ")}</span></p>`;
  }

  #choice(link: Link, counting: readonly Link[]): TemplateResult {
    if (this.#chosen !== link.id)
      return html`<button class="plain" type="button" @click=${() => this.#choose(link.id)}>${this.words.separate}</button>`;
    const two = sides(link, counting, this.#own());
    return html`<form class="card ask" @submit=${(event: Event) => this.#separate(event, link)} @keydown=${this.#escape}>
      ${
        two
          ? html`<strong>${this.words.separateWill}</strong>
              <ol class="apart">${two.map((side) => html`<li>${side.map((id) => this.#text(id)).join(" · ")}</li>`)}</ol>`
          : html`<strong>${this.words.separateOther}</strong>`
      }
      <p class="small">${this.words.separateMore}</p>
      <label class="choice"><input type="checkbox" name="apart" checked /><span>${this.words.keepApart}</span></label>
      <input class="field" name="reason" maxlength="500" autocomplete="off" placeholder=${this.words.reason} aria-label=${this.words.reason} />
      <div class="bar">
        <button class="button primary" type="submit" ?disabled=${this.busy}>${this.words.separateDo}</button>
        <button class="button quiet" type="button" @click=${() => this.#choose("")}>${this.words.cancel}</button>
      </div>
    </form>`;
  }

  /** For more than two addresses: the chain from the one that writes here to each other. */
  #explained(): TemplateResult | typeof nothing {
    const writes = this.#writer();
    const others = this.profile.handles.filter((one) => one.id && one.id !== writes?.id);
    if (!writes?.id || others.length < 2) return nothing;
    return html`<section><details><summary>${this.words.path}</summary>
      <p class="soft small">${this.words.pathFrom(this.handleText(writes))}</p>
      <ul class="list">${others.map((one) => {
        const found = this.#paths.get(one.id ?? "");
        return html`<li><span class="small">${this.handleText(one)}</span>
          ${
            found
              ? this.#steps(found)
              : html`<button class="plain" type="button" aria-label="${this.words.pathShow}: ${this.handleText(one)}"
                  @click=${() => void this.#explain(writes.id ?? "", one.id ?? "")}>${this.words.pathShow}</button>`
          }</li>`;
      })}</ul></details></section>`;
  }

  #steps(found: Explanation): TemplateResult {
    if (found.path.length === 0) return html`<p class="soft small">${this.words.pathNone}</p>`;
    return html`<ol class="path">${found.path.map(
      ({ from_handle, to_handle, link }) =>
        html`<li>${this.#text(from_handle)} – ${this.#text(to_handle)}<br />
          <span class="soft">${this.words.kinds[link.kind] ?? link.kind} · ${this.formats.date(link.first_seen_at)}</span></li>`,
    )}</ol>`;
  }

  async #explain(from: string, to: string): Promise<void> {
    await this.reading(
      () => this.people.explain(from, to),
      (found) => {
        this.#paths.set(to, found);
      },
    );
  }

  async #choose(id: string): Promise<void> {
    this.#chosen = id;
    this.requestUpdate();
    await this.updateComplete;
    if (id) this.renderRoot.querySelector<HTMLElement>(".ask input")?.focus();
  }

  async #separate(event: Event, link: Link): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const reason = String(form.get("reason") ?? "").trim();
    await this.doing(async () => {
      const { apart } = await this.people.unmerge(this.profile.id, link.id, form.has("apart"), reason);
      return apart ? this.words.separated : this.words.notSeparated;
    });
  }

  #rest(links: readonly Link[]): TemplateResult | typeof nothing {
    if (links.length <= this.#shown) return nothing;
    return html`<div class="bar"><button class="button" type="button" @click=${this.#more}>${this.words.more}</button></div>`;
  }

  readonly #more = (): void => {
    this.#shown += PAGE;
    this.requestUpdate();
  };

  readonly #escape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    void this.#choose("");
  };

  #own(): readonly string[] {
    return this.profile.handles.map((one) => one.id ?? "").filter(Boolean);
  }

  /** The handle that writes in the open conversation, else the first. */
  #writer(): Handle | undefined {
    const from = this.store.thread?.conversation.customer;
    const { handles } = this.profile;
    return handles.find((one) => one.kind === from?.kind && one.value === from.value) ?? handles[0];
  }

  #handle(id: string): TemplateResult {
    const found = this.profile.handles.find((one) => one.id === id);
    if (!found) return html`<span class="soft">${this.words.elsewhere}</span>`;
    return html`<span class="faint small">${this.kind(found)}</span> ${found.kind === "visitor" ? found.value.slice(-8) : found.value}`;
  }

  #text(id: string): string {
    const found = this.profile.handles.find((one) => one.id === id);
    return found ? this.handleText(found) : this.words.elsewhere;
  }
}

customElements.define("santral-desk-person-identity", DeskPersonIdentity);
