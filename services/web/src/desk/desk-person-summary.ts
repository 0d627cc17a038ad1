/** The customer at a glance: how to reach them, who else is here, what they want, what is known, what is open, what was before. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Consent, Verdict } from "../api/people.ts";
import type { Conversation, Handle } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { channelIcon, icon } from "../ui/icons.ts";
import "./desk-why.ts";
import { told } from "./attribute.ts";
import { isOther } from "./part.ts";
import { PersonPart } from "./person-part.ts";
import { personStyles } from "./person-styles.ts";

const ELSEWHERE: ReadonlySet<string> = new Set([
  "name",
  "tier",
  "tags",
  "preferred_channel",
  "quiet_hours",
  "time_zone",
]);
const OPEN: ReadonlySet<string> = new Set(["queued", "offered", "assigned", "parked", "wrapping"]);
const PAST = 6;

export class DeskPersonSummary extends PersonPart {
  static override styles = [
    controls,
    personStyles,
    css`
      .handles li {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
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
      .consents {
        display: grid;
        gap: 0.5rem;
        font-size: var(--text-2);
      }
      .consents li {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 0 0.5rem;
        align-items: center;
      }
      .consents small {
        grid-column: 1 / -1;
      }
      .detail {
        display: grid;
        gap: 0.625rem;
      }
    `,
  ];

  #consents: readonly Consent[] | null = null;
  #verdict: Verdict | null = null;
  #open = false;

  protected override async read(): Promise<void> {
    this.#consents = null;
    this.#verdict = null;
    if (!this.#open) return;
    const { id } = this.profile;
    const channel = this.#channel();
    await this.reading(
      () => Promise.all([this.people.consents(id, channel), this.people.mayContact(id, "service", channel)]),
      ([consents, verdict]) => {
        this.#consents = consents;
        this.#verdict = verdict;
      },
    );
  }

  protected override render(): TemplateResult {
    const id = this.store.selected ?? "";
    const known = this.store.customers.get(id);
    const why = this.store.item?.why ?? null;
    // What was merged into another conversation is empty: its messages are shown there.
    const timeline = (known?.timeline ?? []).filter((one) => !one.merged_into || one.id === id);
    const open = timeline.filter((one) => one.id !== id && one.item !== null && OPEN.has(one.item.state));
    return html`${this.#contact()} ${this.#others()} ${this.#places(this.words.openItems, open, id)} ${this.#preferences()}
      ${this.#facts()} ${known ? this.#past(timeline, id) : nothing}
      ${
        why
          ? html`<section><h3>${this.say.whyTitle}</h3><santral-desk-why .desk=${this.desk} .why=${why} .conversation=${id}></santral-desk-why></section>`
          : nothing
      }`;
  }

  #contact(): TemplateResult | typeof nothing {
    const { handles } = this.profile;
    if (handles.length === 0) return nothing;
    return html`<section><h3>${this.say.handles}</h3><ul class="list handles">${handles.map((one) => this.#handle(one))}</ul></section>`;
  }

  #handle(handle: Handle): TemplateResult {
    const assurance = handle.assurance ?? "asserted";
    const tone = assurance === "asserted" ? "warn" : "accent";
    return html`<li>
      <small>${this.kind(handle)}</small>
      <span class="chip ${tone}">${assurance === "asserted" ? nothing : icon("check", 12)}${this.say.assurance[assurance] ?? assurance}</span>
      <span class="value">${handle.kind === "visitor" ? handle.value.slice(-8) : handle.value}</span>
    </li>`;
  }

  #others(): TemplateResult | typeof nothing {
    const others = (this.store.thread?.conversation.participants ?? []).filter(isOther);
    if (others.length === 0) return nothing;
    return html`<section class="others"><h3>${this.words.participants}</h3>
      <ul class="list handles">${others.map(
        (one) => html`<li>
          <small>${one.name && one.name !== one.handle.value ? one.name : (this.say.kinds[one.handle.kind] ?? one.handle.kind)}</small>
          <span class="chip">${this.words.roles[one.role] ?? one.role}</span>
          <span class="value">${this.handleText(one.handle)}</span>
        </li>`,
      )}</ul></section>`;
  }

  #preferences(): TemplateResult {
    return html`<section><details @toggle=${this.#toggled}>
      <summary>${this.words.contact}</summary>
      ${this.#open ? html`<div class="detail">${this.#wishes()} ${this.#consents ? this.#agreed(this.#consents) : this.waiting()}</div>` : nothing}
    </details></section>`;
  }

  #wishes(): TemplateResult {
    const wishes = Object.entries(this.words.preferences)
      .map(([name, label]) => [label, told(this.profile.attributes[name] ?? "")] as const)
      .filter(([, value]) => value !== "");
    if (wishes.length === 0) return html`<p class="soft small">${this.words.noPreferences}</p>`;
    return html`<dl>${wishes.map(([label, value]) => html`<dt>${label}</dt><dd>${this.say.channels[value] ?? value}</dd>`)}</dl>`;
  }

  #agreed(consents: readonly Consent[]): TemplateResult {
    const verdict = this.#verdict;
    return html`${
      consents.length === 0
        ? html`<p class="soft small">${this.words.noConsent}</p>`
        : html`<ul class="consents">${consents.map((one) => this.#consent(one))}</ul>`
    }
    ${
      verdict
        ? html`<p class="small">${this.words.firstOn(this.channel(this.#channel()))}
          <span class="chip ${verdict.allowed ? "accent" : "warn"}">${verdict.allowed ? this.words.mayWrite : (this.words.mayNot[verdict.reason] ?? verdict.reason)}</span>
          ${verdict.not_before ? this.words.until(this.formats.full(verdict.not_before)) : nothing}</p>`
        : nothing
    }`;
  }

  #consent(one: Consent): TemplateResult {
    const [tone, text] =
      one.granted === null
        ? ["", this.words.notSaid]
        : one.granted
          ? ["accent", this.words.allowed]
          : ["danger", this.words.denied];
    const channel = one.channel === "all" ? this.words.everyChannel : this.channel(one.channel);
    const by = one.by ? [one.by.source, this.formats.date(one.by.stated_at)] : [];
    if (one.by?.expires_at) by.push(this.words.until(this.formats.date(one.by.expires_at)));
    return html`<li><span>${this.words.purposes[one.purpose] ?? one.purpose} · ${channel}</span><span class="chip ${tone}">${text}</span>
      <small class="faint small">${by.join(" · ")}</small></li>`;
  }

  #facts(): TemplateResult | typeof nothing {
    const { language, ...others } = this.profile.attributes;
    const facts = Object.entries(others)
      .filter(([name]) => !ELSEWHERE.has(name))
      .map(([name, one]) => [this.say.names[name] ?? name.replaceAll("_", " "), told(one)] as const);
    if (language) facts.unshift([this.say.spokenLanguage, this.#language(told(language))]);
    if (facts.length === 0) return nothing;
    return html`<section><h3>${this.say.attributes}</h3>
      <dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>`;
  }

  #past(timeline: readonly Conversation[], current: string): TemplateResult {
    if (timeline.length === 0)
      return html`<section><h3>${this.say.timeline}</h3><p class="soft">${this.say.timelineNone}</p></section>`;
    const all = html`<button class="plain" type="button" @click=${this.#all}>${this.words.all}</button>`;
    return this.#places(this.say.timeline, timeline.slice(0, PAST), current, all) as TemplateResult;
  }

  #places(
    title: string,
    conversations: readonly Conversation[],
    current: string,
    more: TemplateResult | typeof nothing = nothing,
  ): TemplateResult | typeof nothing {
    if (conversations.length === 0) return nothing;
    return html`<section><h3><span>${title}</span>${more}</h3>
      <ul class="where">${conversations.map(
        (one) => html`<li>
          <button type="button" aria-current=${one.id === current} @click=${() => void this.store.select(one.id)}>
            ${channelIcon(one.channel, 16)}
            <span>${one.id === current ? this.say.thisOne : one.subject || this.preview(one) || this.channel(one.channel)}</span>
            <span class="faint small">${title === this.words.openItems ? this.#state(one) : this.formats.ago(one.opened_at)}</span>
          </button></li>`,
      )}</ul></section>`;
  }

  /** Where an open item is: with a colleague by name, else its state. */
  #state({ item }: Conversation): string {
    if (!item) return "";
    const theirs = item.state === "assigned" && item.agent_id !== this.store.me?.id;
    return (theirs ? item.agent_name : null) ?? this.say.states[item.state] ?? item.state;
  }

  readonly #toggled = (event: Event): void => {
    this.#open = (event.target as HTMLDetailsElement).open;
    if (this.#open && !this.#consents) void this.read();
    this.requestUpdate();
  };

  readonly #all = (): void => {
    this.dispatchEvent(new CustomEvent("person-tab", { detail: "history", bubbles: true, composed: true }));
  };

  #channel(): string {
    return this.store.thread?.conversation.channel ?? "email";
  }

  #language(code: string): string {
    try {
      return new Intl.DisplayNames(this.desk.locale, { type: "language" }).of(code) ?? code;
    } catch {
      return code; // what a provider called a language need not be one
    }
  }
}

customElements.define("santral-desk-person-summary", DeskPersonSummary);
