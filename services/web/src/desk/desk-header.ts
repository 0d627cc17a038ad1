/** The top bar: who I am, whether I take work, how full I am, whether the line is up. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { DeskAgent, Presence } from "../api/vocabulary.ts";
import { controls } from "../ui/controls.ts";
import { channelIcon, icon } from "../ui/icons.ts";
import { initials } from "../ui/names.ts";
import { DeskPart } from "./part.ts";

const CHOICES: readonly Presence[] = ["online", "busy", "away", "offline"];

export class DeskHeader extends DeskPart {
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        align-items: center;
        gap: 1rem;
        height: 3.5rem;
        padding: 0 1rem;
        border-bottom: 1px solid var(--line);
        background: var(--surface);
      }
      .mark {
        display: flex;
        align-items: center;
        gap: 0.5rem;
        font-size: var(--text-4);
        font-weight: 700;
        letter-spacing: -0.01em;
      }
      .link {
        display: flex;
        align-items: center;
        gap: 0.375rem;
        color: var(--ink-soft);
        font-size: var(--text-1);
      }
      .dot {
        width: 0.5rem;
        height: 0.5rem;
        border-radius: 50%;
        background: var(--off);
      }
      .online {
        background: var(--ok);
      }
      .busy,
      .not_responding {
        background: var(--busy);
      }
      .away,
      .connecting {
        background: var(--away);
      }
      .space {
        flex: 1;
      }
      .capacity {
        display: flex;
        align-items: center;
        gap: 0.75rem;
        color: var(--ink-soft);
        font-size: var(--text-1);
      }
      .gauge {
        display: grid;
        gap: 0.1875rem;
        width: 8.5rem;
      }
      .gauge p {
        display: flex;
        justify-content: space-between;
        line-height: 1.2;
      }
      .gauge svg {
        width: 100%;
        height: 6px;
        border-radius: 3px;
        background: var(--sunken);
      }
      .gauge rect {
        fill: var(--accent);
        transition: width 200ms;
      }
      .gauge .full {
        fill: var(--warn);
      }
      .counts {
        display: flex;
        gap: 0.625rem;
      }
      .counts button {
        display: flex;
        align-items: center;
        gap: 0.25rem;
        padding: 0.125rem;
        border: 0;
        background: transparent;
        color: inherit;
        font: inherit;
        cursor: pointer;
      }
      .counts button:disabled {
        cursor: default;
      }
      .counts .closed {
        opacity: 0.45;
        text-decoration: line-through;
      }
      .switch {
        display: flex;
        padding: 2px;
        border: 1px solid var(--line);
        border-radius: 1.25rem;
        background: var(--sunken);
      }
      .switch button {
        display: flex;
        align-items: center;
        gap: 0.375rem;
        height: 1.875rem;
        padding: 0 0.75rem;
        border: 0;
        border-radius: 1rem;
        background: transparent;
        color: var(--ink-soft);
        font-size: var(--text-2);
        white-space: nowrap;
        cursor: pointer;
      }
      .switch button[aria-checked="true"] {
        background: var(--raised);
        box-shadow: var(--shadow);
        color: var(--ink);
        font-weight: 600;
      }
      .me {
        display: flex;
        align-items: center;
        gap: 0.5rem;
        font-weight: 600;
        font-size: var(--text-2);
        white-space: nowrap;
      }
      .tools {
        display: flex;
        gap: 0.125rem;
      }
      @media (max-width: 1180px) {
        .counts,
        .me span:last-child {
          display: none;
        }
      }
      @media (max-width: 900px) {
        :host {
          flex-wrap: wrap;
          gap: 0.5rem 0.75rem;
          height: auto;
          padding: 0.5rem 0.75rem;
        }
        .gauge p {
          display: none;
        }
        .gauge {
          width: 3.5rem;
        }
        .switch {
          order: 9;
          flex: 1 1 100%;
        }
        .switch button {
          flex: 1;
          justify-content: center;
          padding: 0 0.25rem;
        }
        .tools .hint {
          display: none;
        }
      }
    `,
  ];

  protected override render(): TemplateResult {
    const me = this.store.me;
    return html`<div class="mark">${mark()}<span>Santral</span></div>
      ${this.#link()}
      <div class="space"></div>
      ${me ? html`${this.#capacity(me)} ${this.#presence(me)} ${this.#me(me)}` : nothing}
      <div class="tools">
        <button class="button quiet icon hint" type="button" title=${this.say.shortcuts} aria-label=${this.say.shortcuts}
          @click=${() => this.#ask("help")}>${icon("keyboard")}</button>
        <button class="button quiet icon" type="button" title=${this.say.theme} aria-label=${this.say.theme}
          @click=${() => this.#ask("theme")}>${icon("moon")}</button>
        <button class="button quiet" type="button" lang=${this.desk.locale === "tr" ? "en" : "tr"}
          @click=${() => this.#ask("language")}>${this.desk.locale === "tr" ? "EN" : "TR"}
          <span class="unseen">${this.say.language}</span></button>
      </div>`;
  }

  #link(): TemplateResult {
    const { link } = this.store;
    const [state, label] =
      link === "open"
        ? ["online", this.say.link.live]
        : link === "connecting"
          ? ["connecting", this.say.link.connecting]
          : ["busy", this.say.link.lost];
    return html`<p class="link" role="status"><span class="dot ${state}"></span>${label}</p>`;
  }

  #capacity(me: DeskAgent): TemplateResult {
    const share = me.budget > 0 ? Math.min(100, Math.round((me.used / me.budget) * 100)) : 0;
    const names = [...new Set([...Object.keys(me.channels ?? {}), ...Object.keys(me.counts)])];
    const shown = names.filter((one) => (me.counts[one] ?? 0) > 0 || (me.channels?.[one]?.cap ?? 0) > 0).sort();
    const fixed = this.store.busy.has("presence") || me.presence === "offline" || me.presence === "not_responding";
    return html`<div class="capacity">
      <ul class="counts">
        ${shown.map((channel) => {
          const count = me.counts[channel] ?? 0;
          const cap = me.channels?.[channel]?.cap;
          const open = !me.presences?.[channel];
          const label = `${this.channel(channel)}: ${count}${cap ? ` / ${cap}` : ""}, ${open ? this.say.channelOpen : this.say.channelClosed}`;
          return html`<li><button type="button" class=${open ? "" : "closed"} title=${label} aria-label=${label}
            aria-pressed=${open} ?disabled=${fixed} @click=${() => void this.store.setChannel(channel, !open)}>${channelIcon(channel, 16)}
            <span class="numbers">${count}${cap ? html`<span class="faint">/${cap}</span>` : nothing}</span></button></li>`;
        })}
      </ul>
      <div class="gauge" role="meter" aria-label=${this.say.capacity} aria-valuemin="0" aria-valuemax=${me.budget}
        aria-valuenow=${me.used} title="${this.say.capacity}: ${this.say.capacityOf(me.used, me.budget)}">
        <p><span>${this.say.capacity}</span><span class="numbers">${this.say.capacityOf(me.used, me.budget)}</span></p>
        <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
          <rect class=${share >= 100 ? "full" : ""} width=${share} height="6"></rect>
        </svg>
      </div>
    </div>`;
  }

  #presence(me: DeskAgent): TemplateResult {
    const choices = me.presence === "not_responding" ? [...CHOICES, me.presence] : CHOICES;
    return html`<div class="switch" role="radiogroup" aria-label=${this.say.presence} @keydown=${this.#arrows}>
      ${choices.map(
        (one) => html`<button type="button" role="radio" aria-checked=${me.presence === one}
          tabindex=${me.presence === one ? 0 : -1} ?disabled=${this.store.busy.has("presence") || one === "not_responding"}
          @click=${() => void this.store.setPresence(one)}><span class="dot ${one}"></span>${this.say.presences[one]}</button>`,
      )}
    </div>`;
  }

  #me(me: DeskAgent): TemplateResult {
    return html`<div class="me"><span class="avatar" aria-hidden="true">${initials(me.name, this.desk.locale)}</span>
      <span>${me.name}</span></div>`;
  }

  readonly #arrows = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = [...this.renderRoot.querySelectorAll<HTMLButtonElement>(".switch button:not(:disabled)")];
    const at = buttons.indexOf(event.target as HTMLButtonElement);
    buttons[(at + step + buttons.length) % buttons.length]?.focus();
  };

  #ask(what: "help" | "theme" | "language"): void {
    this.dispatchEvent(new CustomEvent("desk-ask", { detail: what, bubbles: true, composed: true }));
  }
}

/** The sign of the house: two lines of a switchboard, connected. */
export function mark(size = 26): TemplateResult {
  return html`<svg width=${size} height=${size} viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8"
    fill="#0b6e64"></rect><path d="M9 10c0 8 14 4 14 12" fill="none" stroke="#fff" stroke-width="2.4"
    stroke-linecap="round"></path><circle cx="9" cy="9" r="2.6" fill="#fff"></circle><circle cx="23" cy="23" r="2.6"
    fill="#fff"></circle><circle cx="23" cy="9" r="2.2" fill="#8fd3c8"></circle><circle cx="9" cy="23" r="2.2"
    fill="#8fd3c8"></circle></svg>`;
}

customElements.define("santral-desk-header", DeskHeader);
