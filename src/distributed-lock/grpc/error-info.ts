/**
 * Encodes one `google.rpc.ErrorInfo` as the `google.rpc.Status` that gRPC carries in `grpc-status-details-bin`. By hand, because these
 * two messages are all that is ever sent of that family: text fields and embedded messages, no numbers but the code.
 */
export function statusWithErrorInfo(
  code: number,
  message: string,
  info: { reason: string; domain: string; metadata: Readonly<Record<string, string>> },
): Buffer {
  const entries = Object.entries(info.metadata).map(([key, value]) =>
    embedded(3, Buffer.concat([text(1, key), text(2, value)])),
  );
  const errorInfo = Buffer.concat([text(1, info.reason), text(2, info.domain), ...entries]);
  const any = Buffer.concat([text(1, 'type.googleapis.com/google.rpc.ErrorInfo'), embedded(2, errorInfo)]);
  return Buffer.concat([varint(1 << 3), varint(code), text(2, message), embedded(3, any)]);
}

/** Wire type 2: a length and as many bytes. */
function embedded(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}

function text(field: number, value: string): Buffer {
  return embedded(field, Buffer.from(value));
}

/** @param value at least 0 */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}
