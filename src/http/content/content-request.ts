import { type IncomingMessage } from 'node:http';
import { type Settings } from '../../config/settings.js';
import { ApiRequest } from '../api-request.js';
import { publicOrigin } from '../azure/azure.surface.js';
import { type ChangeClaim } from './change-claim.js';
import { decodeObjectPath, splitContentPath } from './content-path.js';
import { isReserved } from './reserved-segments.js';

/** A request to the content tree: which object it is about, and how objects are addressed in its answer. */
export class ContentRequest extends ApiRequest {
  /** Set by `LockTokenGuard` on routes that change an object which may be locked. */
  claim: ChangeClaim | undefined;

  private decodedPath: readonly string[] | undefined;
  private origin: string | undefined;

  constructor(
    incoming: IncomingMessage,
    private readonly settings: Settings,
  ) {
    super(incoming);
  }

  /**
   * Ids from the site root to the object that the request is about, decoded; empty for the root itself. Nobody has looked yet whether
   * there is such an object.
   *
   * @throws Problem `malformed-path`
   */
  get objectPath(): readonly string[] {
    return (this.decodedPath ??= decodeObjectPath(splitContentPath(this.path).objectSegments));
  }

  /** Absolute URL of the site root, without a slash at the end: `PUBLIC_URL`, or what the client used. */
  get baseUrl(): string {
    return (this.origin ??= publicOrigin(this, this.settings));
  }

  /**
   * Absolute URL of an object by the ids along its path: no trailing slash, and no `++api++` but where the first id belongs to another
   * surface (content contract section 4).
   */
  urlOf(path: readonly string[]): string {
    const prefix = path.length > 0 && isReserved(path[0]!) ? '/++api++' : '';
    return this.baseUrl + prefix + path.map((id) => `/${encodeURIComponent(id)}`).join('');
  }

  /** Whether `Prefer` asks for this (RFC 7240): `Prefer: return=representation`, among others or not. */
  prefers(name: string, value: string): boolean {
    return (this.header('prefer') ?? '').split(',').some((preference) => {
      const [wanted = ''] = preference.split(';');
      return wanted.replace(/[\s"]/g, '').toLowerCase() === `${name}=${value}`;
    });
  }

  /** The claim of a request that changes an object; a defect of the route when there is none. */
  get changeClaim(): ChangeClaim {
    if (!this.claim) throw new Error(`${this.route?.handlerName} changes content without @ChangesContent`);
    return this.claim;
  }
}
