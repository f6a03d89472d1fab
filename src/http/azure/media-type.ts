const JSON_TYPE = 'application/json';
const JSON_CONTENT_TYPE = `${JSON_TYPE}; charset=utf-8`;

const contentTypes = new Map<string, string>();

/**
 * Chooses the `Content-Type` of an answer (Azure contract 2.5): the resource's own type, unless the client lists only
 * `application/json`. Never fails, because the real service knows no 406.
 *
 * @param vendor media type of the resource, in lower case
 */
export function negotiate(accept: string | undefined, vendor: string): string {
  if (accept === undefined || accept === '*/*' || accept === vendor) return contentTypeOf(vendor);
  const ranges = parseAccept(accept, vendor);
  return !ranges.isVendorAccepted && ranges.isJsonAccepted ? JSON_CONTENT_TYPE : contentTypeOf(vendor);
}

/** Whether a put of a key-value or snapshot reads a body of this type (Azure contract 2.5); the answer is 415 otherwise. */
export function isJsonBody(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const type = withoutParameters(contentType);
  if (type === JSON_TYPE || type === 'text/json') return true;
  return (
    type.startsWith('application/') &&
    type.endsWith('+json') &&
    type.length > 'application/+json'.length &&
    !hasSeparator(type, 'application/'.length)
  );
}

/** Whether a change of a snapshot reads a body of this type (Azure contract 2.5); the answer is 415 otherwise. */
export function isMergePatchBody(contentType: string | undefined): boolean {
  return isJsonBody(contentType) && withoutParameters(contentType!) !== 'text/json';
}

/** There are a handful of vendor types, so the table stays small. */
function contentTypeOf(vendor: string): string {
  let text = contentTypes.get(vendor);
  if (text === undefined) {
    text = `${vendor}; charset=utf-8`;
    contentTypes.set(vendor, text);
  }
  return text;
}

/** RFC 9110 §12.5.1: the most specific range that matches a type decides about it, and a quality of 0 excludes. */
function parseAccept(accept: string, vendor: string): { isVendorAccepted: boolean; isJsonAccepted: boolean } {
  let vendorRange: boolean | undefined;
  let jsonRange: boolean | undefined;
  let applicationRange: boolean | undefined;
  let anyRange: boolean | undefined;
  for (const range of accept.split(',')) {
    const type = withoutParameters(range);
    if (type === vendor) vendorRange = isAcceptable(range) || vendorRange === true;
    if (type === JSON_TYPE) jsonRange = isAcceptable(range) || jsonRange === true;
    else if (type === 'application/*') applicationRange = isAcceptable(range) || applicationRange === true;
    else if (type === '*/*') anyRange = isAcceptable(range) || anyRange === true;
  }
  const fallback = applicationRange ?? anyRange ?? false;
  return { isVendorAccepted: vendorRange ?? fallback, isJsonAccepted: jsonRange ?? fallback };
}

function withoutParameters(text: string): string {
  const semicolon = text.indexOf(';');
  return (semicolon === -1 ? text : text.slice(0, semicolon)).trim().toLowerCase();
}

/** False for `q=0`, `q=0.`, `q=0.000`; an unreadable quality counts as wanted. */
function isAcceptable(range: string): boolean {
  for (const parameter of range.split(';').slice(1)) {
    const text = parameter.trim().toLowerCase();
    if (text.startsWith('q=')) return !isZero(text.slice(2).trim());
  }
  return true;
}

function isZero(quality: string): boolean {
  if (!quality.startsWith('0')) return false;
  if (quality.length > 1 && quality.charAt(1) !== '.') return false;
  for (let i = 2; i < quality.length; i++) {
    if (quality.charAt(i) !== '0') return false;
  }
  return true;
}

function hasSeparator(text: string, start: number): boolean {
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x2f || code === 0x2c || code === 0x22) return true;
  }
  return false;
}
