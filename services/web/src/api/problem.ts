/**
 * Errors of the API: RFC 9457 problem details, and what stands in for one when no answer came.
 *
 * Units: `status` is the HTTP status, 0 when the network gave no answer.
 */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly field?: string;
  readonly remedy?: string;
  readonly rule?: string;
  readonly request_id?: string;
}

export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail || problem.title);
    this.name = "ApiError";
    this.problem = problem;
  }

  get status(): number {
    return this.problem.status;
  }

  /** Whether the same call may succeed later: no answer, overload, or a server that restarts. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The problem in a response that is not a success; never throws. */
export async function problemOf(response: Response): Promise<Problem> {
  const empty: Problem = { type: "about:blank", title: response.statusText, status: response.status, detail: "" };
  try {
    const body: unknown = await response.json();
    return typeof body === "object" && body !== null ? { ...empty, ...(body as Partial<Problem>) } : empty;
  } catch {
    return empty;
  }
}

/** The problem of a call that got no answer. */
export function unreachable(cause: unknown): ApiError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new ApiError({ type: "urn:santral:problem:unreachable", title: "No answer", status: 0, detail });
}
