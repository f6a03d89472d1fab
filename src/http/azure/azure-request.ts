import { malformedPath } from '../../problem/catalogue.js';
import { ApiRequest } from '../api-request.js';
import { decodePathSegment } from '../query-string.js';
import { type ApiVersion } from './api-version.js';

/** A request to the Azure App Configuration surface. */
export class AzureRequest extends ApiRequest {
  /** Negotiated during routing, before any guard. */
  apiVersion!: ApiVersion;

  /**
   * Whether the list of key-values is that of a snapshot: an operation of its own on the same route, with another right. Versions
   * without snapshots ignore the parameter (contract section 2.1).
   */
  get listsSnapshot(): boolean {
    return this.query.first('snapshot') !== undefined && this.apiVersion.has('snapshots');
  }

  /**
   * A variable part of the path, decoded exactly once. The real service refuses `%25` anywhere in a path with an empty 400, after
   * authentication and before every other check (contract section 3).
   */
  pathParameter(name: string): string {
    if (this.path.includes('%25')) throw malformedPath();
    return decodePathSegment(this.params[name]!);
  }
}
