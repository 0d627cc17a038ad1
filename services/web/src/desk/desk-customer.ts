/** Who is in front of me: the name, and behind four tabs what is known, why it is one person, what happened, what was noted. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Customer, Profile } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { icon } from "../ui/icons.ts";
import { initials } from "../ui/names.ts";
import { bare, told } from "./attribute.ts";
import "./desk-person-history.ts";
import "./desk-person-identity.ts";
import "./desk-person-notes.ts";
import "./desk-person-summary.ts";
import { DeskPart } from "./part.ts";

const TABS = ["summary", "identity", "history", "notes"] as const;
type Tab = (typeof TABS)[number];

export class DeskCustomer extends DeskPart {
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        background: var(--surface);
        overflow-y: auto;
      }
      .top {
        display: flex;
        align-items: center;
        gap: 0.75rem;
        padding: 1rem 1.25rem 0.75rem;
      }
      .top .avatar {
        width: 3rem;
        height: 3rem;
        font-size: var(--text-4);
      }
      h2 {
        font-size: var(--text-4);
        font-weight: 650;
        line-height: 1.3;
        overflow-wrap: anywhere;
      }
      .tags {
        display: flex;
        flex-wrap: wrap;
        gap: 0.25rem;
        margin-top: 0.25rem;
      }
      .tabs {
        position: sticky;
        top: 0;
        z-index: 1;
        display: flex;
        padding: 0 1rem;
        border-bottom: 1px solid var(--line);
        background: var(--surface);
      }
      #panel {
        margin-top: -1px;
      }
      .tabs button {
        display: inline-flex;
        flex: 1;
        align-items: center;
        justify-content: center;
        gap: 0.25rem;
        padding: 0.5rem 0.125rem;
        border: 0;
        border-bottom: 2px solid transparent;
        background: transparent;
        color: var(--ink-soft);
        font-size: var(--text-2);
        font-weight: 600;
        cursor: pointer;
      }
      .tabs button:focus-visible {
        outline-offset: -2px;
      }
      .tabs button:hover {
        color: var(--ink);
      }
      .tabs button[aria-selected="true"] {
        border-bottom-color: var(--accent);
        color: var(--accent-ink);
      }
      .tabs .chip {
        padding: 0 0.375rem;
      }
    `,
  ];

  #tab: Tab = "summary";
  #conversation: string | null = null;

  protected override willUpdate(): void {
    if (this.#conversation === this.store.selected) return;
    this.#conversation = this.store.selected;
    this.#tab = "summary";
  }

  protected override render(): TemplateResult {
    const id = this.store.selected;
    const from = this.store.thread?.conversation.customer ?? this.store.item?.customer ?? null;
    const known = id ? this.store.customers.get(id) : undefined;
    const profile = known?.profile ?? (from ? profileOf(from) : null);
    if (!profile) return html`<div class="empty">${icon("person", 36)}<span>${this.say.profileNone}</span></div>`;
    const maybe = known?.suggestions.length ?? 0;
    return html`${this.#top(profile)}
      <div class="tabs" role="tablist" aria-label=${this.say.profile} @keydown=${this.#arrows}>
        ${TABS.map(
          (
            one,
          ) => html`<button type="button" role="tab" id="tab-${one}" aria-controls="panel" aria-selected=${this.#tab === one}
            tabindex=${this.#tab === one ? 0 : -1} @click=${() => this.#show(one)}>${this.say.person.tabs[one]}${
              one === "identity" && maybe > 0
                ? html`<span class="chip warn numbers" title=${this.say.person.maybeSame}>${maybe}<span class="unseen"> ${this.say.person.maybeSame}</span></span>`
                : nothing
            }</button>`,
        )}
      </div>
      <div id="panel" role="tabpanel" aria-labelledby="tab-${this.#tab}" @person-tab=${this.#asked}>${this.#panel(profile)}</div>`;
  }

  #top(profile: Profile): TemplateResult {
    const name = this.named(profile);
    const tier = told(profile.attributes.tier ?? "");
    const tags = bare(profile.attributes.tags);
    return html`<div class="top">
      <span class="avatar" aria-hidden="true">${initials(name, this.desk.locale)}</span>
      <div>
        <h2>${name}</h2>
        <div class="tags">
          ${tier ? html`<span class="chip accent">${tier}</span>` : nothing}
          ${Array.isArray(tags) ? tags.map((tag) => html`<span class="chip">${told(tag)}</span>`) : nothing}
        </div>
      </div>
    </div>`;
  }

  /** Only the chosen part is there, so the others read nothing. */
  #panel(profile: Profile): TemplateResult {
    if (this.#tab === "identity")
      return html`<santral-desk-person-identity .desk=${this.desk} .profile=${profile}></santral-desk-person-identity>`;
    if (this.#tab === "history")
      return html`<santral-desk-person-history .desk=${this.desk} .profile=${profile}></santral-desk-person-history>`;
    if (this.#tab === "notes")
      return html`<santral-desk-person-notes .desk=${this.desk} .profile=${profile}></santral-desk-person-notes>`;
    return html`<santral-desk-person-summary .desk=${this.desk} .profile=${profile}></santral-desk-person-summary>`;
  }

  #show(tab: Tab): void {
    this.#tab = tab;
    this.requestUpdate();
  }

  readonly #asked = (event: Event): void => {
    const tab = TABS.find((one) => one === (event as CustomEvent<string>).detail);
    if (tab) this.#show(tab);
  };

  readonly #arrows = async (event: KeyboardEvent): Promise<void> => {
    const at = TABS.indexOf(this.#tab);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = TABS[(to + TABS.length) % TABS.length];
    if (!tab) return;
    this.#show(tab);
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(`#tab-${tab}`)?.focus();
  };
}

/** What is known before the whole profile is: the handle that wrote. */
function profileOf(customer: Customer): Profile {
  return { id: customer.profile_id ?? "", name: customer.name, handles: [customer], attributes: {} };
}

customElements.define("santral-desk-customer", DeskCustomer);
