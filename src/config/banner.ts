import { authority } from './addresses.js';
import { withoutPassword } from './database-url.js';
import type { AccessKeySetting, UserSetting } from './settings.js';

/** What the start banner tells. Hosts are those that the service listens on, ports those that were really taken. */
export interface BannerFacts {
  /** Of this release, such as `0.1.0`. */
  version: string;
  host: string;
  port: number;
  /** Port of Dapr's gRPC service on the same host. */
  grpcPort: number | 'off';
  hasTls: boolean;
  /** PUBLIC_URL, when set: where the outside finds the service. */
  publicUrl?: string | undefined;
  /** Generated ones only. Configured credentials are never shown. */
  accessKey?: AccessKeySetting | undefined;
  users?: readonly UserSetting[] | undefined;
  /** Absolute path of the file that the generated credentials are in as well. */
  credentialsFile?: string | undefined;
  /** Absolute path of the data folder. */
  dataDir: string;
  /** DATABASE_URL (its password is not shown); undefined = the embedded PostgreSQL, whose files lie in `dataDir`. */
  databaseUrl?: string | undefined;
  /** Whether the reader's terminal understands colours. */
  isTerminal: boolean;
}

const LABEL_WIDTH = 16;
const BOLD = '\u001b[1m';
const RESET = '\u001b[0m';

/**
 * The text printed once at start, for people: where everything is and how to get in. It fits 100 columns as long as names and paths
 * are short. Its last line is `listening on {url} grpc {host:port | off}`, always plain, because programs wait for it.
 */
export function banner(facts: BannerFacts): string {
  const heading = (text: string): string => (facts.isTerminal ? `${BOLD}${text}${RESET}` : text);
  const row = (label: string, value: string): string => `  ${label.padEnd(LABEL_WIDTH)}${value}`;
  const url = `${facts.hasTls ? 'https' : 'http'}://${authority(facts.host, facts.port)}`;
  const grpc = facts.grpcPort === 'off' ? 'off' : authority(facts.host, facts.grpcPort);
  const base = facts.publicUrl ?? url;

  const lines = [
    '',
    heading(`Latchkey ${facts.version}`),
    '',
    row('Service', base),
    row('Documentation', `${base}/docs`),
  ];
  if (grpc !== 'off') lines.push(row('Dapr over gRPC', grpc));
  if (facts.databaseUrl === undefined) {
    lines.push(row('Data', facts.dataDir), row('Database', 'embedded PostgreSQL, in the data folder'));
  } else {
    lines.push(row('Data', withoutPassword(facts.databaseUrl)), row('Generated files', facts.dataDir));
  }

  if (facts.accessKey) {
    const { id, secret } = facts.accessKey;
    lines.push('', heading('Connection string for Azure App Configuration clients (development key)'));
    lines.push(`  Endpoint=${base};Id=${id};Secret=${secret}`);
  }
  if (facts.users && facts.users.length > 0) {
    lines.push('', heading('Development users'));
    const nameWidth = Math.max(...facts.users.map(({ name }) => name.length)) + 2;
    const passwordWidth = Math.max(...facts.users.map(({ password }) => password.length)) + 2;
    for (const { name, password, role } of facts.users) {
      lines.push(`  ${name.padEnd(nameWidth)}${password.padEnd(passwordWidth)}${role}`);
    }
  }
  if (facts.credentialsFile !== undefined && (facts.accessKey || facts.users)) {
    lines.push('', `  Also in ${facts.credentialsFile}`);
  }
  lines.push('', `listening on ${url} grpc ${grpc}`, '');
  return lines.join('\n');
}
