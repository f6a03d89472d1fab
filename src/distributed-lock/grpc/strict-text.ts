import { isUtf8 } from 'node:buffer';

const REPLACEMENT = '\ufffd';

/** Decodes a message of a request. */
type Decode = (bytes: Buffer) => object;

/**
 * Refuses texts that are not UTF-8, as protobuf asks. The decoder would put U+FFFD in place of their bad bytes, and then owners that are
 * not the same would compare as if they were.
 *
 * @param decode throws for bytes that are no message
 */
export function withStrictText(decode: Decode): Decode {
  return (bytes) => {
    const message = decode(bytes);
    // Only then can anything have been replaced.
    const isSuspect = Object.values(message).some((value) => typeof value === 'string' && value.includes(REPLACEMENT));
    if (isSuspect && !textsOf(bytes).every((text) => isUtf8(text))) throw new Error('a text is not UTF-8');
    return message;
  };
}

/** The bytes of all fields of wire type 2; in our flat requests these are texts, or fields that nobody knows. */
function textsOf(bytes: Buffer): Buffer[] {
  const texts: Buffer[] = [];
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(position++);
      // Lengths and tags need five bytes at most; what is beyond belongs to numbers, which nobody looks at here.
      if (shift < 35) value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (position < bytes.length) {
    const wireType = varint() & 7;
    if (wireType === 0) varint();
    else if (wireType === 1) position += 8;
    else if (wireType === 5) position += 4;
    else if (wireType === 2) {
      const end = varint() + position;
      texts.push(bytes.subarray(position, end));
      position = end;
    } else throw new Error('a group, which no request has');
  }
  return texts;
}
