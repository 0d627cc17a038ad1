/**
 * Who sits at the desk. The host system opens the page with a one-time code in the fragment, which no server log sees; it is
 * exchanged once for a token, and the fragment is taken out of the address before anything else happens.
 */
import type { AgentSession, DeskApi } from "../api/desk.ts";

const KEY = "santral-desk:session";

/** The code of `#code=…`, or null. Removes it from the address and the history. */
export function takeCode(): string | null {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/** The session of this tab: exchanged from the code, else the one that a reload left. Null when there is neither. */
export async function agentSession(api: DeskApi, code: string | null): Promise<AgentSession | null> {
  if (code) {
    const session = await api.exchange(code);
    sessionStorage.setItem(KEY, JSON.stringify(session));
    return session;
  }
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as AgentSession | null;
    return kept && Date.parse(kept.expires_at) > Date.now() ? kept : null;
  } catch {
    return null;
  }
}

export function forgetSession(): void {
  sessionStorage.removeItem(KEY);
}
