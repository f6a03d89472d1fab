/** What a problem carries beside its kind and status. Every member is optional; a surface's renderer decides what it shows. */
export interface ProblemOptions {
  /** Short sentence for people; the same for every occurrence of the kind unless the contract puts a name into it. */
  title?: string;
  /** What went wrong this time. */
  detail?: string;
  /** The request member at fault, in the surface's own spelling (`content_type`, `tags`, …). Azure's `name`. */
  parameter?: string;
  /** Response headers that belong to the refusal (`WWW-Authenticate`, `Retry-After`, `Allow`, …), as name and value pairs. */
  headers?: readonly (readonly [name: string, value: string])[];
  /** Further members of the body, as the contract of the kind names them. */
  members?: Readonly<Record<string, unknown>>;
  /** False where the contract answers this kind with a bare status line and no body at all. */
  hasBody?: boolean;
  /** What caused it, for the log only. */
  cause?: unknown;
}

/**
 * A request that cannot be honoured, named once and independent of the surface it came through. Features throw problems from the
 * catalogue; one renderer per surface turns them into that surface's shape. Losing a race that the protocol has a word for is not
 * a problem but a return value.
 */
export class Problem extends Error {
  readonly title: string;
  readonly detail: string | undefined;
  readonly parameter: string | undefined;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly members: Readonly<Record<string, unknown>>;
  readonly hasBody: boolean;

  /**
   * @param kind stable name of the problem in kebab case, the last part of its `type`
   * @param status HTTP status, 400 to 599
   */
  constructor(
    readonly kind: string,
    readonly status: number,
    options: ProblemOptions = {},
  ) {
    super(options.title ?? kind, { cause: options.cause });
    this.name = 'Problem';
    this.title = options.title ?? kind;
    this.detail = options.detail;
    this.parameter = options.parameter;
    this.headers = options.headers ?? [];
    this.members = options.members ?? {};
    this.hasBody = options.hasBody ?? true;
  }
}

/**
 * Whether something went wrong that an operator should look at. A 5xx without a cause is what a contract plans: a queue that is full, a
 * stop under way, Dapr's word for a wrong application id. Anybody can bring some of them about as often as they like.
 */
export const isFailure = (problem: Problem): boolean => problem.status >= 500 && problem.cause !== undefined;
