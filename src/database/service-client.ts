import { Client, type ClientConfig } from 'pg';

/** One server that may hold the database. */
export type Host = Pick<ClientConfig, 'host' | 'port'>;

/**
 * Makes the driver's client class for one or several servers. Connections go to the server that last worked; one that cannot be
 * reached, or turns out to be a standby, moves the next attempt on, so that after a failover the writable server is found again.
 *
 * @param hosts at least one, in the order of `DATABASE_URL`
 */
export function serviceClientClass(hosts: readonly Host[]): typeof Client {
  let current = 0;

  return class ServiceClient extends Client {
    private readonly hostIndex = current;

    constructor(config?: string | ClientConfig) {
      const { password, ...rest } = config as ClientConfig;
      // The pool hides the password from enumeration, so spreading alone would lose it.
      super({ ...rest, password, ...hosts[current] });
      // The driver reports a broken connection here as well as to the running query; unheard, it would end the process.
      this.on('error', () => undefined);
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
      }
    }
  };
}
