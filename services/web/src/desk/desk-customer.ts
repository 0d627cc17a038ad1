/** Who is in front of me: name, handles with how sure we are of them, what is known, and what happened before. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Conversation, Customer, Handle, Profile } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { channelIcon, icon } from "../ui/icons.ts";
import { initials } from "../ui/names.ts";
import "./desk-why.ts";
import { DeskPart } from "./part.ts";

const SHOWN_ELSEWHERE: ReadonlySet<string> = new Set(["name", "tier", "tags"]);

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
        padding: 1rem 1.25rem;
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
      section {
        padding: 0.875rem 1.25rem;
        border-top: 1px solid var(--line);
      }
      h3 {
        margin-bottom: 0.5rem;
        color: var(--ink-faint);
        font-size: var(--text-1);
        font-weight: 600;
        letter-spacing: 0.02em;
      }
      .handles {
        display: grid;
        gap: 0.5rem;
      }
      .handles li {
        display: grid;
        grid-template-columns: 1fr auto;
        align-items: center;
        gap: 0 0.5rem;
      }
      .handles small {
        color: var(--ink-faint);
        font-size: var(--text-1);
        line-height: 1.2;
      }
      .handles .value {
        grid-column: 1 / -1;
        overflow-wrap: anywhere;
      }
      dl {
        display: grid;
        grid-template-columns: minmax(5.5rem, max-content) 1fr;
        gap: 0.3125rem 0.75rem;
        font-size: var(--text-2);
      }
      dt {
        color: var(--ink-faint);
      }
      dd {
        overflow-wrap: anywhere;
      }
      .tags {
        display: flex;
        flex-wrap: wrap;
        gap: 0.25rem;
        margin-top: 0.25rem;
      }
      .past {
        display: grid;
        gap: 0.125rem;
        margin: 0 -0.5rem;
      }
      .past button {
        display: grid;
        grid-template-columns: auto 1fr auto;
        gap: 0.5rem;
        align-items: center;
        width: 100%;
        padding: 0.375rem 0.5rem;
        border: 0;
        border-radius: var(--radius-small);
        background: transparent;
        font-size: var(--text-2);
        text-align: left;
        cursor: pointer;
      }
      .past button:hover {
        background: var(--sunken);
      }
      .past button[aria-current="true"] {
        background: var(--accent-soft);
      }
      .past span:nth-of-type(1) {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
    `,
  ];

  protected override render(): TemplateResult {
    const id = this.store.selected;
    if (!id) return html`<div class="empty">${icon("person", 36)}<span>${this.say.profileNone}</span></div>`;
    const item = this.store.item;
    const known = this.store.customers.get(id);
    const from = this.store.thread?.conversation.customer ?? item?.customer ?? null;
    const profile = known?.profile ?? (from ? profileOf(from) : null);
    const why = item?.why ?? null;
    return html`${profile ? this.#profile(profile) : nothing} ${known ? this.#past(known.timeline, id) : nothing}
      ${
        why
          ? html`<section><h3>${this.say.whyTitle}</h3><santral-desk-why .desk=${this.desk} .why=${why} .conversation=${id}></santral-desk-why></section>`
          : nothing
      }`;
  }

  #profile(profile: Profile): TemplateResult {
    const name = this.named(profile);
    const tier = told(profile.attributes.tier ?? "");
    const tags = value(profile.attributes.tags);
    return html`<div class="top">
        <span class="avatar" aria-hidden="true">${initials(name, this.desk.locale)}</span>
        <div>
          <h2>${name}</h2>
          <div class="tags">
            ${tier ? html`<span class="chip accent">${tier}</span>` : nothing}
            ${Array.isArray(tags) ? tags.map((tag) => html`<span class="chip">${told(tag)}</span>`) : nothing}
          </div>
        </div>
      </div>
      ${
        profile.handles.length
          ? html`<section><h3>${this.say.handles}</h3><ul class="handles">${profile.handles.map((one) => this.#handle(one))}</ul></section>`
          : nothing
      }
      ${this.#facts(profile)}`;
  }

  #handle(handle: Handle): TemplateResult {
    const assurance = handle.assurance ?? "asserted";
    const tone = assurance === "asserted" ? "warn" : "accent";
    const visitor = handle.kind === "visitor";
    return html`<li>
      <small>${this.say.kinds[handle.kind] ?? handle.kind}</small>
      <span class="chip ${tone}">${assurance === "asserted" ? nothing : icon("check", 12)}${this.say.assurance[assurance] ?? assurance}</span>
      <span class="value">${visitor ? handle.value.slice(-8) : handle.value}</span>
    </li>`;
  }

  #facts(profile: Profile): TemplateResult | typeof nothing {
    const { language, ...others } = profile.attributes;
    const facts = Object.entries(others)
      .filter(([name]) => !SHOWN_ELSEWHERE.has(name))
      .map(([name, one]) => [this.say.names[name] ?? name.replaceAll("_", " "), told(one)] as const);
    if (language) facts.unshift([this.say.spokenLanguage, this.#language(told(language))]);
    if (facts.length === 0) return nothing;
    return html`<section><h3>${this.say.attributes}</h3>
      <dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>`;
  }

  #past(timeline: readonly Conversation[], current: string): TemplateResult {
    return html`<section><h3>${this.say.timeline}</h3>
      ${
        timeline.length === 0
          ? html`<p class="soft">${this.say.timelineNone}</p>`
          : html`<ul class="past">${timeline.map(
              (one) => html`<li>
              <button type="button" aria-current=${one.id === current} @click=${() => void this.store.select(one.id)}>
                ${channelIcon(one.channel, 16)}
                <span>${one.id === current ? this.say.thisOne : one.subject || one.preview || this.channel(one.channel)}</span>
                <span class="faint small">${this.formats.ago(one.opened_at)}</span>
              </button></li>`,
            )}</ul>`
      }
    </section>`;
  }

  #language(code: string): string {
    try {
      return new Intl.DisplayNames(this.desk.locale, { type: "language" }).of(code) ?? code;
    } catch {
      return code; // what a provider called a language need not be one
    }
  }
}

/** What is known before the whole profile is: the handle that wrote. */
function profileOf(customer: Customer): Profile {
  return { id: customer.profile_id, name: customer.name, handles: [customer], attributes: {} };
}

/** An attribute's value without its source. */
function value(attribute: unknown): unknown {
  return attribute !== null && typeof attribute === "object" && "value" in attribute ? attribute.value : attribute;
}

function told(attribute: unknown): string {
  const found = value(attribute);
  return typeof found === "string" ? found : JSON.stringify(found);
}

customElements.define("santral-desk-customer", DeskCustomer);
