import { type DevelopmentCredentials } from './development-credentials.js';

/** Injection token of the secrets that were configured or generated. */
export const CREDENTIALS = Symbol('CREDENTIALS');

export type Credentials = DevelopmentCredentials;
