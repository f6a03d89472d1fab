import { toStoredText } from '../database/stored-text.js';

/** Something that an operator may ask about later. Changes of key-values are read from their revisions and never recorded here. */
export interface AuditEvent {
  /** Name of the principal; 'anonymous' when nobody was known. */
  readonly actor: string;
  /** Address of the peer, '' when there is none. */
  readonly address: string;
  /** UUID of the request; null for what the service notes of its own accord. */
  readonly requestId: string | null;
  /** Which kind of resource: 'config', 'lock', 'content', and so on. */
  readonly surface: string;
  /** What was done or tried, in kebab-case: 'lock-forced', 'refused'. */
  readonly action: string;
  /** What it was done to; any text of any length. */
  readonly target: string;
  /** How it ended: 'done' or 'refused'. */
  readonly outcome: string;
  /** The words that the caller gave. */
  readonly reason?: string | null;
  /** Whatever else helps; stored as JSON. */
  readonly details?: Readonly<Record<string, unknown>> | null;
}

/** Characters (UTF-16 units) of a text that are kept: enough to recognise any target, where Dapr's surface allows 4 MiB of them. */
export const MAX_TEXT_LENGTH = 1024;
/** Characters of JSON that are kept; a cut object would be no JSON, so a longer one is replaced by its length. */
export const MAX_DETAILS_LENGTH = 16_384;

/** The text as the log stores it. What was cut ends in an ellipsis; halves of surrogate pairs become U+FFFD. */
export function auditText(text: string): string {
  const start = auditTextStart(text);
  return toStoredText(text.length <= MAX_TEXT_LENGTH ? start : `${start}…`);
}

/** The beginning of a text as far as the log would keep it. */
export function auditTextStart(text: string): string {
  if (text.length <= MAX_TEXT_LENGTH) return text.toWellFormed();
  const splitsPair = isHighSurrogate(text.charCodeAt(MAX_TEXT_LENGTH - 1));
  return text.slice(0, splitsPair ? MAX_TEXT_LENGTH - 1 : MAX_TEXT_LENGTH).toWellFormed();
}

export function auditDetails(details: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(details);
  return text.length <= MAX_DETAILS_LENGTH ? text : JSON.stringify({ omittedCharacters: text.length });
}

/** Members of an event in the order of the log's columns, as it stores them. */
export function auditColumns(event: AuditEvent): (string | null)[] {
  const { actor, address, requestId, surface, action, target, outcome, reason, details } = event;
  return [
    auditText(actor),
    auditText(address),
    requestId,
    auditText(surface),
    auditText(action),
    auditText(target),
    auditText(outcome),
    reason === null || reason === undefined ? null : auditText(reason),
    details === null || details === undefined ? null : auditDetails(details),
  ];
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
