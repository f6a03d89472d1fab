const IPV4_IN_IPV6 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const IPV6_GROUPS = 8;

/**
 * What an address is counted by: an IPv4 address by itself, in either spelling, an IPv6 address by the first 64 bits, which is the least
 * that a network gives to one customer.
 *
 * @param address as a socket shows it
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = IPV4_IN_IPV6.exec(address);
  if (mapped) return mapped[1]!;
  const [plain = ''] = address.split('%');
  const [before = '', after] = plain.split('::');
  const left = groupsOf(before);
  const right = groupsOf(after ?? '');
  const zeros = Array<string>(Math.max(0, IPV6_GROUPS - left.length - right.length)).fill('0');
  return [...left, ...zeros, ...right].slice(0, IPV6_GROUPS / 2).join(':');
}

function groupsOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}
