/**
 * The `Sync-Token` response header (Azure contract section 12): `{id}={value};sn={number}`. Clients fail on any other form, so the
 * value has neither `,` nor `;`, and `=` is left out as well. Wire-stable.
 *
 * @param revision number of the newest write that the answer reflects; never falls
 */
export function syncToken(revision: string | number | bigint): string {
  const decimal = String(revision);
  return `latchkey=${Buffer.from(decimal, 'latin1').toString('base64url')};sn=${decimal}`;
}
