import { ApiRequest } from '../api-request.js';
import { badEscape } from './dapr-problem.js';
import { BadEscapeError, queryUnescape } from './query-unescape.js';

/** A request to the Dapr surface. */
export class DaprRequest extends ApiRequest {
  /**
   * A variable part of the path, decoded.
   *
   * @throws DaprTextProblem for an escape that is none
   */
  pathParameter(name: string): string {
    try {
      return queryUnescape(this.params[name]!);
    } catch (error) {
      throw error instanceof BadEscapeError ? badEscape(name, error.escape) : error;
    }
  }
}
