/**
 * A mail's own formatting, out of reach: sanitised by the server, fetched as text with the agent's token, and put in an iframe
 * without any permission (`sandbox=""`: no scripts, no forms, no origin, no navigation) under a policy that lets nothing be
 * fetched from elsewhere. Even markup that the sanitiser missed can do nothing there.
 */
import styleAddress from "./mail-frame.css?url";

interface HtmlPolicy {
  createHTML(text: string): string;
}

interface TrustedTypesFactory {
  createPolicy(name: string, rules: { createHTML: (text: string) => string }): HtmlPolicy;
}

const trusted = (globalThis as { trustedTypes?: TrustedTypesFactory }).trustedTypes;
// Only whole sandboxed documents are made through this policy, never markup of the page itself.
const policy = trusted?.createPolicy("santral-mail", { createHTML: (text) => text });

const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline' ";

/** The frame with the mail in it. `title` is what a screen reader calls it. */
export function mailFrame(html: string, title: string): HTMLIFrameElement {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "");
  frame.title = title;
  frame.className = "mail";
  frame.referrerPolicy = "no-referrer";
  const style = new URL(styleAddress, import.meta.url);
  const whole =
    `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}${style.origin}">` +
    `<meta name="referrer" content="no-referrer"><link rel="stylesheet" href="${style.href}">${html}`;
  frame.srcdoc = policy ? policy.createHTML(whole) : whole;
  return frame;
}
