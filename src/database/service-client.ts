import { Client, type ClientConfig } from 'pg';

/** One server that may hold the database. */
export type Host = Pick<ClientConfig, 'host' | 'port'>;

/** The part of a client that the driver's types leave out. */
interface Opening {
  readonly connection?: { readonly stream: { readonly bytesRead?: number } };
}

/**
 * SQLSTATEs of the warning that a commit was not waited for to the end: the change is made at this server, and nobody knows whether the
 * synchronous standby has it (reliability §4.6). The wait was cancelled by an administrator, or by the server's own stop.
 */
const UNCONFIRMED_COMMIT = new Set(['01000', '57P01']);

/** Clients whose last commit was not confirmed by the standby. */
const unconfirmed = new WeakSet<object>();

/** Whether a statement that succeeded may yet be lost with this server; asked once for each. */
export const takeUnconfirmed = (client: object): boolean => unconfirmed.delete(client);

/** The driver's client class, with what is known of those connections that are being opened. */
export interface ServiceClientClass {
  new (config?: string | ClientConfig): Client;
  /** Whether the server has said anything on one of the connections that are being opened: it lives, and the rest is patience. */
  isAnswering(): boolean;
}

/**
 * Makes the driver's client class for one or several servers. Connections go to the server that last worked; one that cannot be
 * reached, or turns out to be a standby, moves the next attempt on, so that after a failover the writable server is found again.
 *
 * @param hosts at least one, in the order of `DATABASE_URL`
 */
export function serviceClientClass(hosts: readonly Host[]): ServiceClientClass {
  let current = 0;
  const opening = new Set<Opening>();

  return class ServiceClient extends Client {
    static isAnswering(): boolean {
      for (const { connection } of opening) if ((connection?.stream.bytesRead ?? 0) > 0) return true;
      return false;
    }

    private readonly hostIndex = current;

    constructor(config?: string | ClientConfig) {
      const { password, ...rest } = config as ClientConfig;
      // The pool hides the password from enumeration, so spreading alone would lose it.
      super({ ...rest, password, ...hosts[current] });
      // The driver reports a broken connection here as well as to the running query; unheard, it would end the process.
      this.on('error', () => undefined);
      this.on('notice', ({ code }) => {
        if (UNCONFIRMED_COMMIT.has(code ?? '')) unconfirmed.add(this);
      });
    }

    override connect(callback?: unknown): Promise<this & Client> & undefined {
      const connected = this.connectToPrimary();
      if (typeof callback !== 'function') return connected as Promise<this & Client> & undefined;
      const done = callback as (error: Error | null, client?: Client) => void;
      connected.then(
        () => done(null, this),
        (error: unknown) => done(error as Error),
      );
      return undefined as Promise<this & Client> & undefined;
    }

    private async connectToPrimary(): Promise<this> {
      const self = this as unknown as Opening;
      opening.add(self);
      try {
        await super.connect();
        if (hosts.length > 1) {
          const { rows } = await this.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby');
          if (rows[0]!.standby) throw new Error(`${hosts[this.hostIndex]!.host} is a standby`);
        }
        return this;
      } catch (error) {
        // A failure on our side of the handshake leaves the socket open.
        this.end().catch(() => undefined);
        if (this.hostIndex === current) current = (current + 1) % hosts.length;
        throw error;
      } finally {
        opening.delete(self);
      }
    }
  };
}
